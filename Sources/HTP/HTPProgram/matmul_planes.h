// Products of a block's planes of codes with the codes of activations; the planes are those of `htp_tiles.h`.
#ifndef HTP_MATMUL_PLANES_H
#define HTP_MATMUL_PLANES_H

#include "activations.h"
#include "htp_tiles.h"
#include "hvx.h"

// Activation rows that share one pass over the weights.
#define ROWS_AT_ONCE 4

#define ALWAYS static inline __attribute__((always_inline))
// On the processor, loops over codes are code; elsewhere that would be more of it than is good.
#if defined(__hexagon__)
#define UNROLLED _Pragma("GCC unroll 16")
#define EACH_ROW(COUNT) UNROLLED for (int r = 0; r < (COUNT); r++)
#else
#define UNROLLED _Pragma("GCC unroll 1")
#define EACH_ROW(COUNT) for (int r = 0; r < (COUNT); r++)
#endif

typedef struct row_of_pass {
    const activation_block *blocks;
    const int32_t *ternary_starts;
    int32_t start; // of the sums
} row_of_pass;

// The activation rows of one pass.
typedef struct rows_of_pass {
    row_of_pass row[ROWS_AT_ONCE];
    int count;
    uint32_t fetched; // blocks that are to be brought near as they are read
} rows_of_pass;

// Two words of a block that stand side by side, by one load.
typedef int64_t two_words __attribute__((may_alias, aligned(8)));
ALWAYS int64_t words_at(const void *address) { return *(const two_words *)address; }

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
} plane_sums;

// Sums of products of a plane for `vrmpy`: of rows 0 … 31 and of rows 32 … 63.
typedef struct word_sums {
    HVX_Vector low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
} word_sums;

// Words whose products wait for the next block's code: so many are the last of a block.
#define HELD_MAX 4

// A block on its way: what has been multiplied, what waits, and what it will be multiplied with.
typedef struct open_block {
    plane_sums sums[3]; // see `sums_of_word`
    word_sums words;
    HVX_VectorPair held_codes[HELD_MAX];
    int32_t held_words[HELD_MAX][ROWS_AT_ONCE];
    HVX_Vector scale, second_scale, minimum, second_minimum;
    HVX_Vector scaled[ROWS_AT_ONCE], second_scaled[ROWS_AT_ONCE]; // scales · mantissas, see `is_scaled_early`
    HVX_VectorPair minima[ROWS_AT_ONCE];
    int32_t mantissa[ROWS_AT_ONCE], shift[ROWS_AT_ONCE], start[ROWS_AT_ONCE];
    const activation_block *block[ROWS_AT_ONCE];
} open_block;

// Which of a block's sums word `index` goes to.
ALWAYS int sums_of_word(uint32_t kind, int index) {
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS:
    case HTP_TILES_2BIT_FACTORS: return index % 4 % 3; // fields of weight 1, 4, 16, and the last moved down to 1
    case HTP_TILES_6BIT_HALVES: return index / 4;      // all eight would not fit 16 bits
    default: return 0;
    }
}

// Whether word `index` is the first of its sums; those of the kinds with zeros have begun before.
ALWAYS int is_first(uint32_t kind, int index) {
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS:
    case HTP_TILES_2BIT_FACTORS: return index < 3;
    case HTP_TILES_4BIT:
    case HTP_TILES_4BIT_MINIMA: return index == 0;
    default: return 0;
    }
}

// Whether a block is finished only when the next has begun (see `matmul.c`), and then how many of its words are
// multiplied only then, which gives the next one's loads time. Found by trying: what makes the fewest packets.
enum { NOT_OVERLAPPED = -1 };
ALWAYS int words_left(uint32_t kind, int rows) {
#if defined(__hexagon__)
    if (rows != 1) return NOT_OVERLAPPED;
    switch (kind) {
    case HTP_TILES_12BIT: return 0;
    case HTP_TILES_6BIT_HALVES:
    case HTP_TILES_FP4: return 1;
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS:
    case HTP_TILES_2BIT_FACTORS:
    case HTP_TILES_4BIT:
    case HTP_TILES_4BIT_MINIMA: return 2;
    case HTP_TILES_3BIT_FACTORS:
    case HTP_TILES_5BIT: return 3;
    case HTP_TILES_5BIT_MINIMA: return 4;
    default: return NOT_OVERLAPPED;
    }
#else
    (void)kind;
    (void)rows;
    return NOT_OVERLAPPED;
#endif
}
ALWAYS int is_overlapped(uint32_t kind, int rows) { return words_left(kind, rows) != NOT_OVERLAPPED; }
// Whether a block's scales are multiplied with the mantissas before it is finished.
ALWAYS int is_scaled_early(uint32_t kind, int rows) {
    switch (kind) {
    case HTP_TILES_4BIT:
    case HTP_TILES_4BIT_MINIMA:
    case HTP_TILES_5BIT:
    case HTP_TILES_3BIT_FACTORS:
    case HTP_TILES_12BIT: return is_overlapped(kind, rows);
    default: return 0;
    }
}
ALWAYS int held_words(uint32_t kind, int rows) { return is_overlapped(kind, rows) ? words_left(kind, rows) : 0; }

