import Foundation
import GGUF
import Testing

/// A header put together word by word, so that what the reader reads was not written by the writer.
struct HandmadeGGUF {
    var bytes: [UInt8] = Array("GGUF".utf8)

    init(version: UInt32 = 3, tensors: UInt64 = 0, keys: UInt64 = 0) {
        word(version)
        word(tensors)
        word(keys)
    }

    mutating func word(_ word: some FixedWidthInteger) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func string(_ text: String) {
        word(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func key(_ name: String, type: UInt32) {
        string(name)
        word(type)
    }

    mutating func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        string(name)
        word(UInt32(dimensions.count))
        for dimension in dimensions { word(dimension) }
        word(type)
        word(offset)
    }

    mutating func data(_ count: Int, alignment: Int = 32) {
        bytes.append(contentsOf: repeatElement(0, count: (alignment - bytes.count % alignment) % alignment))
        bytes.append(contentsOf: (0..<count).map { UInt8(truncatingIfNeeded: $0) })
    }

    /// The error that opening a file of these bytes gives.
    func error() throws -> GGUFError? {
        try ScratchFile(bytes).read()
    }

    /// A file with a value of every type, nested arrays and two tensors.
    static var everything: HandmadeGGUF {
        var file = HandmadeGGUF(tensors: 2, keys: 16)
        file.key("a.u8", type: 0)
        file.word(UInt8(200))
        file.key("a.i8", type: 1)
        file.word(Int8(-100))
        file.key("a.u16", type: 2)
        file.word(UInt16(60000))
        file.key("a.i16", type: 3)
        file.word(Int16(-30000))
        file.key("a.u32", type: 4)
        file.word(UInt32(4_000_000_000))
        file.key("a.i32", type: 5)
        file.word(Int32(-2_000_000_000))
        file.key("a.f32", type: 6)
        file.word(Float(1.5).bitPattern)
        file.key("a.bool", type: 7)
        file.word(UInt8(1))
        file.key("a.string", type: 8)
        file.string("häuser")
        file.key("a.u64", type: 10)
        file.word(UInt64.max)
        file.key("a.i64", type: 11)
        file.word(Int64.min)
        file.key("a.f64", type: 12)
        file.word((-0.1).bitPattern)
        file.key("general.alignment", type: 4)
        file.word(UInt32(64))
        file.key("b.strings", type: 9)
        file.word(UInt32(8))
        file.word(UInt64(3))
        for text in ["", "one", "ß"] { file.string(text) }
        file.key("b.numbers", type: 9)
        file.word(UInt32(3))
        file.word(UInt64(2))
        file.word(Int16(-1))
        file.word(Int16(7))
        file.key("b.nested", type: 9)
        file.word(UInt32(9))
        file.word(UInt64(2))
        for words in [[UInt32(1), 2], [3]] {
            file.word(UInt32(4))
            file.word(UInt64(words.count))
            for word in words { file.word(word) }
        }
        file.tensor("x", [32, 3], type: 8)
        file.tensor("y", [2], type: 0, offset: 128)
        file.data(136, alignment: 64)
        return file
    }
}

/// A tensor entry that must be refused, in a file with 64 bytes of data.
struct BadTensor: Sendable {
    let dimensions: [UInt64]
    let type: UInt32
    let offset: UInt64
    let kind: GGUFError.Kind

    init(_ dimensions: [UInt64], type: UInt32, offset: UInt64, _ kind: GGUFError.Kind) {
        self.dimensions = dimensions
        self.type = type
        self.offset = offset
        self.kind = kind
    }

