import CLinux
import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// Runs a program so that it and all that it starts see an emulated kernel's nodes and files.
package final class Machine: Sendable {
    /// What to run, and how.
    package struct Configuration: Sendable {
        /// Program and arguments; the program is looked for in `PATH`.
        package var command: [String]
        /// Environment variables besides those of this process.
        package var environment: [String: String] = [:]
        /// The executable that has the subcommands `view` and `enter`: this process's own.
        package var helper = "/proc/self/exe"
        /// Where the program's standard output goes.
        package var output = STDOUT_FILENO
        /// Where calls are written.
        package var trace: Trace?
        /// Whether SIGTERM, SIGHUP, SIGINT and SIGQUIT go on to the program instead of ending this one. What a
        /// terminal sends reaches the program by itself.
        package var forwardsSignals = false

        package init(_ command: [String]) {
            self.command = command
        }
    }

    /// How the program ended.
    package enum Ending: Hashable, Sendable {
        case exit(CInt)
        case signal(CInt)

        /// The exit code by which shells tell that.
        package var exitCode: CInt {
            switch self {
            case .exit(let code): code
            case .signal(let number): 128 + number
            }
        }
    }

    private let kernel: any EmulatedKernel
    private let configuration: Configuration

    package init(_ kernel: any EmulatedKernel, _ configuration: Configuration) {
        self.kernel = kernel
        self.configuration = configuration
    }

    /// Runs the program until it and everything that it started have ended.
    package func run() throws(MachineError) -> Ending {
        let signals = configuration.forwardsSignals ? SignalForwarding() : nil
        let limits = DescriptorLimit.raised()
        defer { limits.restore() }
        let keeper = try startKeeper()
        defer { Child.reap(keeper.process) }
        let view = ViewClient(owning: keeper.socket)
        for problem in hideOthers(view) + view.show(ScenarioSwitch.adding(to: kernel.tree)) {
            throw MachineError(.unavailable, problem)
        }

        let command = try startCommand(keeper)
        defer { close(command.socket) }
        let supervisor: Supervisor
        do throws(SystemError) {
            supervisor = try Supervisor(
                kernel, NotificationListener(owning: command.listener), trace: configuration.trace)
        } catch {
            throw MachineError(.unavailable, "cannot watch files: \(error)")
        }
        let update: @Sendable (VirtualTree) -> Void = { [weak supervisor] tree in
            guard let supervisor else { return }
            for problem in view.show(ScenarioSwitch.adding(to: tree)) {
                Child.printError("virtual-dsp: \(problem)")
            }
            supervisor.update(tree)
        }
        kernel.onTreeChange(update)
        // What changed before anybody was told.
        update(kernel.tree)
        supervisor.start()
        signals?.start(command.process)
        limits.lower(for: command.process)
        try? ViewPacket.send(command.socket, "go")
        let ending = Child.wait(command.process)
        signals?.commandEnded()
        supervisor.waitForAll { signals?.isCancelled ?? false }
        supervisor.stop()
        return ending
    }

    // What this machine has of its own under the names of emulated nodes would not be answered by us.
    private func hideOthers(_ view: ViewClient) -> [String] {
        let shown = kernel.tree.nodes
        return kernel.nodes.map(\.path).filter { shown[$0] == nil }.compactMap(view.hide)
    }

    private struct Keeper {
        var process: pid_t
        var socket: CInt
        var hasUserNamespace: Bool
    }

    private func startKeeper() throws(MachineError) -> Keeper {
        let (ours, theirs) = try socketPair()
        let process = try spawn(["view", "\(theirs)"], passing: theirs)
        close(theirs)
        let answer = try? ViewPacket.receive(ours)
        let words = (answer?.text ?? "").split(separator: "\0").map(String.init)
        switch (words.first, words.count) {
        case (ViewKeeper.Answer.userNamespace, _), (ViewKeeper.Answer.mountNamespace, _):
            return Keeper(
                process: process, socket: ours,
                hasUserNamespace: words.first == ViewKeeper.Answer.userNamespace)
        default:
            close(ours)
            Child.reap(process)
            guard words.first == ViewKeeper.Answer.refused, words.count == 3 else {
                throw MachineError(.unavailable, "the helper process ended before it was ready")
            }
            throw MachineError(refused: words[1], errno: CInt(words[2]) ?? EIO)
        }
    }

    private struct Command {
        var process: pid_t
        var socket: CInt
        var listener: CInt
    }

    private func startCommand(_ keeper: Keeper) throws(MachineError) -> Command {
        let (ours, theirs) = try socketPair()
        let arguments =
            ["enter", "\(theirs)", "\(keeper.process)", keeper.hasUserNamespace ? "user" : "mount", "--"]
            + configuration.command
        let process = try spawn(arguments, passing: theirs, configuration.environment, isCommand: true)
        close(theirs)
        let answer = try? ViewPacket.receive(ours)
        guard let answer, answer.file >= 0 else {
            close(ours)
            Child.reap(process)
            throw MachineError(
                .unavailable, answer?.text ?? "the process that should run the command ended too early")
        }
        return Command(process: process, socket: ours, listener: answer.file)
    }

    private func socketPair() throws(MachineError) -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw MachineError(.unavailable, "cannot make a socket: \(SystemError(errno))")
        }
        return (ends[0], ends[1])
    }

    private func spawn(
        _ arguments: [String], passing socket: CInt, _ environment: [String: String] = [:],
        isCommand: Bool = false
    ) throws(MachineError) -> pid_t {
        do throws(SystemError) {
            return try Child.start(
                configuration.helper, arguments, passing: [socket], environment: environment,
                output: isCommand ? configuration.output : STDOUT_FILENO)
        } catch {
            throw MachineError(.unavailable, "cannot start \(configuration.helper): \(error)")
        }
    }
}

/// Why a machine cannot run anything.
package struct MachineError: Error, CustomStringConvertible {
    package enum Kind: Sendable {
        /// This user may not do it.
        case notPermitted
        /// This system cannot do it.
        case unavailable
    }

    package var kind: Kind
    package var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// A step to the namespaces failed.
    init(refused operation: String, errno code: CInt) {
        kind = code == EPERM || code == EACCES ? .notPermitted : .unavailable
        description =
            "this system refuses to \(operation): \(SystemError(code)); allow user namespaces (sysctl "
            + "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, "
            + "user.max_user_namespaces above 0), in a container run it with --security-opt seccomp=unconfined "
            + "--security-opt apparmor=unconfined or --cap-add SYS_ADMIN, or run virtual-dsp as root"
    }
}
