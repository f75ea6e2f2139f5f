// One block of 64 rows and 32 inputs in two steps: its products, and what makes them terms of the sums. Between them
// there may be the code of other blocks: see `matmul.c`.
#ifndef HTP_MATMUL_BLOCKS_H
#define HTP_MATMUL_BLOCKS_H

#include "matmul_planes.h"

// Where the parts of a row tile are.
typedef struct row_tile_parts {
    const uint8_t *pairs, *chunks, *groups, *blocks;
} row_tile_parts;

ALWAYS row_tile_parts parts_at(htp_tile_parts bytes, const uint8_t *tile, uint32_t columns) {
    const uint32_t blocks = htp_tile_blocks(columns);
    row_tile_parts parts = {.groups = tile + bytes.row};
    parts.chunks = parts.groups + (uint64_t)((blocks + 7) / 8) * bytes.group;
    parts.pairs = parts.chunks + (uint64_t)((blocks + 3) / 4) * bytes.chunk;
    parts.blocks = parts.pairs + (uint64_t)((blocks + 1) / 2) * bytes.pair;
    return parts;
}

ALWAYS row_tile_parts parts_moved(const row_tile_parts *from, uint64_t bytes) {
    return (row_tile_parts){from->pairs + bytes, from->chunks + bytes, from->groups + bytes, from->blocks + bytes};
}

// Sums of all blocks: of rows 0 … 31 and of rows 32 … 63.
typedef struct row_sums {
    HVX_Vector low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
} row_sums;

ALWAYS HVX_Vector scaled(HVX_Vector scale, int32_t mantissa) { return Q6_Vh_vmpy_VhRh_s1_rnd_sat(scale, mantissa); }

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

// Sums of a plane that begin with −16 or −4 times the sums of the activations.
ALWAYS void begin_with_zero(plane_sums *sums, const rows_of_pass *rows, uint32_t block, int zero) {
    EACH_ROW(rows->count) {
        const int64_t starts = words_at(&rows->row[r].blocks[block].first_start16);
        const int shift = zero == 16 ? 0 : 18; // of the word's upper half
        sums->row[r] = Q6_W_vcombine_VV(Q6_Vh_vsplat_R(high_word(starts) >> shift),
                                        Q6_Vh_vsplat_R(low_word(starts) >> shift));
    }
}

// The same with zero 32, for words 0 … 3 and 4 … 7 apart. Sixteen times the sum of a half is doubled and divided up.
ALWAYS void begin_quarters(plane_sums *sums, const rows_of_pass *rows, uint32_t block) {
    EACH_ROW(rows->count) {
        const activation_block *a = rows->row[r].blocks + block;
        const int64_t starts = words_at(&a->first_start16);
        const int32_t first = a->start32, second = a->start32 >> 16;
        sums[0].row[r] = Q6_W_vcombine_VV(Q6_Vh_vsplat_R(second), Q6_Vh_vsplat_R(first));
        sums[1].row[r] = Q6_W_vcombine_VV(Q6_Vh_vsplat_R((int32_t)((uint32_t)high_word(starts) * 2 - (uint32_t)second)),
                                          Q6_Vh_vsplat_R((int32_t)((uint32_t)low_word(starts) * 2 - (uint32_t)first)));
    }
}

// Whether each half of a block has its own scale.
ALWAYS int has_halves(uint32_t kind) {
    return kind == HTP_TILES_2BIT_FACTORS || kind == HTP_TILES_3BIT_FACTORS || kind == HTP_TILES_6BIT_HALVES;
}
ALWAYS int has_minima(uint32_t kind) {
    return kind == HTP_TILES_4BIT_MINIMA || kind == HTP_TILES_5BIT_MINIMA || kind == HTP_TILES_2BIT_FACTORS;
}

// Minima · mantissa · sums of activations: one for the block, or one for each half.
ALWAYS HVX_VectorPair minimum_terms(uint32_t kind, const open_block *o, int r) {
    if (kind != HTP_TILES_2BIT_FACTORS) return Q6_Ww_vmpy_VhRh(scaled(o->minimum, o->mantissa[r]), o->start[r]);
    const int64_t sums = words_at(&o->block[r]->minus_first);
    return Q6_Ww_vmpyacc_WwVhRh(Q6_Ww_vmpy_VhRh(scaled(o->minimum, o->mantissa[r]), low_word(sums)),
                                scaled(o->second_minimum, o->mantissa[r]), high_word(sums));
}

