// Many columns: 16 rows of weights taken apart side by side, a row in each lane. Part of x86_avx512_vnni.c.
//
// Sixteen bytes of each row are transposed as they are; their fields become codes of all rows at once, and so do scales.

// MARK: parts of 16 rows

typedef struct {
    const uint8_t *bytes[LANES];
    size_t next; // see next_tile
} sixteen_rows;

// 16 bytes of each row, transposed.
LOCAL void load_piece(const sixteen_rows *rows, size_t offset, __m512i out[4]) {
    transpose(rows->bytes, offset, out);
    fetch_piece(rows->bytes, offset / 64 * 64, offset / 16, rows->next);
}

// The dword at `offset` of each row.
LOCAL __m512i dwords_of_rows(const sixteen_rows *rows, size_t offset) {
    int32_t dwords[LANES];
    for (size_t r = 0; r < LANES; r++) dwords[r] = load_int(rows->bytes[r] + offset, 0);
    return _mm512_loadu_si512(dwords);
}

// The half-precision numbers at `offset`.
LOCAL __m512 halves_of_rows(const sixteen_rows *rows, size_t offset) {
    uint16_t halves[LANES];
    for (size_t r = 0; r < LANES; r++) halves[r] = load_half(rows->bytes[r] + offset);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

// The half-precision numbers in the lower or upper halves of lanes.
LOCAL __m512 halves_of_dwords(__m512i v, const int upper) { return float_of_halves(v, upper, F16); }

// Byte i of each lane, unsigned.
LOCAL __m512 byte_of_dwords(__m512i v, const int i) {
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(v, 8 * (unsigned)i), _mm512_set1_epi32(255)));
}

LOCAL __m512 signed_byte_of_dwords(__m512i v, const int i) {
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(v, 24 - 8 * (unsigned)i), 24));
}

// The bits of `mask` in each dword.
LOCAL __m512i bits_of(__m512i v, uint32_t mask) { return _mm512_and_si512(v, _mm512_set1_epi32((int)mask)); }

// Field of two bits, from bit 2q on, of each byte.
LOCAL __m512i pair_of_bytes(__m512i v, const int q) {
    return _mm512_and_si512(_mm512_srli_epi16(v, 2 * (unsigned)q), _mm512_set1_epi8(3));
}

// Bit (or bits from) `from` of each byte to bit `to` of it; the others are of no use.
LOCAL __m512i bits_to(__m512i v, const int from, const int to) {
    return _mm512_rolv_epi64(v, _mm512_set1_epi64(to - from));
}

// codes | (bits & mask)
LOCAL __m512i with_bits(__m512i codes, __m512i bits, const char mask) {
    return _mm512_ternarylogic_epi64(codes, bits, _mm512_set1_epi8(mask), 0xf8);
}

// Codes in which 128 stands for zero are what tiles hold: piece i of a tile is its codes from 16 i on.
LOCAL void put_piece(tile *t, size_t i, size_t half, const __m512i codes[4], const int zero) {
    UNROLLED for (size_t g = 0; g < 4; g++)
        t->codes[i / 2][i % 2 * 4 + g][half] =
            zero == 128 ? codes[g] : _mm512_add_epi8(codes[g], _mm512_set1_epi8((char)(128 - zero)));
}

// MARK: blocks of 32

LOCAL __m512 mxfp4_scales_of_rows(const sixteen_rows *rows, size_t offset) {
    float scales[LANES];
    for (size_t r = 0; r < LANES; r++) scales[r] = mxfp4_scale(rows->bytes[r][offset]);
    return _mm512_loadu_ps(scales);
}

// Four vectors of nibbles, as codes of which 128 stands for zero in formats with levels.
LOCAL void codes_of_nibbles(__m512i codes[4], const __m512i packed[4], const int upper, const int format) {
    const int has_levels = format == CPU_IQ4_NL || format == CPU_IQ4_XS || format == CPU_MXFP4;
    const __m128i levels =
        _mm_loadu_si128((const __m128i *)(format == CPU_MXFP4 ? mxfp4_levels : iq4_nl_levels));
    const __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(levels, _mm_set1_epi8((char)0x80)));
    UNROLLED for (size_t g = 0; g < 4; g++) {
        codes[g] = upper ? high_nibbles(packed[g]) : low_nibbles(packed[g]);
        if (has_levels) codes[g] = _mm512_shuffle_epi8(table, codes[g]);
    }
}

