import CLinux
import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// Answers the system calls that the filter sends here.
final class Supervisor: Sendable {
    private let kernel: any EmulatedKernel
    private let listener: NotificationListener
    private let openFiles: OpenFiles
    private let scenarios: ScenarioSwitch
    private let trace: Trace?
    private let pool: ThreadPool
    private let interest: Mutex<Interest>
    /// Descriptors held for calls that last, by notification: the file stays open as long as its caller waits.
    private let held = Mutex<[UInt64: CInt]>([:])

    /// What an opened path is compared with.
    private struct Interest {
        var tree: VirtualTree
        /// The last parts of all paths that matter, so that most calls are let through at once.
        var names: Set<ArraySlice<UInt8>>

        init(_ tree: VirtualTree) {
            self.tree = tree
            names = Set(
                (Array(tree.nodes.keys) + tree.links.keys).map {
                    PathNormalization.lastPart(of: Array($0.utf8))
                })
        }
    }

    init(
        _ kernel: any EmulatedKernel, _ listener: NotificationListener, trace: Trace?
    ) throws(SystemError) {
        self.kernel = kernel
        self.listener = listener
        self.trace = trace
        scenarios = ScenarioSwitch(kernel)
        pool = ThreadPool()
        interest = Mutex(Interest(kernel.tree))
        openFiles = try OpenFiles(kernel.registry) { _, path in trace?.closed(path) }
    }

    /// The tree has changed.
    func update(_ tree: VirtualTree) {
        interest.withLock { $0 = Interest(tree) }
    }

    /// Starts to answer.
    func start() {
        pool.start { [self] becomeBusy in
            guard let notification = listener.receive() else { return false }
            handle(CallingThread(notification, listener), becomeBusy)
            return true
        }
        Thread.start { [self] in
            openFiles.watch { [self] in
                dropAbandoned()
                return pool.isEnding
            }
        }
    }

    /// Waits until no program is left, or `isCancelled` says to wait no more.
    func waitForAll(orUntil isCancelled: () -> Bool) {
        while !isCancelled(), !listener.isAbandoned(waiting: 200) {}
    }

    /// Ends: what is open is released.
    func stop() {
        pool.end()
        dropAbandoned()
        openFiles.releaseAll()
        trace?.finish()
    }

    private func handle(_ caller: CallingThread, _ becomeBusy: () -> Void) {
        let call = caller.notification
        guard let table = SystemCallTable.all.first(where: { $0.architecture == call.architecture }) else {
            return listener.proceed(call.id)
        }
        func word(_ argument: UInt64) -> CInt { CInt(truncatingIfNeeded: argument) }
        let (first, second, third) = (call.arguments.0, call.arguments.1, call.arguments.2)
        switch call.number {
        case table.ioctl:
            let request = IOControlRequest(rawValue: UInt32(truncatingIfNeeded: second))
            ioctl(caller, word(first), request, third, becomeBusy)
        case table.fstatfs: fstatfs(caller, word(first), second)
        case table.openat: open(caller, in: word(first), second, { word(third) }, becomeBusy)
        case table.openat2:
            // The flags are the first word of struct open_how.
            open(
                caller, in: word(first), second,
                { () throws(SystemError) in word(try caller.read(third, as: UInt64.self)) }, becomeBusy)
        case table.open:
            open(caller, in: Self.currentFolder, first, { word(second) }, becomeBusy)
        case table.access: access(caller, in: Self.currentFolder, first, mode: word(second))
        case table.faccessat, table.faccessat2: access(caller, in: word(first), second, mode: word(third))
        default: listener.proceed(call.id)
        }
    }

    // MARK: open

    private static let currentFolder: CInt = -100  // AT_FDCWD

