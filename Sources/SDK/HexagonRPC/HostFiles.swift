import Glibc

/// The files of this machine, or of a folder that stands in for `/`. Reads only, and of files only regular
/// ones.
package struct HostFiles: Sendable {
    /// The folder that stands in for `/`; empty for the machine itself.
    package let root: String

    package init(root: String = "") {
        self.root = root
    }

    /// Names in a folder, sorted; none if it cannot be read.
    package func list(_ directory: String) -> [String] {
        guard let stream = opendir(root + directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package func exists(_ path: String) -> Bool {
        access(root + path, F_OK) == 0
    }

    /// The content of a regular file, at most `limit` bytes of it and what one read brings beyond.
    package func bytes(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let descriptor = open(root + path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while content.count < limit {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }

    /// The text of a small file without line end, or the NUL that device-tree properties end with.
    package func text(_ path: String) -> String? {
        guard var content = bytes(path) else { return nil }
        while let last = content.last, last == 0 || last == 0x0a { content.removeLast() }
        return String(decoding: content, as: UTF8.self)
    }

    /// The lines of a text file.
    package func lines(_ path: String) -> [Substring] {
        text(path)?.split(separator: "\n") ?? []
    }
}
