// Few columns: vectors of 64 weights of one row. Part of x86_avx512_vnni.c.
//
// A strip of 256 weights is taken apart in registers, as unsigned codes in whatever order costs least; the column's codes
// are brought into that order once for ROWS_AT_ONCE rows. What a format subtracts from its codes is where sums begin.
// Formats of two and three bits go by four strips: x86_avx512_fours.h.
#include "x86_avx512_columns.h"

enum { ROWS_AT_ONCE = 4 };

LOCAL __m512i low_nibbles(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
LOCAL __m512i high_nibbles(__m512i v) { return low_nibbles(_mm512_srli_epi16(v, 4)); }

// sum + scale * products, lane by lane; scales of blocks or pieces in `scales` are taken to their lanes by `places`.
LOCAL __m512 add_scaled(__m512 sum, __m512i products, __m512 scales, __m512i places) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_permutexvar_ps(places, scales), sum);
}

// bias + a * x + b * y
LOCAL __m512i dot_two(__m512i bias, __m512i a, __m512i x, __m512i b, __m512i y) {
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(bias, a, x), b, y);
}

// MARK: blocks of 32

// Eight blocks of nibbles: lanes 4b ... 4b + 3 of the first vector hold block b, of the second block 4 + b.
LOCAL __m512 add_nibble_blocks(
    __m512 sum, const __m512i low[2], const __m512i high[2], __m256 scales, const column_strip *x, const int format) {
    const __m512i none = _mm512_setzero_si512();
    const __m512i biases[2] = {has_addends(format) ? none : x->biases[0], has_addends(format) ? none : x->biases[1]};
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i second = _mm512_set_epi32(7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4);
    const __m512 all = _mm512_castps256_ps512(scales);
    sum = add_scaled(sum, dot_two(biases[0], low[0], x->codes[0], high[0], x->codes[1]), all, first);
    return add_scaled(sum, dot_two(biases[1], low[1], x->codes[2], high[1], x->codes[3]), all, second);
}

// Where 16 bytes at `offset` of each of four blocks of `size` bytes are: in the 64 bytes from the first block on, or in
// the last 64 bytes of the four.
#define PIECE(i, size, offset) ((i) / 16 * (size) + (offset) + (i) % 16)
#define AT(i, size, offset) \
    (char)(PIECE(i, size, offset) < 64 ? PIECE(i, size, offset) : 128 + PIECE(i, size, offset) - 4 * (size))
#define FOUR(i, size, offset) \
    AT(i, size, offset), AT(i + 1, size, offset), AT(i + 2, size, offset), AT(i + 3, size, offset)
#define SIXTEEN(i, size, offset) \
    FOUR(i, size, offset), FOUR(i + 4, size, offset), FOUR(i + 8, size, offset), FOUR(i + 12, size, offset)
#define PIECES(size, offset) \
    {{SIXTEEN(0, size, offset), SIXTEEN(16, size, offset), SIXTEEN(32, size, offset), SIXTEEN(48, size, offset)}}

typedef struct { _Alignas(64) char bytes[64]; } byte_table;
static const byte_table pieces_of_17 = PIECES(17, 1), pieces_of_18 = PIECES(18, 2), pieces_of_20 = PIECES(20, 4),
                        pieces_of_22 = PIECES(22, 6), pieces_of_24 = PIECES(24, 8);

// The nibbles of four blocks, one after the other.
LOCAL __m512i load_pieces(const uint8_t *blocks, const size_t size) {
    const byte_table *table = size == 17   ? &pieces_of_17
                              : size == 18 ? &pieces_of_18
                              : size == 20 ? &pieces_of_20
                              : size == 22 ? &pieces_of_22
                                           : &pieces_of_24;
    return _mm512_permutex2var_epi8(
        _mm512_loadu_si512(blocks), _mm512_load_si512(table), _mm512_loadu_si512(blocks + 4 * size - 64));
}

// Words of the same vectors: those at `offset` of four blocks.
#define WORD(b, size, offset) \
    (short)((b) * (size) + (offset) < 64 ? ((b) * (size) + (offset)) / 2 \
                                         : 64 + ((b) * (size) + (offset) - 4 * (size)) / 2)
