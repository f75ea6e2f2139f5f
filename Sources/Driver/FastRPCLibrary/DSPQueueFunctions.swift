/// The queue functions of a FastRPC library as it exports them (`qualcomm/fastrpc`, `inc/dspqueue.h`).
///
/// Every function returns 0 or an AEE code. Buffers are arrays of `struct dspqueue_buffer`, 24 bytes each.
public struct DSPQueueFunctions: Sendable {
    /// `dspqueue_t`
    public typealias Queue = OpaquePointer
    /// `dspqueue_callback_t`: the queue, a status, and the context given to `create`.
    public typealias Callback = @convention(c) (Queue?, CInt, UnsafeMutableRawPointer?) -> Void
    /// Type of `dspqueue_create`: domain, flags, request and response queue sizes in bytes, packet and
    /// error callback, their context, the queue made.
    public typealias Create =
        @convention(c) (
            CInt, UInt32, UInt32, UInt32, Callback?, Callback?, UnsafeMutableRawPointer?,
            UnsafeMutablePointer<Queue?>
        ) -> CInt
    /// Type of `dspqueue_close`.
    public typealias Close = @convention(c) (Queue) -> CInt
    /// Type of `dspqueue_export`: the queue, the id by which the DSP side imports it.
    public typealias Export = @convention(c) (Queue, UnsafeMutablePointer<UInt64>) -> CInt
    /// Type of `dspqueue_write_noblock`: flags, buffers, message.
    public typealias WriteNonblocking =
        @convention(c) (
            Queue, UInt32, UInt32, UnsafeMutableRawPointer?, UInt32, UnsafePointer<UInt8>?
        ) -> CInt
    /// Type of `dspqueue_write`: as without blocking, then a timeout in microseconds.
    public typealias Write =
        @convention(c) (
            Queue, UInt32, UInt32, UnsafeMutableRawPointer?, UInt32, UnsafePointer<UInt8>?, UInt32
        ) -> CInt
    /// Type of `dspqueue_read_noblock`: flags, capacity, count and buffers; capacity, length and message.
    public typealias ReadNonblocking =
        @convention(c) (
            Queue, UnsafeMutablePointer<UInt32>?, UInt32, UnsafeMutablePointer<UInt32>?,
            UnsafeMutableRawPointer?, UInt32, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt8>?
        ) -> CInt
    /// Type of `dspqueue_read`: as without blocking, then a timeout in microseconds.
    public typealias Read =
        @convention(c) (
            Queue, UnsafeMutablePointer<UInt32>?, UInt32, UnsafeMutablePointer<UInt32>?,
            UnsafeMutableRawPointer?, UInt32, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt8>?,
            UInt32
        ) -> CInt

    /// Type of `dspqueue_peek_noblock`: flags, count of buffers and length of the next message.
    public typealias PeekNonblocking =
        @convention(c) (
            Queue, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt32>?
        ) -> CInt
    /// Type of `dspqueue_peek`: as without blocking, then a timeout in microseconds.
    public typealias Peek =
        @convention(c) (
            Queue, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt32>?,
            UnsafeMutablePointer<UInt32>?, UInt32
        ) -> CInt
    /// Type of `dspqueue_write_early_wakeup_noblock`: delay in microseconds, packet flags.
    public typealias WriteEarlyWakeup = @convention(c) (Queue, UInt32, UInt32) -> CInt
    /// Type of `dspqueue_get_stat`: a value of `enum dspqueue_stat`, and the answer.
    public typealias Statistic = @convention(c) (Queue, CInt, UnsafeMutablePointer<UInt64>) -> CInt

    /// `dspqueue_create`
    public let create: Create
    /// `dspqueue_close`
    public let close: Close
    /// `dspqueue_export`
    public let export: Export
    /// `dspqueue_write`
    public let write: Write
    /// `dspqueue_write_noblock`
    public let writeNonblocking: WriteNonblocking
    /// `dspqueue_read`
    public let read: Read
    /// `dspqueue_read_noblock`
    public let readNonblocking: ReadNonblocking
    /// `dspqueue_peek`, where the library has it.
    public let peek: Peek?
    /// `dspqueue_peek_noblock`, where the library has it.
    public let peekNonblocking: PeekNonblocking?
    /// `dspqueue_write_early_wakeup_noblock`, where the library has it.
    public let writeEarlyWakeup: WriteEarlyWakeup?
    /// `dspqueue_get_stat`, where the library has it.
    public let statistic: Statistic?

    /// Finds them; nil when one is missing without which there is no use of queues.
    init?(_ loader: inout SymbolLoader) {
        let create = loader.optional("dspqueue_create", as: Create.self)
        let close = loader.optional("dspqueue_close", as: Close.self)
        let export = loader.optional("dspqueue_export", as: Export.self)
        let write = loader.optional("dspqueue_write", as: Write.self)
        let writeNonblocking = loader.optional("dspqueue_write_noblock", as: WriteNonblocking.self)
        let read = loader.optional("dspqueue_read", as: Read.self)
        let readNonblocking = loader.optional("dspqueue_read_noblock", as: ReadNonblocking.self)
        peek = loader.optional("dspqueue_peek", as: Peek.self)
        peekNonblocking = loader.optional("dspqueue_peek_noblock", as: PeekNonblocking.self)
        writeEarlyWakeup = loader.optional("dspqueue_write_early_wakeup_noblock", as: WriteEarlyWakeup.self)
        statistic = loader.optional("dspqueue_get_stat", as: Statistic.self)
        guard let create, let close, let export, let write, let writeNonblocking, let read,
            let readNonblocking
        else { return nil }
        self.create = create
        self.close = close
        self.export = export
        self.write = write
        self.writeNonblocking = writeNonblocking
        self.read = read
        self.readNonblocking = readNonblocking
    }
}
