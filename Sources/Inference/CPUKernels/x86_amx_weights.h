// Quantised rows as pairs of bfloat16: part of x86_amx.c. A weight is scale * code + addend, rounded to nearest even.
// Codes of five bits and of two choose theirs from a table of the block's values; the others are computed. Formats of
// `has_lanes` have a way of their own.

#include "x86_strips.h"

// MARK: tables

INLINE int has_fifths(int format) { return format == CPU_Q5_0 || format == CPU_Q5_1 || format == CPU_Q5_K; }

// What codes 0...15 and 16...31 stand for. Where codes have fewer bits, others above them choose the same.
typedef struct {
    __m512 first, second;
} code_levels;

LOCAL code_levels levels_of(const int format) {
    const __m512i index = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i sixteen = _mm512_set1_epi32(16);
    __m512i first = index, second = index;
    switch (format) {
    case CPU_Q5_0: first = _mm512_sub_epi32(index, sixteen); break;
    case CPU_Q5_1: case CPU_Q5_K: second = _mm512_add_epi32(index, sixteen); break;
    case CPU_TQ2_0: case CPU_I2_S: case CPU_IQ2_BN:
        first = second = _mm512_sub_epi32(_mm512_and_si512(index, _mm512_set1_epi32(3)), _mm512_set1_epi32(1));
        break;
    }
    return (code_levels){_mm512_cvtepi32_ps(first), _mm512_cvtepi32_ps(second)};
}

LOCAL __m512 scaled(__m512 codes, __m512 scale, __m512 addend, const int format) {
    return has_addends(format) ? _mm512_fmadd_ps(codes, scale, addend) : _mm512_mul_ps(codes, scale);
}

// The 32 values of a block's codes.
LOCAL __m512i value_table(code_levels levels, __m512 scale, __m512 addend, const int format) {
    const __m512 first = scaled(levels.first, scale, addend, format);
    return bf16_of_floats(first, has_fifths(format) ? scaled(levels.second, scale, addend, format) : first);
}

// MARK: blocks

// Words of 16 bytes, twice.
LOCAL __m512i words_twice(const uint8_t *bytes) {
    return _mm512_cvtepu8_epi16(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes)));
}

LOCAL __m512i words(const uint8_t *bytes) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)bytes));
}

// Shifts of the first and of the last 16 words.
LOCAL __m512i two_shifts(int first, int second) {
    return _mm512_inserti64x4(_mm512_set1_epi16((short)first), _mm256_set1_epi16((short)second), 1);
}

// Codes with their fifth bits.
LOCAL __m512i with_fifths(__m512i codes, __mmask32 fifths) {
    const __m512i low = _mm512_and_si512(codes, _mm512_set1_epi16(15));
    return _mm512_mask_add_epi16(low, fifths, low, _mm512_set1_epi16(16));
}

LOCAL __m512 half_everywhere(const uint8_t *bytes) {
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)load_half(bytes)));
}

LOCAL __m512i bf16_of_codes(const int8_t *codes, __m512 scales[2], __m512 addends[2], const int format) {
    const __m512i low = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)codes));
    const __m512i high = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(codes + 16)));
    return bf16_of_floats(
        scaled(_mm512_cvtepi32_ps(low), scales[0], addends[0], format),
        scaled(_mm512_cvtepi32_ps(high), scales[1], addends[1], format));
}

// Q5_0 and Q5_1: their nibbles come last, behind fifth bits.
LOCAL __m512i bf16_of_block(const uint8_t *block, code_levels levels, const int format) {
    const __m512 scale = half_everywhere(block), addend = has_addends(format) ? half_everywhere(block + 2) : scale;
    const uint8_t *nibbles = block + block_bytes(format) - 16;
    const __m512i codes = _mm512_srlv_epi16(words_twice(nibbles), two_shifts(0, 4));
    return _mm512_permutexvar_epi16(
        with_fifths(codes, (__mmask32)load_int(nibbles - 4, 0)), value_table(levels, scale, addend, format));
}

// Block `b` of 256 weights of two bits each, which begin at `bytes`.
LOCAL __m512i two_bit_codes(const uint8_t *bytes, size_t b, const int format) {
    const int quarter = (int)(b % 4);
    switch (format) {
    case CPU_IQ2_BN:
        return _mm512_srlv_epi16(words_twice(bytes + b / 2 * 16), b % 2 ? two_shifts(4, 6) : two_shifts(0, 2));
    case CPU_I2_S:
        return _mm512_srl_epi16(words(bytes + b / 4 * 32), _mm_cvtsi32_si128(6 - 2 * quarter));
    default: return _mm512_srl_epi16(words(bytes + b / 4 * 32), _mm_cvtsi32_si128(2 * quarter));
    }
}

