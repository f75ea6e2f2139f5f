import ArgumentParser
import Engine
import Glibc
import HexagonRPC

/// Exit codes of the command-line contract; the numbers above 1 are those of `sysexits.h`.
enum Exit {
    static let failed = ExitCode(1)
    static let usage = ExitCode(64)
    static let unavailable = ExitCode(69)
    static let notPermitted = ExitCode(77)
    static let interrupted = ExitCode(130)
}

/// Runs a command; what it throws becomes one line on standard error and an exit code.
func reportingFailure(_ body: () throws -> Void) throws {
    do {
        try body()
        leaveLibrary(.success)
    } catch let code as ExitCode {
        leaveLibrary(code)
        throw code
    } catch let error as ValidationError {
        throw error
    } catch let error as EngineError where error.kind == .interrupted {
        leaveLibrary(Exit.interrupted)
        throw Exit.interrupted
    } catch let error as EngineError {
        printError("engine: \(error)")
        let code =
            switch error.kind {
            case .deviceUnavailable: Exit.unavailable
            case .notPermitted: Exit.notPermitted
            default: Exit.failed
            }
        leaveLibrary(code)
        throw code
    } catch {
        printError("engine: \(error)")
        leaveLibrary(Exit.failed)
        throw Exit.failed
    }
}

/// Ends the program where the vendor's library would wait at its end for a DSP that does not answer.
private func leaveLibrary(_ code: ExitCode) {
    if LibrarySession.wasAbandoned { _exit(code.rawValue) }
}

/// The text in a file.
func contents(of path: String) throws -> String {
    func failure() -> EngineError {
        EngineError(.badInput, "\(path): cannot be read: \(String(cString: strerror(errno)))")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw failure() }
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

/// Writes a line to standard error.
func printError(_ line: String) {
    writeAll(line + "\n", to: STDERR_FILENO)
}

/// Writes text to standard error as it is.
func printErrorText(_ text: String) {
    writeAll(text, to: STDERR_FILENO)
}

/// Writes text to standard output at once; ends the program where that fails, as nobody would see the rest.
func printNow(_ text: String) {
    guard !writeAll(text, to: STDOUT_FILENO) else { return }
    printError("engine: cannot write to standard output: \(String(cString: strerror(errno)))")
    exit(Exit.failed.rawValue)
}

@discardableResult
func writeAll(_ text: String, to descriptor: CInt) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        bytes.removeFirst(count)
    }
    return true
}