// Bits 16 h + 4g + j of each dword of `bits` become bit 4 of byte j of codes[g].
LOCAL void add_fifths(__m512i codes[4], __m512i bits, const int h) {
    // Eight bits of a qword from bit 4 less on; those of the odd dword 32 further up.
    const __m512i from = _mm512_add_epi8(
        _mm512_set1_epi64(0x2322212003020100), _mm512_set1_epi8((char)(16 * h - 4)));
    UNROLLED for (int g = 0; g < 4; g++) {
        const __m512i places = _mm512_add_epi8(from, _mm512_set1_epi8((char)(4 * g)));
        codes[g] = with_bits(codes[g], _mm512_multishift_epi64_epi8(places, bits), 16);
    }
}

// Block `b` of a tile, which begins at `offset` of the rows.
LOCAL void unpack_block_of_rows(
    tile *t, size_t b, size_t half, const sixteen_rows *rows, size_t offset, const int format) {
    __m512i packed[4], codes[4];
    t->scales[b][0][half] =
        format == CPU_MXFP4 ? mxfp4_scales_of_rows(rows, offset) : halves_of_rows(rows, offset);
    if (has_addends(format)) t->addends[b][0][half] = halves_of_rows(rows, offset + 2);
    if (format == CPU_Q8_0) {
        for (size_t h = 0; h < 2; h++) {
            load_piece(rows, offset + 2 + 16 * h, packed);
            put_piece(t, 2 * b + h, half, packed, 0);
        }
        return;
    }
    load_piece(rows, offset + block_bytes(format) - 16, packed);
    const int has_fifths = format == CPU_Q5_0 || format == CPU_Q5_1;
    const __m512i bits =
        has_fifths ? dwords_of_rows(rows, offset + block_bytes(format) - 20) : _mm512_setzero_si512();
    for (int h = 0; h < 2; h++) {
        codes_of_nibbles(codes, packed, h, format);
        if (has_fifths) add_fifths(codes, bits, h);
        put_piece(t, 2 * b + (size_t)h, half, codes, format == CPU_MXFP4 ? 128 : zero_code(format));
    }
}

// MARK: blocks of 256, as strips.h takes them apart

// Q4_K and Q5_K
LOCAL void unpack_q4_k_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset, const int has_fifths) {
    const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;
    __m512i head[4], fifths[2][4], packed[4], codes[4];
    load_piece(rows, offset, head);
    const __m512 scale = halves_of_dwords(head[0], 0), minimum = halves_of_dwords(head[0], 1);
    const __m512i scales[2] = {
        bits_of(head[1], six),
        _mm512_or_si512(bits_of(head[3], four), bits_of(_mm512_srli_epi32(head[1], 2), top))};
    const __m512i minima[2] = {
        bits_of(head[2], six),
        _mm512_or_si512(bits_of(_mm512_srli_epi32(head[3], 4), four), bits_of(_mm512_srli_epi32(head[2], 2), top))};
    UNROLLED for (int i = 0; i < 8; i++) {
        t->scales[first + (size_t)i][0][half] = _mm512_mul_ps(scale, byte_of_dwords(scales[i / 4], i % 4));
        t->addends[first + (size_t)i][0][half] = _mm512_sub_ps(
            _mm512_setzero_ps(), _mm512_mul_ps(minimum, byte_of_dwords(minima[i / 4], i % 4)));
    }
    if (has_fifths)
        for (size_t h = 0; h < 2; h++) load_piece(rows, offset + 16 + 16 * h, fifths[h]);
    UNROLLED for (int i = 0; i < 8; i++) {
        const size_t pair = (size_t)i / 2, h = (size_t)i % 2;
        load_piece(rows, offset + (has_fifths ? 48 : 16) + 16 * (size_t)i, packed);
        UNROLLED for (size_t upper = 0; upper < 2; upper++) {
            codes_of_nibbles(codes, packed, (int)upper, CPU_Q4_K);
            if (has_fifths)
                UNROLLED for (size_t g = 0; g < 4; g++)
                    codes[g] = with_bits(codes[g], bits_to(fifths[h][g], (int)(2 * pair + upper), 4), 16);
            put_piece(t, 2 * first + 4 * pair + 2 * upper + h, half, codes, 0);
        }
    }
}

