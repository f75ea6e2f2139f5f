import Foundation
import Glibc
import RemoteCalls
import ReverseTunnel
import Synchronization
import TestSupport
import Testing

/// A search path with good files in it, and with every way out that a name can try.
struct FileTree {
    static let canary = "CANARY-7f3a"
    let folder: TemporaryFolder
    let library: [UInt8]
    var root: String { folder.path("root") }

    init() throws {
        folder = try TemporaryFolder()
        var random = SeededGenerator(7)
        library = (0..<300_007).map { _ in UInt8.random(in: 0...255, using: &random) }
        let manager = FileManager.default
        for name in ["root", "root/cdsp", "root/sub", "outside"] {
            try manager.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
        }
        _ = try folder.write(library, to: "root/cdsp/libbig.so")
        _ = try folder.write(Array("plain".utf8), to: "root/libbig.so")
        _ = try folder.write(Array("one\ntwo\n\nlast".utf8), to: "root/lines.txt")
        _ = try folder.write(Array("inner".utf8), to: "root/sub/inner.txt")
        _ = try folder.write(Array(Self.canary.utf8), to: "outside/secret")
        _ = try folder.write(Array(Self.canary.utf8), to: "secret")
        let links = [
            "root/out": "../outside", "root/secret": "../outside/secret",
            "root/absolute": folder.path("outside/secret"), "root/loop": "loop",
            "root/sub/way": "../../secret", "root/self": folder.path("root/lines.txt"),
            "root/good": "sub/../sub/inner.txt", "root/sub/up": "../lines.txt", "root/subway": "sub",
        ]
        for (link, target) in links {
            try manager.createSymbolicLink(atPath: folder.path(link), withDestinationPath: target)
        }
        #expect(mkfifo(folder.path("root/fifo"), 0o600) == 0)
    }

    func service(
        table: [String: [UInt8]] = [:], log: @escaping @Sendable (String) -> Void = { _ in }
    ) -> FileService {
        FileService(
            searchPath: [folder.path("missing"), root], domain: "cdsp", table: table,
            environment: ["GIVEN": "value"], log: log)
    }

    /// Descriptors of this process that point below the tree.
    var openDescriptors: [String] {
        let place = "/proc/self/fd"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        return numbers.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: place + "/" + $0)
        }.filter { $0.contains(folder.path.split(separator: "/").last.map(String.init) ?? folder.path) }
    }
}

@Suite("ReverseTunnel: apps_std")
struct ReverseTunnelFileTests {
    let tree: FileTree
    let dsp: ScriptedDSP
    let std: UInt32

    init() throws {
        tree = try FileTree()
        dsp = ScriptedDSP(
            server: ReverseServer(services: [tree.service(table: ["libmem.so": Array("memory".utf8)])]))
        std = dsp.open("apps_std").handle
    }

    func file(_ scalars: UInt32, _ words: [UInt32], _ out: [Int] = []) -> ScriptedDSP.Reply {
        dsp.call(std, scalars, [ScriptedDSP.words(words)], out)
    }

