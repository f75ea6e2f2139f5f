import Foundation
import GGUF
import TestSupport
import Testing

/// The tool's other commands on real files.
@Suite("Tool", .needsSharedData) struct ToolTests {
    private func json(_ arguments: [String]) throws -> [String: Any] {
        let result = try Tool.run("engine", arguments)
        #expect(result.exitCode == 0 && result.errors == "", "\(result.errors)")
        #expect(result.output.hasSuffix("\n") && !result.output.dropLast().contains("\n"))
        return try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test func tokenize() throws {
        let model = SharedData.path("models/stories260K-f32.gguf")
        for reference in try GreedyReference.stories() {
            let ids = try Tool.run("engine", ["tokenize", "-m", model, "--ids", reference.prompt])
            #expect(ids.output == reference.promptIDs.map(String.init).joined(separator: ",") + "\n")
            let piped = try Tool.run(
                "engine", ["tokenize", "-m", model, "--ids", "-"], input: reference.prompt)
            #expect(piped.output == ids.output)
            let object = try json(["tokenize", "-m", model, "--json", reference.prompt])
            #expect(object["version"] is Int)
            #expect((object["tokens"] as? [Int])?.map(Int32.init) == reference.promptIDs)
            let bare = try Tool.run(
                "engine", ["tokenize", "-m", model, "--ids", "--no-bos", reference.prompt])
            #expect(bare.output == ids.output.split(separator: ",").dropFirst().joined(separator: ","))
        }
        let file = SharedData.path("text/alice29.txt")
        let timing = try json(["tokenize", "-m", model, "-f", file, "--time", "--json"])
        #expect(timing["bytes"] as? Int == 152_089 && (timing["tokens"] as? Int ?? 0) > 50_000)
        #expect((timing["ms"] as? Double ?? 0) > 0)
        let text = ["tokenize", "-m", model, "--ids", "--no-bos", "</s>"]
        #expect(try Tool.run("engine", text).output == "2\n")
        #expect(try Tool.run("engine", text + ["--no-parse-special"]).output.contains(","))
    }

    @Test func inspect() throws {
        let model = SharedData.path("models/stories260K-q8_0.gguf")
        let file = try GGUFFile(path: model)
        let object = try json(["inspect", model, "--tensors", "--json"])
        #expect(object["version"] is Int)
        #expect(object["tensor_count"] as? Int == file.tensors.count)
        let tensors = try #require(object["tensors"] as? [[String: Any]])
        #expect(tensors.compactMap { $0["name"] as? String } == file.tensors.map(\.name))
        #expect((object["metadata"] as? [String: Any])?.count == file.metadata.count)
    }

    @Test func inspectEveryModel() throws {
        for name in SharedData.files(in: "models", suffix: ".gguf") {
            let object = try json(["inspect", SharedData.path(name), "-c", "64", "--json"])
            let engine = try #require(object["engine"] as? [String: Any])
            #expect(engine["runs"] as? Bool == true, "\(name): \(engine)")
            let (total, offloadable) = (
                engine["mul_mat_total"] as? Int, engine["mul_mat_offloadable"] as? Int
            )
            let refusals = try #require(engine["refusals"] as? [[String: Any]])
            let refused = refusals.reduce(0) { $0 + (($1["products"] as? [String])?.count ?? 0) }
            #expect(total ?? 0 > 0 && (offloadable ?? 0) + refused == total, "\(name): \(engine)")
            #expect(refusals.allSatisfy { ($0["reason"] as? String)?.isEmpty == false })
            let general = try #require(object["general"] as? [String: Any])
            let isMixture = name.contains("moe") || name.contains("oss")
            #expect((general["active_parameters"] != nil) == isMixture, "\(name)")
        }
        for name in SharedData.files(in: "tokenizers", suffix: ".gguf") {
            let object = try json(["inspect", SharedData.path(name), "--json"])
            #expect((object["engine"] as? [String: Any])?["runs"] as? Bool == false)
            let tokenizer = try #require(object["tokenizer"] as? [String: Any])
            #expect(tokenizer["tokens"] as? Int ?? 0 > 30000 && tokenizer["problem"] == nil, "\(name)")
        }
    }

    @Test func devices() throws {
        let object = try json(["devices", "--json"])
        let devices = try #require(object["devices"] as? [[String: Any]])
        #expect(devices.compactMap { $0["name"] as? String } == ["cpu", "htp0", "sim0", "qemu0"])
    }

    @Test func promptsFromEverywhere() throws {
        let folder = try TemporaryFolder()
        let reference = try #require(try GreedyReference.stories().first)
        let arguments = [
            "generate", "-m", SharedData.path("models/stories260K-f32.gguf"), "-n", "20", "--temp", "0",
        ]
        let file = try folder.write(Array(reference.prompt.utf8), to: "prompt.txt")
        let given = try Tool.run("engine", arguments + ["-p", reference.prompt])
        let fromFile = try Tool.run("engine", arguments + ["-f", file])
        let fromInput = try Tool.run("engine", arguments, input: reference.prompt)
        #expect(given.exitCode == 0 && given.output.hasPrefix(reference.prompt))
        #expect(fromFile.output == given.output && fromInput.output == given.output)
        let bare = try Tool.run("engine", arguments + ["-p", reference.prompt, "--no-display-prompt"])
        #expect(reference.prompt + bare.output == given.output)
    }
}
