import ArgumentParser
import HexagonIDL

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Looks for what compiles but is probably wrong, and for what breaks a deployed skel.",
        discussion: "Rules:\n"
            + Lint.rules.map { "  \($0.name): \($0.summary)" }.joined(separator: "\n"))

    @OptionGroup var input: Input

    @OptionGroup var warnings: WarningOptions

    @Option(
        name: .customLong("compatible-with"),
        help: "An older version of the file: report what breaks skels that were built from it.")
    var old: String?

    @Flag(help: "Print the findings as JSON to stdout.")
    var json = false

    func run() throws {
        var findings: [Diagnostic] = []
        do throws(IDLError) {
            let unit = try input.compile(input.file)
            findings = warnings.warnings(of: unit)
            if let old { findings += Compatibility.check(old: try input.compile(old), new: unit) }
        } catch {
            findings = error.diagnostics
        }
        if json {
            Swift.print(JSONDiagnostics.generate(findings, file: input.file), terminator: "")
        } else {
            input.print(findings)
        }
        let isFailure = findings.contains { $0.severity == .error || warnings.areErrors }
        if isFailure { throw ExitCode.failure }
    }
}
