/// Reads a primitive buffer. Accepts the exact or the rounded size, ignores gaps, and throws `AEE_EBADPARM`
/// where the buffer ends early.
///
/// The memory must stay valid while the reader is used; it need not be aligned.
public struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    /// Bytes consumed so far, gaps included.
    public private(set) var offset = 0

    /// Reads from `bytes`.
    public init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Bytes left.
    public var remaining: Int { max(0, bytes.count - offset) }

    /// Skips to a multiple of `boundary`, a power of two.
    public mutating func align(to boundary: Int) {
        // Cannot overflow: the offset never passes the buffer's end by more than one alignment.
        offset = (offset + boundary - 1) & ~(boundary - 1)
    }

    /// Takes a scalar.
    public mutating func read<Value: WireScalar>(
        _ type: Value.Type = Value.self
    ) throws(RemoteCallError) -> Value {
        let size = MemoryLayout<Value>.size
        align(to: size)
        guard remaining >= size else {
            throw RemoteCallError(
                .badParameter, operation: "reading \(size) bytes at offset \(offset) of \(bytes.count)",
                advice: "stub and skel were generated from different interfaces")
        }
        defer { offset += size }
        return bytes.loadUnaligned(fromByteOffset: offset, as: Value.self)
    }

    /// Takes a struct, or a `boolean`.
    public mutating func read<Value: WireValue>(
        _ type: Value.Type = Value.self
    ) throws(RemoteCallError) -> Value {
        align(to: Value.wireAlignment)
        let value = try Value(from: &self)
        align(to: Value.wireAlignment)
        return value
    }

    /// Takes an array by value.
    public mutating func read<Value: WireValue>(
        _ type: Value.Type = Value.self, count: Int
    ) throws(RemoteCallError) -> [Value] {
        // The type's length is trusted, the buffer is not: check before reserving.
        let (size, overflow) = Value.wireSize.multipliedReportingOverflow(by: count)
        guard count >= 0, !overflow, size <= remaining + Value.wireAlignment else {
            throw RemoteCallError(
                .badParameter, operation: "reading \(count) elements at offset \(offset) of \(bytes.count)",
                advice: "stub and skel were generated from different interfaces")
        }
        var values: [Value] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try read(Value.self)) }
        return values
    }

    /// Takes an element count. Whether a buffer really holds that many is for the caller to check.
    public mutating func readCount() throws(RemoteCallError) -> Int {
        let count = try read(UInt32.self)
        guard count <= UInt32(Int32.max) else {
            throw RemoteCallError(.badParameter, operation: "reading a sequence of \(count) elements")
        }
        return Int(count)
    }
}
