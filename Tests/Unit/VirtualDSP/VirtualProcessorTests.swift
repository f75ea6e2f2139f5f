import CRemote
import HexagonRPC
import Testing
import VirtualDSP

@Suite struct VirtualProcessorTests {
    /// A module whose method 2 adds one to each byte of its in buffer, whose method 3 fails after writing,
    /// and whose method 4 tells what it finds in its out buffer.
    static let module = VirtualProcessor.Module(
        file: "libtest_skel.so",
        symbols: [
            "test_skel_handle_invoke": { handle, scalars, arguments in
                guard let arguments else { return 0 }
                switch scalars >> 24 {
                case 0:
                    arguments[2].h64 = 77
                    return 0
                case 1:
                    return arguments[0].h64 == 77 ? 0 : 1
                default:
                    guard handle == 77 else { return 0x2c }
                    let source = UnsafeRawBufferPointer(
                        start: arguments[0].buf.pv, count: Int(arguments[0].buf.nLen))
                    let target = UnsafeMutableRawBufferPointer(
                        start: arguments[1].buf.pv, count: Int(arguments[1].buf.nLen))
                    for index in target.indices {
                        let old = target[index]
                        target[index] = scalars >> 24 == 4 ? old : source[index % source.count] &+ 1
                    }
                    return scalars >> 24 == 3 ? 9 : 0
                }
            }
        ])

    private func call(_ method: Int, _ bytes: [UInt8], _ result: inout [UInt8]) throws
        -> VirtualProcessor.Traffic
    {
        let processor = VirtualProcessor(modules: [Self.module])
        let session = try Session(SimulatorTransport(processor))
        let handle = try session.open(ModuleURI(interface: "test"))
        try bytes.withUnsafeBytes { bytes in
            try result.withUnsafeMutableBytes { result in
                var arguments = [RemoteArgument(reading: bytes), RemoteArgument(writing: result)]
                try arguments.withUnsafeMutableBufferPointer {
                    try handle.invoke(Scalars(method: method, inBuffers: 1, outBuffers: 1), $0)
                }
            }
        }
        return processor.traffic
    }

    @Test func buffersTravelBothWays() throws {
        var result: [UInt8] = [0, 0, 0]
        let traffic = try call(2, [1, 2, 255], &result)
        #expect(result == [2, 3, 0])
        #expect(traffic.calls == 1)
        #expect(traffic.bytesIn == 3)
        #expect(traffic.bytesOut == 3)
    }

    @Test func aFailedCallWritesNothing() {
        var result: [UInt8] = [7, 7]
        let error = #expect(throws: RemoteCallError.self) { try call(3, [1], &result) }
        #expect(error?.result.rawValue == 9)
        #expect(result == [7, 7])
    }

    /// What is declared as output and read as input is not there, on a DSP as here.
    @Test func outBuffersDoNotCarryTheCallersBytes() throws {
        var result: [UInt8] = [7, 7]
        _ = try call(4, [1], &result)
        #expect(result != [7, 7])
    }

    @Test func emptyBuffersAreFine() throws {
        var result: [UInt8] = []
        _ = try call(2, [], &result)
        #expect(result.isEmpty)
    }

    @Test func callsThatAreNoMethodsAreRefused() throws {
        let processor = VirtualProcessor(modules: [Self.module])
        let session = try Session(SimulatorTransport(processor))
        let handle = try session.open(ModuleURI(interface: "test"))
        var none: [RemoteArgument] = []
        for method in [0, 1] {
            let error = #expect(throws: RemoteCallError.self) {
                try none.withUnsafeMutableBufferPointer { try handle.invoke(Scalars(method: method), $0) }
            }
            #expect(error?.result == .badParameter)
        }
        let wrongCount = #expect(throws: RemoteCallError.self) {
            try none.withUnsafeMutableBufferPointer {
                try handle.invoke(Scalars(method: 2, inBuffers: 1, outBuffers: 1), $0)
            }
        }
        #expect(wrongCount?.result == .badParameter)
    }

    @Test func aSessionInUseIsRefused() throws {
        let transport = SimulatorTransport(VirtualProcessor(modules: [Self.module]))
        let session = try Session(transport)
        let handle = try session.open(ModuleURI(interface: "test"))
        #expect(throws: RemoteCallError.self) { _ = try Session(transport) }
        try handle.close()
        session.close()
        _ = try Session(transport)
    }
}
