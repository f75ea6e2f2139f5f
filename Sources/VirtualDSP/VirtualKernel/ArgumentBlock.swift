import Glibc
import SharedMemory

/// Memory that the kernel and one process on the DSP share, for the copied arguments of a call.
final class ArgumentBlock: @unchecked Sendable {
    /// The number by which messages name it.
    let id: UInt32
    let byteCount: Int
    /// Where this process sees it. One call at a time uses it.
    let address: UnsafeMutableRawPointer
    /// Whether a call has used it already, so that it may hold something other than zeros.
    var isUsed = false

    /// Every argument starts at a multiple of this (`FASTRPC_ALIGN`).
    static let alignment = 128
    /// The smallest size; others are powers of two.
    private static let smallest = 64 << 10

    /// Makes room for `needed` bytes. `announce` gets the descriptor, which is closed afterwards.
    init(
        id: UInt32, holding needed: Int, announce: (CInt, Int) throws(SystemError) -> Void
    ) throws(SystemError) {
        guard needed <= 1 << 40 else { throw SystemError(ENOMEM) }
        var size = Self.smallest
        while size < needed { size *= 2 }
        let descriptor = try SystemCalls.memoryFile("fastrpc")
        defer { SystemCalls.close(descriptor) }
        try SystemCalls.truncate(descriptor, size)
        // Code on the DSP could else take the pages away from under the copies below.
        try SystemCalls.sealAgainstShrinking(descriptor)
        let address = try SystemCalls.map(descriptor, size)
        do throws(SystemError) {
            try announce(descriptor, size)
        } catch {
            SystemCalls.unmap(address, size)
            throw error
        }
        (self.id, byteCount, self.address) = (id, size, address)
    }

    deinit { SystemCalls.unmap(address, byteCount) }

    /// A range of it; the caller has checked the bounds.
    func range(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: address + offset, count: count)
    }
}
