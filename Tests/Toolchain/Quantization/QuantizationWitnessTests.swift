import Foundation
import GGUF
import Quantization
import TestSupport
import Testing

/// Random bytes and floats through our code and through PyPI's `gguf`, the package of llama.cpp's authors.
@Suite("Quantization against the gguf package", .enabled(if: Witness.isAvailable, Witness.missing))
struct QuantizationWitnessTests {
    @Test("every format reads random bytes as the witness does", arguments: TensorType.dequantizable)
    func dequantize(_ type: TensorType) throws {
        let format = try #require(type.blockFormat)
        let blocks = 16384 / format.blockSize
        var generator = SeededGenerator(UInt64(type.rawValue) + 1)
        let bytes = (0..<blocks * format.bytesPerBlock).map { _ in
            UInt8.random(in: 0...255, using: &generator)
        }
        var ours = [Float](repeating: 0, count: blocks * format.blockSize)
        try bytes.withUnsafeBytes { source in
            try ours.withUnsafeMutableBufferPointer { try type.dequantize(source, into: $0) }
        }
        let theirs = try Witness.convert("dequantize", type, Data(bytes)).floats
        try #require(ours.count == theirs.count)
        // Which NaN it is depends on the witness's processor.
        let differences = zip(ours, theirs).filter {
            $0.bitPattern != $1.bitPattern && !($0.isNaN && $1.isNaN)
        }
        let count = differences.count
        #expect(count == 0, "first: \(String(describing: differences.first))")
        #expect(ours.contains { $0.isFinite && $0 != 0 })
    }

    @Test(
        "quantised floats have the witness's bits",
        arguments: [
            TensorType.f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .tq1_0, .tq2_0, .mxfp4,
        ])
    func quantize(_ type: TensorType) throws {
        let format = try #require(type.blockFormat)
        var generator = SeededGenerator(UInt64(type.rawValue) + 100)
        // Blocks of many magnitudes; one in eight all zero, one in eight on a coarse grid, where ties are common.
        var values: [Float] = []
        for block in 0..<4096 {
            let magnitude = Float.random(in: -20...10, using: &generator).exponentOfTwo
            for _ in 0..<32 {
                switch block % 8 {
                case 0: values.append(0)
                case 1: values.append(Float(Int.random(in: -127...127, using: &generator)) * 0.5)
                default: values.append(Float.random(in: -1...1, using: &generator) * magnitude)
                }
            }
        }
        var ours = [UInt8](repeating: 0, count: values.count / format.blockSize * format.bytesPerBlock)
        try values.withUnsafeBufferPointer { source in
            try ours.withUnsafeMutableBytes { try type.quantize(source, into: $0) }
        }
        let theirs = try Witness.convert("quantize", type, values.withUnsafeBytes { Data($0) })
        #expect(Data(ours) == theirs)
    }
}

extension Float {
    fileprivate var exponentOfTwo: Float { Float(sign: .plus, exponent: Int(self), significand: 1) }
}

extension Data {
    fileprivate var floats: [Float] {
        withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
    }
}

private enum Witness {
    static let missing: Comment =
        "needs Python with numpy and gguf (set HEXAGONRPC_PYTHON to such an interpreter)"

    static let isAvailable = (try? run(["-c", "import numpy, gguf"])) != nil

    static func convert(_ command: String, _ type: TensorType, _ input: Data) throws -> Data {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = folder.appendingPathComponent("in")
        let destination = folder.appendingPathComponent("out")
        try input.write(to: source)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Witness/quants.py").standardizedFileURL.path
        try run([script, command, type.name, source.path, destination.path])
        return try Data(contentsOf: destination)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let python = ProcessInfo.processInfo.environment["HEXAGONRPC_PYTHON"] ?? "python3"
        process.arguments = [python] + arguments
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let message = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: String(decoding: message, as: UTF8.self))
        }
    }
}
