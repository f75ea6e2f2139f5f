/// One buffer or handle of a remote call: `struct fastrpc_invoke_args`, 24 bytes.
public struct InvokeArgument: BitwiseCopyable, Sendable {
    /// `ptr`: where the buffer starts in this process; for a handle, an offset in it.
    public var address: UInt64
    /// `length`: its bytes. With 0 the driver ignores the rest.
    public var length: UInt64
    /// `fd`: the dma-buf that the buffer lies in, or -1 for memory that the driver copies.
    ///
    /// The driver takes 0 for "none", like -1, so a dma-buf must not have descriptor 0.
    public var fd: Int32
    /// `attr`, called `reserved` before about Linux 5.18.
    public var attributes: Attributes

    /// Bits of ``attributes``.
    public struct Attributes: OptionSet, BitwiseCopyable, Hashable, Sendable {
        /// The bits.
        public var rawValue: UInt32

        /// Wraps bits.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// `FASTRPC_ATTR_SECUREMAP`: the dma-buf's pages are handed over to the DSP by the secure monitor.
        public static let secureMap = Attributes(rawValue: 1)
    }

    /// Describes an argument field by field.
    public init(address: UInt64, length: UInt64, fd: Int32 = -1, attributes: Attributes = []) {
        self.address = address
        self.length = length
        self.fd = fd
        self.attributes = attributes
    }

    /// Memory that the driver copies to the DSP, and back where the scalars call it an output. It must stay
    /// where it is until the call returns.
    public init(copying bytes: UnsafeRawBufferPointer) {
        self.init(
            address: UInt64(UInt(bitPattern: bytes.baseAddress)), length: UInt64(bytes.count))
    }
}
