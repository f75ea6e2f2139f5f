// AVX-512 with VNNI.
//
// vpdpbusd multiplies unsigned by signed bytes. Weights are made unsigned by an offset (8 or 128), and the
// sum of the activation block takes the offset out again: it is where the integer sum starts.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "kernels.h"

#define TARGET \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET

typedef enum { F32, F16, BF16 } float_kind;
typedef enum { Q8_0, Q4_0 } block_kind;

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

// MARK: block weights, few columns: a vector holds two blocks of one row

// Unsigned codes of one or two blocks in row order, and each block's scale in its eight lanes. The upper half of a
// block of Q4_0 comes sixteen times too large: its nibbles stay where they are, and add_pairs divides its lanes'
// scale.
LOCAL void load_pair(const uint8_t *block, int blocks, block_kind kind, __m512i *codes, __m512 *scales) {
    if (kind == Q4_0) {
        const __m512i nibbles = _mm512_set_epi8(
            35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 35, 34, 33, 32, 31, 30, 29, 28,
            27, 26, 25, 24, 23, 22, 21, 20, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 17, 16,
            15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2);
        const long long low = 0x0f0f0f0f0f0f0f0f, high = ~low;
        const __m512i codes_in_place = _mm512_set_epi64(high, high, low, low, high, high, low, low);
        const __m256i halves = _mm256_set_epi16(
            0x1312, 0x1312, 0x1312, 0x1312, 0x1312, 0x1312, 0x1312, 0x1312, 0x0100, 0x0100, 0x0100, 0x0100,
            0x0100, 0x0100, 0x0100, 0x0100);
        __mmask64 bytes = ((__mmask64)1 << (blocks * Q4_0_BYTES)) - 1;
        __m512i raw = _mm512_maskz_loadu_epi8(bytes, block);
        *codes = _mm512_and_si512(_mm512_permutexvar_epi8(nibbles, raw), codes_in_place);
        *scales = _mm512_cvtph_ps(_mm256_permutexvar_epi8(halves, _mm512_castsi512_si256(raw)));
    } else {
        __m256i low = _mm256_loadu_si256((const __m256i *)(block + 2)), high = _mm256_setzero_si256();
        __m128i low_scale = _mm_set1_epi16((short)load_half(block)), high_scale = _mm_setzero_si128();
        if (blocks == 2) {
            high = _mm256_loadu_si256((const __m256i *)(block + Q8_0_BYTES + 2));
            high_scale = _mm_set1_epi16((short)load_half(block + Q8_0_BYTES));
        }
        __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        *codes = _mm512_xor_si512(both, _mm512_set1_epi8((char)0x80));
        *scales = _mm512_cvtph_ps(_mm256_set_m128i(high_scale, low_scale));
    }
}

LOCAL void add_pairs(
    __m512 sums[4], const uint8_t *const rows[4], activation_row x, size_t b, int blocks, block_kind kind,
    size_t block_bytes) {
    const __m512i halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    __mmask64 bytes = blocks == 2 ? ~(__mmask64)0 : 0xffffffff;
    __m512i codes = _mm512_maskz_loadu_epi8(bytes, x.codes + b * BLOCK);
    __mmask8 present = (__mmask8)((1 << blocks) - 1);
    __m128i scale_pair = _mm_maskz_loadu_epi32(present, x.scales + b * sizeof(float));
    __m128i bias_pair = _mm_maskz_loadu_epi32(present, x.biases + b * sizeof(int32_t));
    __m512 x_scales = _mm512_permutexvar_ps(halves, _mm512_castps128_ps512(_mm_castsi128_ps(scale_pair)));
    __m512i bias = _mm512_maskz_expand_epi32(0x0101, _mm512_castsi128_si512(bias_pair));
    if (kind == Q4_0) {
        bias = _mm512_srai_epi32(bias, 4); // from 128 to Q4_0_ZERO, exactly
        const float s = 0x1p-4f;
        const __m512 places = _mm512_set_ps(s, s, s, s, 1, 1, 1, 1, s, s, s, s, 1, 1, 1, 1);
        x_scales = _mm512_mul_ps(x_scales, places);
    }
    for (int r = 0; r < 4; r++) {
        __m512i weights;
        __m512 scales;
        load_pair(rows[r] + b * block_bytes, blocks, kind, &weights, &scales);
        __m512 products = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(bias, weights, codes));
        sums[r] = _mm512_fmadd_ps(products, _mm512_mul_ps(scales, x_scales), sums[r]);
    }
}

