import HexagonRPC

/// What a program does with a DSP: everything once, every result checked.
struct Tour {
    var transport: any Transport
    var usesQueue = false
    /// How often the empty call is made: for scenarios that strike at the n-th.
    var calls = 1

    /// What did not come back as it should.
    struct Mismatch: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    func run(_ configuration: SessionConfiguration = SessionConfiguration()) throws {
        let session = try Session(transport, configuration)
        let echo = Echo(try session.open(ModuleURI(interface: "echo")))
        for _ in 0..<calls { try echo.nothing() }
        try copies(echo)
        try shared(session, echo)
        if usesQueue { try queue(session, echo) }
        try echo.takeHandle().close()
        session.close()
    }

    private func copies(_ echo: borrowing Echo<RemoteHandle>) throws {
        let values: [Int32] = [1, -2, 300_000]
        let total = try values.withUnsafeBufferPointer { try echo.sum(values: $0) }
        try expect(total == 299_999, "sum")
        var filled = [UInt8](repeating: 0, count: 1000)
        try filled.withUnsafeMutableBufferPointer { try echo.fill(seed: 250, bytes: $0) }
        try expect(filled.indices.allSatisfy { filled[$0] == UInt8(truncatingIfNeeded: 250 + $0) }, "fill")
        let greeting = try echo.greet(name: "DSP", greetingCapacity: 100)
        try expect(greeting.contains("DSP"), "greet")
        try expect(try echo.beyond(a: -3, b: 5_000_000_000) == -15_000_000_000, "beyond")
    }

    /// A buffer that both sides see: by its descriptor in a call, and as an argument without a copy.
    private func shared(_ session: borrowing Session, _ echo: borrowing Echo<RemoteHandle>) throws {
        let buffer = try session.allocator.allocate(byteCount: 1 << 20)
        try buffer.withCPUAccess(.write) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index) }
        }
        try session.map(buffer)
        try expect(try echo.touch(fd: buffer.descriptor, count: 1 << 20) == 255 * 128 << 12, "touch")
        try buffer.withCPUAccess(.read) { try expect($0[7] == 8, "what touch wrote") }
        try session.unmap(buffer)
        let half = buffer.byteCount / 2
        let bytes = UnsafeMutableBufferPointer(
            start: buffer.address.assumingMemoryBound(to: UInt8.self), count: buffer.byteCount)
        try echo.copy(
            from: UnsafeBufferPointer(rebasing: bytes[..<half]),
            to: UnsafeMutableBufferPointer(rebasing: bytes[half...]))
        try expect(bytes[half] == bytes[0] && bytes[bytes.count - 1] == bytes[half - 1], "copy")
        buffer.close()
    }
}

extension Tour {
    /// Packets there and back, one with a reference to a buffer.
    private func queue(_ session: borrowing Session, _ echo: borrowing Echo<RemoteHandle>) throws {
        let queue = try session.makeQueue()
        try echo.serveQueue(id: queue.exportedID)
        for index: UInt8 in 0..<100 {
            try queue.write([index, 1, 2], deadline: .now + .seconds(2))
            let packet = try queue.read(deadline: .now + .seconds(2))
            try expect(packet.message == [index + 1, 2, 3], "packet \(index)")
        }
        try expect(try echo.endQueue() == 100, "endQueue")
        try queue.close()
    }
}

func expect(_ condition: @autoclosure () throws -> Bool, _ what: String) throws {
    guard try condition() else { throw Tour.Mismatch("\(what) gave a wrong result") }
}