#define WORDS(size, offset) \
    WORD(0, size, offset), WORD(1, size, offset), WORD(2, size, offset), WORD(3, size, offset)

LOCAL __m128i load_words(const uint8_t *blocks, const int size, __m128i words) {
    return _mm512_castsi512_si128(_mm512_permutex2var_epi16(
        _mm512_loadu_si512(blocks), _mm512_castsi128_si512(words), _mm512_loadu_si512(blocks + 4 * size - 64)));
}

// The half-precision numbers at `offset` of eight blocks.
LOCAL __m256 halves_of_blocks(const uint8_t *blocks, const int size, const int offset) {
    const __m128i words = _mm_setr_epi16(WORDS(size, offset), WORDS(size, offset));
    return _mm256_cvtph_ps(_mm_blend_epi16(
        load_words(blocks, size, words), load_words(blocks + 4 * size, size, words), 0xf0));
}

// The first bytes of eight blocks of 17.
LOCAL __m256i bytes_of_blocks(const uint8_t *blocks) {
    const __m512i table = _mm512_castsi128_si512(_mm_setr_epi8(0, 17, 34, 51, 0, 17, 34, 51, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m128i first = _mm512_castsi512_si128(_mm512_permutexvar_epi8(table, _mm512_loadu_si512(blocks)));
    const __m128i last = _mm512_castsi512_si128(_mm512_permutexvar_epi8(table, _mm512_loadu_si512(blocks + 68)));
    return _mm256_cvtepu8_epi32(_mm_blend_epi16(first, last, 0xfc));
}

// The fifth bits of four blocks, from `offset` on: of their first 16 weights, and of their last.
LOCAL void fifth_bits(const uint8_t *blocks, const int size, const int offset, __mmask64 *first, __mmask64 *last) {
    const __m128i bits = load_words(blocks, size, _mm_setr_epi16(WORDS(size, offset), WORDS(size, offset + 2)));
    *first = (__mmask64)_mm_cvtsi128_si64(bits);
    *last = (__mmask64)_mm_extract_epi64(bits, 1);
}

// Codes of a table's signed levels, with the code of zero added.
LOCAL __m512i unsigned_levels(const int format) {
    const int8_t *levels = format == CPU_MXFP4 ? mxfp4_levels : iq4_nl_levels;
    const __m128i zero = _mm_set1_epi8((char)zero_code(format));
    return _mm512_broadcast_i32x4(_mm_add_epi8(_mm_loadu_si128((const __m128i *)levels), zero));
}

// Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4
LOCAL __m512 add_blocks(__m512 sum, const uint8_t *strip, const column_strip *x, const int format) {
    const size_t size = block_bytes(format);
    __m512i low[2], high[2];
    for (size_t h = 0; h < 2; h++) {
        const uint8_t *four = strip + 4 * h * size;
        const __m512i v = load_pieces(four, size);
        low[h] = low_nibbles(v), high[h] = high_nibbles(v);
        if (format == CPU_IQ4_NL || format == CPU_MXFP4) {
            const __m512i levels = unsigned_levels(format);
            low[h] = _mm512_shuffle_epi8(levels, low[h]), high[h] = _mm512_shuffle_epi8(levels, high[h]);
        }
        if (format == CPU_Q5_0 || format == CPU_Q5_1) {
            __mmask64 first, last;
            fifth_bits(four, (int)size, format == CPU_Q5_0 ? 2 : 4, &first, &last);
            const __m512i fifth = _mm512_set1_epi8(16);
            low[h] = _mm512_or_si512(low[h], _mm512_maskz_mov_epi8(first, fifth));
            high[h] = _mm512_or_si512(high[h], _mm512_maskz_mov_epi8(last, fifth));
        }
    }
    __m256 scales;
    if (format == CPU_MXFP4) {
        // 2^(exponent - 128), which is subnormal for exponents 0 and 1.
        const __m256i exponents = bytes_of_blocks(strip);
        const __m256i usual = _mm256_slli_epi32(_mm256_sub_epi32(exponents, _mm256_set1_epi32(1)), 23);
        const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), exponents);
        const __mmask8 is_small = _mm256_cmplt_epi32_mask(exponents, _mm256_set1_epi32(2));
        scales = _mm256_castsi256_ps(_mm256_mask_blend_epi32(is_small, usual, small));
    } else {
        scales = halves_of_blocks(strip, (int)size, 0);
    }
    if (has_addends(format)) {
        const __m256 addends = halves_of_blocks(strip, (int)size, 2);
        sum = _mm512_fmadd_ps(_mm512_zextps256_ps512(addends), x->offsets, sum);
    }
    return add_nibble_blocks(sum, low, high, _mm256_mul_ps(scales, x->scales), x, format);
}

