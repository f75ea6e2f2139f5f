import ArgumentParser

@main
struct VirtualDSPTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "virtual-dsp",
        abstract: "Gives a program a Hexagon DSP that this machine does not have.")
}
