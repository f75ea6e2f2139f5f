import Foundation
import TestSupport
import Testing

/// Ctrl-C while text is generated.
@Suite("Interrupt") struct InterruptTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.llama().write(to: folder.path("model.gguf"))
    }

    /// Goes on for longer than the test's deadline if it is not stopped.
    private func endless(_ arguments: String...) -> [String] {
        ["generate", "-m", model, "-p", "a", "-n", "-1", "-c", "1000000", "--ignore-eos", "-t", "1"]
            + arguments
    }

    @Test func keepsTheText() throws {
        let result = try Tool.run("engine", endless("--temp", "0"), interrupt: .afterOutput, deadline: 60)
        #expect(result.signal == nil)
        #expect(result.exitCode == 130)
        #expect(result.output.hasPrefix("a") && result.output.hasSuffix("\n"))
        #expect(result.errors.contains("generation") && result.errors.contains("tokens/s"))
    }

    /// JSON comes at the end only, so the moment has to be guessed: later each time Ctrl-C came before the
    /// generation.
    @Test func stillPrintsJSON() throws {
        for seconds in [0.5, 4, 20] {
            let result = try Tool.run("engine", endless("--json"), interrupt: .afterSeconds(seconds))
            guard result.signal == nil else { continue }
            #expect(result.exitCode == 130)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            #expect(object["stop_reason"] as? String == "interrupted")
            #expect((object["tokens"] as? [Int])?.count == object["generated_tokens"] as? Int)
            #expect(result.errors == "")
            return
        }
        Issue.record("Ctrl-C always came before the generation")
    }

    /// What was measured is printed, and no unfinished file of predictions stays.
    @Test func endsAMeasurement() throws {
        let text = try folder.write(Array(String(repeating: "abc d", count: 1_000_000).utf8), to: "text")
        let result = try Tool.run(
            "engine",
            ["perplexity", "-m", model, "-f", text, "-c", "64", "-t", "1", "--kl-divergence-base"]
                + [folder.path("base")], interrupt: .afterOutput, deadline: 60)
        #expect(result.signal == nil && result.exitCode == 130)
        #expect(result.output.hasPrefix("[1]") && result.output.contains("Final estimate: PPL = "))
        #expect(result.errors.contains("stopped after "))
        #expect(try folder.contents.sorted() == ["model.gguf", "text"])
    }
}
