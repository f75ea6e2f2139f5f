// AVX-512 with VNNI.
//
// vpdpbusd multiplies unsigned by signed bytes. Weights are made unsigned by an offset (8 or 128), and the
// sum of the activation block takes the offset out again: it is where the integer sum starts.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#define HAS_PREPARED_COLUMNS
#include "kernels.h"

#define TARGET \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET

typedef enum { F32, F16, BF16 } float_kind;

enum { LANES = 16, ALL = 0xffff };

LOCAL __mmask16 first_lanes(size_t n) { return n >= LANES ? ALL : (__mmask16)((1u << n) - 1); }

// MARK: float weights

LOCAL __m512 load_floats(const void *values, size_t index, __mmask16 lanes, float_kind kind) {
    if (kind == F32) return _mm512_maskz_loadu_ps(lanes, (const uint8_t *)values + 4 * index);
    __m256i halves = _mm256_maskz_loadu_epi16(lanes, (const uint8_t *)values + 2 * index);
    if (kind == F16) return _mm512_cvtph_ps(halves);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

LOCAL void add_products(
    __m512 sums[4][4], const uint8_t *const rows[4], const uint8_t *const xs[4], int width, size_t k,
    __mmask16 lanes, float_kind kind) {
    __m512 w[4];
    for (int r = 0; r < 4; r++) w[r] = load_floats(rows[r], k, lanes, kind);
    for (int c = 0; c < width; c++) {
        __m512 x = load_floats(xs[c], k, lanes, F32);
        for (int r = 0; r < 4; r++) sums[r][c] = _mm512_fmadd_ps(w[r], x, sums[r][c]);
    }
}

// Four rows by `width` columns (1 or 4).
LOCAL void dot_floats(
    const uint8_t *const rows[4], const uint8_t *const xs[4], int width, size_t columns, float_kind kind,
    float out[4][4]) {
    __m512 sums[4][4];
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < width; c++) sums[r][c] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + LANES <= columns; k += LANES) add_products(sums, rows, xs, width, k, ALL, kind);
    if (k < columns) add_products(sums, rows, xs, width, k, first_lanes(columns - k), kind);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < width; c++) out[r][c] = _mm512_reduce_add_ps(sums[r][c]);
}

#include "x86_fetch.h"
#include "x86_avx512_transpose.h"
#include "x86_avx512_floats.h"
#include "x86_avx512_int16.h"
#define HAS_FLOAT_BATCHES
#define HAS_INT16_BATCHES

// MARK: quantised weights

#include "x86_strips.h"
#include "x86_avx512_rows.h"
#include "x86_avx512_tiles.h"

#include "x86_avx512_quantize.h"

KERNEL void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    size_t b = 0;
    for (; b + 8 <= columns / BLOCK; b += 8) quantize_blocks(x, columns, b, out);
    for (; b < columns / BLOCK; b++) {
        __m512 low = _mm512_loadu_ps(x + b * BLOCK), high = _mm512_loadu_ps(x + b * BLOCK + LANES);
        uint32_t largest = _mm512_reduce_max_epu32(_mm512_max_epu32(
            _mm512_and_si512(_mm512_castps_si512(low), magnitude),
            _mm512_and_si512(_mm512_castps_si512(high), magnitude)));
        float scale = 0;
        __m512i low_codes = _mm512_setzero_si512(), high_codes = low_codes;
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            scale = float_of_bits(largest) / 127.0f;
            __m512 factor = _mm512_set1_ps(127.0f / float_of_bits(largest));
            low_codes = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
            high_codes = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
        }
        _mm_storeu_si128((__m128i *)(codes + b * BLOCK), _mm512_cvtepi32_epi8(low_codes));
        _mm_storeu_si128((__m128i *)(codes + b * BLOCK + LANES), _mm512_cvtepi32_epi8(high_codes));
        store_block_sums(
            out, columns, b, scale, _mm512_reduce_add_epi32(low_codes), _mm512_reduce_add_epi32(high_codes));
    }
}

// MARK: vectors of floats

LOCAL float dot(const void *a, const float *b, size_t n, float_kind kind) {
    __m512 sums[4];
    for (int j = 0; j < 4; j++) sums[j] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++)
            sums[j] = _mm512_fmadd_ps(
                load_floats(a, k + j * LANES, ALL, kind), _mm512_loadu_ps(b + k + j * LANES), sums[j]);
    for (; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        sums[0] = _mm512_fmadd_ps(load_floats(a, k, lanes, kind), load_floats(b, k, lanes, F32), sums[0]);
    }
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

