/// The types of metadata, by the number that stands for them in the file.
public enum MetadataType: UInt32, Hashable, Sendable, CaseIterable {
    /// One unsigned byte.
    case uint8 = 0
    /// One signed byte.
    case int8 = 1
    /// Two bytes, unsigned.
    case uint16 = 2
    /// Two bytes, signed.
    case int16 = 3
    /// Four bytes, unsigned.
    case uint32 = 4
    /// Four bytes, signed.
    case int32 = 5
    /// IEEE single precision.
    case float32 = 6
    /// One byte, 0 or 1.
    case bool = 7
    /// A 64-bit length and that many bytes of UTF-8.
    case string = 8
    /// The elements' type, a 64-bit count, and the elements.
    case array = 9
    /// Eight bytes, unsigned.
    case uint64 = 10
    /// Eight bytes, signed.
    case int64 = 11
    /// IEEE double precision.
    case float64 = 12

    /// The bytes of a value, or nil where they depend on it.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

/// A value of a GGUF file's metadata.
public enum MetadataValue: Sendable {
    /// One unsigned byte.
    case uint8(UInt8)
    /// One signed byte.
    case int8(Int8)
    /// Two bytes, unsigned.
    case uint16(UInt16)
    /// Two bytes, signed.
    case int16(Int16)
    /// Four bytes, unsigned.
    case uint32(UInt32)
    /// Four bytes, signed.
    case int32(Int32)
    /// Single precision.
    case float32(Float)
    /// True or false.
    case bool(Bool)
    /// Text; bytes that are no UTF-8 have become U+FFFD.
    case string(String)
    /// Values of one type.
    case array(MetadataArray)
    /// Eight bytes, unsigned.
    case uint64(UInt64)
    /// Eight bytes, signed.
    case int64(Int64)
    /// Double precision.
    case float64(Double)

    /// Its type.
    public var type: MetadataType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The number, if this is a whole number of any width that fits.
    public var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        default: nil
        }
    }

    /// The number, if this is one: floating-point or whole.
    public var float: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        default: integer.map(Double.init)
        }
    }

    /// The truth value, if this is one.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The text, if this is one.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The array, if this is one.
    public var array: MetadataArray? {
        if case .array(let value) = self { value } else { nil }
    }
}
