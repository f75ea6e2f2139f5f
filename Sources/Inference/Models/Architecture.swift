import GGUF

/// The model families that the engine computes, each in a file of its own.
package enum Architecture {
    private typealias Builder = @Sendable (GGUFFile) throws -> Graph

    private static let builders: [String: Builder] = [
        "llama": Llama.graph
    ]

    /// The names of `general.architecture` that are known.
    package static var names: [String] { builders.keys.sorted() }

    /// The forward pass of the model in a file.
    package static func graph(of file: GGUFFile) throws -> Graph {
        let name = try file.metadata.string("general.architecture")
        guard let build = builders[name] else {
            throw ModelError(
                "\(file.path): unknown architecture \(quoted(name)); known: \(names.joined(separator: ", "))")
        }
        return try build(file)
    }
}
