import CPUKernels
import Testing

@Suite("CPU kernels: roofs") struct PeakTests {
    @Test(arguments: kernelLevels) func multiplications(_ level: KernelLevel) throws {
        for kind in [CPU_ACTIVATIONS_FLOAT, CPU_ACTIVATIONS_INT8] {
            let peak = try #require(cpu_peak_get(level.number, CInt(kind))?.pointee, "\(kind)")
            #expect(peak.multiply_adds >= 48 && String(cString: peak.name) != "")
            // Twice the work takes longer: it is not left out.
            func time(_ loops: Int) -> Duration {
                (0..<5).map { _ in
                    let start = ContinuousClock.now
                    peak.run(loops)
                    return ContinuousClock.now - start
                }.min() ?? .zero
            }
            #expect(time(400_000) > time(100_000) * 2)
        }
        #expect(cpu_peak_get(level.number, -1) == nil)
        #expect(cpu_peak_get(level.number, CInt(CPU_ACTIVATIONS)) == nil)
        #expect(cpu_peak_get(CInt(CPU_KERNELS_LEVELS), CInt(CPU_ACTIVATIONS_FLOAT)) == nil)
    }

    /// Every byte is read, whatever the streams.
    @Test(arguments: [1, 2, 4, 8, 16]) func reading(_ streams: Int) {
        var bytes = [UInt8](repeating: 0, count: 64 * 16 * 3)
        #expect(cpu_peak_read(bytes, bytes.count, streams) == 0)
        for index in bytes.indices {
            bytes[index] = 1
            #expect(cpu_peak_read(bytes, bytes.count, streams) != 0)
            bytes[index] = 0
        }
    }
}
