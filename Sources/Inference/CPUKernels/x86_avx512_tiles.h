// Many columns: a vector holds four weights of each of 16 rows. Part of x86_avx512_vnni.c.
//
// A tile of TILE_ROWS rows is taken apart once for all columns: no permutation is left for the loop over columns, and
// the float step is taken once for 16 sums. Codes are offset by 128, which the columns' biases take out.
enum { TILE_ROWS = 32, TILE_BLOCKS = 16, TILE_COLUMNS = 4, GROUPS = 8, HALVES = TILE_ROWS / LANES };

typedef struct {
    __m512i codes[TILE_BLOCKS][GROUPS][HALVES]; // 4 inputs of 16 rows
    // Of 16 rows: of a block, or of each half of it.
    __m512 scales[TILE_BLOCKS][2][HALVES], addends[TILE_BLOCKS][2][HALVES];
} tile;

// Dword g of row r's 16 bytes becomes lane r of out[g].
LOCAL void transpose(const int8_t *first, size_t step, __m512i out[4]) {
    __m512i a[4];
    for (size_t j = 0; j < 4; j++) {
        const int8_t *row = first + j * step;
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)row));
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row + 4 * step)), 1);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row + 8 * step)), 2);
        a[j] = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row + 12 * step)), 3);
    }
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    __m512i low01 = _mm512_unpacklo_epi32(a[0], a[1]), high01 = _mm512_unpackhi_epi32(a[0], a[1]);
    __m512i low23 = _mm512_unpacklo_epi32(a[2], a[3]), high23 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_xor_si512(_mm512_unpacklo_epi64(low01, low23), sign);
    out[1] = _mm512_xor_si512(_mm512_unpackhi_epi64(low01, low23), sign);
    out[2] = _mm512_xor_si512(_mm512_unpacklo_epi64(high01, high23), sign);
    out[3] = _mm512_xor_si512(_mm512_unpackhi_epi64(high01, high23), sign);
}

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    const size_t groups = has_halves(format) ? 2 : 1;
    strip strips[LANES];
    for (size_t half = 0; half < HALVES; half++)
        for (size_t done = 0; done < blocks; done += STRIP_BLOCKS) {
            const size_t some = min_size(STRIP_BLOCKS, blocks - done);
            for (size_t r = 0; r < LANES; r++) {
                const size_t row = min_size(first_row + half * LANES + r, row_end - 1);
                unpack_strip(
                    strips + r, (const uint8_t *)p->weights + row * p->weight_row_bytes,
                    (first_block + done) / STRIP_BLOCKS, some, p->weight_scale, format);
                for (size_t b = 0; b < some; b++)
                    for (size_t g = 0; g < groups; g++) {
                        ((float *)&t->scales[done + b][g][half])[r] = strips[r].scales[groups * b + g];
                        if (has_addends(format))
                            ((float *)&t->addends[done + b][g][half])[r] = strips[r].addends[groups * b + g];
                    }
            }
            for (size_t b = 0; b < some; b++)
                for (size_t part = 0; part < 2; part++) {
                    __m512i groups_of_four[4];
                    transpose(strips[0].codes + b * BLOCK + 16 * part, sizeof(strip), groups_of_four);
                    for (size_t g = 0; g < 4; g++) t->codes[done + b][4 * part + g][half] = groups_of_four[g];
                }
        }
}

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, const int width, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    const __mmask16 lanes[HALVES] = {first_lanes(rows), rows > LANES ? first_lanes(rows - LANES) : 0};
    __m512 sums[HALVES][TILE_COLUMNS];
    activation_row x[TILE_COLUMNS];
    for (size_t c = 0; c < (size_t)width; c++) {
        x[c] = activation_parts(
            (const uint8_t *)p->activations + (first_column + c) * p->activation_row_bytes, p->columns);
        for (size_t half = 0; half < HALVES; half++) {
            const float *out = dst + c * p->dst_stride + half * LANES;
            sums[half][c] = first_block ? _mm512_maskz_loadu_ps(lanes[half], out) : _mm512_setzero_ps();
        }
    }
    const size_t parts = has_halves(format) ? 2 : 1, part_groups = GROUPS / parts;
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = first_block + i;
        // What the next columns will want; past the last one nothing is read.
        if (i % 2 == 0)
            for (size_t c = 0; c < (size_t)width; c++)
                _mm_prefetch((const char *)x[c].codes + TILE_COLUMNS * p->activation_row_bytes + b * BLOCK, _MM_HINT_T0);
        for (size_t part = 0; part < parts; part++) {
            __m512i products[HALVES][TILE_COLUMNS];
            for (int c = 0; c < width; c++) {
                const int32_t bias = parts == 2 ? load_int(x[c].half_biases, 2 * b + part) : load_int(x[c].biases, b);
                products[0][c] = products[1][c] = _mm512_set1_epi32(bias);
            }
            for (size_t g = part * part_groups; g < (part + 1) * part_groups; g++) {
                const __m512i w0 = t->codes[i][g][0], w1 = t->codes[i][g][1];
                for (int c = 0; c < width; c++) {
                    const __m512i four =
                        _mm512_set1_epi32(load_int((const uint8_t *)x[c].codes + b * BLOCK, g));
                    products[0][c] = _mm512_dpbusd_epi32(products[0][c], w0, four);
                    products[1][c] = _mm512_dpbusd_epi32(products[1][c], w1, four);
                }
            }
            for (int c = 0; c < width; c++) {
                const __m512 scale = _mm512_set1_ps(load_float(x[c].scales, b));
                for (int half = 0; half < HALVES; half++)
                    sums[half][c] = _mm512_fmadd_ps(
                        _mm512_cvtepi32_ps(products[half][c]), _mm512_mul_ps(t->scales[i][part][half], scale),
                        sums[half][c]);
                if (!has_addends(format)) continue;
                const __m512 offset = _mm512_set1_ps(
                    parts == 2 ? load_float(x[c].half_offsets, 2 * b + part) : load_float(x[c].offsets, b));
                for (int half = 0; half < HALVES; half++)
                    sums[half][c] = _mm512_fmadd_ps(t->addends[i][part][half], offset, sums[half][c]);
            }
        }
    }
    for (size_t c = 0; c < (size_t)width; c++)
        for (size_t half = 0; half < HALVES; half++)
            _mm512_mask_storeu_ps(dst + c * p->dst_stride + half * LANES, lanes[half], sums[half][c]);
}