    @Test("A library of 300 KB is loaded in odd pieces", arguments: [1_021, 4_096, 77_777, 300_007, 400_000])
    func load(piece: Int) throws {
        let opened = dsp.openFile(std, "libbig.so")
        try #require(opened.result == .success)
        let handle = opened.word(0, 0)
        #expect(handle == 100)
        #expect(file(0x0a01_0100, [handle], [8]).buffers == [ScriptedDSP.words([300_007, 0])])
        var found: [UInt8] = []
        var isAtEnd: UInt32 = 0
        while isAtEnd == 0 {
            let reply = file(0x0401_0200, [handle, UInt32(piece)], [8, piece])
            try #require(reply.result == .success)
            isAtEnd = reply.word(0, 4)
            #expect(isAtEnd == (found.count + piece > 300_007 ? 1 : 0))
            found += reply.buffers[1].prefix(Int(reply.word(0, 0)))
        }
        #expect(found == tree.library)
        #expect(file(0x0c01_0100, [handle], [4]).word(0, 0) == 1)
        #expect(file(0x0801_0100, [handle], [4]).word(0, 0) == 300_007)
        // SEEK_END - 5, SEEK_CUR + 2, SEEK_SET.
        for (offset, whence, place) in [(-5, 2, 300_002), (2, 1, 300_005), (17, 0, 17)]
            as [(Int32, UInt32, Int)]
        {
            #expect(file(0x0901_0000, [handle, UInt32(bitPattern: offset), whence]).result == .success)
            let reply = file(0x0401_0200, [handle, 1], [8, 1])
            #expect(reply.buffers[1] == [tree.library[place]])
            #expect(file(0x0c01_0100, [handle], [4]).word(0, 0) == 0)
        }
        #expect(file(0x0901_0000, [handle, UInt32(bitPattern: -1), 0]).result.rawValue == UInt32(EINVAL))
        #expect(file(0x0901_0000, [handle, 0, 3]).result.rawValue == UInt32(EINVAL))
        #expect(file(0x0b01_0000, [handle]).result == .success)
        #expect(file(0x0801_0100, [handle], [4]).word(0, 0) == 0)
        #expect(tree.openDescriptors.count == 1)
        #expect(file(0x0301_0000, [handle]).result == .success)
        #expect(tree.openDescriptors.isEmpty)
        #expect(file(0x0301_0000, [handle]).result.rawValue == UInt32(EBADF))
        #expect(file(0x0401_0200, [handle, 1], [8, 1]).result.rawValue == UInt32(EBADF))
    }

    @Test("Lines, positions and files in memory")
    func lines() throws {
        let handle = dsp.openFile(std, "lines.txt", mode: "rb").word(0, 0)
        func line(_ room: UInt32) -> String {
            let reply = file(0x1401_0200, [handle, room], [4, Int(room)])
            guard reply.result == .success else { return "\(reply.result)" }
            let text = String(decoding: reply.buffers[1].prefix { $0 != 0 }, as: UTF8.self)
            return reply.word(0, 0) == 0 ? text : "end" + text
        }
        #expect([line(20), line(3)] == ["one\n", "tw"])
        let position = file(0x0601_0200, [handle, 8], [4, 8])
        #expect(position.word(0, 0) == 8 && position.buffers[1] == ScriptedDSP.words([6, 0]))
        #expect(file(0x0601_0200, [handle, 0], [4, 0]).word(0, 0) == 8)
        #expect([line(20), line(20), line(20), line(20)] == ["o\n", "\n", "last", "end"])
        let back = dsp.call(std, 0x0702_0000, [ScriptedDSP.words([handle, 8]), position.buffers[1]])
        #expect(back.result == .success && line(20) == "o\n")
        for wrong in [[0, 0, 0, 0, 0, 0, 0, 0x80], [1, 2]] as [[UInt8]] {
            let reply = dsp.call(
                std, 0x0702_0000, [ScriptedDSP.words([handle, UInt32(wrong.count)]), wrong])
            #expect(reply.result.rawValue == UInt32(EINVAL))
        }
        // The largest position there is: nothing to read, no overflow.
        let far: [UInt8] = [255, 255, 255, 255, 255, 255, 255, 0x7f]
        #expect(dsp.call(std, 0x0702_0000, [ScriptedDSP.words([handle, 8]), far]).result == .success)
        #expect(file(0x0401_0200, [handle, 9], [8, 9]).buffers[0] == ScriptedDSP.words([0, 1]))
        #expect(file(0x0801_0100, [handle], [4]).result.rawValue == UInt32(EOVERFLOW))
        #expect(file(0x0901_0000, [handle, 1, 1]).result.rawValue == UInt32(EOVERFLOW))

        let memory = dsp.openFile(std, "libmem.so").word(0, 0)
        #expect(memory == 101)
        #expect(file(0x0a01_0100, [memory], [8]).word(0, 0) == 6)
        #expect(file(0x0901_0000, [memory, UInt32(bitPattern: -2), 2]).result == .success)
        let reply = file(0x0401_0200, [memory, 5], [8, 5])
        #expect(reply.buffers == [ScriptedDSP.words([2, 1]), [0x72, 0x79, 0, 0, 0]])
        #expect(file(0x0d01_0100, [memory], [4]).word(0, 0) == 0)
        for change in [0x0e01_0000, 0x0201_0000] as [UInt32] {
            #expect(file(change, [memory]).result == .success)
            #expect(file(change, [999]).result.rawValue == UInt32(EBADF))
        }
        #expect(file(0x0c01_0100, [memory], [4]).word(0, 0) == 0)
    }

