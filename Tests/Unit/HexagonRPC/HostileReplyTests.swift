import Foundation
import HexagonRPC
import RemoteCalls
import SharedMemory
import Synchronization
import TestSupport
import Testing

/// What a DSP that went mad answers.
private struct Distortion: Sendable {
    var random: SeededGenerator
    /// How many answers were changed, of how many.
    var changed = 0
    var count = 0

    /// Statuses that mean something somewhere, among them those that end a session only if `rarely`.
    private static let statuses: [UInt32] = [
        1, 2, 0x0e, 0x14, 0x2c, 39, 46, 0x27, 0x48, 0x200, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0x8000_0402,
        0x8000_0406, 0x8000_0414, 0x8000_0416, 0x8000_0442, 0x8000_054f, 0x8000_0600, 0xffff_0000,
    ]
    private static let errors: [CInt] = [
        EPERM, ENOENT, EBADF, ENOMEM, EACCES, EFAULT, EBUSY, EINVAL, ENOTTY, ENOSPC, ECONNREFUSED, ETIMEDOUT,
        4095,
    ]

    /// Maybe changes an answer, its numbers or its text.
    mutating func apply(_ reply: ScriptedKernel.Reply) -> SystemCallTracer.Answer {
        count += 1
        var answer = reply.answer
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3: return answer
        case 3: answer = .value(Int(Int32(bitPattern: Self.statuses.randomElement(using: &random)!)))
        case 4: answer = .failure(Self.errors.randomElement(using: &random)!)
        case 5: answer = .value(Int(Int32.random(in: -0x7fff_ffff...0x7fff_ffff, using: &random)))
        case 6 where Int.random(in: 0..<100, using: &random) == 0:
            answer = [.failure(EPIPE), .failure(ECONNRESET), .value(Int(Int32(bitPattern: 0x8000_040d)))]
                .randomElement(using: &random)!
        default: distort(reply.outputs)
        }
        changed += 1
        return answer
    }

    private mutating func distort(_ outputs: [UnsafeMutableRawBufferPointer]) {
        for output in outputs where output.count > 0 && Int.random(in: 0..<3, using: &random) > 0 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                // A text that does not end.
                let byte = UInt8.random(in: 1...255, using: &random)
                for index in output.indices { output[index] = byte }
            case 1:
                for index in output.indices { output[index] = .random(in: 0...255, using: &random) }
            default:
                let word = [0, 1, 0x7fff_ffff, 0x8000_0000, .max, 0x1000, 77 as UInt32].randomElement(
                    using: &random)!
                let place = Int.random(in: 0...(output.count - 1) / 4, using: &random) * 4
                for (index, byte) in withUnsafeBytes(of: word.littleEndian, Array.init).enumerated()
                where place + index < output.count {
                    output[place + index] = byte
                }
            }
        }
    }
}

/// A folder that the DSP may read, and beside it what it must not touch.
private struct GuardedFolder {
    static let canary = Array("CANARY-91c2".utf8)
    let folder: TemporaryFolder
    var modules: String { folder.path("modules") }

    init() throws {
        folder = try TemporaryFolder()
        for name in ["modules", "modules/sub", "outside"] {
            try FileManager.default.createDirectory(
                atPath: folder.path(name), withIntermediateDirectories: true)
        }
        _ = try folder.write((0..<60_000).map { UInt8(truncatingIfNeeded: $0 / 3) }, to: "modules/libbig.so")
        _ = try folder.write(Self.canary, to: "secret")
        _ = try folder.write(Self.canary, to: "outside/secret")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("modules/way"), withDestinationPath: "../outside")
    }

    /// Everything but the modules, with contents.
    func outside() throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where !name.hasPrefix("modules/") {
            found[name] = FileManager.default.contents(atPath: folder.path(name)).map { Array($0) } ?? []
        }
        return found
    }

    /// Open files of this process below the folder, other than the modules.
    var openOutside: [String] {
        let place = "/proc/self/fd"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        let name = folder.path.split(separator: "/").last.map(String.init) ?? folder.path
        return numbers.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: place + "/" + $0)
        }.filter { $0.contains(name) && !$0.contains("/modules") }
    }
}

