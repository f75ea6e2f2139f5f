// The kernel. For each 32 × 32 tile and each activation row:
//
//   products = Σ byte · code − 128 · Σ code        vrmpy; |products| < 2^19
//   scale    = weight scale · mantissa / 2^15      rounded, 15 bits and sign
//   sum     += (products · 4 · scale / 2^15) >> shift
//
// and for each output one float step: sum · 2^(exponents). The shift truncates, which takes half a unit
// from each shifted block on average; `rounding` gives it back once per row.
#include "matmul.h"

#include "htp_tiles.h"
#include "hvx.h"

// Activation rows that share one pass over the weights.
#define ROWS_AT_ONCE 4

#define ALWAYS static inline __attribute__((always_inline))

// A word of an activation row's arrays. Said to be aligned, or the processor would load single bytes.
ALWAYS int32_t aligned_word(const void *address) {
    int32_t word;
    __builtin_memcpy(&word, __builtin_assume_aligned(address, 4), 4);
    return word;
}

// The four codes of a group, as the scalar operand.
ALWAYS int32_t group(const int8_t *codes, int index) { return aligned_word(codes + 4 * index); }

// Adds up one tile for `rows` activation rows whose block is `block`.
ALWAYS void tile_products(
    uint32_t kind, const uint8_t *codes, const activation_row *rows, int count, uint32_t block,
    HVX_Vector *products) {
    if (kind == HTP_TILES_4BIT) {
        const HVX_Vector high_mask = Q6_V_vsplat_R((int32_t)0xf0f0f0f0), low_mask = Q6_V_vsplat_R(0x0f0f0f0f);
        HVX_Vector low_products[ROWS_AT_ONCE];
        for (int r = 0; r < count; r++) low_products[r] = Q6_V_vzero();
        for (int i = 0; i < 4; i++) {
            HVX_Vector bytes = hvx_load(codes + i * HVX_BYTES);
            HVX_Vector low = Q6_V_vand_VV(bytes, low_mask), high = Q6_V_vand_VV(bytes, high_mask);
            for (int r = 0; r < count; r++) {
                const int8_t *x = rows[r].codes + (uint64_t)block * BLOCK;
                low_products[r] = Q6_Vw_vrmpyacc_VwVubRb(low_products[r], low, group(x, 2 * i));
                products[r] = Q6_Vw_vrmpyacc_VwVubRb(products[r], high, group(x, 2 * i + 1));
            }
        }
        // The low nibbles were multiplied where they stand, sixteen times too small.
        for (int r = 0; r < count; r++) products[r] = Q6_Vw_vaslacc_VwVwR(products[r], low_products[r], 4);
    } else {
        for (int i = 0; i < 8; i++) {
            HVX_Vector bytes = hvx_load(codes + i * HVX_BYTES);
            for (int r = 0; r < count; r++) {
                const int8_t *x = rows[r].codes + (uint64_t)block * BLOCK;
                products[r] = Q6_Vw_vrmpyacc_VwVubRb(products[r], bytes, group(x, i));
            }
        }
    }
}

ALWAYS void add_tile(
    uint32_t kind, const uint8_t *codes, const activation_row *rows, int count, uint32_t block,
    const HVX_Vector *scales, int odd, HVX_Vector *sums) {
    HVX_Vector products[ROWS_AT_ONCE];
    for (int r = 0; r < count; r++) products[r] = Q6_V_vsplat_R(rows[r].starts[block]);
    tile_products(kind, codes, rows, count, block, products);
    for (int r = 0; r < count; r++) {
        // The multiplication takes odd halfwords; the even block's scales are moved there.
        HVX_Vector scale = odd ? scales[r] : Q6_Vw_vasl_VwR(scales[r], 16);
        HVX_Vector scaled = Q6_Vw_vmpyo_VwVh_s1_rnd_sat(Q6_Vw_vasl_VwR(products[r], 2), scale);
        sums[r] = Q6_Vw_vasracc_VwVwR(sums[r], scaled, rows[r].shifts[block]);
    }
}

// sum · 2^exponent as a float; the power is 0 or infinity outside the range of normal floats. Zero times
// infinity would be a NaN, and which one differs between processors.
ALWAYS float scaled_sum(int32_t sum, int64_t exponent) {
    if (sum == 0) return 0;
    uint32_t bits = exponent < -126 ? 0 : exponent > 127 ? 0x7f800000u : (uint32_t)(exponent + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return (float)sum * power;
}

// One row tile for `count` activation rows from row `first` on.
ALWAYS void row_tile(const matmul *m, uint32_t kind, uint32_t tile, uint32_t first, int count) {
    const activation_row *rows = m->activations + first;
    const uint32_t blocks = m->in / HTP_TILE_COLUMNS, code_bytes = htp_tile_code_bytes(kind);
    const uint8_t *next = m->weights + (uint64_t)tile * htp_row_tile_bytes(kind, m->in);
    HVX_Vector sums[ROWS_AT_ONCE], scales[ROWS_AT_ONCE];
    int32_t exponents[HTP_TILE_ROWS] __attribute__((aligned(HVX_BYTES)));
    hvx_store(exponents, hvx_load(next));
    next += HVX_BYTES;
    for (int r = 0; r < count; r++) sums[r] = Q6_V_vsplat_R(rows[r].rounding);
    for (uint32_t block = 0; block < blocks; block += 2) {
        HVX_Vector weight_scales = hvx_load(next);
        next += HVX_BYTES;
        for (int r = 0; r < count; r++)
            scales[r] = Q6_Vh_vmpy_VhRh_s1_rnd_sat(weight_scales, aligned_word(rows[r].mantissas + block));
        add_tile(kind, next, rows, count, block, scales, 0, sums);
        next += code_bytes;
        if (block + 1 < blocks) add_tile(kind, next, rows, count, block + 1, scales, 1, sums);
        next += code_bytes;
    }
    const uint32_t row = tile * HTP_TILE_ROWS;
    const uint32_t outputs = m->out - row < HTP_TILE_ROWS ? m->out - row : HTP_TILE_ROWS;
    for (int r = 0; r < count; r++) {
        int32_t words[HTP_TILE_ROWS] __attribute__((aligned(HVX_BYTES)));
        float results[HTP_TILE_ROWS];
        hvx_store(words, sums[r]);
        // products/2^-2, scale/2^15, product/2^15: 28 bits to give back. The weights' exponents are the
        // host's and may be any number.
        for (uint32_t i = 0; i < outputs; i++)
            results[i] = scaled_sum(words[i], (int64_t)exponents[i] + rows[r].exponent + 28);
        __builtin_memcpy(m->destination + (first + (uint32_t)r) * m->stride + row * sizeof(float), results,
                         outputs * sizeof(float));
    }
}

ALWAYS void tiles_of_kind(const matmul *m, uint32_t kind, uint32_t first, uint32_t last) {
    for (uint32_t tile = first; tile < last; tile++) {
        uint32_t row = 0;
        for (; row + ROWS_AT_ONCE <= m->rows; row += ROWS_AT_ONCE) row_tile(m, kind, tile, row, ROWS_AT_ONCE);
        if (m->rows - row == 3) row_tile(m, kind, tile, row, 3);
        if (m->rows - row == 2) row_tile(m, kind, tile, row, 2);
        if (m->rows - row == 1) row_tile(m, kind, tile, row, 1);
    }
}

void matmul_tiles(const matmul *m, uint32_t first, uint32_t last) {
    if (m->kind == HTP_TILES_4BIT)
        tiles_of_kind(m, HTP_TILES_4BIT, first, last);
    else
        tiles_of_kind(m, HTP_TILES_8BIT, first, last);
}