// Reads the scales and minima of block `block`.
ALWAYS void read_scales(uint32_t kind, const row_tile_parts *parts, uint32_t block, open_block *o) {
    const htp_tile_parts bytes = htp_tile_parts_of(kind);
    const uint8_t *codes = parts->blocks + (uint64_t)block * bytes.block;
    const uint8_t *group = parts->groups + (uint64_t)(block / 8) * bytes.group;
    const uint8_t *chunk = parts->chunks + (uint64_t)(block / 4) * bytes.chunk;
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS: break;
    case HTP_TILES_2BIT_FACTORS: {
        half_factors factors = four_bit_factors(chunk, block), minima = four_bit_factors(chunk + 256, block);
        HVX_Vector scale = hvx_load(group), minimum = hvx_load(group + HVX_BYTES);
        o->scale = Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.first, scale);
        o->second_scale = Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.second, scale);
        o->minimum = Q6_Vh_vmpy_VhVh_s1_rnd_sat(minima.first, minimum);
        o->second_minimum = Q6_Vh_vmpy_VhVh_s1_rnd_sat(minima.second, minimum);
        break;
    }
    case HTP_TILES_3BIT_FACTORS: {
        half_factors factors = six_bit_factors(chunk, block);
        HVX_Vector scale = hvx_load(group);
        o->scale = Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.first, scale);
        o->second_scale = Q6_Vh_vmpy_VhVh_s1_rnd_sat(factors.second, scale);
        break;
    }
    case HTP_TILES_FP4: {
        // Sixty-four bytes a block, rounded down to a vector; the shift takes four bits of its amount.
        const uintptr_t pair = (uintptr_t)(parts->pairs + block * (HVX_BYTES / 2));
        HVX_Vector powers = hvx_load((const void *)(pair & ~(uintptr_t)(HVX_BYTES - 1)));
        powers = Q6_Vuh_vlsr_VuhR(powers, (int32_t)(block * 8));
        powers = Q6_V_vand_VV(powers, Q6_V_vsplat_R(0x000f000f));
        o->scale = Q6_Vh_vlsr_VhVh(Q6_V_vsplat_R(0x40004000), powers);
        break;
    }
    default:
        o->scale = hvx_load(codes);
        if (has_minima(kind)) o->minimum = hvx_load(codes + HVX_BYTES);
        if (has_halves(kind)) o->second_scale = hvx_load(codes + HVX_BYTES);
        break;
    }
}

// Multiplies block `block` of a row tile; its last words only in `finish_block`, if they are held.
ALWAYS void begin_block(uint32_t kind, const row_tile_parts *parts, HVX_Vector table, const rows_of_pass *rows,
                        uint32_t block, open_block *o) {
    const uint8_t *codes = parts->blocks + (uint64_t)block * htp_tile_parts_of(kind).block;
    const int count = rows->count;
    read_scales(kind, parts, block, o);
    EACH_ROW(count) {
        const activation_block *a = rows->row[r].blocks + block;
        const int64_t both = words_at(&a->mantissa);
        o->mantissa[r] = low_word(both);
        o->shift[r] = high_word(both);
        o->start[r] = a->start8;
        o->block[r] = a;
        if (!is_scaled_early(kind, count)) continue;
        o->scaled[r] = scaled(o->scale, o->mantissa[r]);
        if (has_halves(kind)) o->second_scaled[r] = scaled(o->second_scale, o->mantissa[r]);
        if (has_minima(kind)) o->minima[r] = minimum_terms(kind, o, r);
    }
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS:
    case HTP_TILES_2BIT_FACTORS: add_plane_2(kind, o, rows, block, codes); break;
    case HTP_TILES_3BIT_FACTORS:
        begin_with_zero(&o->sums[0], rows, block, 4);
        add_plane_3(kind, o, rows, block, codes);
        break;
    case HTP_TILES_4BIT: add_plane_4(kind, o, rows, block, codes + HVX_BYTES); break;
    case HTP_TILES_4BIT_MINIMA: add_plane_4(kind, o, rows, block, codes + 2 * HVX_BYTES); break;
    case HTP_TILES_5BIT:
    case HTP_TILES_5BIT_MINIMA:
        begin_with_zero(&o->sums[0], rows, block, 16);
        add_plane_5(kind, o, rows, block, codes + (has_minima(kind) ? 2 : 1) * HVX_BYTES);
        break;
    case HTP_TILES_6BIT_HALVES:
        begin_quarters(o->sums, rows, block);
        add_plane_6(kind, o, rows, block, codes + 2 * HVX_BYTES);
        break;
    case HTP_TILES_FP4:
        begin_with_zero(&o->sums[0], rows, block, 16);
        add_plane_4_table(kind, o, rows, block, codes, table);
        break;
    case HTP_TILES_8BIT: o->words = word_sums_8(rows, block, codes + HVX_BYTES); break;
    case HTP_TILES_12BIT: o->words = word_sums_12(rows, block, codes + HVX_BYTES); break;
    case HTP_TILES_IQ4NL: o->words = word_sums_iq4nl(rows, block, codes + HVX_BYTES, table); break;
    default: break;
    }
}

