/// Turns a file and everything it includes into one list of tokens.
///
/// Knows `#include`, `#define` and `#undef` of plain names, `#if`, `#ifdef`, `#ifndef`, `#elif`, `#else`,
/// `#endif`, `#line` and `#error`; ignores `#pragma`.
struct Preprocessor {
    /// Reads a file, or returns nil where there is none.
    typealias FileReader = (_ path: String) -> [UInt8]?

    private struct Condition {
        var location: Location
        /// Whether the lines of the current branch count.
        var isTaken: Bool
        /// Whether a branch of this conditional has been taken already.
        var wasTaken: Bool
        var sawElse = false
    }

    /// A file as `#include` names it, and what was found.
    private struct IncludedFile {
        var name: String
        var path: String
        var bytes: [UInt8]
    }

    private static let depthLimit = 64
    private static let includeLimit = 1000
    private static let expansionLimit = 1 << 16

    private let includePaths: [String]
    private let read: FileReader
    private(set) var macros: [String: [Token]]
    private(set) var tokens: [Token] = []
    /// Files that the first file itself includes outside of all braces, as written, in order, each once. What
    /// is included inside an interface is part of that interface.
    private(set) var includedFiles: [String] = []
    /// Whether the first file itself includes remote.idl.
    private(set) var includesRemote = false
    /// Braces that are open.
    private var braces = 0
    private var includeCount = 0
    /// Tokens that macros stood for, and macros that were replaced.
    private var expansionCount = 0
    /// Macros with parameters: known to conditionals, but not replaced.
    private var functionMacros: Set<String> = []
    private var errors = ErrorList()

    init(includePaths: [String], defines: [String], read: @escaping FileReader) {
        self.includePaths = includePaths
        self.read = read
        macros = [:]
        for define in defines { macros[define] = [] }
    }

    /// Adds the tokens of `path` and its includes; ends with one `endOfFile`.
    mutating func process(path: String) throws(IDLError) {
        guard let bytes = read(path) else {
            throw IDLError(
                at: Location(file: path, line: 1, column: 1), "the file cannot be read",
                hint: "check the path and its permissions")
        }
        let end = try process(bytes, path: path, depth: 0)
        try errors.check()
        tokens.append(end)
    }

    private mutating func process(_ bytes: [UInt8], path: String, depth: Int) throws(IDLError) -> Token {
        var lexer = Lexer(bytes, file: path)
        var conditions: [Condition] = []
        while true {
            let token = lexer.next()
            let isSkipping = conditions.contains { !$0.isTaken }
            switch token.kind {
            case .endOfFile:
                if let open = conditions.last {
                    try errors.addOrThrow(
                        IDLError(at: open.location, "a conditional without its #endif", hint: "add #endif"))
                }
                return token
            case .directive(let text):
                let included: IncludedFile?
                do throws(IDLError) {
                    included = try directive(
                        text, at: token.location, conditions: &conditions, lexer: &lexer, path: path)
                } catch {
                    try errors.addOrThrow(error)
                    continue
                }
                if let included { try process(included, at: token.location, depth: depth) }
            case .invalid where isSkipping:
                continue
            case .invalid(let reason):
                try errors.addOrThrow(IDLError(at: token.location, "found \(reason)"))
            case .identifier(let name) where !isSkipping && macros[name] != nil:
                do throws(IDLError) { try expand(name, token, hiding: []) } catch {
                    try errors.addOrThrow(error)
                }
            default:
                guard !isSkipping else { continue }
                if token.kind == .punctuator("{") { braces += 1 }
                if token.kind == .punctuator("}") { braces -= 1 }
                tokens.append(token)
            }
        }
    }

    private mutating func process(
        _ included: IncludedFile, at location: Location, depth: Int
    ) throws(IDLError) {
        includeCount += 1
        guard depth < Self.depthLimit, includeCount <= Self.includeLimit else {
            throw IDLError(
                at: location,
                depth < Self.depthLimit
                    ? "more than \(Self.includeLimit) files are included"
                    : "files include each other more than \(Self.depthLimit) deep",
                hint: "guard included files with #ifndef")
        }
        if depth == 0 {
            if fileName(included.name) == "remote.idl" { includesRemote = true }
            if braces == 0, !includedFiles.contains(included.name) { includedFiles.append(included.name) }
        }
        _ = try process(included.bytes, path: included.path, depth: depth + 1)
    }

    private mutating func expand(
        _ name: String, _ use: Token, hiding hidden: Set<String>
    ) throws(IDLError) {
        expansionCount += 1 + (macros[name]?.count ?? 0)
        guard expansionCount < Self.expansionLimit, hidden.count < Self.depthLimit else {
            throw IDLError(at: use.location, "the macro \(name) expands to too much text")
        }
        guard !functionMacros.contains(name) else {
            throw IDLError(
                at: use.location, "the macro \(name) has parameters, which are not supported",
                hint: "use a const, or preprocess the file with a C preprocessor")
        }
        for var token in macros[name] ?? [] {
            token.location = use.location
            token.leadingDoc = use.leadingDoc
            if case .identifier(let inner) = token.kind, inner != name, !hidden.contains(inner),
                macros[inner] != nil
            {
                try expand(inner, token, hiding: hidden.union([name]))
            } else {
                tokens.append(token)
            }
        }
    }

