import GGUF
import TestSupport
import Testing

/// Models in several files.
@Suite("Split models") struct SplitModelTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func path(_ part: Int, of count: Int = 3) -> String {
        folder.path("m-0000\(part + 1)-of-0000\(count).gguf")
    }

    /// Writes a part with the tensors `names`, each of four numbers.
    private func write(
        _ part: Int, _ names: [String], number: UInt16? = nil, count: UInt16 = 3, total: Int32? = 4
    ) throws {
        var writer = GGUFWriter()
        if part == 0 { writer.set("general.architecture", .string("test")) }
        writer.set("split.no", .uint16(number ?? UInt16(part)))
        writer.set("split.count", .uint16(count))
        if let total { writer.set("split.tensors.count", .int32(total)) }
        for name in names {
            writer.addTensor(name, dimensions: [4], type: .i8, bytes: Array(name.utf8) + [0, 0, UInt8(part)])
        }
        try writer.write(to: path(part))
    }

    private func writeAll() throws {
        try write(0, ["a"])
        try write(1, ["b", "c"])
        try write(2, ["d"])
    }

    private func problem(_ part: Int = 0) -> GGUFError? {
        do {
            _ = try GGUFFile(path: path(part))
            return nil
        } catch {
            #expect(!error.description.contains("\n"))
            return error
        }
    }

    @Test(arguments: 0..<3) func anyPartOpensAll(part: Int) throws {
        try writeAll()
        let file = try GGUFFile(path: path(part))
        #expect(file.path == path(0) && file.paths == (0..<3).map { path($0) })
        #expect(try file.metadata.string("general.architecture") == "test")
        #expect(file.tensors.map(\.name) == ["a", "b", "c", "d"])
        #expect(file.tensors.map(\.part) == [0, 1, 1, 2])
        for tensor in file.tensors {
            let bytes = Array(tensor.name.utf8) + [0, 0, UInt8(tensor.part)]
            #expect(file.bytes(of: tensor).elementsEqual(bytes))
            file.advise(.willNeed, tensor)
            file.advise(.doneWith, file.bytes(of: tensor))
        }
        #expect(file.tensor(named: "d")?.part == 2)
        for part in 0..<3 { #expect(file.isStored(at: path(part))) }
        #expect(!file.isStored(at: folder.path("other")))
        let sizes = try (0..<3).map { try GGUFFileSize(path: path($0)).bytes }
        #expect(file.byteCount == sizes.reduce(0, +))
    }

    @Test func aPartThatIsMissing() throws {
        try write(0, ["a"])
        try write(2, ["d"])
        #expect(problem()?.kind == .missing)
        #expect(problem()?.description.contains("part 2 of 3") == true)
        #expect(problem(2)?.path == path(1))
    }

    @Test func partsThatDoNotBelongTogether() throws {
        try writeAll()
        try write(1, ["b", "a"])
        #expect(problem()?.problem.contains("\"a\" is in another part") == true)
        try write(1, ["b"])
        #expect(problem()?.problem.contains("the 3 parts hold 3 tensors") == true)
        try write(1, ["b", "c"], number: 2)
        #expect(problem()?.problem.contains("split.no is not 1") == true)
        try write(1, ["b", "c"], number: 3)
        #expect(problem()?.kind == .malformed)
        try write(1, ["b", "c"], count: 4)
        #expect(problem()?.problem.contains("split.count is not 3") == true)
        try write(1, ["b", "c"], total: nil)
        #expect(problem() == nil)
    }

    @Test func aPartUnderAnotherName() throws {
        try writeAll()
        let other = folder.path("other.gguf")
        var model = try TestModel(path: path(0))
        model.set("split.count", .uint16(3))
        try model.write(to: other)
        #expect {
            try GGUFFile(path: other)
        } throws: {
            "\($0)".contains("must end in -00001-of-00003.gguf")
        }
    }

    @Test func oneFileIsNoSplitModel() throws {
        try write(0, ["a"], count: 1)
        #expect(try GGUFFile(path: path(0)).paths == [path(0)])
        try write(0, ["a"], count: .max)
        #expect(problem()?.kind == .unsupported)
    }
}

/// The size of a file as the system says it.
private struct GGUFFileSize {
    let bytes: Int

    init(path: String) throws {
        bytes = try MappedFile(path: path).bytes.count
    }
}
