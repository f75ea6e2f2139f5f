// The kernel. For each block of 64 rows and 32 inputs, and each activation row:
//
//   products = Σ (code − zero) · activation code        16 bits, exact or halved a few times: see `add_block`
//   scale    = weight scale · mantissa / 2^15           rounded, 15 bits and sign
//   sum     += (products · scale) >> shift
//
// and for each output one float step: sum · 2^(exponents). The shift truncates, which takes half a unit from
// each block on average; `rounding` gives it back once per row.
//
// Bounds: |products| ≤ 32512 in a block, or in its halves together; |scale| ≤ 32767, and as much again with minima.
// That is below 2^31, and 1023 blocks shifted by 10 are, too.
#include "matmul.h"

#include "matmul_blocks.h"
#include "stream.h"

#define ROLLED _Pragma("GCC unroll 1")
// The loop is software pipelined by hand: see `add_blocks`.
#if defined(__hexagon__)
#define OVERLAPPED _Pragma("clang loop pipeline(disable) unroll(disable)")
#else
#define OVERLAPPED ROLLED
#endif

// What the sums of a row begin with, and those of a ternary group.
ALWAYS HVX_Vector begin_row(uint32_t kind, const activation_row *row) {
    return Q6_V_vsplat_R(kind == HTP_TILES_TERNARY           ? row->ternary_start
                             : kind == HTP_TILES_TERNARY_GROUPS ? 0
                                                                : row->rounding);
}
ALWAYS void begin_sums(const rows_of_pass *rows, uint32_t block, row_sums *sums) {
    EACH_ROW(rows->count) sums->low[r] = sums->high[r] = Q6_V_vsplat_R(rows->row[r]->ternary_starts[block / 8]);
}

// sums · scale / 2^15
ALWAYS HVX_Vector scaled_low(HVX_Vector sums, HVX_Vector scale) {
    return Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums, Q6_Vw_vasl_VwR(scale, 16));
}
ALWAYS HVX_Vector scaled_high(HVX_Vector sums, HVX_Vector scale) {
    return Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums, scale);
}

ALWAYS void add_group(const rows_of_pass *rows, HVX_Vector scale, const row_sums *group, row_sums *sums) {
    EACH_ROW(rows->count) {
        sums->low[r] = Q6_Vw_vadd_VwVw(sums->low[r], scaled_low(group->low[r], scale));
        sums->high[r] = Q6_Vw_vadd_VwVw(sums->high[r], scaled_high(group->high[r], scale));
    }
}

// Blocks that are fetched together: at most `STREAM_BYTES_MAX`. The eight of ternary groups share a scale, too.
ALWAYS uint32_t stretch_of(uint32_t kind) {
    const uint32_t bytes = htp_tile_parts_of(kind).block;
    if (kind == HTP_TILES_TERNARY_GROUPS) return 8;
    return bytes <= 1152 ? 32 : bytes <= 1408 ? 26 : bytes <= 1792 ? 20 : bytes <= 2176 ? 16 : 11;
}

// Fetches the stretch of blocks that begins with `first`, unless that is the end.
ALWAYS void fetch_stretch(uint32_t stretch, uint32_t block_bytes, const row_tile_parts *parts,
                          const rows_of_pass *rows, uint32_t blocks, uint32_t first) {
    if (!rows->is_first || first >= blocks) return;
    const uint32_t left = blocks - first;
    stream_fetch(parts->blocks + first * block_bytes, (left < stretch ? left : stretch) * block_bytes);
}

// Adds blocks first … last − 1 of a row tile; of ternary groups, one group.
ALWAYS void add_range(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                      uint32_t first, uint32_t last, row_sums *sums) {
    ROLLED for (uint32_t block = first; block < last; block++) {
        open_block alone;
        begin_block(kind, parts, table, rows, block, &alone);
        finish_block(kind, rows->count, &alone, sums);
    }
}

