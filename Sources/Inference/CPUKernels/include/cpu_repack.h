// Taking weights apart for the DSP's row tiles (`htp_tiles.h`): 64 rows of blocks, which become vectors of 128 bytes.
// Row r of a tile is halfword 2r or, from row 32 on, 2(r - 32) + 1 of its vectors; its "lane".
//
// Every level writes the same bytes. Sources need no alignment and nothing is read past a row's block; what is
// written is aligned to 32 bytes.
#ifndef CPU_REPACK_H
#define CPU_REPACK_H

#include <stddef.h>
#include <stdint.h>

typedef struct cpu_repack_kernels {
    // The half-precision number at the beginning of each of `count` blocks of 64 rows: table[64 * block + lane]; and the
    // largest magnitude of each lane, as bits.
    void (*halves)(
        const void *source, size_t row_bytes, size_t block_bytes, size_t count, uint16_t *table, uint16_t *largest);
    // The beginnings of `count` blocks of Q4_K or Q5_K in 64 rows, two half-precision numbers and twelve bytes with eight
    // factors for each: scales[64 * (8 * block + i) + lane] = first * factor, minima[...] = second * factor - zero * scale.
    void (*six_bit_factors)(
        const void *source, size_t row_bytes, size_t block_bytes, size_t count, float zero, float *scales,
        float *minima);
    // 16 signed bytes and the half-precision number behind them: scales[64 * (16 * block + i) + lane] = number * factor.
    void (*eight_bit_factors)(
        const void *source, size_t row_bytes, size_t block_bytes, size_t count, float *scales);
    // In each lane the larger of largest and the magnitudes of a table's floats * factor; infinity and NaN are largest.
    void (*largest)(const float *table, size_t count, float factor, float *largest);
    // round(half * factor), ties to even, for 64 lanes. Results have to fit 16 bits.
    void (*mantissas_of_halves)(const uint16_t *halves, const float *factors, uint16_t *mantissas);
    // round(value * factor * step), for 64 lanes; magnitudes up to 32768, which becomes 32767.
    void (*mantissas)(const float *values, const float *factors, float step, uint16_t *mantissas);
    // 16 bytes of each row, whose low nibbles are inputs 0...15 and high ones 16...31: eight vectors.
    // On the way, `size` bytes at `ahead` begin to be loaded; a burst of such loads would be dropped.
    void (*nibbles)(const void *source, size_t row_bytes, void *plane, const void *ahead, size_t size);
    // 32 bytes of each row, with the inputs of one block in low nibbles, of another in high ones.
    void (*nibble_pairs)(
        const void *source, size_t row_bytes, void *low_plane, void *high_plane, const void *ahead, size_t size);
    // 32 signed bytes of each row: 16 vectors of words.
    void (*bytes)(const void *source, size_t row_bytes, void *plane, const void *ahead, size_t size);
    // 16 bytes of each row, whose low nibbles are inputs 0...15 and high ones 16...31: eight vectors of words' nibbles.
    void (*nibble_words)(const void *source, size_t row_bytes, void *plane);
    // 32 bytes of each row, pair q of byte i being input i of block q: four vectors of two bits for each of four blocks,
    // which are `step` bytes apart.
    void (*pairs)(const void *source, size_t row_bytes, void *plane, ptrdiff_t step);
    // 32 bytes of each row, bit s of byte i being input i of block s: two vectors of one bit for each of eight blocks.
    // In the order of words, or in the one that goes with planes of two bits.
    void (*bits)(const void *source, size_t row_bytes, void *plane, ptrdiff_t step, int in_order);
    // 64 blocks of TQ1_0 without their scales: 64 bytes for each row, byte 32 * h + i with inputs 128 * h + i + 0, 32,
    // 64, 96 from the low bits up.
    void (*ternary_digits)(const void *source, size_t row_bytes, void *codes);
    // The largest magnitude of each 32 numbers of half precision (or bfloat16) of 64 rows, as bits:
    // table[64 * block + lane]; and that of each lane.
    void (*largest_of_halves)(
        const void *source, size_t row_bytes, size_t count, uint16_t *table, uint16_t *largest);
    // The same of single precision.
    void (*largest_of_floats)(const void *source, size_t row_bytes, size_t count, float *table);
    // Largest magnitudes become scales of codes to 2047, rounded up to multiples of the lanes' units, and their inverses.
    // Nothing under a unit of zero.
    void (*code_scales)(float *scales, const float *units, size_t count, float *inverses);
    // 32 floats of each row as codes of twelve bits, round(float * factor) + 2048, ties to even, in 1...4095. 48 bytes for
    // each row: the upper eight bits as `bytes` takes them, the lower four as `nibble_words` does.
    void (*codes_of_f32)(const void *source, size_t row_bytes, const float *factors, void *codes);
    void (*codes_of_f16)(const void *source, size_t row_bytes, const float *factors, void *codes);
    void (*codes_of_bf16)(const void *source, size_t row_bytes, const float *factors, void *codes);
    // Copies past the caches what is not read again soon; multiples of 64 bytes, 32 of the destination's address.
    void (*stream)(void *destination, const void *source, size_t size);
    // The same, for multiples of 32 bytes, with a checksum on the way, which a size and words (little-endian ones, to be
    // the same everywhere) have at every level; with no destination, only the checksum.
    uint64_t (*copy)(void *destination, const void *source, size_t size);
    // Orders the stores of `stream` before all that follow.
    void (*streamed)(void);
    // Begins to load what is soon read.
    void (*prefetch)(const void *source, size_t size);
} cpu_repack_kernels;

// The kernels of a level of cpu_kernels_get, or null.
const cpu_repack_kernels *cpu_repack_kernels_get(int level);

#endif
