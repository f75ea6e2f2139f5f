import Engine
import Foundation
import GGUF
import TestSupport
import Testing
import VirtualDSP

/// Model files with something wrong: one clear line, in the process and from the tool, and no trap.
@Suite("Bad models") struct BadModelTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// The message that a model is refused with, checked for its form; `nil` where it loads.
    private func refusal(_ path: String) -> String? {
        do {
            _ = try LanguageModel(path: path)
            return nil
        } catch {
            let message = "\(error)"
            #expect(message.contains(path), "\(message)")
            #expect(!message.contains("\n") && message.count < 400, "\(message)")
            return message
        }
    }

    /// Runs the tool on a model that it cannot use.
    private func runTool(_ path: String, _ arguments: [String] = []) throws -> String {
        let result = try Tool.run("engine", ["generate", "-m", path, "-p", "a", "-n", "2"] + arguments)
        #expect(result.exitCode == 1)
        #expect(result.output == "")
        #expect(result.errors.hasPrefix("engine: ") && result.errorLines.count == 1, "\(result.errors)")
        return result.errors
    }

    @Test func theModelItselfIsGood() throws {
        let path = try TestModel.llama().write(to: folder.path("good.gguf"))
        #expect(refusal(path) == nil)
        let result = try Tool.run("engine", ["generate", "-m", path, "-p", "a", "-n", "2", "--temp", "0"])
        #expect(result.exitCode == 0)
        #expect(result.output.hasPrefix("a"))
    }

    @Test(arguments: BadModel.all) func refused(_ bad: BadModel) throws {
        let path = try bad.write(folder)
        let message = try #require(refusal(path))
        for part in bad.expected { #expect(message.contains(part), "\(message)") }
        #expect(try runTool(path) == "engine: \(message)\n")
        #expect(try folder.contents == ["bad.gguf"])
    }

    @Test func pathsThatAreNoModel() throws {
        let cases = [
            (folder.path("missing.gguf"), "No such file"), (folder.path, "is a directory"),
            (try folder.write([], to: "empty"), "is empty"), ("/dev/null", "not a regular file"),
            (try folder.write(Array("GGUX and more".utf8), to: "magic"), "not a GGUF file"),
            (try folder.write(Array("GGUF".utf8), to: "short"), "the version"),
        ]
        for (path, expected) in cases {
            let message = try #require(refusal(path))
            #expect(message.contains(expected), "\(message)")
            #expect(try runTool(path) == "engine: \(message)\n")
        }
    }

    /// The file of a small model, and where its data begins.
    private func wholeFile(_ type: TensorType = .f32) throws -> (bytes: [UInt8], dataStart: Int) {
        let path = try TestModel.llama(type).write(to: folder.path("whole.gguf"))
        let start = try GGUFFile(path: path).tensors.map(\.fileOffset).min() ?? 0
        return ([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))), start)
    }

    @Test func everyTruncationIsRefused() throws {
        let (bytes, dataStart) = try wholeFile()
        let path = try folder.write(bytes, to: "cut.gguf")
        var refused = 0
        let lengths =
            Array(stride(from: bytes.count - 1, to: dataStart, by: -1999)) + (0...dataStart).reversed()
        for length in lengths {
            #expect(truncate(path, length) == 0)
            refused += refusal(path) == nil ? 0 : 1
        }
        #expect(refused == lengths.count)
        for length in [1, 4, 8, 23, 24, 100, 700, dataStart - 1, dataStart, dataStart + 999, bytes.count - 1]
        {
            _ = try runTool(try folder.write(Array(bytes[..<length]), to: "cut.gguf"))
        }
    }

    @Test func absurdNumbersAreRefused() throws {
        let (bytes, _) = try wholeFile()
        let name = Array("blk.0.ffn_up.weight".utf8)
        let entry =
            try #require(
                bytes.indices.first { bytes[$0...].starts(with: name) }
            ) + name.count
        // Behind the name: rank, two dimensions, type, offset.
        let places: [(String, at: Int, size: Int)] = [
            ("version", 4, 4), ("tensors", 8, 8), ("keys", 16, 8), ("key length", 24, 8), ("rank", entry, 4),
            ("columns", entry + 4, 8), ("rows", entry + 12, 8), ("type", entry + 20, 4),
            ("offset", entry + 24, 8), ("name length", entry - name.count - 8, 8),
        ]
        let values: [UInt64] = [
            .max, .max / 2, 1 << 63, 1 << 40, UInt64(UInt32.max), UInt64(Int32.max), 0x7fff_ffff_ffff_ffe0,
        ]
        for (what, offset, size) in places {
            for value in values where value << (64 - 8 * UInt64(size)) != 0 {
                var changed = bytes
                for index in 0..<size {
                    changed[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
                }
                let path = try folder.write(changed, to: "absurd.gguf")
                #expect(refusal(path) != nil, "\(what) = \(value)")
                if value == .max || value == 1 << 63 { _ = try runTool(path) }
            }
        }
    }

    @Test func unknownWeightTypes() throws {
        let (bytes, _) = try wholeFile()
        let name = Array("blk.0.ffn_up.weight".utf8)
        let entry = try #require(bytes.indices.first { bytes[$0...].starts(with: name) }) + name.count
        var changed = bytes
        changed[entry + 20] = 99
        let path = try folder.write(changed, to: "type.gguf")
        let message = try #require(refusal(path))
        #expect(message.contains("\"blk.0.ffn_up.weight\" is of type 99, which is not known"))
        #expect(try runTool(path) == "engine: \(message)\n")
    }

    /// Bytes of the header are changed at random. Whatever comes of it must be a model or an error; a trap
    /// would end the test program.
    @Test(arguments: [TensorType.f32, .q8_0]) func mutations(_ type: TensorType) throws {
        let (bytes, dataStart) = try wholeFile(type)
        // The arrays of the vocabulary are most of the header and the least of it to be read.
        let vocabulary = try #require(bytes.indices.first { bytes[$0...].starts(with: "<unk>".utf8) })
        let behind = try #require(
            bytes.indices.first { bytes[$0...].starts(with: "tokenizer.ggml.bos".utf8) })
        var generator = SeededGenerator(UInt64(type.rawValue) + 1)
        var (loaded, refused) = (0, 0)
        for _ in 0..<1500 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                var place: Int
                repeat {
                    place = Int.random(in: 4..<dataStart, using: &generator)
                } while vocabulary..<behind ~= place && Int.random(in: 0..<20, using: &generator) > 0
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: changed[place] = UInt8.random(in: 0...255, using: &generator)
                case 2: changed[place] = 0xff
                default: changed[place] = changed[place] &+ 1
                }
            }
            let path = try folder.write(changed, to: "mutant.gguf")
            do {
                let simulated = type == .q8_0 && Bool.random(using: &generator)
                var options = LanguageModel.Options()
                options.threads = 1
                if simulated {
                    options.devices = [
                        InferenceDevice(name: "sim0", kind: "simulator", transport: SimulatorTransport())
                    ]
                }
                let model = try LanguageModel(path: path, options: options)
                let prompt = try model.tokens(of: "a mutant")
                _ = try model.generate(from: prompt, GenerationParameters(maxTokens: 2, sampling: .greedy))
                loaded += 1
            } catch {
                #expect(!"\(error)".contains("\n"), "\(error)")
                refused += 1
            }
        }
        // Both happen, or the test would test little.
        #expect(loaded > 30 && refused > 100, "\(loaded) loaded, \(refused) refused")
    }

    // MARK: Weights that are not numbers

    /// Puts the bytes of a number into a tensor.
    private func model(
        _ type: TensorType, _ tensor: String, at offset: Int, _ bytes: [UInt8]
    ) throws -> String {
        var model = TestModel.llama(type)
        model[tensor].bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return try model.write(to: folder.path("weights.gguf"))
    }

    @Test(arguments: [[0x00, 0x7e], [0x00, 0x7c], [0x00, 0xfc], [0x01, 0xfd]] as [[UInt8]])
    func scalesThatAreNotNumbers(_ scale: [UInt8]) throws {
        for (type, block) in [(TensorType.q8_0, 34), (.q4_0, 18)] {
            let path = try model(type, "blk.1.attn_q.weight", at: 3 * block, scale)
            #expect(try runTool(path).contains("\(path): the model's logits are not numbers"))
            let onDSP = try runTool(path, ["--device", "sim0"])
            #expect(onDSP.contains("\(path): tensor \"blk.1.attn_q.weight\": the scale of row 1, block 1"))
        }
    }

    @Test func weightsThatAreNotNumbers() throws {
        let nan: [UInt8] = [0, 0, 0xc0, 0x7f]
        for (type, tensor, device) in [
            (TensorType.f32, "blk.0.attn_v.weight", "cpu"), (.f32, "blk.1.ffn_norm.weight", "cpu"),
            (.f32, "output_norm.weight", "cpu"), (.q8_0, "blk.1.ffn_norm.weight", "cpu"),
            (.q8_0, "blk.1.ffn_norm.weight", "sim0"), (.q4_0, "output_norm.weight", "sim0"),
        ] {
            let path = try model(type, tensor, at: 8, nan)
            let message = try runTool(path, ["--device", device])
            #expect(
                message.contains("not numbers") || message.contains("not a number"), "\(tensor) \(device)")
            #expect(message.contains(path))
        }
    }
}
