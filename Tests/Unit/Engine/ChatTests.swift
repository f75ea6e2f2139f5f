import Foundation
import GGUF
import TestSupport
import Testing

/// `engine chat`, run as people run it.
@Suite("Chat") struct ChatTests {
    private let folder: TemporaryFolder
    private let model: String
    private static let template = """
        {{ bos_token }}{% for m in messages %}{{ '<s>' ~ m.role ~ ' ' ~ m.content | trim ~ '</s>' }}{% endfor %}\
        {% if add_generation_prompt %}<s>a {% endif %}
        """

    init() throws {
        folder = try TemporaryFolder()
        var model = TestModel.llama()
        model.set("tokenizer.chat_template", .string(Self.template))
        model.set("tokenizer.chat_template.loud", .string("{{ messages[-1].content | upper }}"))
        model.set(
            "tokenizer.chat_template.strict", .string("{{ raise_exception('no ' ~ messages[0].role) }}"))
        self.model = try model.write(to: folder.path("model.gguf"))
    }

    private func chat(_ input: String, _ arguments: String...) throws -> Tool.Result {
        try Tool.run(
            "engine", ["chat", "-m", model, "-n", "6", "--temp", "0", "-t", "1"] + arguments, input: input)
    }

    @Test func everyLineIsATurn() throws {
        let result = try chat("hello\n\n  \nand now\r\nlast")
        #expect(result.exitCode == 0)
        #expect(result.output.split(separator: "\n", omittingEmptySubsequences: false).count == 4)
        #expect(result.errors == "")
        // The same again, and elsewhere.
        #expect(try chat("hello\nand now\nlast\n").output == result.output)
        #expect(try chat("hello\nand now\nlast\n", "--device", "sim0").output == result.output)
    }

    @Test func commands() throws {
        let file = folder.path("talk.json")
        let first = try chat(
            "/system be brief\nhello\n/save \(file)\n/stats\n/clear\nhello\n/exit\nnever read\n")
        #expect(first.exitCode == 0)
        let answers = first.output.split(separator: "\n", omittingEmptySubsequences: false)
        // The system message stays.
        #expect(answers.count == 3 && answers[0] == answers[1])
        #expect(first.errors.contains("tokens reused") && first.errors.contains("of 128 tokens, 3 messages"))
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
                as? [String: Any])
        let messages = try #require(json["messages"] as? [[String: String]])
        #expect(messages.map { $0["role"] } == ["system", "user", "assistant"])
        #expect(messages[1]["content"] == "hello")
        #expect(messages[2]["content"]?.trimmingCharacters(in: .whitespaces) == String(answers[0]))

