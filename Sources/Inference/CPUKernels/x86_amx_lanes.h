// Quantised rows as pairs of bfloat16, of formats with a scale for every 32 weights: part of x86_amx.c. A weight is scale * code +
// addend in single precision, rounded to nearest even.
//
// Rows are brought side by side while they are still packed, as eight bytes of each of eight rows; from then on every vector
// has two weights of eight rows, in the order of a tile's, and their scales in the same lanes.

// Formats that are taken apart so.
INLINE int has_lanes(int format) {
    return format == CPU_Q4_0 || format == CPU_Q4_1 || format == CPU_Q8_0 || format == CPU_IQ4_NL || format == CPU_MXFP4
           || format == CPU_Q4_K || format == CPU_IQ4_XS;
}

// Sixteen rows as far from each other as the first two. Their addresses are sums of one that moves and a multiple of one of
// eight distances: few enough for the registers there are, and no instruction of their own.
typedef struct {
    const uint8_t *first;
    size_t times_1, times_3, times_5, times_7, times_9, times_11, times_13, times_15;
    __mmask16 quarters[3]; // second to last, of a vector
} lane_rows;

LOCAL lane_rows rows_apart(const uint8_t *first, size_t distance) {
    lane_rows rows = {first,        distance,      3 * distance,  5 * distance,  7 * distance,
                      9 * distance, 11 * distance, 13 * distance, 15 * distance, {0xf0, 0xf00, 0xf000}};
    // Known masks are taken for insertions, of which the compiler makes more than there are.
    __asm__("" : "+k"(rows.quarters[0]), "+k"(rows.quarters[1]), "+k"(rows.quarters[2]));
    return rows;
}

// Once in a loop, or the compiler finds that they are multiples of each other and keeps sixteen addresses in memory.
LOCAL void keep_apart(lane_rows *rows) {
    __asm__(""
            : "+r"(rows->first), "+r"(rows->times_1), "+r"(rows->times_3), "+r"(rows->times_5), "+r"(rows->times_7), "+r"(rows->times_9),
              "+r"(rows->times_11), "+r"(rows->times_13), "+r"(rows->times_15));
}

LOCAL const uint8_t *row_of(const lane_rows *rows, const size_t r) {
    const size_t power = r & (0 - r), odd = r ? r / power : 0;
    const size_t distance = odd == 1    ? rows->times_1
                            : odd == 3  ? rows->times_3
                            : odd == 5  ? rows->times_5
                            : odd == 7  ? rows->times_7
                            : odd == 9  ? rows->times_9
                            : odd == 11 ? rows->times_11
                            : odd == 13 ? rows->times_13
                            : odd == 15 ? rows->times_15
                                        : 0;
    return rows->first + distance * power;
}

// 16 bytes of rows `r`, r + step, r + 2 * step and r + 3 * step.
LOCAL __m512i bytes_of_four(const lane_rows *rows, size_t offset, const size_t r, const size_t step) {
    const __m128i *first = (const __m128i *)(row_of(rows, r) + offset);
    __m512i v = _mm512_zextsi128_si512(_mm_loadu_si128(first));
    UNROLLED for (size_t i = 1; i < 4; i++) {
        const __m128i *next = (const __m128i *)(row_of(rows, r + i * step) + offset);
        v = _mm512_mask_broadcast_i32x4(v, rows->quarters[i - 1], _mm_loadu_si128(next));
    }
    return v;
}

// 32 bytes of rows `r` and r + 2.
LOCAL __m512i bytes_of_two(const lane_rows *rows, size_t offset, const size_t r) {
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(row_of(rows, r) + offset))),
        _mm256_loadu_si256((const __m256i *)(row_of(rows, r + 2) + offset)), 1);
}

// MARK: scales

// What a vector of two weights of eight rows is multiplied with and added to.
typedef struct {
    __m512 scales, addends;
} pair_factors;

// Of rows 0...7 and of the others.
LOCAL void spread(pair_factors factors[2], __m512 scales, __m512 addends) {
    const __m512i places = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    for (int i = 0; i < 2; i++) {
        const __m512i eight = _mm512_add_epi32(places, _mm512_set1_epi32(8 * i));
        factors[i] = (pair_factors){_mm512_permutexvar_ps(eight, scales), _mm512_permutexvar_ps(eight, addends)};
    }
}