LOCAL void dot_blocks(
    const uint8_t *const rows[4], activation_row x, size_t blocks, block_kind kind, size_t block_bytes,
    float out[4]) {
    __m512 sums[4];
    for (int r = 0; r < 4; r++) sums[r] = _mm512_setzero_ps();
    size_t b = 0;
    for (; b + 2 <= blocks; b += 2) add_pairs(sums, rows, x, b, 2, kind, block_bytes);
    if (b < blocks) add_pairs(sums, rows, x, b, 1, kind, block_bytes);
    for (int r = 0; r < 4; r++) out[r] = _mm512_reduce_add_ps(sums[r]);
}

// MARK: block weights, many columns: a vector holds four weights of each of 16 rows

// A tile of TILE_ROWS rows, unpacked once for all columns: no permutation is left for the loop over columns,
// and the float step is taken once per 16 sums. Codes are offset by 128. It fits in 32 KiB of cache with room.
enum { TILE_ROWS = 32, TILE_BLOCKS = 16, GROUPS = 8 };

typedef struct {
    __m512i codes[TILE_BLOCKS][GROUPS][TILE_ROWS / LANES]; // 4 inputs of 16 rows
    __m512 scales[TILE_BLOCKS][TILE_ROWS / LANES];
} tile;

// Dword g of row r's 16 bytes becomes lane r of out[g].
LOCAL void transpose(const uint8_t *const bytes[LANES], __m512i out[4]) {
    __m512i a[4];
    for (int j = 0; j < 4; j++) {
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)bytes[j]));
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)bytes[4 + j]), 1);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)bytes[8 + j]), 2);
        a[j] = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)bytes[12 + j]), 3);
    }
    __m512i low01 = _mm512_unpacklo_epi32(a[0], a[1]), high01 = _mm512_unpackhi_epi32(a[0], a[1]);
    __m512i low23 = _mm512_unpacklo_epi32(a[2], a[3]), high23 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_unpacklo_epi64(low01, low23);
    out[1] = _mm512_unpackhi_epi64(low01, low23);
    out[2] = _mm512_unpacklo_epi64(high01, high23);
    out[3] = _mm512_unpackhi_epi64(high01, high23);
}

LOCAL void unpack_tile(
    tile *t, const uint8_t *weights, size_t weight_row_bytes, size_t first_row, size_t row_end,
    size_t first_block, size_t blocks, block_kind kind, size_t block_bytes) {
    for (size_t half = 0; half < TILE_ROWS / LANES; half++) {
        const uint8_t *rows[LANES];
        for (size_t r = 0; r < LANES; r++)
            rows[r] = weights + min_size(first_row + half * LANES + r, row_end - 1) * weight_row_bytes
                      + first_block * block_bytes;
        for (size_t b = 0; b < blocks; b++) {
            uint16_t scales[LANES];
            const uint8_t *codes[LANES];
            for (size_t r = 0; r < LANES; r++) {
                const uint8_t *block = rows[r] + b * block_bytes;
                scales[r] = load_half(block);
                codes[r] = block + 2;
            }
            t->scales[b][half] = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            __m512i groups[4];
            transpose(codes, groups);
            if (kind == Q4_0) {
                const __m512i low = _mm512_set1_epi8(15), offset = _mm512_set1_epi8(128 - Q4_0_ZERO);
                for (int g = 0; g < 4; g++) {
                    __m512i high = _mm512_and_si512(_mm512_srli_epi16(groups[g], 4), low);
                    t->codes[b][g][half] = _mm512_add_epi8(_mm512_and_si512(groups[g], low), offset);
                    t->codes[b][g + 4][half] = _mm512_add_epi8(high, offset);
                }
            } else {
                const __m512i sign = _mm512_set1_epi8((char)0x80);
                for (int g = 0; g < 4; g++) t->codes[b][g][half] = _mm512_xor_si512(groups[g], sign);
                for (size_t r = 0; r < LANES; r++) codes[r] += 16;
                transpose(codes, groups);
                for (int g = 0; g < 4; g++) t->codes[b][g + 4][half] = _mm512_xor_si512(groups[g], sign);
            }
        }
    }
}

