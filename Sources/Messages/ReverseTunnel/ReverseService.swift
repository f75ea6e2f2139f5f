import RemoteCalls

/// An interface that the host serves to the DSP, for example `apps_std`.
///
/// `invoke` is called by one thread at a time, with zeroed out buffers; it throws the status that the DSP
/// gets instead of a reply. It must not call the DSP of the same session.
public protocol ReverseService: AnyObject, RemoteInvoker {
    /// The name by which the DSP opens it.
    var name: String { get }
}

/// How one method's call looks on the wire: what is checked before the method has any effect.
struct MethodShape {
    /// Buffers sent, the primitives among them.
    var inBuffers: Int
    /// Buffers that come back; nil where their number varies.
    var outBuffers: Int?
    /// Bytes of primitives sent, the index of methods from 31 on included.
    var sent: Int
    /// Bytes of primitives that come back.
    var returned: Int

    init(_ inBuffers: Int, _ outBuffers: Int?, sent: Int, returned: Int = 0) {
        self.inBuffers = inBuffers
        self.outBuffers = outBuffers
        self.sent = sent
        self.returned = returned
    }

    /// Begins to unpack a call to one of `methods`, which are in the order of their indices.
    static func unpack(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>, _ methods: [MethodShape]
    ) throws(RemoteCallError) -> IncomingCall {
        let method = try IncomingCall(scalars, arguments, hasPrimitives: false).method
        guard methods.indices.contains(method) else {
            throw RemoteCallError(.unsupported, operation: "reverse call \(scalars), method \(method)")
        }
        let shape = methods[method]
        guard scalars.inBuffers == shape.inBuffers,
            scalars.outBuffers == shape.outBuffers ?? max(1, scalars.outBuffers),
            scalars.inHandles == 0, scalars.outHandles == 0,
            arguments[0].buffer.count >= shape.sent
        else {
            throw RemoteCallError(
                .badParameter, operation: "reverse call \(scalars), method \(method)",
                advice: "the DSP was built with a different interface")
        }
        return try IncomingCall(scalars, arguments, hasPrimitives: true, replySize: shape.returned)
    }
}

extension AEEResult {
    /// `AEE_EOUTOFHANDLES`
    static let outOfHandles = AEEResult(rawValue: 0x2d)
    /// `AEE_ENOSUCHMOD`
    static let noSuchModule = AEEResult(rawValue: 0x3e)
}
