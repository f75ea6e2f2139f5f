import GGUF
import Testing
import Tokenization

@Suite struct TokenizerErrorTests {
    /// The message that a spoilt vocabulary gives, on one line.
    private func problem(
        _ vocabulary: TinyVocabulary, _ change: (inout GGUFWriter) -> Void = { _ in }
    ) throws -> String {
        let error = try #require(throws: TokenizerError.self) { try vocabulary.tokenizer(change) }
        #expect(!error.description.contains("\n"))
        return error.problem
    }

    @Test func refusesWhatItDoesNotKnowByName() throws {
        #expect(
            try problem(TinyVocabulary("t5")).contains(
                "\"t5\" is not supported; supported: llama, gpt2, bert"))
        let unknown = try problem(TinyVocabulary.bytePair("kimi-k9"))
        #expect(
            unknown.contains("\"kimi-k9\"") && unknown.contains("llama-bpe, ") && unknown.contains("qwen2"))
    }

    @Test func refusesMissingAndMistypedKeys() throws {
        let path = "tokenizer.ggml."
        #expect(try problem(.bytePair()) { $0.set(path + "tokens", .string("x")) }.contains("tokens"))
        #expect(
            try problem(.bytePair()) { $0.set(path + "tokens", .array(MetadataArray([Int32(1)]))) }.contains(
                "tokens"))
        #expect(
            try problem(.bytePair()) { $0.set(path + "tokens", .array(MetadataArray([String]()))) }.contains(
                "0"))
        #expect(
            try problem(.bytePair()) { $0.set(path + "merges", .array(MetadataArray([Int32(1)]))) }.contains(
                "merges"))
        #expect(try problem(.bytePair()) { $0.set(path + "model", .uint32(1)) }.contains("model"))
        #expect(try problem(.sentencePiece()) { $0.set(path + "scores", .bool(true)) }.contains("scores"))
        var nameless = TinyVocabulary("llama")
        nameless.add("a")
        #expect(
            try problem(nameless) { writer in
                writer = GGUFWriter()
                writer.set(path + "model", .string("llama"))
                writer.set(path + "tokens", .array(MetadataArray(["a"])))
            }.contains("scores"))
        #expect(throws: TokenizerError.self) { try nameless.tokenizer { $0 = GGUFWriter() } }
    }

    @Test func refusesArraysOfOtherLengths() throws {
        let short = MetadataValue.array(MetadataArray([Int32(1), 1]))
        #expect(
            try problem(.bytePair()) { $0.set("tokenizer.ggml.token_type", short) }
                == "tokenizer.ggml.token_type has 2 elements for 256 tokens")
        let scores = MetadataValue.array(MetadataArray([Float](repeating: 0, count: 260)))
        #expect(
            try problem(.sentencePiece()) { $0.set("tokenizer.ggml.scores", scores) }
                == "tokenizer.ggml.scores has 260 elements for 259 tokens")
    }

    @Test func refusesMergesOfUnknownTokens() throws {
        for (merge, what) in [
            ("a b", "\"a b\" makes a text that is no token"),
            ("ab c", "\"ab c\" joins texts that are no tokens"),
            ("ab", "\"ab\" is not two texts"), ("", "is not two texts"), (" ", "is not two texts"),
            ("a ", "joins texts"),
        ] {
            var vocabulary = TinyVocabulary.bytePair()
            vocabulary.merges = [merge]
            let problem = try problem(vocabulary)
            #expect(problem.contains(what))
        }
    }

    @Test(arguments: ["bos", "eos", "unknown", "seperator", "padding", "eot", "fim_pad"])
    func refusesTokensThatAreNone(name: String) throws {
        for id in [MetadataValue.uint32(256), .int32(-1), .uint64(1 << 40)] {
            #expect(
                try problem(.bytePair()) { $0.set("tokenizer.ggml.\(name)_token_id", id) }.contains(
                    "256 tokens"))
        }
    }

    @Test func refusesByteTokensOfAnotherForm() throws {
        var vocabulary = TinyVocabulary.sentencePiece()
        vocabulary.add("<0xGG>", TinyVocabulary.byte)
        #expect(try problem(vocabulary).contains("\"<0xGG>\""))
    }

    /// Kinds of tokens that no one has defined are taken for text that is none of ours.
    @Test func survivesOddKinds() throws {
        var vocabulary = TinyVocabulary.bytePair()
        vocabulary.add("odd", 99)
        vocabulary.add("odder", -1)
        vocabulary.add("")
        let tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.decode(tokenizer.encode("odd odder", parseSpecial: true)) == "odd odder")
        #expect(tokenizer.bytes(of: 258) == [])
    }
}
