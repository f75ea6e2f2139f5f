// Many columns: a vector holds eight weights of each of 2 rows. Part of arm_neon_i8mm.c.
//
// A tile of 8 rows is taken apart once for all columns. A product of eight inputs of two rows and of two columns gives
// four sums: row 0 with column 0, with column 1, then row 1; 8 rows by 4 columns are 8 integer and 8 float sums.
enum {
    GROUP = 2, PAIRS = 4, TILE_ROWS = GROUP * PAIRS, TILE_BLOCKS = 32, TILE_COLUMNS = 4,
    COLUMN_PAIRS = TILE_COLUMNS / 2, EIGHTS = BLOCK / 8,
};

typedef struct {
    int8x16_t codes[TILE_BLOCKS][EIGHTS][PAIRS]; // 8 inputs of 2 rows
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

LOCAL void put_codes(tile *t, size_t b, size_t pair, const code_pair codes[GROUP]) {
    t->codes[b][0][pair] = first_eights(codes[0].first, codes[1].first);
    t->codes[b][1][pair] = last_eights(codes[0].first, codes[1].first);
    t->codes[b][2][pair] = first_eights(codes[0].last, codes[1].last);
    t->codes[b][3][pair] = last_eights(codes[0].last, codes[1].last);
}

LOCAL void put_floats(tile *t, size_t b, size_t part, size_t row, float scale, float addend) {
    vst1_f32((float *)t->scales[b][part] + 2 * row, vdup_n_f32(scale));
    vst1_f32((float *)t->addends[b][part] + 2 * row, vdup_n_f32(addend));
}

#include "arm_neon_unpack.h"

typedef struct {
    float32x4_t floats[PAIRS][COLUMN_PAIRS];
    int32x4_t ints[PAIRS][COLUMN_PAIRS];
} tile_sums;

// 16 inputs: the first or last half of the tile's block i, where x is.
LOCAL void add_products(
    tile_sums *s, const tile *t, size_t i, const activation_row *x, const size_t half) {
    int8x16_t first[COLUMN_PAIRS], last[COLUMN_PAIRS];
    for (size_t c = 0; c < COLUMN_PAIRS; c++) {
        const int8x16_t even = vld1q_s8(x[2 * c].codes + 16 * half);
        const int8x16_t odd = vld1q_s8(x[2 * c + 1].codes + 16 * half);
        first[c] = first_eights(even, odd);
        last[c] = last_eights(even, odd);
    }
    for (size_t pair = 0; pair < PAIRS; pair++)
        for (size_t c = 0; c < COLUMN_PAIRS; c++)
            s->ints[pair][c] = vmmlaq_s32(s->ints[pair][c], t->codes[i][2 * half][pair], first[c]);
    for (size_t pair = 0; pair < PAIRS; pair++)
        for (size_t c = 0; c < COLUMN_PAIRS; c++)
            s->ints[pair][c] = vmmlaq_s32(s->ints[pair][c], t->codes[i][2 * half + 1][pair], last[c]);
}

// One number of two columns, in the order of their sums.
LOCAL float32x4_t alternating(const uint8_t *a, const uint8_t *b, size_t index) {
    return vzip1q_f32(vdupq_n_f32(load_float(a, index)), vdupq_n_f32(load_float(b, index)));
}

// The float step of a block, or of one of its halves; integer sums begin anew.
LOCAL void add_floats(
    tile_sums *s, const tile *t, size_t i, const activation_row *x, const size_t part, const int format) {
    for (size_t c = 0; c < COLUMN_PAIRS; c++) {
        const activation_row *a = x + 2 * c;
        const float32x4_t scales = alternating(a[0].scales, a[1].scales, 0);
        float32x4_t offsets = scales;
        if (has_addends(format))
            offsets = has_halves(format) ? alternating(a[0].half_offsets, a[1].half_offsets, part)
                                         : alternating(a[0].offsets, a[1].offsets, 0);
        for (size_t pair = 0; pair < PAIRS; pair++) {
            float32x4_t *sum = &s->floats[pair][c];
            *sum = vfmaq_f32(*sum, vcvtq_f32_s32(s->ints[pair][c]), vmulq_f32(t->scales[i][part][pair], scales));
            if (has_addends(format)) *sum = vfmaq_f32(*sum, t->addends[i][part][pair], offsets);
            s->ints[pair][c] = vdupq_n_s32(0);
        }
    }
}

#include "arm_neon_columns.h"

LOCAL float32x4_t load_quad(const float *dst, size_t first, size_t rows) {
    return rows > first ? load_some(dst, first, rows - first, F32) : vdupq_n_f32(0);
}

LOCAL void store_quad(float *dst, float32x4_t values, size_t first, size_t rows) {
    if (rows > first) store_some(dst + first, values, rows - first);
}

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, size_t present, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    tile_sums s;
    for (size_t c = 0; c < COLUMN_PAIRS; c++) {
        const float *even = dst + min_size(2 * c, present - 1) * p->dst_stride;
        const float *odd = dst + min_size(2 * c + 1, present - 1) * p->dst_stride;
        for (size_t quad = 0; quad < 2; quad++) {
            s.ints[2 * quad][c] = s.ints[2 * quad + 1][c] = vdupq_n_s32(0);
            s.floats[2 * quad][c] = s.floats[2 * quad + 1][c] = vdupq_n_f32(0);
            if (first_block == 0) continue;
            const float32x4_t a = load_quad(even, quad * LANES, rows), b = load_quad(odd, quad * LANES, rows);
            s.floats[2 * quad][c] = vzip1q_f32(a, b);
            s.floats[2 * quad + 1][c] = vzip2q_f32(a, b);
        }
    }
    add_blocks(&s, t, p, first_column, present, first_block, blocks, format);
    for (size_t c = 0; c < COLUMN_PAIRS; c++)
        for (size_t quad = 0; 2 * c < present && quad < 2; quad++) {
            const float32x4_t a = s.floats[2 * quad][c], b = s.floats[2 * quad + 1][c];
            store_quad(dst + 2 * c * p->dst_stride, vuzp1q_f32(a, b), quad * LANES, rows);
            if (2 * c + 1 < present)
                store_quad(dst + (2 * c + 1) * p->dst_stride, vuzp2q_f32(a, b), quad * LANES, rows);
        }
}
