// Floats as pairs of bfloat16, a high and a low part: part of x86_amx.c.
//
// high is the bfloat16 nearest to x, low the one nearest to x - high; of a weight of half precision they are all. Products
// leave out low * low, so one errs by 2^-15 of itself at most, by 2^-19 in the mean: NMSE about 1e-11.
//
// Tiles take subnormal numbers for zeros and make them zeros. What a number loses so is below 2^-126 as it is what a product
// loses: less than a float's rounding of any sum of 2^-100, where neither factor is below that.
//
// Infinity has an infinite low part, NaN one that is NaN, and so have the products. Magnitudes that would be rounded to
// infinity have the largest bfloat16 as their high part.

typedef struct {
    __m512i high, low;
} split_floats;

// 32 floats, 16 and 16.
LOCAL split_floats split(__m512 first, __m512 second) {
    const __m512 v[2] = {first, second};
    __m512 high[2], low[2];
    for (int i = 0; i < 2; i++) {
        const __m512 largest = _mm512_set1_ps(LARGEST_BF16);
        // The smaller magnitude with the first one's sign; for a NaN, the other.
        const __m512i bounded = _mm512_castps_si512(_mm512_range_ps(v[i], largest, 2));
        const __m512i rounded = _mm512_add_epi32(bounded, _mm512_set1_epi32(0x8000));
        high[i] = _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000)));
        low[i] = _mm512_sub_ps(v[i], high[i]);
    }
    return (split_floats){bf16_of_floats(high[0], high[1]), bf16_of_floats(low[0], low[1])};
}

// `depth` columns of 32 rows, and zeros up to a multiple of 32: of each 32 columns the high parts, then the low ones.
LOCAL void unpack_split(
    pair_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_column, size_t depth,
    const int format) {
    const size_t size = format == CPU_F32 ? 4 : 2;
    for (size_t half = 0; half < HALVES; half++) {
        const uint8_t *rows[LANES];
        find_rows(rows, p, first_row + half * LANES, row_end);
        __m512i high[LANES], low[LANES];
        for (size_t k = 0; k < depth; k += STEP) {
            const size_t present = min_size(STEP, depth - k);
            const __mmask32 mask = (__mmask32)(((uint64_t)1 << present) - 1);
            UNROLLED for (size_t r = 0; r < LANES; r++) {
                const uint8_t *bytes = rows[r] + (first_column + k) * size;
                split_floats parts;
                if (format == CPU_F32) {
                    parts = split(
                        _mm512_maskz_loadu_ps((__mmask16)mask, bytes),
                        _mm512_maskz_loadu_ps((__mmask16)(mask >> LANES), bytes + LANES * size));
                } else {
                    const __m512i halves = _mm512_maskz_loadu_epi16(mask, bytes);
                    parts = split(
                        _mm512_cvtph_ps(_mm512_castsi512_si256(halves)),
                        _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1)));
                }
                high[r] = parts.high, low[r] = parts.low;
            }
            store_pairs((__m512i(*)[HALVES])&t->pairs[k][half], high);
            store_pairs((__m512i(*)[HALVES])&t->pairs[k + LANES][half], low);
        }
    }
}

KERNEL void prepare_bf16_pairs(const float *x, size_t columns, void *out) {
    __m512i *parts = out;
    for (size_t k = 0; k < columns; k += STEP) {
        const size_t present = min_size(STEP, columns - k);
        const __mmask32 mask = (__mmask32)(((uint64_t)1 << present) - 1);
        const split_floats some = split(
            _mm512_maskz_loadu_ps((__mmask16)mask, x + k), _mm512_maskz_loadu_ps((__mmask16)(mask >> LANES), x + k + LANES));
        _mm512_storeu_si512(parts++, some.high), _mm512_storeu_si512(parts++, some.low);
    }
}
