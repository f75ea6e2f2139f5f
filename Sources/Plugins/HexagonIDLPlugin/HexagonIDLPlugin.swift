import Foundation
import PackagePlugin

/// Generates the Swift stub of every interface definition in a Swift target.
///
/// An `.idl` file that declares no interface is only there for others to include.
@main
struct HexagonIDLPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        guard let target = target as? any SourceModuleTarget else { return [] }
        let definitions = target.sourceFiles(withSuffix: "idl").map(\.url)
        guard target is SwiftSourceModuleTarget else {
            Diagnostics.error(
                """
                SwiftPM gives C targets nothing that a plugin generates: take the plugin from '\(target.name)', \
                and check in what hexagon-idl compile FILE --c-header OUT --c-skel OUT writes
                """)
            return []
        }
        let compiler = try context.tool(named: "hexagon-idl").url
        return try definitions.filter(declaresInterface).map { definition in
            let name = definition.deletingPathExtension().lastPathComponent
            let stub = context.pluginWorkDirectoryURL.appending(path: "\(name)_stub.swift")
            return .buildCommand(
                displayName: "Compiling \(definition.lastPathComponent)", executable: compiler,
                arguments: [
                    "compile", definition.path, "-I", target.directoryURL.path, "--swift", stub.path,
                ],
                // Any of them may include another.
                inputFiles: definitions, outputFiles: [stub])
        }
    }

    private func declaresInterface(_ definition: URL) throws -> Bool {
        try String(contentsOf: definition, encoding: .utf8).split(separator: "\n").contains {
            $0.trimmingPrefix(while: \.isWhitespace).hasPrefix("interface ")
        }
    }
}
