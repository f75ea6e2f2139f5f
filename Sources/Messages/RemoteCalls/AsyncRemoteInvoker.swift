import Glibc

/// Something that carries calls while a task waits, such as an open handle of a session.
///
/// The asynchronous methods of generated stubs need it.
public protocol AsyncRemoteInvoker: RemoteInvoker, ~Copyable {
    /// Makes the call without holding up a thread of Swift's cooperative pool. ``CallThread`` helps.
    ///
    /// The driver has no way to take a call back: cancelling the task does not end it, and the method returns
    /// when the DSP does.
    ///
    /// - Parameters: those of ``RemoteInvoker/invoke(_:_:)``; the memory is valid until this returns.
    func invokeAsync(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) async throws(RemoteCallError)
}

/// A thread for one blocking call.
///
/// A call to a DSP sleeps in the driver. On a thread of the cooperative pool, of which there are as many as
/// CPUs, a few such calls would stop every other task of the program.
public enum CallThread {
    /// Runs `body` on a thread of its own, with all signals blocked, while the task waits.
    ///
    /// Throws what `body` throws, or `AEE_ENOMEMORY` where the system allows no more threads.
    public static func run(
        _ body: @escaping @Sendable () throws(RemoteCallError) -> Void
    ) async throws(RemoteCallError) {
        let result = await withUnsafeContinuation { continuation in
            start(Job(body: body, continuation: continuation))
        }
        try result.get()
    }

    private final class Job: Sendable {
        let body: @Sendable () throws(RemoteCallError) -> Void
        let continuation: UnsafeContinuation<Result<Void, RemoteCallError>, Never>

        init(
            body: @escaping @Sendable () throws(RemoteCallError) -> Void,
            continuation: UnsafeContinuation<Result<Void, RemoteCallError>, Never>
        ) {
            self.body = body
            self.continuation = continuation
        }

        func run() {
            do throws(RemoteCallError) {
                try body()
                continuation.resume(returning: .success(()))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
    }

    private static func start(_ job: Job) {
        // A thread inherits the mask of its creator; handlers belong to the program's own threads.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let reference = Unmanaged.passRetained(job)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, reference.toOpaque())
        guard status == 0 else {
            reference.release()
            let error = RemoteCallError(
                .noMemory, operation: "start a thread for a call",
                advice: "the system or a limit of this user (ulimit -u) allows no more threads")
            return job.continuation.resume(returning: .failure(error))
        }
        pthread_detach(thread)
    }
}
