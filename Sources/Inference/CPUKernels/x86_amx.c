// AMX: batches of every format in tiles of bfloat16, which keep their sums over the whole depth, as scales and addends are in the
// weights before they are multiplied. F32 and F16 are multiplied as sums of two such numbers. All else is AVX-512's.
#if defined(__x86_64__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for syscall
#endif
#include <sys/syscall.h>
#include <unistd.h>

// For a first cache of 48 KiB and a second of 2 MiB. Each 32 columns read all weights of a tile, their own activations of that
// depth, as large, and 4 KiB of sums: twice 16 KiB leave the weights in the first cache, twice 32 would not, and tiles
// would come from the second faster than it gives them (two in 64 cycles of products it does, four hardly).
enum {
    DEPTH = 256,
    GROUP_ROWS = 256, // so many rows take a depth of the activations (512 columns: 256 KiB) from the second cache, with
                      // their sums (512 KiB), before the next depth's come
};

#include "x86_avx512_bf16.h"
#include "x86_amx_tiles.h"
#include "x86_amx_weights.h"
#include "x86_amx_lanes.h"
#include "x86_amx_split.h"

// MARK: products

// What the tiles are configured for: columns of activations, rows of weights, and pairs of each.
typedef struct {
    size_t columns, rows, pairs;
} tile_shape;

// Tiles 0...3 are the sums of (first 16, next 16 columns) x (first 16, next 16 rows), 4 and 5 activations of those
// columns, 6 and 7 weights of those rows.
KERNEL void configure(tile_shape *current, tile_shape wanted) {
    if (current->columns == wanted.columns && current->rows == wanted.rows && current->pairs == wanted.pairs) return;
    *current = wanted;
    tile_configuration c = {.palette = 1};
    for (size_t i = 0; i < 2; i++) {
        const size_t columns = min_size(LANES, wanted.columns - min_size(i * LANES, wanted.columns));
        const size_t rows = min_size(LANES, wanted.rows - min_size(i * LANES, wanted.rows));
        if (columns) {
            c.rows[4 + i] = (uint8_t)columns;
            c.column_bytes[4 + i] = (uint16_t)(4 * wanted.pairs);
        }
        if (rows) {
            c.rows[6 + i] = (uint8_t)wanted.pairs;
            c.column_bytes[6 + i] = (uint16_t)(4 * rows);
        }
    }
    for (size_t t = 0; t < 4; t++)
        if (c.rows[4 + t / 2] && c.rows[6 + t % 2]) {
            c.rows[t] = c.rows[4 + t / 2];
            c.column_bytes[t] = c.column_bytes[6 + t % 2];
        }
    TILE_CONFIGURE(&c);
}

// The products of a step's activations and weights, onto the sums; those of the two that are not loaded are those of before.
LOCAL void multiply_loaded(
    const uint8_t *x, size_t x_row_bytes, const __m512i (*pairs)[HALVES], const int loads_x, const int loads_weights,
    const int has_more_columns, const int has_more_rows) {
    const uint8_t *weights = (const uint8_t *)pairs;
    if (loads_x) TILE_LOAD(4, x, x_row_bytes);
    if (loads_weights) TILE_LOAD(6, weights, sizeof *pairs);
    TILE_MULTIPLY(0, 4, 6);
    if (has_more_rows) {
        if (loads_weights) TILE_LOAD(7, weights + 64, sizeof *pairs);
        TILE_MULTIPLY(1, 4, 7);
    }
    if (has_more_columns) {
        if (loads_x) TILE_LOAD(5, x + LANES * x_row_bytes, x_row_bytes);
        TILE_MULTIPLY(2, 5, 6);
        if (has_more_rows) TILE_MULTIPLY(3, 5, 7);
    }
}

