import Engine
import GGUF
import HexagonRPC
import Runtime
import Synchronization
import TestSupport
import Testing
import VirtualDSP

/// What becomes of a generation when its DSP fails.
@Suite("Recovery of a generation") struct RecoveryTests {
    private let folder: TemporaryFolder
    private let path: String
    private let prompt: [Int32] = [1, 260, 261, 270, 262, 279, 259, 265]

    init() throws {
        folder = try TemporaryFolder()
        path = try TestModel.llama(.q8_0).write(to: folder.path("model.gguf"))
    }

    /// What a run did.
    private struct Run {
        var tokens: [Int32]
        var report: OffloadReport
        var notices: [String]
        /// Whether the failure came.
        var hasFailed: Bool
        var end: Generation.End
    }

    /// Generates with a failure at a batch after loading, or at anything from the beginning on.
    private func generate(
        _ count: Int, failure: FailingTransport.Failure? = nil, after calls: Int = 0, healthy: Int = 0,
        whileLoading: Bool = false, timeout: Double? = nil, placement: Placement = .all,
        isInterrupted: (@Sendable (FailingTransport.State) -> Bool)? = nil
    ) throws -> Run {
        let state = FailingTransport.State(failure ?? .death)
        let notices = Notices()
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (1, 256, 4)
        options.placement = placement
        if let isInterrupted { options.isInterrupted = { isInterrupted(state) } }
        options.onNotice = { line in notices.lines.withLock { $0.append(line) } }
        options.devices = [
            InferenceDevice(name: "dsp0", kind: "test", transport: FailingTransport(state))
        ]
        (options.devices[0].timeout, options.devices[0].clock) = (timeout, state.clock)
        if healthy > 0 {
            options.devices.append(
                InferenceDevice(name: "dsp1", kind: "test", transport: SimulatorTransport()))
        }
        if failure != nil, whileLoading { state.failLoading(after: calls) }
        let model = try LanguageModel(path: path, options: options)
        if failure != nil, !whileLoading { state.fail(after: calls) }
        var parameters = GenerationParameters(maxTokens: count, sampling: .greedy)
        parameters.ignoresEndOfText = true
        let generation = try model.generate(from: prompt, parameters)
        return Run(
            tokens: generation.tokens, report: model.offload, notices: notices.lines.withLock { $0 },
            hasFailed: state.hasFailed, end: generation.end)
    }

    private final class Notices: Sendable {
        let lines = Mutex<[String]>([])
    }

    /// 199 generated tokens of one call each after a prompt of two: a death at each of 200 calls.
    @Test func aDeathAtAnyCallDoesNotChangeTheText() throws {
        let expected = try generate(199)
        #expect(expected.tokens.count == 199 && expected.report.messages == 200)
        #expect(expected.report.recoveries == 0 && expected.notices.isEmpty)
        for call in 0..<200 {
            let found = try generate(199, failure: .death, after: call)
            #expect(found.tokens == expected.tokens, "call \(call)")
            #expect(found.report.recoveries == 1, "call \(call)")
            #expect(found.notices.count == 1, "\(found.notices)")
            #expect(found.report.offloadedProducts == found.report.products)
        }
    }

    @Test(arguments: [0, 1, 5, 17]) func theOtherDeviceKeepsWhatItHas(call: Int) throws {
        let expected = try generate(30, healthy: 1)
        let found = try generate(30, failure: .death, after: call, healthy: 1)
        #expect(found.tokens == expected.tokens)
        #expect(found.report.recoveries == 1)
    }

    @Test(arguments: [0, 1, 9]) func aCallThatDidNothingIsNoticed(call: Int) throws {
        let expected = try generate(30)
        let found = try generate(30, failure: .lie, after: call)
        #expect(found.tokens == expected.tokens)
        #expect(found.report.recoveries == 1)
    }

    @Test(
        arguments: [FailingTransport.Failure.deathOfAll, .refusedMaps, .always], [0, 1, 12])
    func withoutAnyDSPTheCPUGoesOn(failure: FailingTransport.Failure, call: Int) throws {
        let found = try generate(30, failure: failure, after: call)
        #expect(found.tokens.count == 30)
        #expect(found.report.recoveries == (failure == .always ? 4 : 1))
        #expect(found.notices.last?.hasSuffix("the CPU goes on alone") == true, "\(found.notices)")
        #expect(found.notices.count == (failure == .always ? 2 : 1))
        #expect(found.report.offloadedProducts < found.report.products)
    }