KERNEL float dot_f32(const float *a, const float *b, size_t n) { return dot(a, b, n, F32); }

KERNEL float dot_f16(const uint16_t *a, const float *b, size_t n) { return dot(a, b, n, F16); }

LOCAL void axpy(float *y, float scale, const void *x, size_t n, float_kind kind) {
    __m512 factor = _mm512_set1_ps(scale);
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 sum = _mm512_fmadd_ps(factor, load_floats(x, k, lanes, kind), load_floats(y, k, lanes, F32));
        _mm512_mask_storeu_ps(y + k, lanes, sum);
    }
}

KERNEL void axpy_f32(float *y, float scale, const float *x, size_t n) { axpy(y, scale, x, n, F32); }

KERNEL void axpy_f16(float *y, float scale, const uint16_t *x, size_t n) { axpy(y, scale, x, n, F16); }

KERNEL void f16_from_f32(uint16_t *dst, const float *x, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m256i halves = _mm512_cvtps_ph(load_floats(x, k, lanes, F32), _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16(dst + k, lanes, halves);
    }
}

KERNEL void add(float *dst, const float *a, const float *b, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        _mm512_mask_storeu_ps(
            dst + k, lanes, _mm512_add_ps(load_floats(a, k, lanes, F32), load_floats(b, k, lanes, F32)));
    }
}

LOCAL double sum_in_double(__m512 v) {
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(v));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

KERNEL void rms_norm(float *dst, const float *x, const float *weight, size_t n, float epsilon) {
    if (n == 0) return;
    __m512 squares = _mm512_setzero_ps();
    for (size_t k = 0; k < n; k += LANES) {
        __m512 v = load_floats(x, k, first_lanes(n - k), F32);
        squares = _mm512_fmadd_ps(v, v, squares);
    }
    double mean = sum_in_double(squares) / (double)n;
    __m512 factor = _mm512_set1_ps((float)(1.0 / sqrt(mean + (double)epsilon)));
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 v = _mm512_mul_ps(load_floats(x, k, lanes, F32), factor);
        if (weight) v = _mm512_mul_ps(v, load_floats(weight, k, lanes, F32));
        _mm512_mask_storeu_ps(dst + k, lanes, v);
    }
}

LOCAL __m512 exp_floats(__m512 x) {
    // In this order a NaN passes through.
    x = _mm512_min_ps(_mm512_set1_ps(EXP_HIGHEST), _mm512_max_ps(_mm512_set1_ps(EXP_LOWEST), x));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(EXP_LOG2E)), _MM_FROUND_TO_NEAREST_INT);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_HIGH), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_LOW), r);
    __m512 p = _mm512_set1_ps(EXP_C7);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

KERNEL void softmax(float *x, size_t n, float scale) {
    __m512 factor = _mm512_set1_ps(scale), largest = _mm512_set1_ps(-INFINITY);
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 v = _mm512_mul_ps(load_floats(x, k, lanes, F32), factor);
        largest = _mm512_mask_max_ps(largest, lanes, v, largest); // a NaN is passed over
        _mm512_mask_storeu_ps(x + k, lanes, v);
    }
    float maximum = _mm512_reduce_max_ps(largest);
    if (maximum == -INFINITY) maximum = 0; // exp of -infinity, not of a NaN
    __m512 sums = _mm512_setzero_ps();
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 v = exp_floats(_mm512_sub_ps(load_floats(x, k, lanes, F32), _mm512_set1_ps(maximum)));
        sums = _mm512_mask_add_ps(sums, lanes, sums, v);
        _mm512_mask_storeu_ps(x + k, lanes, v);
    }
    double sum = sum_in_double(sums);
    factor = _mm512_set1_ps(sum == 0 ? 0 : (float)(1.0 / sum));
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        _mm512_mask_storeu_ps(x + k, lanes, _mm512_mul_ps(load_floats(x, k, lanes, F32), factor));
    }
}

KERNEL void silu_mul(float *dst, const float *gate, const float *up, size_t n) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (size_t k = 0; k < n; k += LANES) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 g = load_floats(gate, k, lanes, F32);
        __m512 e = exp_floats(_mm512_sub_ps(_mm512_setzero_ps(), g));
        __m512 v = _mm512_mul_ps(_mm512_div_ps(g, _mm512_add_ps(one, e)), load_floats(up, k, lanes, F32));
        _mm512_mask_storeu_ps(dst + k, lanes, v);
    }
}

#define KERNEL_TABLE cpu_kernels_avx512_vnni
#include "products.h"
#endif
