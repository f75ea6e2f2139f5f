import Engine
import Foundation
import GGUF
import Synchronization
import TestSupport
import Testing
import VirtualDSP

/// Repacked weights that are kept on the disk.
@Suite("Cache of repacked weights") struct RepackCacheTests {
    private let folder: TemporaryFolder
    private let path: String
    private let cache: String

    init() throws {
        folder = try TemporaryFolder()
        path = try TestModel.llama(.q4_0).write(to: folder.path("model.gguf"))
        cache = folder.path("cache")
    }

    private struct Run: Equatable {
        /// Bits of the prompt's logits.
        var logits: [UInt32]
        /// Devices whose weights came from the disk.
        var fromCache: Int
        var notices: [String]
    }

    private final class Notices: Sendable {
        let lines = Mutex<[String]>([])
    }

    private func run(_ model: String? = nil, cache: String?, devices: Int = 1) throws -> Run {
        let notices = Notices()
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (2, 64, 8)
        options.repackCache = cache
        options.onNotice = { line in notices.lines.withLock { $0.append(line) } }
        options.devices = (0..<devices).map {
            InferenceDevice(name: "sim\($0)", kind: "simulator", transport: SimulatorTransport())
        }
        let model = try LanguageModel(path: model ?? path, options: options)
        var parameters = GenerationParameters(maxTokens: 1, sampling: .greedy)
        parameters.keepsPromptLogits = true
        let generation = try model.generate(from: [1, 260, 261, 270, 262], parameters)
        return Run(
            logits: generation.promptLogits.map(\.bitPattern), fromCache: model.devicesFromCache,
            notices: notices.lines.withLock { $0 })
    }

