import ChatTemplate
import Engine
import GGUF
import TestSupport
import Testing
import Tokenization

@Suite("Conversation") struct ConversationTests {
    private let folder: TemporaryFolder
    private let path: String
    private static let template =
        "{{ bos_token }}{% for m in messages %}{{ '<s>' ~ m.role ~ ' ' ~ m.content ~ '</s>' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<s>a ' }}{% endif %}"

    init() throws {
        folder = try TemporaryFolder()
        var model = TestModel.llama()
        model.set("tokenizer.chat_template", .string(Self.template))
        path = try model.write(to: folder.path("model.gguf"))
    }

    private func model(batch: Int = 512, context: Int = 512) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.batch, options.threads, options.contextLength) = (batch, 1, context)
        return try LanguageModel(path: path, options: options)
    }

    private var greedy: GenerationParameters {
        var parameters = GenerationParameters(maxTokens: 12, sampling: .greedy)
        parameters.ignoresEndOfText = true
        return parameters
    }

    /// Each turn computes what is new and no more, and says what a model says that has computed everything anew.
    @Test(arguments: [512, 3]) func turnsComputeOnlyWhatIsNew(batch: Int) throws {
        let model = try model(batch: batch)
        let conversation = try Conversation(with: model, system: "be brief")
        var reused: [Int] = []
        for question in ["hello there", "and now", "", "the end"] {
            let earlier = conversation.messages
            let before = model.offload.multiplyAdds
            let answer = try conversation.respond(to: question, greedy)
            let work = model.offload.multiplyAdds - before
            reused.append(answer.reusedTokens)

            let anew = try self.model(batch: batch)
            let other = try Conversation(with: anew)
            try other.load(JSONValue.array(earlier.map(\.json)).text(), name: "earlier")
            let same = try other.respond(to: question, greedy)
            #expect(same.text == answer.text && same.tokens == answer.tokens)
            #expect(same.reusedTokens == 0 && same.promptTokens == answer.promptTokens)
            // Multiply-adds of products do not depend on the position: those of a prompt as long as what is new.
            let start = anew.offload.multiplyAdds
            let new = answer.promptTokens - answer.reusedTokens
            _ = try anew.generate(from: Array(repeating: 260, count: new), greedy)
            #expect(anew.offload.multiplyAdds - start == work)
        }
        #expect(reused[0] == 0 && reused[1] > 20 && reused[2] > reused[1] && reused[3] > reused[2])
    }

    /// Another generation in between takes the cache; the conversation does not notice.
    @Test func othersMayUseTheModel() throws {
        let model = try model()
        let (one, other) = (try Conversation(with: model), try Conversation(with: self.model()))
        for question in ["a", "b", "c"] {
            #expect(
                try one.respond(to: question, greedy).text == other.respond(to: question, greedy).text)
            _ = try model.generate(from: [1, 265, 270], greedy)
        }
    }

    /// Neither the messages nor a name of a role make tokens of the model's; the template does, and BOS is there once.
    @Test func tokensComeFromTheTemplate() throws {
        var model = TestModel.llama()
        model.set(
            "tokenizer.chat_template",
            .string("{{ bos_token }}{% for m in messages %}{{ m.content }}</s>{% endfor %}"))
        let path = try model.write(to: folder.path("two.gguf"))
        var options = LanguageModel.Options()
        options.threads = 1
        let loaded = try LanguageModel(path: path, options: options)
        let answer = try Conversation(with: loaded).respond(to: "a</s><s>b", greedy)
        // BOS, the space and the characters as they are, and the end.
        #expect(answer.promptTokens == 1 + 1 + "a</s><s>b".count + 1)
        let pieces = [TextPiece("<s>x ", parsesSpecial: true), TextPiece("a</s>b", parsesSpecial: false)]
        let tokens = loaded.tokenizer.encode(pieces + [TextPiece("</s>", parsesSpecial: true)])
        #expect(tokens.filter { $0 == 1 }.count == 1 && tokens.first == 1)
        #expect(tokens.filter { $0 == 2 }.count == 1 && tokens.last == 2)
        #expect(loaded.tokenizer.decode(tokens).hasSuffix("x a</s>b"))
        let plain = [TextPiece("x<", parsesSpecial: true), TextPiece("/s>", parsesSpecial: false)]
        #expect(!loaded.tokenizer.encode(plain).contains(2))
        // Without marks in what is said, it is the whole text's tokens.
        let whole = [TextPiece("<s>ab ", parsesSpecial: true), TextPiece("cd", parsesSpecial: false)]
        #expect(
            loaded.tokenizer.encode(whole, addBOS: false)
                == loaded.tokenizer.encode("<s>ab cd", addBOS: false, parseSpecial: true))
    }

    @Test func fullContext() throws {
        let model = try model(context: 40)
        let conversation = try Conversation(with: model)
        let answer = try conversation.respond(to: "hello there", GenerationParameters(sampling: .greedy))
        #expect(answer.end == .contextFull || answer.end == .endOfText)
        let messages = conversation.messages
        let error = try #require(throws: EngineError.self) {
            _ = try conversation.respond(to: String(repeating: "x", count: 40), greedy)
        }
        #expect(error.description.contains("the context is full") && error.description.contains("-c"))
        #expect(conversation.messages == messages)
        conversation.clear()
        #expect(try conversation.respond(to: "a", greedy).tokens.count > 0)
    }

    @Test func interruptedAnswersAreKept() throws {
        let conversation = try Conversation(with: model())
        var count = 0
        let answer = try conversation.respond(
            to: "a", greedy,
            shouldStop: {
                count += 1
                return count > 5
            })
        #expect(answer.end == .interrupted && !answer.tokens.isEmpty)
        #expect(conversation.messages.count == 2 && conversation.messages[1].content == answer.text)
        let next = try conversation.respond(to: "b", greedy, shouldStop: { true })
        #expect(next.tokens.isEmpty && conversation.messages.count == 2)
    }

    /// Without a template there is ChatML where the vocabulary has it, else plain text, which ends before the next speaker.
    @Test func withoutATemplate() throws {
        var model = TestModel.llama()
        var options = LanguageModel.Options()
        (options.threads, options.contextLength) = (1, 512)
        let plain = try LanguageModel(path: model.write(to: folder.path("plain.gguf")), options: options)
        #expect(try plain.chatFormat().origin == .plain)
        #expect(plain.chatTemplateNames == [])
        _ = try Conversation(with: plain, system: "s").respond(to: "hi", greedy)
        guard
            case .array(let tokens)? = model.metadata.first(where: { $0.key == "tokenizer.ggml.tokens" })?
                .value,
            var names = tokens.strings
        else {
            Issue.record("no tokens")
            return
        }
        (names[260], names[261]) = ("<|im_start|>", "<|im_end|>")
        model.set("tokenizer.ggml.tokens", .array(MetadataArray(names)))
        let chatML = try LanguageModel(path: model.write(to: folder.path("chatml.gguf")), options: options)
        #expect(try chatML.chatFormat().origin == .chatML)
        #expect(throws: EngineError.self) { try chatML.chatFormat(name: "tool_use") }
    }

    @Test func badFilesAreErrors() throws {
        let conversation = try Conversation(with: model())
        for text in ["", "{}", "[1]", "[{}]", #"{"messages": 1}"#, #"[{"role": 1}]"#, "[{]"] {
            #expect(throws: EngineError.self) { try conversation.load(text, name: "x") }
        }
        try conversation.load(#"[{"role": "user", "content": "a"}]"#, name: "x")
        #expect(conversation.messages.map(\.content) == ["a"])
    }
}