// The half-precision numbers in front of eight blocks.
LOCAL __m256 far_halves(const uint8_t *blocks, const size_t size) {
    __m128i v = _mm_cvtsi32_si128(load_half(blocks));
    v = _mm_insert_epi16(v, load_half(blocks + size), 1);
    v = _mm_insert_epi16(v, load_half(blocks + 2 * size), 2);
    v = _mm_insert_epi16(v, load_half(blocks + 3 * size), 3);
    v = _mm_insert_epi16(v, load_half(blocks + 4 * size), 4);
    v = _mm_insert_epi16(v, load_half(blocks + 5 * size), 5);
    v = _mm_insert_epi16(v, load_half(blocks + 6 * size), 6);
    v = _mm_insert_epi16(v, load_half(blocks + 7 * size), 7);
    return _mm256_cvtph_ps(v);
}

LOCAL __m512 add_q8_0(__m512 sum, const uint8_t *strip, const column_strip *x) {
    const __m256 scales = far_halves(strip, 34);
    const __m512 products = _mm512_castps256_ps512(_mm256_mul_ps(scales, x->scales));
    for (int q = 0; q < 4; q++) {
        const uint8_t *two = strip + 68 * q;
        const __m512i v = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(two + 2))),
            _mm256_loadu_si256((const __m256i *)(two + 36)), 1);
        const __m512i places = _mm512_add_epi32(
            _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), _mm512_set1_epi32(2 * q));
        const __m512i codes = _mm512_xor_si512(v, _mm512_set1_epi8((char)0x80));
        sum = add_scaled(sum, _mm512_dpbusd_epi32(x->biases[q], codes, x->codes[q]), products, places);
    }
    return sum;
}

// MARK: blocks of 256

// The half-precision number there in all lanes. (Conversions of one number wait for whatever its register held before.)
LOCAL __m512 half_everywhere(const uint8_t *bytes) {
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)load_half(bytes)));
}

LOCAL __m256 half_in_eight(const uint8_t *bytes) { return _mm256_cvtph_ps(_mm_set1_epi16((short)load_half(bytes))); }

// Eight scales of 6 bits, then eight minima, of a block that begins with their two steps: six_bit_pairs in vectors.
LOCAL __m512 steps_of_pairs(const uint8_t *block) {
    const __m256i head = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)block));
    // In the upper half the two upper bits of the last four of each.
    const __m256i places = _mm256_setr_epi8(
        4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15, //
        -1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
    const __m256i shifts = _mm256_setr_epi8(
        0, 8, 16, 24, 32, 40, 48, 56, 0, 8, 16, 24, 36, 44, 52, 60, //
        0, 0, 0, 0, 34, 42, 50, 58, 0, 0, 0, 0, 34, 42, 50, 58);
    const __m256i bits = _mm256_setr_epi32(
        0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f, 0, 0x30303030, 0, 0x30303030);
    const __m256i parts =
        _mm256_and_si256(_mm256_multishift_epi64_epi8(shifts, _mm256_shuffle_epi8(head, places)), bits);
    const __m128i six = _mm_or_si128(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
    const __m256i of_each = _mm256_setr_epi16(
        0x100, 0x100, 0x100, 0x100, 0x100, 0x100, 0x100, 0x100, //
        0x302, 0x302, 0x302, 0x302, 0x302, 0x302, 0x302, 0x302);
    const __m512 halves = _mm512_cvtph_ps(_mm256_shuffle_epi8(head, of_each));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(six)), halves);
}