// The same for overlapped blocks, of a whole row tile: what is fetched and what shares a scale is seen to here, since
// every beginning would cost a block's time.
ALWAYS void add_overlapping(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                            uint32_t blocks, row_sums *sums) {
    const int is_grouped = kind == HTP_TILES_TERNARY_GROUPS;
    const uint32_t stretch = stretch_of(kind);
    open_block o;
    row_sums group = *sums;
    uint32_t next = 1;
    begin_block(kind, parts, table, rows, 0, &o);
    for (uint32_t first = 0; !is_grouped || first < blocks; first += stretch) {
        const int is_last = blocks - first <= stretch;
        const uint32_t end = is_last ? blocks : first + stretch + 1;
        fetch_stretch(stretch, htp_tile_parts_of(kind).block, parts, rows, blocks, first + stretch);
        if (is_grouped) begin_sums(rows, first, &group);
        OVERLAPPED for (; next < end; next++) {
            finish_block(kind, rows->count, &o, &group);
            begin_block(kind, parts, table, rows, next, &o);
        }
        if (is_last) finish_block(kind, rows->count, &o, &group);
        if (is_grouped) add_group(rows, hvx_load(parts->groups + first / 8 * HVX_BYTES), &group, sums);
        if (!is_grouped && is_last) break;
    }
    if (!is_grouped) *sums = group;
}

// 2^(exponents + exponent) as floats, 0 or infinity outside the range of normal floats, and 0 where the sum is 0: zero
// times infinity would be a NaN, and which one differs between processors. The weights' exponents are the host's and
// may be any number.
ALWAYS HVX_Vector powers(HVX_Vector exponents, int32_t exponent, HVX_Vector sums) {
    const HVX_Vector most = Q6_V_vsplat_R(1 << 20), zero = Q6_V_vzero();
    exponents = Q6_Vw_vmin_VwVw(Q6_Vw_vmax_VwVw(exponents, Q6_Vw_vsub_VwVw(zero, most)), most);
    HVX_Vector biased = Q6_Vw_vadd_VwVw(exponents, Q6_V_vsplat_R(exponent + 127));
    biased = Q6_Vw_vmin_VwVw(Q6_Vw_vmax_VwVw(biased, zero), Q6_V_vsplat_R(255));
    HVX_Vector any_bit = Q6_V_vor_VV(sums, Q6_Vw_vsub_VwVw(zero, sums));
    return Q6_V_vand_VV(Q6_Vw_vasl_VwR(biased, 23), Q6_Vw_vasr_VwR(any_bit, 31));
}

// Adds blocks first … last − 1 of a row tile to the sums of the activation rows of a pass: rows 0 … 31, rows 32 … 63 of
// the first, and so on. The range is a stretch, or the whole row tile. A function for each kind and number of rows, so
// that no two share the registers.
typedef void tile_sums(const row_tile_parts *parts, uint32_t first, uint32_t last, const rows_of_pass *rows,
                       HVX_Vector *sums);

ALWAYS void tile_sums_of(uint32_t kind, int count, const row_tile_parts *at, uint32_t first, uint32_t last,
                         const rows_of_pass *pass, HVX_Vector *results) {
    const row_tile_parts parts = *at;
    const HVX_Vector table = table_of(kind);
    rows_of_pass rows = {.count = count, .is_first = pass->is_first};
    row_sums sums;
    EACH_ROW(count) {
        rows.row[r] = pass->row[r];
        sums.low[r] = results[2 * r];
        sums.high[r] = results[2 * r + 1];
    }
    if (is_overlapped(kind, count)) {
        add_overlapping(kind, &parts, table, &rows, last, &sums);
    } else if (kind == HTP_TILES_TERNARY_GROUPS) {
        row_sums group;
        begin_sums(&rows, first, &group);
        add_range(kind, &parts, table, &rows, first, last, &group);
        add_group(&rows, hvx_load(parts.groups + first / 8 * HVX_BYTES), &group, &sums);
    } else {
        add_range(kind, &parts, table, &rows, first, last, &sums);
    }
    EACH_ROW(count) {
        results[2 * r] = sums.low[r];
        results[2 * r + 1] = sums.high[r];
    }
}

#define SUMS(NAME, KIND, COUNT)                                                                              \
    __attribute__((noinline)) static void NAME##_##COUNT(                                                    \
        const row_tile_parts *parts, uint32_t first, uint32_t last, const rows_of_pass *rows, HVX_Vector *sums) { \
        tile_sums_of(KIND, COUNT, parts, first, last, rows, sums);                                           \
    }
