/// A value that travels inside a call's primitive buffer, at its natural alignment.
///
/// Scalars conform here; generated structs conform with explicit packing.
public protocol WireValue: ServedValue where Capacity == Void, SequenceCapacity == Int {
    /// Bytes on the wire, trailing padding included.
    static var wireSize: Int { get }
    /// The largest alignment inside the value: 1, 2, 4 or 8.
    static var wireAlignment: Int { get }
    /// Appends the value. Arrays of a wrong length throw `AEE_EBADPARM`.
    func write(to writer: inout WireWriter) throws(RemoteCallError)
    /// Takes the value from the reader's position.
    init(from reader: inout WireReader) throws(RemoteCallError)
}

/// A scalar whose memory is its wire form: 1, 2, 4 or 8 bytes, little endian, any bit pattern valid.
public protocol WireScalar: WireValue, BitwiseCopyable {}

extension WireScalar {
    /// Bytes on the wire.
    public static var wireSize: Int { MemoryLayout<Self>.size }
    /// Scalars are aligned to their size.
    public static var wireAlignment: Int { MemoryLayout<Self>.size }

    /// Appends the scalar.
    public func write(to writer: inout WireWriter) throws(RemoteCallError) { writer.append(self) }

    /// Takes a scalar.
    public init(from reader: inout WireReader) throws(RemoteCallError) { self = try reader.read(Self.self) }
}

extension Int8: WireScalar {}
extension Int16: WireScalar {}
extension Int32: WireScalar {}
extension Int64: WireScalar {}
extension UInt8: WireScalar {}
extension UInt16: WireScalar {}
extension UInt32: WireScalar {}
extension UInt64: WireScalar {}
extension Float: WireScalar {}
extension Double: WireScalar {}

/// IDL's `boolean`: one byte, any value but zero is true.
extension Bool: WireValue {
    /// One byte.
    public static var wireSize: Int { 1 }
    /// One byte.
    public static var wireAlignment: Int { 1 }

    /// Appends 0 or 1.
    public func write(to writer: inout WireWriter) throws(RemoteCallError) { writer.append(self) }

    /// Takes one byte.
    public init(from reader: inout WireReader) throws(RemoteCallError) {
        self = try reader.read(UInt8.self) != 0
    }
}