// The tile times `width` columns (1 or 4), into or onto dst.
LOCAL void multiply_tile(
    const tile *t, const uint8_t *activations, size_t activation_row_bytes, int width, size_t columns,
    size_t first_block, size_t blocks, float *dst, size_t dst_stride_floats, size_t rows, block_kind kind) {
    (void)kind; // the codes of both are offset by 128
    __mmask16 lanes[2] = {first_lanes(rows), rows > LANES ? first_lanes(rows - LANES) : 0};
    __m512 sums[2][4];
    const uint8_t *codes[4], *scales[4], *biases[4];
    for (int c = 0; c < width; c++) {
        activation_row x = activation_parts(activations + (size_t)c * activation_row_bytes, columns);
        codes[c] = (const uint8_t *)x.codes + first_block * BLOCK;
        scales[c] = x.scales + first_block * sizeof(float);
        biases[c] = x.biases + first_block * sizeof(int32_t);
        for (int half = 0; half < 2; half++) {
            const float *out = dst + (size_t)c * dst_stride_floats + half * LANES;
            sums[half][c] = first_block ? _mm512_maskz_loadu_ps(lanes[half], out) : _mm512_setzero_ps();
        }
    }
    for (size_t b = 0; b < blocks; b++) {
        __m512i products[2][4];
        for (int c = 0; c < width; c++)
            products[0][c] = products[1][c] = _mm512_set1_epi32(load_int(biases[c], b));
        for (int g = 0; g < GROUPS; g++) {
            __m512i w0 = t->codes[b][g][0], w1 = t->codes[b][g][1];
            for (int c = 0; c < width; c++) {
                __m512i x = _mm512_set1_epi32(load_int(codes[c] + b * BLOCK, (size_t)g));
                products[0][c] = _mm512_dpbusd_epi32(products[0][c], w0, x);
                products[1][c] = _mm512_dpbusd_epi32(products[1][c], w1, x);
            }
        }
        for (int c = 0; c < width; c++) {
            __m512 scale = _mm512_set1_ps(load_float(scales[c], b));
            for (int half = 0; half < 2; half++)
                sums[half][c] = _mm512_fmadd_ps(
                    _mm512_cvtepi32_ps(products[half][c]), _mm512_mul_ps(t->scales[b][half], scale),
                    sums[half][c]);
        }
    }
    for (int c = 0; c < width; c++)
        for (int half = 0; half < 2; half++)
            _mm512_mask_storeu_ps(
                dst + (size_t)c * dst_stride_floats + half * LANES, lanes[half], sums[half][c]);
}

KERNEL void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    uint8_t *scales = (uint8_t *)out + columns, *biases = scales + columns / BLOCK * sizeof(float);
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (size_t b = 0; b < columns / BLOCK; b++) {
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
        int32_t bias = -128 * _mm512_reduce_add_epi32(_mm512_add_epi32(low_codes, high_codes));
        _mm_storeu_si128((__m128i *)(codes + b * BLOCK), _mm512_cvtepi32_epi8(low_codes));
        _mm_storeu_si128((__m128i *)(codes + b * BLOCK + LANES), _mm512_cvtepi32_epi8(high_codes));
        memcpy(scales + b * sizeof scale, &scale, sizeof scale);
        memcpy(biases + b * sizeof bias, &bias, sizeof bias);
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