// The host's build has as little code as will do.
#if defined(__hexagon__)
#define OF_KIND(NAME, KIND) SUMS(NAME, KIND, 1) SUMS(NAME, KIND, 2) SUMS(NAME, KIND, 3) SUMS(NAME, KIND, 4)
#define ENTRY(NAME, KIND)                                                                                    \
    case KIND: return count == 4 ? NAME##_4 : count == 3 ? NAME##_3 : count == 2 ? NAME##_2 : NAME##_1;
#else
#define OF_KIND(NAME, KIND) SUMS(NAME, KIND, 1) SUMS(NAME, KIND, 4)
#define ENTRY(NAME, KIND)                                                                                    \
    case KIND: return count == 4 ? NAME##_4 : NAME##_1;
#endif
#define KINDS(F)                                                                                             \
    F(ternary, HTP_TILES_TERNARY)                                                                            \
    F(ternary_groups, HTP_TILES_TERNARY_GROUPS)                                                              \
    F(two_bit, HTP_TILES_2BIT_FACTORS)                                                                       \
    F(three_bit, HTP_TILES_3BIT_FACTORS)                                                                     \
    F(four_bit, HTP_TILES_4BIT)                                                                              \
    F(four_bit_minima, HTP_TILES_4BIT_MINIMA)                                                                \
    F(five_bit, HTP_TILES_5BIT)                                                                              \
    F(five_bit_minima, HTP_TILES_5BIT_MINIMA)                                                                \
    F(six_bit, HTP_TILES_6BIT_HALVES)                                                                        \
    F(eight_bit, HTP_TILES_8BIT)                                                                             \
    F(twelve_bit, HTP_TILES_12BIT)                                                                           \
    F(iq4nl, HTP_TILES_IQ4NL)                                                                                \
    F(fp4, HTP_TILES_FP4)
KINDS(OF_KIND)

static tile_sums *tile_sums_for(uint32_t kind, uint32_t count) {
    switch (kind) { KINDS(ENTRY) default: return NULL; }
}

// Activation rows for which there is a function, at most `count`.
static uint32_t rows_of_next_pass(uint32_t count) {
#if defined(__hexagon__)
    return count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;
#else
    return count < ROWS_AT_ONCE ? 1 : ROWS_AT_ONCE;
#endif
}

// What is the same for all row tiles of a product.
typedef struct product {
    const matmul *of;
    htp_tile_parts bytes;
    uint64_t tile_bytes;
    uint32_t head_bytes, stretch;
    int exponent;
} product;

static product product_of(const matmul *m) {
    return (product){
        .of = m,
        .bytes = htp_tile_parts_of(m->kind),
        .tile_bytes = htp_row_tile_bytes(m->kind, m->in),
        .head_bytes = (uint32_t)htp_row_tile_blocks_offset(m->kind, m->in),
        .stretch = stretch_of(m->kind),
        .exponent = exponent_of(m->kind),
    };
}

// All sums of a row tile for a pass. What is to be read after it begins at `then`, or NULL.
static void add_tile(const product *p, const uint8_t *weights, const rows_of_pass *rows, const uint8_t *then,
                     HVX_Vector *sums) {
    const uint32_t kind = p->of->kind, blocks = p->of->in / HTP_TILE_COLUMNS, stretch = p->stretch;
    const row_tile_parts parts = parts_at(p->bytes, weights, p->of->in);
    tile_sums *const add = tile_sums_for(kind, (uint32_t)rows->count);
    for (int r = 0; r < rows->count; r++) sums[2 * r] = sums[2 * r + 1] = begin_row(kind, rows->row[r]);
    // The head of the next row tile and its first stretch, in as many bytes as one fetch may have.
    if (then) stream_fetch(then, p->head_bytes + stretch * p->bytes.block);
    if (is_overlapped(kind, rows->count)) {
        add(&parts, 0, blocks, rows, sums);
    } else {
        for (uint32_t first = 0; first < blocks; first += stretch) {
            fetch_stretch(stretch, p->bytes.block, &parts, rows, blocks, first + stretch);
            add(&parts, first, blocks - first < stretch ? blocks : first + stretch, rows, sums);
        }
    }
    if (kind != HTP_TILES_TERNARY) return;
    const HVX_Vector scale = hvx_load(weights + 2 * HVX_BYTES);
    for (int r = 0; r < rows->count; r++) {
        sums[2 * r] = scaled_low(sums[2 * r], scale);
        sums[2 * r + 1] = scaled_high(sums[2 * r + 1], scale);
    }
}

