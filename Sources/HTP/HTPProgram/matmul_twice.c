#include "matmul_twice.h"

#include "htp_tiles.h"

enum { TILE_BYTES = HTP_TILE_ROWS * sizeof(float), MOST_TILES = 8, WORKSPACE_BYTES = 1 << 18 };

uint32_t matmul_twice_tiles(uint32_t rows) {
    uint32_t tiles = MOST_TILES;
    while (tiles > 1 && 2 * (uint64_t)rows * tiles * TILE_BYTES > WORKSPACE_BYTES) tiles /= 2;
    return tiles;
}

size_t matmul_twice_bytes(uint32_t rows) { return 2 * (size_t)rows * matmul_twice_tiles(rows) * TILE_BYTES; }

void matmul_twice_part(const matmul_twice *m, uint32_t part, uint32_t parts) {
    const uint64_t tile_bytes = htp_row_tile_bytes(m->product.kind, m->product.in);
    const uint32_t rows = m->product.rows, width = m->tiles_at_once * HTP_TILE_ROWS;
    uint32_t turn = 0;
    for (uint32_t first = 0; first < m->product.out; first += width) {
        const int own = turn == part;
        if (++turn == parts) turn = 0;
        if (!own) continue;
        matmul some = m->product;
        some.rows = 2 * rows;
        some.out = m->product.out - first < width ? m->product.out - first : width;
        some.weights += first / HTP_TILE_ROWS * tile_bytes;
        some.destination = m->workspace;
        some.stride = (uint64_t)width * sizeof(float);
        matmul_tiles_fastest(&some, 0, (some.out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS, 1);
        const float *results = (const float *)(const void *)m->workspace;
        for (uint32_t row = 0; row < rows; row++) {
            uint8_t *to = m->product.destination + (m->places ? m->places[row] : row) * m->product.stride;
            m->floats->add((float *)(void *)to + first, results + (size_t)row * width,
                           results + (size_t)(rows + row) * width, some.out);
        }
    }
}
