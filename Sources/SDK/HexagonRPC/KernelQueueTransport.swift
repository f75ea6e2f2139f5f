import DSPQueue
import RemoteCalls
import Synchronization
import SystemInterfaces

/// Message queues over plain calls: the interface `dspqueue_rpc`, which every shell has built in.
///
/// Signals to the DSP are calls of a thread of their own, one for all that came while the last was under way.
final class KernelQueueTransport: QueueTransport {
    private let session: KernelSession
    private let interface: DSPQueueRPC<SessionHandle>
    private let signaller: Signaller

    /// Opens the interface on a session.
    init(_ session: KernelSession) throws(RemoteCallError) {
        self.session = session
        let handle = SessionHandle(
            session: session, number: try session.open(ModuleURI(interface: DSPQueueRPCMethod.interface)))
        interface = DSPQueueRPC(handle)
        signaller = try Signaller(handle)
    }

    deinit {
        signaller.stop()
        try? session.close(interface.handle.number)
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
        try interface.initProcessState(fd: descriptor)
    }

    func createQueue(id: UInt32, descriptor: CInt, queueCount: UInt32) throws(RemoteCallError) -> UInt64 {
        try interface.createQueue(id: id, fd: descriptor, count: queueCount)
    }

    func destroyQueue(_ queue: UInt64) throws(RemoteCallError) {
        try interface.destroyQueue(queue: queue)
    }

    func isImported(_ queue: UInt64) throws(RemoteCallError) -> Bool {
        try interface.isImported(queue: queue) != 0
    }

    func waitForSignal() throws(RemoteCallError) -> Bool {
        try interface.waitSignal() != -1
    }

    func cancelWaitForSignal() throws(RemoteCallError) {
        try interface.cancelWaitSignal()
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

        init(_ handle: SessionHandle) throws(RemoteCallError) {
            failure = Failure()
            _ = try ServiceThread("fastrpc-signal") { [gate, failure] in
                var seen: UInt64 = 0
                let scalars = DSPQueueRPCMethod.signal.scalars
                let none = UnsafeMutableBufferPointer<RemoteArgument>(start: nil, count: 0)
                while true {
                    _ = gate.wait(after: seen, until: nil)
                    // Requests that come from here on get a call of their own.
                    guard let now = try? gate.current(), !failure.isStopped.load(ordering: .acquiring)
                    else { return }
                    seen = now
                    do throws(RemoteCallError) {
                        try handle.invoke(scalars, none)
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
