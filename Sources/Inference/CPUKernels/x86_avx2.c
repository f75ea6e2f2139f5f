// AVX2 with FMA and F16C.
//
// vpmaddubsw adds two products of unsigned and signed bytes in 16 bits and saturates.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET

typedef enum { F32, F16, BF16 } float_kind;

enum { LANES = 8 };

LOCAL float sum_floats(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

LOCAL double sum_in_double(__m256 v) {
    __m256d s = _mm256_add_pd(
        _mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    __m128d t = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(_mm_add_sd(t, _mm_unpackhi_pd(t, t)));
}

// MARK: float weights

LOCAL __m256 load_floats(const void *values, size_t index, float_kind kind) {
    if (kind == F32) return _mm256_loadu_ps((const float *)values + index);
    __m128i halves = _mm_loadu_si128((const __m128i *)((const uint16_t *)values + index));
    if (kind == F16) return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

// The first n < LANES of them, the rest zero.
LOCAL __m256 load_last_floats(const void *values, size_t index, size_t n, float_kind kind) {
    size_t size = kind == F32 ? sizeof(float) : sizeof(uint16_t);
    uint8_t last[LANES * sizeof(float)] = {0};
    memcpy(last, (const uint8_t *)values + index * size, n * size);
    return load_floats(last, 0, kind);
}

LOCAL void store_last_floats(float *dst, __m256 values, size_t n) {
    float last[LANES];
    _mm256_storeu_ps(last, values);
    memcpy(dst, last, n * sizeof *dst);
}

LOCAL void add_products(
    __m256 (*sums)[4], const uint8_t *const *rows, const uint8_t *const *xs, int height, int width, size_t k,
    size_t n, float_kind kind) {
    __m256 w[4];
    for (int r = 0; r < height; r++)
        w[r] = n == LANES ? load_floats(rows[r], k, kind) : load_last_floats(rows[r], k, n, kind);
    for (int c = 0; c < width; c++) {
        __m256 x = n == LANES ? load_floats(xs[c], k, F32) : load_last_floats(xs[c], k, n, F32);
        for (int r = 0; r < height; r++) sums[r][c] = _mm256_fmadd_ps(w[r], x, sums[r][c]);
    }
}

LOCAL void dot_some_floats(
    const uint8_t *const *rows, const uint8_t *const *xs, int height, int width, size_t columns,
    float_kind kind, float (*out)[4]) {
    __m256 sums[4][4];
    for (int r = 0; r < height; r++)
        for (int c = 0; c < width; c++) sums[r][c] = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + LANES <= columns; k += LANES) add_products(sums, rows, xs, height, width, k, LANES, kind);
    if (k < columns) add_products(sums, rows, xs, height, width, k, columns - k, kind);
    for (int r = 0; r < height; r++)
        for (int c = 0; c < width; c++) out[r][c] = sum_floats(sums[r][c]);
}

// Four rows by `width` columns (1 or 4); 16 registers hold the sums of no more than two rows by four.
LOCAL void dot_floats(
    const uint8_t *const rows[4], const uint8_t *const xs[4], int width, size_t columns, float_kind kind,
    float out[4][4]) {
    if (width == 1) {
        dot_some_floats(rows, xs, 4, 1, columns, kind, out);
    } else {
        dot_some_floats(rows, xs, 2, 4, columns, kind, out);
        dot_some_floats(rows + 2, xs, 2, 4, columns, kind, out + 2);
    }
}

// MARK: quantised weights

#include "x86_strips.h"
#include "x86_fetch.h"
#include "x86_avx2_rows.h"
#include "x86_avx2_tiles.h"

LOCAL int32_t sum_ints(__m256i v) {
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

KERNEL void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
    for (size_t b = 0; b < columns / BLOCK; b++) {
        __m256 values[4];
        __m256i maxima = _mm256_setzero_si256();
        for (size_t j = 0; j < 4; j++) {
            values[j] = _mm256_loadu_ps(x + b * BLOCK + j * LANES);
            maxima = _mm256_max_epu32(maxima, _mm256_and_si256(_mm256_castps_si256(values[j]), magnitude));
        }
        __m128i half = _mm_max_epu32(_mm256_castsi256_si128(maxima), _mm256_extracti128_si256(maxima, 1));
        half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
        half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
        uint32_t largest = (uint32_t)_mm_cvtsi128_si32(half);
        float scale = 0;
        __m256i rounded[4];
        for (size_t j = 0; j < 4; j++) rounded[j] = _mm256_setzero_si256();
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            scale = float_of_bits(largest) / 127.0f;
            __m256 factor = _mm256_set1_ps(127.0f / float_of_bits(largest));
            for (size_t j = 0; j < 4; j++) rounded[j] = _mm256_cvtps_epi32(_mm256_mul_ps(values[j], factor));
        }
        const int32_t first = sum_ints(_mm256_add_epi32(rounded[0], rounded[1]));
        const int32_t last = sum_ints(_mm256_add_epi32(rounded[2], rounded[3]));
        // Packing works within 128-bit halves; `order` undoes that.
        __m256i packed = _mm256_packs_epi16(
            _mm256_packs_epi32(rounded[0], rounded[1]), _mm256_packs_epi32(rounded[2], rounded[3]));
        _mm256_storeu_si256(
            (__m256i *)(codes + b * BLOCK), _mm256_permutevar8x32_epi32(packed, order));
        store_block_sums(out, columns, b, scale, first, last);
    }
}

// MARK: vectors of floats

LOCAL __m256 load_some(const void *values, size_t index, size_t n, float_kind kind) {
    return n >= LANES ? load_floats(values, index, kind) : load_last_floats(values, index, n, kind);
}

LOCAL void store_some(float *dst, __m256 values, size_t n) {
    if (n >= LANES)
        _mm256_storeu_ps(dst, values);
    else
        store_last_floats(dst, values, n);
}

LOCAL float dot(const void *a, const float *b, size_t n, float_kind kind) {
    __m256 sums[4];
    for (int j = 0; j < 4; j++) sums[j] = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 4 * LANES <= n; k += 4 * LANES)
        for (size_t j = 0; j < 4; j++)
            sums[j] = _mm256_fmadd_ps(
                load_floats(a, k + j * LANES, kind), _mm256_loadu_ps(b + k + j * LANES), sums[j]);
    for (; k < n; k += LANES)
        sums[0] = _mm256_fmadd_ps(load_some(a, k, n - k, kind), load_some(b, k, n - k, F32), sums[0]);
    return sum_floats(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

KERNEL float dot_f32(const float *a, const float *b, size_t n) { return dot(a, b, n, F32); }

KERNEL float dot_f16(const uint16_t *a, const float *b, size_t n) { return dot(a, b, n, F16); }

LOCAL void axpy(float *y, float scale, const void *x, size_t n, float_kind kind) {
    __m256 factor = _mm256_set1_ps(scale);
    for (size_t k = 0; k < n; k += LANES)
        store_some(
            y + k, _mm256_fmadd_ps(factor, load_some(x, k, n - k, kind), load_some(y, k, n - k, F32)), n - k);
}

KERNEL void axpy_f32(float *y, float scale, const float *x, size_t n) { axpy(y, scale, x, n, F32); }

KERNEL void axpy_f16(float *y, float scale, const uint16_t *x, size_t n) { axpy(y, scale, x, n, F16); }

KERNEL void f16_from_f32(uint16_t *dst, const float *x, size_t n) {
    for (size_t k = 0; k < n; k += LANES) {
        __m128i halves = _mm256_cvtps_ph(load_some(x, k, n - k, F32), _MM_FROUND_TO_NEAREST_INT);
        uint16_t last[LANES];
        _mm_storeu_si128((__m128i *)last, halves);
        memcpy(dst + k, last, min_size(LANES, n - k) * sizeof *dst);
    }
}

KERNEL void add(float *dst, const float *a, const float *b, size_t n) {
    for (size_t k = 0; k < n; k += LANES)
        store_some(dst + k, _mm256_add_ps(load_some(a, k, n - k, F32), load_some(b, k, n - k, F32)), n - k);
}

KERNEL void rms_norm(float *dst, const float *x, const float *weight, size_t n, float epsilon) {
    if (n == 0) return;
    __m256 squares = _mm256_setzero_ps();
    for (size_t k = 0; k < n; k += LANES) {
        __m256 v = load_some(x, k, n - k, F32);
        squares = _mm256_fmadd_ps(v, v, squares);
    }
    double mean = sum_in_double(squares) / (double)n;
    __m256 factor = _mm256_set1_ps((float)(1.0 / sqrt(mean + (double)epsilon)));
    for (size_t k = 0; k < n; k += LANES) {
        __m256 v = _mm256_mul_ps(load_some(x, k, n - k, F32), factor);
        if (weight) v = _mm256_mul_ps(v, load_some(weight, k, n - k, F32));
        store_some(dst + k, v, n - k);
    }
}

LOCAL __m256 exp_floats(__m256 x) {
    // In this order a NaN passes through.
    x = _mm256_min_ps(_mm256_set1_ps(EXP_HIGHEST), _mm256_max_ps(_mm256_set1_ps(EXP_LOWEST), x));
    __m256 n = _mm256_round_ps(
        _mm256_mul_ps(x, _mm256_set1_ps(EXP_LOG2E)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_HIGH), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_LOW), r);
    __m256 p = _mm256_set1_ps(EXP_C7);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    // Two factors, as 2^n alone leaves the range of float at both ends.
    const __m256i one = _mm256_set1_epi32(127);
    __m256i exponent = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(exponent, 1);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(exponent, half), one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

KERNEL void softmax(float *x, size_t n, float scale) {
    __m256 factor = _mm256_set1_ps(scale), largest = _mm256_set1_ps(-INFINITY);
    size_t whole = n / LANES * LANES;
    float maximum = -INFINITY;
    for (size_t k = 0; k < whole; k += LANES) {
        __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + k), factor);
        largest = _mm256_max_ps(v, largest); // a NaN is passed over
        _mm256_storeu_ps(x + k, v);
    }
    for (size_t k = whole; k < n; k++) {
        x[k] *= scale;
        maximum = x[k] > maximum ? x[k] : maximum;
    }
    float lanes[LANES];
    _mm256_storeu_ps(lanes, largest);
    for (size_t l = 0; l < LANES; l++) maximum = lanes[l] > maximum ? lanes[l] : maximum;
    if (maximum == -INFINITY) maximum = 0; // exp of -infinity, not of a NaN
    __m256 sums = _mm256_setzero_ps(), shift = _mm256_set1_ps(maximum);
    for (size_t k = 0; k < n; k += LANES) {
        __m256 v = exp_floats(_mm256_sub_ps(load_some(x, k, n - k, F32), shift));
        store_some(x + k, v, n - k);
        if (k < whole) sums = _mm256_add_ps(sums, v);
    }
    double sum = sum_in_double(sums);
    for (size_t k = whole; k < n; k++) sum += x[k];
    factor = _mm256_set1_ps(sum == 0 ? 0 : (float)(1.0 / sum));
    for (size_t k = 0; k < n; k += LANES)
        store_some(x + k, _mm256_mul_ps(load_some(x, k, n - k, F32), factor), n - k);
}

KERNEL void silu_mul(float *dst, const float *gate, const float *up, size_t n) {
    const __m256 one = _mm256_set1_ps(1.0f);
    for (size_t k = 0; k < n; k += LANES) {
        __m256 g = load_some(gate, k, n - k, F32);
        __m256 e = exp_floats(_mm256_sub_ps(_mm256_setzero_ps(), g));
        __m256 v = _mm256_mul_ps(_mm256_div_ps(g, _mm256_add_ps(one, e)), load_some(up, k, n - k, F32));
        store_some(dst + k, v, n - k);
    }
}

#define KERNEL_TABLE cpu_kernels_avx2
#include "products.h"
#endif
