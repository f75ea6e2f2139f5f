/// A slice of a DMA buffer as a call's parameter (IDL's `dmahandle`).
///
/// Only descriptor and offset travel; the length is told to the transport when the buffer is registered.
public struct DMAHandle: Hashable, Sendable {
    /// File descriptor of the buffer.
    public var descriptor: CInt
    /// Byte offset of the slice.
    public var offset: UInt32
    /// Bytes in the slice.
    public var length: UInt32

    /// Describes a slice.
    public init(descriptor: CInt, offset: UInt32 = 0, length: UInt32) {
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
    }
}
