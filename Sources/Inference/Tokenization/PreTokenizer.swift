/// How a byte-level BPE vocabulary's text is cut into words before merging.
///
/// A pre-tokenizer is a row of patterns. Each one is applied to every piece the ones before have left: what
/// matches becomes a piece of its own, and so does what lies between matches. The patterns are those of the
/// published `tokenizer.json` files; which name stands for which is llama.cpp's convention.
package struct PreTokenizer: Sendable {
    /// `tokenizer.ggml.pre`.
    let name: String
    let patterns: [Pattern]
    /// A word that is a token is taken whole, even where no merges lead to it.
    var takesWholeWords = false
    /// Whether a BOS token comes first where the file does not say.
    var addsBOS = false

    /// A regular expression, as a scanner.
    enum Pattern: Sendable {
        /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
        case gpt2
        /// Llama 3 and Qwen: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}|`
        /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`; with `marks`, `\p{M}` counts as a letter, and
        /// without `lineEnds` symbols do not take the line ends behind them.
        case words(digits: Int, marks: Bool = false, lineEnds: Bool = true)
        /// GPT-4o: words begin where lower case turns to upper, and carry their contraction:
        /// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|…)?|`
        /// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|…)?|`
        /// `\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
        case casedWords(digits: Int, contractions: Bool)
        /// DeepSeek V3: ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|``
        /// ` ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
        case prefixedWords
        /// `\p{N}`, each by itself.
        case eachNumber
        /// `\p{N}{1,atMost}`
        case numbers(atMost: Int = .max)
        /// `[0-9][0-9][0-9]`
        case threeDigits
        /// ``[\p{P}\$\+<=>\^~\|`]+``; without `backtick`, not that one.
        case punctuation(backtick: Bool)
        /// `[\r\n]`, each by itself.
        case eachNewline
        /// `\s?\p{L}+`
        case letters
        /// `\s?\p{P}+`
        case spacedPunctuation
        /// `\s?` and letters of alphabets with case, as DeepSeek LLM lists them.
        case casedLetters
        /// `\s?` and ASCII, full-width, general or CJK punctuation, as DeepSeek LLM lists it.
        case listedPunctuation
        /// `\s+$`
        case trailingSpace
        /// `[一-龥ࠀ-一가-퟿]+`
        case eastAsian
        /// `[一-龥぀-ゟ゠-ヿ]+`
        case chineseAndKana
    }

    /// The pre-tokenizer of that name, or nil.
    package init?(name: String) {
        guard let entry = Self.table.first(where: { $0.names.contains(name) }) else { return nil }
        self = entry.make(name)
    }

    private init(
        name: String, _ patterns: [Pattern], takesWholeWords: Bool = false, addsBOS: Bool = false
    ) {
        self.name = name
        self.patterns = patterns
        self.takesWholeWords = takesWholeWords
        self.addsBOS = addsBOS
    }

    /// Every name there is a pre-tokenizer for.
    package static let names: [String] = table.flatMap(\.names)

    private static let table: [(names: [String], make: @Sendable (String) -> PreTokenizer)] = [
        (
            [
                "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
                "jina-v5-nano",
            ],
            { PreTokenizer(name: $0, [.words(digits: 3)], takesWholeWords: true, addsBOS: true) }
        ),
        (["dbrx", "smaug-bpe", "chatglm-bpe"], { PreTokenizer(name: $0, [.words(digits: 3)]) }),
        (["glm4", "glm5"], { PreTokenizer(name: $0, [.words(digits: 3)], takesWholeWords: true) }),
        (
            ["minicpm5"],
            {
                PreTokenizer(name: $0, [.numbers(atMost: 3), .words(digits: .max)], takesWholeWords: true)
            }
        ),
        (
            [
                "qwen2", "deepseek-r1-qwen", "megrez", "hunyuan", "solar-open", "stablelm2", "grok-2",
                "kormo",
                "f2llmv2", "bailingmoe", "bailingmoe2", "llada-moe",
            ],
            { PreTokenizer(name: $0, [.words(digits: 1)]) }
        ),
        (["seed-coder"], { PreTokenizer(name: $0, [.words(digits: 1, lineEnds: false)]) }),
        (["qwen35"], { PreTokenizer(name: $0, [.words(digits: 1, marks: true)]) }),
        (
            [
                "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "mellum",
                "gigachat", "a.x-4.0", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "modern-bert",
            ],
            { PreTokenizer(name: $0, [.gpt2]) }
        ),
        (
            [
                "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2",
            ],
            { PreTokenizer(name: $0, [.eachNumber, .gpt2]) }
        ),
        (
            ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
            { PreTokenizer(name: $0, [.casedWords(digits: 3, contractions: true)]) }
        ),
        (
            ["granite-embed-multi-97m"],
            {
                PreTokenizer(
                    name: $0, [.casedWords(digits: 3, contractions: true)], takesWholeWords: true)
            }
        ),
        (
            ["tekken"],
            {
                PreTokenizer(
                    name: $0, [.casedWords(digits: 1, contractions: false)], takesWholeWords: true,
                    addsBOS: true)
            }
        ),
        (["falcon"], { PreTokenizer(name: $0, [.punctuation(backtick: true), .gpt2, .threeDigits]) }),
        (
            ["default"],
            { PreTokenizer(name: $0, [.punctuation(backtick: false), .gpt2, .numbers(), .threeDigits]) }
        ),
        (
            ["deepseek-llm"],
            {
                PreTokenizer(
                    name: $0,
                    [.eachNewline, .casedLetters, .listedPunctuation, .trailingSpace, .eastAsian, .numbers()])
            }
        ),
        (
            ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
            { PreTokenizer(name: $0, [.numbers(atMost: 3), .chineseAndKana, .prefixedWords]) }
        ),
        (
            ["deepseek-coder"],
            {
                PreTokenizer(
                    name: $0, [.eachNewline, .letters, .spacedPunctuation, .eastAsian, .eachNumber])
            }
        ),
    ]

    /// Calls `body` with the range of every word of `text`, in order; the ranges cover the text.
    package func forEachWord(of text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        let scanner = PatternScanner(ScalarReader(text))
        split(0..<text.count, patterns[...], scanner, body)
    }

    private func split(
        _ piece: Range<Int>, _ patterns: ArraySlice<Pattern>, _ scanner: PatternScanner,
        _ body: (Range<Int>) -> Void
    ) {
        guard let pattern = patterns.first else { return body(piece) }
        let rest = patterns.dropFirst()
        let end = piece.upperBound
        var gap = piece.lowerBound
        var offset = gap
        while offset < end {
            let matched = scanner.match(pattern, offset, end)
            if matched > offset {
                if gap < offset { split(gap..<offset, rest, scanner, body) }
                split(offset..<matched, rest, scanner, body)
                offset = matched
                gap = matched
            } else {
                offset = scanner.reader.character(at: offset, end).next
            }
        }
        if gap < end { split(gap..<end, rest, scanner, body) }
    }
}