// Sixteen scales of 16 weights each, the bytes of four dwords.
LOCAL void put_sixteen_scales(tile *t, size_t first, size_t half, const __m512i scales[4], __m512 scale) {
    UNROLLED for (int i = 0; i < 16; i++)
        t->scales[first + (size_t)i / 2][i % 2][half] =
            _mm512_mul_ps(scale, signed_byte_of_dwords(scales[i / 4], i % 4));
}

// Four fields of two bits of 64 bytes, as of byte 32 h + i for weights 128 h + i + 0, 32, 64, 96. `thirds`: bits of
// weight i, 32 + i and so on, or null.
LOCAL void unpack_pairs_of_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset, const __m512i thirds[2][4],
    const int zero) {
    __m512i packed[4], codes[4];
    UNROLLED for (size_t i = 0; i < 4; i++) {
        const size_t h = i / 2, part = i % 2;
        load_piece(rows, offset + 16 * i, packed);
        UNROLLED for (int q = 0; q < 4; q++) {
            UNROLLED for (size_t g = 0; g < 4; g++) {
                codes[g] = pair_of_bytes(packed[g], q);
                if (thirds) codes[g] = with_bits(codes[g], bits_to(thirds[part][g], (int)(4 * h) + q, 2), 4);
            }
            put_piece(t, 2 * first + 8 * h + 2 * (size_t)q + part, half, codes, zero);
        }
    }
}

LOCAL void unpack_q2_k_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    __m512i head[4], scales[4];
    load_piece(rows, offset, head);
    const __m512i steps = dwords_of_rows(rows, offset + 80);
    const __m512 minimum = halves_of_dwords(steps, 1);
    UNROLLED for (int i = 0; i < 16; i++)
        t->addends[first + (size_t)i / 2][i % 2][half] = _mm512_sub_ps(
            _mm512_setzero_ps(), _mm512_mul_ps(minimum, byte_of_dwords(high_nibbles(head[i / 4]), i % 4)));
    UNROLLED for (size_t i = 0; i < 4; i++) scales[i] = low_nibbles(head[i]);
    put_sixteen_scales(t, first, half, scales, halves_of_dwords(steps, 0));
    unpack_pairs_of_rows(t, first, half, rows, offset + 16, NULL, 0);
}

// The upper half of a and the lower half of b.
LOCAL __m512i middle_of(__m512i a, __m512i b) {
    return _mm512_or_si512(_mm512_srli_epi32(a, 16), _mm512_slli_epi32(b, 16));
}

LOCAL void unpack_q3_k_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    const uint32_t low = 0x0f0f0f0f, high = 0x30303030;
    __m512i tail[4], thirds[2][4];
    load_piece(rows, offset + 94, tail); // scales from its third byte on
    const __m512i a = middle_of(tail[0], tail[1]), b = middle_of(tail[1], tail[2]), c = middle_of(tail[2], tail[3]);
    __m512i scales[4] = {
        _mm512_or_si512(bits_of(a, low), bits_of(_mm512_slli_epi32(c, 4), high)),
        _mm512_or_si512(bits_of(b, low), bits_of(_mm512_slli_epi32(c, 2), high)),
        _mm512_or_si512(bits_of(_mm512_srli_epi32(a, 4), low), bits_of(c, high)),
        _mm512_or_si512(bits_of(_mm512_srli_epi32(b, 4), low), bits_of(_mm512_srli_epi32(c, 2), high))};
    UNROLLED for (size_t i = 0; i < 4; i++) scales[i] = _mm512_sub_epi8(scales[i], _mm512_set1_epi8(32));
    put_sixteen_scales(t, first, half, scales, halves_of_dwords(tail[3], 1));
    for (size_t part = 0; part < 2; part++) load_piece(rows, offset + 16 * part, thirds[part]);
    unpack_pairs_of_rows(t, first, half, rows, offset + 32, thirds, zero_code(CPU_Q3_K));
}