    private func open(
        _ caller: CallingThread, in folder: CInt, _ address: UInt64, _ flags: () throws(SystemError) -> CInt,
        _ becomeBusy: () -> Void
    ) {
        let id = caller.notification.id
        // Where anything is wrong with the arguments, the kernel says so best itself.
        guard let bytes = try? caller.path(at: address),
            case let name = PathNormalization.lastPart(of: bytes),
            scenarios.mayName(name) || interest.withLock({ $0.names.contains(name) }),
            let path = absolute(String(decoding: bytes, as: UTF8.self), in: folder, caller),
            let flags = try? flags(),
            flags & (O_PATH | O_DIRECTORY) == 0, flags & (O_CREAT | O_EXCL) != O_CREAT | O_EXCL
        else { return listener.proceed(id) }

        let closeOnExec = flags & O_CLOEXEC != 0
        if scenarios.contains(path) {
            becomeBusy()
            do throws(SystemError) {
                let text = try scenarios.open(path)
                defer { close(text) }
                _ = try listener.give(id, text, closeOnExec: closeOnExec, ending: true)
            } catch {
                listener.answer(id, value: 0, error: error.code)
            }
            return
        }
        guard interest.withLock({ $0.tree.nodes[path] != nil }),
            let node = kernel.nodes.first(where: { $0.path == path })
        else { return listener.proceed(id) }

        becomeBusy()
        openFiles.collect()
        let entry = trace?.began(caller, open: path, flags)
        do throws(SystemError) {
            let file = try node.open(flags, caller)
            let descriptor = try openFiles.adopt(file, path: path, flags)
            defer { close(descriptor) }
            let number = try listener.give(id, descriptor, closeOnExec: closeOnExec, ending: true)
            trace?.ended(entry, value: Int(number))
        } catch {
            trace?.ended(entry, error: error.code)
            listener.answer(id, value: 0, error: error.code)
        }
    }

    // To a superuser every node looks usable, whatever its mode; the driver's refusal is shown here.
    private func access(_ caller: CallingThread, in folder: CInt, _ address: UInt64, mode: CInt) {
        let id = caller.notification.id
        guard mode != F_OK, let bytes = try? caller.path(at: address),
            interest.withLock({ $0.names.contains(PathNormalization.lastPart(of: bytes)) }),
            let path = absolute(String(decoding: bytes, as: UTF8.self), in: folder, caller),
            interest.withLock({ $0.tree.nodes[path] }) == 0
        else { return listener.proceed(id) }
        listener.answer(id, value: 0, error: EACCES)
    }

    private func absolute(_ path: String, in folder: CInt, _ caller: CallingThread) -> String? {
        var base: String?
        if !path.hasPrefix("/") {
            let link = folder == Self.currentFolder ? "cwd" : "fd/\(folder)"
            base = ProcessFiles.link("/proc/\(caller.thread)/\(link)")
            guard caller.isWaiting else { return nil }
        }
        guard let path = PathNormalization.normalized(path, relativeTo: base) else { return nil }
        return PathNormalization.resolved(path, through: interest.withLock { $0.tree.links })
    }

    // MARK: ioctl, fstatfs

    private func ioctl(
        _ caller: CallingThread, _ descriptor: CInt, _ request: IOControlRequest, _ argument: UInt64,
        _ becomeBusy: () -> Void
    ) {
        let id = caller.notification.id
        guard let copy = try? caller.duplicate(descriptor) else { return listener.proceed(id) }
        guard let file = kernel.registry.file(copy) else {
            close(copy)
            return listener.proceed(id)
        }
        becomeBusy()
        held.withLock { $0[id] = copy }
        let entry = trace?.began(caller, ioctl: request, argument, on: openFiles.path(of: file) ?? "dma-buf")
        do throws(SystemError) {
            let value = try file.ioctl(request, argument, caller)
            trace?.ended(entry, value: value, caller)
            drop(id)
            listener.answer(id, value: Int64(value))
        } catch {
            trace?.ended(entry, error: error.code)
            drop(id)
            listener.answer(id, value: 0, error: error.code)
        }
    }

    private func fstatfs(_ caller: CallingThread, _ descriptor: CInt, _ address: UInt64) {
        let id = caller.notification.id
        guard let copy = try? caller.duplicate(descriptor) else { return listener.proceed(id) }
        defer { close(copy) }
        guard let file = kernel.registry.file(copy), file.isDMABuffer else { return listener.proceed(id) }
        let magic = 0x444d_4142  // DMA_BUF_MAGIC
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(clinux_fill_statfs(nil, 0, 0)), alignment: 8)
        defer { room.deallocate() }
        _ = clinux_fill_statfs(room.baseAddress, UInt(room.count), magic)
        do throws(SystemError) {
            try caller.write(UnsafeRawBufferPointer(room), to: address)
            listener.answer(id, value: 0)
        } catch {
            listener.answer(id, value: 0, error: error.code)
        }
    }

    private func drop(_ id: UInt64) {
        if let copy = held.withLock({ $0.removeValue(forKey: id) }) { close(copy) }
    }

    // A caller that died in a call must not keep its file open: the release is what ends the call here.
    private func dropAbandoned() {
        for id in held.withLock({ Array($0.keys) }) where !listener.isWaiting(id) { drop(id) }
    }
}

extension SystemError {
    /// A number that an answer may carry.
    fileprivate var code: CInt { errno > 0 && errno < 4096 ? errno : EIO }
}
