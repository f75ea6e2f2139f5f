// The reference: plain C in loops that compilers turn into whatever vectors the target has.
#include <math.h>

#include "kernels.h"

#define LANES 16

static double sum_lanes(const float *lanes) {
    double sum = 0;
    for (size_t l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

static float dot_f32(const float *a, const float *b, size_t n) {
    float lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += a[k + l] * b[k + l];
    for (size_t l = 0; k < n; k++, l++) lanes[l] += a[k] * b[k];
    return (float)sum_lanes(lanes);
}

enum { FLOAT_CHUNK = 1024 };

INLINE void widen(float *dst, const uint8_t *halves, size_t n, int bf16) {
    for (size_t k = 0; k < n; k++) {
        uint16_t half = load_half(halves + 2 * k);
        dst[k] = bf16 ? float_of_bf16(half) : float_of_f16(half);
    }
}

static float dot_f16(const uint16_t *a, const float *b, size_t n) {
    float wide[FLOAT_CHUNK], sum = 0;
    for (size_t k = 0; k < n; k += FLOAT_CHUNK) {
        size_t length = min_size(FLOAT_CHUNK, n - k);
        widen(wide, (const uint8_t *)(a + k), length, 0);
        sum += dot_f32(wide, b + k, length);
    }
    return sum;
}

static void matmul_f32(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    for (size_t r = row_begin; r < row_end; r++) {
        const float *row = (const float *)((const uint8_t *)weights + r * weight_row_bytes);
        for (size_t c = 0; c < count; c++) {
            const float *x = (const float *)((const uint8_t *)activations + c * activation_row_bytes);
            dst[c * dst_stride_floats + r] = dot_f32(row, x, columns);
        }
    }
}

// A stretch of a row is widened once and then used for every column.
INLINE void matmul_halves(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count,
    int bf16) {
    float wide[FLOAT_CHUNK];
    for (size_t r = row_begin; r < row_end; r++) {
        const uint8_t *row = (const uint8_t *)weights + r * weight_row_bytes;
        for (size_t c = 0; c < count; c++) dst[c * dst_stride_floats + r] = 0;
        for (size_t k = 0; k < columns; k += FLOAT_CHUNK) {
            size_t length = min_size(FLOAT_CHUNK, columns - k);
            widen(wide, row + 2 * k, length, bf16);
            for (size_t c = 0; c < count; c++) {
                const float *x = (const float *)((const uint8_t *)activations + c * activation_row_bytes);
                dst[c * dst_stride_floats + r] += dot_f32(wide, x + k, length);
            }
        }
    }
}

static void matmul_f16(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_halves(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, 0);
}

static void matmul_bf16(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_halves(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, 1);
}

static void unpack_q8_0(int8_t *codes, const uint8_t *block) { memcpy(codes, block + 2, BLOCK); }

static void unpack_q4_0(int8_t *codes, const uint8_t *block) {
    for (size_t i = 0; i < BLOCK / 2; i++) {
        codes[i] = (int8_t)((block[2 + i] & 15) - Q4_0_ZERO);
        codes[i + BLOCK / 2] = (int8_t)((block[2 + i] >> 4) - Q4_0_ZERO);
    }
}

static int32_t dot_block(const int8_t *a, const int8_t *b) {
    int32_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++) sum += (int16_t)(a[i] * b[i]);
    return sum;
}

enum { BLOCK_CHUNK = 64 };

// A stretch of a row is unpacked once and then used for every column.
INLINE void matmul_blocks(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count,
    size_t block_bytes, void unpack(int8_t *, const uint8_t *)) {
    int8_t codes[BLOCK_CHUNK * BLOCK];
    float scales[BLOCK_CHUNK];
    size_t blocks = columns / BLOCK;
    for (size_t r = row_begin; r < row_end; r++) {
        const uint8_t *row = (const uint8_t *)weights + r * weight_row_bytes;
        for (size_t c = 0; c < count; c++) dst[c * dst_stride_floats + r] = 0;
        for (size_t first = 0; first < blocks; first += BLOCK_CHUNK) {
            size_t chunk = min_size(BLOCK_CHUNK, blocks - first);
            for (size_t b = 0; b < chunk; b++) {
                const uint8_t *block = row + (first + b) * block_bytes;
                scales[b] = float_of_f16(load_half(block));
                unpack(codes + b * BLOCK, block);
            }
            for (size_t c = 0; c < count; c++) {
                activation_row x =
                    activation_parts((const uint8_t *)activations + c * activation_row_bytes, columns);
                float sum = 0;
                for (size_t b = 0; b < chunk; b++) {
                    int32_t product = dot_block(codes + b * BLOCK, x.codes + (first + b) * BLOCK);
                    sum += (float)product * (scales[b] * load_float(x.scales, first + b));
                }
                dst[c * dst_stride_floats + r] += sum;
            }
        }
    }
}

static void matmul_q8_0(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_blocks(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, Q8_0_BYTES, unpack_q8_0);
}

static void matmul_q4_0(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_blocks(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, Q4_0_BYTES, unpack_q4_0);
}

// x * factor + 1.5 * 2^23 leaves the nearest integer (ties to even) in the low bits. The product is rounded
// before the sum, as vector code rounds it, hence the separate function without contraction.
static int32_t rounded_product(float x, float factor) {
#if defined(__clang__)
#pragma clang fp contract(off)
    float product = x * factor;
#else
    volatile float product = x * factor;
#endif
    return (int32_t)(bits_of_float(product + 0x1.8p23f) - bits_of_float(0x1.8p23f));
}

static void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    uint8_t *scales = (uint8_t *)out + columns, *biases = scales + columns / BLOCK * sizeof(float);
    for (size_t b = 0; b < columns / BLOCK; b++) {
        const float *block = x + b * BLOCK;
        // As integers, magnitudes are ordered the same and infinity and NaN come last.
        uint32_t largest = 0;
        for (size_t i = 0; i < BLOCK; i++) {
            uint32_t magnitude = bits_of_float(block[i]) & 0x7fffffff;
            largest = magnitude > largest ? magnitude : largest;
        }
        float scale = 0;
        int32_t sum = 0;
        if (largest < SMALLEST_BLOCK_BITS || largest >= INFINITY_BITS) {
            memset(codes + b * BLOCK, 0, BLOCK);
            if (largest >= INFINITY_BITS) scale = float_of_bits(QUIET_NAN_BITS);
        } else {
            float factor = 127.0f / float_of_bits(largest);
            scale = float_of_bits(largest) / 127.0f;
            for (size_t i = 0; i < BLOCK; i++) {
                int32_t code = rounded_product(block[i], factor);
                codes[b * BLOCK + i] = (int8_t)code;
                sum += code;
            }
        }
        int32_t bias = -128 * sum;
        memcpy(scales + b * sizeof scale, &scale, sizeof scale);
        memcpy(biases + b * sizeof bias, &bias, sizeof bias);
    }
}