    @Test("Links that stay below their folder are followed")
    func goodLinks() {
        for (name, length) in [("good", 5), ("sub/up", 13), ("subway/inner.txt", 5), ("./sub//inner.txt", 5)]
            as [(String, UInt32)]
        {
            let opened = dsp.openFile(std, name)
            guard opened.result == .success else {
                Issue.record("\(name): \(opened.result)")
                continue
            }
            #expect(file(0x0a01_0100, [opened.word(0, 0)], [8]).word(0, 0) == length, "\(name)")
        }
    }

    @Test("No name leads out")
    func escapes() {
        let names =
            [
                ("../secret", EACCES), ("sub/../../secret", EACCES), ("..", EACCES), ("out/secret", EACCES),
                ("secret", EACCES), ("absolute", EACCES), ("self", EACCES), ("sub/way", EACCES),
                (tree.folder.path("secret"), EACCES), (tree.root + "/lines.txt", EACCES), ("/", EACCES),
                ("/\u{301}etc/passwd", EACCES), ("a/..\u{301}", ENOENT),
                ("loop", ELOOP), ("fifo", EACCES), ("sub", EACCES), (".", EACCES), ("", ENOENT),
                ("lines.txt/x", ENOTDIR), (String(repeating: "a", count: 300), ENAMETOOLONG),
                (String(repeating: "a/", count: 100), ENAMETOOLONG),
                (String(repeating: "a", count: 5_000), ENAMETOOLONG), ("nothing", ENOENT),
            ] as [(String, CInt)]
        for (name, code) in names {
            #expect(dsp.openFile(std, name).result.rawValue == UInt32(code), "\(name)")
            let text = ScriptedDSP.text(name)
            let fopen = dsp.call(
                std, 0x0003_0100,
                [ScriptedDSP.words([UInt32(text.count), 2]), text, ScriptedDSP.text("r")], [4])
            #expect(fopen.result.rawValue == UInt32(code), "\(name)")
            let exists = dsp.name(std, 0x1602_0100, name, [1])
            #expect(exists.result != .success || exists.buffers == [[0]], "\(name)")
            let folder = dsp.name(std, 0x1a02_0100, name, [8])
            let stat = dsp.name(std, 0x1f02_0100, name, index: 31, [96])
            let isFolder = ["sub", "."].contains(name)
            #expect((folder.result == .success) == isFolder, "\(name)")
            #expect((stat.result == .success) == isFolder, "\(name)")
        }
        for name in [[0x61, 0, 0x62, 0], [0xc0, 0xaf, 0], [0xff, 0]] as [[UInt8]] {
            #expect(dsp.openFile(std, name).result.rawValue == UInt32(EINVAL))
        }
        #expect(dsp.openFile(std, [0x61]).result == .badParameter)
        for mode in ["w", "a", "r+", "rb+", "w+"] {
            #expect(dsp.openFile(std, "lines.txt", mode: mode).result.rawValue == UInt32(EACCES))
        }
        for mode in ["", "x", " r"] {
            #expect(dsp.openFile(std, "lines.txt", mode: mode).result.rawValue == UInt32(EINVAL))
        }
        // The two names that are folders were opened as such.
        #expect(tree.openDescriptors.count == 2)
    }

    @Test("Files and folders run out, and come back")
    func exhaustion() {
        for _ in 0..<FileService.maximumFiles {
            #expect(dsp.openFile(std, "lines.txt").result == .success)
        }
        #expect(dsp.openFile(std, "lines.txt").result.rawValue == UInt32(EMFILE))
        #expect(file(0x0301_0000, [120]).result == .success)
        #expect(dsp.openFile(std, "lines.txt").word(0, 0) == 120)
        for _ in 0..<FileService.maximumFolders {
            #expect(dsp.name(std, 0x1a02_0100, "sub", [8]).result == .success)
        }
        #expect(dsp.name(std, 0x1a02_0100, "sub", [8]).result.rawValue == UInt32(EMFILE))
        #expect(tree.openDescriptors.count == FileService.maximumFiles + FileService.maximumFolders)
    }

