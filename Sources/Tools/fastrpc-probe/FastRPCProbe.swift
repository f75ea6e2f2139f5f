import ArgumentParser
import Foundation

/// Says why a DSP cannot be used, and what to do about it.
@main struct FastRPCProbe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fastrpc-probe",
        abstract: "Say whether this machine's Hexagon DSP can be used by this user, and if not, why.",
        discussion: """
            Every check has a status (ok, warn, fail, skip), what was seen, and a remedy to paste into a \
            shell. Nothing is changed, no DSP session is taken, and no privilege is needed.

            Exit status: 0 when no check failed, 1 when one did, 64 for wrong usage.

            Environment: NO_COLOR switches colour off; HEXAGONRPC_LIBRARY names the FastRPC library to look \
            at; MACHINE_NAME names the board where the device tree does not; FASTRPC_PROBE_ROOT names a \
            folder to look at in place of / (for tests).

            EXAMPLES
              fastrpc-probe
              fastrpc-probe --domain adsp
              fastrpc-probe --json | jq '.checks[] | select(.status == "fail") | .remedy'
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Which DSP: \(Domain.all.map(\.name).joined(separator: ", ")).", valueName: "name"))
    var domain = "cdsp"

    @Flag(help: "Do not try to open a session (this version never does).")
    var noSession = false

    func validate() throws {
        guard Domain.all.contains(where: { $0.name == domain }) else {
            throw ValidationError(
                "There is no DSP named '\(domain)'; known are "
                    + Domain.all.map(\.name).joined(separator: ", ") + ".")
        }
    }

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let domain = Domain.all.first(where: { $0.name == domain }) else { return }
        let report = Prober(machine: Machine(environment: environment), domain: domain).report()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            let colour = (environment["NO_COLOR"] ?? "").isEmpty && isatty(STDOUT_FILENO) == 1
            print(report.text(colour: colour))
        }
        if !report.failures.isEmpty { throw ExitCode.failure }
    }
}
