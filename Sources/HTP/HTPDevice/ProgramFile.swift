import HexagonRPC

/// The files that the DSP program may lie in.
package enum ProgramFile {
    /// The versions that the program is built for, oldest first.
    package static let architectures = [0x66, 0x68, 0x69, 0x73, 0x75, 0x79, 0x81]
    /// The host's build, which a virtual DSP loads, or a build that somebody has installed under this name.
    package static let plain = "libhtp_skel.so"

    /// The files to try on a DSP, in this order: the newest that it can run first, as an older one serves a newer
    /// DSP.
    ///
    /// - Parameter architecture: 0x68 for v68; nil where the DSP does not say. Then the oldest must do.
    package static func candidates(for architecture: Int?) -> [String] {
        guard let architecture else { return [plain, name(architectures[0])] }
        return architectures.filter { $0 <= architecture }.reversed().map(name) + [plain]
    }

    private static func name(_ architecture: Int) -> String {
        "libhtp-v\(String(architecture, radix: 16)).so"
    }

    /// Opens the program in a session.
    ///
    /// - Throws: what the DSP said of the first file that it found but could not open, or else of the first.
    static func open(in session: borrowing Session) throws(RemoteCallError) -> RemoteHandle {
        // Firmware that does not answer is as good as one that cannot say.
        let capability = (try? session.capability(.architectureVersion)) ?? nil
        let architecture = capability.flatMap { $0 & 0xff == 0 ? nil : Int($0 & 0xff) }
        var failure: RemoteCallError?
        for file in candidates(for: architecture) {
            do throws(RemoteCallError) {
                return try session.open(ModuleURI(interface: "htp", file: file))
            } catch {
                // Only another file can help.
                guard isAboutTheFile(error.result) else { throw error }
                if failure.map({ saysNotFound($0) && !saysNotFound(error) }) ?? true { failure = error }
            }
        }
        throw failure ?? RemoteCallError(.failed, operation: "open the DSP program, of no file")
    }

    /// Whether the DSP's loader did not find the file. It has no code of its own for that, and not every transport
    /// passes on its words.
    private static func saysNotFound(_ error: RemoteCallError) -> Bool {
        error.operation.contains(".so not found")
    }

    /// `AEE_EUNABLETOLOAD` or `AEE_EBADELF`, with the DSP's offset or without.
    private static func isAboutTheFile(_ result: AEEResult) -> Bool {
        let code = result.rawValue >= 0x8000_0400 ? result.rawValue - 0x8000_0400 : result.rawValue
        return code == 0x06 || code == 0x52
    }
}
