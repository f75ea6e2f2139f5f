import Foundation

/// Compilers on this machine, and a folder to work in.
enum Toolchain {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The full path of a program, or nil.
    static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The C compilers for this host.
    static let hostCompilers = ["gcc", "clang"].compactMap(find)

    /// A clang that knows the hexagon target. The one in Swift's toolchain does not.
    static let hexagonClang: String? = {
        let versions = (15...30).reversed().map { "clang-\($0)" } + ["clang"]
        return versions.compactMap(find).first { path in
            (try? run(path, ["--print-targets"]))?.contains("hexagon") == true
        }
    }()

    /// Runs a program; returns its output, throws with it if it fails.
    @discardableResult
    static func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) \(arguments.joined(separator: " "))\n\(output)")
        }
        return output
    }

    static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        while url.path != "/", !FileManager.default.fileExists(atPath: url.path + "/Package.swift") {
            url.deleteLastPathComponent()
        }
        return url.path
    }()

    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = NSTemporaryDirectory() + "/hexagon-idl-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }
}
