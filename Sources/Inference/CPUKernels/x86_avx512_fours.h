// Few columns, formats of two and three bits: four strips of a row together. Part of x86_avx512_vnni.c.
//
// The dwords of four strips change places so that a lane gets all four dwords of 16 bytes of a strip, one vector after the
// other: lane 4g + s of vector m holds dword m of piece g of strip s. Sums then stay integers over four products, and a
// conversion and a float product are enough for what were four vectors of sums.
//
// Where a row's last strips are fewer than four, the first of them stands for the others and is multiplied by zeros.

enum { FOUR = 4, FIELDS_MAX = 5, FOUR_BLOCKS = FOUR * STRIP_BLOCKS, ROWS_OF_FOURS = 2 };

typedef struct {
    __m512i codes[FIELDS_MAX][FOUR]; // for each field of a row's bytes, what its vector m is multiplied by
    __m512i biases[FIELDS_MAX];      // where sums begin
    __m512 scales[FIELDS_MAX];       // of blocks, divided by what a field's place in its byte makes it too large
    __m512 offsets[FOUR];            // of pieces, for addends
} column_four;

INLINE int goes_by_fours(int format) {
    return is_ternary(format) || format == CPU_Q2_K || format == CPU_Q3_K;
}

LOCAL void change_places(__m512i v[FOUR]) {
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm512_unpacklo_epi64(a, c), v[1] = _mm512_unpackhi_epi64(a, c);
    v[2] = _mm512_unpacklo_epi64(b, d), v[3] = _mm512_unpackhi_epi64(b, d);
}

// MARK: columns

// How far up in its byte field q is where it is multiplied. In TQ1_0 these are fields of the bytes that are looked up.
INLINE int place_of_field(int format, int q) {
    if (format == CPU_Q3_K) return (q + 1) / 2 * 2;
    return q == 4 ? 0 : 2 * q;
}

// Block of a strip to which field q of piece g belongs.
INLINE int block_of_field(int format, int g, int q) {
    switch (format) {
    case CPU_I2_S: return g / 2 * 4 + 3 - q;
    case CPU_IQ2_BN: return 2 * g + q / 2;
    case CPU_TQ1_0: return g < 2 ? q : g == 2 ? 5 + q / 2 : 7;
    default: return g / 2 * 4 + q;
    }
}

// Codes of a strip of TQ1_0: 32 bytes with five digits, 16 with five, 4 with four.
LOCAL void order_digits(__m512i codes[FIELDS_MAX], const int8_t *strip) {
    for (int n = 0; n < FIELDS_MAX; n++) {
        const __m512i first = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(strip + 32 * n)));
        const __m128i second = _mm_loadu_si128((const __m128i *)(strip + 160 + 16 * n));
        const __m128i third = n < 4 ? _mm_cvtsi32_si128(load_int((const uint8_t *)strip + 240, (size_t)n))
                                    : _mm_setzero_si128();
        codes[n] = _mm512_inserti32x4(_mm512_inserti32x4(first, second, 2), third, 3);
    }
}

// `present` strips from block `first` on.
LOCAL void load_four(column_four *four, activation_row x, size_t first, size_t present, const int format) {
    const int fields = format == CPU_TQ1_0 ? 5 : 4;
    __m512i codes[FOUR][FIELDS_MAX];
    for (size_t s = 0; s < FOUR; s++)
        for (int q = 0; q < FIELDS_MAX; q++) codes[s][q] = _mm512_setzero_si512();
    for (size_t s = 0; s < present; s++) {
        const size_t block = first + s * STRIP_BLOCKS;
        if (format == CPU_TQ1_0)
            order_digits(codes[s], x.codes + block * BLOCK);
        else
            order_codes(codes[s], x, block, format);
    }
    // Scales of four times eight blocks.
    const uint32_t blocks = (uint32_t)((1ull << present * STRIP_BLOCKS) - 1);
    const __m512 low = _mm512_maskz_loadu_ps((__mmask16)blocks, x.scales + first * 4);
    const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(blocks >> 16), x.scales + first * 4 + 64);
    for (int q = 0; q < fields; q++) {
        const int place = place_of_field(format, q);
        const __m512i zero = _mm512_set1_epi8((char)(zero_code(format) << place));
        __m512i sum = _mm512_setzero_si512();
        for (size_t m = 0; m < FOUR; m++) four->codes[q][m] = codes[m][q];
        change_places(four->codes[q]);
        for (size_t m = 0; m < FOUR; m++) sum = _mm512_dpbusd_epi32(sum, zero, four->codes[q][m]);
        four->biases[q] = _mm512_sub_epi32(_mm512_setzero_si512(), sum);
        int32_t places[LANES];
        for (int i = 0; i < LANES; i++) places[i] = i % 4 * STRIP_BLOCKS + block_of_field(format, i / 4, q);
        four->scales[q] = _mm512_mul_ps(
            _mm512_permutex2var_ps(low, _mm512_loadu_si512(places), high), _mm512_set1_ps(1.0f / (float)(1 << place)));
    }
    if (format == CPU_Q2_K) {
        __m512i offsets[FOUR];
        // Pieces 8h + 2q + i for piece 2h + i and field q.
        const __m512i pieces = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
        for (size_t s = 0; s < FOUR; s++)
            offsets[s] = _mm512_permutexvar_epi32(
                pieces,
                _mm512_maskz_loadu_epi32(s < present ? ALL : 0, x.half_offsets + (first + s * STRIP_BLOCKS) * 8));
        change_places(offsets);
        for (int q = 0; q < FOUR; q++) four->offsets[q] = _mm512_castsi512_ps(offsets[q]);
    }
}

