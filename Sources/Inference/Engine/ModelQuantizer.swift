import GGUF
import Quantization
import Runtime

/// Writes a model's matrices in another format.
public struct ModelQuantizer: Sendable {
    /// The formats that can be written: name, tensor type and llama.cpp's number of the file type.
    private static let formats: [(name: String, type: TensorType, fileType: UInt32)] = [
        ("F32", .f32, 0), ("F16", .f16, 1), ("BF16", .bf16, 32), ("Q8_0", .q8_0, 7), ("Q4_0", .q4_0, 2),
    ]

    /// The names of the formats that can be written.
    public static var formatNames: [String] { formats.map(\.name) }

    /// What was done with a tensor.
    public struct Progress: Sendable {
        /// The tensor's name.
        public var name: String
        /// Its type before and after.
        public var from: TensorType
        /// Its type in the new file.
        public var to: TensorType
        /// Its number, from 1, and how many there are.
        public var index: Int
        /// How many tensors there are.
        public var count: Int
    }

    private let type: TensorType
    private let fileType: UInt32
    private let allowsRequantizing: Bool
    private let pool: ThreadPool

    /// - Parameters:
    ///   - format: one of ``formatNames``, in either case.
    ///   - allowsRequantizing: whether matrices that are quantised already are quantised again.
    ///   - threads: CPU threads.
    public init(format: String, allowsRequantizing: Bool = false, threads: Int) throws {
        guard let known = Self.formats.first(where: { $0.name == format.uppercased() }) else {
            throw EngineError(
                .badInput, "unknown format '\(format)'; known: \(Self.formatNames.joined(separator: ", "))")
        }
        type = known.type
        fileType = known.fileType
        self.allowsRequantizing = allowsRequantizing
        pool = ThreadPool(threads: threads)
    }

    /// Reads `input` and writes `output`, which appears whole or not at all.
    public func quantize(_ input: String, to output: String, progress: (Progress) -> Void = { _ in }) throws {
        let file = try GGUFFile(path: input)
        // The writer's closures hold `progress`: it lives inside, so that they are gone on every way out.
        try withoutActuallyEscaping(progress) { progress in
            var writer = GGUFWriter()
            for key in file.metadata.keys {
                if let value = file.metadata[key] { writer.set(key, value) }
            }
            writer.set("general.file_type", .uint32(fileType))
            writer.set("general.quantization_version", .uint32(2))
            for (index, tensor) in file.tensors.enumerated() {
                let target = try targetType(of: tensor, in: file)
                writer.addTensor(tensor.name, dimensions: tensor.dimensions, type: target) {
                    progress(
                        Progress(
                            name: tensor.name, from: tensor.type, to: target, index: index + 1,
                            count: file.tensors.count))
                    return try convert(tensor, of: file, to: target)
                }
            }
            try writer.write(to: output)
        }
    }

    /// Vectors stay as they are, and so do matrices whose rows are no whole number of blocks.
    private func targetType(of tensor: TensorInfo, in file: GGUFFile) throws -> TensorType {
        guard tensor.dimensions.count > 1, tensor.type != type, let format = type.blockFormat,
            tensor.rowLength % format.blockSize == 0
        else { return tensor.type }
        let isFloat = [TensorType.f32, .f16, .bf16].contains(tensor.type)
        guard isFloat || allowsRequantizing else {
            throw EngineError(
                .badInput,
                "\(file.path): tensor \(quoted(tensor.name)) is \(tensor.type) already; quantising it again loses quality, "
                    + "--allow-requantize does it all the same")
        }
        guard tensor.type.blockFormat != nil else {
            throw EngineError(
                .badInput, "\(file.path): tensor \(quoted(tensor.name)) of type \(tensor.type) cannot be read"
            )
        }
        return type
    }

    private func convert(_ tensor: TensorInfo, of file: GGUFFile, to target: TensorType) throws -> [UInt8] {
        let source = file.bytes(of: tensor)
        guard target != tensor.type else { return Array(source) }
        guard let rowBytes = target.layout?.rowByteCount(tensor.rowLength) else {
            throw EngineError(.failed, "\(target) has no layout")
        }
        return try [UInt8](unsafeUninitializedCapacity: rowBytes * tensor.rowCount) { bytes, count in
            let failures = FirstError()
            let destination = UnsafeMutableRawBufferPointer(bytes)
            pool.run(chunks: tensor.rowCount) { row in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: tensor.rowLength) { values in
                    values.initialize(repeating: 0)
                    failures.catching {
                        try tensor.type.dequantize(
                            UnsafeRawBufferPointer(
                                rebasing: source[row * tensor.rowByteCount..<(row + 1) * tensor.rowByteCount]),
                            into: values)
                        try target.quantize(
                            UnsafeBufferPointer(values),
                            into: UnsafeMutableRawBufferPointer(
                                rebasing: destination[row * rowBytes..<(row + 1) * rowBytes]))
                    }
                }
            }
            try failures.rethrow()
            count = rowBytes * tensor.rowCount
        }
    }
}
