import Foundation

/// Qualcomm's own IDL compiler, built from its public source: the judge of ours.
struct ReferenceCompiler {
    let path: String

    /// The compiler that `HEXAGONRPC_QAIC` names.
    static let found: ReferenceCompiler? = {
        guard let path = ProcessInfo.processInfo.environment["HEXAGONRPC_QAIC"],
            FileManager.default.isExecutableFile(atPath: path)
        else { return nil }
        return ReferenceCompiler(path: path)
    }()

    static let hint: String =
        "set HEXAGONRPC_QAIC to the compiler of github.com/qualcomm/QAIC; references/idl-compatibility.md says how it is built"

    /// What it made of a file.
    struct Verdict {
        var isAccepted: Bool
        var output: String
    }

    /// Compiles a file; the results lie in `output` if it is accepted. A struct that contains itself keeps the
    /// compiler busy until memory runs out, so it has five seconds of processor time; more is a refusal.
    func compile(_ file: String, includes: [String], output: String) -> Verdict {
        do {
            let text = try Toolchain.run(
                "/bin/sh",
                ["-c", "ulimit -t 5; exec \"$@\"", "sh", path, "-mdll", "-st", "-o", output]
                    + includes.flatMap { ["-I", $0] } + [file])
            // Some mistakes are told without a status.
            return Verdict(isAccepted: !text.lowercased().contains("error"), output: text)
        } catch {
            return Verdict(isAccepted: false, output: "\(error)")
        }
    }
}
