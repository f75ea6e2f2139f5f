/// Writes a primitive buffer: values one after the other, each at its natural alignment, gaps filled with
/// zeros, the whole rounded up to the largest alignment used.
public struct WireWriter: Sendable {
    /// What has been written so far, without the final padding.
    public private(set) var bytes: [UInt8] = []
    /// The largest alignment used so far.
    public private(set) var alignment = 1

    /// An empty buffer with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// The buffer as it is sent: rounded up to the largest alignment used.
    public var padded: [UInt8] {
        var copy = self
        copy.align(to: alignment)
        return copy.bytes
    }

    /// Fills with zeros up to a multiple of `boundary`, a power of two.
    public mutating func align(to boundary: Int) {
        alignment = max(alignment, boundary)
        let rest = bytes.count & (boundary - 1)
        if rest != 0 { bytes.append(contentsOf: repeatElement(0, count: boundary - rest)) }
    }

    /// Appends a scalar.
    public mutating func append(_ value: some WireScalar) {
        align(to: MemoryLayout.size(ofValue: value))
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    /// Appends a `boolean`.
    public mutating func append(_ value: Bool) {
        append(value ? 1 : 0 as UInt8)
    }

    /// Appends a struct at its own alignment, with its trailing padding.
    public mutating func append<Value: WireValue>(_ value: Value) throws(RemoteCallError) {
        align(to: Value.wireAlignment)
        try value.write(to: &self)
        align(to: Value.wireAlignment)
    }

    /// Appends an array by value, whose length is part of the type.
    public mutating func append<Value: WireValue>(
        _ values: [Value], count: Int
    ) throws(RemoteCallError) {
        guard values.count == count else {
            throw RemoteCallError(
                .badParameter, operation: "packing an array of \(values.count) elements",
                advice: "pass exactly \(count)")
        }
        for value in values { try append(value) }
    }

    /// Appends the element count of a sequence, or the capacity of one that is returned.
    public mutating func append(count: Int) throws(RemoteCallError) {
        // The C side passes counts as `int`.
        guard let count = Int32(exactly: count), count >= 0 else {
            throw RemoteCallError(
                .badParameter, operation: "packing a sequence of \(count) elements",
                advice: "a call carries at most \(Int32.max)")
        }
        append(UInt32(count))
    }
}
