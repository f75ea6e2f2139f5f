/// Collects metadata and tensors and writes them as a GGUF file of version 3.
///
/// The file appears whole or not at all: it is written beside its place under another name, flushed to the
/// disk and renamed.
public struct GGUFWriter {
    private var keys: [String] = []
    private var values: [String: MetadataValue] = [:]
    private var tensors: [Tensor] = []

    private struct Tensor {
        let name: String
        let dimensions: [Int]
        let type: TensorType
        let contents: (Append) throws -> Void
    }

    /// Takes the next bytes of a tensor.
    public typealias Append = (UnsafeRawBufferPointer) throws -> Void

    /// An empty file.
    public init() {}

    /// Sets a key, behind the ones set before; a key set again keeps its place.
    public mutating func set(_ key: String, _ value: MetadataValue) {
        if values.updateValue(value, forKey: key) == nil { keys.append(key) }
    }

    /// Adds a tensor; `dimensions` innermost first, as in ``TensorInfo/dimensions``.
    ///
    /// - Parameter contents: makes the tensor's bytes when their turn comes, so that one tensor at a time is
    ///   in memory. What it throws, ``write(to:)`` throws.
    public mutating func addTensor(
        _ name: String, dimensions: [Int], type: TensorType, contents: @escaping () throws -> [UInt8]
    ) {
        addTensor(name, dimensions: dimensions, type: type) { append in
            try contents().withUnsafeBytes(append)
        }
    }

    /// Adds a tensor that is written piece by piece, so that no tensor needs to be in memory.
    ///
    /// - Parameter contents: gives the tensor's bytes, in order, to the function that it is called with.
    public mutating func addTensor(
        _ name: String, dimensions: [Int], type: TensorType, contents: @escaping (Append) throws -> Void
    ) {
        tensors.append(Tensor(name: name, dimensions: dimensions, type: type, contents: contents))
    }

    /// Adds a tensor whose bytes are at hand.
    public mutating func addTensor(_ name: String, dimensions: [Int], type: TensorType, bytes: [UInt8]) {
        addTensor(name, dimensions: dimensions, type: type) { bytes }
    }

    /// Writes the file; an existing one is replaced.
    ///
    /// - Throws: ``GGUFError`` where the tensors do not fit their dimensions, names are double or longer than
    ///   llama.cpp reads (63 bytes), or the file cannot be written; and what a tensor's closure throws.
    public func write(to path: String) throws {
        func malformed(_ problem: String) -> GGUFError { GGUFError(.malformed, path: path, problem) }

        let alignment = values["general.alignment"].map { $0.integer ?? 0 } ?? 32
        guard alignment > 0, alignment & (alignment - 1) == 0, alignment <= 1 << 30 else {
            throw malformed("general.alignment must be a power of two")
        }
        func padding(_ count: Int) -> Int { (alignment - count % alignment) % alignment }

        var header = Array("GGUF".utf8)
        header.append(encoding: UInt32(3))
        header.append(encoding: UInt64(tensors.count))
        header.append(encoding: UInt64(keys.count))
        for key in keys {
            guard let value = values[key] else { continue }
            header.append(encoding: key)
            header.append(encoding: value)
        }
        var names: Set<String> = []
        var sizes: [Int] = []
        var offset = 0
        for tensor in tensors {
            let name = quoted(tensor.name)
            guard names.insert(tensor.name).inserted else { throw malformed("tensor \(name) is given twice") }
            guard tensor.name.utf8.count < 64 else { throw malformed("tensor name \(name) is too long") }
            guard let layout = tensor.type.layout, (1...4).contains(tensor.dimensions.count),
                let size = layout.byteCount(tensor.dimensions)
            else { throw malformed("tensor \(name) cannot be \(tensor.dimensions) of \(tensor.type)") }
            header.append(encoding: tensor.name)
            header.append(encoding: UInt32(tensor.dimensions.count))
            for dimension in tensor.dimensions { header.append(encoding: UInt64(dimension)) }
            header.append(encoding: tensor.type.rawValue)
            header.append(encoding: UInt64(offset))
            let (end, overflow) = offset.addingReportingOverflow(size)
            guard !overflow, end < Int.max - 2 * alignment else {
                throw malformed("the tensors are too large")
            }
            offset = end + padding(end)
            sizes.append(size)
        }

        let file = try ReplacementFile(for: path)
        try file.reserve(header.count + padding(header.count) + offset)
        try file.append(header)
        try file.append([UInt8](repeating: 0, count: padding(header.count)))
        for (tensor, size) in zip(tensors, sizes) {
            var count = 0
            try tensor.contents { bytes in
                count += bytes.count
                guard count <= size else { return }
                try file.append(bytes)
            }
            guard count == size else {
                throw malformed("tensor \(quoted(tensor.name)) takes \(size) bytes, but \(count) came")
            }
            try file.append([UInt8](repeating: 0, count: padding(size)))
        }
        try file.commit()
    }
}

extension [UInt8] {
    fileprivate mutating func append(encoding value: MetadataValue) {
        append(encoding: value.type.rawValue)
        switch value {
        case .uint8(let word): append(encoding: word)
        case .int8(let word): append(encoding: word)
        case .uint16(let word): append(encoding: word)
        case .int16(let word): append(encoding: word)
        case .uint32(let word): append(encoding: word)
        case .int32(let word): append(encoding: word)
        case .uint64(let word): append(encoding: word)
        case .int64(let word): append(encoding: word)
        case .float32(let number): append(encoding: number.bitPattern)
        case .float64(let number): append(encoding: number.bitPattern)
        case .bool(let flag): append(flag ? 1 : 0)
        case .string(let text): append(encoding: text)
        case .array(let array): append(encoding: array)
        }
    }
}
