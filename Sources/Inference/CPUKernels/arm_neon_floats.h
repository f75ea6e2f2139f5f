// Batches of float weights. Part of each arm64 level.
//
// A tile of 32 rows is turned once for all columns, so that a vector holds an input of 4 rows; four inputs of a column
// are the lanes of one of its vectors, which the product takes as they are. 8 rows by 8 columns are 16 sums in
// registers, and what a tile's rows multiply stays in the first cache.
enum { FLOAT_GROUPS = 4, FLOAT_QUADS = 2, FLOAT_GROUP = FLOAT_QUADS * LANES, FLOAT_DEPTH = 128, FLOAT_COLUMNS = 8 };

typedef struct {
    float32x4_t inputs[FLOAT_GROUPS][FLOAT_DEPTH][FLOAT_QUADS];
} float_tile;

typedef struct {
    float32x4_t of[FLOAT_QUADS][FLOAT_COLUMNS];
} float_sums;

LOCAL void transpose_floats(float32x4_t v[4]) {
    const float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(v[0], v[1]));
    const float64x2_t odd01 = vreinterpretq_f64_f32(vtrn2q_f32(v[0], v[1]));
    const float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(v[2], v[3]));
    const float64x2_t odd23 = vreinterpretq_f64_f32(vtrn2q_f32(v[2], v[3]));
    v[0] = vreinterpretq_f32_f64(vtrn1q_f64(even01, even23));
    v[1] = vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23));
    v[2] = vreinterpretq_f32_f64(vtrn2q_f64(even01, even23));
    v[3] = vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23));
}

// Inputs first...first + depth of some rows (past row_end: any row again), with zeros up to a multiple of four.
LOCAL void unpack_floats(
    float_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t groups, size_t first, size_t depth,
    const float_kind kind) {
    for (size_t quad = 0; quad < groups * FLOAT_QUADS; quad++) {
        const uint8_t *rows[LANES];
        for (size_t r = 0; r < LANES; r++)
            rows[r] = (const uint8_t *)p->weights
                      + min_size(first_row + quad * LANES + r, row_end - 1) * p->weight_row_bytes;
        for (size_t k = 0; k < depth; k += LANES) {
            float32x4_t v[LANES];
            for (size_t r = 0; r < LANES; r++) v[r] = load_some(rows[r], first + k, depth - k, kind);
            transpose_floats(v);
            for (size_t j = 0; j < LANES; j++)
                t->inputs[quad / FLOAT_QUADS][k + j][quad % FLOAT_QUADS] = v[j];
        }
    }
}

// The instruction has its lane as a constant.
LOCAL float32x4_t add_lane(float32x4_t sums, float32x4_t w, float32x4_t x, const size_t lane) {
    switch (lane) {
    case 0: return vfmaq_laneq_f32(sums, w, x, 0);
    case 1: return vfmaq_laneq_f32(sums, w, x, 1);
    case 2: return vfmaq_laneq_f32(sums, w, x, 2);
    default: return vfmaq_laneq_f32(sums, w, x, 3);
    }
}

LOCAL void add_input(
    float_sums *sums, const float32x4_t w[FLOAT_QUADS], const float32x4_t *x, const size_t width, const size_t lane) {
    for (size_t quad = 0; quad < FLOAT_QUADS; quad++)
        for (size_t c = 0; c < width; c++) sums->of[quad][c] = add_lane(sums->of[quad][c], w[quad], x[c], lane);
}

LOCAL void add_four_inputs(
    float_sums *sums, const float32x4_t (*w)[FLOAT_QUADS], const float32x4_t *x, const size_t width) {
    add_input(sums, w[0], x, width, 0);
    add_input(sums, w[1], x, width, 1);
    add_input(sums, w[2], x, width, 2);
    add_input(sums, w[3], x, width, 3);
}

