import Foundation
import HexagonRPC
import QemuHost
import TestSupport
import Testing

/// The loader of the process under qemu must say what is wrong with a file, and must not die of it.
@Suite(
    "Damaged Hexagon files", .enabled(if: FixtureBuild.canRunHexagon, FixtureBuild.hexagonMissing),
    .serialized)
struct DamagedFileTests {
    private func process() throws -> HexagonProcess {
        try HexagonProcess(try HexagonBuild.tools())
    }

    private func load(_ bytes: [UInt8], in process: HexagonProcess, _ folder: TemporaryFolder) throws
        -> UInt32
    {
        try process.load(path: folder.write(bytes, to: "lib.so"))
    }

    private static func program() throws -> [UInt8] {
        try HexagonBuild.make()
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: HexagonBuild.folder + "/libhtp-v66.so")))
    }

    @Test func whatIsCutOffIsRefused() throws {
        let (process, folder) = (try process(), try TemporaryFolder())
        defer { process.end() }
        let bytes = try Self.program()
        // The section headers at the end are not needed.
        let end = try #require(bytes.loadedEnd)
        for count in [0, 1, 16, 51, 52, 100, 179, 180, 4096, end / 2, end - 1] {
            let error = #expect(throws: RemoteCallError.self, "\(count)") {
                _ = try load(Array(bytes[..<count]), in: process, folder)
            }
            #expect(error?.result.rawValue == 0x8000_0452)
        }
        let library = try load(Array(bytes[..<end]), in: process, folder)
        #expect(try process.function("htp_skel_handle_invoke", of: library) != nil)
        #expect(try process.function("htp_open", of: library) == nil)
        #expect(try process.function("qurt_futex_wait", of: library) == nil)
        #expect(try process.function("htp_skel_handle_invoke", of: library + 1) == nil)
        process.unload(library)
        #expect(try process.function("htp_skel_handle_invoke", of: library) == nil)
    }

    @Test func anUndefinedSymbolIsNamed() throws {
        let (process, folder) = (try process(), try TemporaryFolder())
        defer { process.end() }
        var bytes = try Self.program()
        let name = Array("qurt_futex_wait".utf8)
        let place = try #require(
            (0..<bytes.count - name.count).first { Array(bytes[$0..<$0 + name.count]) == name })
        bytes[place] = UInt8(ascii: "Q")
        let error = #expect(throws: RemoteCallError.self) { _ = try load(bytes, in: process, folder) }
        #expect(error?.result.rawValue == 0x8000_0406)
        #expect(error?.operation == "lib.so: undefined symbol Qurt_futex_wait")
    }

    /// Where all is loaded, nothing of it is called; only addresses that the file gives are written to.
    @Test func noDamageKillsTheProcess() throws {
        let (process, folder) = (try process(), try TemporaryFolder())
        defer { process.end() }
        let original = try Self.program()
        let end = try #require(original.loadedEnd)
        // Headers, symbols, hash table, strings and relocations lie in front, the dynamic section behind the code.
        let tables = 0..<1400
        let dynamic = end - 0x100..<end
        var generator = SeededGenerator(99)
        var refused = 0
        for _ in 0..<2000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(
                    in: Bool.random(using: &generator) ? tables : dynamic, using: &generator)
                bytes[place] =
                    [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
            }
            // Functions to call at once are the file's own affair.
            guard !bytes.hasInitialization else { continue }
            do {
                process.unload(try load(bytes, in: process, folder))
            } catch let error as RemoteCallError {
                try #require(!error.isSessionLost, "\(error)")
                #expect([0x8000_0452, 0x8000_0406].contains(error.result.rawValue), "\(error)")
                refused += 1
            }
        }
        #expect(refused > 200 && refused < 1990)
        #expect(!process.isEnded)
        _ = try load(original, in: process, folder)
    }

    @Test func nonsenseIsAnswered() throws {
        let process = try process()
        defer { process.end() }
        let library = try process.load(path: HexagonBuild.folder + "/libhtp-v66.so")
        let entry = try #require(try process.function("htp_skel_handle_invoke", of: library))
        var word: UInt32 = 0
        try withUnsafeMutableBytes(of: &word) { word in
            // No function of a loaded library; arguments that are not those of the method.
            for (function, scalars, expected) in [
                (UInt32(16), Scalars(method: 2, inBuffers: 1), UInt32(0x8000_042c)),
                (entry, Scalars(method: 2, inBuffers: 1), 0x8000_042c),
                (entry, Scalars(method: 2, outBuffers: 1), 0x8000_040e),
                (entry, Scalars(method: 30, inBuffers: 1), 0x8000_0414),
            ] {
                var arguments = [RemoteArgument(writing: word)]
                let result = try arguments.withUnsafeMutableBufferPointer {
                    try process.invoke(function, handle: 0, scalars, $0)
                }
                #expect(result.rawValue == expected, "\(scalars)")
            }
        }
        #expect(throws: RemoteCallError.self) { try process.map(3, file: -1, byteCount: 4096) }
        #expect(throws: RemoteCallError.self) { try process.unmap(3) }
        #expect(!process.isEnded)
    }
}

extension [UInt8] {
    private func number(_ offset: Int, _ size: Int) -> Int? {
        guard offset >= 0, offset + size <= count else { return nil }
        return self[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private var segments: [Int] {
        guard let table = number(28, 4), let segments = number(44, 2) else { return [] }
        return (0..<Swift.min(segments, 32)).map { table + 32 * $0 }
    }

    /// Where the last loaded segment ends in the file.
    fileprivate var loadedEnd: Int? {
        segments.compactMap { segment in
            guard number(segment, 4) == 1, let offset = number(segment + 4, 4),
                let size = number(segment + 16, 4)
            else { return nil }
            return offset + size
        }.max()
    }

    /// Whether the dynamic section, where the headers say it is, names functions to call after loading: `DT_INIT`
    /// or `DT_INIT_ARRAY`.
    fileprivate var hasInitialization: Bool {
        guard let dynamic = segments.last(where: { number($0, 4) == 2 }), let address = number(dynamic + 8, 4)
        else { return false }
        let offsets = segments.compactMap { segment -> Int? in
            guard number(segment, 4) == 1, let start = number(segment + 8, 4),
                let offset = number(segment + 4, 4), let size = number(segment + 16, 4),
                (start..<start + size).contains(address)
            else { return nil }
            return offset + address - start
        }
        return offsets.contains { offset in
            for entry in stride(from: offset, to: count - 8, by: 8) {
                guard let tag = number(entry, 4), tag != 0 else { return false }
                if tag == 12 || tag == 25 { return true }
            }
            return false
        }
    }
}
