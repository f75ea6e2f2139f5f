import Engine
import GGUF
import HexagonRPC
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

    /// Generates with a failure at a call after loading.
    private func generate(
        _ count: Int, failure: FailingTransport.Failure? = nil, after calls: Int = 0, healthy: Int = 0
    ) throws -> (tokens: [Int32], report: OffloadReport, notices: [String]) {
        let state = FailingTransport.State(failure ?? .death)
        let notices = Notices()
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (1, 256, 4)
        options.onNotice = { line in notices.lines.withLock { $0.append(line) } }
        options.devices = [
            InferenceDevice(name: "dsp0", kind: "test", transport: FailingTransport(state))
        ]
        if healthy > 0 {
            options.devices.append(
                InferenceDevice(name: "dsp1", kind: "test", transport: SimulatorTransport()))
        }
        let model = try LanguageModel(path: path, options: options)
        if failure != nil { state.fail(after: calls) }
        var parameters = GenerationParameters(maxTokens: count, sampling: .greedy)
        parameters.ignoresEndOfText = true
        let tokens = try model.generate(from: prompt, parameters).tokens
        return (tokens, model.offload, notices.lines.withLock { $0 })
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
}
