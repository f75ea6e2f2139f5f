/// Why a FastRPC library could not be used.
public enum FastRPCLibraryError: Error, Hashable, Sendable {
    /// One file that was tried, and what the dynamic loader said about it.
    public struct Attempt: Hashable, Sendable {
        /// The name that was given to the loader.
        public var name: String
        /// The loader's own words.
        public var reason: String

        /// Describes an attempt.
        public init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    /// The dynamic loader could load none of these.
    case cannotLoad([Attempt])
    /// The file was loaded but lacks these functions, all of which are needed.
    case missingSymbols([String], file: String)
    /// A function that is optional in general was called, and this file lacks it.
    case missingOptionalSymbol(String, file: String)
    /// This process already uses another FastRPC library, and two of them cannot live in one process.
    case otherLibraryInUse(String, requested: String)
}

extension FastRPCLibraryError.Attempt: CustomStringConvertible {
    /// The loader's words, with the name in front where they do not begin with it.
    public var description: String { reason.hasPrefix(name) ? reason : "\(name): \(reason)" }
}

extension FastRPCLibraryError: CustomStringConvertible {
    /// One line: what failed, on which file, and what to do.
    public var description: String {
        switch self {
        case .cannotLoad(let attempts):
            "cannot load a FastRPC library: "
                + attempts.map(\.description).joined(separator: "; ")
                + "; install the distribution's FastRPC package, or name the file in HEXAGONRPC_LIBRARY"
        case .missingSymbols(let names, let file):
            "\(file) lacks \(names.joined(separator: ", ")): it is no FastRPC library, or too old a one"
        case .missingOptionalSymbol(let name, let file):
            "\(file) lacks \(name): a newer FastRPC library has it"
        case .otherLibraryInUse(let file, let requested):
            "cannot load \(requested): this process already uses \(file), and two FastRPC libraries in one "
                + "process end it at the first session; use one of them"
        }
    }
}
