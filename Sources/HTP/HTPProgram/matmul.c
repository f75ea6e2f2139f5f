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

#include "htp_tiles.h"
#include "hvx.h"

// Activation rows that share one pass over the weights.
#define ROWS_AT_ONCE 4

#define ALWAYS static inline __attribute__((always_inline))
// On the processor, loops over codes are code; elsewhere that would be more of it than is good.
#if defined(__hexagon__)
#define UNROLLED _Pragma("GCC unroll 16")
#else
#define UNROLLED _Pragma("GCC unroll 1")
#endif
#define ROLLED _Pragma("GCC unroll 1")

// The activation rows of one pass.
typedef struct rows_of_pass {
    const activation_row *row[ROWS_AT_ONCE];
    int count;
} rows_of_pass;

// Two words of a block that stand side by side, by one load.
ALWAYS int64_t words_at(const void *address) {
    int64_t both;
    __builtin_memcpy(&both, __builtin_assume_aligned(address, 8), sizeof both);
    return both;
}

ALWAYS int32_t low_word(int64_t both) { return (int32_t)both; }
ALWAYS int32_t high_word(int64_t both) { return (int32_t)(both >> 32); }

// Word `index` of a block's codes, the scalar operand.
ALWAYS int32_t codes_word(const activation_block *a, int index) {
    const int64_t both = words_at(a->codes + index / 2 * 8);
    return index % 2 == 0 ? low_word(both) : high_word(both);
}

// Sums of products of a plane for `vmpa`: `lo` the blocks' first halves, `hi` the second.
typedef struct plane_sums {
    HVX_VectorPair row[ROWS_AT_ONCE];
    int empty; // nothing is in `row` yet
} plane_sums;

// −zero · the sums of the activations.
ALWAYS plane_sums sums_from_zero(const rows_of_pass *rows, uint32_t block, int zero) {
    plane_sums sums = {.empty = 0};
    for (int r = 0; r < rows->count; r++) {
        const int64_t sums_of_halves = words_at(&rows->row[r]->blocks[block].minus_first);
        sums.row[r] = Q6_W_vcombine_VV(Q6_Vh_vsplat_R(zero * high_word(sums_of_halves)),
                                       Q6_Vh_vsplat_R(zero * low_word(sums_of_halves)));
    }
    return sums;
}

// Adds the products of two vectors of codes with word `index`.
ALWAYS void add_word(plane_sums *sums, const rows_of_pass *rows, uint32_t block, int index, HVX_Vector first,
                     HVX_Vector second) {
    const HVX_VectorPair codes = Q6_W_vcombine_VV(second, first);
    for (int r = 0; r < rows->count; r++) {
        const int32_t word = codes_word(rows->row[r]->blocks + block, index);
        sums->row[r] = sums->empty ? Q6_Wh_vmpa_WubRb(codes, word)
                                   : Q6_Wh_vmpaacc_WhWubRb(sums->row[r], codes, word);
    }
    sums->empty = 0;
}

ALWAYS void add_plane_4(plane_sums *sums, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    UNROLLED for (int g = 0; g < 8; g++) {
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        add_word(sums, rows, block, g, Q6_V_vand_VV(bytes, nibble), Q6_Vub_vlsr_VubR(bytes, 4));
    }
}

// The codes go through a table whose entries are in the even bytes, twice.
ALWAYS void add_plane_4_table(
    plane_sums *sums, const rows_of_pass *rows, uint32_t block, const uint8_t *codes, HVX_Vector table) {
    UNROLLED for (int g = 0; g < 8; g++) {
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        add_word(sums, rows, block, g, Q6_Vb_vlut32_VbVbR_nomatch(bytes, table, 0),
                 Q6_Vb_vlut32_VbVbR_nomatch(Q6_Vub_vlsr_VubR(bytes, 4), table, 0));
    }
}

// Sums of products of a plane of 2 bits. Fields are multiplied where they stand in their byte, all but the last: a
// half block has four of each, so that |sixteens| ≤ 3 · 16 · 127 · 4 in each half.
typedef struct two_bit_sums {
    plane_sums ones, fours, sixteens;
} two_bit_sums;

