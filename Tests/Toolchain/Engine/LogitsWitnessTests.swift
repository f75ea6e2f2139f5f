import Foundation
import TestSupport
import Testing

/// The tool's logits against the float64 witness, which also reads the NumPy files that the tool writes.
@Suite("Logits against the witness", .needsSharedData, .needsPython) struct LogitsWitnessTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var model: String
        var device: String
        /// Bound of the normalised mean square error.
        var bound: Double
        var testDescription: String { "\(model) on \(device)" }
    }

    static let cases = [
        Case(model: "models/stories260K-f32.gguf", device: "cpu", bound: 1e-9),
        Case(model: "models/stories260K-f16.gguf", device: "cpu", bound: 1e-7),
        Case(model: "models/stories260K-q8_0.gguf", device: "cpu", bound: 1e-3),
        Case(model: "models/stories260K-q4_0.gguf", device: "cpu", bound: 1e-3),
        Case(model: "models/stories260K-q8_0.gguf", device: "sim0", bound: 1e-3),
        Case(model: "models/stories260K-q4_0.gguf", device: "sim0", bound: 1e-3),
        Case(model: "models/stories260K-q4_0.gguf", device: "sim0,sim1", bound: 1e-3),
    ]

    @Test(arguments: cases) func logits(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let model = SharedData.path(test.model)
        let story = try #require(try GreedyReference.stories().first)
        let ids = (story.promptIDs + story.greedyIDs[..<120]).map(String.init).joined(separator: ",")
        let (ours, theirs) = (folder.path("ours.npy"), folder.path("theirs.npy"))

        let report = try GenerationReport([
            "-m", model, "--tokens", ids, "-n", "0", "-b", "50", "--device", test.device, "--logits", ours,
        ])
        #expect(report.prompt_tokens == 125)
        #expect((report.offload.mul_mat_offloaded > 0) == (test.device != "cpu"))
        try PythonWitness.runWitness(
            "reference.py", ["logits", "--model", model, "--tokens", ids, "--out", theirs])

        let (result, reference) = (try NumPyMatrix(path: ours), try NumPyMatrix(path: theirs))
        #expect(result.rows == 125 && reference.rows == 125)
        let error = reference.error(of: result.values.map { Float($0) })
        #expect(error <= test.bound)
        print("\(test.testDescription): NMSE \(error)")
        // NumPy must read our file, and find the same.
        let words = try PythonWitness.runWitness("reference.py", ["compare", theirs, ours]).split(
            separator: " ")
        let found = try #require(words.count > 1 ? Double(words[1]) : nil)
        #expect(abs(found - error) <= 1e-3 * error)
    }
}
