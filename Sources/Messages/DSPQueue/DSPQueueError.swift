import RemoteCalls
import SharedMemory

/// What went wrong with a queue.
public enum DSPQueueError: Error, Hashable, Sendable {
    /// The shared memory holds something that no correct peer writes. The queue is of no further use.
    case corrupt(String)
    /// The arguments ask for something that the format cannot hold.
    case invalidArgument(String)
    /// A buffer reference breaks the rules: `AEE_ENOSUCHMAP` when the buffer is not mapped on the DSP,
    /// else `AEE_EBADPARM`.
    case invalidBuffer(AEEResult, String)
    /// The peer did nothing until the deadline.
    case expired(String)
    /// The queue was closed.
    case closed
    /// A call to the DSP failed.
    case remote(RemoteCallError)
    /// Memory for the queue could not be had.
    case memory(SharedMemoryError)

    /// The code that the C functions return for it.
    public var result: AEEResult {
        switch self {
        case .corrupt, .closed: .badState
        case .invalidArgument: .badParameter
        case .invalidBuffer(let result, _): result
        case .expired: .expired
        case .remote(let error): error.result
        case .memory: .noRPCMemory
        }
    }
}

extension DSPQueueError: CustomStringConvertible {
    /// One line: what failed, and what to do about it.
    public var description: String {
        switch self {
        case .corrupt(let what):
            "message queue corrupt: \(what); close the queue, and look for a stray write on either side"
        case .invalidArgument(let what): "message queue: \(what)"
        case .invalidBuffer(let result, let what): "message queue: \(what): \(result)"
        case .expired(let what):
            "message queue: \(what) (\(AEEResult.expired)); check that the DSP's side has imported the "
                + "queue; if a queue hangs on this machine, use plain calls instead"
        case .closed: "message queue: used after it was closed"
        case .remote(let error): "message queue: \(error)"
        case .memory(let error): "message queue: \(error)"
        }
    }
}

extension AEEResult {
    /// `AEE_EWOULDBLOCK`: full or empty. Swift's functions return nil or false instead.
    public static let wouldBlock = AEEResult(rawValue: 516)
    /// `AEE_ENOSUCHMAP`
    public static let noSuchMap = AEEResult(rawValue: 0x48)
    /// `AEE_EBADSTATE`
    static let badState = AEEResult(rawValue: 0x0d)
    /// `AEE_ENORPCMEMORY`
    static let noRPCMemory = AEEResult(rawValue: 0x68)
}
