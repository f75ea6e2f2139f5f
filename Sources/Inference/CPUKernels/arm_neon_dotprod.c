// arm64 with the dot product instructions (FEAT_DotProd; Armv8.2 and later).
#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>

#include "kernels.h"

#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET

typedef enum { F32, F16, BF16 } float_kind;
typedef enum { Q8_0, Q4_0 } block_kind;

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

LOCAL void add_products(
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
    for (; k + LANES <= columns; k += LANES) add_products(sums, rows, xs, width, k, LANES, kind);
    if (k < columns) add_products(sums, rows, xs, width, k, columns - k, kind);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < width; c++) out[r][c] = vaddvq_f32(sums[r][c]);
}

// MARK: block weights, few columns: vectors of 16 weights of one row

LOCAL int32x4_t multiply_block(const uint8_t *block, int8x16_t x_low, int8x16_t x_high, block_kind kind) {
    int8x16_t low, high;
    if (kind == Q4_0) {
        uint8x16_t packed = vld1q_u8(block + 2);
        const int8x16_t zero = vdupq_n_s8(Q4_0_ZERO);
        low = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15))), zero);
        high = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(packed, 4)), zero);
    } else {
        low = vld1q_s8((const int8_t *)block + 2);
        high = vld1q_s8((const int8_t *)block + 18);
    }
    return vdotq_s32(vdotq_s32(vdupq_n_s32(0), low, x_low), high, x_high);
}

LOCAL void dot_blocks(
    const uint8_t *const rows[4], activation_row x, size_t blocks, block_kind kind, size_t block_bytes,
    float out[4]) {
    float32x4_t sums[4];
    for (int r = 0; r < 4; r++) sums[r] = vdupq_n_f32(0);
    for (size_t b = 0; b < blocks; b++) {
        int8x16_t x_low = vld1q_s8(x.codes + b * BLOCK), x_high = vld1q_s8(x.codes + b * BLOCK + 16);
        float x_scale = load_float(x.scales, b);
        for (int r = 0; r < 4; r++) {
            const uint8_t *block = rows[r] + b * block_bytes;
            float32x4_t products = vcvtq_f32_s32(multiply_block(block, x_low, x_high, kind));
            sums[r] = vfmaq_n_f32(sums[r], products, float_of_f16(load_half(block)) * x_scale);
        }
    }
    for (int r = 0; r < 4; r++) out[r] = vaddvq_f32(sums[r]);
}

// MARK: block weights, many columns: a vector holds four weights of each of 4 rows

// A tile of 8 rows, unpacked once for all columns: no permutation is left for the loop over columns, and the
// float step is taken once per 4 sums.
enum { HALVES = 2, TILE_ROWS = HALVES * LANES, TILE_BLOCKS = 32, GROUPS = 8 };

typedef struct {
    int8x16_t codes[TILE_BLOCKS][GROUPS][HALVES]; // 4 inputs of 4 rows
    float32x4_t scales[TILE_BLOCKS][HALVES];
} tile;

// Dword g of row r becomes lane r of out[g].
LOCAL void transpose(const int8x16_t in[LANES], int8x16_t out[4]) {
    int32x4_t a = vreinterpretq_s32_s8(in[0]), b = vreinterpretq_s32_s8(in[1]);
    int32x4_t c = vreinterpretq_s32_s8(in[2]), d = vreinterpretq_s32_s8(in[3]);
    int64x2_t ab02 = vreinterpretq_s64_s32(vtrn1q_s32(a, b)), ab13 = vreinterpretq_s64_s32(vtrn2q_s32(a, b));
    int64x2_t cd02 = vreinterpretq_s64_s32(vtrn1q_s32(c, d)), cd13 = vreinterpretq_s64_s32(vtrn2q_s32(c, d));
    out[0] = vreinterpretq_s8_s64(vtrn1q_s64(ab02, cd02));
    out[1] = vreinterpretq_s8_s64(vtrn1q_s64(ab13, cd13));
    out[2] = vreinterpretq_s8_s64(vtrn2q_s64(ab02, cd02));
    out[3] = vreinterpretq_s8_s64(vtrn2q_s64(ab13, cd13));
}

LOCAL void unpack_tile(
    tile *t, const uint8_t *weights, size_t weight_row_bytes, size_t first_row, size_t row_end,
    size_t first_block, size_t blocks, block_kind kind, size_t block_bytes) {
    for (size_t half = 0; half < HALVES; half++) {
        for (size_t b = 0; b < blocks; b++) {
            float scales[LANES];
            int8x16_t low[LANES], high[LANES], groups[GROUPS];
            for (size_t r = 0; r < LANES; r++) {
                size_t row = min_size(first_row + half * LANES + r, row_end - 1);
                const uint8_t *block = weights + row * weight_row_bytes + (first_block + b) * block_bytes;
                scales[r] = float_of_f16(load_half(block));
                if (kind == Q4_0) {
                    uint8x16_t packed = vld1q_u8(block + 2);
                    const int8x16_t zero = vdupq_n_s8(Q4_0_ZERO);
                    low[r] = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15))), zero);
                    high[r] = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(packed, 4)), zero);
                } else {
                    low[r] = vld1q_s8((const int8_t *)block + 2);
                    high[r] = vld1q_s8((const int8_t *)block + 18);
                }
            }
            t->scales[b][half] = vld1q_f32(scales);
            transpose(low, groups);
            transpose(high, groups + 4);
            for (int g = 0; g < GROUPS; g++) t->codes[b][g][half] = groups[g];
        }
    }
}

