// Many columns: a vector holds four weights of each of 8 rows. Part of x86_avx2.c.
//
// A tile of 8 rows is taken apart once for all columns: no permutation is left for the loop over columns, and the float
// step is taken once for 8 sums.
enum { TILE_ROWS = LANES, TILE_BLOCKS = 32, TILE_COLUMNS = 4, GROUPS = 8 };

typedef struct {
    __m256i codes[TILE_BLOCKS][GROUPS]; // 4 inputs of 8 rows
    // Of 8 rows: of a block, or of each half of it.
    __m256 scales[TILE_BLOCKS][2], addends[TILE_BLOCKS][2];
} tile;

// Dword g of row r's 16 bytes becomes lane r of out[g].
LOCAL void transpose(const int8_t *first, size_t step, __m256i out[4]) {
    __m256i a[4];
    for (size_t j = 0; j < 4; j++)
        a[j] = _mm256_set_m128i(
            _mm_loadu_si128((const __m128i *)(first + (4 + j) * step)),
            _mm_loadu_si128((const __m128i *)(first + j * step)));
    __m256i low01 = _mm256_unpacklo_epi32(a[0], a[1]), high01 = _mm256_unpackhi_epi32(a[0], a[1]);
    __m256i low23 = _mm256_unpacklo_epi32(a[2], a[3]), high23 = _mm256_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm256_unpacklo_epi64(low01, low23);
    out[1] = _mm256_unpackhi_epi64(low01, low23);
    out[2] = _mm256_unpacklo_epi64(high01, high23);
    out[3] = _mm256_unpackhi_epi64(high01, high23);
}

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    const size_t groups = has_halves(format) ? 2 : 1;
    const size_t first = first_block / STRIP_BLOCKS, all = (blocks + STRIP_BLOCKS - 1) / STRIP_BLOCKS;
    const size_t next = next_tile(
        p, row_header_bytes(format) + first * strip_bytes(format), all * strip_bytes(format), TILE_ROWS);
    strip strips[LANES];
    for (size_t done = 0; done < blocks; done += STRIP_BLOCKS) {
        const size_t some = min_size(STRIP_BLOCKS, blocks - done), number = first + done / STRIP_BLOCKS;
        for (size_t r = 0; r < LANES; r++) {
            const uint8_t *row =
                (const uint8_t *)p->weights + min_size(first_row + r, row_end - 1) * p->weight_row_bytes;
            fetch(strip_of_row(row, number, format), next, strip_bytes(format));
            unpack_strip(strips + r, row, number, some, p->weight_scale, format);
            for (size_t b = 0; b < some; b++)
                for (size_t g = 0; g < groups; g++) {
                    ((float *)&t->scales[done + b][g])[r] = strips[r].scales[groups * b + g];
                    if (has_addends(format))
                        ((float *)&t->addends[done + b][g])[r] = strips[r].addends[groups * b + g];
                }
        }
        for (size_t b = 0; b < some; b++) {
            transpose(strips[0].codes + b * BLOCK, sizeof(strip), t->codes[done + b]);
            transpose(strips[0].codes + b * BLOCK + 16, sizeof(strip), t->codes[done + b] + 4);
        }
    }
}

// Whether the sums of eight pairs of products fit 16 bits: 16 * 16 * 127 = 32512.
INLINE int is_narrow(int format) {
    switch (format) {
    case CPU_Q4_0: case CPU_Q4_1: case CPU_MXFP4: case CPU_Q2_K: case CPU_Q3_K: case CPU_Q4_K:
    case CPU_TQ1_0: case CPU_TQ2_0: case CPU_I2_S: case CPU_IQ2_BN: return 1;
    default: return 0;
    }
}

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, size_t present, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256 sums[TILE_COLUMNS];
    activation_row x[TILE_COLUMNS];
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        const size_t own = min_size(c, present - 1);
        const float *out = dst + own * p->dst_stride;
        x[c] = activation_parts(prepared_column(p, first_column + own), p->columns);
        sums[c] = first_block == 0 ? _mm256_setzero_ps()
                  : rows >= LANES  ? _mm256_loadu_ps(out)
                                   : load_last_floats(out, 0, rows, F32);
    }
    const size_t parts = has_halves(format) ? 2 : 1, part_groups = GROUPS / parts;
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = first_block + i;
        for (size_t part = 0; part < parts; part++) {
            __m256i products[TILE_COLUMNS];
            for (int c = 0; c < TILE_COLUMNS; c++) products[c] = _mm256_setzero_si256();
            for (size_t g = part * part_groups; g < (part + 1) * part_groups; g++) {
                const __m256i w = t->codes[i][g], magnitudes = _mm256_abs_epi8(w);
                for (int c = 0; c < TILE_COLUMNS; c++) {
                    const __m256i four = _mm256_set1_epi32(load_int((const uint8_t *)x[c].codes + b * BLOCK, g));
                    const __m256i pairs = has_addends(format)
                                              ? _mm256_maddubs_epi16(w, four)
                                              : _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(four, w));
                    products[c] = is_narrow(format)
                                      ? _mm256_add_epi16(products[c], pairs)
                                      : _mm256_add_epi32(products[c], _mm256_madd_epi16(pairs, ones));
                }
            }
            for (int c = 0; c < TILE_COLUMNS; c++) {
                if (is_narrow(format)) products[c] = _mm256_madd_epi16(products[c], ones);
                const __m256 scale = _mm256_set1_ps(load_float(x[c].scales, b));
                sums[c] = _mm256_fmadd_ps(
                    _mm256_cvtepi32_ps(products[c]), _mm256_mul_ps(t->scales[i][part], scale), sums[c]);
                if (!has_addends(format)) continue;
                const float offset =
                    parts == 2 ? load_float(x[c].half_offsets, 2 * b + part) : load_float(x[c].offsets, b);
                sums[c] = _mm256_fmadd_ps(t->addends[i][part], _mm256_set1_ps(offset), sums[c]);
            }
        }
    }
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        if (c >= present) continue;
        float *out = dst + c * p->dst_stride;
        if (rows >= LANES)
            _mm256_storeu_ps(out, sums[c]);
        else
            store_last_floats(out, sums[c], rows);
    }
}
