/// An array of a GGUF file's metadata, kept as the file has it and decoded when asked for.
///
/// An array read from a file keeps that file mapped.
public struct MetadataArray: Sendable {
    /// The type of every element.
    public let elementType: MetadataType
    /// How many elements there are.
    public let count: Int
    private let storage: Storage

    private enum Storage: Sendable {
        case mapped(MappedFile, Range<Int>)
        case owned([UInt8])
    }

    /// Elements in a file; the range has been checked to hold exactly `count` of them.
    init(elementType: MetadataType, count: Int, in file: MappedFile, _ range: Range<Int>) {
        self.elementType = elementType
        self.count = count
        storage = .mapped(file, range)
    }

    private init(_ elementType: MetadataType, count: Int, _ encoded: [UInt8]) {
        self.elementType = elementType
        self.count = count
        storage = .owned(encoded)
    }

    /// An array of strings, for writing.
    public init(_ strings: some Collection<String>) {
        var encoded: [UInt8] = []
        for string in strings { encoded.append(encoding: string) }
        self.init(.string, count: strings.count, encoded)
    }

    /// An array of byte strings, for writing: tokens are text of the file without being UTF-8 one by one.
    public init(byteStrings: some Collection<[UInt8]>) {
        var encoded: [UInt8] = []
        for string in byteStrings {
            encoded.append(encoding: UInt64(string.count))
            encoded.append(contentsOf: string)
        }
        self.init(.string, count: byteStrings.count, encoded)
    }

    /// An array of 32-bit integers, for writing.
    public init(_ integers: some Collection<Int32>) {
        var encoded: [UInt8] = []
        for integer in integers { encoded.append(encoding: integer) }
        self.init(.int32, count: integers.count, encoded)
    }

    /// An array of single-precision numbers, for writing.
    public init(_ numbers: some Collection<Float>) {
        var encoded: [UInt8] = []
        for number in numbers { encoded.append(encoding: number.bitPattern) }
        self.init(.float32, count: numbers.count, encoded)
    }

    /// An array of truth values, for writing.
    public init(_ flags: some Collection<Bool>) {
        self.init(.bool, count: flags.count, flags.map { $0 ? 1 : 0 })
    }

    /// An array of arrays, for writing.
    public init(_ arrays: some Collection<MetadataArray>) {
        var encoded: [UInt8] = []
        for array in arrays { encoded.append(encoding: array) }
        self.init(.array, count: arrays.count, encoded)
    }

    /// The elements as they stand in the file, little-endian, one behind the other.
    public func withEncodedBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
    {
        switch storage {
        case .mapped(let file, let range):
            try withExtendedLifetime(file) { try body(UnsafeRawBufferPointer(rebasing: file.bytes[range])) }
        case .owned(let bytes):
            try bytes.withUnsafeBytes(body)
        }
    }
}

extension MetadataArray {
    /// The elements, if they are strings; bytes that are no UTF-8 become U+FFFD.
    public var strings: [String]? {
        guard elementType == .string else { return nil }
        var strings: [String] = []
        strings.reserveCapacity(count)
        forEachString { strings.append(String(decoding: $0, as: UTF8.self)) }
        return strings
    }

    /// Calls `body` with the bytes of each string in turn; nothing happens if the elements are no strings.
    public func forEachString(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        guard elementType == .string else { return }
        try withEncodedBytes { bytes in
            var offset = 0
            for _ in 0..<count {
                let start = offset + 8
                offset = start + Int(bytes.word(at: offset, UInt64.self))
                try body(UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
            }
        }
    }

    /// The elements, if they are whole numbers of any width that all fit.
    public var integers: [Int]? {
        switch elementType {
        case .uint8: numbers(UInt8.self, Int.init)
        case .int8: numbers(Int8.self, Int.init)
        case .uint16: numbers(UInt16.self, Int.init)
        case .int16: numbers(Int16.self, Int.init)
        case .uint32: numbers(UInt32.self, Int.init)
        case .int32: numbers(Int32.self, Int.init)
        case .uint64: numbers(UInt64.self, Int.init(exactly:))
        case .int64: numbers(Int64.self, Int.init)
        default: nil
        }
    }

    /// The elements in single precision, if they are numbers.
    public var floats: [Float]? {
        switch elementType {
        case .float32: numbers(UInt32.self, Float.init(bitPattern:))
        case .float64: numbers(UInt64.self) { Float(Double(bitPattern: $0)) }
        default: integers?.map(Float.init)
        }
    }

    /// The elements, if they are truth values.
    public var bools: [Bool]? {
        elementType == .bool ? numbers(UInt8.self) { $0 != 0 } : nil
    }

    /// The elements, if they are arrays themselves.
    public var arrays: [MetadataArray]? {
        guard elementType == .array else { return nil }
        return values.compactMap(\.array)
    }

    /// Every element, whatever its type.
    public var values: [MetadataValue] {
        withEncodedBytes { bytes in
            var offset = 0
            var values: [MetadataValue] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                let (value, size) = decode(bytes, at: offset, elementType)
                values.append(value)
                offset += size
            }
            return values
        }
    }