LOCAL void unpack_q6_k_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    __m512i scales[4], upper[2][4], packed[4], codes[4];
    load_piece(rows, offset + 192, scales);
    put_sixteen_scales(t, first, half, scales, halves_of_rows(rows, offset + 208));
    UNROLLED for (size_t h = 0; h < 2; h++) {
        for (size_t part = 0; part < 2; part++) load_piece(rows, offset + 128 + 32 * h + 16 * part, upper[part]);
        UNROLLED for (size_t i = 0; i < 4; i++) {
            const size_t part = i % 2;
            load_piece(rows, offset + 64 * h + 16 * i, packed);
            UNROLLED for (size_t q = i / 2; q < 4; q += 2) {
                codes_of_nibbles(codes, packed, q >= 2, CPU_Q6_K);
                UNROLLED for (size_t g = 0; g < 4; g++)
                    codes[g] = with_bits(codes[g], bits_to(upper[part][g], (int)(2 * q), 4), 0x30);
                put_piece(t, 2 * first + 8 * h + 2 * q + part, half, codes, zero_code(CPU_Q6_K));
            }
        }
    }
}

LOCAL void unpack_iq4_xs_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    __m512i head[4], packed[4], codes[4];
    load_piece(rows, offset, head);
    const __m512 scale = halves_of_dwords(head[0], 0);
    UNROLLED for (int i = 0; i < 8; i++) {
        const __m512i low = bits_of(_mm512_srli_epi32(head[1], 4 * (unsigned)i), 15);
        const __m512i high = bits_of(_mm512_srli_epi32(head[0], 16 + 2 * (unsigned)i), 3);
        const __m512i factor =
            _mm512_sub_epi32(_mm512_or_si512(low, _mm512_slli_epi32(high, 4)), _mm512_set1_epi32(32));
        t->scales[first + (size_t)i][0][half] = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(factor));
        load_piece(rows, offset + 8 + 16 * (size_t)i, packed);
        for (int upper = 0; upper < 2; upper++) {
            codes_of_nibbles(codes, packed, upper, CPU_IQ4_XS);
            put_piece(t, 2 * (first + (size_t)i) + (size_t)upper, half, codes, 128);
        }
    }
}

// MARK: ternary

// Digits 0...4 of four vectors of bytes, by look_up_digits.
LOCAL void digits_of_bytes_of_rows(__m512i digits[FIELDS_MAX][4], const __m512i packed[4]) {
    for (size_t g = 0; g < 4; g++) {
        const __m512i bytes = _mm512_max_epu8(packed[g], _mm512_set1_epi8(1));
        const __mmask64 upper = _mm512_movepi8_mask(bytes);
        const __m512i lower = _mm512_mask_sub_epi8(bytes, upper, _mm512_setzero_si512(), bytes);
        const __m512i first = look_up_digits(lower, upper, _mm512_set1_epi8((char)0xaa), digits_of_bytes.first);
        UNROLLED for (int n = 0; n < 4; n++) digits[n][g] = pair_of_bytes(first, n);
        digits[4][g] = look_up_digits(lower, upper, _mm512_set1_epi8(2), digits_of_bytes.fifth);
    }
}

LOCAL void unpack_tq1_0_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    const int zero = zero_code(CPU_TQ1_0);
    __m512i packed[4], digits[FIELDS_MAX][4];
    // 32 bytes of five digits, and 16.
    for (size_t i = 0; i < 3; i++) {
        load_piece(rows, offset + 16 * i, packed);
        digits_of_bytes_of_rows(digits, packed);
        for (size_t n = 0; n < FIELDS_MAX; n++)
            put_piece(t, 2 * first + (i < 2 ? 2 * n + i : 10 + n), half, digits[n], zero);
    }
    // Four bytes of four.
    packed[0] = packed[1] = packed[2] = packed[3] = dwords_of_rows(rows, offset + 48);
    digits_of_bytes_of_rows(digits, packed);
    const __m512i last[4] = {digits[0][0], digits[1][0], digits[2][0], digits[3][0]};
    put_piece(t, 2 * first + 15, half, last, zero);
    const __m512 scale = halves_of_rows(rows, offset + 52);
    for (size_t i = 0; i < STRIP_BLOCKS; i++) t->scales[first + i][0][half] = scale;
}

