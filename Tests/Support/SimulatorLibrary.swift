import Glibc

/// The virtual DSP behind the C symbols of libcdsprpc.so, as the build made it.
public enum SimulatorLibrary {
    /// Its file: `HEXAGONRPC_SIMULATOR_LIBRARY`, or the one beside the running tests.
    public static let path: String? = {
        let candidates = [
            getenv("HEXAGONRPC_SIMULATOR_LIBRARY").map { String(cString: $0) },
            executableFolder.map { $0 + "/libcdsprpc-simulator.so" },
        ]
        return candidates.compactMap { $0 }.first { access($0, R_OK) == 0 }
    }()

    private static var executableFolder: String? {
        guard let resolved = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved).split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
    }
}
