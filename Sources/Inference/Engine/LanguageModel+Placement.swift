import GGUF
import HTPDevice
import HexagonRPC
import Models
import Runtime

extension LanguageModel {
    /// Places a model on devices. One that does not take its part is left out, and the user told: what would have been
    /// its part goes to the others, or to the CPU.
    static func place(
        _ graph: Graph, _ file: GGUFFile, on devices: [HTPDevice], _ options: Executor.Options
    ) throws -> Executor {
        var devices = devices
        var failures = 0
        while true {
            do {
                let executor = try Executor(graph, file: file, devices: devices, options: options)
                executor.noteRecoveries(failures)
                if options.placement == .auto { try executor.chooseSides() }
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
