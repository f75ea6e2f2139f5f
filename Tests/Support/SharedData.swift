import Foundation
import Testing

/// The folder of models, vocabularies and texts that lies outside the package.
///
/// The environment variable `HEXAGONRPC_SHARED` names it; without it, it is `shared` beside the package's
/// folder. Tests that need it carry the trait ``Testing/Trait/needsSharedData``.
public enum SharedData {
    /// The folder's path, or nil where there is none.
    public static let root: String? = {
        if let path = ProcessInfo.processInfo.environment["HEXAGONRPC_SHARED"] {
            return FileManager.default.fileExists(atPath: path) ? path : nil
        }
        let package = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path = package.deletingLastPathComponent().appendingPathComponent("shared").path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()

    /// A file in the folder.
    public static func path(_ name: String) -> String {
        (root ?? "shared") + "/" + name
    }

    /// A file's contents.
    public static func contents(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    /// The files below a folder of the folder whose names end so, by their paths in it, sorted.
    public static func files(in folder: String, suffix: String) -> [String] {
        guard let root,
            let names = try? FileManager.default.subpathsOfDirectory(atPath: root + "/" + folder)
        else { return [] }
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { folder + "/" + $0 }
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs the test only where the shared data folder is.
    public static var needsSharedData: Self {
        .enabled(
            if: SharedData.root != nil,
            "needs the shared data folder (HEXAGONRPC_SHARED, or ../shared beside the package)")
    }
}
