import CPUKernels
import HTPDevice

extension RowTileKernels {
    /// The fastest that this processor has.
    package static var best: RowTileKernels? { RowTileKernels(level: cpu_kernels_best()) }

    /// Those of a level of `cpu_kernels_get`, if this processor has it.
    package init?(level: Int32) {
        guard let found = cpu_repack_kernels_get(level)?.pointee else { return nil }
        self.init(
            halves: found.halves, sixBitFactors: found.six_bit_factors,
            eightBitFactors: found.eight_bit_factors, largest: found.largest,
            mantissasOfHalves: found.mantissas_of_halves, mantissas: found.mantissas,
            nibbles: found.nibbles, nibblePairs: found.nibble_pairs, bytes: found.bytes,
            nibbleWords: found.nibble_words, pairs: found.pairs, bits: found.bits,
            ternaryDigits: found.ternary_digits, largestOfHalves: found.largest_of_halves,
            largestOfFloats: found.largest_of_floats, codeScales: found.code_scales,
            codesOfF32: found.codes_of_f32, codesOfF16: found.codes_of_f16,
            codesOfBF16: found.codes_of_bf16, stream: found.stream, streamed: found.streamed,
            prefetch: found.prefetch)
    }
}