// Multiplies two vectors of codes with word `index`, or puts them by.
ALWAYS void add_word(uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, int index,
                     HVX_Vector first, HVX_Vector second) {
    const HVX_VectorPair codes = Q6_W_vcombine_VV(second, first);
    const int held = index - (8 - held_words(kind, rows->count));
    if (held >= 0) o->held_codes[held] = codes;
    EACH_ROW(rows->count) {
        const int32_t word = codes_word(rows->row[r].blocks + block, index);
        HVX_VectorPair *sum = &o->sums[sums_of_word(kind, index)].row[r];
        if (held >= 0)
            o->held_words[held][r] = word;
        else
            *sum = is_first(kind, index) ? Q6_Wh_vmpa_WubRb(codes, word) : Q6_Wh_vmpaacc_WhWubRb(*sum, codes, word);
    }
}

ALWAYS void add_plane_4(
    uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    UNROLLED for (int g = 0; g < 8; g++) {
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        add_word(kind, o, rows, block, g, Q6_V_vand_VV(bytes, nibble), Q6_Vub_vlsr_VubR(bytes, 4));
    }
}

// Codes and their table, whose entries are in the even bytes, twice.
ALWAYS HVX_VectorPair looked_up(HVX_VectorPair codes, HVX_Vector table) {
    return Q6_W_vcombine_VV(Q6_Vb_vlut32_VbVbR_nomatch(Q6_V_hi_W(codes), table, 0),
                            Q6_Vb_vlut32_VbVbR_nomatch(Q6_V_lo_W(codes), table, 0));
}

ALWAYS void add_plane_4_table(uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block,
                              const uint8_t *codes, HVX_Vector table) {
    UNROLLED for (int g = 0; g < 8; g++) {
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        HVX_VectorPair both = looked_up(Q6_W_vcombine_VV(Q6_Vub_vlsr_VubR(bytes, 4), bytes), table);
        add_word(kind, o, rows, block, g, Q6_V_lo_W(both), Q6_V_hi_W(both));
    }
}

ALWAYS void add_held_words(uint32_t kind, open_block *o, int count) {
    const int held = held_words(kind, count);
    UNROLLED for (int i = 0; i < held; i++) {
        const HVX_VectorPair codes = o->held_codes[i];
        EACH_ROW(count) {
            HVX_VectorPair *sum = &o->sums[sums_of_word(kind, 8 - held + i)].row[r];
            *sum = Q6_Wh_vmpaacc_WhWubRb(*sum, codes, o->held_words[i][r]);
        }
    }
}

// Fields of 2 bits are multiplied where they stand in their byte, all but the last: a half block has four of each, so
// that |the products of sixteens| ≤ 3 · 16 · 127 · 4 in each half.
ALWAYS void add_plane_2(
    uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector ones = Q6_V_vsplat_R(0x03030303), fours = Q6_V_vsplat_R(0x0c0c0c0c);
    const HVX_Vector sixteens = Q6_V_vsplat_R(0x30303030);
    UNROLLED for (int i = 0; i < 2; i++) {
        HVX_Vector a = hvx_load(codes + 2 * i * HVX_BYTES), b = hvx_load(codes + (2 * i + 1) * HVX_BYTES);
        add_word(kind, o, rows, block, 4 * i, Q6_V_vand_VV(a, ones), Q6_V_vand_VV(b, ones));
        add_word(kind, o, rows, block, 4 * i + 1, Q6_V_vand_VV(a, fours), Q6_V_vand_VV(b, fours));
        add_word(kind, o, rows, block, 4 * i + 2, Q6_V_vand_VV(a, sixteens), Q6_V_vand_VV(b, sixteens));
        add_word(kind, o, rows, block, 4 * i + 3, Q6_Vub_vlsr_VubR(a, 6), Q6_Vub_vlsr_VubR(b, 6));
    }
}

