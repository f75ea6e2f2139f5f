// Batches of float weights: a vector holds one weight of each of 16 rows. Part of x86_avx512_vnni.c.
//
// A tile of 32 rows is taken apart once for all columns, so that nothing but loads and products is left in the loop over
// columns; sums stay in the order of the columns' numbers, each in one lane.
enum { FLOAT_ROWS = 32, FLOAT_DEPTH = 1024, FLOAT_COLUMNS = 8 };

typedef struct { __m512 weights[FLOAT_DEPTH][FLOAT_ROWS / LANES]; } float_tile;

// `depth` weights of each row, from weight `first` on.
LOCAL void unpack_floats(
    float_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first, size_t depth,
    float_kind kind) {
    const size_t size = kind == F32 ? 4 : 2, step = 16 / size;
    for (size_t half = 0; half < FLOAT_ROWS / LANES; half++) {
        const uint8_t *rows[LANES];
        for (size_t r = 0; r < LANES; r++)
            rows[r] = (const uint8_t *)p->weights
                      + min_size(first_row + half * LANES + r, row_end - 1) * p->weight_row_bytes + first * size;
        for (size_t k = 0; k < depth; k += step) {
            uint8_t last[LANES][16];
            if (k + step > depth)
                for (size_t r = 0; r < LANES; r++) {
                    memset(last[r], 0, 16);
                    memcpy(last[r], rows[r], (depth - k) * size);
                    rows[r] = last[r];
                }
            __m512i four[4];
            transpose(rows, 0, four);
            for (size_t g = 0; g < 4; g++) {
                if (kind == F32) {
                    t->weights[k + g][half] = _mm512_castsi512_ps(four[g]);
                } else {
                    t->weights[k + 2 * g][half] = float_of_halves(four[g], 0, kind);
                    t->weights[k + 2 * g + 1][half] = float_of_halves(four[g], 1, kind);
                }
            }
            for (size_t r = 0; r < LANES; r++) rows[r] += 16;
        }
    }
}

// The tile times `width` columns, of which `present` exist (the last is multiplied again for the others), onto dst unless
// first is 0; `rows` of it exist.
LOCAL void multiply_floats(
    const float_tile *t, const cpu_product *p, size_t first, size_t depth, size_t c, const int width, size_t present,
    float *dst, size_t rows) {
    const __mmask16 lanes[2] = {first_lanes(rows), rows > LANES ? first_lanes(rows - LANES) : 0};
    const uint8_t *xs[FLOAT_COLUMNS];
    __m512 sums[2][FLOAT_COLUMNS];
    for (size_t j = 0; j < (size_t)width; j++) {
        const size_t own = min_size(j, present - 1);
        xs[j] = prepared_column(p, c + own) + first * sizeof(float);
        for (size_t half = 0; half < 2; half++)
            sums[half][j] = first ? _mm512_maskz_loadu_ps(lanes[half], dst + own * p->dst_stride + half * LANES)
                                  : _mm512_setzero_ps();
    }
    for (size_t k = 0; k < depth; k++) {
        const __m512 w0 = t->weights[k][0], w1 = t->weights[k][1];
        for (int j = 0; j < width; j++) {
            const __m512 x = _mm512_set1_ps(load_float(xs[j], k));
            sums[0][j] = _mm512_fmadd_ps(w0, x, sums[0][j]);
            sums[1][j] = _mm512_fmadd_ps(w1, x, sums[1][j]);
        }
    }
    for (size_t j = 0; j < (size_t)width; j++)
        for (size_t half = 0; j < present && half < 2; half++)
            _mm512_mask_storeu_ps(dst + j * p->dst_stride + half * LANES, lanes[half], sums[half][j]);
}

LOCAL void matmul_float_batch(const cpu_product *p, size_t row_begin, size_t row_end, float_kind kind) {
    float_tile t;
    for (size_t r = row_begin; r < row_end; r += FLOAT_ROWS)
        for (size_t k = 0; k < p->columns; k += FLOAT_DEPTH) {
            const size_t depth = min_size(FLOAT_DEPTH, p->columns - k);
            unpack_floats(&t, p, r, row_end, k, depth, kind);
            for (size_t c = 0; c < p->count; c += FLOAT_COLUMNS) {
                const size_t present = min_size(FLOAT_COLUMNS, p->count - c);
                float *dst = p->dst + c * p->dst_stride + r;
                if (present > FLOAT_COLUMNS / 2)
                    multiply_floats(&t, p, k, depth, c, FLOAT_COLUMNS, present, dst, row_end - r);
                else
                    multiply_floats(&t, p, k, depth, c, FLOAT_COLUMNS / 2, present, dst, row_end - r);
            }
        }
}
