import ArgumentParser
import Engine
import Foundation
import GGUF
import HTPDevice
import HexagonRPC
import Runtime

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures how fast prompts and generations are.",
        discussion: """
            Every device is measured with every depth, number of threads and test. Options that take lists take values \
            separated by commas and ranges such as 1-8, 1-8+1 or 128-1024*2.

              engine bench -m model.gguf
              engine bench --kernels Q4_0 Q4_K -t 1,2 --compare portable
              engine bench -m model.gguf -p 512 -n 32 -d 2048,32768,65536 --device cpu --device htp0
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case md, json, jsonl, csv
    }

    @Option(name: [.short, .long], help: "The model, a GGUF file.")
    var model: String?
    @Flag(
        help: """
            Measure the CPU's products instead of a model, each against this machine's memory (1 column) or its \
            multiplications from registers (the columns of -p; 512 without it).
            """)
    var kernels = false
    @Option(
        help: ArgumentHelp(
            "With --kernels: say how much faster than these instructions they are.", valueName: "name"))
    var compare: String?
    @Argument(help: "With --kernels: the types of weights, such as Q4_0; all without any.")
    var formats: [String] = []
    @Option(
        name: [.customShort("p"), .customLong("n-prompt")], parsing: .unconditional,
        help: "Tokens of the prompts; 0 for none.")
    var prompts = NumberList([512])
    @Option(
        name: [.customShort("n"), .customLong("n-gen")], parsing: .unconditional,
        help: "Tokens of the generations; 0 for none.")
    var generations = NumberList([128])
    @Option(
        name: [.customShort("d"), .customLong("n-depth")], parsing: .unconditional,
        help: "Tokens in the cache before; they are not computed.")
    var depths = NumberList([0])
    @Option(
        name: [.customShort("b"), .customLong("batch-size")], parsing: .unconditional,
        help: "Prompt tokens computed at once.")
    var batch = 512
    @Option(name: [.short, .long], parsing: .unconditional, help: "CPU threads; 0 for one per core.")
    var threads = NumberList([0])
    @OptionGroup var cores: ThreadOptions
    @Option(
        name: [.short, .long], parsing: .unconditional,
        help: "How often each test is repeated; one more does not count."
    )
    var repetitions = 5
    @Option(help: DeviceList.help, transform: DeviceList.init(argument:))
    var device: [DeviceList] = []
    @OptionGroup var cache: CacheOptions
    @OptionGroup var use: DeviceOptions
    @Option(
        help:
            "Which phases run on the DSP: auto, all, prompt or none; without it all: a device is measured itself."
    )
    var place = Placement.all
    @Option(name: [.short, .long], help: "md, json, jsonl or csv.")
    var output = Format.md

    func validate() throws {
        if kernels {
            for format in formats where Self.type(named: format) == nil {
                throw ValidationError(
                    "\(format) is no type of weights that has kernels; known are "
                        + KernelBench.types.map(\.name).joined(separator: ", ") + ".")
            }
            guard model == nil else { throw ValidationError("--kernels measures no model; leave -m out.") }
            if let compare, InstructionSet(name: compare) == nil {
                throw ValidationError(
                    "--compare \(compare) is unknown; known are "
                        + InstructionSet.all.map(\.name).joined(separator: ", ") + ".")
            }
            guard prompts.numbers.allSatisfy({ $0 <= 4096 }) else {
                throw ValidationError("-p takes numbers from 0 to 4096 with --kernels.")
            }
        } else {
            guard model != nil else { throw ValidationError("Missing expected argument '--model <model>'") }
            guard formats.isEmpty, compare == nil else {
                throw ValidationError("Types and --compare go with --kernels.")
            }
        }
        guard (1...1000).contains(repetitions) else {
            throw ValidationError("-r is a number from 1 to 1000.")
        }
        guard (1...4096).contains(batch) else { throw ValidationError("-b is a number from 1 to 4096.") }
        guard threads.numbers.allSatisfy({ $0 <= 1024 }) else {
            throw ValidationError("-t takes numbers from 0 to 1024.")
        }
        guard (prompts.numbers + generations.numbers).contains(where: { $0 > 0 }) else {
            throw ValidationError("There is nothing to measure: -p and -n are 0.")
        }
    }

    func run() throws {
        try reportingFailure {
            Interrupt.catchFirst()
            if kernels { return try measureKernels() }
            guard let model else { return }
            var table = BenchTable(output)
            for device in device.isEmpty ? [.automatic] : device {
                for threads in threads.numbers {
                    for depth in depths.numbers {
                        try measure(model, device, threads, depth, &table)
                    }
                }
            }
            table.finish()
            if Interrupt.isRequested { throw Exit.interrupted }
        }
    }

    /// The type of that name, in either case.
    private static func type(named name: String) -> TensorType? {
        KernelBench.types.first { $0.name.uppercased() == name.uppercased() }
    }

    private func measureKernels() throws {
        let set = cores.cpuFeatures.flatMap(InstructionSet.init(name:)) ?? .best
        let compared = compare.flatMap(InstructionSet.init(name:))
        for set in [set, compared].compactMap(\.self) { try set.require() }
        let bench = KernelBench(
            set: set, compared: compared, cpus: cores.cpus?.numbers ?? [], repetitions: repetitions,
            shouldStop: { Interrupt.isRequested })
        let types = formats.isEmpty ? KernelBench.types : formats.compactMap(Self.type)
        let columns = [1] + prompts.numbers.filter { $0 > 1 }
        var table = KernelTable(output)
        for threads in threads.numbers {
            try bench.measure(types, columns: columns, threads: cores.threads(threads)) { try table.add($0) }
        }
        table.finish()
        if Interrupt.isRequested { throw Exit.interrupted }
    }

    private func measure(
        _ path: String, _ device: DeviceList, _ threads: Int, _ depth: Int, _ table: inout BenchTable
    ) throws {
        var tests: [BenchmarkTest] = []
        for count in prompts.numbers where count > 0 {
            tests.append(BenchmarkTest(promptTokens: count, generatedTokens: 0, depth: depth))
        }
        for count in generations.numbers where count > 0 {
            tests.append(BenchmarkTest(promptTokens: 0, generatedTokens: count, depth: depth))
        }
        guard !Interrupt.isRequested, let longest = tests.map(\.contextLength).max() else { return }
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (threads, longest, batch)
        options.placement = place
        cores.apply(to: &options)
        cache.apply(to: &options)
        options.onNotice = { printError("engine: \($0)") }
        options.isInterrupted = { Interrupt.isRequested }
        // Every depth has a context of its own size, as its memory is part of the table.
        let model = try device.load(path, options, use.use)
        for test in tests {
            let start = Date()
            let seconds = try model.measure(
                test, repetitions: repetitions, shouldStop: { Interrupt.isRequested })
            guard seconds.count == repetitions else { return }
            try table.add(
                BenchRow(
                    path, model, test, batch: batch, place: place, cache: cache, seconds: seconds,
                    start: start))
        }
    }
}

/// Numbers on the command line: `512`, `1,2,4`, `1-8`, `1-8+2`, `128-1024*2`.
struct NumberList: ExpressibleByArgument {
    var numbers: [Int]

    init(_ numbers: [Int]) { self.numbers = numbers }

    init?(argument: String) {
        var numbers: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let range = Self.range(part), numbers.count + range.count <= Self.countMax else {
                return nil
            }
            numbers += range
        }
        self.init(numbers)
    }

    /// Numbers of tokens and threads are far below.
    private static let numberMax = 1 << 24
    private static let countMax = 1000

    private static func number(_ text: Substring) -> Int? {
        Int(text).flatMap { (0...numberMax).contains($0) && text.first != "+" ? $0 : nil }
    }

    /// `first-last`, `first-last+step`, `first-last*factor`, or a number.
    private static func range(_ text: Substring) -> [Int]? {
        guard let dash = text.firstIndex(of: "-") else { return number(text).map { [$0] } }
        let rest = text[text.index(after: dash)...]
        let sign = rest.firstIndex { $0 == "+" || $0 == "*" }
        guard let first = number(text[..<dash]), let last = number(rest[..<(sign ?? rest.endIndex)]),
            let step = sign.map({ number(rest[rest.index(after: $0)...]) }) ?? 1, step > 0
        else { return nil }
        let multiplies = sign.map { rest[$0] == "*" } ?? false
        guard !multiplies || (step > 1 && first > 0) else { return nil }
        var numbers: [Int] = []
        var next = first
        while next <= last {
            guard numbers.count < countMax else { return nil }
            numbers.append(next)
            next = multiplies ? next * step : next + step
        }
        return numbers.isEmpty ? nil : numbers
    }

    /// As on the command line.
    var defaultValueDescription: String { numbers.map(String.init).joined(separator: ",") }
}