static void axpy_f32(float *y, float scale, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += scale * x[i];
}

static void axpy_f16(float *y, float scale, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += scale * float_of_f16(x[i]);
}

static void f16_from_f32(uint16_t *dst, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = f16_of_float(x[i]);
}

static void add(float *dst, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = a[i] + b[i];
}

static void rms_norm(float *dst, const float *x, const float *weight, size_t n, float epsilon) {
    if (n == 0) return;
    float lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += x[k + l] * x[k + l];
    for (size_t l = 0; k < n; k++, l++) lanes[l] += x[k] * x[k];
    float factor = (float)(1.0 / sqrt(sum_lanes(lanes) / (double)n + (double)epsilon));
    if (weight) {
        for (size_t i = 0; i < n; i++) dst[i] = x[i] * factor * weight[i];
    } else {
        for (size_t i = 0; i < n; i++) dst[i] = x[i] * factor;
    }
}

static void softmax(float *x, size_t n, float scale) {
    float largest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
        largest = x[i] > largest ? x[i] : largest;
    }
    if (largest == -INFINITY) largest = 0; // exp of -infinity, not of a NaN
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        x[i] = exp_float(x[i] - largest);
        lanes[i % LANES] += x[i];
    }
    double sum = sum_lanes(lanes);
    float factor = sum == 0 ? 0 : (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static void silu_mul(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = gate[i] / (1.0f + exp_float(-gate[i])) * up[i];
}

const cpu_kernels cpu_kernels_portable = {
    .matmul_f32 = matmul_f32,
    .matmul_f16 = matmul_f16,
    .matmul_bf16 = matmul_bf16,
    .matmul_q8_0 = matmul_q8_0,
    .matmul_q4_0 = matmul_q4_0,
    .quantize_activations = quantize_activations,
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .axpy_f32 = axpy_f32,
    .axpy_f16 = axpy_f16,
    .f16_from_f32 = f16_from_f32,
    .add = add,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .silu_mul = silu_mul,
};
