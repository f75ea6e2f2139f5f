import Engine
import GGUF
import HexagonRPC
import Synchronization
import TestSupport
import Testing
import VirtualDSP

/// Models in sessions whose memory is limited.
@Suite("Memory of sessions") struct SessionMemoryTests {
    private let folder: TemporaryFolder
    private let path: String
    private let prompt: [Int32] = [1, 260, 261, 270, 262, 279, 259, 265]

    init() throws {
        folder = try TemporaryFolder()
        path = try TestModel.llama(.q8_0, layers: 7, width: 256, hidden: 512)
            .write(to: folder.path("model.gguf"))
    }

    private struct Run {
        var tokens: [Int32]
        var devices: [DeviceReport]
        var offload: OffloadReport
        /// Bytes that each session of the DSP had mapped.
        var mapped: [Int]
        var plan: String
    }

    private func generate(sessions: Int, bytes: Int? = nil, opensFewest: Bool = true) throws -> Run {
        let processor = VirtualProcessor(sessionByteCount: bytes ?? SessionMemory.addressSpaceByteCount)
        let plans = Mutex<[String]>([])
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (1, 64, 8)
        options.devices = (0..<sessions).map {
            InferenceDevice(
                name: "sim\($0)", kind: "simulator", transport: SimulatorTransport(processor),
                configuration: SessionConfiguration(index: $0))
        }
        options.opensFewestDevices = opensFewest
        options.onPlan = { plan in plans.withLock { $0.append(plan) } }
        let model = try LanguageModel(path: path, options: options)
        let devices = model.devices
        let mapped = (0..<devices.count - 1).map {
            processor.mappedByteCount(domain: SessionConfiguration(index: $0).effectiveDomain)
        }
        var parameters = GenerationParameters(maxTokens: 16, sampling: .greedy)
        parameters.ignoresEndOfText = true
        let tokens = try model.generate(from: prompt, parameters).tokens
        return Run(
            tokens: tokens, devices: devices, offload: model.offload, mapped: mapped,
            plan: plans.withLock { $0.joined(separator: "\n") })
    }

    /// What the table says is what the DSP has mapped, to the byte.
    private func checkTable(_ run: Run, limit: Int?) {
        for (device, mapped) in zip(run.devices.dropFirst(), run.mapped) {
            #expect(device.modelBytes + device.contextBytes + device.computeBytes == mapped)
            let total = limit ?? SessionMemory.addressSpaceByteCount
            #expect(device.totalBytes == total)
            #expect((device.freeBytes ?? -1) <= total - mapped && (device.freeBytes ?? -1) >= 0)
        }
    }

    @Test func severalSessionsGiveTheSameTokens() throws {
        let whole = try generate(sessions: 4)
        #expect(whole.devices.count == 2, "one session is enough")
        #expect(whole.offload.products == whole.offload.offloadedProducts)
        checkTable(whole, limit: nil)
        let needed = try #require(whole.mapped.first)
        var counts: Set<Int> = []
        // Less and less memory, until four sessions are too few.
        for bytes in stride(from: needed + 400_000, through: 1_500_000, by: -250_000) {
            let run = try generate(sessions: 4, bytes: bytes)
            #expect(run.mapped.allSatisfy { $0 <= bytes })
            checkTable(run, limit: bytes)
            guard run.offload.offloadedProducts == run.offload.products else {
                #expect(run.plan.contains("no room in any session: layer"))
                break
            }
            counts.insert(run.devices.count - 1)
            #expect(run.tokens == whole.tokens, "\(run.devices.count - 1) sessions of \(bytes) bytes")
            #expect(run.offload.messages == (run.devices.count - 1) * 16)
        }
        #expect(counts.isSuperset(of: [1, 2, 3, 4]), "\(counts)")
    }

    @Test func aModelThatIsTooLargeRunsInPartOnTheCPU() throws {
        let whole = try generate(sessions: 1)
        let needed = try #require(whole.mapped.first)
        let run = try generate(sessions: 1, bytes: needed * 3 / 5)
        #expect(run.tokens.count == 16)
        #expect(run.offload.offloadedProducts > 0)
        #expect(run.offload.offloadedProducts < run.offload.products)
        #expect(run.plan.contains("no room in any session: layer"))
        #expect(run.plan.contains(": the memory of the sessions has no room for it"))
        // The layers on the CPU come first: the DSP still gets one message a token.
        #expect(run.offload.messages == 16)
        checkTable(run, limit: needed * 3 / 5)
    }

    @Test func aSessionWithoutRoomLeavesEverythingToTheCPU() throws {
        let run = try generate(sessions: 2, bytes: 100_000)
        #expect(run.devices.map(\.name) == ["cpu"])
        #expect(run.tokens.count == 16)
        #expect(run.offload.offloadedProducts == 0 && run.offload.messages == 0)
    }

    @Test func namedSessionsAreAllUsed() throws {
        let whole = try generate(sessions: 1)
        for sessions in 2...4 {
            let run = try generate(sessions: sessions, opensFewest: false)
            #expect(run.tokens == whole.tokens)
            #expect(run.devices.dropFirst().allSatisfy { $0.modelBytes > 0 })
            checkTable(run, limit: nil)
        }
    }
}
