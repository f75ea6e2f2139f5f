/// Reads a GGUF file's header from front to back; nothing is believed before it is checked.
struct GGUFParser {
    private let file: MappedFile
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// Arrays inside arrays go no deeper than this; nobody writes even two.
    private static let deepestNesting = 4

    /// Which file of a split model this is, from 0.
    private let part: Int

    init(file: MappedFile, part: Int) {
        self.file = file
        self.part = part
        bytes = file.bytes
    }

    struct Header {
        let version: Int
        let tensorCount: Int
        let metadataCount: Int
    }

    /// Magic, version and the two counts.
    mutating func readHeader() throws(GGUFError) -> Header {
        let magic = bytes.prefix(4)
        guard magic.elementsEqual("GGUF".utf8) else {
            guard "GGUF".utf8.starts(with: magic) else {
                throw error(.notGGUF, at: 0, "not a GGUF file: it does not begin with \"GGUF\"")
            }
            throw error(.truncated, at: bytes.count, "the file ends inside the magic \"GGUF\"")
        }
        offset = 4
        let word: UInt32 = try word("the version")
        guard word == 2 || word == 3 else {
            let problem =
                word.byteSwapped == 2 || word.byteSwapped == 3
                ? "a big-endian GGUF file; only little-endian ones are read here"
                : "GGUF version \(word); only versions 2 and 3 are read here"
            throw error(.unsupported, at: 4, problem)
        }
        // The smallest tensor entry: empty name, no dimension. The smallest pair: empty key, one byte.
        let tensorCount = try count("the number of tensors", bytesEach: 24)
        let metadataCount = try count("the number of metadata keys", bytesEach: 13)
        return Header(version: Int(word), tensorCount: tensorCount, metadataCount: metadataCount)
    }

    /// The key-value pairs.
    mutating func readMetadata(count: Int) throws(GGUFError) -> Metadata {
        var entries: [Metadata.Entry] = []
        var indices: [String: Int] = [:]
        for index in 0..<count {
            let start = offset
            let key = try name("metadata key \(index)")
            guard indices.updateValue(index, forKey: key) == nil else {
                throw error(.malformed, at: start, "metadata key \(quoted(key)) appears twice")
            }
            entries.append(try readValue(of: key))
        }
        return Metadata(file: file, entries: entries, indices: indices)
    }

    /// `general.alignment`, or the format's default of 32.
    func readAlignment(_ metadata: Metadata) throws(GGUFError) -> Int {
        let alignment = try metadata.integerIfPresent("general.alignment") ?? 32
        guard alignment > 0, alignment & (alignment - 1) == 0, alignment <= 1 << 30 else {
            throw error(.malformed, at: nil, "general.alignment is \(alignment), not a power of two")
        }
        return alignment
    }

    /// The tensors' entries.
    mutating func readTensors(count: Int, alignment: Int) throws(GGUFError) -> [TensorInfo] {
        var entries: [TensorEntry] = []
        var names: Set<String> = []
        for index in 0..<count {
            let entry = try readTensorEntry(index)
            guard names.insert(entry.name).inserted else {
                throw error(.malformed, at: entry.start, "tensor \(quoted(entry.name)) appears twice")
            }
            entries.append(entry)
        }
        // The alignment is at most 2^30 and the offset inside the file: this cannot overflow.
        let dataStart = (offset + alignment - 1) / alignment * alignment
        var tensors: [TensorInfo] = []
        tensors.reserveCapacity(count)
        for entry in entries {
            tensors.append(try place(entry, dataStart: dataStart, alignment: alignment))
        }
        return tensors
    }
}

// MARK: Metadata

extension GGUFParser {
    private mutating func readValue(of key: String) throws(GGUFError) -> Metadata.Entry {
        let type = try type("the type of key \(quoted(key))")
        switch type {
        case .string:
            let range = try stringRange { "the value of key \(quoted(key))" }
            return Metadata.Entry(key: key, type: type, range: range, elementType: type, count: 1)
        case .array:
            let (elementType, count, range) = try readArray(of: key, depth: 1)
            return Metadata.Entry(key: key, type: type, range: range, elementType: elementType, count: count)
        default:
            let start = offset
            try skip(type.byteCount ?? 0) { "the value of key \(quoted(key))" }
            if type == .bool { try checkBools(start..<offset, key) }
            return Metadata.Entry(key: key, type: type, range: start..<offset, elementType: type, count: 1)
        }
    }

    /// Reads an array's header and walks over its elements.
    private mutating func readArray(
        of key: String, depth: Int
    ) throws(GGUFError) -> (MetadataType, Int, Range<Int>) {
        guard depth <= Self.deepestNesting else {
            throw error(
                .malformed, at: offset,
                "the array of key \(quoted(key)) is nested deeper than \(Self.deepestNesting)")
        }
        let elementType = try type("the element type of key \(quoted(key))")
        let smallest = elementType.byteCount ?? (elementType == .string ? 8 : 12)
        let count = try count("the array length of key \(quoted(key))", bytesEach: smallest)
        let start = offset
        switch elementType {
        case .string:
            for index in 0..<count {
                _ = try stringRange { "string \(index) of key \(quoted(key))" }
            }
        case .array:
            for _ in 0..<count {
                _ = try readArray(of: key, depth: depth + 1)
            }
        default:
            offset += count * smallest
            if elementType == .bool { try checkBools(start..<offset, key) }
        }
        return (elementType, count, start..<offset)
    }

    private func checkBools(_ range: Range<Int>, _ key: String) throws(GGUFError) {
        if let place = bytes[range].firstIndex(where: { $0 > 1 }) {
            throw error(
                .malformed, at: place,
                "key \(quoted(key)) holds the truth value \(bytes[place]), which is neither 0 nor 1")
        }
    }

