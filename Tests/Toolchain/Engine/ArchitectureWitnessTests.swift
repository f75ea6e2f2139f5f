import Foundation
import TestSupport
import Testing

/// The tool's logits for models of every architecture against the float64 witness.
@Suite("Architectures against the witness", .needsPython) struct ArchitectureWitnessTests {
    @Test(arguments: TestModel.architectures.map { ($0, 0) } + [("phi3", 100)])
    func logits(_ name: String, context: Int) throws {
        let folder = try TemporaryFolder()
        let model = try TestModel.model(name).write(to: folder.path("model.gguf"))
        let ids = (0..<60).map { "\(3 + $0 * 37 % 250)" }.joined(separator: ",")
        let (ours, theirs) = (folder.path("ours.npy"), folder.path("theirs.npy"))
        var arguments = ["-m", model, "--tokens", ids, "-n", "0", "-b", "17", "--logits", ours]
        // Phi 3 has 48 tokens before it takes its other factors, which shorter contexts must not.
        if name == "phi3" { arguments += ["-c", context == 0 ? "48" : "\(context)"] }
        let count = name == "phi3" && context == 0 ? 40 : 60
        let tokens = ids.split(separator: ",").prefix(count).joined(separator: ",")
        arguments[3] = tokens
        _ = try GenerationReport(arguments)
        try PythonWitness.runWitness(
            "reference.py",
            ["logits", "--model", model, "--tokens", tokens, "--out", theirs, "--context", "\(context)"])
        let (result, reference) = (try NumPyMatrix(path: ours), try NumPyMatrix(path: theirs))
        #expect(result.rows == count && reference.rows == count)
        let error = reference.error(of: result.values.map { Float($0) })
        print("\(name): NMSE \(error)")
        #expect(error <= 1e-9, "\(error)")
    }
}