// The float step: one row of a row tile's results.
static void write_results(const product *p, uint32_t tile, const activation_row *activations, const uint8_t *weights,
                          const HVX_Vector *sums, uint8_t *destination) {
    const uint32_t row = tile * HTP_TILE_ROWS, left = p->of->out - row;
    const uint32_t outputs = left < HTP_TILE_ROWS ? left : HTP_TILE_ROWS;
    const int32_t exponent = activations->exponent + p->exponent;
    float factors[HTP_TILE_ROWS] __attribute__((aligned(HVX_BYTES)));
    hvx_store(factors, powers(hvx_load(weights), exponent, sums[0]));
    hvx_store(factors + 32, powers(hvx_load(weights + HVX_BYTES), exponent, sums[1]));
    const int32_t *words = (const int32_t *)(const void *)sums;
    float *results = (float *)(void *)(destination + row * sizeof(float));
    for (uint32_t i = 0; i < outputs; i++) results[i] = (float)words[i] * factors[i];
}

// The rows that a product takes: all of them, or those of a list.
typedef struct selection {
    const uint32_t *indices; // NULL: all
    uint32_t count;
} selection;

// Activation rows that are multiplied with all row tiles before the next ones are: so many that they and a row tile for
// each thread stay in a second level cache of a megabyte. Weights are read from memory once for them.
#define NEAR_BYTES (256 * 1024)
static uint32_t rows_near(uint32_t columns) {
    const uint32_t row_bytes = 2 * columns;
    uint32_t rows = ROWS_AT_ONCE;
    while (rows < 64 && 2 * rows * row_bytes <= NEAR_BYTES) rows *= 2;
    return rows;
}

static void selected_tiles(const matmul *m, const selection *selected, uint32_t first, uint32_t last, uint32_t step) {
    const product p = product_of(m);
    const uint32_t near = rows_near(m->in);
    for (uint32_t begin = 0; begin < selected->count; begin += near) {
        const uint32_t end = selected->count - begin < near ? selected->count : begin + near;
        for (uint32_t tile = first; tile < last; tile += step) {
            const uint8_t *weights = m->weights + tile * p.tile_bytes;
            const uint8_t *next = last - tile > step ? weights + step * p.tile_bytes : NULL;
            uint32_t count;
            for (uint32_t row = begin; row < end; row += count) {
                count = rows_of_next_pass(end - row);
                rows_of_pass rows = {.count = (int)count, .is_first = row == begin};
                uint8_t *destinations[ROWS_AT_ONCE];
                HVX_Vector sums[2 * ROWS_AT_ONCE];
                for (uint32_t r = 0; r < count; r++) {
                    const uint32_t index = selected->indices ? selected->indices[row + r] : row + r;
                    rows.row[r] = m->activations + index;
                    destinations[r] = m->destination + index * m->stride;
                }
                add_tile(&p, weights, &rows, row + count == end ? next : NULL, sums);
                for (uint32_t r = 0; r < count; r++)
                    write_results(&p, tile, rows.row[r], weights, sums + 2 * r, destinations[r]);
            }
        }
    }
}

void matmul_tiles(const matmul *m, uint32_t first, uint32_t last, uint32_t step) {
    selected_tiles(m, &(selection){NULL, m->rows}, first, last, step);
}

void matmul_indexed_tiles(const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count, uint32_t first,
                          uint32_t last, uint32_t step) {
    matmul one = *m;
    one.weights += expert * htp_tiles_bytes(m->kind, m->out, m->in);
    selected_tiles(&one, &(selection){indices, count}, first, last, step);
}