// Q4_K and Q5_K
LOCAL __m512 add_q4_k(__m512 sum, const uint8_t *strip, const column_strip *x, const int has_fifths) {
    const __m512 scales = _mm512_mul_ps(steps_of_pairs(strip), x->pairs);
    sum = _mm512_mask_add_ps(sum, 0xff00, sum, scales);
    const uint8_t *nibbles = strip + (has_fifths ? 48 : 16);
    const __m512i a = _mm512_loadu_si512(nibbles), b = _mm512_loadu_si512(nibbles + 64);
    // Eight bytes of each 32, then the next eight; qword i of a half belongs to blocks 2i and 2i + 1.
    const __m512i v = _mm512_permutex2var_epi64(a, _mm512_set_epi64(13, 9, 5, 1, 12, 8, 4, 0), b);
    const __m512i w = _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 11, 7, 3, 14, 10, 6, 2), b);
    __m512i low[2] = {low_nibbles(v), low_nibbles(w)}, high[2] = {high_nibbles(v), high_nibbles(w)};
    if (has_fifths) {
        // Bit 2i (and 2i + 1) of a byte becomes bit 4 in qword i.
        const __m512i bits = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(strip + 16)));
        const __m512i to_low = _mm512_set_epi64(-2, 0, 2, 4, -2, 0, 2, 4);
        const __m512i to_high = _mm512_set_epi64(-3, -1, 1, 3, -3, -1, 1, 3), fifth = _mm512_set1_epi8(16);
        for (int h = 0; h < 2; h++) {
            const __m512i qwords = _mm512_add_epi64(_mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0), _mm512_set1_epi64(2 * h));
            const __m512i here = _mm512_permutexvar_epi64(qwords, bits);
            // codes | (bits & 16)
            low[h] = _mm512_ternarylogic_epi64(low[h], _mm512_rolv_epi64(here, to_low), fifth, 0xf8);
            high[h] = _mm512_ternarylogic_epi64(high[h], _mm512_rolv_epi64(here, to_high), fifth, 0xf8);
        }
    }
    const __m512i even = _mm512_set_epi32(6, 6, 4, 4, 2, 2, 0, 0, 6, 6, 4, 4, 2, 2, 0, 0);
    const __m512i odd = _mm512_set_epi32(7, 7, 5, 5, 3, 3, 1, 1, 7, 7, 5, 5, 3, 3, 1, 1);
    const __m512i none = _mm512_setzero_si512();
    sum = add_scaled(sum, dot_two(none, low[0], x->codes[0], low[1], x->codes[1]), scales, even);
    return add_scaled(sum, dot_two(none, high[0], x->codes[2], high[1], x->codes[3]), scales, odd);
}

// The scales of four pieces in four lanes each, from piece `first` on.
LOCAL __m512i places_of_pieces(int first) {
    return _mm512_add_epi32(
        _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0), _mm512_set1_epi32(first));
}

LOCAL __m512 add_q6_k(__m512 sum, const uint8_t *strip, const column_strip *x) {
    const __m512 factors = _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(strip + 192))));
    const __m512 steps = _mm512_mul_ps(factors, half_everywhere(strip + 208));
    const __m512 scales = _mm512_mul_ps(steps, x->piece_scales);
    const __m512i upper = _mm512_set1_epi8(0x30);
    for (int h = 0; h < 2; h++) {
        const __m512i v = _mm512_loadu_si512(strip + 64 * h);
        const __m512i pairs = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(strip + 128 + 32 * h)));
        // Bits 0 and 1, in the upper half 2 and 3 (then 4 and 5, 6 and 7) become bits 4 and 5 of a byte.
        const __m512i to_low = _mm512_rolv_epi64(pairs, _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4));
        const __m512i to_high = _mm512_rolv_epi64(pairs, _mm512_set_epi64(-2, -2, -2, -2, 0, 0, 0, 0));
        const __m512i low = _mm512_ternarylogic_epi64(low_nibbles(v), to_low, upper, 0xf8);
        const __m512i high = _mm512_ternarylogic_epi64(high_nibbles(v), to_high, upper, 0xf8);
        const __m512i first = _mm512_dpbusd_epi32(x->biases[2 * h], low, x->codes[2 * h]);
        const __m512i second = _mm512_dpbusd_epi32(x->biases[2 * h + 1], high, x->codes[2 * h + 1]);
        sum = add_scaled(sum, first, scales, places_of_pieces(8 * h));
        sum = add_scaled(sum, second, scales, places_of_pieces(8 * h + 4));
    }
    return sum;
}

