import GGUF

/// The model families that the engine computes, each in a file of its own.
package enum Architecture {
    private typealias Builder = @Sendable (Hyperparameters) throws -> Graph

    private static let builders: [String: Builder] = [
        "bitnet": BitNet.graph,
        "bitnet-25": BitNet.graph,
        "bitnet-b1.58": BitNet.graph,
        "gemma": Gemma.graph,
        "gemma2": Gemma2.graph,
        "gemma3": Gemma3.graph,
        "gpt-oss": GPTOSS.graph,
        "llama": Llama.graph,
        "mistral3": Llama.graph,
        "olmoe": OLMoE.graph,
        "phi3": Phi3.graph,
        "qwen2": Qwen2.graph,
        "qwen3": Qwen3.graph,
        "qwen3moe": Qwen3MoE.graph,
        "smollm3": SmolLM3.graph,
    ]

    /// The names of `general.architecture` that are known.
    package static var names: [String] { builders.keys.sorted() }

    /// The forward pass of the model in a file.
    package static func graph(of file: GGUFFile) throws -> Graph {
        let parameters = try Hyperparameters(file)
        let name = parameters.architecture
        guard let build = builders[name] else {
            throw parameters.fail(
                "unknown architecture \(quoted(name)); known: \(names.joined(separator: ", "))")
        }
        return try build(parameters)
    }
}
