import Foundation
import GGUF
import Testing

@Suite struct GGUFWriterTests {
    static func example() -> GGUFWriter {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("test"))
        writer.set("n.u8", .uint8(1))
        writer.set("n.i8", .int8(-1))
        writer.set("n.u16", .uint16(2))
        writer.set("n.i16", .int16(-2))
        writer.set("n.u32", .uint32(3))
        writer.set("n.i32", .int32(-3))
        writer.set("n.u64", .uint64(4))
        writer.set("n.i64", .int64(-4))
        writer.set("n.f32", .float32(0.25))
        writer.set("n.f64", .float64(-0.1))
        writer.set("n.bool", .bool(true))
        writer.set("a.strings", .array(MetadataArray(["", "ä", "three"])))
        writer.set("a.integers", .array(MetadataArray([Int32(1), -2])))
        writer.set("a.floats", .array(MetadataArray([Float(1), -2.5])))
        writer.set("a.bools", .array(MetadataArray([true, false])))
        writer.addTensor("odd", dimensions: [5], type: .i8, bytes: [1, 2, 3, 4, 5])
        writer.addTensor("blocks", dimensions: [64, 2], type: .q4_0, bytes: [UInt8](repeating: 7, count: 72))
        return writer
    }

    @Test func readsBackWhatItWrote() throws {
        let scratch = try ScratchFile()
        var writer = Self.example()
        let nested = [MetadataArray([Int32(1)]), MetadataArray(["x", "y"])]
        writer.set("a.nested", .array(MetadataArray(nested)))
        try writer.write(to: scratch.path)
        let file = try GGUFFile(path: scratch.path)
        #expect(try file.metadata.string("general.architecture") == "test")
        let names = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"]
        #expect(try names.map { try file.metadata.integer("n." + $0) } == [1, -1, 2, -2, 3, -3, 4, -4])
        #expect(try file.metadata.float("n.f32") == 0.25 && file.metadata.float("n.f64") == -0.1)
        #expect(try file.metadata.bool("n.bool"))
        #expect(try file.metadata.strings("a.strings") == ["", "ä", "three"])
        #expect(try file.metadata.integers("a.integers") == [1, -2])
        #expect(try file.metadata.floats("a.floats") == [1, -2.5])
        #expect(try file.metadata.bools("a.bools") == [true, false])
        let arrays = try #require(try file.metadata.array("a.nested").arrays)
        #expect(arrays[0].integers == [1] && arrays[1].strings == ["x", "y"])
        #expect(file.bytes(of: try file.requiredTensor(named: "odd")).elementsEqual([1, 2, 3, 4, 5]))
        #expect(file.bytes(of: try file.requiredTensor(named: "blocks")).allSatisfy { $0 == 7 })
        #expect(try scratch.neighbours == ["file.gguf"])
    }

    @Test func copiesAFileByteForByte() throws {
        let (first, second) = (try ScratchFile(), try ScratchFile())
        try Self.example().write(to: first.path)
        let file = try GGUFFile(path: first.path)
        var writer = GGUFWriter()
        for key in file.metadata.keys {
            if let value = file.metadata[key] { writer.set(key, value) }
        }
        for tensor in file.tensors {
            writer.addTensor(tensor.name, dimensions: tensor.dimensions, type: tensor.type) {
                Array(file.bytes(of: tensor))
            }
        }
        try writer.write(to: second.path)
        #expect(try first.bytes == second.bytes)
    }

    @Test func honoursTheAlignment() throws {
        let scratch = try ScratchFile()
        var writer = Self.example()
        writer.set("general.alignment", .uint32(256))
        try writer.write(to: scratch.path)
        let file = try GGUFFile(path: scratch.path)
        #expect(file.alignment == 256 && file.tensors.allSatisfy { $0.fileOffset % 256 == 0 })
        writer.set("general.alignment", .uint32(3))
        #expect(throws: GGUFError.self) { try writer.write(to: scratch.path) }
    }

    @Test func leavesNothingBehindOnFailure() throws {
        struct Refusal: Error {}
        let scratch = try ScratchFile([1, 2, 3])
        var writer = Self.example()
        writer.addTensor("late", dimensions: [1], type: .f32) { throw Refusal() }
        #expect(throws: Refusal.self) { try writer.write(to: scratch.path) }
        writer = Self.example()
        writer.addTensor("short", dimensions: [2], type: .f32, bytes: [0])
        #expect(throws: GGUFError.self) { try writer.write(to: scratch.path) }
        #expect(try scratch.neighbours == ["file.gguf"])
        #expect(try scratch.bytes == [1, 2, 3])
        let folder = (scratch.path as NSString).deletingLastPathComponent
        #expect(throws: GGUFError.self) { try Self.example().write(to: folder + "/none/file") }
        #expect(throws: GGUFError.self) { try Self.example().write(to: folder) }
        #expect(try scratch.neighbours == ["file.gguf"])
    }

    @Test func refusesBadTensors() throws {
        let scratch = try ScratchFile()
        let cases: [(String, [Int], TensorType)] = [
            ("odd", [4], .i8), (String(repeating: "n", count: 64), [4], .i8), ("x", [], .i8),
            ("x", [0], .i8), ("x", [31], .q4_0), ("x", [1, 1, 1, 1, 1], .i8), ("x", [-1], .i8),
            ("x", [4], TensorType(rawValue: 77)), ("x", [1 << 40, 1 << 40], .f32),
        ]
        for (name, dimensions, type) in cases {
            var writer = Self.example()
            writer.addTensor(name, dimensions: dimensions, type: type, bytes: [])
            #expect(throws: GGUFError.self, "\(name) \(dimensions)") { try writer.write(to: scratch.path) }
        }
    }
}
