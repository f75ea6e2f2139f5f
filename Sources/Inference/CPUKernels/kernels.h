// What the instruction-set files share: block layouts, conversions, and the table each of them fills.
#ifndef KERNELS_H
#define KERNELS_H

#include <string.h>

#include "include/cpu_kernels.h"

#define BLOCK 32 // activations under one scale
#define Q4_0_ZERO 8 // code of 0 in Q4_0

// Formats whose products take int8 activations: the end of a function's name, and the format.
#define QUANTIZED_FORMATS(apply) \
    apply(q4_0, CPU_Q4_0) apply(q4_1, CPU_Q4_1) apply(q5_0, CPU_Q5_0) apply(q5_1, CPU_Q5_1) apply(q8_0, CPU_Q8_0) \
    apply(iq4_nl, CPU_IQ4_NL) apply(mxfp4, CPU_MXFP4) apply(q2_k, CPU_Q2_K) apply(q3_k, CPU_Q3_K) \
    apply(q4_k, CPU_Q4_K) apply(q5_k, CPU_Q5_K) apply(q6_k, CPU_Q6_K) apply(iq4_xs, CPU_IQ4_XS) \
    apply(tq1_0, CPU_TQ1_0) apply(tq2_0, CPU_TQ2_0) apply(i2_s, CPU_I2_S) apply(iq2_bn, CPU_IQ2_BN)
#define TAKES_INT8(name, format) [format] = CPU_ACTIVATIONS_INT8,

#define INLINE static inline __attribute__((always_inline))

// Vectors that a loop fills stay in registers where it is unrolled.
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

extern const cpu_kernels cpu_kernels_portable;
#if defined(__x86_64__)
extern const cpu_kernels cpu_kernels_avx2;
extern const cpu_kernels cpu_kernels_avx512_vnni;
// Filled when the program starts, with what is the same from the level below.
extern cpu_kernels cpu_kernels_avx512_bf16, cpu_kernels_amx;
// Whether tiles may be used here and a small product of them is right. Only where the processor has them.
int cpu_amx_works(void);

#endif
#if defined(__aarch64__)
extern const cpu_kernels cpu_kernels_neon_dotprod;
extern const cpu_kernels cpu_kernels_neon_i8mm;
#endif

// The parts of a row of quantised activations, see cpu_kernels.prepare.
typedef struct {
    const int8_t *codes;
    const uint8_t *scales, *biases, *half_biases, *offsets, *half_offsets;
} activation_row;

INLINE activation_row activation_parts(const void *row, size_t columns) {
    const uint8_t *part = (const uint8_t *)row + columns;
    const size_t size = columns / BLOCK * sizeof(float);
    return (activation_row){row, part, part + size, part + 2 * size, part + 4 * size, part + 5 * size};
}

INLINE size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

// Column c of a product, as it was prepared.
INLINE const uint8_t *prepared_column(const cpu_product *p, size_t c) {
    return (const uint8_t *)p->activations + c * p->activation_row_bytes;
}

// A column as a level's dot_rows takes it: as it is, unless the level prepares it.
#ifndef HAS_PREPARED_COLUMNS
typedef activation_row column;

INLINE void prepare_column(column *c, activation_row x, size_t blocks, const int format) {
    (void)blocks, (void)format;
    *c = x;
}
#endif

// Writes what follows the codes of block `b`: a scale, and sums of the first and last 16 codes.
INLINE void store_block_sums(void *row, size_t columns, size_t b, float scale, int32_t first, int32_t last) {
    uint8_t *part = (uint8_t *)row + columns;
    const size_t size = columns / BLOCK * sizeof(float);
    const int32_t bias = -128 * (first + last), half_biases[2] = {-128 * first, -128 * last};
    const float offset = scale * (float)(first + last);
    const float half_offsets[2] = {scale * (float)first, scale * (float)last};
    memcpy(part + 4 * b, &scale, sizeof scale);
    memcpy(part + size + 4 * b, &bias, sizeof bias);
    memcpy(part + 2 * size + 8 * b, half_biases, sizeof half_biases);
    memcpy(part + 4 * size + 4 * b, &offset, sizeof offset);
    memcpy(part + 5 * size + 8 * b, half_offsets, sizeof half_offsets);
}

