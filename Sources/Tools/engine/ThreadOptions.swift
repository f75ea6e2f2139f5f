import ArgumentParser
import Engine
import Glibc
import Runtime

/// The options that say on which CPUs threads run, and with which instructions.
struct ThreadOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            CPUs to run on, such as 0-3,6: one for each thread, or all for all where there are more threads.
            """, valueName: "list"))
    var cpus: CPUList?
    @Option(
        help: ArgumentHelp(
            "Instructions to compute with: \(InstructionSet.all.map(\.name).joined(separator: ", ")); by default the best.",
            valueName: "name"))
    var cpuFeatures: String?

    func validate() throws {
        if let cpuFeatures, InstructionSet(name: cpuFeatures) == nil {
            throw ValidationError(
                "--cpu-features \(cpuFeatures) is unknown; known are "
                    + InstructionSet.all.map(\.name).joined(separator: ", ") + ".")
        }
        guard let cpus, let allowed = CPUSet.current else { return }
        if let missing = cpus.numbers.first(where: { !allowed.contains($0) }) {
            throw ValidationError(
                "--cpus: this process may not run on CPU \(missing); it may on "
                    + "\(CPUList(allowed.numbers).defaultValueDescription).")
        }
    }

    /// As many threads as asked for; for 0 one for each CPU.
    func threads(_ number: Int) -> Int {
        number > 0 ? number : cpus?.numbers.count ?? max(sysconf(CInt(_SC_NPROCESSORS_ONLN)), 1)
    }

    /// Passes them on.
    func apply(to options: inout LanguageModel.Options) {
        options.cpus = cpus?.numbers ?? []
        options.instructionSet = cpuFeatures.flatMap(InstructionSet.init(name:))
    }
}

/// CPUs on the command line: `0`, `0-3,6`.
struct CPUList: ExpressibleByArgument {
    var numbers: [Int]

    init(_ numbers: [Int]) { self.numbers = numbers }

    /// Nil for anything but numbers and ranges, each CPU once.
    init?(argument: String) {
        var numbers: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
                Int($0)
            }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last,
                (0..<CPUSet.limit).contains(first), (0..<CPUSet.limit).contains(last)
            else { return nil }
            numbers += first...last
        }
        guard Set(numbers).count == numbers.count else { return nil }
        self.init(numbers)
    }

    /// With ranges where there are some.
    var defaultValueDescription: String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
