import Engine
import Foundation
import GGUF
import TestSupport
import Testing

/// As the mutations of the small model, on real files with other tokenizers: an error or a model, no trap.
@Suite("Mutated models", .needsSharedData) struct MutatedModelTests {
    @Test(arguments: ["models/storyteller/storyteller-f16.gguf", "models/stories260K-q4_0.gguf"])
    func mutations(_ name: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(try SharedData.contents(name), to: "mutant.gguf")
        let dataStart = try #require(try GGUFFile(path: path).tensors.map(\.fileOffset).min())
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        func write(_ bytes: Data, at place: Int) throws {
            try file.seek(toOffset: UInt64(place))
            try file.write(contentsOf: bytes)
        }
        var generator = SeededGenerator(11)
        var (loaded, refused) = (0, 0)
        for _ in 0..<300 {
            let place = Int.random(in: 4..<dataStart, using: &generator)
            try file.seek(toOffset: UInt64(place))
            let original = try #require(try file.read(upToCount: 1))
            try write(Data([UInt8.random(in: 0...255, using: &generator)]), at: place)
            do {
                let model = try LanguageModel(path: path)
                let prompt = try model.tokens(of: "Once upon a time\n")
                _ = try model.generate(from: prompt, GenerationParameters(maxTokens: 2, sampling: .greedy))
                loaded += 1
            } catch {
                #expect("\(error)".contains(path) || error is EngineError, "\(error)")
                #expect(!"\(error)".contains("\n"), "\(error)")
                refused += 1
            }
            try write(original, at: place)
        }
        #expect(loaded > 20 && refused > 20, "\(loaded) loaded, \(refused) refused")
        // All is as it was.
        #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == SharedData.contents(name))
    }
}
