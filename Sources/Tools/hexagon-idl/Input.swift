import ArgumentParser
import HexagonIDL

/// The file that a command reads, and where its includes are.
struct Input: ParsableArguments {
    @Argument(help: "The interface definition.")
    var file: String

    @Option(name: .customShort("I"), parsing: .singleValue, help: "A folder that #include searches.")
    var includePaths: [String] = []

    @Option(name: .customShort("D"), parsing: .singleValue, help: "A name that #ifdef finds defined.")
    var defines: [String] = []

    /// The file, or another one with the same options.
    func compile(_ path: String) throws(IDLError) -> IDLUnit {
        try IDLCompiler(includePaths: includePaths, defines: defines, read: Files.read).compile(path)
    }

    /// The file; prints errors to stderr.
    func unit() throws -> IDLUnit {
        do throws(IDLError) {
            return try compile(file)
        } catch {
            print(error.diagnostics)
            throw ExitCode.failure
        }
    }

    /// Prints diagnostics to stderr, each with its line of the source.
    func print(_ diagnostics: [Diagnostic]) {
        var sources: [String: [UInt8]] = [:]
        for diagnostic in diagnostics {
            let file = diagnostic.location.file
            if sources[file] == nil { sources[file] = Files.read(file) }
            Files.printError(diagnostic.text(withExcerptFrom: sources[file]))
        }
    }
}

/// Which warnings count, and how much.
struct WarningOptions: ParsableArguments {
    @Flag(name: .customLong("warnings-as-errors"), help: "Fail if there is any warning.")
    var areErrors = false

    @Option(name: .customLong("no-warn"), help: "A lint rule that is left out.")
    var disabled: [String] = []

    @Option(name: .customLong("warn"), help: "A lint rule that applies only when it is asked for.")
    var enabled: [String] = []

    func validate() throws {
        let names = Lint.rules.map { $0.name }
        if let unknown = (disabled + enabled).first(where: { !names.contains($0) }) {
            throw ValidationError(
                "there is no lint rule '\(unknown)'; there are: \(names.joined(separator: ", "))")
        }
    }

    func warnings(of unit: IDLUnit) -> [Diagnostic] {
        Lint.check(unit, disabled: Set(disabled), enabled: Set(enabled))
    }
}
