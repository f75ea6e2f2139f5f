import RemoteCalls
import Synchronization

/// Where the DSP's modules are looked for, and what it has asked for while one was opened.
package final class ModuleFiles: Sendable {
    /// Every folder, in order.
    let folders: [String]
    private let record = Mutex<[(name: String, error: AEEResult?)]>([])

    init(_ options: KernelTransport.Options) {
        folders =
            options.modulePath + Self.variableFolders(options.environment)
            + Self.systemFolders(options.files, options.environment).map { options.files.root + $0 }
    }

    /// The folders of `DSP_LIBRARY_PATH` or else `ADSP_LIBRARY_PATH`.
    package static func variableFolders(_ environment: [String: String]) -> [String] {
        let variable = environment["DSP_LIBRARY_PATH"] ?? environment["ADSP_LIBRARY_PATH"] ?? ""
        return variable.split(separator: ";").map(String.init)
    }

    /// The folders that are searched on every machine, after those: the board's and the default ones.
    package static func systemFolders(_ files: HostFiles, _ environment: [String: String]) -> [String] {
        BoardFolders(files: files, environment: environment).folders
            + ["/usr/lib/rfsa/adsp", "/usr/lib/dsp", "/vendor/dsp"]
    }

    /// Notes that the DSP tried to open a file.
    func note(_ name: String, _ error: AEEResult?) {
        record.withLock { record in
            if record.count < 64 { record.append((name, error)) }
        }
    }

    /// Forgets what was noted.
    func forget() { record.withLock { $0 = [] } }

    /// What to do where the DSP cannot load a module: which file it did not get, or that it got all.
    var advice: String {
        let record = record.withLock { $0 }
        let found = Set(record.filter { $0.error == nil }.map(\.name))
        var missing: [String] = []
        for entry in record where entry.error != nil && !found.contains(entry.name) {
            if !missing.contains(entry.name) { missing.append(entry.name) }
        }
        let searched = "searched in \(folders.joined(separator: ", "))"
        if record.isEmpty {
            return "the DSP did not ask for any file: its firmware does not load modules this way, or it has "
                + "no memory left"
        }
        if missing.isEmpty {
            return "the DSP read \(found.sorted().joined(separator: ", ")) and refused it: built for another "
                + "architecture version, unsigned code in a signed process, or a symbol that nothing defines"
        }
        let refused = record.filter { $0.error != nil && $0.error != AEEResult(rawValue: 2) }
        let reason =
            refused.first { missing.contains($0.name) }.map { " (\($0.name): \(Self.reason($0.error)))" }
            ?? ""
        return
            "the DSP asked for \(missing.joined(separator: ", ")), which is not there, \(searched)\(reason); "
            + "set DSP_LIBRARY_PATH (folders separated by ;) or the transport's modulePath"
            + (found.isEmpty
                ? "" : "; it did get \(found.sorted().joined(separator: ", ")), which may need the others")
    }

    private static func reason(_ error: AEEResult?) -> String {
        guard let code = error?.status else { return "" }
        return "\(SystemError(code))"
    }
}
