// Multiplies rows of zeros by a number of row tiles: what one row tile more takes is the kernel's own.
//
// Standard input: tile kind, inputs, activation rows, row tiles.
#include "activations.h"
#include "htp_tiles.h"
#include "hvx.h"
#include "matmul.h"
#include "standalone.h"

enum { COLUMNS_MAX = 4096, ROWS_MAX = 32, TILES_MAX = 3 };

static uint8_t weights[TILES_MAX * 64 * COLUMNS_MAX * 2] __attribute__((aligned(HVX_BYTES)));
static uint8_t quantized[ROWS_MAX * (2 * HVX_BYTES + 2 * COLUMNS_MAX)] __attribute__((aligned(HVX_BYTES)));
static float source[COLUMNS_MAX], results[ROWS_MAX * HTP_TILE_ROWS * TILES_MAX];

int main(void) {
    uint32_t input[4];
    if (!read_all(input, sizeof input)) return 6;
    const uint32_t kind = input[0], columns = input[1], rows = input[2], tiles = input[3];
    if (columns > COLUMNS_MAX || rows > ROWS_MAX || tiles > TILES_MAX
        || htp_tiles_bytes(kind, 64, columns) > sizeof weights / TILES_MAX) return 7;
    activation_row activations[ROWS_MAX];
    for (uint32_t r = 0; r < rows; r++)
        activation_row_quantize(&activations[r], quantized + r * activation_row_bytes(columns), source, columns);
    const uint32_t out = tiles * HTP_TILE_ROWS;
    matmul m = {kind, out, columns, rows, weights, activations, (uint8_t *)results, out * sizeof(float), {0}};
    matmul_tiles(&m, 0, tiles, 1);
    return 0;
}
