// Few columns: vectors of 64 weights of one row. Part of x86_avx512_vnni.c.
//
// Lanes hold sums of four products; the lanes of a block of 32 share its scales.
enum { ROWS_AT_ONCE = 4 };

// The two floats of blocks b and b + 1 in eight lanes each; 0 past `blocks` (1 or 2).
LOCAL __m512 in_halves(const uint8_t *floats, size_t b, size_t blocks) {
    const __m512i halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128 pair = _mm_maskz_loadu_ps((__mmask8)((1 << blocks) - 1), floats + b * sizeof(float));
    return _mm512_permutexvar_ps(halves, _mm512_castps128_ps512(pair));
}

// The same of 16 weights each: four floats of blocks b and b + 1 in four lanes each.
LOCAL __m512 in_quarters(const float *floats) {
    const __m512i quarters = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    return _mm512_permutexvar_ps(quarters, _mm512_castps128_ps512(_mm_loadu_ps(floats)));
}

// A strip that was taken apart, times a column; for formats that have no kernel of their own.
LOCAL __m512 add_strip(__m512 sum, const strip *s, activation_row x, size_t first, size_t blocks, const int format) {
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    for (size_t b = 0; b < blocks; b += 2) {
        const size_t some = min_size(2, blocks - b);
        const __mmask64 bytes = some == 2 ? ~(__mmask64)0 : 0xffffffff;
        const __m512i codes = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, s->codes + b * BLOCK), sign);
        const __m512i x_codes = _mm512_maskz_loadu_epi8(bytes, x.codes + (first + b) * BLOCK);
        const __mmask8 present = (__mmask8)((1 << 2 * some) - 1);
        const __m128i biases = _mm_maskz_loadu_epi32(present, x.half_biases + (first + b) * 8);
        const __m512i bias = _mm512_maskz_expand_epi32(0x1111, _mm512_castsi128_si512(biases));
        const __m512 products = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(bias, codes, x_codes));
        const __m512 x_scales = in_halves(x.scales, first + b, some);
        const int is_quarters = has_halves(format);
        const __m512 scales = is_quarters ? in_quarters(s->scales + 2 * b)
                                          : in_halves((const uint8_t *)s->scales, b, some);
        sum = _mm512_fmadd_ps(products, _mm512_mul_ps(scales, x_scales), sum);
        if (has_addends(format)) {
            const __m128 offsets = _mm_maskz_loadu_ps(
                present, is_quarters ? x.half_offsets + (first + b) * 8 : x.offsets + (first + b) * 4);
            const __m128 addends = _mm_maskz_loadu_ps(
                is_quarters ? present : (__mmask8)((1 << some) - 1), s->addends + (is_quarters ? 2 : 1) * b);
            sum = _mm512_fmadd_ps(_mm512_zextps128_ps512(offsets), _mm512_zextps128_ps512(addends), sum);
        }
    }
    return sum;
}

LOCAL void dot_rows(
    const uint8_t *const rows[ROWS_AT_ONCE], activation_row x, size_t blocks, float weight_scale, const int format,
    float out[ROWS_AT_ONCE]) {
    strip s;
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) {
        __m512 sum = _mm512_setzero_ps();
        for (size_t first = 0; first < blocks; first += STRIP_BLOCKS) {
            const size_t present = min_size(STRIP_BLOCKS, blocks - first);
            unpack_strip(&s, rows[r], first / STRIP_BLOCKS, present, weight_scale, format);
            sum = add_strip(sum, &s, x, first, present, format);
        }
        out[r] = _mm512_reduce_add_ps(sum);
    }
}
