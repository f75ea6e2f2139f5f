import TestSupport

extension SeededGenerator {
    /// A number below a limit, which must be positive.
    fileprivate mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

/// One text of the corpus, cut into tokens and declarations beforehand.
struct MutationSource: Sendable {
    let bytes: [UInt8]
    /// Words, numbers, strings, marks and the space between, in order.
    let tokens: [[UInt8]]
    /// Token ranges that end with a `;` of the same nesting: declarations, members, methods.
    let declarations: [Range<Int>]

    init(_ text: String) {
        bytes = Array(text.utf8)
        tokens = Self.split(bytes)
        declarations = Self.declarations(tokens)
    }

    private static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var tokens: [[UInt8]] = []
        var position = 0
        func kind(_ byte: UInt8) -> Int {
            switch byte {
            case 0x20, 0x09...0x0d: 0
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                1
            default: 2
            }
        }
        while position < bytes.count {
            var end = position + 1
            let first = kind(bytes[position])
            while first != 2, end < bytes.count, kind(bytes[end]) == first { end += 1 }
            tokens.append(Array(bytes[position..<end]))
            position = end
        }
        return tokens
    }

    private static func declarations(_ tokens: [[UInt8]]) -> [Range<Int>] {
        var starts = [0]
        var found: [Range<Int>] = []
        for (index, token) in tokens.enumerated() {
            switch token {
            case [UInt8(ascii: "{")]: starts.append(index + 1)
            case [UInt8(ascii: "}")]: if starts.count > 1 { starts.removeLast() }
            case [UInt8(ascii: ";")]:
                found.append(starts[starts.count - 1]..<index + 1)
                starts[starts.count - 1] = index + 1
            default: break
            }
        }
        return found
    }
}

/// Damages texts, at the level of bytes, of tokens and of declarations.
struct Mutator: Sendable {
    let sources: [MutationSource]

    private static let words = [
        "interface", "struct", "enum", "union", "switch", "case", "default", "typedef", "const", "module",
        "native",
        "sequence", "string", "wstring", "dmahandle", "long", "unsigned", "short", "octet", "double", "in",
        "rout",
        "inrout", "async", "attribute", "readonly", "void", "ext_params", "local", "notnil", "TRUE", "::",
        ":",
        "<", ">", "<<", ">>", "{", "}", "(", ")", "[", "]", ";", ",", "=", "-", "~", "*", "/", "%", "|", "&",
        "^",
        "0", "1", "2147483647", "4294967295", "18446744073709551615", "99999999999999999999", "0xffffffff",
        "1e400",
        "remote_handle64", "remote_handle", "AEEResult", "_h", "open", "close", "int",
        "\n#include \"x.idl\"\n",
        "\n#include \"remote.idl\"\n", "\n#define A A A\n", "\n#define long A\n", "\n#if 1\n", "\n#else\n",
        "\n#endif\n",
        "\n#line 4000000000 \"y\"\n", "\n#define B(x) x\n", "\"", "'", "/*", "*/", "//", "/** d */",
        "///< d\n", "\\", "@",
        "\u{fffd}",
    ].map { Array($0.utf8) }

    /// Makes the input of a number.
    func input(_ number: UInt64) -> [UInt8] {
        var random = SeededGenerator(number &* 0x2545_f491_4f6c_dd1d)
        let source = sources[random.below(sources.count)]
        let rounds = 1 + random.below(4)
        switch random.below(8) {
        case 0...2:
            var bytes = source.bytes
            for _ in 0..<rounds { damage(&bytes, &random) }
            return bytes
        case 3...5:
            var tokens = source.tokens
            for _ in 0..<rounds { damage(&tokens, &random) }
            return Array(tokens.joined())
        default:
            return rearranged(source, rounds, &random)
        }
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = random.below(bytes.count)
        switch random.below(6) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(Array("<>{}()[];,:#\"'*/0x9\n\\".utf8)[random.below(21)], at: place)
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + random.below(40)))
        case 4: bytes.removeSubrange(place...)
        default:
            let piece = Array(bytes[place..<min(bytes.count, place + random.below(60))])
            bytes.insert(contentsOf: piece, at: random.below(bytes.count))
        }
    }

    private func damage(_ tokens: inout [[UInt8]], _ random: inout SeededGenerator) {
        guard !tokens.isEmpty else { return }
        let place = random.below(tokens.count)
        switch random.below(6) {
        case 0: tokens[place] = Self.words[random.below(Self.words.count)]
        case 1: tokens.remove(at: place)
        case 2: tokens.insert(Self.words[random.below(Self.words.count)], at: place)
        case 3: tokens.swapAt(place, random.below(tokens.count))
        case 4:
            let other = sources[random.below(sources.count)].tokens
            guard !other.isEmpty else { return }
            tokens[place] = other[random.below(other.count)]
        default:
            // Nesting, as deep as it comes.
            let piece = tokens[place..<min(tokens.count, place + 1 + random.below(6))]
            let count = random.below(16) == 0 ? 400 : random.below(8)
            tokens.insert(contentsOf: Array(repeating: piece, count: count).joined(), at: place)
        }
    }

    private func rearranged(
        _ source: MutationSource, _ rounds: Int, _ random: inout SeededGenerator
    ) -> [UInt8] {
        var tokens = source.tokens
        var declarations = source.declarations
        for _ in 0..<rounds {
            guard !declarations.isEmpty else { break }
            let chosen = declarations[random.below(declarations.count)]
            let other = sources[random.below(sources.count)]
            let piece: [[UInt8]]
            switch random.below(5) {
            case 0: piece = []
            case 1: piece = Array(tokens[chosen]) + Array(tokens[chosen])
            case 2: piece = [Array("module w {".utf8)] + tokens[chosen] + [Array("};".utf8)]
            case 3:
                guard !other.declarations.isEmpty else { continue }
                piece =
                    Array(tokens[chosen])
                    + other.tokens[other.declarations[random.below(other.declarations.count)]]
            default:
                let second = declarations[random.below(declarations.count)]
                piece = Array(tokens[second])
            }
            tokens.replaceSubrange(chosen, with: piece)
            // The ranges behind the place no longer hold.
            let end = chosen.lowerBound
            declarations = declarations.filter { $0.upperBound <= end }
        }
        return Array(tokens.joined())
    }
}
