import ArgumentParser
import Foundation
import GGUF

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what a GGUF file holds, and what the engine would do with it.",
        discussion: "No weights are loaded and no device is opened.")

    @Argument(help: "A GGUF file.")
    var file: String
    @Flag(help: "List the tensors.")
    var tensors = false
    @Flag(help: "List every key of the metadata.")
    var metadata = false
    @Option(
        name: [.short, .customLong("ctx-size")], parsing: .unconditional,
        help: "The context whose memory is estimated; 0 for the model's, at most 4096.")
    var context = 0
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (0...1 << 30).contains(context) else { throw ValidationError("-c is a number of tokens.") }
    }

    func run() throws {
        try reportingFailure {
            let file = try GGUFFile(path: file)
            let description = FileDescription(file, contextLength: context, withTensors: tensors)
            if json { return try printJSON(description) }
            printNow(description.text)
            if metadata {
                printNow("\nmetadata\n")
                for key in file.metadata.keys {
                    if let value = file.metadata[key] { printNow("  \(key) = \(Self.text(of: value))\n") }
                }
            }
            if let tensors = description.tensors { printNow("\n" + FileDescription.table(tensors)) }
        }
    }

    /// A value in a line: long texts and lists are cut.
    static func text(of value: MetadataValue) -> String {
        if let array = value.array {
            let first = array.count <= 8 ? array.values.map(text).joined(separator: ", ") : nil
            return "[\(array.count) × \(array.elementType)]" + (first.map { " " + $0 } ?? "")
        }
        if let string = value.string {
            let line = string.replacingOccurrences(of: "\n", with: "\\n")
            return line.count > 100 ? "\"\(line.prefix(100))…\"" : "\"\(line)\""
        }
        if let flag = value.bool { return "\(flag)" }
        if let integer = value.integer { return "\(integer)" }
        if let float = value.float { return "\(float)" }
        return "?"
    }
}
