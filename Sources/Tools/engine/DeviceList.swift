import ArgumentParser
import Engine
import HTPDevice
import HexagonRPC
import Runtime
import VirtualDSP

/// The value of `--device`: `cpu`, `auto`, or DSP sessions such as `htp0,htp1`, `sim0` or `qemu0`.
enum DeviceList {
    /// The hardware's first session where there is one, else the CPU.
    case automatic
    /// These sessions; none for the CPU alone.
    case sessions([Name])

    /// One session.
    enum Name {
        case hardware(Int)
        case simulator(Int)
        case emulator(Int)

        init(_ text: Substring) throws {
            // A DSP has four sessions.
            switch (text.dropLast(), text.last.flatMap { Int(String($0)) }) {
            case ("htp", let session?) where session < 4: self = .hardware(session)
            case ("sim", let session?) where session < 4: self = .simulator(session)
            case ("qemu", let session?) where session < 4: self = .emulator(session)
            default:
                throw ValidationError(
                    "'\(text)' is no device; there are cpu, auto, htp0 to htp3, sim0 to sim3, qemu0 to qemu3."
                )
            }
        }
    }

    static let help: ArgumentHelp =
        """
        cpu, auto, or DSP sessions: htp0…htp3 (hardware), sim0…sim3 (simulator), qemu0…qemu3 (Hexagon code \
        under qemu); several split the layers.
        """

    /// Reads the option's value.
    init(argument: String) throws {
        switch argument {
        case "auto": self = .automatic
        case "cpu": self = .sessions([])
        default:
            let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
            let names = try parts.map(Name.init)
            guard Set(parts).count == parts.count else {
                throw ValidationError("A session is named twice.")
            }
            self = .sessions(names)
        }
    }

    /// Loads a model onto the devices. Where `auto` finds a DSP that does not work, it says so and takes the
    /// CPU.
    func load(
        _ path: String, _ options: LanguageModel.Options, _ use: DeviceUse
    ) throws -> LanguageModel {
        var options = options
        switch self {
        case .sessions(let names):
            let simulator = SimulatorTransport()
            options.devices = try names.map { try Self.device($0, simulator, use) }
        case .automatic:
            if let hardware = try? Self.device(.hardware(0), SimulatorTransport(), use) {
                options.devices = [hardware]
                do {
                    return try LanguageModel(path: path, options: options)
                } catch let error as EngineError
                    where error.kind == .deviceUnavailable || error.kind == .notPermitted
                {
                    printError("engine: \(error); running on the CPU")
                    options.devices = []
                }
            }
        }
        return try LanguageModel(path: path, options: options)
    }

    private static func device(
        _ name: Name, _ simulator: SimulatorTransport, _ use: DeviceUse
    ) throws -> InferenceDevice {
        var device = try device(name, simulator, use.transport)
        device.power = use.power
        device.arithmetic = use.arithmetic
        device.timeout = use.timeout
        device.messages = use.messages
        return device
    }

    private static func device(
        _ name: Name, _ simulator: SimulatorTransport, _ transport: TransportChoice
    ) throws -> InferenceDevice {
        switch name {
        case .simulator(let index):
            return InferenceDevice(
                name: "sim\(index)", kind: "simulator", transport: simulator,
                configuration: SessionConfiguration(index: index))
        case .emulator(let index):
            do {
                return InferenceDevice(
                    name: "qemu\(index)", kind: "qemu", transport: try QemuTransport(),
                    configuration: SessionConfiguration(index: index))
            } catch {
                throw EngineError(.deviceUnavailable, "device qemu\(index): \(error)")
            }
        case .hardware(let index):
            do {
                // A session that is lost is the engine's news: it says it once.
                var options = KernelTransport.Options()
                options.logger.logLevel = .error
                return InferenceDevice(
                    name: "htp\(index)", kind: "hardware",
                    transport: try transport.transport(for: .compute, options),
                    configuration: SessionConfiguration(index: index))
            } catch {
                throw EngineError(.deviceUnavailable, "device htp\(index): \(error)")
            }
        }
    }
}

/// How DSPs are reached and used.
struct DeviceUse {
    var transport = TransportChoice.automatic
    var power = PowerLevel.full
    var arithmetic = FloatArithmetic.plain
    var messages = BatchMessages.call
    /// Seconds for a call; nil for the device's own.
    var timeout: Double?
}

extension FloatArithmetic: ExpressibleByArgument {
    /// Reads an arithmetic by its name.
    public init?(argument: String) {
        guard let arithmetic = Self.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = arithmetic
    }

    /// The names of all.
    public static var allValueStrings: [String] { allCases.map { "\($0)" } }
    /// Its name.
    public var defaultValueDescription: String { "\(self)" }
}

extension TransportChoice: ExpressibleByArgument {}

extension BatchMessages: ExpressibleByArgument {}

extension Placement: ExpressibleByArgument {}

extension PowerLevel: ExpressibleByArgument {
    /// Reads a level by its name.
    public init?(argument: String) {
        guard let level = Self.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = level
    }

    /// The names of all levels.
    public static var allValueStrings: [String] { allCases.map { "\($0)" } }
    /// The level's name.
    public var defaultValueDescription: String { "\(self)" }
}
