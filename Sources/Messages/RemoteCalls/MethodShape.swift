/// What the calls of one method look like on the wire: what a callee checks before the method has any effect.
public struct MethodShape: Hashable, Sendable {
    /// Buffers that the callee reads, the primitive one among them; the least where `variesIn`.
    public var inBuffers: Int
    /// Buffers that the callee writes, the primitive one among them; the least where `variesOut`.
    public var outBuffers: Int
    /// Handles passed to the callee.
    public var inHandles: Int
    /// Handles that come back.
    public var outHandles: Int
    /// Bytes of primitives that the callee requires, the index of methods from 31 on included; callers may
    /// round up.
    public var sent: Int
    /// Bytes of primitives that come back; callers may offer more.
    public var returned: Int
    /// Whether sequences inside sequences add in buffers.
    public var variesIn: Bool
    /// Whether sequences inside sequences add out buffers.
    public var variesOut: Bool

    /// Describes a method.
    public init(
        in inBuffers: Int = 0, out outBuffers: Int = 0, inHandles: Int = 0, outHandles: Int = 0,
        sent: Int = 0, returned: Int = 0, variesIn: Bool = false, variesOut: Bool = false
    ) {
        self.inBuffers = inBuffers
        self.outBuffers = outBuffers
        self.inHandles = inHandles
        self.outHandles = outHandles
        self.sent = sent
        self.returned = returned
        self.variesIn = variesIn
        self.variesOut = variesOut
    }

    /// Whether a call has these counts, and its first buffer the bytes of primitives.
    func fits(_ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>) -> Bool {
        guard variesIn ? scalars.inBuffers >= inBuffers : scalars.inBuffers == inBuffers,
            variesOut ? scalars.outBuffers >= outBuffers : scalars.outBuffers == outBuffers,
            scalars.inHandles == inHandles, scalars.outHandles == outHandles
        else { return false }
        return sent == 0 || !arguments.isEmpty && arguments[0].buffer.count >= sent
    }
}

/// A method of an interface. Generated: `hexagon-idl compile FILE --swift-table OUT`.
///
/// For interfaces that Swift serves, and for calls that are packed by hand. The raw value is the method's
/// index.
public protocol RemoteMethod: RawRepresentable<Int>, CaseIterable, Hashable, Sendable {
    /// The interface's name.
    static var interface: String { get }
    /// What its calls look like.
    var shape: MethodShape { get }
}

extension RemoteMethod {
    /// The scalars word of a call; where counts vary, of one whose inner sequences are empty.
    public var scalars: Scalars {
        Scalars(
            method: rawValue, inBuffers: shape.inBuffers, outBuffers: shape.outBuffers,
            inHandles: shape.inHandles, outHandles: shape.outHandles)
    }

    /// Begins to unpack a call to one of the interface's methods.
    ///
    /// - Throws: `AEE_EUNSUPPORTED` for a method that the interface does not have, `AEE_EBADPARM` for a call
    ///   that does not have the method's shape.
    public static func unpack(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) -> (method: Self, call: IncomingCall) {
        let index = try IncomingCall(scalars, arguments, hasPrimitives: false).method
        guard let method = Self(rawValue: index) else {
            throw RemoteCallError(.unsupported, operation: "call \(scalars) of \(interface), method \(index)")
        }
        let shape = method.shape
        guard shape.fits(scalars, arguments) else {
            throw RemoteCallError(
                .badParameter, operation: "call \(scalars) of \(interface).\(method)",
                advice: "the caller was built with a different interface")
        }
        let call = try IncomingCall(
            scalars, arguments, hasPrimitives: shape.sent > 0, replySize: shape.returned)
        return (method, call)
    }
}
