import GGUF
import HTPDevice
import HexagonRPC
import Runtime

extension LanguageModel {
    /// Places a model on devices. One that does not take its part is left out, and the user told: what would have been
    /// its part goes to the others, or to the CPU.
    static func place(
        _ planner: Planner, _ file: GGUFFile, on devices: [HTPDevice], _ options: Options
    ) throws -> Executor {
        var devices = devices
        var failures = 0
        while true {
            let planned = planner.plan(on: devices)
            if failures == 0 {
                options.onPlan?(
                    describe(planned.plan, planned.memory, planner.graph, devices.map(\.name)))
            }
            do {
                let executor = try Executor(planner, planned, devices: devices)
                executor.noteRecoveries(failures)
                if planner.options.placement == .auto { try chooseSides(executor, file, options) }
                return executor
            } catch is Interruption {
                throw EngineError.interrupted
            } catch let failure as DeviceFailure {
                let lost = devices.remove(at: failure.device)
                failures += 1 + lost.recoveries
                options.onNotice?(
                    "\(lost.name) does not take the model: \(failure.error); it runs on "
                        + (devices.isEmpty ? "the CPU" : devices.map(\.name).joined(separator: ",")))
                for device in devices { device.unload() }
            }
        }
    }

    /// Takes the faster side for each phase, by measurements of now or of an earlier time.
    private static func chooseSides(_ executor: Executor, _ file: GGUFFile, _ options: Options) throws {
        guard let folder = options.placementFolder, !executor.devices.isEmpty else {
            return try executor.chooseSides()
        }
        let cache = PlacementCache(folder: folder, file, executor.devices, executor.options)
        if !options.measuresAgain, let report = cache.load() { return executor.chooseSides(by: report) }
        try executor.chooseSides()
        if let report = executor.placementReport, executor.counters.recoveries == 0 { cache.save(report) }
    }

    /// Opens the devices that the model is placed on.
    static func open(_ options: Options, _ planner: Planner) throws -> [HTPDevice] {
        var devices: [HTPDevice] = []
        for device in options.devices {
            if options.opensFewestDevices, !devices.isEmpty,
                planner.plan(for: devices.map(\.memory)).memory.homeless.isEmpty
            {
                break
            }
            do {
                devices.append(try open(device, options))
            } catch is Interruption {
                throw EngineError.interrupted
            } catch {
                // A model that does not fit into the sessions that there are runs in part on the CPU.
                if options.opensFewestDevices, !devices.isEmpty { break }
                throw EngineError(device: device.name, error)
            }
        }
        guard options.opensFewestDevices else { return devices }
        let sessions = planner.plan(for: devices.map(\.memory)).memory.sessions
        return zip(devices, sessions).filter { !$1.parts.isEmpty }.map(\.0)
    }

    private static func open(_ device: InferenceDevice, _ options: Options) throws -> HTPDevice {
        let opened = try HTPDevice(
            name: device.name, kind: device.kind, transport: device.transport,
            configuration: device.configuration, power: device.power, messages: device.messages,
            timeout: device.callTimeout, clock: device.clock, isInterrupted: options.isInterrupted,
            onRecovery: options.onNotice)
        if device.arithmetic != .plain, let operation = try opened.setFloatArithmetic(device.arithmetic) {
            options.onNotice?(
                "device \(device.name): \(device.arithmetic) floats disagree with plain ones in operation "
                    + "\(operation) of a self-check; plain ones are used")
        }
        return opened
    }
}

extension EngineError {
    static let interrupted = EngineError(.interrupted, "interrupted")

    /// A device cannot be used.
    init(device: String, _ error: any Error) {
        // AEE_EBADPERMS
        let isForbidden = (error as? RemoteCallError)?.result.rawValue == 0x4e
        self.init(isForbidden ? .notPermitted : .deviceUnavailable, "device \(device): \(error)")
    }
}

extension InferenceDevice {
    /// How long calls may take. On hardware they return or hang; a simulation may just be slow.
    var callTimeout: CallTimeout {
        guard let timeout else { return kind == "hardware" ? .measured : .none }
        return timeout > 0 ? .seconds(timeout) : .none
    }
}