// Groups 4q...4q+3 of a block: vdotq_laneq_s32 wants its lane as a constant.
#define ADD_GROUP(group, lane)                            \
    for (int half = 0; half < HALVES; half++)             \
        for (int c = 0; c < width; c++)                   \
    products[half][c] = vdotq_laneq_s32(                  \
        products[half][c], t->codes[b][group][half], x[c], lane)

// The tile times `width` columns (1 or 4), into or onto dst.
LOCAL void multiply_tile(
    const tile *t, const uint8_t *activations, size_t activation_row_bytes, int width, size_t columns,
    size_t first_block, size_t blocks, float *dst, size_t dst_stride_floats, size_t rows, block_kind kind) {
    (void)kind; // the codes of both are signed
    float32x4_t sums[HALVES][4];
    activation_row parts[4];
    for (int c = 0; c < width; c++) {
        parts[c] = activation_parts(activations + (size_t)c * activation_row_bytes, columns);
        const float *out = dst + (size_t)c * dst_stride_floats;
        for (size_t half = 0; half < HALVES; half++)
            sums[half][c] = first_block && rows > half * LANES
                                ? load_some(out + half * LANES, 0, rows - half * LANES, F32)
                                : vdupq_n_f32(0);
    }
    for (size_t b = 0; b < blocks; b++) {
        int32x4_t products[HALVES][4];
        int8x16_t x[4];
        for (int half = 0; half < HALVES; half++)
            for (int c = 0; c < width; c++) products[half][c] = vdupq_n_s32(0);
        for (int c = 0; c < width; c++) x[c] = vld1q_s8(parts[c].codes + (first_block + b) * BLOCK);
        ADD_GROUP(0, 0);
        ADD_GROUP(1, 1);
        ADD_GROUP(2, 2);
        ADD_GROUP(3, 3);
        for (int c = 0; c < width; c++) x[c] = vld1q_s8(parts[c].codes + (first_block + b) * BLOCK + 16);
        ADD_GROUP(4, 0);
        ADD_GROUP(5, 1);
        ADD_GROUP(6, 2);
        ADD_GROUP(7, 3);
        for (int c = 0; c < width; c++) {
            float scale = load_float(parts[c].scales, first_block + b);
            for (int half = 0; half < HALVES; half++)
                sums[half][c] = vfmaq_f32(
                    sums[half][c], vcvtq_f32_s32(products[half][c]), vmulq_n_f32(t->scales[b][half], scale));
        }
    }
    for (int c = 0; c < width; c++)
        for (size_t half = 0; half < HALVES && rows > half * LANES; half++)
            store_some(
                dst + (size_t)c * dst_stride_floats + half * LANES, sums[half][c], rows - half * LANES);
}

KERNEL void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    uint8_t *scales = (uint8_t *)out + columns, *biases = scales + columns / BLOCK * sizeof(float);
    const uint32x4_t magnitude = vdupq_n_u32(0x7fffffff);
    for (size_t b = 0; b < columns / BLOCK; b++) {
        float32x4_t values[8];
        uint32x4_t maxima = vdupq_n_u32(0);
        for (size_t j = 0; j < 8; j++) {
            values[j] = load_floats(x + b * BLOCK, j * LANES, F32);
            maxima = vmaxq_u32(maxima, vandq_u32(vreinterpretq_u32_f32(values[j]), magnitude));
        }
        uint32_t largest = vmaxvq_u32(maxima);
        float scale = 0;
        int32x4_t rounded[8], sums = vdupq_n_s32(0);
        for (size_t j = 0; j < 8; j++) rounded[j] = vdupq_n_s32(0);
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            scale = float_of_bits(largest) / 127.0f;
            float factor = 127.0f / float_of_bits(largest);
            for (size_t j = 0; j < 8; j++) {
                rounded[j] = vcvtnq_s32_f32(vmulq_n_f32(values[j], factor));
                sums = vaddq_s32(sums, rounded[j]);
            }
        }
        int32_t bias = -128 * vaddvq_s32(sums);
        for (size_t j = 0; j < 8; j += 2) {
            int16x8_t pair = vcombine_s16(vmovn_s32(rounded[j]), vmovn_s32(rounded[j + 1]));
            vst1_s8(codes + b * BLOCK + j * LANES, vmovn_s16(pair));
        }
        memcpy(scales + b * sizeof scale, &scale, sizeof scale);
        memcpy(biases + b * sizeof bias, &bias, sizeof bias);
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

#define KERNEL_TABLE cpu_kernels_neon_dotprod
#include "products.h"
#endif