// MARK: rows

// Strips of a row that are multiplied together.
typedef struct {
    const uint8_t *strips[FOUR];
} row_four;

LOCAL row_four find_four(const uint8_t *first, size_t present, size_t size) {
    row_four row;
    for (size_t s = 0; s < FOUR; s++) row.strips[s] = first + (s < present ? s : 0) * size;
    return row;
}

LOCAL void load_vectors(__m512i v[FOUR], const row_four *row, size_t offset) {
    for (size_t s = 0; s < FOUR; s++) v[s] = _mm512_loadu_si512(row->strips[s] + offset);
    change_places(v);
}

// 16 bytes at `offset` of each strip.
LOCAL __m512i load_headers(const row_four *row, size_t offset) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(row->strips[0] + offset)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row->strips[1] + offset)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row->strips[2] + offset)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row->strips[3] + offset)), 3);
}

// The half-precision numbers at `offset` of the strips, in their lanes.
LOCAL __m512 load_steps(const row_four *row, size_t offset) {
    __m128i v = _mm_cvtsi32_si128(load_half(row->strips[0] + offset));
    for (int s = 1; s < FOUR; s++)
        v = s == 1   ? _mm_insert_epi16(v, load_half(row->strips[1] + offset), 1)
            : s == 2 ? _mm_insert_epi16(v, load_half(row->strips[2] + offset), 2)
                     : _mm_insert_epi16(v, load_half(row->strips[3] + offset), 3);
    return _mm512_broadcast_f32x4(_mm_cvtph_ps(v));
}

LOCAL __m512 add_sums(__m512 sum, __m512i products, __m512 scales) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, sum);
}

// products + pairs of bits, left in their place, * the column's codes for them
LOCAL void dot_field(
    __m512i products[ROWS_OF_FOURS], const __m512i v[ROWS_OF_FOURS][FOUR], const int q, const column_four *x) {
    const __m512i field = _mm512_set1_epi8((char)(3 << 2 * q));
    UNROLLED for (int m = 0; m < FOUR; m++) {
        const __m512i codes = x->codes[q][m];
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++)
            products[r] = _mm512_dpbusd_epi32(products[r], _mm512_and_si512(v[r][m], field), codes);
    }
}

LOCAL void add_four_i2_s(__m512 sums[ROWS_OF_FOURS], const row_four rows[ROWS_OF_FOURS], const column_four *x) {
    __m512i v[ROWS_OF_FOURS][FOUR], products[ROWS_OF_FOURS];
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) load_vectors(v[r], rows + r, 0);
    UNROLLED for (int q = 0; q < 4; q++) {
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) products[r] = x->biases[q];
        dot_field(products, v, q, x);
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) sums[r] = add_sums(sums[r], products[r], x->scales[q]);
    }
}

LOCAL void add_four_tq2_0(__m512 sums[ROWS_OF_FOURS], const row_four rows[ROWS_OF_FOURS], const column_four *x) {
    __m512 own[ROWS_OF_FOURS];
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) own[r] = _mm512_setzero_ps();
    add_four_i2_s(own, rows, x);
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++)
        sums[r] = _mm512_fmadd_ps(own[r], load_steps(rows + r, 64), sums[r]);
}

