import ArgumentParser
import CalculatorProgram
import HexagonRPC
import VirtualDSP

/// The ways to a DSP that this program offers.
enum Route: String, CaseIterable, ExpressibleByArgument {
    case automatic = "auto"
    case kernel
    case library
    case simulator

    /// Makes the transport; nothing is opened yet.
    func transport() throws -> any Transport {
        switch self {
        case .automatic: try TransportChoice.automatic.transport()
        case .kernel: try TransportChoice.kernel.transport()
        case .library: try TransportChoice.library.transport()
        case .simulator: SimulatorTransport(VirtualProcessor(modules: [.calculator]))
        }
    }
}

extension VirtualProcessor.Module {
    /// The DSP's side, linked into this program.
    static let calculator = Self(
        file: Calculator<RemoteHandle>.moduleFile,
        symbols: [Calculator<RemoteHandle>.skelSymbol: calculator_skel_handle_invoke])
}