INLINE float load_float(const uint8_t *bytes, size_t index) {
    float value;
    memcpy(&value, bytes + index * sizeof value, sizeof value);
    return value;
}

INLINE int32_t load_int(const uint8_t *bytes, size_t index) {
    int32_t value;
    memcpy(&value, bytes + index * sizeof value, sizeof value);
    return value;
}

INLINE uint16_t load_half(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

INLINE float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float float_of_bf16(uint16_t half) { return float_of_bits((uint32_t)half << 16); }

// Rounds to nearest even; a NaN stays one.
INLINE uint16_t bf16_of_float(float x) {
    const uint32_t bits = bits_of_float(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define LARGEST_BF16 0x1.fep127f

#if defined(__aarch64__)
// Every arm64 processor converts.
INLINE float float_of_f16(uint16_t half) {
    __fp16 value;
    memcpy(&value, &half, sizeof value);
    return (float)value;
}

INLINE uint16_t f16_of_float(float x) {
    const __fp16 value = (__fp16)x;
    uint16_t half;
    memcpy(&half, &value, sizeof half);
    return half;
}
#else
INLINE float float_of_f16(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    // Exponents differ by 112; the product is exact, subnormal halves included.
    float value = float_of_bits(magnitude) * 0x1p112f;
    if (magnitude >= 0x7c00u << 13) value = float_of_bits(magnitude | 0x7f800000u);
    return float_of_bits(bits_of_float(value) | (uint32_t)(half & 0x8000) << 16);
}

INLINE uint16_t f16_of_float(float x) {
    uint32_t bits = bits_of_float(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); // rounds to 65536 or more
    if (magnitude < 0x38800000) {
        // Subnormal: the sum with 0.5 rounds at 2^-24, the unit of subnormal halves.
        float shifted = float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of_float(shifted) - 0x3f000000));
    }
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23);
    return (uint16_t)(sign | rounded >> 13);
}
#endif

// exp(x) = 2^n * exp(r), n the integer nearest to x / ln 2, |r| <= ln 2 / 2.
// exp(r) by its Taylor polynomial of degree 7, whose remainder there is below 6e-9, a tenth of a unit in the last
// place. ln 2 is split so that n * EXP_LN2_HIGH is exact. Outside of [EXP_LOWEST, EXP_HIGHEST] the results are 0
// and infinity.
#define EXP_LOG2E 1.44269504088896341f
#define EXP_LN2_HIGH 0.693359375f
#define EXP_LN2_LOW -2.12194440054690583e-4f
#define EXP_LOWEST -104.0f
#define EXP_HIGHEST 89.0f
#define EXP_C2 (1.0f / 2)
#define EXP_C3 (1.0f / 6)
#define EXP_C4 (1.0f / 24)
#define EXP_C5 (1.0f / 120)
#define EXP_C6 (1.0f / 720)
#define EXP_C7 (1.0f / 5040)

INLINE float exp_float(float x) {
    x = x < EXP_LOWEST ? EXP_LOWEST : x > EXP_HIGHEST ? EXP_HIGHEST : x;
    const float round = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
    float shifted = x * EXP_LOG2E + round;
    float n = shifted - round;
    float r = (x - n * EXP_LN2_HIGH) - n * EXP_LN2_LOW;
    float p = EXP_C7;
    p = p * r + EXP_C6;
    p = p * r + EXP_C5;
    p = p * r + EXP_C4;
    p = p * r + EXP_C3;
    p = p * r + EXP_C2;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // Two factors, as 2^n alone leaves the range of float at both ends.
    int32_t exponent = (int32_t)(bits_of_float(shifted) - bits_of_float(round));
    int32_t half = exponent >> 1;
    uint32_t first = (uint32_t)(half + 127) << 23, second = (uint32_t)(exponent - half + 127) << 23;
    return p * float_of_bits(first) * float_of_bits(second);
}


// A block whose largest magnitude is below this is taken as zero: 127 / magnitude would overflow.
#define SMALLEST_BLOCK_BITS 0x03800000u // 2^-120
#define INT16_CODE_MAX 8191.0f // the products of 32 codes sum up to less than 2^31
#define INFINITY_BITS 0x7f800000u
#define QUIET_NAN_BITS 0x7fc00000u

#endif