LOCAL void unpack_tq2_0_rows(
    tile *t, size_t first, size_t half, const sixteen_rows *rows, size_t offset) {
    unpack_pairs_of_rows(t, first, half, rows, offset, NULL, zero_code(CPU_TQ2_0));
    const __m512 scale = halves_of_rows(rows, offset + 64);
    for (size_t i = 0; i < STRIP_BLOCKS; i++) t->scales[first + i][0][half] = scale;
}

// Up to a strip of I2_S or IQ2_BN: 16 bytes hold four pieces, which lie side by side in the latter.
LOCAL void unpack_bare_rows(
    tile *t, size_t first, size_t blocks, size_t half, const sixteen_rows *rows, size_t offset, __m512 scale,
    const int format) {
    __m512i packed[4], codes[4];
    for (size_t i = 0; i < blocks / 2; i++) {
        load_piece(rows, offset + 16 * i, packed);
        UNROLLED for (size_t q = 0; q < 4; q++) {
            UNROLLED for (size_t g = 0; g < 4; g++) codes[g] = pair_of_bytes(packed[g], (int)q);
            const size_t piece = format == CPU_IQ2_BN ? 4 * i + q : i / 2 * 8 + (3 - q) * 2 + i % 2;
            put_piece(t, 2 * first + piece, half, codes, zero_code(format));
        }
    }
    for (size_t b = 0; b < blocks; b++) t->scales[first + b][0][half] = scale;
}

// MARK: tiles

// Blocks `first` ... `first + blocks` of a tile, up to a strip, which begin at `offset` of the rows.
LOCAL void unpack_strip_of_rows(
    tile *t, size_t first, size_t blocks, size_t half, const sixteen_rows *rows, size_t offset,
    float weight_scale, const int format) {
    switch (format) {
    case CPU_Q2_K: unpack_q2_k_rows(t, first, half, rows, offset); break;
    case CPU_Q3_K: unpack_q3_k_rows(t, first, half, rows, offset); break;
    case CPU_Q4_K: unpack_q4_k_rows(t, first, half, rows, offset, 0); break;
    case CPU_Q5_K: unpack_q4_k_rows(t, first, half, rows, offset, 1); break;
    case CPU_Q6_K: unpack_q6_k_rows(t, first, half, rows, offset); break;
    case CPU_IQ4_XS: unpack_iq4_xs_rows(t, first, half, rows, offset); break;
    case CPU_TQ1_0: unpack_tq1_0_rows(t, first, half, rows, offset); break;
    case CPU_TQ2_0: unpack_tq2_0_rows(t, first, half, rows, offset); break;
    case CPU_I2_S:
        unpack_bare_rows(t, first, blocks, half, rows, offset, _mm512_set1_ps(weight_scale), format);
        break;
    case CPU_IQ2_BN:
        unpack_bare_rows(
            t, first, blocks, half, rows, offset, _mm512_castsi512_ps(dwords_of_rows(rows, 0)), format);
        break;
    default:
        for (size_t b = 0; b < blocks; b++)
            unpack_block_of_rows(t, first + b, half, rows, offset + b * block_bytes(format), format);
    }
}

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    const size_t start = row_header_bytes(format) + first_block / STRIP_BLOCKS * strip_bytes(format);
    const size_t strips = (blocks + STRIP_BLOCKS - 1) / STRIP_BLOCKS;
    const size_t next = next_tile(p, start, strips * strip_bytes(format), TILE_ROWS);
    for (size_t half = 0; half < HALVES; half++) {
        sixteen_rows rows = {.next = next};
        for (size_t r = 0; r < LANES; r++)
            rows.bytes[r] = (const uint8_t *)p->weights
                            + min_size(first_row + half * LANES + r, row_end - 1) * p->weight_row_bytes;
        for (size_t done = 0; done < blocks; done += STRIP_BLOCKS)
            unpack_strip_of_rows(
                t, done, min_size(STRIP_BLOCKS, blocks - done), half, &rows,
                start + done / STRIP_BLOCKS * strip_bytes(format), p->weight_scale, format);
    }
}