    static let all: [BadTensor] = [
        BadTensor([0], type: 0, offset: 0, .malformed),
        BadTensor([4, 0], type: 0, offset: 0, .malformed),
        BadTensor([4, 1, 1, 1, 1], type: 0, offset: 0, .malformed),
        BadTensor([1 << 63], type: 0, offset: 0, .malformed),
        BadTensor([1 << 62, 4], type: 0, offset: 0, .malformed),
        BadTensor([1 << 32, 1 << 32], type: 24, offset: 0, .malformed),
        BadTensor([.max, 2], type: 0, offset: 0, .malformed),
        BadTensor([1 << 40], type: 0, offset: 0, .truncated),
        BadTensor([33], type: 2, offset: 0, .malformed),
        BadTensor([128], type: 12, offset: 0, .malformed),
        BadTensor([4], type: 77, offset: 0, .unsupported),
        BadTensor([4], type: 4, offset: 0, .unsupported),
        BadTensor([4], type: .max, offset: 0, .unsupported),
        BadTensor([4], type: 0, offset: 1, .malformed),
        BadTensor([4], type: 0, offset: 64, .truncated),
        BadTensor([4], type: 0, offset: 1 << 63, .truncated),
        BadTensor([4], type: 0, offset: .max - 31, .truncated),
        BadTensor([17], type: 0, offset: 0, .truncated),
    ]
}

@Suite struct GGUFFileTests {
    @Test func readsEveryType() throws {
        let scratch = try ScratchFile(HandmadeGGUF.everything.bytes)
        let file = try GGUFFile(path: scratch.path)
        let metadata = file.metadata
        #expect(file.version == 3)
        #expect(file.alignment == 64)
        #expect(metadata.count == 16 && metadata.keys.first == "a.u8" && metadata.keys.last == "b.nested")
        #expect(try metadata.integer("a.u8") == 200)
        #expect(try metadata.integer("a.i8") == -100)
        #expect(try metadata.integer("a.u16") == 60000)
        #expect(try metadata.integer("a.i16") == -30000)
        #expect(try metadata.integer("a.u32") == 4_000_000_000)
        #expect(try metadata.integer("a.i32") == -2_000_000_000)
        #expect(try metadata.integer("a.i64") == Int.min)
        #expect(throws: GGUFError.self) { try metadata.integer("a.u64") }
        #expect(try metadata.float("a.f32") == 1.5)
        #expect(try metadata.float("a.f64") == -0.1)
        #expect(try metadata.bool("a.bool"))
        #expect(try metadata.string("a.string") == "häuser")
        #expect(try metadata.strings("b.strings") == ["", "one", "ß"])
        #expect(try metadata.integers("b.numbers") == [-1, 7])
        #expect(try metadata.floats("b.numbers") == [-1, 7])
        #expect(try metadata.array("b.nested").arrays?.map(\.integers) == [[1, 2], [3]])
        #expect(try metadata.stringIfPresent("none") == nil)
        #expect(throws: GGUFError.self) { try metadata.string("none") }
        #expect(throws: GGUFError.self) { try metadata.stringIfPresent("a.u8") }

        let x = try file.requiredTensor(named: "x")
        #expect(x.dimensions == [32, 3] && x.type == .q8_0 && x.byteCount == 102 && x.rowByteCount == 34)
        #expect(x.rowCount == 3 && x.rowLength == 32 && x.fileOffset % 64 == 0)
        #expect(file.bytes(of: x).elementsEqual(0..<102))
        let y = try file.requiredTensor(named: "y")
        #expect(file.bytes(of: y).elementsEqual(128..<136))
        file.advise(.willNeed, x)
        file.advise(.doneWith, x)
        #expect(file.bytes(of: x).elementsEqual(0..<102))
        #expect(throws: GGUFError.self) { try file.requiredTensor(named: "z") }
    }

    @Test func readsVersion2() throws {
        var bytes = HandmadeGGUF.everything.bytes
        bytes[4] = 2
        let scratch = try ScratchFile(bytes)
        #expect(try GGUFFile(path: scratch.path).version == 2)
    }

    @Test func refusesEveryTruncation() throws {
        let bytes = HandmadeGGUF.everything.bytes
        let scratch = try ScratchFile(bytes)
        #expect(scratch.read() == nil)
        for count in stride(from: bytes.count - 1, through: 0, by: -1) {
            scratch.truncate(to: count)
            let error = try #require(scratch.read(), "\(count) of \(bytes.count) bytes were accepted")
            #expect(error.kind == .truncated, "\(error)")
            #expect(!error.description.contains("\n"))
        }
    }

    @Test func survivesEveryFlippedByte() throws {
        let bytes = HandmadeGGUF.everything.bytes
        let scratch = try ScratchFile(bytes)
        for offset in bytes.indices {
            for byte in [~bytes[offset], bytes[offset] ^ 1, bytes[offset] ^ 0x80, 0, 0xff] {
                try scratch.overwrite(byte, at: offset)
                if let error = scratch.read() { #expect(!error.description.contains("\n")) }
            }
            try scratch.overwrite(bytes[offset], at: offset)
        }
        #expect(scratch.read() == nil)
    }

    @Test func survivesNoise() throws {
        let bytes = HandmadeGGUF.everything.bytes
        let scratch = try ScratchFile(bytes)
        for _ in 0..<1000 {
            var changed: Set<Int> = []
            for _ in 0..<Int.random(in: 1...6) {
                // Eight equal bytes at once make the counts and sizes absurd that one byte cannot.
                let start = Int.random(in: 4..<bytes.count - 7)
                let byte = [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255)].randomElement() ?? 0
                for offset in start..<start + (Bool.random() ? 8 : 1) {
                    try scratch.overwrite(byte, at: offset)
                    changed.insert(offset)
                }
            }
            scratch.read()
            for offset in changed { try scratch.overwrite(bytes[offset], at: offset) }
        }
        #expect(scratch.read() == nil)
    }

