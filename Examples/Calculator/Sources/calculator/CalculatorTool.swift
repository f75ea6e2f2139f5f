import ArgumentParser
import Foundation
import HexagonRPC

/// Calculates on a DSP, whichever way it is reached.
@main
struct CalculatorTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calculator", abstract: "Calculates on a Hexagon DSP.")

    @Option(help: "How the DSP is reached.")
    var transport = Route.automatic

    @Argument(help: "What to calculate first.")
    var expression = "2 * (3 + 4) - 0.5"

    func run() throws {
        try withCalculator(on: transport.transport()) { session, calculator in
            try Demonstration(expression: expression).run(session, calculator)
        }
    }
}

/// Opens the calculator and hands it to `work`.
///
/// A session is lost when its process on the DSP dies or the DSP restarts. Everything that it held is gone with
/// it, so `work` starts again from the beginning, on a session of its own, once the DSP has had a moment.
func withCalculator(
    on transport: any Transport, attempts: Int = 5,
    _ work: (borrowing Session, borrowing Calculator<RemoteHandle>) throws -> Void
) throws {
    for attempt in 1...attempts {
        do {
            let session = try Session(transport)
            let calculator = Calculator(try session.open(ModuleURI(interface: "calculator")))
            try work(session, calculator)
            try calculator.takeHandle().close()
            return session.close()
        } catch let error as RemoteCallError where error.isSessionLost && attempt < attempts {
            let notice = "The session is lost (\(error.result)). Beginning another.\n"
            FileHandle.standardError.write(Data(notice.utf8))
            sleep(1)
        }
    }
}
