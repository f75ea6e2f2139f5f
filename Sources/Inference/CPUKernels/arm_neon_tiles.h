// Many columns: a vector holds four weights of each of 4 rows. Part of arm_neon_dotprod.c.
//
// A tile of 8 rows is taken apart once for all columns. Four inputs of a column are a lane of its vector of codes, which
// the product takes as it is: 8 rows by 4 columns are 8 integer sums and 8 float sums, all in registers.
enum { QUADS = 2, TILE_ROWS = QUADS * LANES, TILE_BLOCKS = 32, TILE_COLUMNS = 4, GROUPS = 8 };

typedef struct {
    int8x16_t codes[TILE_BLOCKS][GROUPS][QUADS]; // 4 inputs of 4 rows
    // Of 4 rows: of a block, or of each half of it.
    float32x4_t scales[TILE_BLOCKS][2][QUADS], addends[TILE_BLOCKS][2][QUADS];
} tile;

// Group g of row r's 16 codes becomes lane r of out[g][0].
LOCAL void transpose(const int8_t *first, size_t step, int8x16_t out[4][QUADS]) {
    int32x4_t rows[4];
    for (size_t r = 0; r < 4; r++) rows[r] = vreinterpretq_s32_s8(vld1q_s8(first + r * step));
    const int64x2_t even01 = vreinterpretq_s64_s32(vtrn1q_s32(rows[0], rows[1]));
    const int64x2_t odd01 = vreinterpretq_s64_s32(vtrn2q_s32(rows[0], rows[1]));
    const int64x2_t even23 = vreinterpretq_s64_s32(vtrn1q_s32(rows[2], rows[3]));
    const int64x2_t odd23 = vreinterpretq_s64_s32(vtrn2q_s32(rows[2], rows[3]));
    out[0][0] = vreinterpretq_s8_s64(vtrn1q_s64(even01, even23));
    out[1][0] = vreinterpretq_s8_s64(vtrn1q_s64(odd01, odd23));
    out[2][0] = vreinterpretq_s8_s64(vtrn2q_s64(even01, even23));
    out[3][0] = vreinterpretq_s8_s64(vtrn2q_s64(odd01, odd23));
}

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    const size_t parts = has_halves(format) ? 2 : 1;
    strip strips[TILE_ROWS];
    for (size_t done = 0; done < blocks; done += STRIP_BLOCKS) {
        const size_t some = min_size(STRIP_BLOCKS, blocks - done);
        for (size_t r = 0; r < TILE_ROWS; r++) {
            const size_t row = min_size(first_row + r, row_end - 1);
            unpack_strip(
                strips + r, (const uint8_t *)p->weights + row * p->weight_row_bytes,
                (first_block + done) / STRIP_BLOCKS, some, p->weight_scale, format);
            for (size_t i = 0; i < parts * some; i++) {
                const size_t b = done + i / parts;
                ((float *)t->scales[b][i % parts])[r] = strips[r].scales[i];
                if (has_addends(format)) ((float *)t->addends[b][i % parts])[r] = strips[r].addends[i];
            }
        }
        for (size_t b = 0; b < some; b++)
            for (size_t quad = 0; quad < QUADS; quad++)
                for (size_t half = 0; half < 2; half++)
                    transpose(
                        strips[quad * LANES].codes + b * BLOCK + 16 * half, sizeof(strip),
                        (int8x16_t(*)[QUADS])&t->codes[done + b][4 * half][quad]);
    }
}

// The instruction has its lane as a constant.
LOCAL int32x4_t dot_lane(int32x4_t sums, int8x16_t w, int8x16_t x, const size_t lane) {
    switch (lane) {
    case 0: return vdotq_laneq_s32(sums, w, x, 0);
    case 1: return vdotq_laneq_s32(sums, w, x, 1);
    case 2: return vdotq_laneq_s32(sums, w, x, 2);
    default: return vdotq_laneq_s32(sums, w, x, 3);
    }
}

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, const size_t width, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    float32x4_t sums[QUADS][TILE_COLUMNS];
    activation_row x[TILE_COLUMNS];
    for (size_t c = 0; c < width; c++) {
        x[c] = activation_parts(
            (const uint8_t *)p->activations + (first_column + c) * p->activation_row_bytes, p->columns);
        for (size_t quad = 0; quad < QUADS; quad++)
            sums[quad][c] = first_block && rows > quad * LANES
                                ? load_some(dst + c * p->dst_stride, quad * LANES, rows - quad * LANES, F32)
                                : vdupq_n_f32(0);
    }
    const size_t parts = has_halves(format) ? 2 : 1;
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = first_block + i;
        int32x4_t products[QUADS][TILE_COLUMNS];
        for (size_t half = 0; half < 2; half++) {
            int8x16_t codes[TILE_COLUMNS];
            for (size_t c = 0; c < width; c++) codes[c] = vld1q_s8(x[c].codes + b * BLOCK + 16 * half);
            for (size_t c = 0; c < width && (half == 0 || parts == 2); c++)
                for (size_t quad = 0; quad < QUADS; quad++) products[quad][c] = vdupq_n_s32(0);
            for (size_t lane = 0; lane < 4; lane++)
                for (size_t quad = 0; quad < QUADS; quad++)
                    for (size_t c = 0; c < width; c++)
                        products[quad][c] =
                            dot_lane(products[quad][c], t->codes[i][4 * half + lane][quad], codes[c], lane);
            if (parts == 1 && half == 0) continue;
            const size_t part = parts == 2 ? half : 0;
            for (size_t c = 0; c < width; c++) {
                const float scale = load_float(x[c].scales, b);
                const float offset = parts == 2 ? load_float(x[c].half_offsets, 2 * b + part)
                                                : load_float(x[c].offsets, b);
                for (size_t quad = 0; quad < QUADS; quad++) {
                    sums[quad][c] = vfmaq_f32(
                        sums[quad][c], vcvtq_f32_s32(products[quad][c]), vmulq_n_f32(t->scales[i][part][quad], scale));
                    if (has_addends(format))
                        sums[quad][c] = vfmaq_n_f32(sums[quad][c], t->addends[i][part][quad], offset);
                }
            }
        }
    }
    for (size_t c = 0; c < width; c++)
        for (size_t quad = 0; quad < QUADS && rows > quad * LANES; quad++)
            store_some(dst + c * p->dst_stride + quad * LANES, sums[quad][c], rows - quad * LANES);
}
