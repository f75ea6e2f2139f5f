// Arithmetic of the CPU engine. No policy, no allocation, no threads: the caller owns memory, splits the
// rows among its threads and chooses the level. Nothing needs to be aligned, and no kernel reads past the
// last byte of an array it was given.
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu_activations.h"
#include "cpu_attention.h"
#include "cpu_repack.h"

#ifdef __cplusplus
extern "C" {
#endif

// Instruction sets, as arguments of cpu_kernels_get.
enum {
    CPU_KERNELS_PORTABLE = 0,     // plain C, the reference
    CPU_KERNELS_AVX2 = 1,         // x86-64 with AVX2, FMA and F16C
    CPU_KERNELS_AVX512_VNNI = 2,  // x86-64 with AVX-512 F, BW, DQ, VL, VBMI and VNNI
    CPU_KERNELS_NEON_DOTPROD = 3, // arm64 with the dot product instructions
    CPU_KERNELS_LEVELS = 4,
};

// Matrix product dst[c * dst_stride_floats + r] = sum over k of W[r][k] * x[c][k],
// for r in [row_begin, row_end) and c in [0, count), k in [0, columns).
//
// weights: row 0 of W; row r begins weight_row_bytes * r further on (GGUF layout of the weight type).
// activations: column 0 of x; column c begins activation_row_bytes * c further on.
//   Floats for the float types, the output of quantize_activations for the block types.
// columns: any number for the float types, a multiple of 32 for the block types.
// Any range of rows will do. Batches (count of 4 and more) are fastest where it is a multiple of 32 rows, single
// columns where it is long, as the kernels read it from four places at once.
typedef void cpu_matmul(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count);

typedef struct cpu_kernels {
    // Weights converted exactly to float, float activations, float sums in several lanes.
    cpu_matmul *matmul_f32;
    cpu_matmul *matmul_f16;
    cpu_matmul *matmul_bf16;
    // Sums of a block of 32 exact in integers, then one float step per block.
    cpu_matmul *matmul_q8_0;
    cpu_matmul *matmul_q4_0;

    // Writes cpu_activation_bytes(columns) bytes: columns int8 codes in -127...127, then for each block of 32
    // a float scale (largest magnitude / 127), then for each block an int32, -128 * sum of its codes.
    // Every level writes the same bits. A block with an infinity or a NaN gets the scale NaN, so that the
    // fault stays visible in the product. columns: a multiple of 32.
    void (*quantize_activations)(const float *x, size_t columns, void *out);

    float (*dot_f32)(const float *a, const float *b, size_t n);
    float (*dot_f16)(const uint16_t *a, const float *b, size_t n);
    // y += scale * x
    void (*axpy_f32)(float *y, float scale, const float *x, size_t n);
    void (*axpy_f16)(float *y, float scale, const uint16_t *x, size_t n);
    // Rounds to nearest even, overflows to infinity.
    void (*f16_from_f32)(uint16_t *dst, const float *x, size_t n);
    // dst = a + b; dst may be either.
    void (*add)(float *dst, const float *a, const float *b, size_t n);
    // dst = x / sqrt(mean of squares + epsilon) * weight (1 where weight is null); dst may be x.
    // The squares are summed in float lanes, the lanes in double.
    void (*rms_norm)(float *dst, const float *x, const float *weight, size_t n, float epsilon);
    // x = exp(scale * x - max) / sum, in place; a row of nothing but -infinity becomes zeros.
    void (*softmax)(float *x, size_t n, float scale);
    // dst = gate / (1 + exp(-gate)) * up; dst may be either.
    void (*silu_mul)(float *dst, const float *gate, const float *up, size_t n);
} cpu_kernels;

// The kernels of a level, or null where this processor or operating system lacks it.
const cpu_kernels *cpu_kernels_get(int level);

// The fastest level that cpu_kernels_get has.
int cpu_kernels_best(void);

// "portable", "avx2", "avx512-vnni", "neon-dotprod"; null for another number.
const char *cpu_kernels_name(int level);

// Bytes of one row of quantised activations; columns: a multiple of 32.
static inline size_t cpu_activation_bytes(size_t columns) { return columns + columns / 32 * 8; }

// Tells the processor that this thread is waiting in a loop.
static inline void cpu_pause(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); // waits longer than yield, which most cores ignore
#endif
}

#ifdef __cplusplus
}
#endif
#endif
