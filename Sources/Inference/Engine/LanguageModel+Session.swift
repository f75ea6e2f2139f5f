import GGUF
import Runtime

extension LanguageModel {
    /// Tokens in the cache.
    public var cachedTokens: Int { executor.position }

    /// Fails where ``saveSession(to:)`` could not write: better before the work than after it.
    public static func checkSessionPath(_ path: String) throws {
        try ReplacementFile.check(path)
    }

    /// Writes the tokens in the cache with their keys and values to a file, which appears whole or not at all.
    public func saveSession(to path: String) throws {
        try executor.saveSession(to: path)
    }

    /// Takes the tokens of a file that ``saveSession(to:)`` wrote, of this model and with the same types of keys and
    /// values. A generation that ``GenerationParameters/reusesCache`` then computes only what they do not hold.
    ///
    /// - Throws: what is wrong with the file; all of it is checked before any is used.
    public func loadSession(from path: String) throws {
        try executor.loadSession(from: path)
    }
}