    private mutating func type(_ what: @autoclosure () -> String) throws(GGUFError) -> MetadataType {
        let start = offset
        let number: UInt32 = try word(what())
        guard let type = MetadataType(rawValue: number) else {
            throw error(.malformed, at: start, "\(what()) is \(number), which is none")
        }
        return type
    }
}

// MARK: Tensors

extension GGUFParser {
    private struct TensorEntry {
        let start: Int
        let name: String
        let dimensions: [Int]
        let type: TensorType
        let offset: UInt64
    }

    private mutating func readTensorEntry(_ index: Int) throws(GGUFError) -> TensorEntry {
        let start = offset
        let name = try name("the name of tensor \(index)")
        let rank: UInt32 = try word("the rank of tensor \(quoted(name))")
        guard rank <= 4 else {
            throw error(
                .malformed, at: offset - 4,
                "tensor \(quoted(name)) has \(rank) dimensions; at most 4 are allowed")
        }
        var dimensions: [Int] = []
        for _ in 0..<rank {
            let extent: UInt64 = try word("the dimensions of tensor \(quoted(name))")
            guard extent > 0, let extent = Int(exactly: extent) else {
                throw error(
                    .malformed, at: offset - 8, "tensor \(quoted(name)) has a dimension of \(extent)")
            }
            dimensions.append(extent)
        }
        let type: UInt32 = try word("the type of tensor \(quoted(name))")
        let place: UInt64 = try word("the offset of tensor \(quoted(name))")
        return TensorEntry(
            start: start, name: name, dimensions: dimensions.isEmpty ? [1] : dimensions,
            type: TensorType(rawValue: type), offset: place)
    }

    private func place(
        _ entry: TensorEntry, dataStart: Int, alignment: Int
    ) throws(GGUFError) -> TensorInfo {
        let name = quoted(entry.name)
        guard let layout = entry.type.layout else {
            throw error(
                .unsupported, at: entry.start,
                "tensor \(name) is of type \(entry.type.rawValue), which is not known here")
        }
        guard let rowByteCount = layout.rowByteCount(entry.dimensions[0]) else {
            throw error(
                .malformed, at: entry.start,
                "tensor \(name) has rows of \(entry.dimensions[0]), no multiple of "
                    + "\(entry.type)'s block of \(layout.blockSize)")
        }
        guard let byteCount = layout.byteCount(entry.dimensions), elementCount(entry.dimensions) != nil else {
            throw error(.malformed, at: entry.start, "tensor \(name) is too large: \(entry.dimensions)")
        }
        guard entry.offset % UInt64(alignment) == 0 else {
            throw error(
                .malformed, at: entry.start,
                "tensor \(name) has the offset \(entry.offset), no multiple of the alignment \(alignment)")
        }
        guard let fileOffset = Int(exactly: entry.offset).map({ $0.addingReportingOverflow(dataStart) }),
            !fileOffset.overflow, fileOffset.partialValue <= bytes.count,
            bytes.count - fileOffset.partialValue >= byteCount
        else {
            throw error(
                .truncated, at: entry.start,
                "tensor \(name) needs \(byteCount) bytes at \(entry.offset) behind byte \(dataStart), "
                    + "but the file has \(bytes.count) bytes: it is incomplete")
        }
        return TensorInfo(
            name: entry.name, dimensions: entry.dimensions, type: entry.type,
            fileOffset: fileOffset.partialValue, byteCount: byteCount, rowByteCount: rowByteCount,
            part: part)
    }

    private func elementCount(_ dimensions: [Int]) -> Int? {
        var count = 1
        for dimension in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            if overflow { return nil }
            count = product
        }
        return count
    }
}

// MARK: Words and strings

extension GGUFParser {
    private func error(_ kind: GGUFError.Kind, at offset: Int?, _ problem: String) -> GGUFError {
        GGUFError(kind, path: file.path, at: offset, problem)
    }

    private mutating func skip(_ count: Int, _ what: () -> String) throws(GGUFError) {
        guard count <= bytes.count - offset else {
            throw error(.truncated, at: bytes.count, "the file ends inside \(what())")
        }
        offset += count
    }

    private mutating func word<Word: FixedWidthInteger>(
        _ what: @autoclosure () -> String
    ) throws(GGUFError) -> Word {
        let start = offset
        try skip(MemoryLayout<Word>.size, what)
        return bytes.word(at: start)
    }

    /// A count of things that take `bytesEach` bytes or more: the rest of the file bounds it.
    private mutating func count(
        _ what: @autoclosure () -> String, bytesEach: Int
    ) throws(GGUFError) -> Int {
        let start = offset
        let count: UInt64 = try word(what())
        let rest = bytes.count - offset
        guard count <= rest / bytesEach else {
            throw error(
                .truncated, at: start,
                "\(what()) is \(count), which the \(rest) bytes left in the file cannot hold")
        }
        return Int(count)
    }

    /// The place of a string's bytes behind its length.
    private mutating func stringRange(_ what: () -> String) throws(GGUFError) -> Range<Int> {
        let start = offset
        try skip(8, what)
        let length: UInt64 = bytes.word(at: start)
        let rest = bytes.count - offset
        guard length <= rest else {
            throw error(
                .truncated, at: start,
                "\(what()) has a length of \(length) bytes, but \(rest) are left in the file")
        }
        let first = offset
        offset += Int(length)
        return first..<offset
    }

    /// A key or a tensor's name, which must be UTF-8.
    private mutating func name(_ what: @autoclosure () -> String) throws(GGUFError) -> String {
        let range = try stringRange(what)
        guard let name = String(validating: bytes[range], as: UTF8.self) else {
            throw error(.malformed, at: range.lowerBound, "\(what()) is not UTF-8")
        }
        return name
    }
}
