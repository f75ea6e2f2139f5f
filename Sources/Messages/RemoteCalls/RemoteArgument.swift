/// One entry of a remote call's argument list: the C union `remote_arg` of a 64-bit host, 16 bytes.
///
/// Either a buffer (address and byte count), a handle, or a DMA handle (file descriptor and offset).
/// The memory behind a buffer must stay valid until the call returns.
public struct RemoteArgument: BitwiseCopyable, @unchecked Sendable {
    // `remote_arg` = { void *pv; size_t nLen } | remote_handle64 | { int32 fd; uint32 offset }
    private var word: UInt64
    private var count: UInt64

    /// A buffer of `count` bytes at `address`; an empty buffer may have no address.
    public init(buffer address: UnsafeMutableRawPointer?, count: Int) {
        word = UInt64(UInt(bitPattern: address))
        self.count = UInt64(count)
    }

    /// A buffer that the callee only reads.
    public init(reading bytes: UnsafeRawBufferPointer) {
        self.init(buffer: UnsafeMutableRawPointer(mutating: bytes.baseAddress), count: bytes.count)
    }

    /// A buffer that the callee writes.
    public init(writing bytes: UnsafeMutableRawBufferPointer) {
        self.init(buffer: bytes.baseAddress, count: bytes.count)
    }

    /// A remote handle.
    public init(handle: UInt64) {
        word = handle
        count = 0
    }

    /// A slice of a DMA buffer: file descriptor and byte offset.
    public init(descriptor: CInt, offset: UInt32) {
        word = UInt64(UInt32(bitPattern: descriptor)) | UInt64(offset) << 32
        count = 0
    }

    /// The bytes of a buffer argument.
    public var buffer: UnsafeMutableRawBufferPointer {
        let address = UnsafeMutableRawPointer(bitPattern: UInt(word))
        return UnsafeMutableRawBufferPointer(start: address, count: address == nil ? 0 : Int(clamping: count))
    }

    /// The value of a handle argument.
    public var handle: UInt64 { word }
    /// File descriptor of a DMA handle argument.
    public var descriptor: CInt { CInt(truncatingIfNeeded: word) }
    /// Byte offset of a DMA handle argument.
    public var offset: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
}