// 8 rows, of which `rows` exist, by `width` columns, of which `present` exist (the last is multiplied again for the
// others), onto dst unless first is 0.
LOCAL void multiply_floats(
    const float32x4_t (*w)[FLOAT_QUADS], const cpu_product *p, size_t first_column, const size_t width, size_t present,
    size_t first, size_t depth, float *dst, size_t rows) {
    float_sums edge; // these may be in memory, those of the loop shall not
    float32x4_t x[FLOAT_COLUMNS];
    const float *columns[FLOAT_COLUMNS];
    for (size_t c = 0; c < width; c++) {
        const size_t own = min_size(c, present - 1);
        columns[c] = (const float *)(const void *)prepared_column(p, first_column + own) + first;
        for (size_t quad = 0; quad < FLOAT_QUADS; quad++)
            edge.of[quad][c] = first && rows > quad * LANES
                                   ? load_some(dst + own * p->dst_stride, quad * LANES, rows - quad * LANES, F32)
                                   : vdupq_n_f32(0);
    }
    float_sums sums = edge;
    size_t k = 0;
    for (; k + LANES <= depth; k += LANES) {
        for (size_t c = 0; c < width; c++) x[c] = load_floats(columns[c], k, F32);
        add_four_inputs(&sums, w + k, x, width);
    }
    if (k < depth) {
        for (size_t c = 0; c < width; c++) x[c] = load_last_floats(columns[c], k, depth - k, F32);
        add_four_inputs(&sums, w + k, x, width);
    }
    edge = sums;
    for (size_t c = 0; c < width; c++)
        for (size_t quad = 0; c < present && quad < FLOAT_QUADS && rows > quad * LANES; quad++)
            store_some(dst + c * p->dst_stride + quad * LANES, edge.of[quad][c], rows - quad * LANES);
}

LOCAL void multiply_float_tile(
    const float_tile *t, const cpu_product *p, size_t column, const size_t width, size_t present, size_t first,
    size_t depth, size_t row, size_t row_end) {
    for (size_t r = row; r < min_size(row + FLOAT_GROUPS * FLOAT_GROUP, row_end); r += FLOAT_GROUP)
        multiply_floats(
            t->inputs[(r - row) / FLOAT_GROUP], p, column, width, present, first, depth,
            p->dst + column * p->dst_stride + r, row_end - r);
}

// Functions of their own, as weights of every kind are floats by then.
KERNEL void multiply_eight_columns(
    const float_tile *t, const cpu_product *p, size_t column, size_t present, size_t first, size_t depth, size_t row,
    size_t row_end) {
    multiply_float_tile(t, p, column, FLOAT_COLUMNS, present, first, depth, row, row_end);
}

KERNEL void multiply_four_columns(
    const float_tile *t, const cpu_product *p, size_t column, size_t present, size_t first, size_t depth, size_t row,
    size_t row_end) {
    multiply_float_tile(t, p, column, FLOAT_COLUMNS / 2, present, first, depth, row, row_end);
}

LOCAL void matmul_float_batch(const cpu_product *p, size_t row_begin, size_t row_end, const float_kind kind) {
    float_tile t;
    for (size_t r = row_begin; r < row_end; r += FLOAT_GROUPS * FLOAT_GROUP) {
        const size_t groups = min_size(FLOAT_GROUPS, (row_end - r + FLOAT_GROUP - 1) / FLOAT_GROUP);
        for (size_t k = 0; k < p->columns; k += FLOAT_DEPTH) {
            const size_t depth = min_size(FLOAT_DEPTH, p->columns - k);
            unpack_floats(&t, p, r, row_end, groups, k, depth, kind);
            for (size_t c = 0; c < p->count; c += FLOAT_COLUMNS) {
                const size_t present = min_size(FLOAT_COLUMNS, p->count - c);
                if (present > FLOAT_COLUMNS / 2)
                    multiply_eight_columns(&t, p, c, present, k, depth, r, row_end);
                else
                    multiply_four_columns(&t, p, c, present, k, depth, r, row_end);
            }
        }
    }
}
