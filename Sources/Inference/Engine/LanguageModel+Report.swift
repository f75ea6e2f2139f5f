import CPUKernels
import Glibc
import Runtime

/// A device as it was used, for tables and JSON.
public struct DeviceReport: Sendable {
    /// `cpu`, `sim0`, …
    public var name: String
    /// `cpu`, `simulator`, `hardware`.
    public var kind: String
    /// The instruction set in use.
    public var arch: String
    /// Sessions on the device; 0 for the CPU.
    public var sessions: Int
    /// Bytes of memory that it has, where that is known.
    public var totalBytes: Int?
    /// Bytes of it that are free, where that is known.
    public var freeBytes: Int?
    /// Bytes of weights that it holds. The CPU's are mapped from the file.
    public var modelBytes: Int
    /// Bytes of the key/value cache.
    public var contextBytes: Int
    /// Bytes of activations and command buffers.
    public var computeBytes: Int
}

/// What ran where, counted where it happened.
public struct OffloadReport: Sendable {
    /// Matrix products of the forward pass.
    public var products: Int
    /// Those of them that DSPs executed.
    public var offloadedProducts: Int
    /// Multiply-adds of all products.
    public var multiplyAdds: Int
    /// Those of them that DSPs executed.
    public var offloadedMultiplyAdds: Int
    /// Messages to DSPs.
    public var messages: Int
    /// Bytes written for DSPs after loading.
    public var bytesToDSP: Int
    /// Bytes read back from DSPs.
    public var bytesFromDSP: Int
    /// Times that work was repeated after a DSP failed.
    public var recoveries: Int
    /// Seconds that DSP programs were at work, by their own clocks.
    public var dspSeconds: Double
    /// Products that stay on the CPU though there is a DSP, and why.
    public var refusals: [(name: String, reason: String)]
}

extension LanguageModel {
    /// What was executed since the model was loaded.
    public var offload: OffloadReport {
        let counters = executor.counters
        return OffloadReport(
            products: counters.products, offloadedProducts: counters.offloadedProducts,
            multiplyAdds: counters.multiplyAdds, offloadedMultiplyAdds: counters.offloadedMultiplyAdds,
            messages: counters.messages, bytesToDSP: counters.bytesToDSP, bytesFromDSP: counters.bytesFromDSP,
            recoveries: executor.devices.reduce(counters.recoveries) { $0 + $1.recoveries },
            dspSeconds: Double(counters.dspMicroseconds) * 1e-6,
            refusals: executor.plan.refusedProducts(executor.graph))
    }

    /// Devices whose weights came from a file of repacked ones.
    package var devicesFromCache: Int { executor.deviceGraphs.count(where: \.isFromCache) }

    /// The devices and what they hold.
    public var devices: [DeviceReport] {
        let page = sysconf(CInt(_SC_PAGESIZE))
        let cpu = DeviceReport(
            name: "cpu", kind: "cpu", arch: InstructionSet(level: executor.options.kernelLevel).name,
            sessions: 0,
            totalBytes: page * sysconf(CInt(_SC_PHYS_PAGES)),
            freeBytes: page * sysconf(CInt(_SC_AVPHYS_PAGES)),
            modelBytes: executor.cpuModelBytes, contextBytes: executor.cacheBytes,
            computeBytes: executor.activationBytes)
        return [cpu]
            + executor.deviceGraphs.map { graph in
                let device = graph.device
                return DeviceReport(
                    name: device.name, kind: device.kind,
                    arch: "v" + String(device.hardware.architecture, radix: 16), sessions: 1,
                    totalBytes: device.memory?.totalByteCount, freeBytes: device.memory?.freeByteCount,
                    modelBytes: device.modelBytes, contextBytes: graph.cacheBytes,
                    computeBytes: device.contextBytes - graph.cacheBytes)
            }
    }
}
