import ArgumentParser
import Foundation
import HexagonRPC
import Logging
import VirtualDSP

/// What the tests run under a virtual DSP, as a program of somebody who uses `HexagonRPC`.
@main
struct DSPClient: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dsp-client",
        subcommands: [
            TourCommand.self, ScenarioCommand.self, BenchCommand.self, GPUCommand.self, LogCommand.self,
            PropertiesCommand.self,
        ])
}

struct TransportOptions: ParsableArguments {
    @Option(help: "auto, kernel, library, simulator.") var transport = "auto"
    @Option(help: "Session 0 to 3.") var session = 0
    @Flag(help: "Also exchange packets over a message queue.") var queue = false
    @Option(help: "How often the empty call is made.") var calls = 1

    var tour: Tour {
        get throws {
            Tour(transport: try chosen, usesQueue: queue, calls: calls)
        }
    }

    var chosen: any Transport {
        get throws {
            if transport == "simulator" { return try simulator }
            guard let choice = TransportChoice(rawValue: transport) else {
                throw ValidationError("There is no transport '\(transport)'.")
            }
            return try choice.transport()
        }
    }

    /// The simulator with the module that the other transports' DSP loads from `DSP_LIBRARY_PATH`.
    private var simulator: SimulatorTransport {
        get throws {
            let file = "libecho_skel.so", symbol = "echo_skel_handle_invoke"
            let folder = ProcessInfo.processInfo.environment["DSP_LIBRARY_PATH"] ?? "."
            // What it needs of a DSP is not called.
            guard let library = dlopen("\(folder)/\(file)", RTLD_LAZY), let entry = dlsym(library, symbol)
            else { throw ValidationError("\(folder) has no \(file)") }
            let function = unsafeBitCast(entry, to: VirtualProcessor.Entry.self)
            return SimulatorTransport(
                VirtualProcessor(modules: [.init(file: file, symbols: [symbol: function])]))
        }
    }
}

/// Does everything once.
struct TourCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tour")
    @OptionGroup var options: TransportOptions

    func run() throws {
        try options.tour.run(SessionConfiguration(index: options.session))
        print("ok")
    }
}

/// Shares buffers between the DSP and a graphics driver.
struct GPUCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "gpu")
    @OptionGroup var options: TransportOptions

    func run() throws {
        try options.tour.shareWithGPU()
        print("ok")
    }
}

/// Lets the DSP log something, and prints what swift-log gets.
struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "log")
    @Argument var text: String

    func run() throws {
        var options = KernelTransport.Options()
        options.logger = Logger(label: "dsp") { StreamLogHandler.standardOutput(label: $0) }
        try Tour(transport: KernelTransport(options)).say(text)
    }
}

/// Does everything once under a scenario, says what it saw, ends the scenario, and tries again in this process.
struct ScenarioCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "scenario")
    @OptionGroup var options: TransportOptions
    @Flag(help: "Ask for a process that loads signed modules only.") var signed = false

    /// What was seen, one object.
    struct Report: Codable {
        /// The type of the error, or nil for none.
        var type: String?
        /// Its code, where it has one.
        var code: UInt32?
        /// Whether the session was said to be lost.
        var isSessionLost: Bool?
        /// Its text.
        var text: String?
        /// How long the first attempt took.
        var milliseconds: Double
        /// The DSP's architecture and its word on unsigned processes, where it could be asked.
        var architecture: UInt32?
        var unsignedSupport: UInt32?
        /// What the attempt after the scenario's end failed with, or nil.
        var afterwards: String?
    }

    func run() throws {
        var configuration = SessionConfiguration(index: options.session)
        configuration.unsignedModules = !signed
        var report = Report(milliseconds: 0)
        let capabilities = try? options.chosen.capabilities(of: .compute)
        report.architecture = capabilities?[.architectureVersion]
        report.unsignedSupport = capabilities?[.unsignedProcessSupport]
        let start = ContinuousClock.now
        do {
            try options.tour.run(configuration)
        } catch {
            report.type = "\(type(of: error))"
            report.text = "\(error)"
            report.code = (error as? RemoteCallError)?.result.rawValue
            report.isSessionLost = (error as? RemoteCallError)?.isSessionLost
            if let error = error as? DSPQueueError { report.code = error.result.rawValue }
        }
        report.milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        // Opening this file ends the scenario.
        _ = FileManager.default.contents(atPath: "/dev/virtual-dsp/healthy")
        report.afterwards = recover()
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    /// Tries again, as a program would that has lost its DSP: in the same session, then in another, since
    /// libcdsprpc keeps a process in which nothing could be opened.
    private func recover() -> String? {
        let deadline = ContinuousClock.now + .seconds(30)
        for attempt in 0... {
            do {
                try options.tour.run(SessionConfiguration(index: (options.session + attempt) % 2))
                return nil
            } catch {
                guard ContinuousClock.now < deadline else { return "\(error)" }
                usleep(50_000)
            }
        }
        return nil
    }
}

extension TransportChoice: ExpressibleByArgument {}
