import ArgumentParser
import Glibc
import VirtualMachine

// Processes that virtual-dsp starts of itself. They must stay with one thread, so nothing here is asynchronous.

/// Makes the namespaces and keeps what is seen in them.
struct ViewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "view", shouldDisplay: false)

    @Argument var socket: CInt

    func run() {
        // A terminal's Ctrl-C is for the program; this process ends with the supervisor.
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(number, SIG_IGN) }
        ViewKeeper.run(socket)
    }
}

/// Enters the namespaces, comes under the filter, becomes the command.
struct EnterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enter", shouldDisplay: false)

    @Argument var socket: CInt
    @Argument var keeper: CInt
    @Argument var namespaces: String
    @Argument(parsing: .postTerminator) var command: [String]

    func run() throws {
        throw ExitCode(
            Entrance.run(socket, keeper: keeper, joinsUser: namespaces == "user", command))
    }
}

/// A process on the DSP.
struct ProtectionDomainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "protection-domain", shouldDisplay: false)

    @Argument var socket: CInt
    @Flag(help: "Its programs are Hexagon code.")
    var hexagon = false

    func run() throws {
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(number, SIG_IGN) }
        let library = Program.folder + "/libvirtual-shell.so"
        guard let handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL) else { throw missing(library) }
        guard let symbol = dlsym(handle, hexagon ? "virtual_shell_hexagon_main" : "virtual_shell_main") else {
            throw missing(library)
        }
        typealias Main = @convention(c) (CInt) -> CInt
        throw ExitCode(unsafeBitCast(symbol, to: Main.self)(socket))
    }

    private func missing(_ library: String) -> ExitCode {
        let reason = dlerror().map { String(cString: $0) } ?? library
        Program.printError("virtual-dsp: the process on the DSP cannot start: \(reason)")
        return Exit.unavailable
    }
}