// `steps` steps of a tile's depth, from `pairs` and `x` on, onto dst unless it is the first; all of one shape.
LOCAL void multiply_steps(
    const __m512i (*pairs)[HALVES], const uint8_t *x, size_t x_row_bytes, size_t steps, float *dst, size_t dst_stride,
    const int is_split, const int is_first, const int has_more_columns, const int has_more_rows) {
    const size_t stride = dst_stride * sizeof *dst;
    float *more = dst + LANES * dst_stride;
    if (is_first) {
        TILE_ZERO(0);
        if (has_more_rows) TILE_ZERO(1);
        if (has_more_columns) TILE_ZERO(2);
        if (has_more_columns && has_more_rows) TILE_ZERO(3);
    } else {
        TILE_LOAD(0, dst, stride);
        if (has_more_rows) TILE_LOAD(1, dst + LANES, stride);
        if (has_more_columns) TILE_LOAD(2, more, stride);
        if (has_more_columns && has_more_rows) TILE_LOAD(3, more + LANES, stride);
    }
    for (size_t step = 0; step < steps; step++) {
        if (is_split) {
            // High parts are in front of low ones. The product of both low ones is below what a float's sums keep.
            multiply_loaded(x + 64, x_row_bytes, pairs, 1, 1, has_more_columns, has_more_rows);
            multiply_loaded(x, x_row_bytes, pairs, 1, 0, has_more_columns, has_more_rows);
            multiply_loaded(x, x_row_bytes, pairs + LANES, 0, 1, has_more_columns, has_more_rows);
            x += 128, pairs += 2 * LANES;
        } else {
            multiply_loaded(x, x_row_bytes, pairs, 1, 1, has_more_columns, has_more_rows);
            x += 64, pairs += LANES;
        }
    }
    TILE_STORE(0, dst, stride);
    if (has_more_rows) TILE_STORE(1, dst + LANES, stride);
    if (has_more_columns) TILE_STORE(2, more, stride);
    if (has_more_columns && has_more_rows) TILE_STORE(3, more + LANES, stride);
}

LOCAL void multiply(
    const pair_tile *t, const cpu_product *p, size_t first_row, size_t first_column, size_t depth, size_t c,
    tile_shape *current, tile_shape shape, const int is_split) {
    const size_t parts = is_split ? 2 : 1, x_bytes = p->activation_row_bytes, stride = p->dst_stride;
    const uint8_t *x = (const uint8_t *)p->activations + c * x_bytes + 2 * parts * first_column;
    float *dst = p->dst + c * p->dst_stride + first_row;
    // Whole steps, then what is left of one, in tiles of its own shape; split numbers have zeros behind the last.
    if (is_split) depth = (depth + STEP - 1) / STEP * STEP;
    for (size_t done = 0; done < depth;) {
        const size_t rest = depth - done, steps = rest >= STEP ? rest / STEP : 1;
        shape.pairs = rest >= STEP ? LANES : (rest + 1) / 2;
        configure(current, shape);
        const __m512i (*pairs)[HALVES] = t->pairs + parts * done / 2;
        const uint8_t *some = x + 2 * parts * done;
        const int is_first = first_column + done == 0;
        if (shape.columns > LANES && shape.rows > LANES)
            multiply_steps(pairs, some, x_bytes, steps, dst, stride, is_split, is_first, 1, 1);
        else if (shape.columns > LANES)
            multiply_steps(pairs, some, x_bytes, steps, dst, stride, is_split, is_first, 1, 0);
        else if (shape.rows > LANES)
            multiply_steps(pairs, some, x_bytes, steps, dst, stride, is_split, is_first, 0, 1);
        else
            multiply_steps(pairs, some, x_bytes, steps, dst, stride, is_split, is_first, 0, 0);
        done += steps * STEP;
    }
}

KERNEL void multiply_whole(
    const pair_tile *t, const cpu_product *p, size_t first_row, size_t first_column, size_t depth, size_t c,
    tile_shape *current, tile_shape shape) {
    multiply(t, p, first_row, first_column, depth, c, current, shape, 0);
}

KERNEL void multiply_split(
    const pair_tile *t, const cpu_product *p, size_t first_row, size_t first_column, size_t depth, size_t c,
    tile_shape *current, tile_shape shape) {
    multiply(t, p, first_row, first_column, depth, c, current, shape, 1);
}

INLINE int is_split(int format) { return format == CPU_F32 || format == CPU_F16; }