        let next = try chat("and now\n", "--load", file).output
        #expect(try chat("/load \(file)\nand now\n").output == next)
        #expect(try chat("hello\nand now\n", "--system", "be brief").output == answers[0] + "\n" + next)
        #expect(try chat("/help\n").errors.contains("/clear"))
    }

    @Test func severalLines() throws {
        let file = folder.path("talk.json")
        func question(_ input: String) throws -> String? {
            _ = try chat(input + "\n/save \(file)\n")
            let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
            return ((json as? [String: Any])?["messages"] as? [[String: String]])?.first?["content"]
        }
        #expect(try question("a\\\nb\\\nc") == "a\nb\nc")
        #expect(try question("\"\"\"a\n /clear\n\nb\"\"\"") == "a\n /clear\n\nb")
        #expect(try question("\"\"\"a\"\"\"") == "a")
        #expect(try question("//etc") == "/etc")
    }

    @Test func whatIsWrongIsOneLine() throws {
        let cases: [(String, [String], CInt, String)] = [
            ("/nothing\n", [], 1, "there is no command /nothing"), ("/save\n", [], 1, "needs a file's name"),
            ("/load /nowhere/x\n", [], 1, "/nowhere/x"), ("/save /nowhere/x\n", [], 1, "/nowhere/x"),
            ("x\n", ["--load", "/nowhere/x"], 1, "/nowhere/x"),
            ("x\n", ["--chat-template", "/nowhere/x"], 1, "/nowhere/x"),
            ("x\n", ["--chat-template", "quiet"], 1, "there are loud, strict"),
            ("x\n", ["--chat-template", "strict"], 1, "does not take the conversation: no user"),
            ("x\n", ["--chat-template-kwargs", "{"], 64, "JSON object"), ("x\n", ["-n", "-2"], 64, "-n"),
            (String(repeating: "x", count: 200) + "\n", [], 1, "the context is full"),
        ]
        for (input, arguments, code, message) in cases {
            let result = try Tool.run("engine", ["chat", "-m", model, "-t", "1"] + arguments, input: input)
            #expect(result.exitCode == code, "\(arguments) \(input)")
            #expect(result.errors.contains(message), "\(result.errors)")
            #expect(result.output == "")
            if code == 1 { #expect(result.errorLines.count == 1, "\(result.errors)") }
        }
        let bad = try folder.write(Array("a\n{% if %}".utf8), to: "bad.jinja")
        let result = try chat("x\n", "--chat-template", bad)
        #expect(result.exitCode == 1)
        #expect(result.errors.hasPrefix("engine: \(bad): line 2: "))
    }

    @Test func templatesFromElsewhere() throws {
        let loud = try folder.write(Array("{{ messages[-1].content | upper }}".utf8), to: "loud.jinja")
        #expect(
            try chat("x\n", "--chat-template", loud).output == chat("x\n", "--chat-template", "loud").output)
        let told = try folder.write(
            Array("{{ bos_token ~ who ~ messages[-1].content }}".utf8), to: "told.jinja")
        let result = try chat("x\n", "--chat-template", told, "--chat-template-kwargs", #"{"who": "y"}"#)
        #expect(result.exitCode == 0)
        // Without a template at all it is said.
        let plain = try TestModel.llama().write(to: folder.path("plain.gguf"))
        let without = try Tool.run("engine", ["chat", "-m", plain, "-n", "4", "-t", "1"], input: "x\n")
        #expect(without.exitCode == 0)
        #expect(without.errors.contains("the model has no chat template"))
    }

    @Test func controlCEndsTheAnswer() throws {
        // A model that never ends a text: that token's logit is 0, and others are above.
        var endless = TestModel.llama()
        endless["output.weight"].bytes.replaceSubrange(
            2 * 64 * 4..<3 * 64 * 4, with: repeatElement(0, count: 64 * 4))
        let path = try endless.write(to: folder.path("endless.gguf"))
        let template = try folder.write(Array("{{ bos_token ~ messages | length }}".utf8), to: "short.jinja")
        let session = try TerminalSession(
            "engine",
            ["chat", "-m", path, "-t", "1", "-c", "1000000", "--temp", "0", "--chat-template", template],
            environment: ["NO_COLOR": "1"])
        try session.wait(for: "prompt") { $0.screen.contains("> ") }
        for turn in 1...2 {
            let before = session.output.utf8.count
            try session.type("go on\n")
            try session.wait(for: "answer \(turn)") { $0.output.utf8.count > before + 20 }
            try session.type("\u{3}")
            try session.wait(for: "prompt \(turn)") {
                $0.screen.components(separatedBy: "> ").count > turn + 1
            }
            #expect(session.output.hasSuffix("\n"))
        }
        try session.type("/stats\n")
        try session.wait(for: "statistics") { $0.screen.contains("4 messages") }
        try session.type("/nothing\n")
        try session.wait(for: "error") { $0.screen.contains("there is no command") }
        #expect(!session.screen.contains("\u{1b}"))
        try session.type("\u{3}")
        #expect(try session.exitCode() == 130)
    }

    @Test func theEndOfInputLeaves() throws {
        let session = try TerminalSession(
            "engine", ["chat", "-m", model, "-t", "1"], environment: ["NO_COLOR": ""])
        try session.wait(for: "prompt") { $0.screen.contains("> ") }
        #expect(session.screen.contains("\u{1b}[1m"))
        try session.type("\u{4}")
        #expect(try session.exitCode() == 0)
    }
}
