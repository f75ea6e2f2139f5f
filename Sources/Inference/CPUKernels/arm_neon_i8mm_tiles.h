// Many columns: a vector holds eight weights of each of 2 rows. Part of arm_neon_i8mm.c.
//
// A tile of 8 rows is taken apart once for all columns. A product of eight inputs of two rows and of two columns gives
// four sums: row 0 with column 0, with column 1, then row 1; 8 rows by 4 columns are 8 integer and 8 float sums.
enum {
    PAIRS = 4, TILE_ROWS = 2 * PAIRS, TILE_BLOCKS = 32, TILE_COLUMNS = 4, COLUMN_PAIRS = TILE_COLUMNS / 2, STEPS = 4,
};

typedef struct {
    int8x16_t codes[TILE_BLOCKS][STEPS][PAIRS]; // 8 inputs of 2 rows
    // Of 2 rows, each twice: of a block, or of each half of it.
    float32x4_t scales[TILE_BLOCKS][2][PAIRS], addends[TILE_BLOCKS][2][PAIRS];
} tile;

// The first (and last) eight bytes of each.
LOCAL int8x16_t first_eights(int8x16_t a, int8x16_t b) {
    return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

LOCAL int8x16_t last_eights(int8x16_t a, int8x16_t b) {
    return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

LOCAL float32x4_t each_twice(float a, float b) { return vcombine_f32(vdup_n_f32(a), vdup_n_f32(b)); }

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    const size_t parts = has_halves(format) ? 2 : 1;
    strip strips[2];
    for (size_t pair = 0; pair < PAIRS; pair++)
        for (size_t done = 0; done < blocks; done += STRIP_BLOCKS) {
            const size_t some = min_size(STRIP_BLOCKS, blocks - done);
            for (size_t r = 0; r < 2; r++) {
                const size_t row = min_size(first_row + 2 * pair + r, row_end - 1);
                unpack_strip(
                    strips + r, (const uint8_t *)p->weights + row * p->weight_row_bytes,
                    (first_block + done) / STRIP_BLOCKS, some, p->weight_scale, format);
            }
            for (size_t b = 0; b < some; b++)
                for (size_t half = 0; half < 2; half++) {
                    const int8x16_t even = vld1q_s8(strips[0].codes + b * BLOCK + 16 * half);
                    const int8x16_t odd = vld1q_s8(strips[1].codes + b * BLOCK + 16 * half);
                    t->codes[done + b][2 * half][pair] = first_eights(even, odd);
                    t->codes[done + b][2 * half + 1][pair] = last_eights(even, odd);
                }
            for (size_t i = 0; i < parts * some; i++) {
                const size_t b = done + i / parts;
                t->scales[b][i % parts][pair] = each_twice(strips[0].scales[i], strips[1].scales[i]);
                if (has_addends(format))
                    t->addends[b][i % parts][pair] = each_twice(strips[0].addends[i], strips[1].addends[i]);
            }
        }
}

// One number of two columns, in the order of their sums.
LOCAL float32x4_t alternating(const uint8_t *a, const uint8_t *b, size_t index) {
    const float32x2_t two = vset_lane_f32(load_float(b, index), vdup_n_f32(load_float(a, index)), 1);
    return vcombine_f32(two, two);
}

LOCAL float32x4_t load_quad(const float *dst, size_t first, size_t rows) {
    return rows > first ? load_some(dst, first, rows - first, F32) : vdupq_n_f32(0);
}

LOCAL void store_quad(float *dst, float32x4_t values, size_t first, size_t rows) {
    if (rows > first) store_some(dst + first, values, rows - first);
}

// A single column is multiplied twice.
LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, const size_t width, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    const size_t width_pairs = (width + 1) / 2, parts = has_halves(format) ? 2 : 1;
    float32x4_t sums[PAIRS][COLUMN_PAIRS];
    activation_row x[TILE_COLUMNS];
    for (size_t c = 0; c < 2 * width_pairs; c++)
        x[c] = activation_parts(
            (const uint8_t *)p->activations + (first_column + min_size(c, width - 1)) * p->activation_row_bytes,
            p->columns);
    for (size_t c = 0; c < width_pairs; c++)
        for (size_t quad = 0; quad < 2; quad++) {
            sums[2 * quad][c] = sums[2 * quad + 1][c] = vdupq_n_f32(0);
            if (first_block == 0) continue;
            const float32x4_t even = load_quad(dst + 2 * c * p->dst_stride, quad * LANES, rows);
            const float32x4_t odd =
                load_quad(dst + min_size(2 * c + 1, width - 1) * p->dst_stride, quad * LANES, rows);
            sums[2 * quad][c] = vzip1q_f32(even, odd);
            sums[2 * quad + 1][c] = vzip2q_f32(even, odd);
        }
    for (size_t i = 0; i < blocks; i++) {
        const size_t b = first_block + i;
        int32x4_t products[PAIRS][COLUMN_PAIRS];
        for (size_t half = 0; half < 2; half++) {
            int8x16_t first[COLUMN_PAIRS], last[COLUMN_PAIRS];
            for (size_t c = 0; c < width_pairs; c++) {
                const int8x16_t even = vld1q_s8(x[2 * c].codes + b * BLOCK + 16 * half);
                const int8x16_t odd = vld1q_s8(x[2 * c + 1].codes + b * BLOCK + 16 * half);
                first[c] = first_eights(even, odd);
                last[c] = last_eights(even, odd);
            }
            for (size_t pair = 0; pair < PAIRS; pair++)
                for (size_t c = 0; c < width_pairs; c++) {
                    if (half == 0 || parts == 2) products[pair][c] = vdupq_n_s32(0);
                    products[pair][c] = vmmlaq_s32(products[pair][c], t->codes[i][2 * half][pair], first[c]);
                }
            for (size_t pair = 0; pair < PAIRS; pair++)
                for (size_t c = 0; c < width_pairs; c++)
                    products[pair][c] = vmmlaq_s32(products[pair][c], t->codes[i][2 * half + 1][pair], last[c]);
            if (parts == 1 && half == 0) continue;
            const size_t part = parts == 2 ? half : 0;
            for (size_t c = 0; c < width_pairs; c++) {
                const activation_row *a = x + 2 * c;
                const float32x4_t scales = alternating(a[0].scales, a[1].scales, b);
                float32x4_t offsets = scales;
                if (has_addends(format))
                    offsets = parts == 2 ? alternating(a[0].half_offsets, a[1].half_offsets, 2 * b + part)
                                         : alternating(a[0].offsets, a[1].offsets, b);
                for (size_t pair = 0; pair < PAIRS; pair++) {
                    sums[pair][c] = vfmaq_f32(
                        sums[pair][c], vcvtq_f32_s32(products[pair][c]), vmulq_f32(t->scales[i][part][pair], scales));
                    if (has_addends(format))
                        sums[pair][c] = vfmaq_f32(sums[pair][c], t->addends[i][part][pair], offsets);
                }
            }
        }
    }
    for (size_t c = 0; c < width_pairs; c++)
        for (size_t quad = 0; quad < 2; quad++) {
            const float32x4_t a = sums[2 * quad][c], b = sums[2 * quad + 1][c];
            store_quad(dst + 2 * c * p->dst_stride, vuzp1q_f32(a, b), quad * LANES, rows);
            if (2 * c + 1 < width)
                store_quad(dst + (2 * c + 1) * p->dst_stride, vuzp2q_f32(a, b), quad * LANES, rows);
        }
}
