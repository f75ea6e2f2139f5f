import FastRPCKernel
import Glibc
import SharedMemory
import Synchronization
import VirtualChannel

/// An open FastRPC node (`struct fastrpc_user`): one session, at most one process on the DSP.
final class FastRPCFile: VirtualFile {
    let kernel: VirtualKernel
    let channel: DSPChannel
    /// Whether it is the `-secure` node.
    let isSecure: Bool
    private let state = Mutex(State())

    private struct State: Sendable {
        var process: DSPProcess?
        var isStarting = false
        /// The process that is being created.
        var starting: DSPProcess?
        var isClosed = false
        /// Pages that the process was given.
        var pages: [PageRange] = []
    }

    /// Pages by the address that the DSP has given them, and their size.
    struct PageRange: Hashable {
        var dspAddress: UInt64
        var byteCount: UInt64
    }

    init(_ kernel: VirtualKernel, _ channel: DSPChannel, isSecure: Bool) throws(SystemError) {
        (self.kernel, self.channel, self.isSecure) = (kernel, channel, isSecure)
        try channel.open(self)
    }

    var isDMABuffer: Bool { false }

    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        switch request {
        case FastRPCRequest.invoke.number: try invoke(argument, caller)
        case FastRPCRequest.attach.number, FastRPCRequest.attachToSensors.number: try attach(caller)
        case FastRPCRequest.createProcess.number: try createProcess(argument, caller)
        case FastRPCRequest.createStaticProcess.number: try createStaticProcess(argument, caller)
        case FastRPCRequest.allocateBuffer.number: try allocateBuffer(argument, caller)
        case FastRPCRequest.addPages.number: try addPages(argument, caller)
        case FastRPCRequest.removePages.number: try removePages(argument, caller)
        case FastRPCRequest.mapMemory.number: try mapMemory(argument, caller)
        case FastRPCRequest.unmapMemory.number: try unmapMemory(argument, caller)
        case FastRPCRequest.setOption.number: try setOption(argument, caller)
        case FastRPCRequest.information.number: try information(argument, caller)
        default: throw SystemError(ENOTTY)
        }
    }

    func release() {
        let (process, starting) = state.withLock { state in
            state.isClosed = true
            state.pages = []
            defer { (state.process, state.starting) = (nil, nil) }
            return (state.process, state.starting)
        }
        process?.end(.processDied)
        starting?.end(.processDied)
        channel.close(self)
    }

    /// The DSP has gone away under this file.
    func channelIsGone() {
        let (process, starting) = state.withLock { ($0.process, $0.starting) }
        process?.end(.channelGone)
        starting?.end(.channelGone)
    }

    /// What the system call returns for a DSP's status: its bits as a number, except that the C library takes
    /// -1 to -4095 for an `errno`.
    static func result(_ status: UInt32) throws(SystemError) -> Int {
        let value = Int32(bitPattern: status)
        if (-4095 ... -1).contains(value) { throw SystemError(-value) }
        return Int(value)
    }

    // MARK: The process

    var process: DSPProcess? { state.withLock { $0.process } }

    /// Sends a message of the kernel's own to the process. Returns its answer, or the one of a DSP that knows
    /// of no process.
    func ask(_ message: (UInt64) -> ChannelMessage) throws(SystemError) -> DSPProcess.Reply {
        try channel.withCall { () throws(SystemError) in
            guard let process else { return DSPProcess.Reply(status: DSPProcess.noSuchProcess) }
            return try process.ask(message)
        }
    }

    /// Starts a process on the DSP. Returns the DSP's status.
    func start(_ attributes: UInt32, _ caller: any Caller) throws(SystemError) -> UInt32 {
        let mayStart = state.withLock { state in
            guard state.process == nil, !state.isStarting, !state.isClosed else { return false }
            state.isStarting = true
            return true
        }
        guard mayStart else { return Self.alreadyThere }
        defer { state.withLock { $0.isStarting = false } }
        return try channel.withCall { () throws(SystemError) in
            let process = try DSPProcess(kernel.launcher.launch())
            let isWanted = state.withLock { state in
                if !state.isClosed { state.starting = process }
                return !state.isClosed
            }
            if !isWanted { process.end(.processDied) }
            // Between the check of the channel and now the DSP may have gone away.
            if channel.isGone { process.end(.channelGone) }
            let description = kernel.describe(
                process: caller.name, attributes: attributes, domain: channel.domain)
            let status: UInt32
            do throws(SystemError) {
                status = try process.ask { .create(call: $0, description) }.status
            } catch {
                state.withLock { $0.starting = nil }
                process.end(.processDied)
                throw error
            }
            let isKept = state.withLock { state in
                state.starting = nil
                guard status == 0, !state.isClosed else { return false }
                state.process = process
                return true
            }
            if !isKept { process.end(.processDied) }
            if channel.isGone {
                process.end(.channelGone)
                throw SystemError(EPIPE)
            }
            return status
        }
    }

    /// `AEE_EALREADY` of the DSP: this session has its process.
    private static let alreadyThere: UInt32 = 0x8000_041a

    func remember(_ pages: PageRange) { state.withLock { $0.pages.append(pages) } }

    func knows(_ pages: PageRange) -> Bool { state.withLock { $0.pages.contains(pages) } }

    func forget(_ pages: PageRange) {
        state.withLock { state in
            if let index = state.pages.firstIndex(of: pages) { state.pages.remove(at: index) }
        }
    }
}
