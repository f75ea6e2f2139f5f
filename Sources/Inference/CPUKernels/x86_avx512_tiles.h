// Many columns: a vector holds four weights of each of 16 rows. Part of x86_avx512_vnni.c.
//
// A tile of TILE_ROWS rows is taken apart once for all columns: no permutation is left for the loop over columns, and
// the float step is taken once for 16 sums. Codes are offset by 128, which the columns' biases take out.
enum { TILE_ROWS = 32, TILE_BLOCKS = 64, TILE_COLUMNS = 4, GROUPS = 8, HALVES = TILE_ROWS / LANES };

typedef struct {
    __m512i codes[TILE_BLOCKS][GROUPS][HALVES]; // 4 inputs of 16 rows
    // Of 16 rows: of a block, or of each half of it.
    __m512 scales[TILE_BLOCKS][2][HALVES], addends[TILE_BLOCKS][2][HALVES];
} tile;

#include "x86_avx512_unpack.h"

// The sums of products of a block (or of half of it) that start at the column's bias, of which `bias` is the number.
LOCAL void multiply_codes(
    __m512i products[HALVES][TILE_COLUMNS], const tile *t, size_t i, size_t first_group, size_t groups,
    const activation_row *x, size_t b, const uint8_t *const biases[TILE_COLUMNS], size_t bias) {
    for (int c = 0; c < TILE_COLUMNS; c++) products[0][c] = products[1][c] = _mm512_set1_epi32(load_int(biases[c], bias));
    for (size_t g = first_group; g < first_group + groups; g++) {
        const __m512i w0 = t->codes[i][g][0], w1 = t->codes[i][g][1];
        for (int c = 0; c < TILE_COLUMNS; c++) {
            const __m512i four = _mm512_set1_epi32(load_int((const uint8_t *)x[c].codes + b * BLOCK, g));
            products[0][c] = _mm512_dpbusd_epi32(products[0][c], w0, four);
            products[1][c] = _mm512_dpbusd_epi32(products[1][c], w1, four);
        }
    }
}

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, size_t present, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    const __mmask16 lanes[HALVES] = {first_lanes(rows), rows > LANES ? first_lanes(rows - LANES) : 0};
    __m512 sums[HALVES][TILE_COLUMNS];
    // Without the scale that several products share: the weights' of a strip, or the column's of a block's halves.
    __m512 parts[HALVES][TILE_COLUMNS];
    activation_row x[TILE_COLUMNS];
    const uint8_t *biases[TILE_COLUMNS];
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        const size_t own = min_size(c, present - 1);
        x[c] = activation_parts(prepared_column(p, first_column + own), p->columns);
        biases[c] = has_halves(format) ? x[c].half_biases : x[c].biases;
        for (size_t half = 0; half < HALVES; half++) {
            const float *out = dst + own * p->dst_stride + half * LANES;
            sums[half][c] = first_block ? _mm512_maskz_loadu_ps(lanes[half], out) : _mm512_setzero_ps();
            parts[half][c] = _mm512_setzero_ps();
        }
    }
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = first_block + i;
        // What the next columns will want; past the last one nothing is read.
        if (has_halves(format) && i % 2 == 0)
            for (size_t c = 0; c < TILE_COLUMNS; c++)
                _mm_prefetch((const char *)x[c].codes + TILE_COLUMNS * p->activation_row_bytes + b * BLOCK, _MM_HINT_T0);
        __m512i products[HALVES][TILE_COLUMNS];
        if (has_halves(format)) {
            multiply_codes(products, t, i, 0, GROUPS / 2, x, b, biases, 2 * b);
            for (int c = 0; c < TILE_COLUMNS; c++)
                for (int half = 0; half < HALVES; half++)
                    parts[half][c] = _mm512_mul_ps(_mm512_cvtepi32_ps(products[half][c]), t->scales[i][0][half]);
            multiply_codes(products, t, i, GROUPS / 2, GROUPS / 2, x, b, biases, 2 * b + 1);
        } else {
            multiply_codes(products, t, i, 0, GROUPS, x, b, biases, b);
        }
        for (int c = 0; c < TILE_COLUMNS; c++) {
            const __m512 scale = _mm512_set1_ps(load_float(x[c].scales, b));
            for (int half = 0; half < HALVES; half++) {
                const __m512 product = _mm512_cvtepi32_ps(products[half][c]);
                __m512 *sum = &sums[half][c], *part = &parts[half][c];
                if (is_ternary(format))
                    *part = _mm512_fmadd_ps(product, scale, *part);
                else if (has_halves(format))
                    *sum = _mm512_fmadd_ps(_mm512_fmadd_ps(product, t->scales[i][1][half], *part), scale, *sum);
                else
                    *sum = _mm512_fmadd_ps(product, _mm512_mul_ps(t->scales[i][0][half], scale), *sum);
            }
            if (!has_addends(format)) continue;
            for (size_t part = 0; part < (has_halves(format) ? 2 : 1); part++) {
                const __m512 offset = _mm512_set1_ps(
                    has_halves(format) ? load_float(x[c].half_offsets, 2 * b + part) : load_float(x[c].offsets, b));
                for (int half = 0; half < HALVES; half++)
                    sums[half][c] = _mm512_fmadd_ps(t->addends[i][part][half], offset, sums[half][c]);
            }
        }
        if (!is_ternary(format) || (i % STRIP_BLOCKS != STRIP_BLOCKS - 1 && i != blocks - 1)) continue;
        for (int c = 0; c < TILE_COLUMNS; c++)
            for (int half = 0; half < HALVES; half++) {
                sums[half][c] = _mm512_fmadd_ps(parts[half][c], t->scales[i][0][half], sums[half][c]);
                parts[half][c] = _mm512_setzero_ps();
            }
    }
    for (size_t c = 0; c < TILE_COLUMNS; c++)
        for (size_t half = 0; c < present && half < HALVES; half++)
            _mm512_mask_storeu_ps(dst + c * p->dst_stride + half * LANES, lanes[half], sums[half][c]);
}
