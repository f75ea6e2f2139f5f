import Glibc
import SharedMemory

/// What it takes to run Hexagon code on this machine: qemu, our process for it, and the DSP's libraries.
package struct HexagonTools: Sendable {
    /// The path of `qemu-hexagon`.
    package var emulator: String
    /// The newest processor that it knows, such as `v67`.
    package var processor: String
    /// The path of `hexagon-process`, which runs in it.
    package var process: String
    /// Where Hexagon code is looked for.
    package var folders: [String]

    /// What is missing, and what to do about it.
    package struct Missing: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    /// The processor's version in hexadecimal digits: 0x67 for v67.
    package var architecture: UInt32 { UInt32(processor.dropFirst(), radix: 16) ?? 0x66 }

    /// Looks for the tools.
    ///
    /// - qemu: at `HEXAGONRPC_QEMU`, else `qemu-hexagon` in `PATH`.
    /// - the process, and later the DSP's libraries: in `folders`.
    package static func find(
        in folders: [String] = standardFolders
    ) throws(Missing) -> HexagonTools {
        let emulator: String
        if let path = variable("HEXAGONRPC_QEMU") {
            guard isExecutable(path) else {
                throw Missing(description: "HEXAGONRPC_QEMU says '\(path)', which cannot be executed")
            }
            emulator = path
        } else {
            let paths = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":").map {
                "\($0)/qemu-hexagon"
            }
            guard let path = paths.first(where: isExecutable) else {
                throw Missing(
                    description:
                        "there is no qemu-hexagon; install qemu-user, or set HEXAGONRPC_QEMU to its path")
            }
            emulator = path
        }
        guard let process = file("hexagon-process", in: folders) else {
            throw Missing(
                description:
                    "there is no hexagon-process in \(folders.joined(separator: ", ")); make it with "
                    + "Sources/HTP/build, or set HEXAGONRPC_HEXAGON_PATH to its folder")
        }
        guard let processor = newestProcessor(emulator, process) else {
            throw Missing(description: "\(emulator) cannot run \(process) on any processor from v66 on")
        }
        return HexagonTools(emulator: emulator, processor: processor, process: process, folders: folders)
    }

    /// Where Hexagon code is looked for: the folders of `HEXAGONRPC_HEXAGON_PATH`, the executable's, `hexagon` in
    /// that, and `.build/hexagon` of the package that the executable was built in.
    package static var standardFolders: [String] {
        var folders = (variable("HEXAGONRPC_HEXAGON_PATH") ?? "").split { $0 == ":" || $0 == ";" }.map(
            String.init)
        var parts = executable.split(separator: "/").dropLast()
        func path(_ parts: some Sequence<Substring>) -> String { "/" + parts.joined(separator: "/") }
        folders += [path(parts), path(parts) + "/hexagon"]
        // .build/x86_64-unknown-linux-gnu/release, or a scratch folder in .build with such a one.
        while let last = parts.popLast() {
            if last == ".build" { folders.append(path(parts) + "/.build/hexagon") }
        }
        return folders
    }

    /// The path of a file in one of ``folders``.
    package func file(_ name: String) -> String? { Self.file(name, in: folders) }

    private static func file(_ name: String, in folders: [String]) -> String? {
        guard !name.isEmpty, !name.contains("/") else { return nil }
        return folders.lazy.map { "\($0)/\(name)" }.first { Glibc.access($0, R_OK) == 0 }
    }

    /// qemu says nothing about what it knows before version 8, so it is tried: the process ends with 64 when it gets
    /// no arguments.
    private static func newestProcessor(_ emulator: String, _ process: String) -> String? {
        ["v81", "v79", "v75", "v73", "v71", "v69", "v68", "v67", "v66"].first { processor in
            guard let child = try? ChildProcess(emulator, ["-cpu", processor, process], socket: nil) else {
                return false
            }
            return child.wait() == 64 << 8
        }
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func isExecutable(_ path: String) -> Bool { Glibc.access(path, X_OK) == 0 }

    private static let executable: String = {
        var bytes = [CChar](repeating: 0, count: 4097)
        let count = readlink("/proc/self/exe", &bytes, 4096)
        return String(decoding: bytes.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
