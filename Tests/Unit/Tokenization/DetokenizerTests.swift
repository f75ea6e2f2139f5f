import TestSupport
import Testing
import Tokenization

@Suite struct DetokenizerTests {
    private func tokenizer() throws -> Tokenizer { try TinyVocabulary.bytePair().tokenizer() }

    @Test func neverSplitsACharacter() throws {
        var detokenizer = Detokenizer(try tokenizer())
        let pieces = "aß€😀".utf8.map { detokenizer.append(Int32($0)) }
        #expect(pieces == ["a", "", "ß", "", "", "€", "", "", "", "😀"])
        #expect(detokenizer.finish() == "")
    }

    @Test func unfinishedCharactersComeOutAtTheEnd() throws {
        var detokenizer = Detokenizer(try tokenizer())
        #expect(detokenizer.append(0x41) + detokenizer.append(0xf0) + detokenizer.append(0x9f) == "A")
        #expect(detokenizer.finish() == "\u{fffd}")
        #expect(detokenizer.finish() == "")
    }

    /// However the bytes are cut, the text is the one the standard library makes of all of them.
    @Test func repairsAsTheWholeTextIsRepaired() throws {
        let tokenizer = try tokenizer()
        var dice = SeededGenerator(1)
        let interesting: [UInt8] = [
            0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf1, 0xf4, 0xf5,
            0xff,
        ]
        for _ in 0..<2000 {
            let bytes = (0..<12).map { _ in interesting.randomElement(using: &dice) ?? 0 }
            #expect(tokenizer.decode(bytes.map(Int32.init)) == String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func goesOnFromAPromptWithItsSpace() throws {
        var vocabulary = TinyVocabulary.sentencePiece()
        let word = vocabulary.add("▁word")
        let tokenizer = try vocabulary.tokenizer()
        var going = Detokenizer(tokenizer)
        #expect(going.append(word) == " word")
        var beginning = Detokenizer(tokenizer, isStartOfText: true)
        #expect([1, word, word].map { beginning.append($0) } == ["", "word", " word"])
        #expect(tokenizer.decode([1, word, 2, word]) == "word word")
    }
}