ALWAYS two_bit_sums sums_of_plane_2(
    const rows_of_pass *rows, uint32_t block, const uint8_t *codes, int zero) {
    const HVX_Vector ones = Q6_V_vsplat_R(0x03030303), fours = Q6_V_vsplat_R(0x0c0c0c0c);
    const HVX_Vector sixteens = Q6_V_vsplat_R(0x30303030);
    two_bit_sums sums = {.ones = {.empty = 1}, .fours = {.empty = 1}, .sixteens = {.empty = 1}};
    if (zero != 0) sums.ones = sums_from_zero(rows, block, zero);
    UNROLLED for (int i = 0; i < 2; i++) {
        HVX_Vector a = hvx_load(codes + 2 * i * HVX_BYTES), b = hvx_load(codes + (2 * i + 1) * HVX_BYTES);
        add_word(&sums.ones, rows, block, 4 * i, Q6_V_vand_VV(a, ones), Q6_V_vand_VV(b, ones));
        add_word(&sums.fours, rows, block, 4 * i + 1, Q6_V_vand_VV(a, fours), Q6_V_vand_VV(b, fours));
        add_word(&sums.sixteens, rows, block, 4 * i + 2, Q6_V_vand_VV(a, sixteens), Q6_V_vand_VV(b, sixteens));
        add_word(&sums.ones, rows, block, 4 * i + 3, Q6_Vub_vlsr_VubR(a, 6), Q6_Vub_vlsr_VubR(b, 6));
    }
    return sums;
}

ALWAYS HVX_Vector joined(HVX_Vector ones, HVX_Vector fours, HVX_Vector sixteens) {
    return Q6_Vh_vasracc_VhVhR(Q6_Vh_vasracc_VhVhR(ones, fours, 2), sixteens, 4);
}

ALWAYS HVX_Vector first_half(const two_bit_sums *sums, int r) {
    return joined(Q6_V_lo_W(sums->ones.row[r]), Q6_V_lo_W(sums->fours.row[r]), Q6_V_lo_W(sums->sixteens.row[r]));
}

ALWAYS HVX_Vector second_half(const two_bit_sums *sums, int r) {
    return joined(Q6_V_hi_W(sums->ones.row[r]), Q6_V_hi_W(sums->fours.row[r]), Q6_V_hi_W(sums->sixteens.row[r]));
}

ALWAYS HVX_Vector both_halves(HVX_VectorPair sums) {
    return Q6_Vh_vadd_VhVh(Q6_V_lo_W(sums), Q6_V_hi_W(sums));
}

ALWAYS void add_plane_1(plane_sums *sums, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector one = Q6_V_vsplat_R(0x01010101);
    HVX_Vector a = hvx_load(codes), b = hvx_load(codes + HVX_BYTES);
    UNROLLED for (int g = 0; g < 8; g++)
        add_word(sums, rows, block, g, Q6_V_vand_VV(Q6_Vub_vlsr_VubR(a, g), one),
                 Q6_V_vand_VV(Q6_Vub_vlsr_VubR(b, g), one));
}

// Sums of products of a plane for `vrmpy`: of rows 0 … 31 and of rows 32 … 63.
typedef struct word_sums {
    HVX_Vector low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
} word_sums;

// Adds the products of rows 0 … 31 (`half` 0) or 32 … 63 with word `index`.
ALWAYS void add_words(
    word_sums *sums, const rows_of_pass *rows, uint32_t block, int half, int index, HVX_Vector codes) {
    for (int r = 0; r < rows->count; r++) {
        HVX_Vector *sum = half == 0 ? &sums->low[r] : &sums->high[r];
        *sum = Q6_Vw_vrmpyacc_VwVubRb(*sum, codes, codes_word(rows->row[r]->blocks + block, index));
    }
}

ALWAYS word_sums word_sums_8(const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    word_sums sums;
    for (int r = 0; r < rows->count; r++)
        sums.low[r] = sums.high[r] = Q6_V_vsplat_R(rows->row[r]->blocks[block].start128);
    UNROLLED for (int i = 0; i < 16; i++)
        add_words(&sums, rows, block, i / 8, i % 8, hvx_load(codes + i * HVX_BYTES));
    return sums;
}

ALWAYS word_sums word_sums_iq4nl(const rows_of_pass *rows, uint32_t block, const uint8_t *codes, HVX_Vector table) {
    word_sums sums;
    for (int r = 0; r < rows->count; r++)
        sums.low[r] = sums.high[r] = Q6_V_vsplat_R(rows->row[r]->blocks[block].start128);
    UNROLLED for (int i = 0; i < 8; i++) {
        HVX_Vector bytes = hvx_load(codes + i * HVX_BYTES);
        add_words(&sums, rows, block, i / 4, i % 4 * 2, Q6_Vb_vlut32_VbVbR_nomatch(bytes, table, 0));
        add_words(&sums, rows, block, i / 4, i % 4 * 2 + 1,
                  Q6_Vb_vlut32_VbVbR_nomatch(Q6_Vub_vlsr_VubR(bytes, 4), table, 0));
    }
    return sums;
}