    /// Decodes one element; `bytes` are this array's and have been checked.
    private func decode(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ type: MetadataType
    ) -> (MetadataValue, byteCount: Int) {
        switch type {
        case .string:
            let count = Int(bytes.word(at: offset, UInt64.self))
            let text = String(decoding: bytes[offset + 8..<offset + 8 + count], as: UTF8.self)
            return (.string(text), 8 + count)
        case .array:
            let count = Int(bytes.word(at: offset + 4, UInt64.self))
            let inner = MetadataType(rawValue: bytes.word(at: offset, UInt32.self)) ?? .uint8
            let size = encodedSize(bytes, at: offset + 12, count, of: inner)
            let array: MetadataArray
            switch storage {
            case .mapped(let file, let range):
                let start = range.lowerBound + offset + 12
                array = MetadataArray(elementType: inner, count: count, in: file, start..<start + size)
            case .owned:
                array = MetadataArray(inner, count: count, Array(bytes[offset + 12..<offset + 12 + size]))
            }
            return (.array(array), 12 + size)
        default:
            return (MetadataValue(scalar: type, bytes, at: offset), type.byteCount ?? 0)
        }
    }

    private func encodedSize(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ count: Int, of type: MetadataType
    ) -> Int {
        if let size = type.byteCount { return size * count }
        var end = offset
        for _ in 0..<count {
            if type == .string {
                end += 8 + Int(bytes.word(at: end, UInt64.self))
            } else {
                let inner = MetadataType(rawValue: bytes.word(at: end, UInt32.self)) ?? .uint8
                let count = Int(bytes.word(at: end + 4, UInt64.self))
                end += 12 + encodedSize(bytes, at: end + 12, count, of: inner)
            }
        }
        return end - offset
    }

    private func numbers<Word: FixedWidthInteger, Number>(
        _: Word.Type, _ convert: (Word) -> Number?
    ) -> [Number]? {
        withEncodedBytes { bytes in
            var numbers: [Number] = []
            numbers.reserveCapacity(count)
            for index in 0..<count {
                guard let number = convert(bytes.word(at: index * MemoryLayout<Word>.size, Word.self)) else {
                    return nil
                }
                numbers.append(number)
            }
            return numbers
        }
    }
}

extension MetadataValue {
    /// Reads a value of fixed size; the caller has checked that it lies inside.
    init(scalar type: MetadataType, _ bytes: UnsafeRawBufferPointer, at offset: Int) {
        switch type {
        case .uint8: self = .uint8(bytes[offset])
        case .int8: self = .int8(Int8(bitPattern: bytes[offset]))
        case .uint16: self = .uint16(bytes.word(at: offset))
        case .int16: self = .int16(bytes.word(at: offset))
        case .uint32: self = .uint32(bytes.word(at: offset))
        case .int32: self = .int32(bytes.word(at: offset))
        case .uint64: self = .uint64(bytes.word(at: offset))
        case .int64: self = .int64(bytes.word(at: offset))
        case .float32: self = .float32(Float(bitPattern: bytes.word(at: offset)))
        case .float64: self = .float64(Double(bitPattern: bytes.word(at: offset)))
        case .bool: self = .bool(bytes[offset] != 0)
        case .string, .array: preconditionFailure("a value of fixed size is read here")
        }
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian word at any address.
    func word<Word: FixedWidthInteger>(at offset: Int, _: Word.Type = Word.self) -> Word {
        Word(littleEndian: loadUnaligned(fromByteOffset: offset, as: Word.self))
    }
}

extension [UInt8] {
    mutating func append(encoding word: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(encoding string: String) {
        append(encoding: UInt64(string.utf8.count))
        append(contentsOf: string.utf8)
    }

    mutating func append(encoding array: MetadataArray) {
        append(encoding: array.elementType.rawValue)
        append(encoding: UInt64(array.count))
        array.withEncodedBytes { append(contentsOf: $0) }
    }
}
