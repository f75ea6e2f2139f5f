import ArgumentParser
import HexagonRPC

/// What a call costs, printed as the client of Qualcomm's library prints it: an empty call, and 1 MiB there and
/// 1 MiB back: copied by the kernel, by descriptor, and by descriptor of buffers that are mapped as well.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bench")
    @OptionGroup var options: TransportOptions
    @Option(help: "Empty calls; a tenth as many of the others.") var count = 2000

    func run() throws {
        let transport = try options.chosen
        let session = try Session(transport, SessionConfiguration(index: options.session))
        let echo = Echo(try session.open(ModuleURI(interface: "echo")))
        let size = 1 << 20
        let copies = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 2 * size)
        defer { copies.deallocate() }
        copies.initialize(repeating: 1)
        let from = try session.allocator.allocate(byteCount: size)
        let to = try session.allocator.allocate(byteCount: size)
        from.bytes.initializeMemory(as: UInt8.self, repeating: 2)

        let empty = try measure(count) { try echo.nothing() }
        let copied = try measure(count / 10) {
            try echo.copy(
                from: UnsafeBufferPointer(rebasing: copies[..<size]),
                to: UnsafeMutableBufferPointer(rebasing: copies[size...]))
        }
        let byDescriptor = try measure(count / 10) { try echo.copy(from: bytes(from), to: mutableBytes(to)) }
        try session.map(from)
        try session.map(to)
        let mapped = try measure(count / 10) { try echo.copy(from: bytes(from), to: mutableBytes(to)) }
        try expect(to.bytes[size - 1] == 2, "copy")
        try session.unmap(to)
        try session.unmap(from)
        try echo.takeHandle().close()
        session.close()
        print(
            "{\"version\": 1, \"client\": \"\(transport.name)\", \"empty\": \(empty), \"copy_1_mib\": \(copied), "
                + "\"descriptor_1_mib\": \(byDescriptor), \"mapped_1_mib\": \(mapped)}")
    }

    private func bytes(_ buffer: borrowing SharedBuffer) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(mutableBytes(buffer))
    }

    private func mutableBytes(_ buffer: borrowing SharedBuffer) -> UnsafeMutableBufferPointer<UInt8> {
        buffer.bytes.assumingMemoryBound(to: UInt8.self)
    }

    /// Median and least time of a call in microseconds.
    private func measure(_ count: Int, _ call: () throws -> Void) throws -> String {
        var times: [Double] = []
        for index in -count / 10..<max(1, count) {
            let start = ContinuousClock.now
            try call()
            if index >= 0 { times.append((ContinuousClock.now - start) / .microseconds(1)) }
        }
        times.sort()
        return
            "{\"calls\": \(times.count), \"median_us\": \(times[times.count / 2]), \"least_us\": \(times[0])}"
    }
}
