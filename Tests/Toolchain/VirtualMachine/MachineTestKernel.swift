import Glibc
import SharedMemory
import Synchronization
import VirtualKernel
import VirtualMachine

/// A kernel with a few nodes whose requests do one thing each; ``clientProgram`` knows them.
final class MachineTestKernel: EmulatedKernel {
    struct State {
        var opened = 0
        var released = 0
        /// Calls that wait now, and how many ever began to.
        var blocked = 0
        var begun = 0
        var isUnblocked = false
        var selected: [Scenario] = []
        var tree = VirtualTree()
        var observer: (@Sendable (VirtualTree) -> Void)?
    }

    let registry = FileRegistry()
    let state = Mutex(State())

    init() {
        state.withLock { state in
            state.tree.nodes = [TestNode.plain: 0o640, TestNode.refusing: 0o666]
            state.tree.links["/dev/virtual-link"] = "virtual-test"
        }
    }

    var tree: VirtualTree { state.withLock { $0.tree } }

    var nodes: [any VirtualNode] {
        [TestNode.plain, TestNode.refusing, TestNode.plugged].map { TestNode(path: $0, kernel: self) }
    }

    func onTreeChange(_ body: @escaping @Sendable (VirtualTree) -> Void) {
        state.withLock { $0.observer = body }
    }

    func select(_ scenario: Scenario) {
        state.withLock { $0.selected.append(scenario) }
    }

    /// Brings what is plugged in, or takes it away.
    func plug(_ isPlugged: Bool) {
        let (tree, observer) = state.withLock { state in
            let files = [
                "/sys/class/virtual-test/state", "/dev/virtual-folder/late",
                "/usr/lib/virtual-test/deep/file",
            ]
            for file in files { state.tree.files[file] = isPlugged ? Array("here".utf8) : nil }
            state.tree.nodes[TestNode.plugged] = isPlugged ? 0o666 : nil
            return (state.tree, state.observer)
        }
        observer?(tree)
    }
}

struct TestNode: VirtualNode {
    static let plain = "/dev/virtual-test"
    static let refusing = "/dev/virtual-refusing"
    static let plugged = "/dev/virtual-folder/plugged"

    let path: String
    let kernel: MachineTestKernel

    func open(_ flags: CInt, _ caller: any Caller) throws(SystemError) -> any VirtualFile {
        guard path != Self.refusing else { throw SystemError(EBUSY) }
        kernel.state.withLock { $0.opened += 1 }
        return TestFile(kernel)
    }
}

/// A file in memory that says to be a dma-buf.
private final class TestBuffer: VirtualFile {
    let isDMABuffer = true

    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        throw SystemError(ENOTTY)
    }

    func release() {}
}

final class TestFile: VirtualFile {
    let isDMABuffer = false
    private let kernel: MachineTestKernel
    private let isReleased = Mutex(false)

    init(_ kernel: MachineTestKernel) {
        self.kernel = kernel
    }

    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        guard request.rawValue >> 8 & 255 == 0x52 else { throw SystemError(ENOTTY) }
        switch request.rawValue & 255 {
        case 1: return Int(Int32(bitPattern: 0x8000_0406))
        case 2:
            return try wait { self.kernel.state.withLock { $0.isUnblocked } || !caller.isWaiting }
        case 3:
            let number = try caller.read(argument, as: UInt32.self)
            try caller.write(number &+ 1, to: argument)
            return 0
        case 4:
            let file = try SystemCalls.memoryFile("buffer")
            defer { close(file) }
            try SystemCalls.truncate(file, 4096)
            pwrite(file, "from the kernel", 15, 0)
            try kernel.registry.register(TestBuffer(), for: file)
            return Int(try caller.give(file, closeOnExec: true))
        case 5: throw SystemError(EREMOTEIO)
        case 6:
            kernel.state.withLock { $0.isUnblocked = true }
            return 0
        case 7: return Int(caller.process)
        case 8: return Int(caller.thread)
        case 9: return kernel.state.withLock { $0.released }
        case 10: return kernel.state.withLock { $0.blocked }
        case 11: return kernel.state.withLock { $0.begun }
        case 12: return try wait { self.isReleased.withLock { $0 } }
        case 13, 14:
            kernel.plug(request.rawValue & 255 == 13)
            return 0
        default: throw SystemError(ENOTTY)
        }
    }

    func release() {
        isReleased.withLock { $0 = true }
        kernel.state.withLock { $0.released += 1 }
    }

    private func wait(_ isOver: () -> Bool) throws(SystemError) -> Int {
        kernel.state.withLock {
            $0.blocked += 1
            $0.begun += 1
        }
        while !isOver() { usleep(2000) }
        kernel.state.withLock { $0.blocked -= 1 }
        return 7
    }
}
