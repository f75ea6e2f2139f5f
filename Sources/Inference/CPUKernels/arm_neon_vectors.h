// What does not depend on the product instructions: float weights, activations, vectors of floats. Part of each arm64
// level, which defines TARGET.
#include <arm_neon.h>
#include <math.h>

#include "kernels.h"

#define LOCAL INLINE TARGET
#define KERNEL static TARGET

typedef enum { F32, F16, BF16 } float_kind;

enum { LANES = 4 };

LOCAL double sum_in_double(float32x4_t v) {
    return vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)));
}

// MARK: float weights

LOCAL float32x4_t load_floats(const void *values, size_t index, float_kind kind) {
    if (kind == F32) return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)values + 4 * index));
    uint16x4_t halves = vreinterpret_u16_u8(vld1_u8((const uint8_t *)values + 2 * index));
    if (kind == F16) return vcvt_f32_f16(vreinterpret_f16_u16(halves));
    return vreinterpretq_f32_u32(vshll_n_u16(halves, 16));
}

// The first n < LANES of them, the rest zero.
LOCAL float32x4_t load_last_floats(const void *values, size_t index, size_t n, float_kind kind) {
    size_t size = kind == F32 ? sizeof(float) : sizeof(uint16_t);
    uint8_t last[LANES * sizeof(float)] = {0};
    memcpy(last, (const uint8_t *)values + index * size, n * size);
    return load_floats(last, 0, kind);
}

LOCAL void store_floats(float *dst, float32x4_t values) {
    vst1q_u8((uint8_t *)dst, vreinterpretq_u8_f32(values));
}

LOCAL float32x4_t load_some(const void *values, size_t index, size_t n, float_kind kind) {
    return n >= LANES ? load_floats(values, index, kind) : load_last_floats(values, index, n, kind);
}

LOCAL void store_some(float *dst, float32x4_t values, size_t n) {
    if (n >= LANES) {
        store_floats(dst, values);
    } else {
        float last[LANES];
        store_floats(last, values);
        memcpy(dst, last, n * sizeof *dst);
    }
}

LOCAL void add_float_products(
    float32x4_t sums[4][4], const uint8_t *const rows[4], const uint8_t *const xs[4], int width, size_t k,
    size_t n, float_kind kind) {
    float32x4_t w[4];
    for (int r = 0; r < 4; r++) w[r] = load_some(rows[r], k, n, kind);
    for (int c = 0; c < width; c++) {
        float32x4_t x = load_some(xs[c], k, n, F32);
        for (int r = 0; r < 4; r++) sums[r][c] = vfmaq_f32(sums[r][c], w[r], x);
    }
}

// Four rows by `width` columns (1 or 4).
LOCAL void dot_floats(
    const uint8_t *const rows[4], const uint8_t *const xs[4], int width, size_t columns, float_kind kind,
    float out[4][4]) {
    float32x4_t sums[4][4];
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < width; c++) sums[r][c] = vdupq_n_f32(0);
    size_t k = 0;
    for (; k + LANES <= columns; k += LANES) add_float_products(sums, rows, xs, width, k, LANES, kind);
    if (k < columns) add_float_products(sums, rows, xs, width, k, columns - k, kind);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < width; c++) out[r][c] = vaddvq_f32(sums[r][c]);
}

// MARK: activations

KERNEL void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    const uint32x4_t magnitude = vdupq_n_u32(0x7fffffff);
    for (size_t b = 0; b < columns / BLOCK; b++) {
        float32x4_t values[8];
        uint32x4_t maxima = vdupq_n_u32(0);
        for (size_t j = 0; j < 8; j++) {
            values[j] = load_floats(x + b * BLOCK, j * LANES, F32);
            maxima = vmaxq_u32(maxima, vandq_u32(vreinterpretq_u32_f32(values[j]), magnitude));
        }
        const uint32_t largest = vmaxvq_u32(maxima);
        float scale = 0;
        int32x4_t rounded[8], sums[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t j = 0; j < 8; j++) rounded[j] = vdupq_n_s32(0);
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            scale = float_of_bits(largest) / 127.0f;
            const float factor = 127.0f / float_of_bits(largest);
            for (size_t j = 0; j < 8; j++) {
                rounded[j] = vcvtnq_s32_f32(vmulq_n_f32(values[j], factor));
                sums[j / 4] = vaddq_s32(sums[j / 4], rounded[j]);
            }
        }
        for (size_t j = 0; j < 8; j += 2) {
            const int16x8_t pair = vcombine_s16(vmovn_s32(rounded[j]), vmovn_s32(rounded[j + 1]));
            vst1_s8(codes + b * BLOCK + j * LANES, vmovn_s16(pair));
        }
        store_block_sums(out, columns, b, scale, vaddvq_s32(sums[0]), vaddvq_s32(sums[1]));
    }
}

// MARK: vectors of floats

LOCAL float dot(const void *a, const float *b, size_t n, float_kind kind) {
    float32x4_t sums[4];
    for (int j = 0; j < 4; j++) sums[j] = vdupq_n_f32(0);
    size_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++)
            sums[j] = vfmaq_f32(
                sums[j], load_floats(a, k + j * LANES, kind), load_floats(b, k + j * LANES, F32));
    for (; k < n; k += LANES)
        sums[0] = vfmaq_f32(sums[0], load_some(a, k, n - k, kind), load_some(b, k, n - k, F32));
    return vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
}

KERNEL float dot_f32(const float *a, const float *b, size_t n) { return dot(a, b, n, F32); }