ALWAYS HVX_Vector joined(HVX_Vector ones, HVX_Vector fours, HVX_Vector sixteens) {
    return Q6_Vh_vasracc_VhVhR(Q6_Vh_vasracc_VhVhR(ones, fours, 2), sixteens, 4);
}

ALWAYS HVX_Vector first_half(const open_block *o, int r) {
    return joined(Q6_V_lo_W(o->sums[0].row[r]), Q6_V_lo_W(o->sums[1].row[r]), Q6_V_lo_W(o->sums[2].row[r]));
}

ALWAYS HVX_Vector second_half(const open_block *o, int r) {
    return joined(Q6_V_hi_W(o->sums[0].row[r]), Q6_V_hi_W(o->sums[1].row[r]), Q6_V_hi_W(o->sums[2].row[r]));
}

ALWAYS HVX_Vector both_halves(HVX_VectorPair sums) {
    return Q6_Vh_vadd_VhVh(Q6_V_lo_W(sums), Q6_V_hi_W(sums));
}

// Adds 16 to the codes whose bit `g` is set.
ALWAYS HVX_Vector with_bit(HVX_Vector codes, HVX_Vector bits, int g) {
    return Q6_Vb_condacc_QVbVb(Q6_Q_vand_VR(bits, 0x01010101 << g), codes, Q6_V_vsplat_R(0x10101010));
}

// A plane of 4 bits with one of 1 bit above.
ALWAYS void add_plane_5(
    uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    const HVX_Vector a = hvx_load(codes + 8 * HVX_BYTES), b = hvx_load(codes + 9 * HVX_BYTES);
    UNROLLED for (int g = 0; g < 8; g++) {
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        add_word(kind, o, rows, block, g, with_bit(Q6_V_vand_VV(bytes, nibble), a, g),
                 with_bit(Q6_Vub_vlsr_VubR(bytes, 4), b, g));
    }
}

// Adds 16 times the field `f` of two bits.
ALWAYS HVX_Vector with_field(HVX_Vector codes, HVX_Vector fields, int f) {
    switch (f) {
    case 0: return Q6_Vh_vaslacc_VhVhR(codes, Q6_V_vand_VV(fields, Q6_V_vsplat_R(0x03030303)), 4);
    case 1: return Q6_Vh_vaslacc_VhVhR(codes, Q6_V_vand_VV(fields, Q6_V_vsplat_R(0x0c0c0c0c)), 2);
    case 2: return Q6_V_vor_VV(codes, Q6_V_vand_VV(fields, Q6_V_vsplat_R(0x30303030)));
    default: return Q6_Vh_vaslacc_VhVhR(codes, Q6_Vub_vlsr_VubR(fields, 6), 4);
    }
}

// A plane of 4 bits with one of 2 bits above.
ALWAYS void add_plane_6(
    uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    UNROLLED for (int g = 0; g < 8; g++) {
        const uint8_t *fields = codes + (8 + g / 4 * 2) * HVX_BYTES;
        HVX_Vector bytes = hvx_load(codes + g * HVX_BYTES);
        add_word(kind, o, rows, block, g,
                 with_field(Q6_V_vand_VV(bytes, nibble), hvx_load(fields), g % 4),
                 with_field(Q6_Vub_vlsr_VubR(bytes, 4), hvx_load(fields + HVX_BYTES), g % 4));
    }
}

// A plane of 2 bits with one of 1 bit above. Two words are made at a time, in the nibbles of a byte.
ALWAYS void add_plane_3(
    uint32_t kind, open_block *o, const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    const HVX_Vector fields = Q6_V_vsplat_R(0x33333333), bits = Q6_V_vsplat_R(0x44444444);
    const HVX_Vector nibble = Q6_V_vsplat_R(0x0f0f0f0f);
    UNROLLED for (int i = 0; i < 4; i++) {
        // Words 0 and 2, 1 and 3, 4 and 6, 5 and 7.
        const int first = i / 2 * 4 + i % 2;
        HVX_Vector both[2];
        for (int v = 0; v < 2; v++) {
            HVX_Vector low = hvx_load(codes + (i / 2 * 2 + v) * HVX_BYTES);
            HVX_Vector high = hvx_load(codes + (4 + v) * HVX_BYTES);
            if (i % 2 == 1) low = Q6_Vub_vlsr_VubR(low, 2);
            if (i == 1) high = Q6_Vub_vlsr_VubR(high, 1);
            if (i >= 2) high = Q6_Vh_vasl_VhR(high, 4 - i);
            both[v] = Q6_V_vor_VV(Q6_V_vand_VV(low, fields), Q6_V_vand_VV(high, bits));
        }
        add_word(kind, o, rows, block, first, Q6_V_vand_VV(both[0], nibble), Q6_V_vand_VV(both[1], nibble));
        add_word(kind, o, rows, block, first + 2, Q6_Vub_vlsr_VubR(both[0], 4), Q6_Vub_vlsr_VubR(both[1], 4));
    }
}

