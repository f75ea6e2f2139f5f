import Foundation
import GGUF
import TestSupport
import Testing

@Suite(.needsSharedData) struct SharedFileTests {
    @Test(arguments: SharedData.files(in: "models", suffix: ".gguf"))
    func opensEveryModel(name: String) throws {
        let file = try GGUFFile(path: SharedData.path(name))
        #expect(try !file.metadata.string("general.architecture").isEmpty)
        #expect(!file.tensors.isEmpty)
        // The writers of these files put the tensors one behind the other, padded.
        var end: Int?
        for tensor in file.tensors {
            if let end {
                #expect(tensor.fileOffset == (end + file.alignment - 1) / file.alignment * file.alignment)
            }
            #expect(tensor.byteCount == tensor.rowByteCount * tensor.rowCount)
            end = tensor.fileOffset + tensor.byteCount
        }
        #expect(file.byteCount - (end ?? 0) < file.alignment)
    }

    @Test(arguments: SharedData.files(in: "tokenizers", suffix: ".gguf"))
    func opensEveryVocabulary(name: String) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let file = try GGUFFile(path: SharedData.path(name))
        let opened = clock.now
        let tokens = try file.metadata.array("tokenizer.ggml.tokens")
        #expect(tokens.count == (try file.metadata.integers("tokenizer.ggml.token_type").count))
        var count = 0
        tokens.forEachString { _ in count += 1 }
        #expect(count == tokens.count && count > 10000)
        print("\(name): \(count) tokens, opened in \(opened - start)")
    }

    /// Cuts a copy shorter and shorter: at every byte of the header, and at many in the data.
    @Test(arguments: SharedData.files(in: "models", suffix: ".gguf").filter(isSmall))
    func refusesEveryTruncation(name: String) throws {
        let copy = NSTemporaryDirectory() + "/gguf-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: SharedData.path(name), toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        #expect(chmod(copy, 0o600) == 0)
        let file = try GGUFFile(path: SharedData.path(name))
        let header = try #require(file.tensors.map(\.fileOffset).min())
        let end = try #require(file.tensors.map { $0.fileOffset + $0.byteCount }.max())
        let lengths = Array(stride(from: end - 1, to: header, by: -997)) + Array((0...header).reversed())
        for length in lengths {
            #expect(truncate(copy, length) == 0)
            #expect(throws: GGUFError.self, "\(length) bytes") { try GGUFFile(path: copy) }
        }
    }

    private static func isSmall(_ name: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: SharedData.path(name))
        return (attributes?[.size] as? Int ?? .max) < 600_000
    }
}