// Two fields belong to one block: the sum of the lower is made as large as that of the upper.
LOCAL void add_four_iq2_bn(__m512 sums[ROWS_OF_FOURS], const row_four rows[ROWS_OF_FOURS], const column_four *x) {
    __m512i v[ROWS_OF_FOURS][FOUR], low[ROWS_OF_FOURS], high[ROWS_OF_FOURS];
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) load_vectors(v[r], rows + r, 0);
    UNROLLED for (int q = 0; q < 4; q += 2) {
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) low[r] = x->biases[q], high[r] = x->biases[q + 1];
        dot_field(low, v, q, x);
        dot_field(high, v, q + 1, x);
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) {
            const __m512i both = _mm512_add_epi32(_mm512_slli_epi32(low[r], 2), high[r]);
            sums[r] = add_sums(sums[r], both, x->scales[q + 1]);
        }
    }
}

// MARK: TQ1_0

// Digits of bytes below 128: the first four in pairs of bits, and the fifth. Those of 256 - b are 2 less those of b, as
// no byte but 0 times 3^n is a multiple of 256; byte 0 has the digits of 1. The table's first are those of 128.
typedef struct { _Alignas(64) uint8_t first[128], fifth[128]; } digit_table;
#define DIGIT(b, power) (((b) * (power) % 256 * 3) >> 8)
#define FIRST_DIGITS(b) (DIGIT(b, 1) | DIGIT(b, 3) << 2 | DIGIT(b, 9) << 4 | DIGIT(b, 27) << 6)
#define FIFTH_DIGIT(b) DIGIT(b, 81)
#define TABLE_3(of, b) of(b + 1), of(b + 2), of(b + 3)
#define TABLE_15(of, b) \
    TABLE_3(of, b), of(b + 4), TABLE_3(of, b + 4), of(b + 8), TABLE_3(of, b + 8), of(b + 12), TABLE_3(of, b + 12)
#define TABLE_31(of, b) TABLE_15(of, b), of(b + 16), TABLE_15(of, b + 16)
#define TABLE_128(of) \
    {of(128), TABLE_31(of, 0), of(32), TABLE_31(of, 32), of(64), TABLE_31(of, 64), of(96), TABLE_31(of, 96)}
static const digit_table digits_of_bytes = {TABLE_128(FIRST_DIGITS), TABLE_128(FIFTH_DIGIT)};

// table[b], or twos - table[256 - b] for the bytes of the mask.
LOCAL __m512i look_up_digits(__m512i bytes, __mmask64 upper, __m512i twos, const uint8_t table[128]) {
    const __m512i v = _mm512_permutex2var_epi8(_mm512_load_si512(table), bytes, _mm512_load_si512(table + 64));
    return _mm512_mask_sub_epi8(v, upper, twos, v);
}

LOCAL __m512 add_four_tq1_0(__m512 sum, const row_four *row, const column_four *x) {
    __m512i v[FOUR], products[FIELDS_MAX];
    UNROLLED for (int s = 0; s < FOUR; s++) v[s] = _mm512_maskz_loadu_epi32(0x1fff, row->strips[s]);
    change_places(v);
    UNROLLED for (int q = 0; q < FIELDS_MAX; q++) products[q] = x->biases[q];
    UNROLLED for (int m = 0; m < FOUR; m++) {
        const __m512i bytes = _mm512_max_epu8(v[m], _mm512_set1_epi8(1));
        const __mmask64 upper = _mm512_movepi8_mask(bytes);
        const __m512i lower = _mm512_mask_sub_epi8(bytes, upper, _mm512_setzero_si512(), bytes);
        const __m512i first = look_up_digits(lower, upper, _mm512_set1_epi8((char)0xaa), digits_of_bytes.first);
        UNROLLED for (int q = 0; q < 4; q++) {
            const __m512i field = _mm512_set1_epi8((char)(3 << 2 * q));
            products[q] = _mm512_dpbusd_epi32(products[q], _mm512_and_si512(first, field), x->codes[q][m]);
        }
        const __m512i fifth = look_up_digits(lower, upper, _mm512_set1_epi8(2), digits_of_bytes.fifth);
        products[4] = _mm512_dpbusd_epi32(products[4], fifth, x->codes[4][m]);
    }
    __m512 own = _mm512_setzero_ps();
    UNROLLED for (int q = 0; q < FIELDS_MAX; q++) own = add_sums(own, products[q], x->scales[q]);
    return _mm512_fmadd_ps(own, load_steps(row, 52), sum);
}

// MARK: Q2_K