LOCAL void matmul_tiles(const cpu_product *p, size_t row_begin, size_t row_end, const int format) {
    const int kind = is_split(format) ? CPU_ACTIVATIONS_BF16_PAIRS : CPU_ACTIVATIONS_BF16;
    if (p->activation_kind != kind || p->columns == 0) {
        cpu_kernels_avx512_vnni.matmul[format](p, row_begin, row_end);
        return;
    }
    const size_t most = is_split(format) ? DEPTH / 2 : DEPTH;
    pair_tile t;
    tile_shape current = {0};
    for (size_t first = row_begin; first < row_end; first += GROUP_ROWS) {
        const size_t last = min_size(first + GROUP_ROWS, row_end);
        for (size_t k = 0; k < p->columns; k += most) {
            const size_t depth = min_size(most, p->columns - k);
            for (size_t r = first; r < last; r += TILE_ROWS) {
                if (is_split(format))
                    unpack_split(&t, p, r, last, k, depth, format);
                else if (format == CPU_BF16)
                    unpack_bf16(&t, p, r, last, k, depth);
                else if (has_lanes(format))
                    unpack_lanes(&t, p, r, last, k, depth, format);
                else
                    unpack_codes(&t, p, r, last, k, depth, format);
                for (size_t c = 0; c < p->count; c += 2 * LANES)
                    (is_split(format) ? multiply_split : multiply_whole)(
                        &t, p, r, k, depth, c, &current,
                        (tile_shape){min_size(2 * LANES, p->count - c), min_size(TILE_ROWS, last - r), 0});
            }
        }
    }
    TILE_RELEASE();
}

#define FLOAT_FORMATS(apply) apply(f32, CPU_F32) apply(f16, CPU_F16)
#define TILE_FORMATS(apply) apply(bf16, CPU_BF16) QUANTIZED_FORMATS(apply)
#define MATMUL(name, format) \
    KERNEL void matmul_##name(const cpu_product *p, size_t row_begin, size_t row_end) { \
        matmul_tiles(p, row_begin, row_end, format); \
    }
FLOAT_FORMATS(MATMUL)
TILE_FORMATS(MATMUL)

cpu_kernels cpu_kernels_amx;

__attribute__((constructor)) static void fill_table(void) {
    cpu_kernels *table = &cpu_kernels_amx;
    *table = cpu_kernels_avx512_vnni;
#define ENTRY(name, format) \
    table->matmul[format] = matmul_##name; \
    table->activations_of_batch[format] = CPU_ACTIVATIONS_BF16;
    TILE_FORMATS(ENTRY)
#undef ENTRY
#define ENTRY(name, format) \
    table->matmul[format] = matmul_##name; \
    table->activations_of_batch[format] = CPU_ACTIVATIONS_BF16_PAIRS;
    FLOAT_FORMATS(ENTRY)
    table->prepare[CPU_ACTIVATIONS_BF16] = prepare_bf16;
    table->prepare[CPU_ACTIVATIONS_BF16_PAIRS] = prepare_bf16_pairs;
}

// MARK: presence

// 17 x 18 sums of 70 products: tiles of every shape.
enum { PROBE_COLUMNS = 70, PROBE_COUNT = 18, PROBE_ROWS = 17 };

static int product_is_right(void) {
    // Small integers, whose sums are exact in any order.
    uint16_t weights[PROBE_ROWS][PROBE_COLUMNS], x[PROBE_COUNT][PROBE_COLUMNS];
    float dst[PROBE_COUNT][PROBE_ROWS];
    for (int k = 0; k < PROBE_COLUMNS; k++) {
        for (int r = 0; r < PROBE_ROWS; r++) weights[r][k] = bf16_of_float((float)((r * 7 + k * 3) % 17 - 8));
        for (int c = 0; c < PROBE_COUNT; c++) x[c][k] = bf16_of_float((float)((c * 5 + k * 11) % 13 - 6));
    }
    const cpu_product product = {
        .weights = weights, .weight_row_bytes = sizeof weights[0],
        .activations = x, .activation_kind = CPU_ACTIVATIONS_BF16, .activation_row_bytes = sizeof x[0],
        .dst = dst[0], .dst_stride = PROBE_ROWS, .columns = PROBE_COLUMNS, .count = PROBE_COUNT};
    matmul_bf16(&product, 0, PROBE_ROWS);
    for (int c = 0; c < PROBE_COUNT; c++)
        for (int r = 0; r < PROBE_ROWS; r++) {
            float sum = 0;
            for (int k = 0; k < PROBE_COLUMNS; k++) sum += float_of_bf16(weights[r][k]) * float_of_bf16(x[c][k]);
            if (dst[c][r] != sum) return 0;
        }
    return 1;
}

// Linux gives a process the registers of tiles when it asks for them.
static int tiles_are_permitted(void) {
    const long request_permission = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

int cpu_amx_works(void) {
    enum { UNKNOWN, ABSENT, PRESENT };
    static _Atomic int state = UNKNOWN;
    if (state == UNKNOWN) state = tiles_are_permitted() && product_is_right() ? PRESENT : ABSENT;
    return state == PRESENT;
}
#endif
