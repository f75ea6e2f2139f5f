// Arithmetic of the CPU engine. No policy, no allocation, no threads: the caller owns memory, splits the
// rows among its threads and chooses the level. Nothing needs to be aligned, and no kernel reads past the
// last byte of an array it was given.
#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu_activations.h"
#include "cpu_attention.h"
#include "cpu_peak.h"
#include "cpu_repack.h"

#ifdef __cplusplus
extern "C" {
#endif

// Instruction sets, as arguments of cpu_kernels_get. Of one architecture each has what the one before it has.
enum {
    CPU_KERNELS_PORTABLE = 0,     // plain C, the reference
    CPU_KERNELS_AVX2 = 1,         // x86-64 with AVX2, FMA and F16C
    CPU_KERNELS_AVX512_VNNI = 2,  // x86-64 with AVX-512 F, BW, DQ, VL, VBMI and VNNI
    CPU_KERNELS_AVX512_BF16 = 3,  // and products of bfloat16
    CPU_KERNELS_AMX = 4,          // and tiles of bfloat16
    CPU_KERNELS_NEON_DOTPROD = 5, // arm64 with the dot product instructions
    CPU_KERNELS_NEON_I8MM = 6,    // and products of small int8 matrices
    CPU_KERNELS_LEVELS = 7,
};

// Weight formats, as indices of cpu_kernels.matmul; their layouts are GGUF's.
enum {
    CPU_F32,
    CPU_F16,
    CPU_BF16,
    CPU_Q4_0,
    CPU_Q4_1,
    CPU_Q5_0,
    CPU_Q5_1,
    CPU_Q8_0,
    CPU_IQ4_NL,
    CPU_MXFP4,
    CPU_Q2_K,
    CPU_Q3_K,
    CPU_Q4_K,
    CPU_Q5_K,
    CPU_Q6_K,
    CPU_IQ4_XS,
    CPU_TQ1_0,
    CPU_TQ2_0,
    CPU_I2_S,
    CPU_IQ2_BN,
    CPU_FORMATS,
};

// How a row of activations is given to a product.
enum {
    CPU_ACTIVATIONS_FLOAT, // as it is
    CPU_ACTIVATIONS_INT8,  // int8 codes in blocks of 32
    CPU_ACTIVATIONS_BF16,  // bfloat16, rounded to nearest even; with a zero behind an odd number of them
    CPU_ACTIVATIONS_INT16, // int16 codes in blocks of 32
    // Sums of two bfloat16: of each 32 the high ones, then the low ones, with zeros behind the last.
    CPU_ACTIVATIONS_BF16_PAIRS,
    CPU_ACTIVATIONS,
};

// As many columns are a batch, whose activations may be given in another way than those of fewer.
enum { CPU_BATCH = 16 };

// dst[c * dst_stride + r] = sum over k of W[r][k] * x[c][k], for k in [0, columns) and c in [0, count).
typedef struct cpu_product {
    const void *weights;            // column 0 of row 0; row r begins weight_row_bytes * r further on
    size_t weight_row_bytes;
    const void *activations;        // column c begins activation_row_bytes * c further on
    int activation_kind;            // what cpu_activation_kind says, for this number of columns or fewer
    size_t activation_row_bytes;
    float *dst;
    size_t dst_stride;              // floats
    size_t columns;                 // any number for F32, F16 and BF16, else a multiple of the format's block
    size_t count;
    float weight_scale;             // of the whole tensor: of I2_S only, which has it elsewhere
} cpu_product;

// Computes the rows r in [row_begin, row_end); any range of them, with the same bits. Batches are fastest where it is
// a multiple of 32 rows, single columns where it is long, as the kernels read it from several places at once.
typedef void cpu_matmul(const cpu_product *product, size_t row_begin, size_t row_end);

typedef struct cpu_kernels {
    // Float formats: weights converted exactly to float (rounded as activations are, where these are no floats), float sums
    // in several lanes. The others: sums of 16 or 32 products exact in integers, then a float step; where activations are
    // bfloat16, as the float formats.
    cpu_matmul *matmul[CPU_FORMATS];
    // What matmul takes: of fewer than CPU_BATCH columns, and of as many or more.
    uint8_t activations_of_few[CPU_FORMATS];
    uint8_t activations_of_batch[CPU_FORMATS];
    // Writes cpu_activation_bytes(kind, columns) bytes. For CPU_ACTIVATIONS_INT8 columns is a multiple of 32 and every
    // level writes the same bits: columns codes in -127...127; then for each block of 32
    //   a float scale (largest magnitude / 127); NaN for a block with an infinity or a NaN, so that the fault stays
    //   visible in the product,
    //   an int32 bias, -128 * the sum of its codes,
    //   two int32, -128 * the sum of the first and of the last 16 codes,
    //   a float offset, scale * sum of its codes,
    //   two floats, scale * sum of the first and of the last 16 codes:
    // all scales, then all biases, and so on.
    // For CPU_ACTIVATIONS_INT16: codes in -8191...8191, with zeros up to a multiple of 32; then a float scale for each
    // block of 32 (largest magnitude / 8191), NaN as above.
    // Null for a kind that no product of the level takes; the portable level has all, as the reference.
    void (*prepare[CPU_ACTIVATIONS])(const float *x, size_t columns, void *out);

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

// "portable", "avx2", "avx512-vnni", "avx512-bf16", "amx", "neon-dotprod", "neon-i8mm"; null for another number.
const char *cpu_kernels_name(int level);

// What a product of `count` columns takes.
static inline int cpu_activation_kind(const cpu_kernels *kernels, int format, size_t count) {
    return count < CPU_BATCH ? kernels->activations_of_few[format] : kernels->activations_of_batch[format];
}

// Bytes of one row of activations; columns: a multiple of 32 for CPU_ACTIVATIONS_INT8.
static inline size_t cpu_activation_bytes(int kind, size_t columns) {
    switch (kind) {
    case CPU_ACTIVATIONS_INT8: return columns + columns / 32 * 28;
    case CPU_ACTIVATIONS_BF16: return (columns + 1) / 2 * 4;
    case CPU_ACTIVATIONS_INT16: return (columns + 31) / 32 * (2 * 32 + 4);
    case CPU_ACTIVATIONS_BF16_PAIRS: return (columns + 31) / 32 * 128;
    default: return columns * sizeof(float);
    }
}

// Computes the rows of a product whose weights have that format.
static inline void cpu_multiply(
    const cpu_kernels *kernels, int format, const cpu_product *product, size_t row_begin, size_t row_end) {
    kernels->matmul[format](product, row_begin, row_end);
}

// Writes a row of activations as a product takes it.
static inline void cpu_prepare(const cpu_kernels *kernels, int kind, const float *x, size_t columns, void *out) {
    kernels->prepare[kind](x, columns, out);
}

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
