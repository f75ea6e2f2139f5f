import ArgumentParser

@main
struct VirtualDSPTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "virtual-dsp",
        abstract: "Gives a program a Hexagon DSP that this machine does not have.",
        subcommands: [
            Run.self, Scenarios.self, ViewCommand.self, EnterCommand.self, ProtectionDomainCommand.self,
        ])
}

/// Exit codes of the command-line contract.
enum Exit {
    static let failed = ExitCode(1)
    static let unavailable = ExitCode(69)
    static let notPermitted = ExitCode(77)
}
