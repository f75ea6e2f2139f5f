import QemuHost
import RemoteCalls
import SharedMemory
import VirtualChannel

/// Programs that are Hexagon code, in a process of their own under qemu.
final class HexagonExecution: Execution {
    private let tools: HexagonTools
    private let state = Monitor<HexagonProcess?>(nil)

    init(_ tools: HexagonTools) {
        self.tools = tools
    }

    deinit { state.withLock { $0?.end() } }

    var format: ModuleImage.Format { .hexagon }
    var needsFiles: Bool { true }
    var isEnded: Bool { state.withLock { $0?.isEnded ?? false } }

    func begin(
        _ process: ProcessDescription, log: @escaping @Sendable (String) -> Void
    ) throws(RemoteCallError) {
        let started = try HexagonProcess(
            tools, HexagonProcess.Configuration(architecture: process.architecture & 0xff),
            onEvent: { event in
                guard case .log(let level, let file, let line, let text) = event else { return }
                log(ProgramLog.line(Int(level), file, Int(line), text))
            })
        state.withLock { $0 = started }
    }

    private func process() throws(RemoteCallError) -> HexagonProcess {
        guard let process = state.withLock({ $0 }) else {
            throw RemoteCallError(.badState, operation: "execute Hexagon code before the process has begun")
        }
        return process
    }

    func load(
        _ bytes: [UInt8], name: String, dependencies: [any ModuleLibrary]
    ) throws(RemoteCallError) -> any ModuleLibrary {
        let process = try process()
        guard let file = MemoryFile(bytes, name: name) else {
            throw RemoteCallError(.noMemory, operation: "loading \(name)")
        }
        return HexagonLibrary(
            process, try process.load(file: file.descriptor, byteCount: bytes.count, name: name),
            dependencies: dependencies)
    }

    func isOfSystem(_ name: String) -> Bool {
        // What Qualcomm's builds name; the process has the functions of them that it has.
        ["libc.so", "libgcc.so", "libqurt.so"].contains(name)
    }

    func map(_ memory: MappedMemory, isVisible: Bool) throws(RemoteCallError) {
        try process().map(
            memory.clientDescriptor, file: memory.file, byteCount: memory.bytes.count, isVisible: isVisible)
    }

    func unmap(_ memory: MappedMemory) {
        // A process that is gone has nothing mapped.
        try? process().unmap(memory.clientDescriptor)
    }
}

private final class HexagonLibrary: ModuleLibrary {
    private let process: HexagonProcess
    private let number: UInt32
    private let dependencies: [any ModuleLibrary]

    init(_ process: HexagonProcess, _ number: UInt32, dependencies: [any ModuleLibrary]) {
        self.process = process
        self.number = number
        self.dependencies = dependencies
    }

    deinit { process.unload(number) }

    func entry(_ symbol: String) throws(RemoteCallError) -> Entry? {
        guard let function = try process.function(symbol, of: number) else { return nil }
        return { [process] (handle, scalars, arguments) throws(RemoteCallError) in
            try process.invoke(function, handle: handle, scalars, arguments)
        }
    }
}
