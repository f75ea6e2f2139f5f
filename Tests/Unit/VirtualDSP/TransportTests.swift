import HTPInterface
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// What a program sees of a DSP must not depend on whether it comes through Swift or through the C symbols.
@Suite(.serialized) struct TransportTests {
    static let transports: [String] = ["simulator"] + (SimulatorLibrary.path == nil ? [] : ["library"])

    static func transport(_ name: String) throws -> any Transport {
        if name == "library", let path = SimulatorLibrary.path { return try LibraryTransport(path: path) }
        return SimulatorTransport()
    }

    /// A session of its own for each test, as the library keeps the rights of a session for the process.
    static func session(_ name: String, index: Int = 2) throws -> Session {
        try Session(try transport(name), SessionConfiguration(index: index))
    }

    @Test(.enabled(if: SimulatorLibrary.path != nil, "libcdsprpc-simulator.so is not built"))
    func theLibraryIsTested() {
        #expect(Self.transports == ["simulator", "library"])
    }

    @Test(arguments: transports)
    func opensCallsAndCloses(name: String) throws {
        let session = try Self.session(name)
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        let before = try program.hardware()
        #expect(before.arch == 0x66)
        #expect(before.threads == 0)
        try program.start(threads: 3)
        #expect(try program.hardware().threads == 3)
        try program.stop()
        #expect(try program.hardware().threads == 0)
        try program.takeHandle().close()
        session.close()
    }

    @Test(arguments: transports)
    func startingTwiceIsAnErrorOfTheProgram(name: String) throws {
        let session = try Self.session(name)
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        try program.start(threads: 1)
        let error = #expect(throws: RemoteCallError.self) { try program.start(threads: 1) }
        #expect(error?.result == AEEResult(rawValue: 0x1a))
    }

    @Test(arguments: transports)
    func aModuleThatIsNotThereIsRefusedAsOnADSP(name: String) throws {
        let session = try Self.session(name)
        let missing = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "nothing"))
        }
        #expect(missing?.result.rawValue == 0x8000_0406)
        #expect(missing?.operation.contains("libnothing_skel.so") == true)
        let symbol = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "other", file: "libhtp_skel.so"))
        }
        #expect(symbol?.result.rawValue == 0x8000_0442)
    }

    @Test(arguments: transports)
    func signedSessionsAreRefused(name: String) throws {
        let session = try Session(
            try Self.transport(name), SessionConfiguration(index: 3, unsignedModules: false))
        let error = #expect(throws: RemoteCallError.self) {
            _ = try session.open(ModuleURI(interface: "htp"))
        }
        #expect(error?.result == .connectionRefused)
    }

    @Test(arguments: transports)
    func buffersAreMappedOnce(name: String) throws {
        let session = try Self.session(name)
        let buffer = try session.allocator.allocate(byteCount: 4096)
        // Without an open module there is no process to map it into.
        let early = #expect(throws: RemoteCallError.self) { try session.map(buffer) }
        #expect(early?.result.rawValue == 0x4b)
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        try session.map(buffer)
        let twice = #expect(throws: RemoteCallError.self) { try session.map(buffer) }
        #expect(twice?.result.rawValue == 0x1a)
        try program.map(fd: buffer.descriptor, size: UInt64(buffer.byteCount))
        let again = #expect(throws: RemoteCallError.self) {
            try program.map(fd: buffer.descriptor, size: UInt64(buffer.byteCount))
        }
        #expect(again?.result.rawValue == 0x1a)
        try program.unmap(fd: buffer.descriptor)
        try session.unmap(buffer)
        let unknown = #expect(throws: RemoteCallError.self) { try session.unmap(buffer) }
        #expect(unknown?.result.rawValue == 0x48)
    }

    @Test(arguments: transports)
    func aBufferLargerThanItsFileIsRefused(name: String) throws {
        let session = try Self.session(name)
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        let buffer = try session.allocator.allocate(byteCount: 4096)
        let error = #expect(throws: RemoteCallError.self) {
            try program.map(fd: buffer.descriptor, size: 1 << 40)
        }
        #expect(error?.result == .badParameter)
    }

    /// `matmul`'s result is an output: a caller gets it, and gets nothing when the call fails.
    @Test(arguments: transports)
    func theResultOfMatmulComesBack(name: String) throws {
        let session = try Self.session(name)
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        try program.start(threads: 1)
        let buffer = try session.allocator.allocate(byteCount: 4096)
        try session.map(buffer)
        try program.map(fd: buffer.descriptor, size: UInt64(buffer.byteCount))
        // One tile of eight-bit codes: exponents -14, scales 2^14; byte 129 is weight 1.
        let tile = buffer.bytes
        for row in 0..<64 {
            tile.storeBytes(of: Int32(-14), toByteOffset: 4 * row, as: Int32.self)
            tile.storeBytes(of: Int16(1 << 14), toByteOffset: 256 + 2 * row, as: Int16.self)
        }
        for byte in 384..<2432 { tile[byte] = 129 }
        let source = [Float](repeating: 0.5, count: 32)
        var result = [Float](repeating: -1, count: 32)
        try source.withUnsafeBufferPointer { source in
            try result.withUnsafeMutableBufferPointer { result in
                try program.matmul(
                    fd: buffer.descriptor, offset: 0, type: 8, rows: 32, columns: 32, count: 1, src: source,
                    dst: result)
            }
        }
        #expect(result.allSatisfy { abs($0 - 16) < 0.01 })

        var untouched = [Float](repeating: -1, count: 32)
        let error = #expect(throws: RemoteCallError.self) {
            try source.withUnsafeBufferPointer { source in
                try untouched.withUnsafeMutableBufferPointer { result in
                    try program.matmul(
                        fd: buffer.descriptor, offset: 0, type: 99, rows: 32, columns: 32, count: 1,
                        src: source, dst: result)
                }
            }
        }
        #expect(error?.result == .badParameter)
        #expect(untouched.allSatisfy { $0 == -1 })
        try program.unmap(fd: buffer.descriptor)
        try session.unmap(buffer)
    }
}