    /// The files of the cache, with when they were made.
    private func files(_ folder: String? = nil) throws -> [String: Date] {
        let folder = folder ?? cache
        return try Dictionary(
            uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: folder).map { name in
                let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + name)
                return (name, try #require(attributes[.modificationDate] as? Date))
            })
    }

    private func onlyFile() throws -> String {
        let names = try files().keys
        #expect(names.count == 1, "\(names)")
        return cache + "/" + (try #require(names.first))
    }

    private func write(_ bytes: Data, to path: String) throws {
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    @Test(arguments: [TensorType.f32, .q8_0, .q4_0], [1, 2])
    func coldAndWarmLoadsGiveTheSameLogits(type: TensorType, devices: Int) throws {
        let model = try TestModel.llama(type).write(to: folder.path("\(type).gguf"))
        let without = try run(model, cache: nil, devices: devices)
        #expect(without.fromCache == 0 && without.notices.isEmpty && without.logits.contains { $0 != 0 })
        let cold = try run(model, cache: cache, devices: devices)
        #expect(cold == without)
        let made = try files()
        #expect(made.count == devices && made.keys.allSatisfy { $0.hasSuffix(".tiles") }, "\(made)")
        let warm = try run(model, cache: cache, devices: devices)
        #expect(warm.logits == without.logits)
        #expect(warm.fromCache == devices && warm.notices.isEmpty, "\(warm.notices)")
        #expect(try files() == made)
    }

    /// Refused in one line, made again, and good the next time.
    private func checkRefusal(_ what: String, of file: String, saying reason: String? = nil, _ good: Run)
        throws
    {
        let found = try run(cache: cache)
        #expect(found.logits == good.logits && found.fromCache == 0, "\(what)")
        #expect(found.notices.count == 1, "\(what): \(found.notices)")
        if let notice = found.notices.first, let reason {
            #expect(notice.contains(reason) && !notice.contains("\n"), "\(what): \(notice)")
        }
        let again = try run(cache: cache)
        #expect(again == Run(logits: good.logits, fromCache: 1, notices: []), "\(what)")
        _ = try onlyFile()
    }

    @Test func damagedFilesAreRefusedAndMadeAgain() throws {
        let good = try run(cache: cache)
        let file = try onlyFile()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        func check(_ what: String, _ reason: String? = nil, _ change: (inout Data) -> Void) throws {
            var damaged = bytes
            change(&damaged)
            try write(damaged, to: file)
            try checkRefusal(what, of: file, saying: reason, good)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes, "\(what)")
        }
        try check("empty", "empty") { $0 = Data() }
        for count in [1, 7, 71, 72, 100, 4096, bytes.count - 128, bytes.count - 1] {
            try check("cut to \(count)") { $0 = $0.prefix(count) }
        }
        try check("longer", "bytes instead of") { $0.append(0) }
        try check("zeros", "no file of repacked weights") { $0 = Data(count: $0.count) }
        try check("a model", "no file of repacked weights") { data in
            data = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? data
        }
        try check("another version", "version 2") { $0[8] = 2 }
        // Every word of the header, the checksums and their digest among them.
        var words = 0
        while bytes[8 * words..<8 * words + 8].contains(where: { $0 != 0 }) { words += 1 }
        #expect(words > 12)
        for word in 0..<words {
            for byte in [0, 5] { try check("byte \(byte) of word \(word)") { $0[8 * word + byte] ^= 0x10 } }
        }
        // The number of pieces at its worst: the header must not be read beyond the file.
        for value in [UInt8(0xff), 0x7f] {
            try check("pieces", "damaged header") { for i in 48..<56 { $0[i] = value } }
        }
        var random = SeededGenerator(5)
        for _ in 0..<24 {
            let place = Int.random(in: 4096..<bytes.count, using: &random)
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            try check("bit of byte \(place)", "damaged tiles") { $0[place] ^= bit }
        }
        try check("exchanged tiles", "damaged tiles") { data in
            data.swapAt(data.count - 1, data.count - 1 - 32)
            data.replaceSubrange(4096..<4224, with: bytes[4096 + 256..<4224 + 256])
        }
    }

    /// The file of a model whose matrices are called alike.
    @Test func anotherModelsFileIsRefused() throws {
        let good = try run(cache: cache)
        let file = try onlyFile()
        let other = try TestModel.llama(.q8_0).write(to: folder.path("other.gguf"))
        let otherCache = folder.path("other")
        _ = try run(other, cache: otherCache)
        let name = try #require(try files(otherCache).keys.first)
        try write(try Data(contentsOf: URL(fileURLWithPath: otherCache + "/" + name)), to: file)
        try checkRefusal("another model's", of: file, saying: "for other matrices", good)
    }

    @Test func aChangedModelIsRepacked() throws {
        _ = try run(cache: cache)
        let file = try onlyFile()
        var changed = TestModel.llama(.q4_0)
        changed["blk.1.ffn_up.weight"].bytes[2] ^= 0x31
        try changed.write(to: path)
        let expected = try run(cache: nil)
        try checkRefusal("changed weights", of: file, saying: "another version of the model", expected)
        // The time of the change alone.
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: path)
        try checkRefusal("changed time", of: file, saying: "another version of the model", expected)
        // The weights alone.
        changed["blk.0.attn_q.weight"].bytes[5] ^= 0x31
        try changed.write(to: path)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: path)
        let last = try run(cache: nil)
        #expect(last.logits != expected.logits)
        try checkRefusal("changed weights of the same time", of: file, saying: "another version", last)
    }

    /// A folder that cannot be, or that cannot be written to.
    @Test(arguments: ["missing/folder", "model.gguf", "model.gguf/x", "/proc"])
    func withoutAFolderTheModelLoads(name: String) throws {
        let expected = try run(cache: nil)
        let found = try run(cache: name.hasPrefix("/") ? name : folder.path(name))
        #expect(found.logits == expected.logits && found.fromCache == 0)
        #expect(found.notices.count == 1, "\(found.notices)")
        #expect(found.notices.first?.contains("are not kept") == true, "\(found.notices)")
    }

    /// Something else at the file's place, which cannot be replaced.
    @Test func aFolderAtTheFilesPlaceStays() throws {
        let good = try run(cache: cache)
        let file = try onlyFile()
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        let found = try run(cache: cache)
        #expect(found.logits == good.logits && found.fromCache == 0)
        #expect(found.notices.count == 2, "\(found.notices)")
        #expect(try files().count == 1)
    }

    /// What killed runs left is not used, and removed when nobody can be writing it any more.
    @Test func remainsOfKilledRunsVanish() throws {
        let good = try run(cache: cache)
        let file = try onlyFile()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        try FileManager.default.removeItem(atPath: file)
        for name in ["old.part", "young.part"] { try write(bytes.prefix(9000), to: file + "." + name) }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -4000)], ofItemAtPath: file + ".old.part")
        #expect(try run(cache: cache) == good)
        let left = try files().keys.map { cache + "/" + $0 }.sorted()
        #expect(left == [file, file + ".young.part"])
        #expect(try run(cache: cache).fromCache == 1)
    }

    @Test func processesAtTheSameTime() throws {
        let results = Mutex<[Tool.Result]>([])
        let arguments = [
            "generate", "-m", path, "--tokens", "1,260,261", "-n", "4", "--temp", "0", "--ignore-eos",
            "--device", "sim0", "-c", "64", "--repack-cache", cache, "--json",
        ]
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            if let result = try? Tool.run("engine", arguments) { results.withLock { $0.append(result) } }
        }
        let found = results.withLock { $0 }
        #expect(found.count == 6)
        for result in found { #expect(result.exitCode == 0 && result.errors == "", "\(result.errors)") }
        let tokens = try found.map {
            try JSONDecoder().decode(GenerationReport.self, from: Data($0.output.utf8)).tokens
        }
        #expect(Set(tokens).count == 1 && tokens.first?.count == 4)
        _ = try onlyFile()
        let warm = try run(cache: cache)
        let without = try run(cache: nil)
        #expect(warm.fromCache == 1 && warm.notices.isEmpty && warm.logits == without.logits)
    }
}
