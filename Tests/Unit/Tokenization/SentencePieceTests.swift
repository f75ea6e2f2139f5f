import GGUF
import TestSupport
import Testing
import Tokenization

@Suite struct SentencePieceTests {
    @Test func mergesByScore() throws {
        var vocabulary = TinyVocabulary.sentencePiece()
        for text in ["▁", "a", "b", "c"] { vocabulary.add(text, score: -100) }
        let ab = vocabulary.add("ab", score: -2)
        let bc = vocabulary.add("bc", score: -1)
        let a = vocabulary.add("▁a", score: -3)
        let tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.encode("abc", addBOS: false, parseSpecial: false) == [a, bc])
        #expect(tokenizer.encode("ab", parseSpecial: false) == [1, 259, ab])
        #expect(tokenizer.encode("ab a", parseSpecial: false) == [1, 259, ab, a])
        #expect(tokenizer.bytes(of: a) == Array(" a".utf8))
        #expect(tokenizer.token(named: " a") == a)
        #expect(tokenizer.bosToken == 1 && tokenizer.eosToken == 2 && tokenizer.unknownToken == 0)
        #expect(tokenizer.isEndOfGeneration(2))
    }

    @Test func putsASpaceFirst() throws {
        var vocabulary = TinyVocabulary.sentencePiece()
        for text in ["▁", "a"] { vocabulary.add(text) }
        let mark = vocabulary.add("<mark>", TinyVocabulary.control)
        var tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.encode("a<mark>a", parseSpecial: true) == [1, 259, 260, mark, 259, 260])
        #expect(tokenizer.encode("", parseSpecial: true) == [1])
        #expect(tokenizer.decode(tokenizer.encode(" a", parseSpecial: true)) == " a")
        vocabulary.set("add_space_prefix", .bool(false))
        tokenizer = try vocabulary.tokenizer()
        #expect(tokenizer.encode("a<mark>a", parseSpecial: true) == [1, 260, mark, 260])
        #expect(tokenizer.decode([260]) == "a" && tokenizer.decode([259, 260]) == " a")
    }

    @Test func fallsBackToBytes() throws {
        let tokenizer = try TinyVocabulary.sentencePiece().tokenizer()
        let (space, first, second): (Int32, Int32, Int32) = (3 + 0x20, 3 + 0xc3, 3 + 0x9f)
        #expect(tokenizer.encode("ß", addBOS: false, parseSpecial: false) == [space, first, second])
        #expect(tokenizer.decode([first, second]) == "ß")
        var vocabulary = TinyVocabulary("llama")
        vocabulary.add("<unk>", TinyVocabulary.unknown)
        let a = vocabulary.add("a")
        let plain = try vocabulary.tokenizer()
        #expect(plain.encode("aß", addBOS: false, parseSpecial: false) == [0, a, 0])
    }

    @Test func textBecomesNoControlToken() throws {
        var vocabulary = TinyVocabulary.sentencePiece()
        for text in ["<", "s", ">", "s>"] { vocabulary.add(text, score: -1) }
        let tokenizer = try vocabulary.tokenizer()
        #expect(!tokenizer.encode("<s>", addBOS: false, parseSpecial: false).contains(1))
        #expect(tokenizer.encode("<s>", addBOS: false, parseSpecial: true) == [1])
    }

    /// Random vocabularies against the definition: join the neighbours whose union scores most, leftmost first.
    @Test(arguments: 0..<20)
    func mergesAsDefined(seed: Int) throws {
        var dice = SeededGenerator(UInt64(seed))
        var vocabulary = TinyVocabulary.sentencePiece()
        let letters = [" ", "a", "b", "ß"]
        var scores: [String: Float] = [:]
        for letter in letters { scores[letter] = -1000 }
        for _ in 0..<40 {
            let (left, right) = (
                scores.keys.sorted().randomElement(using: &dice) ?? "",
                scores.keys.sorted().randomElement(using: &dice) ?? ""
            )
            // In every other vocabulary no token goes on behind a space, as in most models.
            if seed % 2 == 0, (left + right).drop(while: { $0 == " " }).contains(" ") { continue }
            if scores[left + right] == nil {
                scores[left + right] = Float(Int.random(in: -20...0, using: &dice))
            }
        }
        for (text, score) in scores.sorted(by: { $0.key < $1.key }) {
            vocabulary.add(String(text.map { $0 == " " ? "▁" : $0 }), score: score)
        }
        let tokenizer = try vocabulary.tokenizer()
        for length in [1, 2, 3, 5, 8, 13, 34, 89, 200] {
            let text = (0..<length).map { _ in letters.randomElement(using: &dice) ?? "" }.joined()
            var parts = [" "] + text.map(String.init)
            while true {
                let unions = zip(parts, parts.dropFirst()).map { scores[$0 + $1] }
                guard let most = unions.compactMap({ $0 }).max(), let left = unions.firstIndex(of: most)
                else { break }
                parts.replaceSubrange(left...left + 1, with: [parts[left] + parts[left + 1]])
            }
            let tokens = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(tokens.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) } == parts)
            #expect(tokenizer.decode(tokens) == text)
        }
    }

    @Test func goesThereAndBack() throws {
        var dice = SeededGenerator(9)
        let tokenizer = try TinyVocabulary.sentencePiece().tokenizer()
        for length in 0..<100 {
            // The vocabulary writes spaces as ▁, so that one comes back as a space.
            let text = dice.text(length)
            let expected = String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "▁" ? " " : $0 }))
            #expect(tokenizer.decode(tokenizer.encode(text, parseSpecial: true)) == expected)
        }
    }
}
