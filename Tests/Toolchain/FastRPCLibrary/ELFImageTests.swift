import FastRPCLibrary
import Foundation
import Testing

@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc")) struct ELFImageTests {
    private func fixture(without missing: [String] = []) throws -> [UInt8] {
        let scratch = try ScratchDirectory()
        let file = try FixtureLibrary.build(in: scratch, name: "elf", without: missing)
        return try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
    }

    /// The dynamic loader is the witness: it finds each function that the table has, and no other.
    @Test func definedFunctionsAreFound() throws {
        let image = try ELFImage(bytes: fixture(without: ["rpcmem_init"]))
        let symbols = try #require(image.definedSymbols)
        for (name, _) in FixtureLibrary.functions {
            #expect(symbols.contains(name) == (name != "rpcmem_init"))
        }
        #expect(!symbols.contains("snprintf"), "the fixture uses it but does not define it")
    }

    @Test func aFileCutOffAnywhereIsAnError() throws {
        let bytes = try fixture()
        for count in stride(from: 0, to: bytes.count - 1, by: 61) {
            #expect(throws: ELFImage.Malformed.self) { try ELFImage(bytes: Array(bytes[..<count])) }
        }
    }

    /// Damaged bytes may give an error or a wrong table, but never a trap or an endless loop.
    @Test func damageNeverTraps() throws {
        let bytes = try fixture()
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let sections = bytes.count - 64 * 40
        for _ in 0..<2000 {
            var damaged = bytes
            // The header and the section headers at the end are what offsets are read from.
            for _ in 0..<4 {
                let place = random(2) == 0 ? 16 + random(48) : sections + random(bytes.count - sections)
                damaged[place] = UInt8(random(256))
            }
            _ = try? ELFImage(bytes: damaged)
        }
    }
}