@Suite("KernelTransport: a hostile DSP", .serialized)
struct HostileReplyTests {
    private struct Counts {
        var successes = 0
        var failures: [UInt32: Int] = [:]

        mutating func count(_ body: () throws(RemoteCallError) -> Void) {
            do throws(RemoteCallError) {
                try body()
                successes += 1
            } catch {
                failures[error.result.rawValue, default: 0] += 1
                // A text of the DSP is bounded, whatever it lacks.
                #expect(error.advice.utf8.count < 4096 && error.operation.utf8.count < 4096)
            }
        }
    }

    @Test("100,000 mutated replies to opening, calls, mapping and questions: typed errors, and nothing else")
    func replies() throws {
        let isHostile = Atomic(false)
        let distortion = Mutex(Distortion(random: SeededGenerator(1_117)))
        let kernel = try ScriptedKernel(
            hostility: .init(distort: { reply in
                guard isHostile.load(ordering: .relaxed), reply.name != "7.6" else { return reply.answer }
                return distortion.withLock { $0.apply(reply) }
            }),
            method: { call in
                if call.handle == 8, call.method == 2 { call.set(2, 77, 0) }
                return nil
            })
        var random = SeededGenerator(1_118)
        var counts = Counts()
        var (sessions, refusals) = (0, 0)
        try kernel.run {
            while distortion.withLock({ $0.count }) < 100_000 {
                kernel.state.withLock { state in
                    state.hasExited = false
                    state.log = []
                    state.maps = [:]
                }
                // Some sessions begin under it as well.
                isHostile.store(Bool.random(using: &random), ordering: .relaxed)
                let session: Session
                do throws(RemoteCallError) {
                    session = try Session(kernel.transport(Self.quiet))
                } catch {
                    refusals += 1
                    continue
                }
                sessions += 1
                isHostile.store(true, ordering: .relaxed)
                // Allocating is a request like others, and may be refused.
                do { try Self.exercise(session, &counts, &random) } catch is SharedMemoryError {}
                kernel.state.withLock { $0.hasExited = true }
                session.close()
            }
        }
        let (changed, count) = distortion.withLock { ($0.changed, $0.count) }
        #expect(changed > 50_000, "\(changed) of \(count)")
        let seen = "\(counts.successes) calls, \(sessions) sessions, \(refusals) refused"
        #expect(counts.successes > 10_000 && counts.failures.count > 30 && sessions > 20, "\(seen)")
        // Afterwards all is as ever.
        isHostile.store(false, ordering: .relaxed)
        kernel.state.withLock { $0.hasExited = false }
        try kernel.run {
            let session = try Session(kernel.transport())
            #expect(try session.open(ModuleURI(interface: "calculator")).rawValue == 77)
        }
    }

    private static let quiet: @Sendable (inout KernelTransport.Options) -> Void = {
        $0.logger.logLevel = .critical
    }

    /// Opens, calls, maps and asks, until the session is lost.
    private static func exercise(
        _ session: borrowing Session, _ counts: inout Counts, _ random: inout SeededGenerator
    ) throws {
        let buffer = try session.allocator.allocate(byteCount: 4096)
        var plain = [UInt8](repeating: 7, count: 300)
        for _ in 0..<1000 {
            var isLost = false
            counts.count { () throws(RemoteCallError) in
                do throws(RemoteCallError) {
                    let handle = try session.open(ModuleURI(interface: "calculator"))
                    for _ in 0..<4 { try? call(handle, &plain, buffer.bytes, &random) }
                    try handle.close()
                } catch {
                    isLost = error.isSessionLost
                    throw error
                }
            }
            counts.count { () throws(RemoteCallError) in
                _ = try session.capability(.architectureVersion)
            }
            counts.count { () throws(RemoteCallError) in
                try session.map(buffer)
                try session.unmap(buffer)
            }
            if isLost { return }
        }
    }