    // MARK: Calls that do not return

    /// The DSP goes on writing after its session was given up: into memory that nobody looks at any more.
    @Test(arguments: [0, 1, 2, 5, 23]) func aHungCallIsGivenUp(call: Int) throws {
        let expected = try generate(30)
        let found = try generate(30, failure: .hang, after: call, timeout: 1)
        #expect(found.tokens == expected.tokens)
        #expect(found.report.recoveries >= 1)
        #expect(found.report.offloadedProducts == found.report.products)
        #expect(found.notices.count == 1 && found.notices[0].contains("did not answer"), "\(found.notices)")
    }

    /// The keys and values that the CPU computed are not computed again: they move.
    @Test(arguments: [0, 1]) func whatTheCPUComputedStays(call: Int) throws {
        let expected = try generate(30, placement: .prompt)
        let found = try generate(30, failure: .hang, after: call, timeout: 1, placement: .prompt)
        #expect(found.tokens == expected.tokens)
        #expect(found.report.recoveries >= 1)
    }

    /// The session cannot be ended, so there is none to be had: what remains of the DSP sleeps.
    @Test(arguments: [0, 7]) func withoutAnEndOfTheCallTheCPUGoesOn(call: Int) throws {
        let found = try generate(30, failure: .endlessHang, after: call, timeout: 1)
        #expect(found.tokens.count == 30)
        #expect(found.report.recoveries == 1)
        #expect(found.notices.last?.hasSuffix("the CPU goes on alone") == true, "\(found.notices)")
    }

    @Test(arguments: [FailingTransport.Failure.hang, .endlessHang]) func aHungCallCanBeInterrupted(
        failure: FailingTransport.Failure
    ) throws {
        let found = try generate(30, failure: failure, after: 3) { $0.hasFailed }
        #expect(found.end == .interrupted && found.tokens.count <= 3)
    }

    // MARK: Failures while loading

    /// Opening, starting, mapping, the first batches: until a run in which nothing failed any more.
    @Test(arguments: [FailingTransport.Failure.death, .hang]) func aFailureAtAnyCallOfLoading(
        failure: FailingTransport.Failure
    ) throws {
        let expected = try generate(4)
        var calls = 0
        while true {
            let timeout: Double? = failure == .hang ? 0.5 : nil
            let found = try generate(4, failure: failure, after: calls, whileLoading: true, timeout: timeout)
            #expect(found.tokens == expected.tokens, "call \(calls)")
            guard found.hasFailed else { break }
            #expect(found.report.recoveries >= 1, "call \(calls)")
            #expect(found.notices.count == 1, "call \(calls): \(found.notices)")
            #expect(found.report.offloadedProducts == found.report.products)
            calls += 1
        }
        // Beginning, opening, start and hardware, two for each of at least four buffers, two of the prompt and three.
        #expect(calls >= 4 + 8 + 5)
    }

    /// The first buffers can be mapped, one after them cannot.
    @Test(arguments: [0, 1, 2, 3]) func aModelThatDoesNotFitIsPlacedElsewhere(maps: Int) throws {
        let alone = try generate(8, failure: .noMemory, after: maps, whileLoading: true)
        #expect(alone.tokens.count == 8 && alone.hasFailed)
        #expect(alone.report.offloadedProducts == 0 && alone.report.recoveries == 1)
        #expect(
            alone.notices.count == 1 && alone.notices[0].hasSuffix("it runs on the CPU"), "\(alone.notices)")

        let expected = try generate(8)
        let other = try generate(8, failure: .noMemory, after: maps, healthy: 1, whileLoading: true)
        #expect(other.tokens == expected.tokens)
        #expect(other.report.offloadedProducts == other.report.products)
        #expect(other.notices.count == 1 && other.notices[0].hasSuffix("it runs on dsp1"), "\(other.notices)")
    }

    /// Every session dies at once: there never was a DSP that could be used.
    @Test func aDeviceThatNeverWorkedIsAnError() throws {
        let error = try #require(
            #expect(throws: EngineError.self) {
                try generate(1, failure: .always, after: 0, whileLoading: true)
            })
        #expect(error.kind == .deviceUnavailable)
    }

    @Test func loadingCanBeInterrupted() throws {
        let error = try #require(
            #expect(throws: EngineError.self) { try generate(1) { _ in true } })
        #expect(error.kind == .interrupted)
    }
}