LOCAL __m512 floats_of_low_halves(__m512i v) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v)); }

// Byte `n` of each dword as a float.
LOCAL __m512 floats_of_bytes(__m512i v, size_t n) {
    const __m512i places = _mm512_add_epi8(
        _mm512_set4_epi32(0x8080800c, 0x80808008, 0x80808004, 0x80808000), _mm512_set1_epi32((int)n));
    return _mm512_cvtepi32_ps(_mm512_shuffle_epi8(v, places));
}

// The first 16 bytes of each row: dword g becomes lane r of out[g].
LOCAL void transpose_beginnings(const lane_rows *rows, __m512i out[4]) {
    __m512i a[4];
    UNROLLED for (size_t j = 0; j < 4; j++) a[j] = bytes_of_four(rows, 0, j, 4);
    const __m512i low01 = _mm512_unpacklo_epi32(a[0], a[1]), high01 = _mm512_unpackhi_epi32(a[0], a[1]);
    const __m512i low23 = _mm512_unpacklo_epi32(a[2], a[3]), high23 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_unpacklo_epi64(low01, low23), out[1] = _mm512_unpackhi_epi64(low01, low23);
    out[2] = _mm512_unpacklo_epi64(high01, high23), out[3] = _mm512_unpackhi_epi64(high01, high23);
}

// Of Q4_K, in the rows' order: of the blocks 2 i and 2 i + 1 the bytes of both scales and of both minima.
typedef struct {
    __m512 scale, minimum;
    __m512i bytes[STRIP_BLOCKS / 2];
} six_bit_factors;

// As six_bit_pairs, of sixteen rows.
LOCAL void load_six_bit_factors(six_bit_factors *factors, const lane_rows *rows) {
    __m512i words[4];
    transpose_beginnings(rows, words);
    const __m512i six = _mm512_set1_epi32(0x3f3f3f3f), four = _mm512_set1_epi32(0x0f0f0f0f);
    const __m512i top = _mm512_set1_epi32(0x30303030);
    const __m512i scales[2] = {
        _mm512_and_si512(words[1], six),
        _mm512_or_si512(_mm512_and_si512(words[3], four), _mm512_and_si512(_mm512_srli_epi32(words[1], 2), top))};
    const __m512i minima[2] = {
        _mm512_and_si512(words[2], six),
        _mm512_or_si512(
            _mm512_and_si512(_mm512_srli_epi32(words[3], 4), four),
            _mm512_and_si512(_mm512_srli_epi32(words[2], 2), top))};
    factors->scale = floats_of_low_halves(words[0]);
    factors->minimum = _mm512_sub_ps(_mm512_setzero_ps(), floats_of_low_halves(_mm512_srli_epi32(words[0], 16)));
    const __mmask32 upper = 0xaaaaaaaa;
    for (size_t i = 0; i < 2; i++) {
        factors->bytes[2 * i] = _mm512_mask_blend_epi16(upper, scales[i], _mm512_slli_epi32(minima[i], 16));
        factors->bytes[2 * i + 1] = _mm512_mask_blend_epi16(upper, _mm512_srli_epi32(scales[i], 16), minima[i]);
    }
}

LOCAL void spread_six_bit_factors(pair_factors low[2], pair_factors high[2], const six_bit_factors *factors, size_t i) {
    const __m512i bytes = factors->bytes[i];
    const __m512 scale = factors->scale, minimum = factors->minimum;
    spread(low, _mm512_mul_ps(scale, floats_of_bytes(bytes, 0)), _mm512_mul_ps(minimum, floats_of_bytes(bytes, 2)));
    spread(high, _mm512_mul_ps(scale, floats_of_bytes(bytes, 1)), _mm512_mul_ps(minimum, floats_of_bytes(bytes, 3)));
}

