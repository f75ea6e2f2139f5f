import Foundation
import TestSupport
import Testing

/// `--prompt-cache` and the types of caches, as users and scripts see them.
@Suite("Prompt caches of the tool") struct PromptCacheTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.model("gemma3").write(to: folder.path("model.gguf"))
    }

    private static let prompt = (0..<40).map { String(40 + $0 * 7919 % 200) }

    private func generate(_ arguments: [String], tokens: Int = 40) throws -> Tool.Result {
        try Tool.run(
            "engine",
            [
                "generate", "-m", model, "--tokens", Self.prompt[..<tokens].joined(separator: ","), "-n", "8",
                "--temp", "0", "--ignore-eos", "-t", "2", "--json",
            ] + arguments)
    }

    private struct Report: Decodable {
        var tokens: [Int32]
        var reused_tokens: Int
    }

    private func report(_ arguments: [String], tokens: Int = 40) throws -> Report {
        let result = try generate(arguments, tokens: tokens)
        try #require(result.exitCode == 0, "\(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test(arguments: ["cpu", "sim0"], ["f32", "q8_0"]) func whatAFileHoldsIsNotComputed(
        _ device: String, _ type: String
    ) throws {
        let options = ["--device", device, "-ctk", type, "--cache-type-v", type]
        let expected = try report(options)
        #expect(expected.reused_tokens == 0)
        let cache = options + ["--prompt-cache", folder.path("session")]
        #expect(try report(cache).tokens == expected.tokens)
        let again = try report(cache)
        #expect(again.tokens == expected.tokens && again.reused_tokens == 39)
        // What comes after the beginning that two prompts have in common is forgotten.
        #expect(try report(cache, tokens: 20).reused_tokens == 19)
        #expect(try report(options + ["--session", folder.path("session")]).reused_tokens == 20)
        #expect(try folder.contents.sorted() == ["model.gguf", "session"])
    }

    @Test func wrongFilesAreOneLine() throws {
        let session = folder.path("session")
        _ = try report(["--device", "cpu", "--prompt-cache", session])
        let bytes = try Data(contentsOf: URL(filePath: session))
        try bytes.prefix(1000).write(to: URL(filePath: folder.path("short")))
        try Data("text".utf8).write(to: URL(filePath: folder.path("text")))
        try Data().write(to: URL(filePath: folder.path("empty")))
        for (arguments, words) in [
            (["--prompt-cache", folder.path("short")], "is damaged or cut off"),
            (["--prompt-cache", folder.path("text")], "is no session"),
            (["--prompt-cache", folder.path("empty")], "is empty"),
            (["--prompt-cache", folder.path("")], "is a directory"),
            (["--prompt-cache", folder.path("none/session")], "No such file"),
            (["--prompt-cache", session, "-ctv", "f16"], "not f32 keys and f16 values"),
        ] {
            let result = try generate(["--device", "cpu"] + arguments)
            #expect(result.exitCode == 1 && result.output == "" && result.errorLines.count == 1, "\(result)")
            #expect(result.errors.contains(words), "\(result.errors)")
        }
        #expect(try Data(contentsOf: URL(filePath: session)) == bytes)
    }

    @Test func typesOfCaches() throws {
        let small = try TestModel.llama().write(to: folder.path("small.gguf"))
        for (arguments, code, words) in [
            (["-ctk", "q4_1"], 64, "'q4_1' is invalid"),
            (["--cache-type-v", ""], 64, "is invalid"),
            (["-ctk", "q8_0"], 1, "needs heads of a multiple of 32 elements"),
            (["-ctv", "q4_0"], 1, "this model's have 16"),
        ] as [([String], CInt, String)] {
            let result = try Tool.run(
                "engine", ["generate", "-m", small, "-p", "a", "-n", "1", "--device", "cpu"] + arguments)
            #expect(result.exitCode == code && result.output == "", "\(result)")
            #expect(result.errors.contains(words), "\(result.errors)")
            #expect(code == 64 || result.errorLines.count == 1)
        }
        let bench = try Tool.run(
            "engine",
            [
                "bench", "-m", model, "-p", "4", "-n", "0", "-r", "1", "-ctk", "f16", "-ctv", "q8_0", "-o",
                "jsonl",
                "--device", "cpu",
            ])
        #expect(bench.output.contains(#""type_k":"f16","type_v":"q8_0""#), "\(bench)")
        let plan = try Tool.run(
            "engine",
            [
                "generate", "-m", model, "-p", "a", "-n", "1", "-b", "4", "-c", "64", "-ctk", "f16",
                "--device",
                "sim0", "--explain-plan",
            ])
        #expect(
            plan.errors.contains(
                "cache: keys in f16, values in f32; 6 of 7 layers see a window of 8 and hold 12 of 64 positions"
            ),
            "\(plan.errors)")
    }
}
