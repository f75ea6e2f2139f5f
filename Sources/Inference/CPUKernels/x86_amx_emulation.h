// The tile instructions in plain C, after Intel's manual: what they compute, and the faults of wrong configurations.
// Part of x86_amx_tiles.h, for tests.
#include <stdio.h>
#include <stdlib.h>

#define EMULATED static __attribute__((target("avx2,fma"), unused))

static _Thread_local struct {
    int configured;
    tile_configuration shape;
    uint8_t data[8][16][64];
} tiles;

static void tile_fault(const char *what) {
    fprintf(stderr, "tile fault: %s\n", what);
    abort();
}

// The shape of a tile that an instruction takes.
static void check_tile(int tile) {
    if (!tiles.configured) tile_fault("no configuration");
    if (tile < 0 || tile > 7 || tiles.shape.rows[tile] == 0) tile_fault("a tile without a shape");
}

EMULATED void emulate_configure(const tile_configuration *c) {
    if (c->palette != 1 || c->start_row) tile_fault("palette or start row");
    for (int i = 0; i < 14; i++)
        if (c->reserved[i]) tile_fault("reserved bytes");
    for (int t = 0; t < 16; t++) {
        if (t > 7 && (c->rows[t] || c->column_bytes[t])) tile_fault("more tiles than there are");
        if (c->rows[t] > 16 || c->column_bytes[t] > 64) tile_fault("a tile too large");
        if (!c->rows[t] != !c->column_bytes[t]) tile_fault("rows without columns");
    }
    memset(&tiles, 0, sizeof tiles);
    tiles.configured = 1;
    tiles.shape = *c;
}

EMULATED void emulate_release(void) { memset(&tiles, 0, sizeof tiles); }

EMULATED void emulate_zero(int tile) {
    check_tile(tile);
    memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}

EMULATED void emulate_load(int tile, const void *base, size_t stride) {
    emulate_zero(tile);
    for (size_t r = 0; r < tiles.shape.rows[tile]; r++)
        memcpy(tiles.data[tile][r], (const uint8_t *)base + r * stride, tiles.shape.column_bytes[tile]);
}

EMULATED void emulate_store(int tile, void *base, size_t stride) {
    check_tile(tile);
    for (size_t r = 0; r < tiles.shape.rows[tile]; r++)
        memcpy((uint8_t *)base + r * stride, tiles.data[tile][r], tiles.shape.column_bytes[tile]);
}

// First and second numbers of pairs are summed on their own, by fused multiply-adds from zero; their sum is added to
// what the tile had. Denormal inputs are zeros, denormal results become zeros.
EMULATED void emulate_multiply(int sums, int a, int b) {
    check_tile(sums), check_tile(a), check_tile(b);
    const uint16_t *bytes = tiles.shape.column_bytes;
    const uint8_t *rows = tiles.shape.rows;
    if (sums == a || sums == b || a == b) tile_fault("one tile twice");
    if (bytes[sums] % 4 || bytes[a] % 4 || bytes[b] % 4) tile_fault("parts of pairs");
    if (rows[sums] != rows[a] || bytes[sums] != bytes[b] || bytes[a] / 4 != rows[b]) tile_fault("shapes do not fit");
    const uint32_t flush_to_zero = 0x8040, saved = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80 | flush_to_zero);
    for (size_t m = 0; m < rows[sums]; m++) {
        float even[16] = {0}, odd[16] = {0}, out[16];
        for (size_t k = 0; k < bytes[a] / 4; k++) {
            uint16_t x[2], w[16][2];
            memcpy(x, tiles.data[a][m] + 4 * k, sizeof x);
            memcpy(w, tiles.data[b][k], sizeof w);
            for (int n = 0; n < 16; n++) {
                even[n] = __builtin_fmaf(float_of_bf16(x[0]), float_of_bf16(w[n][0]), even[n]);
                odd[n] = __builtin_fmaf(float_of_bf16(x[1]), float_of_bf16(w[n][1]), odd[n]);
            }
        }
        memcpy(out, tiles.data[sums][m], sizeof out);
        for (int n = 0; n < bytes[sums] / 4; n++) out[n] += even[n] + odd[n];
        memcpy(tiles.data[sums][m], out, sizeof out);
    }
    __builtin_ia32_ldmxcsr(saved);
}

#define TILE_CONFIGURE(configuration) emulate_configure(configuration)
#define TILE_RELEASE() emulate_release()
#define TILE_ZERO(tile) emulate_zero(tile)
#define TILE_LOAD(tile, base, stride) emulate_load(tile, base, stride)
#define TILE_STORE(tile, base, stride) emulate_store(tile, base, stride)
#define TILE_MULTIPLY(sums, a, b) emulate_multiply(sums, a, b)