// Bytes 8h + 2q + i of 16 for dwords 2h + i.
#define PIECES_OF(s, g) \
    (char)(16 * (s) + (g) / 2 * 8 + (g) % 2), (char)(16 * (s) + (g) / 2 * 8 + (g) % 2 + 2), \
    (char)(16 * (s) + (g) / 2 * 8 + (g) % 2 + 4), (char)(16 * (s) + (g) / 2 * 8 + (g) % 2 + 6)
#define PIECES_OF_FOUR(g) PIECES_OF(0, g), PIECES_OF(1, g), PIECES_OF(2, g), PIECES_OF(3, g)
static const byte_table scales_of_q2_k = {
    {PIECES_OF_FOUR(0), PIECES_OF_FOUR(1), PIECES_OF_FOUR(2), PIECES_OF_FOUR(3)}};

// The number in the lowest four bits of each lane.
LOCAL __m512 floats_of_nibbles(__m512i v) {
    return _mm512_permutexvar_ps(v, _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

LOCAL void add_four_q2_k(__m512 sums[ROWS_OF_FOURS], const row_four rows[ROWS_OF_FOURS], const column_four *x) {
    __m512i v[ROWS_OF_FOURS][FOUR], packed[ROWS_OF_FOURS], products[ROWS_OF_FOURS];
    __m512 own[ROWS_OF_FOURS], minima[ROWS_OF_FOURS];
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) {
        load_vectors(v[r], rows + r, 16);
        packed[r] = _mm512_permutexvar_epi8(
            _mm512_load_si512(scales_of_q2_k.bytes), load_headers(rows + r, 0));
        own[r] = minima[r] = _mm512_setzero_ps();
    }
    UNROLLED for (int q = 0; q < 4; q++) {
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) products[r] = _mm512_setzero_si512();
        dot_field(products, v, q, x);
        UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) {
            const __m512i here = q ? _mm512_srli_epi32(packed[r], 8 * (unsigned)q) : packed[r];
            const __m512i next = _mm512_srli_epi32(packed[r], 8 * (unsigned)q + 4);
            own[r] = add_sums(own[r], products[r], _mm512_mul_ps(floats_of_nibbles(here), x->scales[q]));
            minima[r] = _mm512_fmadd_ps(floats_of_nibbles(next), x->offsets[q], minima[r]);
        }
    }
    UNROLLED for (int r = 0; r < ROWS_OF_FOURS; r++) {
        sums[r] = _mm512_fmadd_ps(own[r], load_steps(rows + r, 80), sums[r]);
        sums[r] = _mm512_fnmadd_ps(minima[r], load_steps(rows + r, 82), sums[r]);
    }
}

// MARK: Q3_K

// Of the 16 bytes from byte 94 on: bytes 2q + i of the scales' first eight, and 2q + i, modulo 4, of their last four.
#define LOW_SCALE(s, i, q) (char)(16 * (s) + 2 + 2 * (q) + (i))
#define LOW_SCALES(s, i) LOW_SCALE(s, i, 0), LOW_SCALE(s, i, 1), LOW_SCALE(s, i, 2), LOW_SCALE(s, i, 3)
#define HIGH_SCALE(s, i, q) (char)(16 * (s) + 10 + (2 * (q) + (i)) % 4)
#define HIGH_SCALES(s, i) HIGH_SCALE(s, i, 0), HIGH_SCALE(s, i, 1), HIGH_SCALE(s, i, 2), HIGH_SCALE(s, i, 3)
#define OF_FOUR(of, i) of(0, i), of(1, i), of(2, i), of(3, i)
#define OF_PIECES(of) {{OF_FOUR(of, 0), OF_FOUR(of, 1), OF_FOUR(of, 0), OF_FOUR(of, 1)}}
static const byte_table low_scales_of_q3_k = OF_PIECES(LOW_SCALES), high_scales_of_q3_k = OF_PIECES(HIGH_SCALES);

// Where in a qword of the latter the pair begins that belongs to byte i, four bits further down.
#define PAIR_AT(i, h) (char)((8 * (i) + 4 * (h) + (i) % 4 / 2 * 2 + 60) % 64)
#define PAIRS_AT(h) \
    PAIR_AT(0, h), PAIR_AT(1, h), PAIR_AT(2, h), PAIR_AT(3, h), PAIR_AT(4, h), PAIR_AT(5, h), PAIR_AT(6, h), \
        PAIR_AT(7, h)
static const byte_table pairs_of_q3_k = {
    {PAIRS_AT(0), PAIRS_AT(0), PAIRS_AT(0), PAIRS_AT(0), PAIRS_AT(1), PAIRS_AT(1), PAIRS_AT(1), PAIRS_AT(1)}};

