// Few columns: a vector holds 32 weights of one row. Part of x86_avx2.c.
enum { ROWS_AT_ONCE = 4 };

// Sums of four products. Magnitudes times activations that took over the sign fit 16 bits: 2 * 128 * 127 = 32512.
LOCAL __m256i dot_codes(__m256i codes, __m256i x, const int format) {
    // Codes of formats with addends have no sign.
    const __m256i pairs = has_addends(format)
                              ? _mm256_maddubs_epi16(codes, x)
                              : _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// Two floats in four lanes each.
LOCAL __m256 in_halves(const float *floats) {
    return _mm256_set_m128(_mm_broadcast_ss(floats + 1), _mm_broadcast_ss(floats));
}

// A strip that was taken apart, times a column.
LOCAL __m256 add_strip(__m256 sum, const strip *s, activation_row x, size_t first, size_t blocks, const int format) {
    for (size_t b = 0; b < blocks; b++) {
        const __m256i codes = _mm256_loadu_si256((const __m256i *)(s->codes + b * BLOCK));
        const __m256i x_codes = _mm256_loadu_si256((const __m256i *)(x.codes + (first + b) * BLOCK));
        const __m256 products = _mm256_cvtepi32_ps(dot_codes(codes, x_codes, format));
        const __m256 x_scale = _mm256_set1_ps(load_float(x.scales, first + b));
        const int is_halved = has_halves(format);
        const __m256 scale = is_halved ? in_halves(s->scales + 2 * b) : _mm256_set1_ps(s->scales[b]);
        sum = _mm256_fmadd_ps(products, _mm256_mul_ps(scale, x_scale), sum);
        if (has_addends(format)) {
            // One lane of each 16 weights, or of all.
            const __m128 addends = is_halved ? _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(s->addends + 2 * b)))
                                             : _mm_set_ss(s->addends[b]);
            const __m128 offsets =
                is_halved ? _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(x.half_offsets + (first + b) * 8)))
                          : _mm_set_ss(load_float(x.offsets, first + b));
            sum = _mm256_fmadd_ps(_mm256_zextps128_ps256(addends), _mm256_zextps128_ps256(offsets), sum);
        }
    }
    return sum;
}

LOCAL void dot_rows(
    const uint8_t *const rows[ROWS_AT_ONCE], const column *x, size_t blocks, float weight_scale, const int format,
    float out[ROWS_AT_ONCE]) {
    strip s;
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) {
        __m256 sum = _mm256_setzero_ps();
        for (size_t first = 0; first < blocks; first += STRIP_BLOCKS) {
            const size_t present = min_size(STRIP_BLOCKS, blocks - first);
            const size_t number = first / STRIP_BLOCKS;
            fetch_ahead(strip_of_row(rows[r], number, format), strip_bytes(format));
            unpack_strip(&s, rows[r], number, present, weight_scale, format);
            sum = add_strip(sum, &s, *x, first, present, format);
        }
        out[r] = sum_floats(sum);
    }
}
