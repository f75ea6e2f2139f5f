import ArgumentParser
import Diagnosis
import Foundation

/// `fastrpc-probe`
struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at the machine, try a session, and say what is wrong (the default).",
        discussion: """
            Every check has a status (ok, warn, fail, skip), what was seen, and a remedy to paste into a shell. \
            Nothing is changed and no privilege is needed. A session is opened, used and closed for a moment, in a \
            process of its own that is ended if the DSP does not answer.

            Exit status: 0 when no check failed, 1 when one did, 64 for wrong usage.

            Environment: NO_COLOR switches colour off; DSP_LIBRARY_PATH is where the DSP's modules are; \
            HEXAGONRPC_LIBRARY names the FastRPC library to look at; MACHINE_NAME names the board where the device \
            tree does not; FASTRPC_PROBE_ROOT names a folder to look at in place of / (for tests; no session is \
            tried then).

            EXAMPLES
              fastrpc-probe
              fastrpc-probe --report report.txt
              fastrpc-probe explain 0x80000406
              fastrpc-probe --json | jq -r '.checks[] | select(.status == "fail") | .remedy'
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Which DSP: \(DSPName.all.map(\.name).joined(separator: ", ")).", valueName: "name"))
    var domain = "cdsp"

    @Flag(name: .shortAndLong, help: "Print all that was seen, also where nothing is wrong.")
    var verbose = false

    @Flag(help: "Only look: do not ask the DSP anything.")
    var noSession = false

    @Option(
        help: ArgumentHelp(
            "Also write everything to a file, to attach to a bug report; names, addresses and serial numbers are "
                + "masked.", valueName: "file"))
    var report: String?

    func validate() throws {
        guard DSPName.all.contains(where: { $0.name == domain }) else {
            throw ValidationError(
                "There is no DSP named '\(domain)'; known are "
                    + DSPName.all.map(\.name).joined(separator: ", ") + ".")
        }
    }

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let domain = DSPName.all.first(where: { $0.name == domain }) else { return }
        let machine = Machine(environment: environment)
        let found = Prober(machine: machine, domain: domain, trial: trial(machine)).report()
        if let report {
            do {
                try ReportFile(found, machine: machine).write(to: report)
            } catch {
                printError("fastrpc-probe: cannot write \(report): \(error)")
                throw ExitCode.failure
            }
        }
        if json {
            print(try found.json())
        } else {
            let colour = (environment["NO_COLOR"] ?? "").isEmpty && isatty(STDOUT_FILENO) == 1
            print(found.text(Report.TextStyle(colour: colour, verbose: verbose)))
        }
        if !found.failures.isEmpty { throw ExitCode.failure }
    }

    private func trial(_ machine: Machine) -> any SessionTrial {
        if noSession { return NoTrial(reason: "not tried because of --no-session") }
        if !machine.root.isEmpty { return NoTrial(reason: "not tried, as FASTRPC_PROBE_ROOT is set") }
        return ProcessTrial(
            program: "/proc/self/exe",
            kernelArguments: [KernelTrialCommand.configuration.commandName ?? ""],
            libraryArguments: [LibraryTrialCommand.configuration.commandName ?? ""])
    }
}

/// Writes a line to standard error.
func printError(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}
