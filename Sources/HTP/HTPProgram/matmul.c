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

#define ROLLED _Pragma("GCC unroll 1")
// The loop is software pipelined by hand: see `add_blocks`.
#if defined(__hexagon__)
#define OVERLAPPED _Pragma("clang loop pipeline(disable) unroll(disable)")
#else
#define OVERLAPPED ROLLED
#endif

// Adds blocks first … last − 1. `o` is block `first` when they overlap, and then block `last` unless that is the end.
ALWAYS void add_range(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                      uint32_t first, uint32_t last, int is_end, open_block *o, row_sums *sums) {
    if (is_overlapped(kind, rows->count)) {
        const uint32_t begun = is_end ? last : last + 1;
        OVERLAPPED for (uint32_t block = first + 1; block < begun; block++) {
            finish_block(kind, rows->count, o, sums);
            begin_block(kind, parts, table, rows, block, block + (block + 1 < begun), o);
        }
        if (is_end) finish_block(kind, rows->count, o, sums);
    } else {
        ROLLED for (uint32_t block = first; block < last; block++) {
            begin_block(kind, parts, table, rows, block, block, o);
            finish_block(kind, rows->count, o, sums);
        }
    }
}

ALWAYS void begin_sums(uint32_t kind, const rows_of_pass *rows, uint32_t block, row_sums *sums) {
    for (int r = 0; r < rows->count; r++) {
        const activation_row *row = rows->row[r];
        const int32_t start = kind == HTP_TILES_TERNARY ? row->ternary_start
            : kind == HTP_TILES_TERNARY_GROUPS          ? row->ternary_starts[block / 8]
                                                        : row->rounding;
        sums->low[r] = sums->high[r] = Q6_V_vsplat_R(start);
    }
}

// sums · scale / 2^15
ALWAYS HVX_Vector scaled_low(HVX_Vector sums, HVX_Vector scale) {
    return Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums, Q6_Vw_vasl_VwR(scale, 16));
}
ALWAYS HVX_Vector scaled_high(HVX_Vector sums, HVX_Vector scale) {
    return Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums, scale);
}

ALWAYS void add_group(const rows_of_pass *rows, HVX_Vector scale, const row_sums *group, row_sums *sums) {
    for (int r = 0; r < rows->count; r++) {
        sums->low[r] = Q6_Vw_vadd_VwVw(sums->low[r], scaled_low(group->low[r], scale));
        sums->high[r] = Q6_Vw_vadd_VwVw(sums->high[r], scaled_high(group->high[r], scale));
    }
}

// The sums of a row tile's blocks.
ALWAYS void add_blocks(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                       uint32_t blocks, row_sums *sums) {
    open_block o;
    if (is_overlapped(kind, rows->count)) {
        o.first = first_word(parts->blocks);
        begin_block(kind, parts, table, rows, 0, blocks > 1, &o);
    }
    if (kind != HTP_TILES_TERNARY_GROUPS) {
        begin_sums(kind, rows, 0, sums);
        add_range(kind, parts, table, rows, 0, blocks, 1, &o, sums);
        return;
    }
    for (int r = 0; r < rows->count; r++) sums->low[r] = sums->high[r] = Q6_V_vzero();
    const uint8_t *scale = parts->groups;
    row_sums group;
    uint32_t block = 0;
    ROLLED for (; blocks - block > 8; block += 8, scale += HVX_BYTES) {
        begin_sums(kind, rows, block, &group);
        add_range(kind, parts, table, rows, block, block + 8, 0, &o, &group);
        add_group(rows, hvx_load(scale), &group, sums);
    }
    begin_sums(kind, rows, block, &group);
    add_range(kind, parts, table, rows, block, blocks, 1, &o, &group);
    add_group(rows, hvx_load(scale), &group, sums);
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

// The sums of a row tile for the activation rows of a pass: rows 0 … 31, rows 32 … 63 of the first, and so on. A
// function for each kind and number of rows, so that no two share the registers.
typedef void tile_sums(const uint8_t *tile, uint32_t columns, const rows_of_pass *rows, HVX_Vector *sums);

ALWAYS void tile_sums_of(uint32_t kind, int count, const uint8_t *tile, uint32_t columns, const rows_of_pass *pass,
                         HVX_Vector *results) {
    rows_of_pass rows = {.count = count};
    for (int r = 0; r < count; r++) rows.row[r] = pass->row[r];
    const row_tile_parts parts = parts_at(kind, tile, columns);
    const int has_table = kind == HTP_TILES_FP4 || kind == HTP_TILES_IQ4NL;
    const HVX_Vector table = has_table ? table_of(kind) : Q6_V_vzero();
    row_sums sums;
    add_blocks(kind, &parts, table, &rows, columns / HTP_TILE_COLUMNS, &sums);
    if (kind == HTP_TILES_TERNARY) {
        const HVX_Vector scale = hvx_load(tile + 2 * HVX_BYTES);
        for (int r = 0; r < count; r++) {
            sums.low[r] = scaled_low(sums.low[r], scale);
            sums.high[r] = scaled_high(sums.high[r], scale);
        }
    }
    for (int r = 0; r < count; r++) {
        results[2 * r] = sums.low[r];
        results[2 * r + 1] = sums.high[r];
    }
}

#define SUMS(NAME, KIND, COUNT)                                                                              \
    __attribute__((noinline)) static void NAME##_##COUNT(                                                    \
        const uint8_t *tile, uint32_t columns, const rows_of_pass *rows, HVX_Vector *sums) {                 \
        tile_sums_of(KIND, COUNT, tile, columns, rows, sums);                                                \
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

// The float step: one row of a row tile's results.
static void write_results(const matmul *m, uint32_t tile, const activation_row *activations, const uint8_t *weights,
                          const HVX_Vector *sums, uint8_t *destination) {
    const uint32_t row = tile * HTP_TILE_ROWS;
    const uint32_t outputs = m->out - row < HTP_TILE_ROWS ? m->out - row : HTP_TILE_ROWS;
    const int32_t exponent = activations->exponent + exponent_of(m->kind);
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

static void selected_tiles(const matmul *m, const selection *selected, uint32_t first, uint32_t last) {
    const uint64_t tile_bytes = htp_row_tile_bytes(m->kind, m->in);
    for (uint32_t tile = first; tile < last; tile++) {
        const uint8_t *weights = m->weights + tile * tile_bytes;
        uint32_t count;
        for (uint32_t row = 0; row < selected->count; row += count) {
            count = rows_of_next_pass(selected->count - row);
            rows_of_pass rows = {.count = (int)count};
            uint8_t *destinations[ROWS_AT_ONCE];
            HVX_Vector sums[2 * ROWS_AT_ONCE];
            for (uint32_t r = 0; r < count; r++) {
                const uint32_t index = selected->indices ? selected->indices[row + r] : row + r;
                rows.row[r] = m->activations + index;
                destinations[r] = m->destination + index * m->stride;
            }
            tile_sums_for(m->kind, count)(weights, m->in, &rows, sums);
            for (uint32_t r = 0; r < count; r++)
                write_results(m, tile, rows.row[r], weights, sums + 2 * r, destinations[r]);
        }
    }
}

void matmul_tiles(const matmul *m, uint32_t first, uint32_t last) {
    selected_tiles(m, &(selection){NULL, m->rows}, first, last);
}

void matmul_indexed_tiles(
    const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count, uint32_t first, uint32_t last) {
    matmul one = *m;
    one.weights += expert * htp_tiles_bytes(m->kind, m->out, m->in);
    selected_tiles(&one, &(selection){indices, count}, first, last);
}