    @Test func refusesWhatIsNoFile() throws {
        let scratch = try ScratchFile()
        let folder = (scratch.path as NSString).deletingLastPathComponent
        #expect(scratch.read()?.kind == .truncated)
        #expect(throws: GGUFError.self) { try GGUFFile(path: folder) }
        #expect(throws: GGUFError.self) { try GGUFFile(path: folder + "/none") }
        #expect(throws: GGUFError.self) { try GGUFFile(path: "/dev/null") }
        #expect(throws: GGUFError.self) { try GGUFFile(path: scratch.path + "\0x") }
        let pipe = folder + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: GGUFError.self) { try GGUFFile(path: pipe) }
    }

    @Test func refusesOtherKinds() throws {
        var bytes = HandmadeGGUF().bytes
        bytes.swapAt(4, 7)
        #expect(try ScratchFile(bytes).read()?.problem.contains("big-endian") == true)
        #expect(try HandmadeGGUF(version: 1).error()?.kind == .unsupported)
        #expect(try HandmadeGGUF(version: 4).error()?.kind == .unsupported)
        #expect(try ScratchFile(Array("PK\u{3}\u{4}and more of it".utf8)).read()?.kind == .notGGUF)
    }

    @Test(arguments: [UInt64(1) << 63, 1 << 62, 1 << 60, .max, 1 << 32, 1 << 20])
    func refusesAbsurdCounts(count: UInt64) throws {
        #expect(try HandmadeGGUF(tensors: count).error()?.kind == .truncated)
        #expect(try HandmadeGGUF(keys: count).error()?.kind == .truncated)
        var file = HandmadeGGUF(keys: 1)
        file.word(count)
        #expect(try file.error()?.kind == .truncated)
        for type in [UInt32(0), 7, 8, 9, 12] {
            file = HandmadeGGUF(keys: 1)
            file.key("k", type: 9)
            file.word(type)
            file.word(count)
            #expect(try file.error()?.kind == .truncated)
        }
        file = HandmadeGGUF(keys: 1)
        file.key("k", type: 8)
        file.word(count)
        #expect(try file.error()?.kind == .truncated)
    }

    @Test func refusesDoubleNames() throws {
        var file = HandmadeGGUF(keys: 2)
        for _ in 0..<2 {
            file.key("twice", type: 0)
            file.word(UInt8(1))
        }
        #expect(try file.error()?.problem.contains("\"twice\" appears twice") == true)
        file = HandmadeGGUF(tensors: 2)
        file.tensor("t", [1])
        file.tensor("t", [1], offset: 32)
        file.data(64)
        #expect(try file.error()?.problem.contains("\"t\" appears twice") == true)
    }

    @Test func refusesBadValues() throws {
        var file = HandmadeGGUF(keys: 1)
        file.key("k", type: 13)
        file.word(UInt64(0))
        #expect(try file.error()?.kind == .malformed)
        file = HandmadeGGUF(keys: 1)
        file.key("k", type: 7)
        file.word(UInt8(2))
        #expect(try file.error()?.kind == .malformed)
        file = HandmadeGGUF(keys: 1)
        file.word(UInt64(2))
        file.bytes += [0xff, 0xfe]
        file.word(UInt32(0))
        file.word(UInt64(0))
        #expect(try file.error()?.kind == .malformed)
        for alignment in [UInt32(0), 3, 48, .max] {
            file = HandmadeGGUF(keys: 1)
            file.key("general.alignment", type: 4)
            file.word(alignment)
            #expect(try file.error()?.kind == .malformed)
        }
        file = HandmadeGGUF(keys: 1)
        file.key("nested", type: 9)
        for _ in 0..<50 {
            file.word(UInt32(9))
            file.word(UInt64(1))
        }
        file.word(UInt32(0))
        file.word(UInt64(0))
        #expect(try file.error()?.problem.contains("nested deeper") == true)
    }

    @Test(arguments: BadTensor.all)
    func refusesBadTensors(tensor: BadTensor) throws {
        var file = HandmadeGGUF(tensors: 1)
        file.tensor("t", tensor.dimensions, type: tensor.type, offset: tensor.offset)
        file.data(64)
        let error = try #require(try file.error())
        #expect(error.kind == tensor.kind, "\(error)")
        if tensor.dimensions.count <= 4 { #expect(error.problem.contains("\"t\"")) }
    }

    @Test func acceptsAScalar() throws {
        var file = HandmadeGGUF(tensors: 1)
        file.tensor("scalar", [])
        file.data(4)
        let scratch = try ScratchFile(file.bytes)
        #expect(try GGUFFile(path: scratch.path).tensors.first?.dimensions == [1])
    }
}
