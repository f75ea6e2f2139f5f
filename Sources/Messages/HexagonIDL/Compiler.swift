/// The front half of the compiler: from a file to a checked unit.
package struct IDLCompiler {
    /// Folders that `#include` searches after the including file's own.
    package var includePaths: [String]
    /// Names that `#ifdef` finds defined.
    package var defines: [String]
    private let read: (String) -> [UInt8]?

    /// - Parameter read: returns a file's bytes, or nil where there is no such file.
    package init(
        includePaths: [String] = [], defines: [String] = [], read: @escaping (_ path: String) -> [UInt8]?
    ) {
        self.includePaths = includePaths
        self.defines = defines
        self.read = read
    }

    /// Parses and checks a file with everything it includes.
    package func compile(_ path: String) throws(IDLError) -> IDLUnit {
        var preprocessor = Preprocessor(includePaths: includePaths, defines: defines, read: read)
        try preprocessor.process(path: path)
        var parser = Parser(preprocessor.tokens)
        var unit = try Checker.check(
            try parser.file(), path: path, includes: preprocessor.includedFiles,
            includesRemote: preprocessor.includesRemote)
        unit.warnings = Lint.check(unit)
        return unit
    }

    /// Parses and checks text that includes nothing but the files that are built in.
    package static func compile(text: String, path: String = "input.idl") throws(IDLError) -> IDLUnit {
        try IDLCompiler { $0 == path ? Array(text.utf8) : nil }.compile(path)
    }
}
