import Foundation
import GGUF
import Tokenization
import TestSupport

/// A vocabulary made up for a test, brought into being through a GGUF file.
struct TinyVocabulary {
    var tokens: [[UInt8]] = []
    var kinds: [Int32] = []
    var scores: [Float] = []
    var merges: [String] = []
    var values: [(String, MetadataValue)] = []
    let model: String

    static let normal: Int32 = 1
    static let unknown: Int32 = 2
    static let control: Int32 = 3
    static let userDefined: Int32 = 4
    static let byte: Int32 = 6

    init(_ model: String) {
        self.model = model
    }

    @discardableResult
    mutating func add(_ text: String, _ kind: Int32 = normal, score: Float = 0) -> Int32 {
        tokens.append(Array(text.utf8))
        kinds.append(kind)
        scores.append(score)
        return Int32(tokens.count - 1)
    }

    mutating func set(_ key: String, _ value: MetadataValue) {
        values.append(("tokenizer.ggml." + key, value))
    }

    /// The file's tokenizer; `change` may spoil the file before it is written.
    func tokenizer(_ change: (inout GGUFWriter) -> Void = { _ in }) throws -> Tokenizer {
        var writer = GGUFWriter()
        writer.set("tokenizer.ggml.model", .string(model))
        writer.set("tokenizer.ggml.tokens", .array(MetadataArray(byteStrings: tokens)))
        writer.set("tokenizer.ggml.token_type", .array(MetadataArray(kinds)))
        if model == "llama" { writer.set("tokenizer.ggml.scores", .array(MetadataArray(scores))) }
        if model == "gpt2" { writer.set("tokenizer.ggml.merges", .array(MetadataArray(merges))) }
        for (key, value) in values { writer.set(key, value) }
        change(&writer)
        let path = NSTemporaryDirectory() + "/vocabulary-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try writer.write(to: path)
        return try Tokenizer(GGUFFile(path: path))
    }

    /// GPT-2's way to write a byte, put together here from its definition.
    static let alphabet: [String] = {
        let printable = Set(Array(33...126) + Array(161...172) + Array(174...255))
        let others = (0...255).filter { !printable.contains($0) }
        return (0...255).map { byte in
            let code = others.firstIndex(of: byte).map { 256 + $0 } ?? byte
            return Unicode.Scalar(UInt32(code)).map(String.init) ?? ""
        }
    }()

    /// Byte-level BPE with all 256 bytes, token numbers equal to them.
    static func bytePair(_ preTokenizer: String = "gpt-2") -> TinyVocabulary {
        var vocabulary = TinyVocabulary("gpt2")
        for character in alphabet { vocabulary.add(character) }
        vocabulary.set("pre", .string(preTokenizer))
        return vocabulary
    }

    /// SentencePiece with `<unk>`, `<s>`, `</s>` and the 256 byte tokens from 3 on.
    static func sentencePiece() -> TinyVocabulary {
        var vocabulary = TinyVocabulary("llama")
        vocabulary.add("<unk>", unknown)
        vocabulary.add("<s>", control)
        vocabulary.add("</s>", control)
        for value in 0..<256 {
            let digits = String(value, radix: 16, uppercase: true)
            vocabulary.add("<0x" + (value < 16 ? "0" : "") + digits + ">", byte)
        }
        return vocabulary
    }
}

extension SeededGenerator {
    /// Text of all planes, with much space, many digits and quotes.
    mutating func text(_ count: Int) -> String {
        var text = ""
        for _ in 0..<count {
            let scalar: UInt32 =
                switch Int.random(in: 0..<8, using: &self) {
                case 0: UInt32(Array(" \n\r\t'_".utf8).randomElement(using: &self) ?? 0)
                case 1: .random(in: 0x30...0x39, using: &self)
                case 2...4: .random(in: 0...0x7f, using: &self)
                case 5: .random(in: 0x80...0x7ff, using: &self)
                case 6: .random(in: 0x800...0xffff, using: &self)
                default: .random(in: 0x10000...0x10ffff, using: &self)
                }
            text.unicodeScalars.append(Unicode.Scalar(scalar) ?? "'")
        }
        return text
    }
}