// Adds the products of rows 0 … 31 (`half` 0) or 32 … 63 with word `index`.
ALWAYS void add_words(
    word_sums *sums, const rows_of_pass *rows, uint32_t block, int half, int index, HVX_Vector codes) {
    EACH_ROW(rows->count) {
        HVX_Vector *sum = half == 0 ? &sums->low[r] : &sums->high[r];
        *sum = Q6_Vw_vrmpyacc_VwVubRb(*sum, codes, codes_word(rows->row[r].blocks + block, index));
    }
}

// −128 · the sums of the activations, from one of the halves of −8 ·.
ALWAYS word_sums words_from_128(const rows_of_pass *rows, uint32_t block) {
    word_sums sums;
    EACH_ROW(rows->count)
        sums.low[r] = sums.high[r] = Q6_V_vsplat_R((rows->row[r].blocks[block].start8 >> 16) * 16);
    return sums;
}

ALWAYS word_sums word_sums_8(const rows_of_pass *rows, uint32_t block, const uint8_t *codes) {
    word_sums sums = words_from_128(rows, block);
    UNROLLED for (int i = 0; i < 16; i++)
        add_words(&sums, rows, block, i / 8, i % 8, hvx_load(codes + i * HVX_BYTES));
    return sums;
}

ALWAYS word_sums word_sums_iq4nl(const rows_of_pass *rows, uint32_t block, const uint8_t *codes, HVX_Vector table) {
    word_sums sums = words_from_128(rows, block);
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
    word_sums sums = word_sums_8(rows, block, codes), lower;
    EACH_ROW(rows->count) lower.low[r] = lower.high[r] = Q6_V_vzero();
    codes += 16 * HVX_BYTES;
    UNROLLED for (int i = 0; i < 8; i++) {
        HVX_Vector bytes = hvx_load(codes + i * HVX_BYTES);
        add_words(&lower, rows, block, i / 4, i % 4 * 2, Q6_V_vand_VV(bytes, nibble));
        add_words(&lower, rows, block, i / 4, i % 4 * 2 + 1, Q6_Vub_vlsr_VubR(bytes, 4));
    }
    EACH_ROW(rows->count) {
        sums.low[r] = Q6_Vw_vaslacc_VwVwR(lower.low[r], sums.low[r], 4);
        sums.high[r] = Q6_Vw_vaslacc_VwVwR(lower.high[r], sums.high[r], 4);
    }
    return sums;
}

// The levels of IQ4_NL and 128 more; E2M1 numbers, doubled, and 16 more. In the even bytes, twice.
#define EVEN(A, B, C, D, E, F, G, H) A, 0, B, 0, C, 0, D, 0, E, 0, F, 0, G, 0, H, 0
#define LEVELS_IQ4NL EVEN(1, 24, 45, 63, 79, 93, 106, 118), EVEN(129, 141, 153, 166, 181, 197, 217, 241)
#define LEVELS_FP4 EVEN(16, 17, 18, 19, 20, 22, 24, 28), EVEN(16, 15, 14, 13, 12, 10, 8, 4)
static const uint8_t table_iq4nl[HVX_BYTES] __attribute__((aligned(HVX_BYTES))) = {LEVELS_IQ4NL, LEVELS_IQ4NL};
static const uint8_t table_fp4[HVX_BYTES] __attribute__((aligned(HVX_BYTES))) = {LEVELS_FP4, LEVELS_FP4};

ALWAYS HVX_Vector table_of(uint32_t kind) {
    return kind == HTP_TILES_FP4 ? hvx_load(table_fp4)
        : kind == HTP_TILES_IQ4NL ? hvx_load(table_iq4nl)
                                  : Q6_V_vzero();
}

#endif
