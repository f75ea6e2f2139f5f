import GGUF
import TestSupport
import Testing
import Tokenization

@Suite struct BytePairTests {
    @Test func mergesByRankAndThenFromTheLeft() throws {
        var vocabulary = TinyVocabulary.bytePair()
        vocabulary.merges = ["b c", "a b", "a a", "aa a"]
        let (bc, ab, aa, aaa) = (
            vocabulary.add("bc"), vocabulary.add("ab"), vocabulary.add("aa"), vocabulary.add("aaa")
        )
        let tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.encode("abc", parseSpecial: false) == [97, bc])
        #expect(tokenizer.encode("abab", parseSpecial: false) == [ab, ab])
        #expect(tokenizer.encode("aaa", parseSpecial: false) == [aaa])
        #expect(tokenizer.encode("aaaa", parseSpecial: false) == [aa, aa])
        #expect(tokenizer.encode("", parseSpecial: true) == [])
        #expect(tokenizer.kind == .bytePair && tokenizer.vocabularySize == 260)
        #expect(tokenizer.bytes(of: bc) == Array("bc".utf8) && tokenizer.bytes(of: 0x20) == [0x20])
    }

    /// Random vocabularies against the definition: join the pair of least rank, leftmost first, until none is left.
    @Test(arguments: 0..<20)
    func mergesAsDefined(seed: Int) throws {
        var dice = SeededGenerator(UInt64(seed))
        var vocabulary = TinyVocabulary.bytePair()
        var texts = ["a", "b", "c", "ß"]
        var ranks: [[String]: Int] = [:]
        // Two bytes of ß first, so that it can be a part.
        vocabulary.merges = ["Ã Ł"]
        vocabulary.add("ÃŁ")
        for _ in 0..<40 {
            let (left, right) = (
                texts.randomElement(using: &dice) ?? "", texts.randomElement(using: &dice) ?? ""
            )
            guard ranks[[left, right]] == nil else { continue }
            ranks[[left, right]] = ranks.count
            func written(_ text: String) -> String {
                text.utf8.map { TinyVocabulary.alphabet[Int($0)] }.joined()
            }
            vocabulary.merges.append(written(left) + " " + written(right))
            if !texts.contains(left + right) {
                texts.append(left + right)
                vocabulary.add(written(left + right))
            }
        }
        let tokenizer = try vocabulary.tokenizer()
        for length in [1, 2, 3, 5, 8, 13, 21, 34, 47, 48, 49, 55, 89, 200] {
            var parts = (0..<length).map { _ in ["a", "b", "c", "ß"].randomElement(using: &dice) ?? "" }
            let text = parts.joined()
            while true {
                let pairs = zip(parts, parts.dropFirst()).map { ranks[[$0, $1]] }
                guard let least = pairs.compactMap({ $0 }).min(), let left = pairs.firstIndex(of: least)
                else { break }
                parts.replaceSubrange(left...left + 1, with: [parts[left] + parts[left + 1]])
            }
            let tokens = tokenizer.encode(text, parseSpecial: false)
            #expect(tokens.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) } == parts)
        }
    }

    @Test func takesWholeWordsWhereTheModelDoes() throws {
        for (name, isWhole) in [("llama-bpe", true), ("qwen2", false)] {
            var vocabulary = TinyVocabulary.bytePair(name)
            let word = vocabulary.add("xyz")
            let bos = vocabulary.add("<bos>", TinyVocabulary.control)
            vocabulary.set("bos_token_id", .uint32(UInt32(bos)))
            let tokenizer = try vocabulary.tokenizer()
            let expected = isWhole ? [bos, word] : [120, 121, 122]
            #expect(tokenizer.encode("xyz", parseSpecial: false) == expected)
        }
    }

    @Test func findsSpecialTokens() throws {
        var vocabulary = TinyVocabulary.bytePair()
        let end = vocabulary.add("<|im_end|>", TinyVocabulary.control)
        let longer = vocabulary.add("<|im_end|>!", TinyVocabulary.control)
        let tool = vocabulary.add("<tool>", TinyVocabulary.userDefined)
        let bos = vocabulary.add("<|bos|>", TinyVocabulary.control)
        vocabulary.set("bos_token_id", .uint32(UInt32(bos)))
        vocabulary.set("eos_token_id", .uint32(UInt32(longer)))
        vocabulary.set("add_bos_token", .bool(true))
        vocabulary.set("add_eos_token", .bool(true))
        let tokenizer = try vocabulary.tokenizer()
        let text = "a<tool>b<|im_end|>c<|im_end|>!"
        #expect(
            tokenizer.encode(text, addBOS: false, parseSpecial: true) == [97, tool, 98, end, 99, longer])
        let plain = tokenizer.encode(text, addBOS: false, parseSpecial: false)
        #expect(plain.prefix(3) == [97, tool, 98] && !plain.contains(end) && !plain.contains(longer))
        #expect(tokenizer.decode(plain) == text)
        #expect(tokenizer.encode("a", parseSpecial: true) == [bos, 97, longer])
        #expect(tokenizer.encode("a", addBOS: true, parseSpecial: true) == [bos, 97, longer])
        #expect(tokenizer.decode([bos, 97, end, 98]) == "ab")
        #expect(tokenizer.decode([bos, 97, end, 98], renderSpecial: true) == "<|bos|>a<|im_end|>b")
        #expect(tokenizer.token(named: "<|im_end|>") == end && tokenizer.token(named: "a") == 97)
        #expect(tokenizer.token(named: "none") == nil)
        #expect(tokenizer.endOfGenerationTokens == [end, longer])
        #expect(tokenizer.isEndOfGeneration(end) && !tokenizer.isEndOfGeneration(97))
        #expect(tokenizer.isControl(bos) && !tokenizer.isControl(tool) && !tokenizer.isControl(-1))
        #expect(tokenizer.bytes(of: -1).isEmpty && tokenizer.bytes(of: .max).isEmpty)
        #expect(tokenizer.decode([-1, .min]).isEmpty)
    }

    /// A token that merges make is text, however it looks (Qwen's `</s>`).
    @Test func aMergedTextEndsNothing() throws {
        var vocabulary = TinyVocabulary.bytePair()
        vocabulary.merges = ["< /", "</ s", "</s >"]
        for text in ["</", "</s", "</s>"] { vocabulary.add(text) }
        #expect(try vocabulary.tokenizer().endOfGenerationTokens.isEmpty)
        vocabulary.merges = ["< /", "</ s"]
        #expect(try vocabulary.tokenizer().endOfGenerationTokens == [258])
    }

    @Test func harmonyMessagesEndWithoutEndingGeneration() throws {
        var vocabulary = TinyVocabulary.bytePair()
        let names = ["<|return|>", "<|call|>", "<|end|>", "<|endoftext|>"]
        let tokens = names.map { vocabulary.add($0, TinyVocabulary.control) }
        #expect(try vocabulary.tokenizer().endOfGenerationTokens == [tokens[0], tokens[1], tokens[3]])
    }

    @Test func goesThereAndBack() throws {
        var dice = SeededGenerator(7)
        for name in Tokenizer.supportedPreTokenizers {
            let tokenizer = try TinyVocabulary.bytePair(name).tokenizer()
            for length in 0..<60 {
                let text = dice.text(length)
                let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: true)
                #expect(tokenizer.decode(tokens) == text)
                #expect(tokens.map(UInt8.init) == Array(text.utf8))
            }
        }
    }

    @Test func anyBytesAreText() throws {
        var dice = SeededGenerator(8)
        for name in Tokenizer.supportedPreTokenizers {
            let tokenizer = try TinyVocabulary.bytePair(name).tokenizer()
            for length in 0..<60 {
                let bytes = (0..<length).map { _ in
                    Bool.random(using: &dice)
                        ? UInt8.random(in: 0x80...0xff, using: &dice) : UInt8.random(in: 0...0x7f)
                }
                let tokens = bytes.withUnsafeBytes { tokenizer.encode(utf8: $0, parseSpecial: false) }
                #expect(tokens.map(UInt8.init) == bytes)
            }
        }
    }
}
