import Foundation
import Glibc

/// What a tool and its children leave behind: processes that carry a mark in their environment, files in the folder for
/// temporary ones and in `/dev/shm`.
package final class LeftBehind {
    private let folder: TemporaryFolder
    private let mark = "HEXAGONRPC_TEST_RUN=\(UUID().uuidString)"
    private let sharedBefore: Set<String>

    package init() throws {
        folder = try TemporaryFolder()
        sharedBefore = Self.list("/dev/shm")
    }

    /// For the tool that is run.
    package var environment: [String: String] {
        let parts = mark.split(separator: "=").map(String.init)
        return [parts[0]: parts[1], "TMPDIR": folder.path("")]
    }

    /// What is left after at most five seconds.
    package func list() -> [String] {
        for _ in 0..<3000 where !found.isEmpty { usleep(10_000) }
        return found
    }

    private var found: [String] {
        Self.list("/proc").compactMap { name in
            guard pid_t(name) != nil,
                let environment = FileManager.default.contents(atPath: "/proc/\(name)/environ"),
                environment.range(of: Data(mark.utf8)) != nil
            else { return nil }
            let command = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") ?? Data()
            return String(decoding: command.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
        } + Self.list(folder.path("")) + Self.list("/dev/shm").subtracting(sharedBefore)
    }

    private static func list(_ folder: String) -> Set<String> {
        Set((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
    }
}
