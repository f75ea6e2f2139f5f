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

#include "float_step.h"
#include "hvx_rows.h"
#include "matmul_blocks.h"
#include "stream.h"

#define ROLLED _Pragma("GCC unroll 1")
// The loop is software pipelined by hand: see `add_overlapping`.
#if defined(__hexagon__)
#define OVERLAPPED _Pragma("clang loop pipeline(disable) unroll(disable)")
#else
#define OVERLAPPED ROLLED
#endif

// What the sums of a row begin with, and those of a ternary group.
static int32_t start_of_row(uint32_t kind, const activation_row *row) {
    return kind == HTP_TILES_TERNARY ? row->ternary_start : kind == HTP_TILES_TERNARY_GROUPS ? 0 : row->rounding;
}
ALWAYS void begin_sums(const rows_of_pass *rows, uint32_t block, row_sums *sums) {
    EACH_ROW(rows->count) sums->low[r] = sums->high[r] = Q6_V_vsplat_R(rows->row[r].ternary_starts[block / 8]);
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

// Blocks that are fetched together: at most `STREAM_BYTES_MAX`.
ALWAYS uint32_t stretch_of(uint32_t kind) {
    const uint32_t bytes = htp_tile_parts_of(kind).block;
    return bytes <= 1152 ? 32 : bytes <= 1408 ? 26 : bytes <= 1792 ? 20 : bytes <= 2176 ? 16 : 11;
}

// Blocks that are added to the same sums without a pause: a stretch, or the ternary group that has a scale.
ALWAYS uint32_t run_of(uint32_t kind) { return kind == HTP_TILES_TERNARY_GROUPS ? 8 : stretch_of(kind); }

// Before block `first`, fetches the stretch behind its own, if there is one to be fetched.
ALWAYS void fetch_ahead(uint32_t kind, const row_tile_parts *parts, const rows_of_pass *rows, uint32_t first) {
    const uint32_t stretch = stretch_of(kind), block_bytes = htp_tile_parts_of(kind).block;
    if (run_of(kind) < stretch && first % stretch != 0) return;
    first += stretch;
    if (first >= rows->fetched) return;
    const uint32_t left = rows->fetched - first;
    stream_fetch(parts->blocks + first * block_bytes, (left < stretch ? left : stretch) * block_bytes);
}

// Adds a number of blocks to the sums, block by block.
ALWAYS void add_blocks(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                       uint32_t blocks, row_sums *sums) {
    const int is_grouped = kind == HTP_TILES_TERNARY_GROUPS;
    const uint32_t run = run_of(kind);
    ROLLED for (uint32_t first = 0; first < blocks; first += run) {
        const uint32_t end = blocks - first < run ? blocks : first + run;
        fetch_ahead(kind, parts, rows, first);
        row_sums group;
        if (is_grouped) begin_sums(rows, first, &group);
        ROLLED for (uint32_t block = first; block < end; block++) {
            open_block alone;
            begin_block(kind, parts, table, rows, block, &alone);
            finish_block(kind, rows->count, &alone, is_grouped ? &group : sums);
        }
        if (is_grouped) add_group(rows, hvx_load(parts->groups + first / 8 * HVX_BYTES), &group, sums);
    }
}

// The same with a block's end in the next one's beginning. Every run that began anew would cost a block's time.
ALWAYS void add_overlapping(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                            uint32_t blocks, row_sums *sums) {
    const int is_grouped = kind == HTP_TILES_TERNARY_GROUPS;
    const uint32_t run = run_of(kind);
    open_block o;
    row_sums group = *sums;
    uint32_t next = 1;
    begin_block(kind, parts, table, rows, 0, &o);
    for (uint32_t first = 0; !is_grouped || first < blocks; first += run) {
        const int is_last = blocks - first <= run;
        const uint32_t end = is_last ? blocks : first + run + 1;
        fetch_ahead(kind, parts, rows, first);
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

// Sums of blocks of a row tile for the activation rows of a pass: rows 0 … 31, rows 32 … 63 of the first, and so on.
// The blocks' parts are `offset` bytes behind `parts`. A function for each kind and number of rows, so that no two share
// the registers.
typedef void tile_sums(const row_tile_parts *parts, uint64_t offset, uint32_t blocks, const rows_of_pass *rows,
                       HVX_Vector *sums);

ALWAYS void tile_sums_of(uint32_t kind, int count, const row_tile_parts *at, uint64_t offset, uint32_t blocks,
                         const rows_of_pass *pass, HVX_Vector *results) {
    const row_tile_parts parts = parts_moved(at, offset);
    const HVX_Vector table = table_of(kind);
    rows_of_pass rows = {.count = count, .fetched = pass->fetched};
    row_sums sums;
    EACH_ROW(count) {
        rows.row[r] = pass->row[r];
        sums.low[r] = sums.high[r] = Q6_V_vsplat_R(rows.row[r].start);
    }
    if (is_overlapped(kind, count))
        add_overlapping(kind, &parts, table, &rows, blocks, &sums);
    else
        add_blocks(kind, &parts, table, &rows, blocks, &sums);
    EACH_ROW(count) {
        results[2 * r] = sums.low[r];
        results[2 * r + 1] = sums.high[r];
    }
}

#define SUMS(NAME, KIND, COUNT)                                                                              \
    __attribute__((noinline)) static void NAME##_##COUNT(                                                    \
        const row_tile_parts *parts, uint64_t offset, uint32_t blocks, const rows_of_pass *rows,             \
        HVX_Vector *sums) {                                                                                  \
        tile_sums_of(KIND, COUNT, parts, offset, blocks, rows, sums);                                        \
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
    uint64_t tile_bytes;
    row_tile_parts parts;   // of the first row tile
    uint32_t blocks;
    uint32_t head_bytes;    // before the blocks
    uint32_t opening_bytes; // a row tile's head and first stretch, in as many bytes as one fetch may have
    int exponent;
} product;

static product product_of(const matmul *m) {
    const htp_tile_parts bytes = htp_tile_parts_of(m->kind);
    const uint32_t head_bytes = (uint32_t)htp_row_tile_blocks_offset(m->kind, m->in);
    return (product){
        .of = m,
        .tile_bytes = htp_row_tile_bytes(m->kind, m->in),
        .parts = parts_at(bytes, m->weights, m->in),
        .blocks = htp_tile_blocks(m->in),
        .head_bytes = head_bytes,
        .opening_bytes = head_bytes + stretch_of(m->kind) * bytes.block,
        .exponent = exponent_of(m->kind),
    };
}

// Writes a row tile's results for one activation row.
ALWAYS void write_results(const product *p, const uint8_t *weights, uint32_t row, int32_t exponent,
                          const HVX_Vector *sums, uint8_t *destination) {
    HVX_Vector low = sums[0], high = sums[1];
    if (p->of->kind == HTP_TILES_TERNARY) {
        const HVX_Vector scale = hvx_load(weights + 2 * HVX_BYTES);
        low = scaled_low(low, scale);
        high = scaled_high(high, scale);
    }
    low = float_results(low, hvx_load(weights), exponent);
    high = float_results(high, hvx_load(weights + HVX_BYTES), exponent);
    uint8_t *const results = destination + row * sizeof(float);
    const uint32_t left = p->of->out - row;
    if (left >= HTP_TILE_ROWS) {
        hvx_store_unaligned(results, low);
        hvx_store_unaligned(results + HVX_BYTES, high);
    } else {
        const uint32_t bytes = left * sizeof(float);
        hvx_store_part(results, bytes, low);
        if (bytes > HVX_BYTES) hvx_store_part(results + HVX_BYTES, bytes - HVX_BYTES, high);
    }
}

// The rows that a product takes: all of them, or those of a list.
typedef struct selection {
    const uint32_t *indices; // NULL: all
    uint32_t count;
} selection;

// Activation rows that are multiplied with all row tiles before the next ones are: so many that they and a row tile for
// each thread stay in a second level cache of a megabyte. Weights are read from memory once for them.
#define NEAR_BYTES (256 * 1024)
#define ROWS_NEAR_MAX 64
static uint32_t rows_near(uint32_t columns) {
    const uint32_t row_bytes = 2 * columns;
    uint32_t rows = ROWS_AT_ONCE;
    while (rows < ROWS_NEAR_MAX && 2 * rows * row_bytes <= NEAR_BYTES) rows *= 2;
    return rows;
}

// A pass over a row tile and where its results go.
typedef struct pass {
    rows_of_pass rows;
    tile_sums *add;
    int32_t exponents[ROWS_AT_ONCE];
    uint8_t *destinations[ROWS_AT_ONCE];
} pass;
// Rows that are left at the end may each take one.
#define PASSES_MAX (ROWS_NEAR_MAX / ROWS_AT_ONCE + ROWS_AT_ONCE - 1)

// The passes of rows begin … end − 1 of a selection. Returns how many.
static uint32_t make_passes(const product *p, const selection *selected, uint32_t begin, uint32_t end, pass *passes) {
    const matmul *m = p->of;
    uint32_t number = 0, count;
    for (uint32_t row = begin; row < end; row += count, number++) {
        pass *const next = &passes[number];
        count = rows_of_next_pass(end - row);
        next->rows.count = (int)count;
        next->rows.fetched = row == begin ? p->blocks : 0;
        next->add = tile_sums_for(m->kind, count);
        for (uint32_t r = 0; r < count; r++) {
            const uint32_t index = selected->indices ? selected->indices[row + r] : row + r;
            const activation_row *const activations = m->activations + index;
            next->rows.row[r] = (row_of_pass){activations->blocks, activations->ternary_starts,
                                               start_of_row(m->kind, activations)};
            next->exponents[r] = activations->exponent + p->exponent;
            next->destinations[r] = m->destination + index * m->stride;
        }
    }
    return number;
}

// Multiplies row tiles where they lie.
static void direct_tiles(const product *p, const pass *passes, const pass *last_pass, uint32_t first, uint32_t last,
                         uint32_t step) {
    const uint64_t step_bytes = step * p->tile_bytes;
    uint64_t offset = first * p->tile_bytes;
    for (uint32_t tile = first; tile < last; tile += step, offset += step_bytes) {
        const uint8_t *const weights = p->of->weights + offset;
        for (const pass *each = passes; each <= last_pass; each++) {
            HVX_Vector sums[2 * ROWS_AT_ONCE];
            // What is to be read after this row tile.
            if (each == last_pass && last - tile > step) stream_fetch(weights + step_bytes, p->opening_bytes);
            each->add(&p->parts, offset, p->blocks, &each->rows, sums);
            ROLLED for (int r = 0; r < each->rows.count; r++)
                write_results(p, weights, tile * HTP_TILE_ROWS, each->exponents[r], sums + 2 * r,
                              each->destinations[r]);
        }
    }
}

// Blocks of a row tile that are in tightly coupled memory together.
typedef struct piece {
    uint32_t tile, first, blocks;
    uint64_t offset; // of the row tile
} piece;

static piece piece_at(const product *p, uint32_t tile, uint32_t first, uint32_t blocks) {
    const uint32_t left = p->blocks - first;
    return (piece){tile, first, left < blocks ? left : blocks, tile * p->tile_bytes};
}

static void request_piece(const product *p, stream *s, uint32_t place, const piece *of) {
    const uint32_t bytes = htp_tile_parts_of(p->of->kind).block;
    // What is before the blocks is read where it lies.
    if (of->first == 0) stream_fetch(p->of->weights + of->offset, p->head_bytes);
    stream_request(s, place, p->parts.blocks + of->offset + of->first * bytes, of->blocks * bytes);
}

// Multiplies a piece that is at `blocks`. Sums of all rows are in `sums` between the pieces of a row tile.
static void multiply_piece(const product *p, const pass *passes, const pass *last_pass, const piece *of,
                           const uint8_t *blocks, HVX_Vector *sums) {
    const htp_tile_parts bytes = htp_tile_parts_of(p->of->kind);
    row_tile_parts parts = parts_moved(&p->parts, of->offset);
    parts.groups += of->first / 8 * bytes.group;
    parts.chunks += of->first / 4 * bytes.chunk;
    parts.pairs += of->first / 2 * bytes.pair;
    parts.blocks = blocks;
    for (const pass *each = passes; each <= last_pass; each++) {
        rows_of_pass rows = {.count = each->rows.count};
        ROLLED for (int r = 0; r < rows.count; r++) {
            const row_of_pass *const row = &each->rows.row[r];
            rows.row[r] = (row_of_pass){row->blocks + of->first, row->ternary_starts + of->first / 8,
                                        of->first == 0 ? row->start : 0};
        }
        HVX_Vector found[2 * ROWS_AT_ONCE];
        each->add(&parts, 0, of->blocks, &rows, found);
        ROLLED for (int r = 0; r < rows.count; r++, sums += 2) {
            if (of->first != 0) {
                found[2 * r] = Q6_Vw_vadd_VwVw(found[2 * r], sums[0]);
                found[2 * r + 1] = Q6_Vw_vadd_VwVw(found[2 * r + 1], sums[1]);
            }
            if (of->first + of->blocks == p->blocks) {
                write_results(p, p->of->weights + of->offset, of->tile * HTP_TILE_ROWS, each->exponents[r],
                              found + 2 * r, each->destinations[r]);
            } else {
                sums[0] = found[2 * r];
                sums[1] = found[2 * r + 1];
            }
        }
    }
}

// Passes from which on a copy of the weights in tightly coupled memory is worth its making by the processor.
#define COPY_PASSES_MIN 4

// Blocks of a piece, or 0 where weights are to be multiplied where they lie.
static uint32_t piece_blocks(const product *p, uint32_t passes, uint32_t sums_bytes) {
    const near_memory *near = &p->of->near;
    if (near->bytes < sums_bytes || (!near->has_dma && passes < COPY_PASSES_MIN)) return 0;
    const uint32_t place = (near->bytes - sums_bytes) / 2, block = htp_tile_parts_of(p->of->kind).block;
    uint32_t blocks = stretch_of(p->of->kind);
    // Whole groups, where there are groups.
    while (blocks * block > place) blocks = blocks / 16 * 8;
    return blocks;
}

// The same by way of tightly coupled memory: a piece comes there while the one before is multiplied by all passes.
static void staged_tiles(const product *p, const pass *passes, const pass *last_pass, uint32_t first, uint32_t last,
                         uint32_t step, uint32_t blocks, uint32_t sums_bytes) {
    uint8_t *const memory = p->of->near.address;
    stream s;
    stream_open(&s, memory + sums_bytes, blocks * htp_tile_parts_of(p->of->kind).block, p->of->near.has_dma);
    piece now = piece_at(p, first, 0, blocks);
    request_piece(p, &s, 0, &now);
    for (uint32_t place = 0; now.tile < last; place ^= 1) {
        const uint32_t end = now.first + now.blocks;
        const int is_over = end == p->blocks;
        const piece next = piece_at(p, is_over ? now.tile + step : now.tile, is_over ? 0 : end, blocks);
        if (next.tile < last) request_piece(p, &s, place ^ 1, &next);
        multiply_piece(p, passes, last_pass, &now, stream_receive(&s, place), (HVX_Vector *)(void *)memory);
        now = next;
    }
}

static void selected_tiles(const matmul *m, const selection *selected, uint32_t first, uint32_t last, uint32_t step) {
    const product p = product_of(m);
    const uint32_t near = rows_near(m->in);
    pass passes[PASSES_MAX];
    if (first >= last) return;
    for (uint32_t begin = 0; begin < selected->count; begin += near) {
        const uint32_t end = selected->count - begin < near ? selected->count : begin + near;
        const uint32_t count = make_passes(&p, selected, begin, end, passes);
        const uint32_t sums_bytes = (end - begin) * 2 * HVX_BYTES, blocks = piece_blocks(&p, count, sums_bytes);
        if (blocks != 0)
            staged_tiles(&p, passes, passes + count - 1, first, last, step, blocks, sums_bytes);
        else
            direct_tiles(&p, passes, passes + count - 1, first, last, step);
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
