import GGUF
import TestSupport
import Testing
import Tokenization

/// Texts in parts, of which only some may write control tokens, with real vocabularies.
@Suite(.needsSharedData) struct TextPieceTests {
    private static let contents = [
        "Hello", " Hello  world,\n\n hä? 123 ", "\n", "  ", "", "日本語 😀\t", "user", "'s a <b>",
    ]

    @Test(arguments: SharedData.files(in: "tokenizers", suffix: ".gguf")) func areTheWholeText(name: String)
        throws
    {
        let tokenizer = try Tokenizer(GGUFFile(path: SharedData.path(name)))
        let control = (0..<Int32(tokenizer.vocabularySize)).filter { tokenizer.isControl($0) }
        let marks = control.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }.filter {
            tokenizer.token(named: $0).map(tokenizer.isControl) ?? false
        }
        let mark = try #require(marks.first)
        let other = marks.last ?? mark
        for content in Self.contents {
            let pieces = [
                TextPiece(mark + "user\n", parsesSpecial: true), TextPiece(content, parsesSpecial: false),
                TextPiece(other + "\n" + mark + " ", parsesSpecial: true),
                TextPiece(content, parsesSpecial: false),
                TextPiece(".", parsesSpecial: true),
            ]
            let whole = pieces.map(\.text).joined()
            #expect(
                tokenizer.encode(pieces, addBOS: false)
                    == tokenizer.encode(whole, addBOS: false, parseSpecial: true), "\(content)")
        }
        // What somebody says makes none of them, in one part or across two.
        let said = [
            TextPiece("a", parsesSpecial: true), TextPiece("x " + mark + " y", parsesSpecial: false),
            TextPiece(String(other.dropLast()), parsesSpecial: true),
            TextPiece(String(other.suffix(1)), parsesSpecial: false),
        ]
        for text in [mark, other] {
            let id = try #require(tokenizer.token(named: text))
            #expect(!tokenizer.encode(said, addBOS: false).contains(id))
        }
        // BOS is there once.
        if let bos = tokenizer.bosToken, let text = marks.first(where: { tokenizer.token(named: $0) == bos })
        {
            for first in ["", text] {
                let tokens = tokenizer.encode([TextPiece(first + "a", parsesSpecial: true)], addBOS: true)
                #expect(tokens.filter { $0 == bos }.count == 1 && tokens.first == bos)
            }
        }
    }
}