    private static func call(
        _ handle: borrowing RemoteHandle, _ plain: inout [UInt8], _ shared: UnsafeMutableRawBufferPointer,
        _ random: inout SeededGenerator
    ) throws(RemoteCallError) {
        let count = Int.random(in: 0...plain.count, using: &random)
        let offset = Int.random(in: 0..<shared.count, using: &random)
        var failure: RemoteCallError?
        plain.withUnsafeMutableBytes { plain in
            var arguments = [
                RemoteArgument(writing: plain),
                RemoteArgument(writing: UnsafeMutableRawBufferPointer(rebasing: plain[..<count])),
                RemoteArgument(writing: UnsafeMutableRawBufferPointer(rebasing: shared[offset...])),
            ]
            let scalars = Scalars(method: 2, inBuffers: 1, outBuffers: 2)
            arguments.withUnsafeMutableBufferPointer { arguments in
                do throws(RemoteCallError) { try handle.invoke(scalars, arguments) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    // MARK: The listener

    /// A DSP that loads a module as real ones do, over and over, and goes wrong in the middle of it.
    private struct Loading: Sendable {
        var random: SeededGenerator
        var count = 0
        /// Replies that were a success.
        var served = 0
        /// Bytes of the module that came, and whether anything else did.
        var bytesRead = 0
        var leaked = false
        private var services: [String: UInt32] = [:]
        private var file: UInt32 = 0
        private var step = 0

        init(seed: UInt64) { random = SeededGenerator(seed) }

        /// A new process begins.
        mutating func restart() { (services, file, step) = ([:], 0, 0) }

        private static let names = [
            "libbig.so", "libbig.so", "libbig.so", "../secret", "way/secret", "../outside/secret", "sub",
            "/etc/passwd", "sub/../../secret", "libmissing.so",
        ]

        /// The next request, given the reply to the last one.
        mutating func next(_ result: UInt32, _ reply: [UInt8]) -> ScriptedKernel.Request {
            count += 1
            learn(result, reply)
            var request = good()
            for _ in 0..<[0, 0, 0, 1, 1, 2, 3].randomElement(using: &random)! { mutate(&request) }
            return request
        }

        private mutating func learn(_ result: UInt32, _ reply: [UInt8]) {
            guard result == 0, !reply.isEmpty else { return }
            served += 1
            func word(_ place: Int) -> UInt32 {
                guard reply.count >= place + 4 else { return 0 }
                return reply[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            }
            switch step {
            case 1: services["apps_std"] = word(8)
            case 2: services["apps_mem"] = word(8)
            case 3: services["adspmsgd_apps"] = word(8)
            case 5: file = word(8)
            case 6...9: bytesRead += Int(word(8))
            default: break
            }
            if Data(reply).range(of: Data(GuardedFolder.canary)) != nil { leaked = true }
        }

        private mutating func good() -> ScriptedKernel.Request {
            step = step == 12 || step >= 3 && services.count < 3 ? 0 : step
            step += 1
            let text = KernelTransportTests.text
            let std = services["apps_std"] ?? 0
            func request(
                _ handle: UInt32, _ scalars: UInt32, _ words: [UInt32], _ texts: [[UInt8]], _ room: [Int]
            ) -> ScriptedKernel.Request {
                .init(
                    handle: handle, scalars: scalars,
                    bytes: ScriptedDSP.pack([ScriptedDSP.words(words)] + texts, room))
            }
            switch step {
            case 1...3:
                let name = text(["apps_std", "apps_mem", "adspmsgd_apps"][step - 1])
                return request(0, 0x0002_0200, [UInt32(name.count), 16], [name], [8, 16])
            case 4:
                return request(
                    services["apps_mem"] ?? 0, 0x0201_0100, [.max, 0, 0x1000, 0, 0, 0, 1 << 20, 0], [], [16])
            case 5:
                let texts = ["ADSP_LIBRARY_PATH", ";", Self.names.randomElement(using: &random)!, "rb"].map(
                    text)
                return request(std, 0x1305_0100, texts.map { UInt32($0.count) }, texts, [4])
            // 20,000 bytes of a request do not fit the listener's room at first.
            case 6...9: return request(std, 0x0401_0200, [file, 16_000], [], [8, 16_000])
            case 10:
                let line = [UInt8](repeating: 0x20, count: Int.random(in: 1...20_000, using: &random)) + [0]
                return request(services["adspmsgd_apps"] ?? 0, 0x0002_0000, [UInt32(line.count)], [line], [])
            case 11: return request(std, 0x0301_0000, [file], [], [])
            default: return request(std, 0x0c01_0100, [file], [], [4])
            }
        }

        private mutating func mutate(_ request: inout ScriptedKernel.Request) {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: request.handle = [0, 1, 2, 3, 4, 77, .max].randomElement(using: &random)!
            case 1: request.scalars ^= 1 << UInt32.random(in: 0..<32, using: &random)
            case 2: request.bytes.removeLast(Int.random(in: 0...request.bytes.count, using: &random))
            case 3:
                request.bytes += (0..<Int.random(in: 1...40, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            default:
                guard request.bytes.count >= 4 else { return }
                let words: [UInt32] = [0, 1, 0x7fff_ffff, 0x8000_0000, .max, 16_001, 0x0100_0000]
                let word = words.randomElement(using: &random)!
                let place = Int.random(in: 0...min(12, request.bytes.count / 4 - 1), using: &random) * 4
                request.bytes.replaceSubrange(place..<place + 4, with: ScriptedDSP.words([word]))
            }
        }

        /// What the listener is told: context, handle, scalars and length, or a status.
        mutating func distort(_ reply: ScriptedKernel.Reply) -> SystemCallTracer.Answer {
            guard case .value(0) = reply.answer, let words = reply.outputs.first else { return reply.answer }
            switch Int.random(in: 0..<40, using: &random) {
            case 0...5:
                let values: [UInt32] = [
                    0, 1, 100, 16_384, 16_385, 20_000, 1 << 20, 16 << 20, (16 << 20) + 1, 0x7fff_ffff, .max,
                ]
                let place = Int.random(in: 0..<words.count / 4, using: &random)
                words.storeBytes(
                    of: values.randomElement(using: &random)!, toByteOffset: 4 * place, as: UInt32.self)
            case 6: return .value([46, 0x51, 0x2c].randomElement(using: &random)!)
            case 7 where Int.random(in: 0..<40, using: &random) == 0:
                return [.failure(EPIPE), .failure(EBADF), .failure(ENOMEM), .value(Int(Int32.min) + 0x40d)]
                    .randomElement(using: &random)!
            default: break
            }
            return reply.answer
        }
    }

    @Test("100,000 mutated requests while a module loads, through the listener: nothing outside is touched")
    func listener() throws {
        let guarded = try GuardedFolder()
        let before = try guarded.outside()
        let loading = Mutex(Loading(seed: 1_119))
        let isHostile = Atomic(true)
        let hostility = ScriptedKernel.Hostility(
            distort: { reply in
                guard reply.name == "7.6" || reply.name == "7.7", isHostile.load(ordering: .relaxed) else {
                    return reply.answer
                }
                return loading.withLock { $0.distort(reply) }
            },
            source: { result, reply in
                guard isHostile.load(ordering: .relaxed) else { return nil }
                return loading.withLock { $0.count < 100_000 ? $0.next(result, reply) : nil }
            })
        let kernel = try ScriptedKernel(hostility: hostility)
        var sessions = 0
        let deadline = ContinuousClock.now + .seconds(300)
        try kernel.run {
            while loading.withLock({ $0.count }) < 100_000 {
                kernel.state.withLock { state in
                    (state.hasExited, state.log) = (false, [])
                }
                loading.withLock { $0.restart() }
                let session = try Session(
                    kernel.transport {
                        Self.quiet(&$0)
                        $0.modulePath = [guarded.modules]
                    })
                sessions += 1
                while loading.withLock({ $0.count }) < 100_000, (try? session.capability(.hvx128)) != nil {
                    try #require(ContinuousClock.now < deadline, "the listener hangs")
                    usleep(2000)
                }
                #expect(guarded.openOutside.isEmpty)
                kernel.state.withLock { $0.hasExited = true }
                session.close()
            }
        }
        loading.withLock { loading in
            #expect(!loading.leaked)
            // The traffic was good enough to load modules.
            #expect(
                loading.served > 10_000 && loading.bytesRead > 1 << 20,
                "\(loading.served), \(loading.bytesRead)")
        }
        #expect(try guarded.outside() == before)
        // All that went through the driver floor: the node, its heap, the null device.
        let opened = Set(kernel.tracer.calls.filter { $0.hasPrefix("open(") })
        #expect(
            opened.allSatisfy { $0.contains(kernel.folder.path) || $0.contains("\"/dev/null\"") }, "\(opened)"
        )
    }
}