KERNEL float dot_f16(const uint16_t *a, const float *b, size_t n) { return dot(a, b, n, F16); }

LOCAL void axpy(float *y, float scale, const void *x, size_t n, float_kind kind) {
    for (size_t k = 0; k < n; k += LANES)
        store_some(
            y + k, vfmaq_n_f32(load_some(y, k, n - k, F32), load_some(x, k, n - k, kind), scale), n - k);
}

KERNEL void axpy_f32(float *y, float scale, const float *x, size_t n) { axpy(y, scale, x, n, F32); }

KERNEL void axpy_f16(float *y, float scale, const uint16_t *x, size_t n) { axpy(y, scale, x, n, F16); }

KERNEL void f16_from_f32(uint16_t *dst, const float *x, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        uint16x4_t halves = vreinterpret_u16_f16(vcvt_f16_f32(load_some(x, k, n - k, F32)));
        memcpy(dst + k, &halves, min_size(LANES, n - k) * sizeof *dst);
    }
}

KERNEL void add(float *dst, const float *a, const float *b, size_t n) {
    for (size_t k = 0; k < n; k += LANES)
        store_some(dst + k, vaddq_f32(load_some(a, k, n - k, F32), load_some(b, k, n - k, F32)), n - k);
}

KERNEL void rms_norm(float *dst, const float *x, const float *weight, size_t n, float epsilon) {
    if (n == 0) return;
    // As many lanes as the other levels have, for the same accuracy.
    float32x4_t squares[4];
    for (int j = 0; j < 4; j++) squares[j] = vdupq_n_f32(0);
    for (size_t k = 0; k < n; k += LANES) {
        float32x4_t v = load_some(x, k, n - k, F32);
        squares[k / LANES % 4] = vfmaq_f32(squares[k / LANES % 4], v, v);
    }
    double sum = 0;
    for (int j = 0; j < 4; j++) sum += sum_in_double(squares[j]);
    float factor = (float)(1.0 / sqrt(sum / (double)n + (double)epsilon));
    for (size_t k = 0; k < n; k += LANES) {
        float32x4_t v = vmulq_n_f32(load_some(x, k, n - k, F32), factor);
        if (weight) v = vmulq_f32(v, load_some(weight, k, n - k, F32));
        store_some(dst + k, v, n - k);
    }
}

LOCAL float32x4_t exp_floats(float32x4_t x) {
    // vmax and vmin pass a NaN through.
    x = vminq_f32(vdupq_n_f32(EXP_HIGHEST), vmaxq_f32(vdupq_n_f32(EXP_LOWEST), x));
    float32x4_t n = vrndnq_f32(vmulq_n_f32(x, EXP_LOG2E));
    float32x4_t r = vfmsq_f32(x, n, vdupq_n_f32(EXP_LN2_HIGH));
    r = vfmsq_f32(r, n, vdupq_n_f32(EXP_LN2_LOW));
    float32x4_t p = vdupq_n_f32(EXP_C7);
    p = vfmaq_f32(vdupq_n_f32(EXP_C6), p, r);
    p = vfmaq_f32(vdupq_n_f32(EXP_C5), p, r);
    p = vfmaq_f32(vdupq_n_f32(EXP_C4), p, r);
    p = vfmaq_f32(vdupq_n_f32(EXP_C3), p, r);
    p = vfmaq_f32(vdupq_n_f32(EXP_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    // Two factors, as 2^n alone leaves the range of float at both ends.
    int32x4_t exponent = vcvtq_s32_f32(n), half = vshrq_n_s32(exponent, 1), one = vdupq_n_s32(127);
    int32x4_t first = vshlq_n_s32(vaddq_s32(half, one), 23);
    int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(exponent, half), one), 23);
    return vmulq_f32(vmulq_f32(p, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
}

KERNEL void softmax(float *x, size_t n, float scale) {
    size_t whole = n / LANES * LANES;
    float32x4_t largest = vdupq_n_f32(-INFINITY);
    for (size_t k = 0; k < whole; k += LANES) {
        float32x4_t v = vmulq_n_f32(load_floats(x, k, F32), scale);
        largest = vmaxnmq_f32(largest, v); // a NaN is passed over
        store_floats(x + k, v);
    }
    float maximum = vmaxvq_f32(largest);
    for (size_t k = whole; k < n; k++) {
        x[k] *= scale;
        maximum = x[k] > maximum ? x[k] : maximum;
    }
    if (maximum == -INFINITY) maximum = 0; // exp of -infinity, not of a NaN
    float32x4_t sums = vdupq_n_f32(0);
    double sum = 0;
    for (size_t k = 0; k < n; k += LANES) {
        float32x4_t v = exp_floats(vsubq_f32(load_some(x, k, n - k, F32), vdupq_n_f32(maximum)));
        store_some(x + k, v, n - k);
        if (k < whole) sums = vaddq_f32(sums, v);
    }
    sum = sum_in_double(sums);
    for (size_t k = whole; k < n; k++) sum += x[k];
    float factor = sum == 0 ? 0 : (float)(1.0 / sum);
    for (size_t k = 0; k < n; k += LANES)
        store_some(x + k, vmulq_n_f32(load_some(x, k, n - k, F32), factor), n - k);
}

KERNEL void silu_mul(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        float32x4_t g = load_some(gate, k, n - k, F32);
        float32x4_t e = exp_floats(vnegq_f32(g));
        float32x4_t v = vdivq_f32(g, vaddq_f32(vdupq_n_f32(1.0f), e));
        store_some(dst + k, vmulq_f32(v, load_some(up, k, n - k, F32)), n - k);
    }
}
