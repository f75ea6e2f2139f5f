import CPUKernels
import Engine
import Foundation
import TestSupport
import Testing

/// `--cpus`, `--cpu-features` and `--profile`, as users give them.
@Suite("Threads and instructions") struct ThreadOptionTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.llama(.q4_0).write(to: folder.path("model.gguf"))
    }

    private func generate(_ arguments: String...) throws -> Tool.Result {
        let result = try Tool.run(
            "engine", ["generate", "-m", model, "--device", "cpu", "--temp", "0", "-n", "8"] + arguments)
        #expect(result.exitCode == 0, "\(result.errors)")
        return result
    }

    /// All instruction sets of this machine compute the same model.
    @Test func levelsAgree() throws {
        var reference: [Double] = []
        for set in InstructionSet.available {
            let path = folder.path("\(set.name).npy")
            let result = try generate(
                "-p", "the quick brown fox jumps over", "--cpu-features", set.name, "--logits", path)
            #expect(result.errors.contains(set.name))
            let logits = try NumPyMatrix(path: path).values
            #expect(logits.count > 286 && logits.allSatisfy(\.isFinite))
            if reference.isEmpty { reference = logits }
            let error = zip(logits, reference).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect(error <= 1e-3 * reference.reduce(0) { $0 + $1 * $1 }, "\(set.name)")
        }
        #expect(InstructionSet.available.first?.name == "portable")
        #expect(InstructionSet.available.contains(.best))
    }

    private struct Output: Decodable {
        struct Phase: Decodable {
            struct Operation: Decodable {
                var name: String
                var ms: Double
                var share: Double
            }

            var tokens: Int
            var ms: Double
            var wait_share: Double
            var operations: [Operation]
        }

        struct Profile: Decodable {
            var threads: Int
            var prompt: Phase
            var generation: Phase
        }

        var text: String
        var threads: Int
        var prompt_wait_share: Double
        var generate_wait_share: Double
        var profile: Profile?
    }

    private func output(_ result: Tool.Result) throws -> Output {
        try JSONDecoder().decode(Output.self, from: Data(result.output.utf8))
    }

    /// One thread for each CPU, the same text.
    @Test func chosenCPUs() throws {
        let plain = try output(generate("-p", "abc", "--json", "-t", "1"))
        let pinned = try output(generate("-p", "abc", "--json", "--cpus", "0"))
        #expect(pinned.threads == 1 && pinned.text == plain.text && pinned.profile == nil)
        #expect(plain.prompt_wait_share == 0 && plain.generate_wait_share == 0)
        let shared = try output(generate("-p", "abc", "--json", "--cpus", "0", "-t", "2"))
        #expect(shared.threads == 2 && shared.text == plain.text)
        #expect(shared.prompt_wait_share > 0 && shared.prompt_wait_share < 1)
    }

    @Test func profile() throws {
        let profile = try #require(try output(generate("-p", "abcdef", "--json", "--profile")).profile)
        #expect(profile.prompt.tokens >= 6 && profile.generation.tokens == 7)
        for phase in [profile.prompt, profile.generation] {
            let names = Set(phase.operations.map(\.name))
            // Few tokens are stored by the loop of their attention.
            #expect(names.isSuperset(of: ["products", "attention", "norms", "rotation", "activation"]))
            let sum = phase.operations.reduce(0) { $0 + $1.ms }
            #expect(sum > 0 && sum <= phase.ms)
            #expect(phase.operations.allSatisfy { abs($0.share - $0.ms / phase.ms) < 1e-9 })
        }
        let table = try generate("-p", "abc", "--profile").errors
        #expect(table.contains("prompt: ") && table.contains("  products ") && table.contains(" between "))
        let path = folder.path("profile.json")
        #expect(try !generate("-p", "abc", "--profile", path).errors.contains("  products "))
        let written = try JSONDecoder().decode(
            Output.Profile.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(written.generation.tokens == 7)
    }
}
