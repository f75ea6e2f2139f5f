/// The scalars word of a remote call: which method, and how many buffers and handles travel each way.
///
/// Layout (`qualcomm/fastrpc`, `inc/remote.h`): bits 31…29 attributes, 28…24 method, 23…16 in buffers,
/// 15…8 out buffers, 7…4 in handles, 3…0 out handles. The argument list has the same order: in buffers,
/// out buffers, in handles, out handles.
public struct Scalars: RawRepresentable, Hashable, Sendable {
    /// The word as it goes over the wire.
    public var rawValue: UInt32

    /// Wraps a word as it came over the wire.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Builds a scalars word.
    ///
    /// - Parameter method: the method's index. From 31 on the word's field says 31 and the real index is
    ///   the first `UInt32` of in buffer 0, which the caller writes.
    /// - Precondition: at most 255 buffers and 15 handles each way; the packing code checks before.
    public init(method: Int, inBuffers: Int = 0, outBuffers: Int = 0, inHandles: Int = 0, outHandles: Int = 0)
    {
        precondition((0...255).contains(inBuffers) && (0...255).contains(outBuffers))
        precondition((0...15).contains(inHandles) && (0...15).contains(outHandles) && method >= 0)
        let field = UInt32(min(method, 31))
        rawValue =
            field << 24 | UInt32(inBuffers) << 16 | UInt32(outBuffers) << 8 | UInt32(inHandles) << 4
            | UInt32(outHandles)
    }

    /// The method field, 0…31. 31 says that the real index is in the first in buffer.
    public var method: Int { Int(rawValue >> 24 & 0x1f) }
    /// Buffers that the callee reads.
    public var inBuffers: Int { Int(rawValue >> 16 & 0xff) }
    /// Buffers that the callee writes.
    public var outBuffers: Int { Int(rawValue >> 8 & 0xff) }
    /// Handles passed to the callee.
    public var inHandles: Int { Int(rawValue >> 4 & 0xf) }
    /// Handles returned by the callee.
    public var outHandles: Int { Int(rawValue & 0xf) }
    /// The length of the argument list.
    public var argumentCount: Int { inBuffers + outBuffers + inHandles + outHandles }
}

extension Scalars: CustomStringConvertible {
    /// The word in hexadecimal, as logs and kernel messages show it.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
