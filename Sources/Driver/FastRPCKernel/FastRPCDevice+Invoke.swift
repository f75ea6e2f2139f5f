import SharedMemory

extension FastRPCDevice {
    /// Calls a method on the DSP and waits for its answer: `FASTRPC_IOCTL_INVOKE`.
    ///
    /// The driver copies arguments without a dma-buf both ways. Outputs are written even where the DSP's status
    /// says that the method failed.
    ///
    /// **It waits for ever.** A signal with a handler ends the wait, and the kernel then does what the handler
    /// was installed with: with `SA_RESTART` (as `signal` does) it makes the request again unseen, so that the
    /// DSP runs the method twice; without, this throws `EINTR` and the first run goes on. A stopped and
    /// continued process restarts in the same way. What must not run twice is best called in a thread that
    /// blocks the signals which have handlers (`pthread_sigmask`); this floor does not do so itself, since a
    /// DSP that never answers would then be deaf to Ctrl-C as well.
    ///
    /// - Parameters:
    ///   - handle: the remote handle; 1 is the kernel's own and answered with `EPERM`.
    ///   - scalars: method and numbers of arguments, as FastRPC packs them.
    ///   - arguments: as many as `scalars` says: in buffers, out buffers, in handles, out handles.
    /// - Throws: a DSP status, which is the method's own or the transport's; `EPIPE` where the DSP is gone.
    public func invoke(
        handle: UInt32, scalars: UInt32, arguments: UnsafeMutableBufferPointer<InvokeArgument>
    ) throws(FastRPCKernelError) {
        // The driver reads as many as the scalars say, wherever that may end.
        let expected = Self.argumentCount(scalars)
        guard arguments.count == expected else {
            throw refusal(
                .invoke, Self.action(handle, scalars),
                "the scalars name \(expected) arguments, and there are \(arguments.count)")
        }
        var call = InvokeCall(
            handle: handle, scalars: scalars, arguments: UInt64(UInt(bitPattern: arguments.baseAddress)))
        try self.call(.invoke, &call, Self.action(handle, scalars))
    }

    private static func action(_ handle: UInt32, _ scalars: UInt32) -> String {
        "call handle \(handle) with scalars 0x\(String(scalars, radix: 16))"
    }

    /// How many arguments a scalars word names: in and out buffers in bytes 2 and 1, in and out handles in the
    /// two halves of byte 0.
    static func argumentCount(_ scalars: UInt32) -> Int {
        Int(scalars >> 16 & 0xff) + Int(scalars >> 8 & 0xff) + Int(scalars >> 4 & 0xf) + Int(scalars & 0xf)
    }
}