LOCAL float two_bit_scale(const uint8_t *row, const uint8_t *bytes, const cpu_product *p, const int format) {
    switch (format) {
    case CPU_IQ2_BN: return load_float(row, 0);
    case CPU_I2_S: return p->weight_scale;
    default: return half_to_float(bytes + 64);
    }
}

// A block of Q5_K: its scales and addends, without codes.
LOCAL void unpack_scales(strip *s, const uint8_t *block) {
    const __m256 scale = _mm256_set1_ps(half_to_float(block));
    uint8_t scales[8], minima[8];
    six_bit_pairs(scales, minima, block + 4);
    const __m256 minimum = _mm256_set1_ps(-half_to_float(block + 2));
    const __m256i wide_scales = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)scales));
    const __m256i wide_minima = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)minima));
    _mm256_storeu_ps(s->scales, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(wide_scales)));
    _mm256_storeu_ps(s->addends, _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(wide_minima)));
}

// 32 weights of it.
LOCAL __m512i bf16_of_part(const uint8_t *block, const strip *s, size_t b, code_levels levels) {
    const __m512i codes = _mm512_srl_epi16(words(block + 48 + b / 2 * 32), _mm_cvtsi32_si128((int)(b % 2 * 4)));
    const __mmask32 fifths = _mm256_test_epi8_mask(
        _mm256_loadu_si256((const __m256i *)(block + 16)), _mm256_set1_epi8((char)(1 << b)));
    return _mm512_permutexvar_epi16(
        with_fifths(codes, fifths),
        value_table(levels, _mm512_set1_ps(s->scales[b]), _mm512_set1_ps(s->addends[b]), CPU_Q5_K));
}

// MARK: tiles

// `depth` columns of 32 rows, which begin with a strip.
LOCAL void unpack_codes(
    pair_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_column, size_t depth,
    const int format) {
    const int is_two_bits = format == CPU_TQ2_0 || format == CPU_I2_S || format == CPU_IQ2_BN;
    const code_levels levels = levels_of(format);
    strip strips[LANES];
    __m512i tables[LANES], some[LANES];
    for (size_t half = 0; half < HALVES; half++) {
        const uint8_t *rows[LANES];
        find_rows(rows, p, first_row + half * LANES, row_end);
        for (size_t k = 0; k < depth; k += STRIP) {
            const size_t number = (first_column + k) / STRIP, blocks = min_size(STRIP, depth - k) / BLOCK;
            const uint8_t *bytes[LANES];
            for (size_t r = 0; r < LANES; r++) {
                bytes[r] = rows[r] + row_header_bytes(format) + number * strip_bytes(format);
                if (is_two_bits) {
                    const __m512 scale = _mm512_set1_ps(two_bit_scale(rows[r], bytes[r], p, format));
                    tables[r] = value_table(levels, scale, scale, format);
                } else if (format == CPU_Q5_K) {
                    unpack_scales(strips + r, bytes[r]);
                } else if (!block_bytes(format)) {
                    unpack_strip(strips + r, rows[r], number, blocks, p->weight_scale, format);
                }
            }
            for (size_t b = 0; b < blocks; b++) {
                UNROLLED for (size_t r = 0; r < LANES; r++) {
                    if (is_two_bits) {
                        some[r] = _mm512_permutexvar_epi16(two_bit_codes(bytes[r], b, format), tables[r]);
                    } else if (format == CPU_Q5_K) {
                        some[r] = bf16_of_part(bytes[r], strips + r, b, levels);
                    } else if (block_bytes(format)) {
                        some[r] = bf16_of_block(bytes[r] + b * block_bytes(format), levels, format);
                    } else {
                        const strip *s = strips + r;
                        const size_t g = has_halves(format) ? 2 * b : b, last = has_halves(format) ? g + 1 : g;
                        __m512 scales[2] = {_mm512_set1_ps(s->scales[g]), _mm512_set1_ps(s->scales[last])};
                        __m512 addends[2] = {_mm512_set1_ps(s->addends[g]), _mm512_set1_ps(s->addends[last])};
                        some[r] = bf16_of_codes(s->codes + b * BLOCK, scales, addends, format);
                    }
                }
                store_pairs((__m512i(*)[HALVES])&t->pairs[(k + b * BLOCK) / 2][half], some);
            }
        }
    }
}
