import CPUKernels
import Glibc

/// One of the instruction sets this machine has.
struct KernelLevel: Sendable, CustomStringConvertible {
    let number: Int32
    let description: String

    // Non-null for the levels in `kernelLevels`.
    var table: UnsafePointer<cpu_kernels> { cpu_kernels_get(number) }
    var kernels: cpu_kernels { table.pointee }
    var activations: cpu_activation_kernels { cpu_activation_kernels_get(number).pointee }
}

let kernelLevels: [KernelLevel] = (0..<Int32(CPU_KERNELS_LEVELS)).compactMap { number in
    guard cpu_kernels_get(number) != nil, let name = cpu_kernels_name(number) else { return nil }
    return KernelLevel(number: number, description: String(cString: name))
}

struct KernelRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state >> 16
    }

    /// In 0..<1.
    mutating func uniform() -> Float { Float(next() & 0xff_ffff) / 0x1p24 }

    /// Nearly normal, variance 1.
    mutating func normal() -> Float { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }
}