// A block's products, of both halves together or of each, as halfwords in the scales' order.
ALWAYS HVX_VectorPair products_of(uint32_t kind, const open_block *o, int r) {
    const HVX_VectorPair found = o->sums[0].row[r], more = o->sums[1].row[r], most = o->sums[2].row[r];
    HVX_Vector products;
    switch (kind) {
    case HTP_TILES_TERNARY:
    case HTP_TILES_TERNARY_GROUPS:
        // The sums of all blocks have begun with the zeros: here, |products| ≤ 3 · 127 · 32.
        products = joined(both_halves(found), both_halves(more), both_halves(most));
        break;
    case HTP_TILES_2BIT_FACTORS: return Q6_W_vcombine_VV(second_half(o, r), first_half(o, r));
    case HTP_TILES_3BIT_FACTORS: return found; // |products| ≤ 4 · 127 · 16
    case HTP_TILES_4BIT:
    case HTP_TILES_4BIT_MINIMA:
        // |products| ≤ 8 · 127 · 32: the sum of both halves fits, though each may wrap around.
        products = Q6_Vh_vadd_VhVh(both_halves(found), Q6_V_vsplat_R(o->start[r]));
        break;
    case HTP_TILES_5BIT:
    case HTP_TILES_5BIT_MINIMA:
    case HTP_TILES_FP4:
        // |products| ≤ 16 · 127 · 16 or 12 · 127 · 16 in each half: their mean fits.
        products = Q6_Vh_vavg_VhVh(Q6_V_lo_W(found), Q6_V_hi_W(found));
        break;
    case HTP_TILES_6BIT_HALVES:
        // |products| ≤ 32 · 127 · 8 in each quarter: the mean of a half's two fits.
        return Q6_W_vcombine_VV(Q6_Vh_vavg_VhVh(Q6_V_hi_W(found), Q6_V_hi_W(more)),
                                Q6_Vh_vavg_VhVh(Q6_V_lo_W(found), Q6_V_lo_W(more)));
    default:
        // |products| ≤ 128 · 127 · 32, or 2048 · 127 · 32: a sixteenth, or 256th, rounded.
        products = Q6_Vh_vasr_VwVwR_rnd_sat(o->words.high[r], o->words.low[r], kind == HTP_TILES_12BIT ? 8 : 4);
        break;
    }
    return Q6_W_vcombine_VV(products, products);
}

// Adds a multiplied block to the sums.
ALWAYS void finish_block(uint32_t kind, int count, open_block *o, row_sums *sums) {
    add_held_words(kind, o, count);
    const int is_early = is_scaled_early(kind, count);
    EACH_ROW(count) {
        const int32_t mantissa = o->mantissa[r];
        const HVX_VectorPair products = products_of(kind, o, r);
        HVX_VectorPair terms;
        if (kind == HTP_TILES_TERNARY || kind == HTP_TILES_TERNARY_GROUPS) {
            terms = Q6_Ww_vmpy_VhRh(Q6_V_lo_W(products), mantissa);
        } else {
            const HVX_Vector scale = is_early ? o->scaled[r] : scaled(o->scale, mantissa);
            terms = !has_minima(kind) ? Q6_Ww_vmpy_VhVh(Q6_V_lo_W(products), scale)
                : Q6_Ww_vmpyacc_WwVhVh(is_early ? o->minima[r] : minimum_terms(kind, o, r),
                                       Q6_V_lo_W(products), scale);
        }
        if (has_halves(kind)) {
            const HVX_Vector scale = is_early ? o->second_scaled[r] : scaled(o->second_scale, mantissa);
            terms = Q6_Ww_vmpyacc_WwVhVh(terms, Q6_V_hi_W(products), scale);
        }
        sums->low[r] = Q6_Vw_vasracc_VwVwR(sums->low[r], Q6_V_lo_W(terms), o->shift[r]);
        sums->high[r] = Q6_Vw_vasracc_VwVwR(sums->high[r], Q6_V_hi_W(terms), o->shift[r]);
    }
}

// The power of two that the integers of a kind leave to be multiplied: 15 bits of the product of scale and mantissa,
// 10 of the shift, what the products were halved, and what makes factors fill their 15 bits.
ALWAYS int exponent_of(uint32_t kind) {
    switch (kind) {
    case HTP_TILES_5BIT:
    case HTP_TILES_5BIT_MINIMA:
    case HTP_TILES_6BIT_HALVES:
    case HTP_TILES_FP4: return 25 + 1;
    case HTP_TILES_8BIT:
    case HTP_TILES_IQ4NL: return 25 + 4;
    case HTP_TILES_2BIT_FACTORS: return 25 + 4;
    case HTP_TILES_3BIT_FACTORS: return 25 + 5;
    case HTP_TILES_12BIT: return 25 + 8;
    default: return 25;
    }
}

#endif
