import Foundation
import GGUF
import HTPDevice
import Models
import Runtime
import TestSupport
import Testing

/// Sessions in files: what is computed after loading, and files that are none.
@Suite("Session files") struct SessionFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func executor(
        _ name: String, seed: Int = 0, type: CacheType = .f16, contextLength: Int = 128, batch: Int = 16,
        isOnDSP: Bool = false
    ) throws -> Executor {
        let path = folder.path("\(name)-\(seed).gguf")
        if !FileManager.default.fileExists(atPath: path) {
            var model = TestModel.model(name)
            if seed != 0 { model["token_embd.weight"].bytes[1] ^= UInt8(seed) }
            try model.write(to: path)
        }
        let file = try GGUFFile(path: path)
        var options = Executor.Options(threads: 2, contextLength: contextLength, batch: batch)
        (options.keyType, options.valueType) = (type, type)
        let devices = isOnDSP ? [try ProductTests.device("simulator")] : []
        return try Executor(try Architecture.graph(of: file), file: file, devices: devices, options: options)
    }

    private static func logits(_ executor: Executor, _ tokens: [Int32]) throws -> [UInt32] {
        try executor.evaluate(tokens, outputs: .last, .prompt).map(\.bitPattern)
    }

    private static let text = (0..<60).map { Int32(40 + $0 * 7919 % 200) }

    @Test(arguments: ["llama", "gemma3", "gpt-oss"], CacheType.allCases)
    func whatFollowsHasTheSameBits(_ name: String, _ type: CacheType) throws {
        for isOnDSP in [false, true] { try followsWithTheSameBits(name, type, isOnDSP: isOnDSP) }
    }

    private func followsWithTheSameBits(_ name: String, _ type: CacheType, isOnDSP: Bool) throws {
        let path = folder.path("session")
        let first = try executor(name, type: type, isOnDSP: isOnDSP)
        for start in stride(from: 0, to: 45, by: 9) {
            _ = try Self.logits(first, Array(Self.text[start..<start + 9]))
        }
        try first.saveSession(to: path)
        let expected = try Self.logits(first, Array(Self.text[45..<52])) + Self.logits(first, [50])

        // On its own, and in place of something else; with rings of another size, too.
        for batch in [16, 9, 40] {
            let second = try executor(name, type: type, batch: batch, isOnDSP: isOnDSP)
            if batch == 9 { _ = try Self.logits(second, [60, 61, 62]) }
            try second.loadSession(from: path)
            #expect(second.position == 45)
            #expect(second.rewind(toPrefixOf: Self.text) == 45)
            let found = try Self.logits(second, Array(Self.text[45..<52])) + Self.logits(second, [50])
            #expect(found == expected, "batch \(batch)")
            // As it was loaded, it is saved again.
            try second.loadSession(from: path)
            try second.saveSession(to: folder.path("again"))
            if batch == 16 {
                #expect(
                    try Data(contentsOf: URL(filePath: folder.path("again")))
                        == Data(contentsOf: URL(filePath: path)))
            }
        }
    }

    @Test func theOtherSideGoesOn() throws {
        let path = folder.path("session")
        let dsp = try executor("gemma3", isOnDSP: true), cpu = try executor("gemma3")
        for start in [0, 15, 30] { _ = try Self.logits(dsp, Array(Self.text[start..<start + 15])) }
        try dsp.saveSession(to: path)
        try cpu.loadSession(from: path)
        func floats(_ executor: Executor) throws -> [Float] {
            Array(try executor.evaluate(Self.text[45..<50], outputs: .last, .prompt))
        }
        #expect(normalizedError(try floats(cpu), expected: try floats(dsp)) < 1e-3)
    }

    private func failure(_ executor: Executor, _ path: String) -> String {
        do {
            try executor.loadSession(from: path)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func anotherModelsSessionIsRefused() throws {
        let path = folder.path("session")
        let saved = try executor("llama")
        #expect(throws: RuntimeError.self) { try saved.saveSession(to: path) }
        #expect(!FileManager.default.fileExists(atPath: path))
        _ = try Self.logits(saved, Array(Self.text[..<16]))
        _ = try Self.logits(saved, Array(Self.text[16..<20]))
        try saved.saveSession(to: path)
        #expect(failure(try executor("llama", seed: 3), path).contains("is of another model"))
        #expect(failure(try executor("qwen3"), path).contains("is of another model"))
        #expect(failure(try executor("llama", type: .q8_0), path).contains("holds f16 keys and f16 values"))
        #expect(failure(try executor("llama", contextLength: 19), path).contains("-c makes it larger"))
        #expect(failure(try executor("llama", contextLength: 20), path).isEmpty)
        // Phi 3 turns keys in another way in long contexts.
        let phi = try executor("phi3", contextLength: 48)
        _ = try Self.logits(phi, [50, 51])
        try phi.saveSession(to: path)
        #expect(
            failure(try executor("phi3", contextLength: 100), path).contains("another model, or of a context")
        )
        #expect(failure(try executor("phi3", contextLength: 40), path).isEmpty)
    }

    @Test func damageIsNoticed() throws {
        let path = folder.path("session"), other = folder.path("damaged")
        let executor = try executor("gemma3")
        for start in [0, 16] { _ = try Self.logits(executor, Array(Self.text[start..<start + 16])) }
        try executor.saveSession(to: path)
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        func attempt(_ changed: [UInt8], _ what: String) throws {
            try Data(changed).write(to: URL(filePath: other))
            let failure = failure(executor, other)
            #expect(
                !failure.isEmpty && !failure.contains("\n") && failure.contains(other), "\(what): \(failure)")
        }
        // Cut off in every section, at words and within them.
        for length in Array(0..<200) + stride(from: 200, to: bytes.count, by: 997) + [
            bytes.count - 8, bytes.count - 1,
        ] {
            try attempt(Array(bytes[..<length]), "\(length) bytes")
        }
        var generator = SeededGenerator(5)
        for _ in 0..<600 {
            let place = Int.random(
                in: 0..<(Bool.random(using: &generator) ? 250 : bytes.count), using: &generator)
            var changed = bytes
            changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            try attempt(changed, "a bit of byte \(place)")
        }
        try attempt(bytes + [0], "a byte more")
        try attempt(bytes + Array(repeating: 0, count: 8), "a word more")
        // Numbers that cannot be, under a digest that is right.
        let words = bytes.count / 8
        func word(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[8 * index + $1]) << (8 * $1) }
        }
        for (index, value) in [
            (5, 0), (5, 1), (5, 31), (5, 33), (5, 1 << 40), (5, UInt64.max), (6, 0), (4, 6), (3, 0xffff_ffff),
            (7, UInt64.max), (7, 0x7fff_ffff), (23, 1), (23, 1 << 62), (24, 32), (24, UInt64.max), (29, 31),
        ] as [(Int, UInt64)] {
            var all = (0..<words - 1).map(word)
            all[index] = value
            var digest = Digest()
            for word in all { digest.add(word) }
            try attempt(
                (all + [digest.value]).flatMap { word in
                    (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
                },
                "word \(index) as \(value)")
        }
        // Nothing of it was used.
        #expect(executor.position == 32)
        #expect(failure(executor, folder.path("nothing")).contains("nothing"))
        #expect(failure(executor, folder.path("")).contains("is a directory"))
        #expect(failure(executor, path).isEmpty)
    }
}
