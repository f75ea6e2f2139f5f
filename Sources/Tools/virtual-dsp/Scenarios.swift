import ArgumentParser
import VirtualKernel
import VirtualMachine

/// `virtual-dsp scenarios`
struct Scenarios: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the ways in which the DSP can misbehave.",
        discussion: "A scenario with N takes a number: --scenario process-death=3.")

    func run() {
        let names = Scenario.Kind.allCases.map { $0.rawValue + ($0.takesNumber ? "[=N]" : "") }
        let width = names.map(\.count).max() ?? 0
        for (kind, name) in zip(Scenario.Kind.allCases, names) {
            print(name + String(repeating: " ", count: width + 2 - name.count) + kind.summary)
        }
    }
}
