import Glibc

/// This program.
enum Program {
    /// The folder that its executable lies in.
    static let folder: String = {
        var bytes = [CChar](repeating: 0, count: 4097)
        let count = readlink("/proc/self/exe", &bytes, 4096)
        let path = String(decoding: bytes.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return "/" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }()

    /// Writes a line to standard error.
    static func printError(_ line: String) {
        let text = line + "\n"
        _ = write(STDERR_FILENO, text, text.utf8.count)
    }
}
