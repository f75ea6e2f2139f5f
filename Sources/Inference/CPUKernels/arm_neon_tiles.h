// Many columns: a vector holds four weights of each of 4 rows. Part of arm_neon_dotprod.c.
//
// A tile of 8 rows is taken apart once for all columns. Four inputs of a column are a lane of its vector of codes,
// which the product takes as it is: 8 rows by 4 columns are 8 integer and 8 float sums, all in registers.
enum {
    QUADS = 2, GROUP = LANES, TILE_ROWS = QUADS * GROUP, TILE_BLOCKS = 32, TILE_COLUMNS = 4, FOURS = BLOCK / 4,
};

typedef struct {
    int8x16_t codes[TILE_BLOCKS][FOURS][QUADS]; // 4 inputs of 4 rows
    // Of 4 rows: of a block, or of each half of it.
    float32x4_t scales[TILE_BLOCKS][2][QUADS], addends[TILE_BLOCKS][2][QUADS];
} tile;

// Inputs 4 i ... 4 i + 3 of the rows become out[i * QUADS].
LOCAL void transpose(int8x16_t a, int8x16_t b, int8x16_t c, int8x16_t d, int8x16_t *out) {
    const int32x4_t wide[4] = {
        vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b), vreinterpretq_s32_s8(c), vreinterpretq_s32_s8(d)};
    const int64x2_t even_ab = vreinterpretq_s64_s32(vtrn1q_s32(wide[0], wide[1]));
    const int64x2_t odd_ab = vreinterpretq_s64_s32(vtrn2q_s32(wide[0], wide[1]));
    const int64x2_t even_cd = vreinterpretq_s64_s32(vtrn1q_s32(wide[2], wide[3]));
    const int64x2_t odd_cd = vreinterpretq_s64_s32(vtrn2q_s32(wide[2], wide[3]));
    out[0 * QUADS] = vreinterpretq_s8_s64(vtrn1q_s64(even_ab, even_cd));
    out[1 * QUADS] = vreinterpretq_s8_s64(vtrn1q_s64(odd_ab, odd_cd));
    out[2 * QUADS] = vreinterpretq_s8_s64(vtrn2q_s64(even_ab, even_cd));
    out[3 * QUADS] = vreinterpretq_s8_s64(vtrn2q_s64(odd_ab, odd_cd));
}

LOCAL void put_codes(tile *t, size_t b, size_t quad, const code_pair codes[GROUP]) {
    transpose(codes[0].first, codes[1].first, codes[2].first, codes[3].first, &t->codes[b][0][quad]);
    transpose(codes[0].last, codes[1].last, codes[2].last, codes[3].last, &t->codes[b][4][quad]);
}

LOCAL void put_floats(tile *t, size_t b, size_t part, size_t row, float scale, float addend) {
    ((float *)t->scales[b][part])[row] = scale;
    ((float *)t->addends[b][part])[row] = addend;
}

#include "arm_neon_unpack.h"

typedef struct {
    float32x4_t floats[QUADS][TILE_COLUMNS];
    int32x4_t ints[QUADS][TILE_COLUMNS];
} tile_sums;

// The instruction has its lane as a constant.
LOCAL int32x4_t dot_lane(int32x4_t sums, int8x16_t w, int8x16_t x, const size_t lane) {
    switch (lane) {
    case 0: return vdotq_laneq_s32(sums, w, x, 0);
    case 1: return vdotq_laneq_s32(sums, w, x, 1);
    case 2: return vdotq_laneq_s32(sums, w, x, 2);
    default: return vdotq_laneq_s32(sums, w, x, 3);
    }
}

// 16 inputs: the first or last half of the tile's block i, where x is.
LOCAL void add_products(
    tile_sums *s, const tile *t, size_t i, const activation_row *x, const size_t half) {
    int8x16_t codes[TILE_COLUMNS];
    for (size_t c = 0; c < TILE_COLUMNS; c++) codes[c] = vld1q_s8(x[c].codes + 16 * half);
    // Without being told to, clang 21 leaves a loop over lanes, with branches to their instructions.
    UNROLLED for (size_t four = 0; four < 4; four++)
        UNROLLED for (size_t quad = 0; quad < QUADS; quad++)
            UNROLLED for (size_t c = 0; c < TILE_COLUMNS; c++)
                s->ints[quad][c] = dot_lane(s->ints[quad][c], t->codes[i][4 * half + four][quad], codes[c], four);
}

// The float step of a block, or of one of its halves; integer sums begin anew.
LOCAL void add_floats(
    tile_sums *s, const tile *t, size_t i, const activation_row *x, const size_t part, const int format) {
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        const float scale = load_float(x[c].scales, 0);
        float offset = 0;
        if (has_addends(format))
            offset = has_halves(format) ? load_float(x[c].half_offsets, part) : load_float(x[c].offsets, 0);
        for (size_t quad = 0; quad < QUADS; quad++) {
            float32x4_t *sum = &s->floats[quad][c];
            const float32x4_t scales = vmulq_n_f32(t->scales[i][part][quad], scale);
            *sum = vfmaq_f32(*sum, vcvtq_f32_s32(s->ints[quad][c]), scales);
            if (has_addends(format)) *sum = vfmaq_n_f32(*sum, t->addends[i][part][quad], offset);
            s->ints[quad][c] = vdupq_n_s32(0);
        }
    }
}

#include "arm_neon_columns.h"

LOCAL void multiply_tile(
    const tile *t, const cpu_product *p, size_t first_column, size_t present, size_t first_block, size_t blocks,
    float *dst, size_t rows, const int format) {
    tile_sums s;
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        const float *before = dst + min_size(c, present - 1) * p->dst_stride;
        for (size_t quad = 0; quad < QUADS; quad++) {
            s.ints[quad][c] = vdupq_n_s32(0);
            s.floats[quad][c] = first_block && rows > quad * LANES
                                    ? load_some(before, quad * LANES, rows - quad * LANES, F32)
                                    : vdupq_n_f32(0);
        }
    }
    add_blocks(&s, t, p, first_column, present, first_block, blocks, format);
    for (size_t c = 0; c < TILE_COLUMNS; c++)
        for (size_t quad = 0; c < present && quad < QUADS && rows > quad * LANES; quad++)
            store_some(dst + c * p->dst_stride + quad * LANES, s.floats[quad][c], rows - quad * LANES);
}
