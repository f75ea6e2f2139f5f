import DSPQueue
import RemoteCalls
import Synchronization

/// Message queues over plain calls: the interface `dspqueue_rpc`, which every shell has built in.
///
/// Signals to the DSP are calls of a thread of their own, one for all that came while the last was under way.
final class KernelQueueTransport: QueueTransport, RemoteInvoker {
    private let session: KernelSession
    private let handle: UInt64
    private let signaller: Signaller

    /// Opens the interface on a session.
    init(_ session: KernelSession) throws(RemoteCallError) {
        self.session = session
        handle = try session.open(ModuleURI(interface: "dspqueue_rpc"))
        signaller = try Signaller(session, handle)
    }

    deinit {
        signaller.stop()
        try? session.close(handle)
    }

    /// Carries one call of the interface.
    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try session.invoke(handle, scalars, arguments)
    }

    func map(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        guard let address = UnsafeMutableRawPointer(bitPattern: UInt(session.table.address(of: descriptor)))
        else {
            throw RemoteCallError(
                .noSuchMap, operation: "map \(byteCount) bytes of descriptor \(descriptor) for a queue",
                advice: "the memory of queues comes from the session's allocator")
        }
        try session.map(descriptor, address, byteCount)
    }

    func unmap(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        guard let address = UnsafeMutableRawPointer(bitPattern: UInt(session.table.address(of: descriptor)))
        else {
            throw RemoteCallError(
                .noSuchMap, operation: "unmap \(byteCount) bytes of descriptor \(descriptor) of a queue")
        }
        try session.unmap(descriptor, address, byteCount)
    }

    func initializeProcessState(descriptor: CInt) throws(RemoteCallError) {
        var call = RemoteCall("dspqueue_rpc.init_process_state", method: 2)
        call.send(Int32(descriptor))
        try call.invoke(on: self)
    }

    func createQueue(id: UInt32, descriptor: CInt, queueCount: UInt32) throws(RemoteCallError) -> UInt64 {
        var call = RemoteCall("dspqueue_rpc.create_queue", method: 3, replySize: 8)
        call.send(id)
        call.send(Int32(descriptor))
        call.send(queueCount)
        try call.invoke(on: self)
        var reply = call.reply
        return try reply.read()
    }

    func destroyQueue(_ queue: UInt64) throws(RemoteCallError) {
        var call = RemoteCall("dspqueue_rpc.destroy_queue", method: 4)
        call.send(queue)
        try call.invoke(on: self)
    }

    func isImported(_ queue: UInt64) throws(RemoteCallError) -> Bool {
        var call = RemoteCall("dspqueue_rpc.is_imported", method: 5, replySize: 4)
        call.send(queue)
        try call.invoke(on: self)
        var reply = call.reply
        return try reply.read(Int32.self) != 0
    }

    func waitForSignal() throws(RemoteCallError) -> Bool {
        var call = RemoteCall("dspqueue_rpc.wait_signal", method: 6, replySize: 4)
        try call.invoke(on: self)
        var reply = call.reply
        return try reply.read(Int32.self) != -1
    }

    func cancelWaitForSignal() throws(RemoteCallError) {
        var call = RemoteCall("dspqueue_rpc.cancel_wait_signal", method: 7)
        try call.invoke(on: self)
    }

    func signal() throws(RemoteCallError) { try signaller.request() }

    /// The thread that signals.
    private final class Signaller: Sendable {
        private let gate = SignalGate()
        private let failure: Failure

        /// Why signals are no longer sent.
        private final class Failure: Sendable {
            let error = Mutex<RemoteCallError?>(nil)
            let isStopped = Atomic(false)
        }

        init(_ session: KernelSession, _ handle: UInt64) throws(RemoteCallError) {
            failure = Failure()
            _ = try ServiceThread("fastrpc-signal") { [gate, failure, session] in
                var seen: UInt64 = 0
                let none = UnsafeMutableBufferPointer<RemoteArgument>(start: nil, count: 0)
                while true {
                    _ = gate.wait(after: seen, until: nil)
                    // Requests that come from here on get a call of their own.
                    guard let now = try? gate.current(), !failure.isStopped.load(ordering: .acquiring)
                    else { return }
                    seen = now
                    do throws(RemoteCallError) {
                        try session.invoke(handle, Scalars(method: 8), none)
                    } catch {
                        return failure.error.withLock { $0 = error }
                    }
                }
            }
        }

        func request() throws(RemoteCallError) {
            if let error = failure.error.withLock({ $0 }) { throw error }
            gate.open()
        }

        func stop() {
            failure.isStopped.store(true, ordering: .releasing)
            gate.open()
        }
    }
}