ALWAYS word_sums word_sums_12(const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    word_sums sums = word_sums_8(rows, block, codes);
    for (int r = 0; r < rows->count; r++) {
        sums.low[r] = Q6_Vw_vasl_VwR(sums.low[r], 4);
        sums.high[r] = Q6_Vw_vasl_VwR(sums.high[r], 4);
    }
    codes += 16 * HVX_BYTES;
    UNROLLED for (int i = 0; i < 8; i++) {
        HVX_Vector bytes = hvx_load(codes + i * HVX_BYTES);
        add_words(&sums, rows, block, i / 4, i % 4 * 2, Q6_V_vand_VV(bytes, nibble));
        add_words(&sums, rows, block, i / 4, i % 4 * 2 + 1, Q6_Vub_vlsr_VubR(bytes, 4));
    }
    return sums;
}

// The levels of IQ4_NL and 128 more; E2M1 numbers, doubled, and 12 more. In the even bytes, twice.
static const uint8_t levels_iq4nl[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
static const uint8_t levels_fp4[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

ALWAYS HVX_Vector table_of(uint32_t kind) {
    uint8_t bytes[HVX_BYTES] __attribute__((aligned(HVX_BYTES)));
    const uint8_t *levels = kind == HTP_TILES_FP4 ? levels_fp4 : levels_iq4nl;
    for (int i = 0; i < HVX_BYTES; i++) bytes[i] = levels[i / 2 % 16];
    return hvx_load(bytes);
}

// Where the parts of a row tile are.
typedef struct row_tile_parts {
    const uint8_t *pairs, *chunks, *groups, *blocks;
} row_tile_parts;

ALWAYS row_tile_parts parts_at(uint32_t kind, const uint8_t *tile, uint32_t columns) {
    const htp_tile_parts bytes = htp_tile_parts_of(kind);
    const uint32_t blocks = columns / HTP_TILE_COLUMNS;
    row_tile_parts parts = {.groups = tile + bytes.row};
    parts.chunks = parts.groups + (uint64_t)((blocks + 7) / 8) * bytes.group;
    parts.pairs = parts.chunks + (uint64_t)((blocks + 3) / 4) * bytes.chunk;
    parts.blocks = parts.pairs + (uint64_t)((blocks + 1) / 2) * bytes.pair;
    return parts;
}

// Sums of all blocks: of rows 0 … 31 and of rows 32 … 63.
typedef struct row_sums {
    HVX_Vector low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
} row_sums;

ALWAYS void add_shifted(row_sums *sums, int r, HVX_VectorPair terms, int32_t shift) {
    sums->low[r] = Q6_Vw_vasracc_VwVwR(sums->low[r], Q6_V_lo_W(terms), shift);
    sums->high[r] = Q6_Vw_vasracc_VwVwR(sums->high[r], Q6_V_hi_W(terms), shift);
}

// products · scale · mantissa
ALWAYS HVX_VectorPair scaled(HVX_Vector products, HVX_Vector scale, int32_t mantissa) {
    return Q6_Ww_vmpy_VhVh(products, Q6_Vh_vmpy_VhRh_s1_rnd_sat(scale, mantissa));
}

ALWAYS HVX_VectorPair and_scaled(
    HVX_VectorPair sum, HVX_Vector products, HVX_Vector scale, int32_t mantissa) {
    return Q6_Ww_vmpyacc_WwVhVh(sum, products, Q6_Vh_vmpy_VhRh_s1_rnd_sat(scale, mantissa));
}

// Adds minimum · mantissa · a sum of activations.
ALWAYS HVX_VectorPair and_minimum(
    HVX_VectorPair sum, HVX_Vector minimum, int32_t activations, int32_t mantissa) {
    return Q6_Ww_vmpyacc_WwVhRh(sum, Q6_Vh_vmpy_VhRh_s1_rnd_sat(minimum, mantissa), activations);
}

// The factors of both halves of a block, as bits 11 … 14 of halfwords. Four of four bits are in a halfword.
typedef struct half_factors {
    HVX_Vector first, second;
} half_factors;

ALWAYS half_factors four_bit_factors(const uint8_t *chunk, uint32_t block) {
    const HVX_Vector mask = Q6_V_vsplat_R(0x78007800);
    HVX_Vector packed = hvx_load(chunk + block % 4 / 2 * HVX_BYTES);
    packed = Q6_Vuh_vlsr_VuhR(packed, (int32_t)(block % 2 * 8));
    return (half_factors){Q6_V_vand_VV(Q6_Vh_vasl_VhR(packed, 11), mask),
                          Q6_V_vand_VV(Q6_Vh_vasl_VhR(packed, 7), mask)};
}

// Six bits with the zero 32, times 1024.
ALWAYS half_factors six_bit_factors(const uint8_t *chunk, uint32_t block) {
    const HVX_Vector mask = Q6_V_vsplat_R((int32_t)0xc000c000), zero = Q6_V_vsplat_R((int32_t)0x80008000);
    half_factors low = four_bit_factors(chunk, block);
    HVX_Vector upper = Q6_Vuh_vlsr_VuhR(hvx_load(chunk + 2 * HVX_BYTES), (int32_t)(block % 4 * 4));
    HVX_Vector first = Q6_V_vand_VV(Q6_Vh_vasl_VhR(upper, 14), mask);
    HVX_Vector second = Q6_V_vand_VV(Q6_Vh_vasl_VhR(upper, 12), mask);
    first = Q6_V_vor_VV(first, Q6_Vuh_vlsr_VuhR(low.first, 1));
    second = Q6_V_vor_VV(second, Q6_Vuh_vlsr_VuhR(low.second, 1));
    return (half_factors){Q6_V_vxor_VV(first, zero), Q6_V_vxor_VV(second, zero)};
}

// Adds block `block` of a row tile.
ALWAYS void add_block(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                      uint32_t block, row_sums *sums) {
    const htp_tile_parts bytes = htp_tile_parts_of(kind);
    const uint8_t *codes = parts->blocks + (uint64_t)block * bytes.block;
    const uint8_t *group = parts->groups + (uint64_t)(block / 8) * bytes.group;
    const uint8_t *chunk = parts->chunks + (uint64_t)(block / 4) * bytes.chunk;
    const activation_block *a[ROWS_AT_ONCE];
    int32_t mantissa[ROWS_AT_ONCE], shift[ROWS_AT_ONCE];
    for (int r = 0; r < rows->count; r++) {
        a[r] = rows->row[r]->blocks + block;
        const int64_t both = words_at(&a[r]->mantissa);
        mantissa[r] = low_word(both);
        shift[r] = high_word(both);
    }
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS: {
        // |products| ≤ 4064
        two_bit_sums found = sums_of_plane_2(rows, block, codes, 0);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector products = joined(both_halves(found.ones.row[r]), both_halves(found.fours.row[r]),
                                         both_halves(found.sixteens.row[r]));
            products = Q6_Vh_vadd_VhVh(products, Q6_V_vsplat_R(a[r]->minus_sum));
            HVX_VectorPair terms = kind == HTP_TILES_TERNARY ? Q6_Ww_vmpy_VhRh(products, mantissa[r])
                                                             : scaled(products, hvx_load(group), mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_2BIT_FACTORS: {
        two_bit_sums found = sums_of_plane_2(rows, block, codes, 0);
        half_factors factors = four_bit_factors(chunk, block), minima = four_bit_factors(chunk + 256, block);
        HVX_Vector scale = hvx_load(group), minimum = hvx_load(group + HVX_BYTES);
        for (int r = 0; r < rows->count; r++) {
            HVX_VectorPair terms =
                scaled(first_half(&found, r), Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.first, scale), mantissa[r]);
            terms = and_scaled(
                terms, second_half(&found, r), Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.second, scale), mantissa[r]);
            terms = and_minimum(
                terms, Q6_Vh_vmpy_VhVh_s1_rnd_sat(minima.first, minimum), a[r]->minus_first, mantissa[r]);
            terms = and_minimum(
                terms, Q6_Vh_vmpy_VhVh_s1_rnd_sat(minima.second, minimum), a[r]->minus_second, mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_3BIT_FACTORS: {
        plane_sums high = sums_from_zero(rows, block, 1);
        add_plane_1(&high, rows, block, codes + 512);
        two_bit_sums low = sums_of_plane_2(rows, block, codes, 0);
        half_factors factors = six_bit_factors(chunk, block);
        HVX_Vector scale = hvx_load(group);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector first = Q6_Vh_vaslacc_VhVhR(first_half(&low, r), Q6_V_lo_W(high.row[r]), 2);
            HVX_Vector second = Q6_Vh_vaslacc_VhVhR(second_half(&low, r), Q6_V_hi_W(high.row[r]), 2);
            HVX_VectorPair terms = scaled(first, Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.first, scale), mantissa[r]);
            terms = and_scaled(terms, second, Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.second, scale), mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_4BIT:
    case HTP_TILES_4BIT_MINIMA: {
        // |products| ≤ 8 · 127 · 32: the sum of both halves fits, though each may wrap around.
        const int has_minima = kind == HTP_TILES_4BIT_MINIMA;
        HVX_Vector scale = hvx_load(codes);
        plane_sums found = {.empty = 1};
        add_plane_4(&found, rows, block, codes + (has_minima ? 2 : 1) * HVX_BYTES);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector products = Q6_Vh_vadd_VhVh(both_halves(found.row[r]), Q6_V_vsplat_R(a[r]->start8));
            HVX_VectorPair terms = scaled(products, scale, mantissa[r]);
            if (has_minima) terms = and_minimum(terms, hvx_load(codes + HVX_BYTES), a[r]->start8, mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_5BIT:
    case HTP_TILES_5BIT_MINIMA: {
        // |products| ≤ 16 · 127 · 16 in each half: their mean fits.
        const int has_minima = kind == HTP_TILES_5BIT_MINIMA;
        HVX_Vector scale = hvx_load(codes);
        const uint8_t *planes = codes + (has_minima ? 2 : 1) * HVX_BYTES;
        plane_sums low = {.empty = 1}, high = sums_from_zero(rows, block, 1);
        add_plane_4(&low, rows, block, planes);
        add_plane_1(&high, rows, block, planes + 1024);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector first = Q6_Vh_vaslacc_VhVhR(Q6_V_lo_W(low.row[r]), Q6_V_lo_W(high.row[r]), 4);
            HVX_Vector second = Q6_Vh_vaslacc_VhVhR(Q6_V_hi_W(low.row[r]), Q6_V_hi_W(high.row[r]), 4);
            HVX_VectorPair terms = scaled(Q6_Vh_vavg_VhVh(first, second), scale, mantissa[r]);
            if (has_minima) terms = and_minimum(terms, hvx_load(codes + HVX_BYTES), a[r]->start8, mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_6BIT_HALVES: {
        // |products| ≤ 32 · 127 · 16 in each half: a quarter of each, together in bounds. The low plane's quarter
        // is rounded, the high plane's four quarters are whole.
        HVX_Vector scale_first = hvx_load(codes), scale_second = hvx_load(codes + HVX_BYTES);
        plane_sums low = {.empty = 0};
        for (int r = 0; r < rows->count; r++)
            low.row[r] = Q6_W_vcombine_VV(Q6_V_vsplat_R(0x00020002), Q6_V_vsplat_R(0x00020002));
        add_plane_4(&low, rows, block, codes + 256);
        two_bit_sums high = sums_of_plane_2(rows, block, codes + 256 + 1024, 2);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector first = Q6_Vh_vasl_VhR(first_half(&high, r), 2);
            HVX_Vector second = Q6_Vh_vasl_VhR(second_half(&high, r), 2);
            first = Q6_Vh_vasracc_VhVhR(first, Q6_V_lo_W(low.row[r]), 2);
            second = Q6_Vh_vasracc_VhVhR(second, Q6_V_hi_W(low.row[r]), 2);
            HVX_VectorPair terms = and_scaled(scaled(first, scale_first, mantissa[r]), second, scale_second, mantissa[r]);
            add_shifted(sums, r, terms, shift[r]);
        }
        break;
    }
    case HTP_TILES_FP4: {
        // |products| ≤ 12 · 127 · 16 in each half: their mean fits.
        HVX_Vector powers = hvx_load(parts->pairs + (uint64_t)(block / 2) * HVX_BYTES);
        powers = Q6_Vuh_vlsr_VuhR(powers, (int32_t)(block % 2 * 8));
        powers = Q6_V_vand_VV(powers, Q6_V_vsplat_R(0x000f000f));
        HVX_Vector scale = Q6_Vh_vlsr_VhVh(Q6_V_vsplat_R(0x40004000), powers);
        plane_sums found = sums_from_zero(rows, block, 12);
        add_plane_4_table(&found, rows, block, codes, table);
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector products = Q6_Vh_vavg_VhVh(Q6_V_lo_W(found.row[r]), Q6_V_hi_W(found.row[r]));
            add_shifted(sums, r, scaled(products, scale, mantissa[r]), shift[r]);
        }
        break;
    }
    case HTP_TILES_8BIT:
    case HTP_TILES_IQ4NL:
    case HTP_TILES_12BIT: {
        // |products| ≤ 128 · 127 · 32, or 2048 · 127 · 32: a sixteenth, or 256th, rounded, as halfwords in the
        // scales' order.
        HVX_Vector scale = hvx_load(codes);
        codes += HVX_BYTES;
        word_sums found = kind == HTP_TILES_8BIT ? word_sums_8(rows, block, codes)
            : kind == HTP_TILES_12BIT            ? word_sums_12(rows, block, codes)
                                                 : word_sums_iq4nl(rows, block, codes, table);
        const int halvings = kind == HTP_TILES_12BIT ? 8 : 4;
        for (int r = 0; r < rows->count; r++) {
            HVX_Vector products = Q6_Vh_vasr_VwVwR_rnd_sat(found.high[r], found.low[r], halvings);
            add_shifted(sums, r, scaled(products, scale, mantissa[r]), shift[r]);
        }
        break;
    }
    default: break;
    }
}

// The power of two that the integers of a kind leave to be multiplied: 15 bits of the product of scale and mantissa,
// 10 of the shift, what the products were halved, and what makes factors fill their 15 bits.
ALWAYS int exponent_of(uint32_t kind) {
    switch (kind) {
    case HTP_TILES_5BIT:
    case HTP_TILES_5BIT_MINIMA:
    case HTP_TILES_FP4: return 25 + 1;
    case HTP_TILES_6BIT_HALVES: return 25 + 2;
    case HTP_TILES_8BIT:
    case HTP_TILES_IQ4NL: return 25 + 4;
    case HTP_TILES_2BIT_FACTORS: return 25 + 4;
    case HTP_TILES_3BIT_FACTORS: return 25 + 5;
    case HTP_TILES_12BIT: return 25 + 8;
    default: return 25;
    }
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

// One row tile for the activation rows of a pass; `destinations` are their rows of results.
ALWAYS void row_tile(const matmul *m, uint32_t kind, uint32_t tile, const rows_of_pass *rows,
                     uint8_t *const *destinations) {
    const uint32_t blocks = m->in / HTP_TILE_COLUMNS;
    const uint8_t *const first = m->weights + (uint64_t)tile * htp_row_tile_bytes(kind, m->in);
    const row_tile_parts parts = parts_at(kind, first, m->in);
    const int has_table = kind == HTP_TILES_FP4 || kind == HTP_TILES_IQ4NL;
    const HVX_Vector table = has_table ? table_of(kind) : Q6_V_vzero();
    row_sums sums;
    for (int r = 0; r < rows->count; r++)
        sums.low[r] = sums.high[r] = Q6_V_vsplat_R(rows->row[r]->rounding);
    ROLLED for (uint32_t block = 0; block < blocks; block++) add_block(kind, &parts, table, rows, block, &sums);

    const HVX_Vector low_exponents = hvx_load(first), high_exponents = hvx_load(first + HVX_BYTES);
    const uint32_t row = tile * HTP_TILE_ROWS;
    const uint32_t outputs = m->out - row < HTP_TILE_ROWS ? m->out - row : HTP_TILE_ROWS;
    for (int r = 0; r < rows->count; r++) {
        if (kind == HTP_TILES_TERNARY) {
            const HVX_Vector scale = hvx_load(first + 2 * HVX_BYTES);
            sums.low[r] = Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums.low[r], Q6_Vw_vasl_VwR(scale, 16));
            sums.high[r] = Q6_Vw_vmpyo_VwVh_s1_rnd_sat(sums.high[r], scale);
        }
        int32_t words[HTP_TILE_ROWS] __attribute__((aligned(HVX_BYTES)));
        float factors[HTP_TILE_ROWS] __attribute__((aligned(HVX_BYTES)));
        const int32_t exponent = rows->row[r]->exponent + exponent_of(kind);
        hvx_store(words, sums.low[r]);
        hvx_store(words + 32, sums.high[r]);
        hvx_store(factors, powers(low_exponents, exponent, sums.low[r]));
        hvx_store(factors + 32, powers(high_exponents, exponent, sums.high[r]));
        float *results = (float *)(void *)(destinations[r] + row * sizeof(float));
        for (uint32_t i = 0; i < outputs; i++) results[i] = (float)words[i] * factors[i];
    }
}

// The rows that a product takes: all of them, or those of a list.
typedef struct selection {
    const uint32_t *indices; // NULL: all
    uint32_t count;
} selection;

ALWAYS void pass(const matmul *m, uint32_t kind, uint32_t tile, const selection *selected, uint32_t first, int count) {
    rows_of_pass rows = {.count = count};
    uint8_t *destinations[ROWS_AT_ONCE];
    for (int r = 0; r < count; r++) {
        const uint32_t i = first + (uint32_t)r;
        const uint32_t index = selected->indices ? selected->indices[i] : i;
        rows.row[r] = m->activations + index;
        destinations[r] = m->destination + index * m->stride;
    }
    row_tile(m, kind, tile, &rows, destinations);
}

ALWAYS void tiles_of_kind(const matmul *m, uint32_t kind, const selection *selected, uint32_t first, uint32_t last) {
    for (uint32_t tile = first; tile < last; tile++) {
        uint32_t row = 0;
        for (; row + ROWS_AT_ONCE <= selected->count; row += ROWS_AT_ONCE)
            pass(m, kind, tile, selected, row, ROWS_AT_ONCE);
#if defined(__hexagon__)
        if (selected->count - row == 3) pass(m, kind, tile, selected, row, 3);
        if (selected->count - row == 2) pass(m, kind, tile, selected, row, 2);
        if (selected->count - row == 1) pass(m, kind, tile, selected, row, 1);
#else
        for (; row < selected->count; row++) pass(m, kind, tile, selected, row, 1);
#endif
    }
}

// One function for each kind, each with its own copies of the loops.
#define OF_KIND(NAME, KIND)                                                                                  \
    __attribute__((noinline)) static void NAME(                                                              \
        const matmul *m, const selection *selected, uint32_t first, uint32_t last) {                         \
        tiles_of_kind(m, KIND, selected, first, last);                                                       \
    }
OF_KIND(ternary_tiles, HTP_TILES_TERNARY)
OF_KIND(ternary_groups_tiles, HTP_TILES_TERNARY_GROUPS)
OF_KIND(two_bit_tiles, HTP_TILES_2BIT_FACTORS)
OF_KIND(three_bit_tiles, HTP_TILES_3BIT_FACTORS)
OF_KIND(four_bit_tiles, HTP_TILES_4BIT)
OF_KIND(four_bit_minima_tiles, HTP_TILES_4BIT_MINIMA)
OF_KIND(five_bit_tiles, HTP_TILES_5BIT)
OF_KIND(five_bit_minima_tiles, HTP_TILES_5BIT_MINIMA)
OF_KIND(six_bit_tiles, HTP_TILES_6BIT_HALVES)
OF_KIND(eight_bit_tiles, HTP_TILES_8BIT)
OF_KIND(twelve_bit_tiles, HTP_TILES_12BIT)
OF_KIND(iq4nl_tiles, HTP_TILES_IQ4NL)
OF_KIND(fp4_tiles, HTP_TILES_FP4)

static void selected_tiles(const matmul *m, const selection *selected, uint32_t first, uint32_t last) {
    switch (m->kind) {
    case HTP_TILES_TERNARY: ternary_tiles(m, selected, first, last); break;
    case HTP_TILES_TERNARY_GROUPS: ternary_groups_tiles(m, selected, first, last); break;
    case HTP_TILES_2BIT_FACTORS: two_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_3BIT_FACTORS: three_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_4BIT: four_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_4BIT_MINIMA: four_bit_minima_tiles(m, selected, first, last); break;
    case HTP_TILES_5BIT: five_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_5BIT_MINIMA: five_bit_minima_tiles(m, selected, first, last); break;
    case HTP_TILES_6BIT_HALVES: six_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_8BIT: eight_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_12BIT: twelve_bit_tiles(m, selected, first, last); break;
    case HTP_TILES_IQ4NL: iq4nl_tiles(m, selected, first, last); break;
    case HTP_TILES_FP4: fp4_tiles(m, selected, first, last); break;
    default: break;
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
