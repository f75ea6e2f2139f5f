import CPUKernels
import HTPDevice

extension RowTileKernels {
    /// The fastest that this processor has.
    package static var best: RowTileKernels? { RowTileKernels(level: cpu_kernels_best()) }

    /// Those of a level of `cpu_kernels_get`, if this processor has it.
    package init?(level: Int32) {
        guard let found = cpu_repack_kernels_get(level)?.pointee else { return nil }
        self.init(
            halves: found.halves, largestHalf: found.largest_half,
            sixBitFactors: found.six_bit_factors, eightBitFactors: found.eight_bit_factors,
            largest: found.largest, mantissasOfHalves: found.mantissas_of_halves, mantissas: found.mantissas,
            nibbles: found.nibbles, nibblePairs: found.nibble_pairs, bytes: found.bytes,
            stream: found.stream, streamed: found.streamed, prefetch: found.prefetch)
    }
}