// Byte q of a lane: the scale of its piece in field q.
LOCAL __m512i scales_of_q3_k(const row_four *row) {
    const __m512i headers = load_headers(row, 94);
    const __m512i low = _mm512_permutexvar_epi8(_mm512_load_si512(low_scales_of_q3_k.bytes), headers);
    const __m512i high = _mm512_permutexvar_epi8(_mm512_load_si512(high_scales_of_q3_k.bytes), headers);
    const __m512i nibbles = low_nibbles(
        _mm512_srlv_epi32(low, _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4)));
    const __m512i pairs = _mm512_multishift_epi64_epi8(_mm512_load_si512(pairs_of_q3_k.bytes), high);
    // nibbles | (pairs & 0x30)
    const __m512i six = _mm512_ternarylogic_epi64(nibbles, pairs, _mm512_set1_epi8(0x30), 0xf8);
    return _mm512_sub_epi8(six, _mm512_set1_epi8(32));
}

LOCAL __m512 add_four_q3_k(__m512 sum, const row_four *row, const column_four *x) {
    const __m512i turn = _mm512_setr_epi64(2, 2, 2, 2, -2, -2, -2, -2);
    __m512i v[FOUR], thirds[FOUR], products[4];
    __m512 scales[4];
    const __m512i packed = scales_of_q3_k(row);
    UNROLLED for (int q = 0; q < 4; q++) {
        const __m512i top = q < 3 ? _mm512_slli_epi32(packed, 24 - 8 * (unsigned)q) : packed;
        scales[q] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24)), x->scales[q]);
    }
    load_vectors(v, row, 32);
    // The third bits: bit q of the lower half, 4 + q of the upper becomes bit 2 + q.
    UNROLLED for (int s = 0; s < FOUR; s++)
        thirds[s] = _mm512_rolv_epi64(
            _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)row->strips[s])), turn);
    change_places(thirds);
    UNROLLED for (int q = 0; q < 4; q++) products[q] = x->biases[q];
    UNROLLED for (int m = 0; m < FOUR; m++)
        UNROLLED for (int q = 0; q < 4; q++) {
            // Fields 2 and 3 are multiplied two bits further down, so that the third bit has room.
            const int place = place_of_field(CPU_Q3_K, q);
            const __m512i pair = _mm512_set1_epi8((char)(3 << place)), field = _mm512_set1_epi8((char)(7 << place));
            const __m512i low = q < 2 ? v[m] : _mm512_srli_epi16(v[m], 2);
            const __m512i high = q % 2 ? _mm512_slli_epi16(thirds[m], 1) : thirds[m];
            // pair ? low : high
            const __m512i both = _mm512_ternarylogic_epi64(pair, low, high, 0xca);
            products[q] = _mm512_dpbusd_epi32(products[q], _mm512_and_si512(both, field), x->codes[q][m]);
        }
    __m512 own = _mm512_setzero_ps();
    UNROLLED for (int q = 0; q < 4; q++) own = add_sums(own, products[q], scales[q]);
    return _mm512_fmadd_ps(own, load_steps(row, 108), sum);
}

// What another row takes of the column is read again: it does not fit into registers, and is not to be copied.
LOCAL const column_four *again(const column_four *x) {
    __asm__ volatile("" : "+r"(x));
    return x;
}

// `present` strips of some rows, the first of which begin there.
LOCAL void add_four(
    __m512 sums[ROWS_OF_FOURS], const uint8_t *const first[ROWS_OF_FOURS], size_t present, const column_four *x,
    const int format) {
    row_four rows[ROWS_OF_FOURS];
    UNROLLED for (size_t r = 0; r < ROWS_OF_FOURS; r++) rows[r] = find_four(first[r], present, strip_bytes(format));
    switch (format) {
    case CPU_Q2_K: add_four_q2_k(sums, rows, x); break;
    case CPU_Q3_K:
        UNROLLED for (size_t r = 0; r < ROWS_OF_FOURS; r++) sums[r] = add_four_q3_k(sums[r], rows + r, again(x));
        break;
    case CPU_TQ1_0:
        UNROLLED for (size_t r = 0; r < ROWS_OF_FOURS; r++) sums[r] = add_four_tq1_0(sums[r], rows + r, again(x));
        break;
    case CPU_TQ2_0: add_four_tq2_0(sums, rows, x); break;
    case CPU_I2_S: add_four_i2_s(sums, rows, x); break;
    default: add_four_iq2_bn(sums, rows, x);
    }
}
