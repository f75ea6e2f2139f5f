import Foundation
import TestSupport
import Testing
import Tokenization

/// Our scanners against the published regular expressions, run by the PyPI package `regex`.
@Suite(.enabled(if: Python.canImport("regex"), "needs Python with regex (HEXAGONRPC_PYTHON)"))
struct PreTokenizerAgreementTests {
    private static let contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    private static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"#
    private static func words(_ digits: String) -> String {
        contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
    private static func casedWords(_ digits: String, _ contractions: String) -> String {
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"# + contractions
            + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"# + contractions
            + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// The letters of alphabets with case that DeepSeek LLM's `tokenizer.json` lists.
    private static let casedLetters =
        "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫ"
        + "ᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-"
        + "ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-"
        + "𞥃"

    /// The patterns of a name, each applied to what the one before has left.
    private static let patterns: [String: [String]] = [
        "llama-bpe": [words(#"\p{N}{1,3}"#)],
        "qwen2": [words(#"\p{N}"#)],
        "qwen35": [
            contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"#
                + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
        ],
        "bailingmoe": [
            #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"#
                + #"|\s+(?!\S)|\s+"#
        ],
        "seed-coder": [
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+"#
                + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
        ],
        "minicpm5": [#"\p{N}{1,3}"#, words(#"\p{N}+"#)],
        "deepseek-v3": [
            #"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+",
            ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
                + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
        ],
        "deepseek-llm": [
            #"[\r\n]"#, #"\s?["# + casedLetters + "]+", #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$"#,
            "[一-龥ࠀ-一가-\u{d7ff}]+", #"\p{N}+"#,
        ],
        "gpt-2": [gpt2],
        "starcoder": [#"\p{N}"#, gpt2],
        "gpt-4o": [casedWords(#"\p{N}{1,3}"#, contractions + "?")],
        "tekken": [casedWords(#"\p{N}"#, "")],
        "falcon": [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"],
        "default": [#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"],
        "deepseek-coder": [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-\u{d7ff}]+", #"\p{N}"#],
    ]

    /// Reads JSON `[patterns, texts]` from a file and prints for each text where its words end, in scalars.
    private static let program = #"""
        import json, sys, regex
        patterns, texts = json.load(open(sys.argv[1], encoding='utf-8'))
        # Python's own \s has four more characters (U+001C to U+001F) than Unicode's White_Space.
        space = r'\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
        def fix(p):
            return p.replace(r'[^\s', '[^' + space).replace(r'\S', '[^' + space + ']').replace(r'\s', '[' + space + ']')
        patterns = [regex.compile(fix(p)) for p in patterns]
        def split(text, start, end, patterns):
            if not patterns: return [end]
            ends, gap = [], start
            for match in patterns[0].finditer(text[start:end]):
                a, b = match.start() + start, match.end() + start
                if a == b: continue
                if a > gap: ends += split(text, gap, a, patterns[1:])
                ends += split(text, a, b, patterns[1:])
                gap = b
            if gap < end: ends += split(text, gap, end, patterns[1:])
            return ends
        print(json.dumps([split(t, 0, len(t), patterns) for t in texts]))
        """#

    @Test(arguments: patterns.keys.sorted())
    func cutsAsTheRegularExpression(name: String) throws {
        let preTokenizer = try #require(PreTokenizer(name: name))
        var texts = Self.randomTexts
        if SharedData.root != nil {
            let wikipedia = String(
                decoding: try SharedData.contents("text/wikitext-2-test.txt"), as: UTF8.self)
            texts.append(String(wikipedia.prefix(200_000)))
            let mixed = try SharedData.contents("tokenizers/ggml-vocab-gpt-2.gguf.inp")
            texts.append(String(decoding: mixed, as: UTF8.self))
        }
        let input = NSTemporaryDirectory() + "/texts-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: input) }
        let question: [Any] = [try #require(Self.patterns[name]), texts]
        try JSONSerialization.data(withJSONObject: question).write(to: URL(fileURLWithPath: input))
        let answer = try JSONDecoder().decode([[Int]].self, from: Python.output(of: Self.program, input))
        #expect(answer.count == texts.count)
        for (text, expected) in zip(texts, answer) {
            #expect(ends(preTokenizer, text) == expected, "\(text.prefix(100).debugDescription)")
        }
    }

    /// Where words end, counted in scalars.
    private func ends(_ preTokenizer: PreTokenizer, _ text: String) -> [Int] {
        var ends: [Int] = []
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            var scalars = 0
            preTokenizer.forEachWord(of: bytes) { word in
                scalars += bytes[word].count { $0 & 0xc0 != 0x80 }
                ends.append(scalars)
            }
        }
        return ends
    }

    /// Short texts of characters that patterns tell apart, so that every corner of them turns up.
    private static let randomTexts: [String] = {
        let pool = Array(
            "aAbZzßÄäǅʰªΩωЖж漢字가คनि०٣½²Ⅷ019 \u{a0}\u{3000}\t\r\n\n  ''sStTrReEvVlLdDmM.,!?-_()/\\$+<=>^~|`§€™©😀👍\u{301}\u{302}\u{200d}\u{ad}\u{7f}\u{1c}"
                .unicodeScalars)
        var state: UInt64 = 42
        func random(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        /// Any character that was assigned in a version of Unicode that both sides know.
        func anyScalar() -> Unicode.Scalar {
            while true {
                let plane = random(4) == 0 ? 0x10000 + random(0x20000) : random(0x10000)
                if let scalar = Unicode.Scalar(UInt32(plane)), let age = scalar.properties.age,
                    age.major <= 12,
                    scalar.properties.generalCategory != .privateUse
                {
                    return scalar
                }
            }
        }
        return (0..<4000).map { number in
            var text = String.UnicodeScalarView()
            for _ in 0...random(16) {
                text.append(number >= 3000 && random(2) == 0 ? anyScalar() : pool[random(pool.count)])
            }
            return String(text)
        }
    }()
}