    @Test("The files close with the server")
    func ending() throws {
        do {
            let dsp = ScriptedDSP(server: ReverseServer(services: [tree.service()]))
            let std = dsp.open("apps_std").handle
            #expect(dsp.openFile(std, "lines.txt").result == .success)
            #expect(dsp.name(std, 0x1a02_0100, "sub", [8]).result == .success)
            #expect(tree.openDescriptors.count == 2)
        }
        #expect(tree.openDescriptors.isEmpty)
    }

    @Test("Folders are listed, and files described")
    func folders() throws {
        let folder = dsp.name(std, 0x1a02_0100, "sub", [8])
        try #require(folder.result == .success)
        var names: [String] = []
        while names.count < 100 {
            let entry = file(0x1c01_0100, [folder.word(0, 0), folder.word(0, 4)], [264])
            try #require(entry.result == .success)
            if entry.word(0, 260) != 0 { break }
            names.append(String(decoding: entry.buffers[0][4...].prefix { $0 != 0 }, as: UTF8.self))
        }
        #expect(names.sorted() == [".", "..", "inner.txt", "up", "way"])
        #expect(file(0x1b01_0000, [folder.word(0, 0), 0]).result == .success)
        #expect(file(0x1b01_0000, [folder.word(0, 0), 0]).result.rawValue == UInt32(EBADF))

        var expected = Glibc.stat()
        #expect(lstat(tree.root + "/cdsp/libbig.so", &expected) == 0)
        let found = dsp.name(std, 0x1f02_0100, "libbig.so", index: 31, [96])
        #expect(found.result == .success)
        #expect(found.word(0, 16) == UInt32(truncatingIfNeeded: expected.st_ino))
        #expect(found.word(0, 24) == expected.st_mode && found.word(0, 28) == 1)
        #expect(found.word(0, 40) == 300_007)
        #expect(found.word(0, 64) == UInt32(truncatingIfNeeded: expected.st_mtim.tv_sec))
        #expect(dsp.name(std, 0x1f02_0100, "libmem.so", index: 31, [96]).word(0, 40) == 6)
        #expect(dsp.name(std, 0x1602_0100, "libmem.so", [1]).buffers == [[1]])
        #expect(dsp.name(std, 0x1602_0100, "libbig.so", [1]).buffers == [[1]])
        #expect(dsp.name(std, 0x1602_0100, "none.so", [1]).buffers == [[0]])
    }

    @Test("The environment and the search path")
    func environment() {
        func get(_ name: String, _ room: UInt32) -> ScriptedDSP.Reply {
            let name = ScriptedDSP.text(name)
            return dsp.call(
                std, 0x1002_0200, [ScriptedDSP.words([UInt32(name.count), room]), name], [4, Int(room)])
        }
        #expect(get("GIVEN", 8).buffers == [[6, 0, 0, 0], Array("value".utf8) + [0, 0, 0]])
        #expect(get("GIVEN", 3).buffers == [[6, 0, 0, 0], [0x76, 0x61, 0]])
        #expect(get("GIVEN", 0).buffers == [[6, 0, 0, 0], []])
        #expect(get("PATH", 8).result.rawValue == UInt32(ENOENT))

        func paths(_ variable: String, _ room: [Int]) -> ScriptedDSP.Reply {
            let variable = ScriptedDSP.text(variable)
            let scalars = 0x1504_0000 | UInt32(1 + room.count) << 8
            return dsp.call(
                std, scalars,
                [
                    ScriptedDSP.words([UInt32(variable.count), 2, UInt32(room.count)]), variable,
                    ScriptedDSP.text(";"), ScriptedDSP.words(room.map { UInt32($0) }),
                ], [8] + room)
        }
        let longest = tree.root.utf8.count + 6
        let count = paths("ADSP_LIBRARY_PATH", [])
        #expect(count.result == .success)
        #expect(count.word(0, 0) == 2 && count.word(0, 4) == UInt32(longest))
        let found = paths("DSP_LIBRARY_PATH", [longest, longest])
        #expect(found.buffers[1] == ScriptedDSP.text(tree.root + "/cdsp"))
        #expect(found.buffers[2] == ScriptedDSP.text(tree.root) + [0, 0, 0, 0, 0])
        #expect(paths("DSP_LIBRARY_PATH", [4, longest]).result.rawValue == UInt32(ERANGE))
        #expect(paths("PATH", []).word(0, 0) == 0)
    }
}
