import ArgumentParser

import Glibc

/// Reading and writing whole files.
enum Files {
    /// A file's bytes, or nil if it cannot be read.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    static func printError(_ text: String) {
        _ = write(Array((text + "\n").utf8)[...], to: STDERR_FILENO)
    }

    /// Writes all files or none: each under a temporary name first, renamed when all are there.
    static func write(_ outputs: [(path: String, text: String)]) throws {
        var pending: [(temporary: String, path: String)] = []
        do {
            for output in outputs where output.path != "-" {
                let temporary = "\(output.path).\(getpid()).tmp"
                try write(output.text, to: temporary, for: output.path)
                pending.append((temporary, output.path))
            }
            for file in pending where rename(file.temporary, file.path) != 0 { throw failure(file.path) }
        } catch {
            for file in pending { unlink(file.temporary) }
            throw error
        }
        for output in outputs where output.path == "-" { print(output.text, terminator: "") }
    }

    private static func write(_ text: String, to temporary: String, for path: String) throws {
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure(path) }
        var isComplete = write(Array(text.utf8)[...], to: descriptor)
        let error = errno
        isComplete = close(descriptor) == 0 && isComplete
        guard isComplete else {
            unlink(temporary)
            errno = error
            throw failure(path)
        }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func failure(_ path: String) -> ExitCode {
        printError("\(path): error: cannot be written: \(String(cString: strerror(errno)))")
        return .failure
    }
}
