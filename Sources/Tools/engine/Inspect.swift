import ArgumentParser
import Foundation
import GGUF

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows what a GGUF file holds.")

    @Argument(help: "A GGUF file.")
    var file: String
    @Flag(help: "List the tensors.")
    var tensors = false
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try reportingFailure {
            let file = try GGUFFile(path: file)
            if json {
                try printJSON(FileDescription(file, withTensors: tensors))
                return
            }
            let total = file.tensors.reduce(0) { $0 + $1.byteCount }
            printNow(
                "GGUF version \(file.version), \(file.tensors.count) tensors, \(total) bytes of weights\n\n")
            for key in file.metadata.keys {
                if let value = file.metadata[key] { printNow("\(key) = \(Self.text(of: value))\n") }
            }
            guard tensors else { return }
            printNow("\n")
            for tensor in file.tensors {
                let shape = tensor.dimensions.map(String.init).joined(separator: " × ")
                printNow("\(tensor.name)  \(tensor.type)  \(shape)  \(tensor.byteCount) bytes\n")
            }
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

/// What `engine inspect --json` prints.
private struct FileDescription: Encodable {
    struct Tensor: Encodable {
        var name: String
        var type: String
        var dimensions: [Int]
        var bytes: Int
    }

    var version = 1
    var gguf_version: Int
    var metadata: [String: String]
    var tensor_count: Int
    var tensor_bytes: Int
    var tensors: [Tensor]?

    init(_ file: GGUFFile, withTensors: Bool) {
        gguf_version = file.version
        metadata = Dictionary(
            uniqueKeysWithValues: file.metadata.keys.compactMap { key in
                file.metadata[key].map { (key, Inspect.text(of: $0)) }
            })
        tensor_count = file.tensors.count
        tensor_bytes = file.tensors.reduce(0) { $0 + $1.byteCount }
        tensors =
            withTensors
            ? file.tensors.map {
                Tensor(name: $0.name, type: $0.type.name, dimensions: $0.dimensions, bytes: $0.byteCount)
            } : nil
    }
}
