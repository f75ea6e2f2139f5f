import Foundation
import GGUF
import TestSupport
import Testing
import Tokenization

@Suite(.needsSharedData) struct DamagedVocabularyTests {
    /// Whatever a file's header holds, opening it and tokenizing either works or throws.
    @Test(arguments: ["models/stories260K-q4_0.gguf", "models/tiny/tiny-qwen2-f16.gguf"])
    func damageIsRefusedOrHarmless(name: String) throws {
        let bytes = try SharedData.contents(name)
        let path = SharedData.path(name)
        let header = try #require(GGUFFile(path: path).tensors.map(\.fileOffset).min())
        let copy = NSTemporaryDirectory() + "/damaged-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try Data(bytes).write(to: URL(fileURLWithPath: copy))
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: copy))
        var (opened, refused) = (0, 0)
        for round in 0..<1500 {
            let offset = Int.random(in: 24..<header)
            let damage: UInt8 = round % 3 == 0 ? 0xff : round % 3 == 1 ? 0 : .random(in: 0...255)
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: [damage])
            do {
                let tokenizer = try Tokenizer(GGUFFile(path: copy))
                let tokens = tokenizer.encode("Once upon a time, 123 häuser <s> 😀\n", parseSpecial: true)
                _ = tokenizer.decode(tokens, renderSpecial: true)
                opened += 1
            } catch {
                #expect(!"\(error)".contains("\n"))
                refused += 1
            }
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: [bytes[offset]])
        }
        try handle.close()
        #expect(opened > 0 && refused > 0)
        _ = try Tokenizer(GGUFFile(path: copy))
    }
}
