import ArgumentParser

@main
struct EngineTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine",
        abstract: "Runs language models in GGUF files on the CPU and on Hexagon DSPs.",
        discussion: "Text goes to standard output, everything else to standard error.",
        version: "0.1.0",
        subcommands: [
            Generate.self, Chat.self, Bench.self, PerplexityCommand.self, Quantize.self, Inspect.self,
            Tokenize.self, Devices.self,
        ])
}
