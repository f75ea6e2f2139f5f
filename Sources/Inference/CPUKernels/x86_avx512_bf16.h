// Rows of weights as pairs of bfloat16, for x86_avx512_bf16.c and x86_amx.c, which multiply them with activations of
// the same kind; and how these are prepared. The including file defines DEPTH.
#include <immintrin.h>

#include "kernels.h"

#define TARGET \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512bf16")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET

enum {
    LANES = 16,
    HALVES = 2,                 // vectors of rows
    TILE_ROWS = HALVES * LANES, // rows that are taken apart together, DEPTH columns of them,
    STEP = 32,                  // so many at once
};

// Lane r of pairs[i][h]: the weights 2 i and 2 i + 1 of row 16 h + r.
typedef struct {
    __m512i pairs[DEPTH / 2][HALVES];
} pair_tile;

// Dword i of rows[r] becomes lane r of pairs[i].
LOCAL void store_pairs(__m512i (*pairs)[HALVES], const __m512i rows[LANES]) {
    __m512i a[LANES], b[LANES];
    for (int r = 0; r < LANES; r += 2) {
        a[r] = _mm512_unpacklo_epi32(rows[r], rows[r + 1]);
        a[r + 1] = _mm512_unpackhi_epi32(rows[r], rows[r + 1]);
    }
    // Now b[r + j] has dwords j of four rows in each quarter.
    for (int r = 0; r < LANES; r += 4) {
        b[r] = _mm512_unpacklo_epi64(a[r], a[r + 2]);
        b[r + 1] = _mm512_unpackhi_epi64(a[r], a[r + 2]);
        b[r + 2] = _mm512_unpacklo_epi64(a[r + 1], a[r + 3]);
        b[r + 3] = _mm512_unpackhi_epi64(a[r + 1], a[r + 3]);
    }
    for (int j = 0; j < 4; j++) {
        const __m512i even01 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88);
        const __m512i odd01 = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd);
        const __m512i even23 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88);
        const __m512i odd23 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
        pairs[j][0] = _mm512_shuffle_i32x4(even01, even23, 0x88);
        pairs[4 + j][0] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
        pairs[8 + j][0] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
        pairs[12 + j][0] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
    }
}

LOCAL __m512i bf16_of_floats(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

// Rows that are taken apart together; past row_end: the last again.
LOCAL void find_rows(const uint8_t *rows[LANES], const cpu_product *p, size_t first_row, size_t row_end) {
    for (size_t r = 0; r < LANES; r++)
        rows[r] = (const uint8_t *)p->weights + min_size(first_row + r, row_end - 1) * p->weight_row_bytes;
}

// `depth` columns of 32 rows of BF16, and zeros up to a multiple of 32.
LOCAL void unpack_bf16(
    pair_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_column, size_t depth) {
    const size_t rest = depth % STEP;
    for (size_t half = 0; half < HALVES; half++) {
        const uint8_t *rows[LANES];
        find_rows(rows, p, first_row + half * LANES, row_end);
        __m512i(*pairs)[HALVES] = (__m512i(*)[HALVES])&t->pairs[0][half];
        __m512i some[LANES];
        for (size_t k = 0; k < depth - rest; k += STEP) {
            UNROLLED for (size_t r = 0; r < LANES; r++)
                some[r] = _mm512_loadu_si512(rows[r] + (first_column + k) * 2);
            store_pairs(pairs + k / 2, some);
        }
        if (rest == 0) continue;
        for (size_t r = 0; r < LANES; r++)
            some[r] = _mm512_maskz_loadu_epi16(
                ((__mmask32)1 << rest) - 1, rows[r] + (first_column + depth - rest) * 2);
        store_pairs(pairs + (depth - rest) / 2, some);
    }
}

// Rounded to nearest even, subnormal numbers too, which the processor's own conversion makes zeros.
LOCAL __m256i nearest_bf16(__m512 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

KERNEL void prepare_bf16(const float *x, size_t columns, void *out) {
    uint16_t *halves = out;
    for (size_t k = 0; k < columns; k += LANES) {
        // The last vector has a zero behind an odd number.
        const size_t present = min_size(LANES, columns - k);
        const __m512 v = _mm512_maskz_loadu_ps((__mmask16)((1u << present) - 1), x + k);
        _mm256_mask_storeu_epi16(halves + k, (__mmask16)((1u << (present + 1) / 2 * 2) - 1), nearest_bf16(v));
    }
}
