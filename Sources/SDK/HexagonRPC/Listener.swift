import DSPQueue
import Glibc
import Logging
import RemoteCalls
import ReverseTunnel
import SharedMemory
import Synchronization
import SystemInterfaces

/// The thread that asks the process on a DSP for its calls to the host, serves them, and sends the replies:
/// `adsp_listener1`, or the older `adsp_listener`.
final class Listener: Sendable {
    private let thread: ServiceThread

    /// Starts to listen, and returns when the thread is about to block in `next2`.
    ///
    /// - Parameters:
    ///   - whenOver: is told why there will be no more calls; may be called before this returns.
    init(
        node: FastRPCAllocator, server: ReverseServer, logger: Logger, timeout: Duration,
        observe: (@Sendable (ListenerEvent) -> Void)? = nil,
        whenOver: @escaping @Sendable (FastRPCKernelError) -> Void
    ) throws(RemoteCallError) {
        // Shared with the thread, which may outlive this initializer.
        let outcome = Outcome()
        thread = try ServiceThread("fastrpc-listen") {
            let loop = ListenerLoop(node: node, server: server, logger: logger, observe: observe)
            do throws(FastRPCKernelError) {
                try loop.begin()
            } catch {
                outcome.refusal.withLock { $0 = error }
                outcome.started.open()
                return whenOver(error)
            }
            outcome.started.open()
            whenOver(loop.run())
        }
        guard outcome.started.wait(after: 0, until: .now + timeout) else {
            // The thread would keep the node's file, and so the process on the DSP, for ever.
            try? SystemCalls.retire(node.device.descriptor)
            thread.interrupt(until: .now + .milliseconds(500))
            throw RemoteCallError(
                .expired, operation: "register the listener on \(node.device.path)",
                advice: "the process on the DSP does not answer; if that stays so, restart the DSP")
        }
        if let refusal = outcome.refusal.withLock({ $0 }) { throw RemoteCallError(refusal) }
    }

    private final class Outcome: Sendable {
        let started = SignalGate()
        let refusal = Mutex<FastRPCKernelError?>(nil)
    }

    /// Waits until the thread has ended; false when the deadline passes first.
    func join(until deadline: ContinuousClock.Instant) -> Bool { thread.join(until: deadline) }

    /// Ends the thread's wait for calls; false when the deadline passes first. The node's descriptor must be retired,
    /// else the thread waits anew.
    @discardableResult
    func interrupt(until deadline: ContinuousClock.Instant) -> Bool { thread.interrupt(until: deadline) }
}

/// What the thread does; used by it alone.
private final class ListenerLoop {
    /// The handle and the calls of the interface: `init2`, `next2`, `get_in_bufs2`.
    private struct Interface {
        var handle: UInt32
        var initialize: Scalars
        var next: Scalars
        var getBuffers: Scalars

        /// `adsp_listener1`
        static let current = Interface(
            handle: ADSPListener1Method.handle, initialize: ADSPListener1Method.init2.scalars,
            next: ADSPListener1Method.next2.scalars, getBuffers: ADSPListener1Method.getInBufs2.scalars)
        /// `adsp_listener`, of older firmware.
        static let old = Interface(
            handle: ADSPListenerMethod.handle, initialize: ADSPListenerMethod.init2.scalars,
            next: ADSPListenerMethod.next2.scalars, getBuffers: ADSPListenerMethod.getInBufs2.scalars)
    }

    /// What `next2` brings.
    private struct Call {
        var context: UInt32
        var handle: UInt32
        var scalars: Scalars
        var byteCount: Int
    }

    /// Bytes that a request may have.
    private static let maximumRequest = 16 << 20

