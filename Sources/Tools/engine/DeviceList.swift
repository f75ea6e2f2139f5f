import ArgumentParser
import Engine
import HexagonRPC
import VirtualDSP

/// The value of `--device`: `cpu`, `auto`, or DSP sessions such as `htp0,htp1` or `sim0`.
enum DeviceList: ExpressibleByArgument {
    /// The hardware's first session where there is one, else the CPU.
    case automatic
    /// These sessions; none for the CPU alone.
    case sessions([Name])

    /// One session.
    enum Name {
        case hardware(Int)
        case simulator(Int)

        init?(_ text: Substring) {
            // A DSP has four sessions.
            guard let digit = text.last?.wholeNumberValue, (0..<4).contains(digit) else { return nil }
            switch text.dropLast() {
            case "htp": self = .hardware(digit)
            case "sim": self = .simulator(digit)
            default: return nil
            }
        }
    }

    static let help: ArgumentHelp =
        "cpu, auto, or DSP sessions: htp0…htp3 (hardware), sim0…sim3 (simulator); several split the layers."

    init?(argument: String) {
        switch argument {
        case "auto": self = .automatic
        case "cpu": self = .sessions([])
        default:
            let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
            let names = parts.compactMap(Name.init)
            guard names.count == parts.count, Set(parts).count == parts.count else { return nil }
            self = .sessions(names)
        }
    }

    /// Loads a model onto the devices. Where `auto` finds a DSP that does not work, it says so and takes the
    /// CPU.
    func load(_ path: String, _ options: LanguageModel.Options) throws -> LanguageModel {
        var options = options
        switch self {
        case .sessions(let names):
            let simulator = SimulatorTransport()
            options.devices = try names.map { try Self.device($0, simulator) }
        case .automatic:
            if let hardware = try? Self.device(.hardware(0), SimulatorTransport()) {
                options.devices = [hardware]
                do {
                    return try LanguageModel(path: path, options: options)
                } catch let error as EngineError where error.kind == .deviceUnavailable {
                    printError("engine: \(error); running on the CPU")
                    options.devices = []
                }
            }
        }
        return try LanguageModel(path: path, options: options)
    }

    private static func device(_ name: Name, _ simulator: SimulatorTransport) throws -> InferenceDevice {
        switch name {
        case .simulator(let index):
            return InferenceDevice(
                name: "sim\(index)", kind: "simulator", transport: simulator,
                configuration: SessionConfiguration(index: index))
        case .hardware(let index):
            do {
                return InferenceDevice(
                    name: "htp\(index)", kind: "hardware", transport: try LibraryTransport(),
                    configuration: SessionConfiguration(index: index))
            } catch {
                throw EngineError(.deviceUnavailable, "device htp\(index): \(error)")
            }
        }
    }
}
