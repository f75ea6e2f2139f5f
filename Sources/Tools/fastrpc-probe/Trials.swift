import ArgumentParser
import Diagnosis
import Foundation

// Processes that the probe starts of itself. They write their steps to descriptor 3.

struct KernelTrialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "try-kernel", shouldDisplay: false)

    @Argument var request: String

    func run() throws {
        let request = try JSONDecoder().decode(KernelTrialRequest.self, from: Data(request.utf8))
        KernelTrial(request, output: 3)?.run()
    }
}

struct LibraryTrialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "try-library", shouldDisplay: false)

    @Argument var request: String

    func run() throws {
        let request = try JSONDecoder().decode(LibraryTrialRequest.self, from: Data(request.utf8))
        LibraryTrial(request, output: 3)?.run()
        // Without the library's destructors, which are not what is tried.
        _exit(0)
    }
}
