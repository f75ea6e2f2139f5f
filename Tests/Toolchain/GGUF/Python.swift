import Foundation

/// A Python interpreter with some modules, as a witness that shares no code with us.
struct Python: Sendable {
    /// What `HEXAGONRPC_PYTHON` names, or else `python3`.
    private static let interpreter = ProcessInfo.processInfo.environment["HEXAGONRPC_PYTHON"] ?? "python3"

    /// Whether the interpreter is there and can import these modules.
    static func canImport(_ modules: String...) -> Bool {
        (try? run("import " + modules.joined(separator: ", "), []))?.status == 0
    }

    /// Runs a program and returns what it printed.
    static func output(of program: String, _ arguments: String...) throws -> Data {
        let (status, output) = try run(program, arguments)
        guard status == 0 else { throw Failure(status: status) }
        return output
    }

    struct Failure: Error {
        let status: Int32
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, Data) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [interpreter, "-c", program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }
}
