/// An open module on a DSP; generated stubs make their calls through it.
///
/// The owner closes it with ``close()``, which reports what went wrong; a handle that goes out of scope is
/// closed as well, silently.
public struct RemoteHandle: ~Copyable, Sendable, AsyncRemoteInvoker {
    /// The transport's number for it.
    public let rawValue: UInt64
    private let connection: any TransportSession
    private var isOpen = true

    init(_ rawValue: UInt64, of connection: any TransportSession) {
        self.rawValue = rawValue
        self.connection = connection
    }

    deinit {
        if isOpen { try? connection.close(rawValue) }
    }

    /// Closes the handle on the DSP.
    public consuming func close() throws(RemoteCallError) {
        isOpen = false
        try connection.close(rawValue)
    }

    /// Makes a call and waits for its end.
    public func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try connection.invoke(rawValue, scalars, arguments)
    }

    /// Makes a call while the task waits. Cancelling the task does not end the call.
    public func invokeAsync(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) async throws(RemoteCallError) {
        let (rawValue, connection) = (rawValue, connection)
        // Used by one thread at a time: this one waits.
        nonisolated(unsafe) let arguments = arguments
        try await CallThread.run { () throws(RemoteCallError) in
            try connection.invoke(rawValue, scalars, arguments)
        }
    }
}
