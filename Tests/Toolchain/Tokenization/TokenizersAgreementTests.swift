import Foundation
import GGUF
import TestSupport
import Testing
import Tokenization

/// Whole texts against Hugging Face's tokenizers, built from the same vocabulary and merges.
@Suite(
    .needsSharedData,
    .enabled(
        if: Python.canImport("gguf", "tokenizers"),
        "needs Python with gguf and tokenizers (HEXAGONRPC_PYTHON)"))
struct TokenizersAgreementTests {
    private static let program = #"""
        import json, sys
        from gguf import GGUFReader
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers
        path, pattern, ignore_merges = sys.argv[1], sys.argv[2], sys.argv[3] == 'true'
        fields = GGUFReader(path).fields
        vocabulary = {t: i for i, t in enumerate(fields['tokenizer.ggml.tokens'].contents())}
        merges = [tuple(m.split(' ')) for m in fields['tokenizer.ggml.merges'].contents()]
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), 'isolated'),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        texts = json.load(open(sys.argv[4], encoding='utf-8'))
        print(json.dumps([tokenizer.encode(t, add_special_tokens=False).ids for t in texts]))
        """#

    private static let contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"

    @Test(arguments: [("llama-bpe", #"\p{N}{1,3}"#, true), ("qwen2", #"\p{N}"#, false)])
    func encodesAlike(name: String, digits: String, ignoresMerges: Bool) throws {
        let path = SharedData.path("tokenizers/ggml-vocab-\(name).gguf")
        let pattern =
            Self.contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        var texts = try [
            "text/wikitext-2-test.txt", "text/alice29.txt", "tokenizers/ggml-vocab-gpt-2.gguf.inp",
        ]
        .map { String(decoding: try SharedData.contents($0), as: UTF8.self) }
        // Words that were never trained on, long and short.
        var state: UInt64 = 1
        for length in 1...300 {
            texts.append(
                String(
                    (0..<length).map { _ in
                        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        return "abcdefghijklmnopqrstuvwxyzäß漢가".randomCharacter(state >> 33)
                    }))
        }
        let input = NSTemporaryDirectory() + "/texts-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: input) }
        try JSONEncoder().encode(texts).write(to: URL(fileURLWithPath: input))
        let output = try Python.output(of: Self.program, path, pattern, String(ignoresMerges), input)
        let answer = try JSONDecoder().decode([[Int32]].self, from: output)
        let tokenizer = try Tokenizer(GGUFFile(path: path))
        #expect(answer.count == texts.count)
        for (text, expected) in zip(texts, answer) {
            let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(tokens == expected, "\(text.prefix(60).debugDescription)")
        }
    }
}

extension String {
    fileprivate func randomCharacter(_ number: UInt64) -> Character {
        self[index(startIndex, offsetBy: Int(number) % count)]
    }
}
