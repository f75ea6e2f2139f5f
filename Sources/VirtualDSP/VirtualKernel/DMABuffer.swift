import CLinux
import Glibc
import SharedMemory
import Synchronization

/// Memory behind a dma-buf of the emulated kernel: an anonymous file that neither grows nor shrinks.
///
/// It lives as long as anything refers to it: the client's descriptors (through the registry), mappings on the
/// DSP, handles of the render node.
package final class VirtualDMABuffer: Sendable {
    /// The kernel's own descriptor.
    let descriptor: CInt
    package let byteCount: UInt64
    private let accesses = Mutex(CPUAccessCounts())
    private let gifts = Mutex(Gifts())

    /// Several threads may give a buffer at once, and one of them may fail.
    private struct Gifts: Sendable {
        var underWay = 0
        var isGiven = false
    }

    /// How often the host announced the begin and the end of its accesses (`DMA_BUF_IOCTL_SYNC`).
    package var cpuAccesses: CPUAccessCounts { accesses.withLock { $0 } }

    init(byteCount: UInt64) throws(SystemError) {
        guard byteCount > 0, let size = Int(exactly: byteCount), size <= Self.maximum else {
            throw SystemError(ENOMEM)
        }
        // The name is what /proc/PID/fd and /proc/PID/maps show.
        let descriptor = try SystemCalls.memoryFile("dmabuf")
        do throws(SystemError) {
            try SystemCalls.truncate(descriptor, size)
            try SystemCalls.sealSize(descriptor)
        } catch {
            SystemCalls.close(descriptor)
            throw error
        }
        (self.descriptor, self.byteCount) = (descriptor, byteCount)
    }

    deinit { SystemCalls.close(descriptor) }

    /// More than any DSP can see; keeps sums of sizes and offsets far from overflow.
    private static let maximum = 1 << 40

    /// Gives the caller a descriptor with these flags of `open`, and remembers what its inode stands for.
    func give(
        to caller: any Caller, flags: CInt, registry: FileRegistry, counts: CPUAccessCounter
    ) throws(SystemError) -> CInt {
        try gifts.withLock { gifts throws(SystemError) in
            if !gifts.isGiven, gifts.underWay == 0 {
                try registry.register(
                    VirtualDMABufferFile(self, registry: registry, counts: counts), for: descriptor)
            }
            gifts.underWay += 1
        }
        var isGiven = false
        defer {
            gifts.withLock { gifts in
                gifts.underWay -= 1
                if isGiven { gifts.isGiven = true }
                if !gifts.isGiven, gifts.underWay == 0 { registry.remove(descriptor) }
            }
        }
        let number = try duplicate(for: caller, flags)
        isGiven = true
        return number
    }

    private func duplicate(for caller: any Caller, _ flags: CInt) throws(SystemError) -> CInt {
        let closeOnExec = flags & O_CLOEXEC != 0
        guard flags & O_ACCMODE == O_RDWR else {
            // The access mode is the open file's; another one needs another open file of the same inode.
            let other = try SystemCalls.open("/proc/self/fd/\(descriptor)", flags & O_ACCMODE)
            defer { SystemCalls.close(other) }
            return try caller.give(other, closeOnExec: closeOnExec)
        }
        return try caller.give(descriptor, closeOnExec: closeOnExec)
    }

    /// Copies bytes out of it, as many as there are. A mapping is not needed for that.
    func read(at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        guard let start = off_t(exactly: offset) else { return 0 }
        var done = 0
        while done < bytes.count {
            let count = pread(
                descriptor, bytes.baseAddress! + done, bytes.count - done, start + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        return done
    }

    func count(begin: Bool) { accesses.withLock { $0.count(begin: begin) } }
}

/// How often accesses of the host were announced to have begun and ended.
package struct CPUAccessCounts: Hashable, Sendable {
    package var begins = 0
    package var ends = 0

    package init(begins: Int = 0, ends: Int = 0) { (self.begins, self.ends) = (begins, ends) }

    mutating func count(begin: Bool) {
        if begin { begins += 1 } else { ends += 1 }
    }
}

/// The sum over all buffers of a kernel, also of those that are gone.
final class CPUAccessCounter: Sendable {
    private let counts = Mutex(CPUAccessCounts())

    var current: CPUAccessCounts { counts.withLock { $0 } }

    func count(begin: Bool) { counts.withLock { $0.count(begin: begin) } }
}

/// What stands behind the client's descriptors of a dma-buf.
package final class VirtualDMABufferFile: VirtualFile {
    package let buffer: VirtualDMABuffer
    private let registry: FileRegistry
    private let counts: CPUAccessCounter

    init(_ buffer: VirtualDMABuffer, registry: FileRegistry, counts: CPUAccessCounter) {
        (self.buffer, self.registry, self.counts) = (buffer, registry, counts)
    }

    package var isDMABuffer: Bool { true }

    package func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        switch request {
        case DMABuffer.sync:
            let flags = try caller.read(argument, as: UInt64.self)
            let readWrite = CPUAccess.readWrite.rawValue
            guard flags & ~(readWrite | DMABuffer.syncEnd) == 0, flags & readWrite != 0 else {
                throw SystemError(EINVAL)
            }
            let begin = flags & DMABuffer.syncEnd == 0
            buffer.count(begin: begin)
            counts.count(begin: begin)
        case Self.setName, Self.setNameWide: try checkName(argument, caller)
        default: throw SystemError(ENOTTY)
        }
        return 0
    }

    package func release() { registry.remove(buffer.descriptor) }

    /// A name has at most 31 bytes and a NUL (`DMA_BUF_NAME_LEN`); nothing shows it.
    private func checkName(_ address: UInt64, _ caller: any Caller) throws(SystemError) {
        for index in 0..<UInt64(32) {
            if try caller.read(address &+ index, as: UInt8.self) == 0 { return }
        }
        throw SystemError(EINVAL)
    }

    /// `DMA_BUF_SET_NAME_A`, `DMA_BUF_SET_NAME_B`: the argument is the name itself, whatever the size says.
    private static let setName = IOControlRequest(.write, "b", 1, byteCount: 4)
    private static let setNameWide = IOControlRequest(.write, "b", 1, byteCount: 8)
}

extension FileRegistry {
    /// The buffer behind a descriptor of a client's (`dma_buf_get`): `EBADF` where that is not open, `EINVAL`
    /// where it is something else.
    func dmaBuffer(_ descriptor: CInt, of caller: any Caller) throws(SystemError) -> VirtualDMABuffer {
        guard descriptor >= 0 else { throw SystemError(EBADF) }
        let copy = try caller.duplicate(descriptor)
        defer { SystemCalls.close(copy) }
        guard let file = file(copy) as? VirtualDMABufferFile else { throw SystemError(EINVAL) }
        return file.buffer
    }
}

extension SystemCalls {
    /// Seals an anonymous file against any change of its size, and against further seals.
    static func sealSize(_ descriptor: CInt) throws(SystemError) {
        let addSeals: CInt = 1033  // F_ADD_SEALS
        let all: CInt = 1 | 2 | 4  // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
        guard clinux_fcntl(descriptor, addSeals, all) == 0 else { throw SystemError(errno) }
    }
}
