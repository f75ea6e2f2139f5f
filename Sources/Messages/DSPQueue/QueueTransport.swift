import RemoteCalls
import SharedMemory

/// Signals between host and DSP. They have no argument and belong to all queues of a process.
public protocol QueueSignals: Sendable {
    /// Wakes the DSP's side: `signal`, method 8. Called by whoever writes or reads while the DSP waits, so
    /// a transport whose signal is a remote call should leave it to a thread of its own and make one
    /// call for several requests.
    func signal() throws(RemoteCallError)
    /// Blocks until the DSP signals, `wait_signal`, method 6; false when the waiting is to end. Called by
    /// one thread only.
    func waitForSignal() throws(RemoteCallError) -> Bool
}

/// What a transport does for queues: mapping memory and the calls of `dspqueue_rpc`, by their method.
public protocol QueueTransport: QueueSignals {
    /// Maps memory of a queue or of the process state on the DSP, by its descriptor (`FASTRPC_MAP_FD`).
    func map(descriptor: CInt, byteCount: Int) throws(RemoteCallError)
    /// Ends ``map(descriptor:byteCount:)``.
    func unmap(descriptor: CInt, byteCount: Int) throws(RemoteCallError)
    /// `init_process_state`, method 2.
    func initializeProcessState(descriptor: CInt) throws(RemoteCallError)
    /// `create_queue`, method 3; the DSP's number of the queue.
    func createQueue(id: UInt32, descriptor: CInt, queueCount: UInt32) throws(RemoteCallError) -> UInt64
    /// `destroy_queue`, method 4.
    func destroyQueue(_ queue: UInt64) throws(RemoteCallError)
    /// `is_imported`, method 5: whether a program on the DSP has the queue open.
    func isImported(_ queue: UInt64) throws(RemoteCallError) -> Bool
    /// `cancel_wait_signal`, method 7: makes ``QueueSignals/waitForSignal()`` return false.
    func cancelWaitForSignal() throws(RemoteCallError)
}
