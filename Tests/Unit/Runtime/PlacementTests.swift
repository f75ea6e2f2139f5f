import GGUF
import HTPDevice
import Models
import Runtime
import TestSupport
import Testing
import VirtualDSP

/// Devices of every speed: a delay for each batch makes either side as slow as wanted.
@Suite("Choice of the faster side", .serialized) struct PlacementTests {
    /// Milliseconds of a unit of time: so many that what the machine does meanwhile hardly counts.
    static let unit = 3.0

    /// Units of time that a token takes.
    struct Side {
        var prompt: Double
        var generation: Double
    }

    struct Case: CustomTestStringConvertible {
        var name: String
        var cpu: Side
        var devices: Side
        var testDescription: String { name }
    }

    static let slow = Side(prompt: 1, generation: 4)

    static let cases = [
        // What boards with v68 report: prompts four times faster, generation a quarter slower.
        Case(name: "v68 board", cpu: slow, devices: Side(prompt: 0.23, generation: 5.5)),
        Case(name: "fast DSP", cpu: slow, devices: Side(prompt: 0.1, generation: 1)),
        Case(name: "slow DSP", cpu: slow, devices: Side(prompt: 3, generation: 10)),
        Case(name: "DSP for generation", cpu: slow, devices: Side(prompt: 2, generation: 2)),
        Case(name: "a third faster", cpu: slow, devices: Side(prompt: 0.75, generation: 3)),
        Case(name: "a third slower", cpu: slow, devices: Side(prompt: 1.33, generation: 5.3)),
        Case(
            name: "fast CPU", cpu: Side(prompt: 0.1, generation: 1), devices: Side(prompt: 0.3, generation: 2)
        ),
        Case(
            name: "much faster prompts", cpu: Side(prompt: 2, generation: 3),
            devices: Side(prompt: 0.1, generation: 4)),
        Case(
            name: "much faster generation", cpu: Side(prompt: 0.3, generation: 8),
            devices: Side(prompt: 0.5, generation: 2)),
        Case(name: "both a little better", cpu: slow, devices: Side(prompt: 0.8, generation: 3.2)),
    ]

    private func executor(_ test: Case, fixed: Double = 0) throws -> Executor {
        let folder = try TemporaryFolder()
        let file = try GGUFFile(path: try TestModel.llama(.q8_0).write(to: folder.path("model.gguf")))
        var options = Executor.Options(threads: 1, contextLength: 96, batch: 64)
        options.placement = .auto
        options.delay = { onDevices, tokens in
            let side = onDevices ? test.devices : test.cpu
            let units = tokens == 1 ? side.generation : Double(tokens) * side.prompt
            return .microseconds(Int64((units + (onDevices ? fixed : 0)) * Self.unit * 1000))
        }
        return try Executor(
            Architecture.graph(of: file), file: file, devices: [try ProductTests.device("simulator")],
            options: options)
    }

    @Test(arguments: cases) func theFasterSideIsTaken(test: Case) throws {
        let executor = try executor(test)
        try executor.chooseSides()
        let report = try #require(executor.placementReport)
        #expect(
            executor.sides.usesDevices(in: .prompt, tokens: 64) == (test.devices.prompt < test.cpu.prompt),
            "\(report)")
        #expect(
            executor.sides.usesDevices(in: .generation, tokens: 1)
                == (test.devices.generation < test.cpu.generation), "\(report)")
        // The reasons are real measurements.
        let prompt = try #require(report.prompts.last)
        #expect(prompt.tokens == 64 && prompt.cpu < 1000 / (Self.unit * test.cpu.prompt))
        #expect(prompt.devices < 1000 / (Self.unit * test.devices.prompt))
        #expect(report.generation.cpu < 1000 / (Self.unit * test.cpu.generation))
        #expect(executor.position == 0 && executor.counters.messages == 0)
    }

    /// A message that costs as much as many tokens: short prompts stay on the CPU, long ones do not.
    @Test func shortPromptsMayBelongToTheOtherSide() throws {
        let test = Case(name: "", cpu: Self.slow, devices: Side(prompt: 0.2, generation: 4))
        let executor = try executor(test, fixed: 20)
        try executor.chooseSides()
        #expect(!executor.sides.usesDevices(in: .prompt, tokens: 1))
        #expect(!executor.sides.usesDevices(in: .prompt, tokens: 8))
        #expect(executor.sides.usesDevices(in: .prompt, tokens: 64))
        #expect(executor.sides.usesDevices(in: .prompt, tokens: 500))
        #expect(!executor.sides.usesDevices(in: .generation, tokens: 1))
        // What it decided is what happens.
        _ = try executor.evaluate((0..<8).map { Int32($0) }, outputs: .last)
        #expect(executor.counters.messages == 0)
        _ = try executor.evaluate((0..<64).map { Int32($0) }, outputs: .last)
        #expect(executor.counters.messages == 1)
    }
}
