// Quantises activations and multiplies them by tiled weights with the DSP program's own code.
//
// Standard input is a list of cases: four words (tile kind, outputs, inputs, activation rows), the tiles,
// then the activations as floats. For each case the quantised rows and the results go to standard output.
#include "activations.h"
#include "htp_tiles.h"
#include "hvx.h"
#include "matmul.h"
#include "standalone.h"

enum { MEMORY_BYTES = 16 << 20, ROWS_MAX = 64 };

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(HVX_BYTES)));
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

int main(void) {
    uint32_t shape[4];
    while (read_all(shape, sizeof shape)) {
        const uint32_t kind = shape[0], out = shape[1], in = shape[2], rows = shape[3];
        if (htp_tile_code_bytes(kind) == 0 || in == 0 || in % BLOCK != 0 || rows > ROWS_MAX) return 7;
        used = 0;
        const uint8_t *weights = take_input(htp_tiles_bytes(kind, out, in));
        const float *source = take_input((uint64_t)rows * in * sizeof *source);
        activation_row quantized[ROWS_MAX];
        const size_t row_bytes = activation_row_bytes(in);
        uint8_t *scratch = take((uint64_t)rows * row_bytes);
        for (uint32_t i = 0; i < rows; i++)
            activation_row_quantize(&quantized[i], scratch + i * row_bytes, source + (uint64_t)i * in, in);
        const uint64_t result_bytes = (uint64_t)rows * out * sizeof(float);
        uint8_t *results = take(result_bytes);
        matmul m = {kind, out, in, rows, weights, quantized, results, out * sizeof(float)};
        // In two parts, as two workers would.
        const uint32_t tiles = (out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS;
        matmul_tiles(&m, tiles / 2, tiles);
        matmul_tiles(&m, 0, tiles / 2);
        write_all(scratch, rows * row_bytes);
        write_all(results, (size_t)result_bytes);
    }
    return 0;
}