    private let node: FastRPCAllocator
    private let server: ReverseServer
    private let logger: Logger
    private let observe: (@Sendable (ListenerEvent) -> Void)?
    private var interface = Interface.current
    /// Where requests arrive; large enough for most, so that `get_in_bufs2` is rare.
    private var room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
    /// The primitives of a call: four words there, four back.
    private let words = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: 8)

    init(
        node: FastRPCAllocator, server: ReverseServer, logger: Logger,
        observe: (@Sendable (ListenerEvent) -> Void)?
    ) {
        self.node = node
        self.server = server
        self.logger = logger
        self.observe = observe
        words.initialize(repeating: 0)
    }

    deinit {
        room.deallocate()
        words.deallocate()
    }

    /// Registers the listener.
    func begin() throws(FastRPCKernelError) {
        do throws(FastRPCKernelError) {
            try initialize()
        } catch {
            // The DSP does not know the newer interface.
            guard error.dspStatus == 0x8000_0600 || error.dspStatus == 0x8000_043e else { throw error }
            interface = .old
            try initialize()
        }
    }

    /// Serves calls until there are no more, and says why.
    func run() -> FastRPCKernelError {
        var context: UInt32 = 0
        var result = AEEResult(-1)
        var reply: [UInt8] = []
        var isRetry = false
        while true {
            let call: Call
            do throws(FastRPCKernelError) {
                call = try next(context, result, reply)
                isRetry = false
            } catch {
                reply = []
                switch error.cause {
                // The wait was interrupted: what it was about is void.
                case .dsp(46), .errno(EINTR): (context, result) = (0, AEEResult(-1))
                case .dsp(0x8000_040d), .errno(EPIPE), .errno(ECONNRESET), .errno(ENOTTY), .errno(EBADF):
                    return error
                // Anything else is sent back once.
                default:
                    guard !isRetry else { return error }
                    isRetry = true
                    result = RemoteCallError(error).result
                    logger.debug("asking for the DSP's next call", metadata: ["error": "\(error)"])
                }
                continue
            }
            context = call.context
            do throws(FastRPCKernelError) {
                let request = try request(of: call)
                (result, reply) =
                    request.map { server.handle(call.handle, scalars: call.scalars, request: $0) }
                    ?? (.noMemory, [])
                observe?(ListenerEvent(handle: call.handle, scalars: call.scalars, result))
            } catch {
                (result, reply) = (RemoteCallError(error).result, [])
            }
        }
    }

    /// `next2`: sends the reply to the last call and waits for the next one.
    private func next(
        _ context: UInt32, _ result: AEEResult, _ reply: [UInt8]
    ) throws(FastRPCKernelError) -> Call {
        words[0] = context.littleEndian
        words[1] = result.rawValue.littleEndian
        words[2] = UInt32(reply.count).littleEndian
        words[3] = UInt32(room.count).littleEndian
        let failure = reply.withUnsafeBytes { reply in
            tryInvoke(
                interface.next,
                [argument(words: 0), InvokeArgument(copying: reply), argument(words: 4), argument(room)])
        }
        if let failure { throw failure }
        return Call(
            context: UInt32(littleEndian: words[4]), handle: UInt32(littleEndian: words[5]),
            scalars: Scalars(rawValue: UInt32(littleEndian: words[6])),
            byteCount: Int(UInt32(littleEndian: words[7])))
    }

    /// The bytes of a call's request; nil where it is too large to be had.
    private func request(of call: Call) throws(FastRPCKernelError) -> UnsafeRawBufferPointer? {
        guard call.byteCount > room.count else {
            return UnsafeRawBufferPointer(rebasing: room[..<call.byteCount])
        }
        guard call.byteCount <= Self.maximumRequest else { return nil }
        let have = room.count
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: (call.byteCount + 4095) & ~4095, alignment: 8)
        larger.copyMemory(from: UnsafeRawBufferPointer(room))
        room.deallocate()
        room = larger
        let rest = UnsafeMutableRawBufferPointer(rebasing: room[have...])
        words[0] = call.context.littleEndian
        words[1] = UInt32(have).littleEndian
        words[2] = UInt32(rest.count).littleEndian
        words[4] = 0
        let failure = tryInvoke(
            interface.getBuffers,
            [argument(words: 0, count: 3), argument(words: 4, count: 1), argument(rest)])
        if let failure { throw failure }
        let needed = Int(UInt32(littleEndian: words[4]))
        return needed > room.count ? nil : UnsafeRawBufferPointer(rebasing: room[..<call.byteCount])
    }

    private func argument(words first: Int, count: Int = 4) -> InvokeArgument {
        let bytes = UnsafeMutableRawBufferPointer(words)[4 * first..<4 * (first + count)]
        return argument(UnsafeMutableRawBufferPointer(rebasing: bytes))
    }

    private func argument(_ bytes: UnsafeMutableRawBufferPointer) -> InvokeArgument {
        InvokeArgument(copying: UnsafeRawBufferPointer(bytes))
    }

    private func initialize() throws(FastRPCKernelError) {
        if let failure = tryInvoke(interface.initialize, []) { throw failure }
    }

    private func tryInvoke(_ scalars: Scalars, _ arguments: [InvokeArgument]) -> FastRPCKernelError? {
        var arguments = arguments
        return arguments.withUnsafeMutableBufferPointer { arguments in
            do throws(FastRPCKernelError) {
                try node.device.invoke(
                    handle: interface.handle, scalars: scalars.rawValue,
                    arguments: UnsafeMutableBufferPointer(rebasing: arguments[...]))
                return nil
            } catch {
                return error
            }
        }
    }
}