// Of IQ4_XS, in the rows' order: scales of each block.
LOCAL void load_iq4_xs_scales(__m512 scales[STRIP_BLOCKS], const lane_rows *rows) {
    __m512i words[4];
    transpose_beginnings(rows, words);
    const __m512 scale = floats_of_low_halves(words[0]);
    UNROLLED for (size_t b = 0; b < STRIP_BLOCKS; b++) {
        // Low nibbles are the second dword, upper pairs the first one's upper half.
        const __m512i low = _mm512_and_si512(_mm512_srli_epi32(words[1], (unsigned)(4 * b)), _mm512_set1_epi32(15));
        const __m512i high = _mm512_and_si512(
            _mm512_srli_epi32(words[0], (unsigned)(12 + 2 * b)), _mm512_set1_epi32(48));
        const __m512i factor = _mm512_sub_epi32(_mm512_or_si512(low, high), _mm512_set1_epi32(32));
        scales[b] = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(factor));
    }
}

// Codes of Q8_0 come as 2^15 + 128 + code.
enum { BYTE_OFFSET = 0x8000 + 128 };

// Of a block, which has its scale in its first four bytes, and its addend.
LOCAL void load_factors(pair_factors factors[2], const lane_rows *rows, __m512i distances, const int format) {
    const __m512i first = _mm512_i32gather_epi32(distances, rows->first, 1);
    if (format == CPU_MXFP4) {
        // mxfp4_scale, where the smallest, 2^-127, is taken for zero.
        const __m512i power = _mm512_slli_epi32(_mm512_and_si512(first, _mm512_set1_epi32(255)), 23);
        const __m512 scales = _mm512_mul_ps(_mm512_castsi512_ps(power), _mm512_set1_ps(0.5f));
        spread(factors, scales, scales);
    } else {
        const __m512 scales = floats_of_low_halves(first);
        spread(factors, scales, format == CPU_Q4_1 ? floats_of_low_halves(_mm512_srli_epi32(first, 16)) : scales);
    }
    if (format == CPU_Q8_0)
        for (int i = 0; i < 2; i++)
            factors[i].addends = _mm512_mul_ps(factors[i].scales, _mm512_set1_ps(-BYTE_OFFSET));
}

// MARK: weights

// Two weights each of sixteen rows.
LOCAL void store_weights(__m512i *pair, __m512 first, __m512 last, const pair_factors factors[2], const int format) {
    const int is_sum = has_addends(format) || format == CPU_Q8_0;
    *pair = bf16_of_floats(
        is_sum ? _mm512_fmadd_ps(first, factors[0].scales, factors[0].addends) : _mm512_mul_ps(first, factors[0].scales),
        is_sum ? _mm512_fmadd_ps(last, factors[1].scales, factors[1].addends) : _mm512_mul_ps(last, factors[1].scales));
}

// What the codes 0...15 stand for.
LOCAL __m512 levels_of_nibbles(const int format) {
    const int8_t *levels = format == CPU_MXFP4 ? mxfp4_levels : iq4_nl_levels;
    __m512i values = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    if (format == CPU_Q4_0) values = _mm512_sub_epi32(values, _mm512_set1_epi32(Q4_0_ZERO));
    if (format == CPU_MXFP4 || format == CPU_IQ4_NL || format == CPU_IQ4_XS)
        values = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)levels));
    return _mm512_cvtepi32_ps(values);
}

// Eight bytes of each row, of rows 0...7 and of the others. Low nibbles are eight weights from pair `low` on, of the block with
// the first factors; high ones from pair `high` on, of that with the others.
LOCAL void store_nibbles(
    __m512i (*low)[HALVES], __m512i (*high)[HALVES], __m512i first, __m512i last, const pair_factors low_factors[2],
    const pair_factors high_factors[2], __m512 levels, const int format) {
    // Even bytes in a row's first dword, odd ones in its second.
    const __m512i order = _mm512_set4_epi32(0x0f0d0b09, 0x0e0c0a08, 0x07050301, 0x06040200);
    first = _mm512_shuffle_epi8(first, order), last = _mm512_shuffle_epi8(last, order);
    UNROLLED for (unsigned n = 0; n < 8; n++) {
        // Of an index four bits count.
        const __m512 a = _mm512_permutexvar_ps(_mm512_srli_epi32(first, 4 * n), levels);
        const __m512 b = _mm512_permutexvar_ps(_mm512_srli_epi32(last, 4 * n), levels);
        store_weights(n % 2 ? *(high + n / 2) : *(low + n / 2), a, b, n % 2 ? high_factors : low_factors, format);
    }
}

