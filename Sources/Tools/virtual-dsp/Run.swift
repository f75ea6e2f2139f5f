import ArgumentParser
import Glibc
import QemuHost
import SharedMemory
import VirtualKernel
import VirtualMachine

/// `virtual-dsp run`
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a command on a machine with a virtual Hexagon DSP.",
        discussion: """
            The command, its threads and everything that it starts see /dev/fastrpc-*, /dev/dma_heap/system, a \
            DRM render node and the DSP's entries in /sys. Nothing else on this machine changes. No privilege \
            is needed where user namespaces are allowed.

            Inside, reading /dev/virtual-dsp/NAME (or NAME=N) switches to another scenario.

            Environment: DSP_LIBRARY_PATH, where the DSP looks for its programs, is set for the command to the \
            folder of virtual-dsp, or to those of Hexagon code, if neither it nor ADSP_LIBRARY_PATH is set.

            Exit status: the command's; 128+N where signal N ended it, 127 where it is not found, 126 where it \
            cannot be run, 69 where this system cannot do it, 77 where this user may not.

            EXAMPLES
              virtual-dsp run -- fastrpc-probe
              virtual-dsp run --scenario process-death=3 -- engine generate -m model.gguf --device htp0
              virtual-dsp run --trace calls.jsonl -- ./program
            """)

    @Option(
        help: ArgumentHelp(
            "Hexagon version that the DSP reports; v68, or with --dsp qemu what qemu emulates.",
            valueName: "version"))
    var arch: String?

    @Option(help: "How the DSP's programs run: built for this machine (native), or Hexagon code (qemu).")
    var dsp = DSPKind.native

    @Option(
        help: ArgumentHelp(
            "What is wrong with the DSP; see virtual-dsp scenarios.", valueName: "name[=number]"))
    var scenario = "healthy"

    @Option(help: ArgumentHelp("Writes every emulated call to a file, as JSON lines.", valueName: "file"))
    var trace: String?

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String]

    enum DSPKind: String, ExpressibleByArgument, CaseIterable {
        case native, qemu
    }

    // The version in hexadecimal digits, as the DSP reports it.
    private var architecture: UInt32? {
        let arch = arch ?? "v68"
        guard arch.hasPrefix("v"), arch.count == 3 else { return nil }
        return UInt32(arch.dropFirst(), radix: 16)
    }

    func validate() throws {
        guard architecture != nil else {
            throw ValidationError("'\(arch ?? "")' is no Hexagon version; v68 is one.")
        }
        guard !command.isEmpty else { throw ValidationError("There is no command after --.") }
        guard Scenario(scenario) != nil else {
            throw ValidationError("There is no scenario '\(scenario)'; virtual-dsp scenarios lists them.")
        }
    }

    func run() throws {
        guard let scenario = Scenario(scenario), let architecture else { throw Exit.failed }
        let tools = try hexagonTools()
        var configuration = Machine.Configuration(command)
        configuration.forwardsSignals = true
        if getenv("DSP_LIBRARY_PATH") == nil, getenv("ADSP_LIBRARY_PATH") == nil {
            configuration.environment["DSP_LIBRARY_PATH"] =
                tools?.folders.joined(separator: ";") ?? Program.folder
        }
        if let trace {
            do throws(SystemError) {
                configuration.trace = try Trace(path: trace)
            } catch {
                Program.printError("virtual-dsp: cannot write \(trace): \(error)")
                throw Exit.failed
            }
        }
        var machine = VirtualKernel.Configuration()
        machine.architecture = arch == nil ? tools?.architecture ?? architecture : architecture
        machine.scenario = scenario
        let kernel = VirtualKernel(machine, launcher: ShellLauncher(runsHexagon: tools != nil))
        let ending: Machine.Ending
        do throws(MachineError) {
            ending = try Machine(kernel, configuration).run()
        } catch {
            Program.printError("virtual-dsp: \(error)")
            throw error.kind == .notPermitted ? Exit.notPermitted : Exit.unavailable
        }
        throw ExitCode(ending.exitCode)
    }

    /// What executes Hexagon code; nil where it is not wanted.
    private func hexagonTools() throws -> HexagonTools? {
        guard dsp == .qemu else { return nil }
        do throws(HexagonTools.Missing) {
            return try HexagonTools.find()
        } catch {
            Program.printError("virtual-dsp: cannot run Hexagon code: \(error)")
            throw Exit.unavailable
        }
    }
}
