import GGUF
import Glibc

extension ReplacementFile {
    /// Fails where no file can be written at a path: better before the work than after it.
    ///
    /// - Parameter content: what is to be in it, for the message.
    package static func check(_ path: String, for content: String = "a file") throws {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw EngineError(.badInput, "\(path): is a directory, not a place for \(content)")
        }
        // Creates a file beside it and takes it away again.
        _ = try ReplacementFile(for: path)
    }
}