// 16 bytes of each row are a block: low nibbles its first half.
LOCAL void unpack_nibble_block(
    __m512i (*pairs)[HALVES], const lane_rows *rows, size_t offset, const pair_factors factors[2], __m512 levels,
    const int format) {
    const __m512i even[2] = {bytes_of_four(rows, offset, 0, 2), bytes_of_four(rows, offset, 8, 2)};
    const __m512i odd[2] = {bytes_of_four(rows, offset, 1, 2), bytes_of_four(rows, offset, 9, 2)};
    store_nibbles(
        pairs, pairs + 8, _mm512_unpacklo_epi64(even[0], odd[0]), _mm512_unpacklo_epi64(even[1], odd[1]), factors, factors,
        levels, format);
    store_nibbles(
        pairs + 4, pairs + 12, _mm512_unpackhi_epi64(even[0], odd[0]), _mm512_unpackhi_epi64(even[1], odd[1]), factors,
        factors, levels, format);
}

// Of 32 bytes of each of eight rows the first eight bytes, the next, and so on: as quadwords, row by row, of nibbles, or of
// bytes, which lie behind a scale, as words of two rows in turn, with 128 added to each.
LOCAL void bring_together(__m512i out[4], const lane_rows *rows, const size_t r, const int are_bytes) {
    __m512i v[4];
    UNROLLED for (size_t i = 0; i < 4; i++) {
        v[i] = bytes_of_two(rows, are_bytes ? 2 : 0, r + i / 2 * 4 + i % 2);
        if (are_bytes) v[i] = _mm512_xor_si512(v[i], _mm512_set1_epi8((char)0x80));
    }
    __m512i low[2], high[2];
    UNROLLED for (size_t i = 0; i < 2; i++) {
        const __m512i a = v[2 * i], b = v[2 * i + 1];
        low[i] = are_bytes ? _mm512_unpacklo_epi16(a, b) : _mm512_unpacklo_epi64(a, b);
        high[i] = are_bytes ? _mm512_unpackhi_epi16(a, b) : _mm512_unpackhi_epi64(a, b);
    }
    out[0] = _mm512_shuffle_i64x2(low[0], low[1], 0x88), out[1] = _mm512_shuffle_i64x2(high[0], high[1], 0x88);
    out[2] = _mm512_shuffle_i64x2(low[0], low[1], 0xdd), out[3] = _mm512_shuffle_i64x2(high[0], high[1], 0xdd);
}

// 32 bytes of each row are two blocks, in low and in high nibbles.
LOCAL void unpack_nibble_blocks(
    __m512i (*pairs)[HALVES], const lane_rows *rows, const pair_factors low[2], const pair_factors high[2], __m512 levels,
    const int format) {
    __m512i a[2][4];
    UNROLLED for (size_t h = 0; h < 2; h++) bring_together(a[h], rows, 8 * h, 0);
    UNROLLED for (size_t j = 0; j < 4; j++)
        store_nibbles(pairs + 4 * j, pairs + 16 + 4 * j, a[0][j], a[1][j], low, high, levels, format);
}

