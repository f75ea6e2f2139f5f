import ArgumentParser

@main struct ProbeTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fastrpc-probe",
        abstract: "Say whether this machine's Hexagon DSP can be used by this user, and if not, why.",
        subcommands: [Probe.self, Explain.self, KernelTrialCommand.self, LibraryTrialCommand.self],
        defaultSubcommand: Probe.self)
}