LOCAL __m512 add_iq4_xs(__m512 sum, const uint8_t *strip, const column_strip *x) {
    // Scale b: nibble b of a word, and pair b of a halfword on top.
    const __m256i b = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i nibbles = _mm256_set1_epi32(load_int(strip, 1)), pairs = _mm256_set1_epi32(load_half(strip + 2) << 4);
    const __m256i low = _mm256_and_si256(
        _mm256_srlv_epi32(nibbles, _mm256_slli_epi32(b, 2)), _mm256_set1_epi32(15));
    const __m256i high = _mm256_and_si256(_mm256_srlv_epi32(pairs, _mm256_slli_epi32(b, 1)), _mm256_set1_epi32(48));
    const __m256i factors = _mm256_sub_epi32(_mm256_or_si256(low, high), _mm256_set1_epi32(32));
    const __m256 scales = _mm256_mul_ps(_mm256_cvtepi32_ps(factors), half_in_eight(strip));
    const __m512i levels = unsigned_levels(CPU_IQ4_XS);
    __m512i lows[2], highs[2];
    for (int h = 0; h < 2; h++) {
        const __m512i v = _mm512_loadu_si512(strip + 8 + 64 * h);
        lows[h] = _mm512_shuffle_epi8(levels, low_nibbles(v)), highs[h] = _mm512_shuffle_epi8(levels, high_nibbles(v));
    }
    return add_nibble_blocks(sum, lows, highs, _mm256_mul_ps(scales, x->scales), x, CPU_IQ4_XS);
}

LOCAL __m512 add_whole_strip(__m512 sum, const uint8_t *strip, const column_strip *x, const int format) {
    switch (format) {
    case CPU_Q8_0: return add_q8_0(sum, strip, x);
    case CPU_Q4_K: return add_q4_k(sum, strip, x, 0);
    case CPU_Q5_K: return add_q4_k(sum, strip, x, 1);
    case CPU_Q6_K: return add_q6_k(sum, strip, x);
    case CPU_IQ4_XS: return add_iq4_xs(sum, strip, x);
    default: return add_blocks(sum, strip, x, format);
    }
}

// MARK: rows

// Some blocks of 32 that were taken apart, times a column: what is left at the end of a row.
LOCAL __m512 add_strip(__m512 sum, const strip *s, activation_row x, size_t first, size_t blocks, const int format) {
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    for (size_t b = 0; b < blocks; b += 2) {
        const size_t some = min_size(2, blocks - b);
        const __mmask64 bytes = some == 2 ? ~(__mmask64)0 : 0xffffffff;
        const __mmask8 present = (__mmask8)((1 << some) - 1);
        const __m512i codes = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, s->codes + b * BLOCK), sign);
        const __m512i x_codes = _mm512_maskz_loadu_epi8(bytes, x.codes + (first + b) * BLOCK);
        // Each lane's own, as float sums of lanes that are large without it would lose digits.
        const __m512i bias = _mm512_dpbusd_epi32(_mm512_setzero_si512(), sign, x_codes);
        const __m512i own = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, x_codes);
        const __m512 products = _mm512_cvtepi32_ps(_mm512_sub_epi32(own, bias));
        const __m512 scales = in_halves((const uint8_t *)s->scales, b, some);
        sum = _mm512_fmadd_ps(products, _mm512_mul_ps(scales, in_halves(x.scales, first + b, some)), sum);
        if (has_addends(format)) {
            const __m128 offsets = _mm_maskz_loadu_ps(present, x.offsets + (first + b) * 4);
            const __m128 addends = _mm_maskz_loadu_ps(present, s->addends + b);
            sum = _mm512_fmadd_ps(_mm512_zextps128_ps512(offsets), _mm512_zextps128_ps512(addends), sum);
        }
    }
    return sum;
}

