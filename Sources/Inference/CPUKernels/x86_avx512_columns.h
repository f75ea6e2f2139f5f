// A column's activations in the order in which x86_avx512_rows.h takes weights apart. Part of x86_avx512_vnni.c.

// Pieces of 16 codes are numbered 0...15 in a strip; those of block b are 2b and 2b + 1.
typedef struct {
    __m512i codes[4];
    __m512i biases[4];   // where sums begin: -(code of zero) * the sum of codes, in one lane of each block or piece
    __m256 scales;       // of the eight blocks
    __m512 piece_scales; // of the sixteen pieces
    __m512 offsets;      // scale * sum of codes of eight blocks, for addends
    __m512 pairs;        // of Q4_K and Q5_K: scales of the eight blocks, then such offsets, negative
} column_strip;

LOCAL __m512i load_codes(activation_row x, size_t first_block, size_t piece) {
    return _mm512_loadu_si512(x.codes + first_block * BLOCK + piece * 16);
}

// Blocks a and b, 32 codes of each.
LOCAL __m512i load_two_blocks(activation_row x, size_t a, size_t b) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)(x.codes + a * BLOCK));
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(low), _mm256_loadu_si256((const __m256i *)(x.codes + b * BLOCK)), 1);
}

// The two floats of blocks b and b + 1 in eight lanes each; 0 past `blocks` (1 or 2).
LOCAL __m512 in_halves(const uint8_t *floats, size_t b, size_t blocks) {
    const __m512i halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128 pair = _mm_maskz_loadu_ps((__mmask8)((1 << blocks) - 1), floats + b * sizeof(float));
    return _mm512_permutexvar_ps(halves, _mm512_castps128_ps512(pair));
}

// The unsigned code of zero; 0 in formats with addends.
INLINE int zero_code(int format) {
    switch (format) {
    case CPU_Q4_0: return 8;
    case CPU_Q5_0: return 16;
    case CPU_Q8_0: case CPU_IQ4_NL: case CPU_IQ4_XS: return 128;
    case CPU_MXFP4: return 12;
    case CPU_Q3_K: return 4;
    case CPU_Q6_K: return 32;
    case CPU_TQ1_0: case CPU_TQ2_0: case CPU_I2_S: case CPU_IQ2_BN: return 1;
    default: return 0;
    }
}

LOCAL void order_codes(__m512i codes[4], activation_row x, size_t first, const int format) {
    switch (format) {
    case CPU_Q4_0: case CPU_Q4_1: case CPU_Q5_0: case CPU_Q5_1: case CPU_IQ4_NL: case CPU_MXFP4: case CPU_IQ4_XS:
        // First pieces of four blocks, then the last ones.
        for (size_t h = 0; h < 2; h++) {
            const __m512i a = load_codes(x, first, 8 * h), b = load_codes(x, first, 8 * h + 4);
            codes[2 * h] = _mm512_shuffle_i64x2(a, b, 0x88);
            codes[2 * h + 1] = _mm512_shuffle_i64x2(a, b, 0xdd);
        }
        break;
    case CPU_Q4_K: case CPU_Q5_K:
        // Eight codes each of blocks 0, 2, 4, 6 (or 1, 3, 5, 7), then the next eight.
        for (size_t odd = 0; odd < 2; odd++) {
            const __m512i a = load_two_blocks(x, first + odd, first + odd + 2);
            const __m512i b = load_two_blocks(x, first + odd + 4, first + odd + 6);
            codes[2 * odd] = _mm512_permutex2var_epi64(a, _mm512_set_epi64(13, 9, 5, 1, 12, 8, 4, 0), b);
            codes[2 * odd + 1] = _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 11, 7, 3, 14, 10, 6, 2), b);
        }
        break;
    case CPU_Q2_K: case CPU_Q3_K: case CPU_TQ2_0:
        for (size_t q = 0; q < 4; q++) codes[q] = load_two_blocks(x, first + q, first + 4 + q);
        break;
    case CPU_I2_S: // from the high bits down
        for (size_t q = 0; q < 4; q++) codes[3 - q] = load_two_blocks(x, first + q, first + 4 + q);
        break;
    case CPU_IQ2_BN: {
        // Piece q of each 64.
        __m512i u[4];
        for (size_t i = 0; i < 4; i++) u[i] = load_codes(x, first, 4 * i);
        const __m512i a = _mm512_shuffle_i64x2(u[0], u[1], 0x88), b = _mm512_shuffle_i64x2(u[2], u[3], 0x88);
        const __m512i c = _mm512_shuffle_i64x2(u[0], u[1], 0xdd), d = _mm512_shuffle_i64x2(u[2], u[3], 0xdd);
        codes[0] = _mm512_shuffle_i64x2(a, b, 0x88), codes[2] = _mm512_shuffle_i64x2(a, b, 0xdd);
        codes[1] = _mm512_shuffle_i64x2(c, d, 0x88), codes[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
        break;
    }
    default:
        for (size_t q = 0; q < 4; q++) codes[q] = load_codes(x, first, 4 * q);
    }
}

// Puts elements `from` of v into every fourth or eighth lane (of which `lanes` has one bit set).
LOCAL __m512i spread(__m512i v, __m512i from, __mmask16 lanes) { return _mm512_maskz_permutexvar_epi32(lanes, from, v); }

LOCAL void order_biases(__m512i biases[4], activation_row x, size_t first, const int format) {
    const __mmask16 fourth = 0x1111, eighth = 0x0101;
    const __m512i zero = _mm512_set1_epi32(zero_code(format));
    // The column's are for a zero of 128.
    const __m512i all = _mm512_mullo_epi32(
        has_halves(format) ? _mm512_srai_epi32(_mm512_loadu_si512(x.half_biases + first * 8), 7)
                           : _mm512_srai_epi32(_mm512_maskz_loadu_epi32(0xff, x.biases + first * 4), 7),
        zero);
    for (int q = 0; q < 4; q++) {
        const __m512i lane = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        const __m512i half = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
        switch (format) {
        case CPU_Q8_0: // blocks 2q and 2q + 1
            biases[q] = spread(all, _mm512_add_epi32(half, _mm512_set1_epi32(2 * q)), eighth);
            break;
        case CPU_Q6_K: // pieces from 4q on
            biases[q] = spread(all, _mm512_add_epi32(lane, _mm512_set1_epi32(4 * q)), fourth);
            break;
        default: // the first four blocks, the last four
            if (q < 2) biases[q] = spread(all, _mm512_add_epi32(lane, _mm512_set1_epi32(4 * q)), fourth);
        }
    }
}

// Eight blocks, from block `first` on.
LOCAL column_strip load_column(activation_row x, size_t first, const int format) {
    column_strip s = {.scales = _mm256_loadu_ps((const float *)(const void *)(x.scales + first * 4))};
    order_codes(s.codes, x, first, format);
    const __m512 scales = _mm512_castps256_ps512(s.scales);
    if (!has_addends(format)) order_biases(s.biases, x, first, format);
    if (has_halves(format)) {
        const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
        s.piece_scales = _mm512_permutexvar_ps(twice, scales);
    } else if (format == CPU_Q4_K || format == CPU_Q5_K) {
        const __m256 offsets = _mm256_loadu_ps((const float *)(const void *)(x.offsets + first * 4));
        s.pairs = _mm512_insertf32x8(scales, _mm256_xor_ps(offsets, _mm256_set1_ps(-0.0f)), 1);
    } else if (has_addends(format)) {
        s.offsets = _mm512_maskz_loadu_ps(0xff, x.offsets + first * 4);
    }
    return s;
}
