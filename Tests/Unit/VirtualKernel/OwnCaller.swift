import CLinux
import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// The test itself as the emulated kernel's client: its own memory, its own descriptors.
final class OwnCaller: Caller {
    let process = getpid()
    let thread = getpid()
    let name = "test"
    /// Memory that the kernel may write on its behalf; nil for all. It is this process's own: a request with a bad
    /// address would otherwise overwrite whatever lies there.
    private let writable: [Range<UInt64>]?
    private let waits = Mutex(true)
    private let given = Mutex<[CInt]>([])

    /// `/proc/self/mem`
    private let memory = clinux_open("/proc/self/mem", O_RDWR | O_CLOEXEC)

    init(writable: [Range<UInt64>]? = nil) {
        self.writable = writable
    }

    deinit {
        closeGiven()
        close(memory)
    }

    var isWaiting: Bool { waits.withLock { $0 } }

    /// Closes the descriptors that the kernel gave it, and tells the files of `registry` so.
    func closeGiven(_ registry: FileRegistry? = nil) {
        given.withLock { given in
            for descriptor in given {
                registry?.file(descriptor)?.release()
                close(descriptor)
            }
            given = []
        }
    }

    /// A signal ends its call.
    func interrupt() { waits.withLock { $0 = false } }

    /// Copies through the kernel, so that a bad address is an error.
    func read(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard bytes.count > 0 else { return }
        guard let offset = off_t(exactly: address),
            pread(memory, bytes.baseAddress, bytes.count, offset) == bytes.count
        else { throw SystemError(EFAULT) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(SystemError) {
        guard bytes.count > 0 else { return }
        if let writable {
            let (end, overflow) = address.addingReportingOverflow(UInt64(bytes.count))
            guard !overflow, writable.contains(where: { $0.lowerBound <= address && end <= $0.upperBound })
            else { throw SystemError(EFAULT) }
        }
        guard let offset = off_t(exactly: address),
            pwrite(memory, bytes.baseAddress, bytes.count, offset) == bytes.count
        else { throw SystemError(EFAULT) }
    }

    func duplicate(_ descriptor: CInt) throws(SystemError) -> CInt {
        let copy = clinux_fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemError(errno) }
        return copy
    }

    func give(_ descriptor: CInt, closeOnExec: Bool) throws(SystemError) -> CInt {
        let copy = clinux_fcntl(descriptor, closeOnExec ? F_DUPFD_CLOEXEC : F_DUPFD, 3)
        guard copy >= 0 else { throw SystemError(errno) }
        given.withLock { $0.append(copy) }
        return copy
    }

    /// Makes a request with a struct, which the kernel may change.
    @discardableResult
    func ioctl<Argument: BitwiseCopyable>(
        _ file: any VirtualFile, _ request: IOControlRequest, _ argument: inout Argument
    ) throws -> Int {
        try withUnsafeMutablePointer(to: &argument) { pointer in
            try file.ioctl(request, UInt64(UInt(bitPattern: pointer)), self)
        }
    }

    /// The `errno` that a request gets, or nil.
    func refusal<Argument: BitwiseCopyable>(
        _ file: any VirtualFile, _ request: IOControlRequest, _ argument: Argument
    ) -> CInt? {
        var argument = argument
        return Self.refusal { try ioctl(file, request, &argument) }
    }

    /// The `errno` that something gets, or nil.
    static func refusal<Result>(_ body: () throws -> Result) -> CInt? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? SystemError)?.errno ?? -1
        }
    }
}

/// A request's struct, all zero but for what `fill` sets.
func argument<Argument: BitwiseCopyable>(
    _ type: Argument.Type, _ fill: (inout Argument) -> Void
) -> Argument {
    let room = UnsafeMutableRawBufferPointer.allocate(
        byteCount: MemoryLayout<Argument>.size, alignment: MemoryLayout<Argument>.alignment)
    defer { room.deallocate() }
    room.initializeMemory(as: UInt8.self, repeating: 0)
    var argument = room.load(as: Argument.self)
    fill(&argument)
    return argument
}
