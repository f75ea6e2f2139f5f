import GGUF
import Glibc
import HTPDevice
import Runtime

/// Remembers on disk what was measured to choose the sides of a model on a machine.
///
/// A file that is missing, damaged or of other circumstances counts as nothing: then it is measured again.
struct PlacementCache {
    private let folder: String
    private let path: String
    /// Whatever speeds depend on.
    private let circumstances: String

    /// - Parameter folder: is made where it is missing.
    init(folder: String, _ file: GGUFFile, _ devices: [HTPDevice], _ options: Executor.Options) {
        let model = "\(file.byteCount) bytes of \(file.modificationTime)"
        let sessions = devices.map {
            "\($0.name) \($0.kind) v\(String($0.hardware.architecture, radix: 16)) \($0.hardware.threads) threads "
                + "\($0.power) \($0.floatArithmetic)"
        }
        circumstances =
            "model \(model); \(options.threads) CPU threads, batch \(options.batch), "
            + "cache \(options.keyType.rawValue) \(options.valueType.rawValue); "
            + sessions.joined(separator: ", ")
        // It names files; the text in them decides.
        var digest = Digest()
        digest.add(circumstances)
        self.folder = folder
        path = folder + "/placement-" + String(digest.value, radix: 16)
    }

    private static let title = "hexagonrpc placement 1"

    /// What was measured before under the same circumstances.
    func load() -> PlacementReport? {
        guard let text = Self.contents(of: path) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > 4, lines[0] == Self.title, lines[1] == circumstances, lines.last == "" else {
            return nil
        }
        let speeds = lines[2..<lines.count - 1].map(Self.speeds)
        let known = speeds.compactMap { $0 }
        guard known.count == speeds.count, let generation = known.first else { return nil }
        var report = PlacementReport(prompts: Array(known.dropFirst()), generation: generation)
        report.isRemembered = true
        return report
    }

    /// Remembers a measurement. That it cannot be written is no harm.
    func save(_ report: PlacementReport) {
        let lines = ([report.generation] + report.prompts).map { "\($0.tokens) \($0.cpu) \($0.devices)" }
        let text = ([Self.title, circumstances] + lines).joined(separator: "\n") + "\n"
        Self.makeFolder(folder)
        guard let file = try? ReplacementFile(for: path) else { return }
        try? file.write(text)
    }

    private static func makeFolder(_ folder: String) {
        if mkdir(folder, 0o777) == 0 || errno != ENOENT { return }
        guard let slash = folder.lastIndex(of: "/"), slash != folder.startIndex else { return }
        makeFolder(String(folder[..<slash]))
        mkdir(folder, 0o777)
    }

    private static func contents(of path: String) -> String? {
        guard let file = try? MappedFile(path: path), file.bytes.count <= 1 << 16 else { return nil }
        return String(decoding: file.bytes, as: UTF8.self)
    }

    private static func speeds(_ line: Substring) -> PlacementReport.Speeds? {
        let words = line.split(separator: " ")
        guard words.count == 3, let tokens = Int(words[0]), tokens > 0, let cpu = Double(words[1]),
            let devices = Double(words[2]), cpu.isFinite, devices.isFinite
        else { return nil }
        return PlacementReport.Speeds(tokens: tokens, cpu: cpu, devices: devices)
    }
}

extension ReplacementFile {
    /// Writes all of it and puts it in its place.
    fileprivate consuming func write(_ text: String) throws(GGUFError) {
        try append(Array(text.utf8))
        try commit()
    }
}
