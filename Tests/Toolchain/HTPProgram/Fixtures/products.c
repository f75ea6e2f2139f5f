// Quantises activations and multiplies them by tiled weights with the DSP program's own code.
//
// Standard input is a list of cases: seven words (tile kind, outputs, inputs, activation rows, experts, bytes of tightly
// coupled memory, whether transfers fill it), the tiles of each expert, then the activations as floats. For each case
// the quantised rows and the results go to standard output. Without experts, one matrix multiplies all rows. With
// experts, a row goes to one of them or to none, and what the indexed product gives is also compared with plain
// products of single rows. With tightly coupled memory, the results are also compared with those without; no emulator
// executes transfers, so that the processor copies there.
#include "activations.h"
#include "htp_tiles.h"
#include "hvx.h"
#include "matmul.h"
#include "standalone.h"

enum { MEMORY_BYTES = 64 << 20, ROWS_MAX = 512, NEAR_BYTES_MAX = 512 << 10 };

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(HVX_BYTES)));
static uint8_t near[NEAR_BYTES_MAX] __attribute__((aligned(HVX_BYTES)));
static size_t used;

// Zeroed, as the gaps between a quantised row's arrays are written out too.
static void *take(uint64_t count) {
    if (count > MEMORY_BYTES - used) end(5);
    void *bytes = memory + used;
    used += (size_t)(count + HVX_BYTES - 1) / HVX_BYTES * HVX_BYTES;
    __builtin_memset(bytes, 0, (size_t)count);
    return bytes;
}

static void *take_input(uint64_t count) {
    void *bytes = take(count);
    if (!read_all(bytes, (size_t)count)) end(6);
    return bytes;
}

// Row i's expert, or −1.
static int32_t expert_of(uint32_t row, uint32_t experts) {
    uint32_t number = row * 7 + 3;
    if (row % 5 == 4) return -1;
    while (number >= experts) number -= experts;
    return (int32_t)number;
}

static void multiply_by_experts(const matmul *m, uint32_t experts) {
    const uint32_t tiles = (m->out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS;
    for (uint32_t expert = 0; expert < experts; expert++) {
        uint32_t indices[ROWS_MAX], count = 0;
        for (uint32_t i = 0; i < m->rows; i++)
            if (expert_of(i, experts) == (int32_t)expert) indices[count++] = i;
        matmul_indexed_tiles(m, expert, indices, count, 1, tiles, 2);
        matmul_indexed_tiles(m, expert, indices, count, 0, tiles, 2);
    }
    const uint64_t row_bytes = (uint64_t)m->out * sizeof(float);
    uint8_t *alone = take(row_bytes);
    for (uint32_t i = 0; i < m->rows; i++) {
        const int32_t expert = expert_of(i, experts);
        __builtin_memset(alone, 0, (size_t)row_bytes);
        if (expert >= 0) {
            matmul one = *m;
            one.weights += (uint64_t)expert * htp_tiles_bytes(m->kind, m->out, m->in);
            one.rows = 1;
            one.activations += i;
            one.destination = alone;
            one.near.bytes = 0;
            matmul_tiles(&one, 0, tiles, 1);
        }
        for (uint64_t byte = 0; byte < row_bytes; byte++)
            if (alone[byte] != m->destination[i * m->stride + byte]) end(8);
    }
}

// In two parts, as two workers would.
static void multiply(const matmul *m) {
    const uint32_t tiles = (m->out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS;
    matmul_tiles(m, 1, tiles, 2);
    matmul_tiles(m, 0, tiles, 2);
}

static void compare_without_near_memory(const matmul *m) {
    const uint64_t bytes = (uint64_t)m->rows * m->stride;
    matmul plain = *m;
    plain.near.bytes = 0;
    plain.destination = take(bytes);
    multiply(&plain);
    for (uint64_t byte = 0; byte < bytes; byte++)
        if (plain.destination[byte] != m->destination[byte]) end(9);
}

int main(void) {
    uint32_t shape[7];
    while (read_all(shape, sizeof shape)) {
        const uint32_t kind = shape[0], out = shape[1], in = shape[2], rows = shape[3], experts = shape[4];
        if (htp_tile_code_bytes(kind) == 0 || in == 0 || rows > ROWS_MAX) return 7;
        near_memory memory = {near, shape[5], shape[6] != 0};
        if (memory.bytes > NEAR_BYTES_MAX) return 7;
#if defined(__hexagon__)
        memory.has_dma = false;
#endif
        __builtin_memset(near, 0xa5, memory.bytes);
        used = 0;
        const uint8_t *weights = take_input(htp_tiles_bytes(kind, out, in) * (experts == 0 ? 1 : experts));
        const float *source = take_input((uint64_t)rows * in * sizeof *source);
        activation_row quantized[ROWS_MAX];
        const size_t row_bytes = activation_row_bytes(in);
        uint8_t *scratch = take((uint64_t)rows * row_bytes);
        for (uint32_t i = 0; i < rows; i++)
            activation_row_quantize(&quantized[i], scratch + i * row_bytes, source + (uint64_t)i * in, in);
        const uint64_t result_bytes = (uint64_t)rows * out * sizeof(float);
        uint8_t *results = take(result_bytes);
        const matmul m = {kind, out, in, rows, weights, quantized, results, out * sizeof(float), memory};
        if (experts > 0)
            multiply_by_experts(&m, experts);
        else
            multiply(&m);
        if (memory.bytes != 0 && experts == 0) compare_without_near_memory(&m);
        write_all(scratch, rows * row_bytes);
        write_all(results, (size_t)result_bytes);
    }
    return 0;
}