#include "x86_avx512_fours.h"

// A column is prepared once for all rows, up to so many strips; what is beyond is made again for each ROWS_AT_ONCE rows.
enum { FOURS_MAX = 16, STRIPS_MAX = 48 };

typedef struct {
    activation_row x;
    union {
        column_four fours[FOURS_MAX];
        column_strip strips[STRIPS_MAX];
    };
} column;

LOCAL void prepare_column(column *c, activation_row x, size_t blocks, const int format) {
    const size_t strips = blocks / STRIP_BLOCKS;
    c->x = x;
    if (goes_by_fours(format))
        for (size_t i = 0; i < FOURS_MAX && i * FOUR < strips; i++)
            load_four(c->fours + i, x, i * FOUR_BLOCKS, min_size(strips - i * FOUR, FOUR), format);
    else
        for (size_t i = 0; i < STRIPS_MAX && i < strips; i++)
            c->strips[i] = load_column(x, i * STRIP_BLOCKS, format);
}

// Some strips of all rows, from strip `first` on.
LOCAL void add_strips(
    __m512 sums[ROWS_AT_ONCE], const uint8_t *const rows[ROWS_AT_ONCE], const column *x, size_t first, size_t present,
    const int format) {
    const uint8_t *strips[ROWS_AT_ONCE];
    UNROLLED for (size_t r = 0; r < ROWS_AT_ONCE; r++) {
        strips[r] = strip_of_row(rows[r], first, format);
        fetch_ahead(strips[r], present * strip_bytes(format));
    }
    if (goes_by_fours(format)) {
        column_four own;
        const column_four *four = x->fours + first / FOUR;
        if (first / FOUR >= FOURS_MAX) {
            load_four(&own, x->x, first * STRIP_BLOCKS, present, format);
            four = &own;
        }
        UNROLLED for (size_t r = 0; r < ROWS_AT_ONCE; r += ROWS_OF_FOURS)
            add_four(sums + r, strips + r, present, again(four), format);
    } else {
        column_strip own;
        const column_strip *strip = x->strips + first;
        if (first >= STRIPS_MAX) {
            own = load_column(x->x, first * STRIP_BLOCKS, format);
            strip = &own;
        }
        for (size_t r = 0; r < ROWS_AT_ONCE; r++) sums[r] = add_whole_strip(sums[r], strips[r], strip, format);
    }
}

LOCAL void dot_rows(
    const uint8_t *const rows[ROWS_AT_ONCE], const column *x, size_t blocks, float weight_scale, const int format,
    float out[ROWS_AT_ONCE]) {
    const size_t whole = blocks / STRIP_BLOCKS, step = goes_by_fours(format) ? FOUR : 1;
    __m512 sums[ROWS_AT_ONCE];
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) sums[r] = _mm512_setzero_ps();
    size_t i = 0;
    for (; i + step <= whole; i += step) add_strips(sums, rows, x, i, step, format);
    if (i < whole) add_strips(sums, rows, x, i, whole - i, format);
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) {
        // Scales of whole rows come in at the end.
        const float scale = format == CPU_IQ2_BN ? load_float(rows[r], 0) : format == CPU_I2_S ? weight_scale : 1;
        __m512 sum = _mm512_mul_ps(sums[r], _mm512_set1_ps(scale));
        strip s;
        const size_t done = whole * STRIP_BLOCKS;
        if (done < blocks) {
            unpack_strip(&s, rows[r], whole, blocks - done, weight_scale, format);
            sum = add_strip(sum, &s, x->x, done, blocks - done, format);
        }
        out[r] = _mm512_reduce_add_ps(sum);
    }
}