    /// Obeys one directive. Returns the file that an `#include` names.
    private mutating func directive(
        _ text: String, at location: Location, conditions: inout [Condition], lexer: inout Lexer, path: String
    ) throws(IDLError) -> IncludedFile? {
        let trimmed = text.drop { $0 == " " || $0 == "\t" }
        let word = String(trimmed.prefix { $0.isLetter })
        let rest = trimmed.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }
        let isSkipping = conditions.contains { !$0.isTaken }

        switch word {
        case "if", "ifdef", "ifndef":
            guard conditions.count < Self.depthLimit else {
                throw IDLError(at: location, "conditionals nest more than \(Self.depthLimit) deep")
            }
            // Inside a skipped branch every branch is skipped.
            var isTrue = false
            if !isSkipping { isTrue = try condition(word, rest, at: location) }
            conditions.append(Condition(location: location, isTaken: isTrue, wasTaken: isTrue || isSkipping))
        case "elif", "else":
            guard var last = conditions.popLast(), !last.sawElse else {
                throw IDLError(at: location, "#\(word) without an open #if")
            }
            var isTrue = !last.wasTaken
            if isTrue, word == "elif" { isTrue = try condition("if", rest, at: location) }
            last.isTaken = isTrue
            last.wasTaken = last.wasTaken || isTrue
            last.sawElse = word == "else"
            conditions.append(last)
        case "endif":
            guard conditions.popLast() != nil else {
                throw IDLError(at: location, "#endif without an open #if")
            }
        case _ where isSkipping:
            break
        case "include":
            return try include(rest, at: location, from: path)
        case "define":
            try define(rest, at: location)
        case "undef":
            let name = String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
            macros[name] = nil
            functionMacros.remove(name)
        case "pragma", "ident":
            break
        case "error":
            throw IDLError(at: location, "#error \(rest)")
        case "line", "":
            try relocate(rest, at: location, &lexer, path)
        default:
            throw IDLError(
                at: location, "#\(word) is not supported",
                hint:
                    "known: include, define, undef, if, ifdef, ifndef, elif, else, endif, line, pragma, error"
            )
        }
        return nil
    }

    private mutating func include(
        _ rest: Substring, at location: Location, from path: String
    ) throws(IDLError) -> IncludedFile {
        let close: Character? = rest.first == "\"" ? "\"" : rest.first == "<" ? ">" : nil
        guard let close, let end = rest.dropFirst().firstIndex(of: close) else {
            throw IDLError(
                at: location, "#include without a file name", hint: "write #include \"name.idl\"")
        }
        let name = String(rest.dropFirst()[..<end])
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let folders = (close == "\"" ? [folder] : []) + includePaths.map { $0.hasSuffix("/") ? $0 : $0 + "/" }
        for folder in name.hasPrefix("/") ? [""] : folders {
            if let bytes = read(folder + name) {
                return IncludedFile(name: name, path: folder + name, bytes: bytes)
            }
        }
        if let text = BuiltinFiles.text(of: name) {
            return IncludedFile(name: name, path: name, bytes: Array(text.utf8))
        }
        throw IDLError(
            at: location, "the included file \(name) is not found",
            hint: "name its folder with -I; remote.idl and AEEStdDef.idl are built in")
    }

    private mutating func define(_ rest: Substring, at location: Location) throws(IDLError) {
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        guard let first = name.first, !first.isNumber else {
            throw IDLError(at: location, "#define without a name")
        }
        let body = rest.dropFirst(name.count)
        guard body.first != "(" else {
            macros[String(name)] = []
            functionMacros.insert(String(name))
            return
        }
        functionMacros.remove(String(name))
        macros[String(name)] = try Self.tokens(of: body, at: location)
    }

    private static func tokens(of text: Substring, at location: Location) throws(IDLError) -> [Token] {
        var lexer = Lexer(Array(text.utf8), file: location.file, line: location.line, column: location.column)
        var tokens: [Token] = []
        while true {
            let token = lexer.next()
            if token.kind == .endOfFile { return tokens }
            if case .invalid(let reason) = token.kind { throw IDLError(at: location, "found \(reason)") }
            tokens.append(token)
        }
    }

    private func condition(
        _ word: String, _ rest: Substring, at location: Location
    ) throws(IDLError) -> Bool {
        if word != "if" {
            let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            guard !name.isEmpty else { throw IDLError(at: location, "#\(word) without a name") }
            return (macros[String(name)] != nil) == (word == "ifdef")
        }
        var evaluator = ConditionEvaluator(
            tokens: try Self.tokens(of: rest, at: location), macros: macros, location: location)
        return try evaluator.evaluate() != 0
    }

    private func relocate(
        _ rest: Substring, at location: Location, _ lexer: inout Lexer, _ path: String
    ) throws(IDLError) {
        let digits = rest.prefix { $0.isNumber }
        guard let line = Int(digits), line > 0 else {
            throw IDLError(at: location, "#line without a line number")
        }
        let name = rest.dropFirst(digits.count).drop { $0 == " " || $0 == "\t" }
        guard name.first == "\"", let end = name.dropFirst().firstIndex(of: "\"") else {
            return lexer.relocate(file: path, line: line)
        }
        lexer.relocate(file: String(name.dropFirst()[..<end]), line: line)
    }
}
