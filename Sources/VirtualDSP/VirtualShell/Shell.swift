import Glibc
import QemuHost
import RemoteCalls
import SharedMemory
import VirtualChannel

/// A process on the virtual DSP: what the firmware's process shell is on a real one.
///
/// It takes calls from the emulated kernel, fetches modules through the client's listener, loads them and
/// calls them. Each call has a thread of its own while it runs. What the client sends is checked; what a
/// module of the client's does with it is the module's affair, as on a DSP.
package final class Shell: Sendable {
    private let channel: ChannelEndpoint
    /// Whether the operating system's process is this process on the DSP alone, and ends with it.
    private let ownsProcess: Bool
    private let pool = ThreadPool()
    private let state = Monitor(State())

    let memory: ProcessMemory
    let execution: any Execution
    let caller: ReverseCaller
    let host: HostServices
    let loader: ModuleLoader
    let modules = ModuleTable()
    let log: LogSender
    let queues: QueueTable

    private struct State {
        var behaviour = Behaviour.healthy
        var process = ProcessDescription()
        var userCalls: Int64 = 0
        /// The client has asked for the end; until the log has gone, calls are served.
        var isExiting = false
        var isEnding = false
    }

    /// A process that talks to the emulated kernel over `channel`.
    ///
    /// - Parameters:
    ///   - ownsProcess: whether it may end the operating system's process, as in the scenario of its death.
    ///   - tools: what executes Hexagon code; without it, modules are the host's code.
    ///   - listenerTimeout: how long the loader waits for the client's first listener. A real DSP waits for
    ///     ever.
    package init(
        _ channel: ChannelEndpoint, ownsProcess: Bool = false, hexagon tools: HexagonTools? = nil,
        listenerTimeout: Duration = .seconds(5)
    ) {
        self.channel = channel
        self.ownsProcess = ownsProcess
        execution = tools.map(HexagonExecution.init) ?? NativeExecution()
        memory = ProcessMemory(execution)
        caller = ReverseCaller(listenerTimeout: listenerTimeout)
        host = HostServices(caller)
        loader = ModuleLoader(host, execution)
        log = LogSender(host)
        queues = QueueTable(memory)
        ProgramLog.start
    }

    /// How the process misbehaves.
    var behaviour: Behaviour { state.withLock { $0.behaviour } }
    /// What the kernel said about the process.
    var process: ProcessDescription { state.withLock { $0.process } }

    /// Serves the kernel until the process exits or the channel ends.
    package func run() {
        if ownsProcess { CurrentShell.own(self) }
        while true {
            do throws(SystemError) {
                guard let (message, file) = try channel.receive() else { break }
                take(message, file)
                if file >= 0 { SystemCalls.close(file) }
            } catch {
                // What is no message is not answered.
                guard error.errno == EBADMSG else { break }
            }
        }
        releaseWaiting()
        let programs = modules.removeAll()
        if ownsProcess {
            // They end with the operating system's process, in whatever they are doing.
            for program in programs { _ = Unmanaged.passRetained(Box(program)) }
            return
        }
        pool.end(timeout: .seconds(1))
        for case .program(let program) in programs { _ = program.close() }
    }

    private final class Box {
        let module: ModuleTable.Module
        init(_ module: ModuleTable.Module) { self.module = module }
    }

    /// Quick ones are answered at once: the client may be waiting for them in a call of the listener's.
    private func take(_ message: ChannelMessage, _ file: CInt) {
        switch message {
        case .create(let call, let process):
            let behaviour = Behaviour(process)
            state.withLock { state in
                state.process = process
                state.behaviour = behaviour
            }
            memory.limit(process.memoryLimit, isExhausted: behaviour == .outOfMemory)
            answer(call) { () throws(RemoteCallError) in
                try execution.begin(process, log: { [log] in log.log($0) })
                return 0
            }
        case .memory(let id, let byteCount):
            memory.add(id, file: file, byteCount: byteCount)
        case .buffer(let id, let descriptor, let byteCount):
            memory.add(id, file: file, byteCount: byteCount, clientDescriptor: descriptor)
        case .drop(let id):
            memory.drop(id)
        case .invoke(let call, let invocation):
            let isTaken = pool.submit { [self] in
                CurrentShell.adopt(self)
                invoke(call, invocation)
            }
            if !isTaken { reply(call, .noMemory) }
        case .map(let call, let mapping):
            answer(call) { () throws(RemoteCallError) in try memory.map(mapping) }
        case .unmap(let call, let address):
            answer(call) { () throws(RemoteCallError) in
                try memory.unmap(address)
                return 0
            }
        case .addPages(let call, let byteCount, _):
            answer(call) { () throws(RemoteCallError) in try memory.addPages(byteCount) }
        case .removePages(let call, let address, let byteCount):
            answer(call) { () throws(RemoteCallError) in
                try memory.removePages(address, byteCount)
                return 0
            }
        case .reply:
            break
        }
    }

    private func answer(_ call: UInt64, _ body: () throws(RemoteCallError) -> UInt64) {
        do throws(RemoteCallError) {
            reply(call, .success, try body())
        } catch {
            reply(call, error.result)
        }
    }

    private func reply(_ call: UInt64, _ result: AEEResult, _ value: UInt64 = 0) {
        // Without a kernel there is nobody to tell.
        try? channel.send(.reply(call: call, status: result.onDSP.rawValue, value: value))
    }

    private func invoke(_ call: UInt64, _ invocation: Invocation) {
        guard !state.withLock({ $0.isEnding }) else { return reply(call, .badState) }
        do throws(RemoteCallError) {
            let outcome = try perform(invocation)
            switch outcome {
            case .answered(let result): reply(call, result)
            case .exits:
                reply(call, .success)
                exit()
            case .dies: die()
            }
        } catch {
            if execution.isEnded { die() }
            reply(call, error.result)
        }
    }

    /// Counts a user's call, and does to it what the scenario says. False when the process is to die.
    func survivesUserCall() -> Bool {
        let (number, behaviour) = state.withLock { state in
            state.userCalls += 1
            return (state.userCalls, state.behaviour)
        }
        switch behaviour {
        case .processDeath(let last): return number < last
        case .hungCall(let hung):
            if number == hung { _ = state.waitForever { $0.isEnding ? true : nil } }
            return true
        case .slowDSP(let milliseconds):
            usleep(UInt32(milliseconds) * 1000)
            return true
        default: return true
        }
    }

    /// Ends the process without an answer to anything.
    func die() {
        if ownsProcess { _exit(1) }
        channel.shutDown()
    }

    private func exit() {
        let isFirst = state.withLock { state in
            defer { state.isExiting = true }
            return !state.isExiting && !state.isEnding
        }
        guard isFirst else { return }
        log.end(timeout: .milliseconds(200))
        releaseWaiting()
        // The calls that waited answer first.
        try? DetachedThread.start { [self] in
            pool.end(timeout: .seconds(1))
            channel.shutDown()
        }
    }

    private func releaseWaiting() {
        state.withLock { $0.isEnding = true }
        caller.end()
        queues.end()
        log.end(timeout: .zero)
    }
}

/// Like `virtual_shell_main` in a program that does other things as well: only the threads that the process starts
/// belong to it.
@_cdecl("virtual_shell_guest")
public func virtualShellGuest(_ socket: CInt) -> CInt {
    Shell(ChannelEndpoint(owning: socket), ownsProcess: false).run()
    return 0
}

/// Runs a process of the virtual DSP over a socket until it ends; for the tool that made the socket's other
/// end. 0 is returned for an orderly end.
@_cdecl("virtual_shell_main")
public func virtualShellMain(_ socket: CInt) -> CInt {
    Shell(ChannelEndpoint(owning: socket), ownsProcess: true).run()
    return 0
}

/// The same for a process whose programs are Hexagon code. 69 is returned where there is no qemu for it.
@_cdecl("virtual_shell_hexagon_main")
public func virtualShellHexagonMain(_ socket: CInt) -> CInt {
    guard let tools = try? HexagonTools.find() else { return 69 }
    Shell(ChannelEndpoint(owning: socket), ownsProcess: true, hexagon: tools).run()
    return 0
}
