import DSPQueue
import Foundation
import HexagonRPC
import Synchronization
import Testing

/// The library transport over C functions that keep sessions as libcdsprpc does. That Swift's payloads are laid
/// out as C's is checked by their sizes and fields there.
@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc")) struct LibraryTransportTests {
    let scratch: ScratchDirectory
    let fixture: SessionFixture
    let transport: LibraryTransport

    init() throws {
        scratch = try ScratchDirectory()
        fixture = try SessionFixture(in: scratch, name: "sessions-\(UUID().uuidString)")
        transport = LibraryTransport(library: fixture.library)
    }

    private let module = ModuleURI(interface: "calculator")

    private func invoke(_ handle: borrowing RemoteHandle) throws(RemoteCallError) {
        try handle.invoke(
            Scalars(method: 2), UnsafeMutableBufferPointer(start: nil, count: 0))
    }

    @Test(arguments: [0, 1, 2, 3])
    func rightsAreSetForTheEffectiveDomainBeforeTheOpen(index: Int) throws {
        let session = try Session(transport, SessionConfiguration(index: index))
        let handle = try session.open(module)
        try handle.close()
        session.close()
        #expect(
            fixture.log() == """
                unsigned \(3 + 8 * index) 1;open file:///libcalculator_skel.so?calculator_skel_handle_invoke\
                &_modver=1.0&_dom=cdsp&_session=\(index);close \(3 + 8 * index);
                """)
    }

    /// Libraries before sessions: numbers and names are made by hand, and the last close ends the process.
    @Test func anOldLibraryIsHelped() throws {
        fixture.set(.old, 1)
        do {
            let session = try Session(transport, SessionConfiguration(index: 2))
            let handle = try session.open(module)
            let isOpen = handle.rawValue != 0
            #expect(isOpen)
            session.close()
            #expect(throws: RemoteCallError.self) { try invoke(handle) }
        }
        #expect(
            fixture.log() == """
                unsigned 19 1;open file:///libcalculator_skel.so?calculator_skel_handle_invoke\
                &_modver=1.0&_dom=cdsp&_session=2;close 19;
                """)
        let first = try transport.reserveSession()
        let session = try Session(transport, first)
        let second = try transport.reserveSession()
        #expect(first.index == 1 && second.index == 2)
        session.close()
    }

    @Test func impossibleSessionsAreRefused() throws {
        for index in [-1, 4, Int.max, Int.min] {
            let error = #expect(throws: RemoteCallError.self) {
                _ = try Session(transport, SessionConfiguration(index: index))
            }
            #expect(error?.result == .badParameter && error?.advice.contains("0 to 3") == true)
        }
        #expect(fixture.log() == "")
    }

    @Test func sessionsAreReservedUntilThereAreNone() throws {
        let configurations = try (0..<3).map { _ in try transport.reserveSession(name: "tests") }
        #expect(configurations.map(\.index) == [1, 2, 3])
        let error = #expect(throws: RemoteCallError.self) { try transport.reserveSession(name: "tests") }
        #expect(error?.result.rawValue == 0x8a && error?.description.contains("close one") == true)
        #expect(fixture.log() == String(repeating: "reserve tests 5;", count: 4))
        // The reservation ends with the session.
        let session = try Session(transport, configurations[1])
        try session.open(module).close()
        session.close()
        #expect(try transport.reserveSession().index == 2)
        #expect(try transport.reserveSession(on: .compute1).index == 1)
    }

    /// Two sessions of one index are one process; it ends with the second.
    @Test func aSharedProcessEndsWithItsLastSession() throws {
        let first = try Session(transport)
        let second = try Session(transport)
        let handle = try first.open(module)
        let other = try second.open(module)
        _ = fixture.log()
        first.close()
        #expect(fixture.log() == "close 3;")
        let stale = #expect(throws: RemoteCallError.self) { try invoke(handle) }
        #expect(stale?.result == .invalidHandle)
        try invoke(other)
        #expect(throws: RemoteCallError.self) {
            _ = try Session(transport, SessionConfiguration(unsignedModules: false))
        }
        second.close()
        #expect(fixture.log() == "close 3;")
        try #expect(transport.isUnsigned(SessionConfiguration()) == true)
        let signed = try Session(transport, SessionConfiguration(unsignedModules: false))
        #expect(fixture.log() == "unsigned 3 0;")
        try #expect(transport.isUnsigned(SessionConfiguration()) == false)
        signed.close()
        // What is left of the closed sessions asks the library for nothing.
        var refusals: [AEEResult] = []
        do throws(RemoteCallError) { try other.close() } catch { refusals.append(error.result) }
        do throws(RemoteCallError) { try handle.close() } catch { refusals.append(error.result) }
        #expect(refusals == [.invalidHandle, .invalidHandle])
        #expect(fixture.log().isEmpty)
    }

    @Test(arguments: [39, 46, 104, 0x8000_040d] as [UInt32])
    func aLostSessionIsToldAsSuch(status: UInt32) throws {
        let session = try Session(transport)
        let handle = try session.open(module)
        fixture.set(.callStatus, status)
        let error = #expect(throws: RemoteCallError.self) { try invoke(handle) }
        #expect(error?.result.rawValue == status && error?.advice.contains("open it again") == true)
        // The same program recovers.
        fixture.set(.callStatus, 0)
        session.close()
        let again = try Session(transport)
        let fresh = try again.open(module)
        try invoke(fresh)
        try fresh.close()
    }

    @Test func capabilitiesAreAskedBeforeAnythingIsOpen() throws {
        #expect(try transport.capability(.architectureVersion, of: .compute) == 3006)
        #expect(try transport.capability(.domainSupport, of: .compute1) == 4000)
        for status in [0x14, 0x8000_0414, 0x6c] as [UInt32] {
            fixture.set(.queryStatus, status)
            #expect(try transport.capability(.hvx128, of: .compute) == nil)
        }
        fixture.set(.queryStatus, 0x72)
        let error = #expect(throws: RemoteCallError.self) {
            try transport.capability(.hvx128, of: .compute)
        }
        #expect(error?.result == .connectionRefused && error?.advice.isEmpty == false)
        let older = try SessionFixture(in: scratch, name: "no-control", without: ["remote_handle_control"])
        #expect(
            try LibraryTransport(library: older.library).capability(.hvx128, of: .compute) == nil)
        #expect(fixture.log() == "")
    }

    @Test func latencyIsTyped() throws {
        let session = try Session(transport)
        let handle = try session.open(module)
        _ = fixture.log()
        for latency in [.off, .powerManagement(microseconds: 100), .adaptive(microseconds: 50)]
            as [LatencyControl]
        {
            try transport.setLatency(latency, of: handle)
        }
        #expect(fixture.log() == "latency 0 0 8;latency 1 100 8;latency 2 50 8;")
        let error = #expect(throws: RemoteCallError.self) {
            try transport.setLatency(.poll(microseconds: 1), of: handle)
        }
        #expect(error?.result == .unsupported && error?.description.contains("without it") == true)
        try handle.close()
    }

    @Test func threadsAndProcesses() throws {
        let configuration = SessionConfiguration(index: 1)
        try transport.setThreadParameters(priority: 100, for: configuration)
        try transport.setThreadParameters(stackByteCount: 65_536, for: configuration)
        #expect(fixture.log() == "threads 11 100 -1;threads 11 -1 65536;")
        for (priority, stack) in [(0, 16_384), (256, 16_384), (1, 16_383), (1, 8_388_609)] {
            #expect(throws: RemoteCallError.self) {
                try transport.setThreadParameters(
                    priority: priority, stackByteCount: stack, for: configuration)
            }
        }
        try transport.raiseException(in: configuration)
        let error = #expect(throws: RemoteCallError.self) { try transport.kill(configuration) }
        #expect(error?.result == .unsupported)
        #expect(fixture.log() == "exception 11;kill 11 4;")
    }

    @Test func notificationsReachTheirHandler() throws {
        final class Log: Sendable {
            let entries = Mutex<[(Int, ProcessStatus)]>([])
        }
        let log = Log()
        try transport.onProcessStatus(of: SessionConfiguration(index: 2)) { session, status in
            log.entries.withLock { $0.append((session, status)) }
        }
        #expect(log.entries.withLock { $0.map(\.0) } == [2])
        #expect(log.entries.withLock { $0.map(\.1) } == [.restart])
    }

    @Test func descriptorsAndMapFlags() throws {
        let error = #expect(throws: RemoteCallError.self) {
            try transport.registerDMAHandle(7, byteCount: 5000)
        }
        #expect(error?.result.rawValue == 33)
        #expect(fixture.log() == "dma 7 5000;")
        let names = ["remote_register_dma_handle", "remote_register_dma_handle_attr"]
        let older = try SessionFixture(in: scratch, name: "no-dma", without: names)
        #expect(Set(older.library.missingOptionalSymbols) == Set(names))
        let missing = #expect(throws: RemoteCallError.self) {
            try LibraryTransport(library: older.library).registerDMAHandle(7, byteCount: 5000)
        }
        #expect(missing?.result == .unsupported && missing?.description.contains(names[1]) == true)

        let session = try #require(
            transport.connect(SessionConfiguration(index: 1)) as? LibrarySession)
        let address = try #require(UnsafeMutableRawPointer(bitPattern: 0x1000))
        _ = fixture.log()
        for flag in [.static, .descriptor, .delayed, .noHostMapping] as [MapFlag] {
            #expect(throws: RemoteCallError.self) { try session.map(4, address, 4096, flag) }
        }
        #expect(
            fixture.log() == [0, 2, 3, 16].map { "mmap 11 4 4096 0 4096 \($0);" }.joined())
    }

    @Test func queuesBelongToTheSession() throws {
        let session = try #require(
            transport.connect(SessionConfiguration(index: 1)) as? LibrarySession)
        // dspqueue_create of this fixture says 22.
        let error = #expect(throws: DSPQueueError.self) { _ = try session.makeQueue() }
        #expect(error?.result.rawValue == 22)
        #expect(fixture.log().contains("create 11 0 0 0;"))
    }

    /// Where neither library nor devices are there, all reasons are in one error; memory of the library is
    /// taken where it works.
    @Test func memoryForADSP() throws {
        let chosen = try PreferredAllocator.forDSP(library: fixture.library)
        #expect(chosen.rejected.isEmpty && chosen.name.contains(fixture.library.file))
        let node = FastRPCNode(label: "cdsp", directory: "/nonexistent")
        do {
            let other = try PreferredAllocator.forDSP(node: node)
            #expect(other.name.hasPrefix("/dev/"), "this machine has a heap or a render node")
        } catch {
            let text = "\(error)"
            for name in ["/dev/dma_heap/system", "/nonexistent/fastrpc-cdsp", "DRM render node"] {
                #expect(text.contains(name))
            }
        }
    }
}
