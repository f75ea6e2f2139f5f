import ArgumentParser
import Engine
import HTPDevice
import HexagonRPC
import Runtime
import VirtualDSP

/// The value of `--device`: `cpu`, `auto`, or DSP sessions such as `htp0,htp1`, `sim` or `qemu0`.
enum DeviceList {
    /// As many of the hardware's sessions as the model needs where there is one, else the CPU.
    case automatic
    /// These sessions; none for the CPU alone.
    case sessions([Name])
    /// As many sessions of a kind as the model needs.
    case fewest([Name])

    /// One session.
    enum Name {
        case hardware(Int)
        case simulator(Int)
        case emulator(Int)

        init(_ text: Substring) throws {
            switch (text.dropLast(), text.last.flatMap { Int(String($0)) }) {
            case ("htp", let session?) where session < Self.sessionCount: self = .hardware(session)
            case ("sim", let session?) where session < Self.sessionCount: self = .simulator(session)
            case ("qemu", let session?) where session < Self.sessionCount: self = .emulator(session)
            default:
                throw ValidationError(
                    "'\(text)' is no device; there are cpu, auto, htp0 to htp3, sim0 to sim3, qemu0 to qemu3, and "
                        + "htp, sim and qemu for as many sessions as a model needs.")
            }
        }

        /// A DSP has four sessions.
        static let sessionCount = 4
        static let hardware = (0..<sessionCount).map(Name.hardware)
    }

    static let help: ArgumentHelp =
        """
        cpu, auto, or DSP sessions: htp0…htp3 (hardware), sim0…sim3 (simulator), qemu0…qemu3 (Hexagon code \
        under qemu); several split the layers, a name without a number stands for as many as the model needs.
        """

    /// Reads the option's value.
    init(argument: String) throws {
        switch argument {
        case "auto": self = .automatic
        case "cpu": self = .sessions([])
        case "htp": self = .fewest(Name.hardware)
        case "sim": self = .fewest((0..<Name.sessionCount).map(Name.simulator))
        case "qemu": self = .fewest((0..<Name.sessionCount).map(Name.emulator))
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
        (options.placementFolder, options.measuresAgain) = (DeviceUse.cacheFolder, use.measuresAgain)
        options.repackCache = use.repackCache
        let simulator = SimulatorTransport(
            VirtualProcessor(
                sessionByteCount: use.simulatorByteCount ?? SessionMemory.addressSpaceByteCount))
        func devices(_ names: [Name]) throws -> [InferenceDevice] {
            try names.map { try Self.device($0, simulator, use) }
        }
        switch self {
        case .sessions(let names):
            options.devices = try devices(names)
        case .fewest(let names):
            options.devices = try devices(names)
            options.opensFewestDevices = true
        case .automatic:
            if let hardware = try? devices(Name.hardware) {
                options.devices = hardware
                options.opensFewestDevices = true
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