// 32 bytes of each row are a block of signed codes.
LOCAL void unpack_byte_block(
    __m512i (*pairs)[HALVES], const lane_rows *rows, const pair_factors factors[2], const int format) {
    // Pairs of two rows take turns.
    __m512i a[2][4];
    UNROLLED for (size_t h = 0; h < 2; h++) bring_together(a[h], rows, 8 * h, 1);
    // A byte in the second place of a dword under 0x4700 is a float, 2^15 + byte.
    const __m512i zero = _mm512_setzero_si512(), exponent = _mm512_set1_epi16(0x4700);
    UNROLLED for (size_t j = 0; j < 8; j++) {
        const __m512i first = a[0][j / 2], last = a[1][j / 2];
        const __m512i words[2] = {
            j % 2 ? _mm512_unpackhi_epi8(zero, first) : _mm512_unpacklo_epi8(zero, first),
            j % 2 ? _mm512_unpackhi_epi8(zero, last) : _mm512_unpacklo_epi8(zero, last)};
        store_weights(
            pairs[2 * j], _mm512_castsi512_ps(_mm512_unpacklo_epi16(words[0], exponent)),
            _mm512_castsi512_ps(_mm512_unpacklo_epi16(words[1], exponent)), factors, format);
        store_weights(
            pairs[2 * j + 1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(words[0], exponent)),
            _mm512_castsi512_ps(_mm512_unpackhi_epi16(words[1], exponent)), factors, format);
    }
}

// Rows that are not all there, or so far apart that 32 bits do not hold it, are copied.
enum { COPIED_ROW = DEPTH / BLOCK * 34 };

TARGET static __attribute__((noinline)) void copy_rows(
    uint8_t (*copies)[COPIED_ROW], const uint8_t *rows, size_t present, size_t distance, size_t size) {
    memset(copies, 0, TILE_ROWS * COPIED_ROW);
    for (size_t r = 0; r < present; r++) memcpy(copies[r], rows + r * distance, size);
}

// `depth` columns of 32 rows, which begin with a strip.
LOCAL void unpack_lanes(
    pair_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_column, size_t depth,
    const int format) {
    const size_t block = block_bytes(format), present = min_size(TILE_ROWS, row_end - first_row);
    size_t distance = p->weight_row_bytes;
    const uint8_t *first = (const uint8_t *)p->weights + first_row * distance + first_column / STRIP * strip_bytes(format);
    uint8_t copies[TILE_ROWS][COPIED_ROW];
    if (present < TILE_ROWS || distance > INT32_MAX / LANES) {
        copy_rows(copies, first, present, distance, block ? depth / BLOCK * block : depth / STRIP * strip_bytes(format));
        first = copies[0], distance = COPIED_ROW;
    }
    const __m512 levels = levels_of_nibbles(format);
    const __m512i distances = _mm512_mullo_epi32(
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32((int)distance));
    lane_rows rows = rows_apart(first, distance);
    for (size_t half = 0; half < HALVES && half * LANES < present; half++) {
        rows.first = first + half * LANES * distance;
        __m512i(*pairs)[HALVES] = (__m512i(*)[HALVES])&t->pairs[0][half], (*end)[HALVES] = pairs + depth / 2;
        if (block) {
            for (; pairs < end; rows.first += block, pairs += BLOCK / 2) {
                keep_apart(&rows);
                pair_factors factors[2];
                load_factors(factors, &rows, distances, format);
                if (format == CPU_Q8_0)
                    unpack_byte_block(pairs, &rows, factors, format);
                else
                    unpack_nibble_block(pairs, &rows, block - 16, factors, levels, format);
            }
        } else if (format == CPU_Q4_K) {
            for (; pairs < end; pairs += STRIP / 2) {
                six_bit_factors factors;
                keep_apart(&rows);
                load_six_bit_factors(&factors, &rows);
                rows.first += 16;
                for (size_t i = 0; i < STRIP_BLOCKS / 2; i++, rows.first += 32) {
                    keep_apart(&rows);
                    pair_factors low[2], high[2];
                    spread_six_bit_factors(low, high, &factors, i);
                    unpack_nibble_blocks(pairs + i * BLOCK, &rows, low, high, levels, format);
                }
            }
        } else {
            for (; pairs < end; pairs += STRIP / 2) {
                __m512 scales[STRIP_BLOCKS];
                keep_apart(&rows);
                load_iq4_xs_scales(scales, &rows);
                rows.first += 8;
                for (size_t b = 0; b < STRIP_BLOCKS; b++, rows.first += 16) {
                    keep_apart(&rows);
                    pair_factors factors[2];
                    spread(factors, scales[b], scales[b]);
                    unpack_nibble_block(pairs + b * BLOCK / 2, &rows, 0, factors, levels, format);
                }
            }
        }
    }
}
