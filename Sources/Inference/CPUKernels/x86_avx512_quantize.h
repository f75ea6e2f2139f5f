// Activations as int8 codes, eight blocks at a time: part of x86_avx512_vnni.c.

// The largest magnitude of eight blocks, as bits.
LOCAL __m256i largest_of_blocks(const float *x) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i fours[2]; // four numbers of each of four blocks
    for (size_t h = 0; h < 2; h++) {
        __m512i eights[2];
        for (size_t p = 0; p < 2; p++) {
            __m512i v[2];
            for (size_t b = 0; b < 2; b++) {
                const float *block = x + (4 * h + 2 * p + b) * BLOCK;
                v[b] = _mm512_max_epu32(
                    _mm512_and_si512(_mm512_loadu_si512(block), magnitude),
                    _mm512_and_si512(_mm512_loadu_si512(block + LANES), magnitude));
            }
            eights[p] = _mm512_max_epu32(
                _mm512_shuffle_i32x4(v[0], v[1], 0x44), _mm512_shuffle_i32x4(v[0], v[1], 0xee));
        }
        fours[h] = _mm512_max_epu32(
            _mm512_shuffle_i32x4(eights[0], eights[1], 0x88), _mm512_shuffle_i32x4(eights[0], eights[1], 0xdd));
    }
    __m512i pairs = _mm512_max_epu32(
        _mm512_unpacklo_epi32(fours[0], fours[1]), _mm512_unpackhi_epi32(fours[0], fours[1]));
    pairs = _mm512_max_epu32(pairs, _mm512_shuffle_epi32(pairs, _MM_PERM_BADC));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, pairs));
}

// The codes of the eight blocks from `first` on, and what follows the codes; see cpu_kernels.prepare.
LOCAL void quantize_blocks(const float *x, size_t columns, size_t first, uint8_t *out) {
    x += first * BLOCK;
    const __m256i largest = largest_of_blocks(x);
    const __mmask8 is_finite = _mm256_cmplt_epu32_mask(largest, _mm256_set1_epi32(INFINITY_BITS));
    const __mmask8 has_codes =
        _mm256_mask_cmpge_epu32_mask(is_finite, largest, _mm256_set1_epi32(SMALLEST_BLOCK_BITS));
    const __m256 codes_max = _mm256_set1_ps(127.0f), size = _mm256_castsi256_ps(largest);
    const __m256 scales = _mm256_mask_blend_ps(
        is_finite, _mm256_castsi256_ps(_mm256_set1_epi32(QUIET_NAN_BITS)),
        _mm256_maskz_div_ps(has_codes, size, codes_max));
    const __m512 factors = _mm512_castps256_ps512(_mm256_maskz_div_ps(has_codes, codes_max, size));

    // Codes of four halves in the order in which they are packed: four of each in every 128 bits.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i quarters[4]; // sums of four codes
    for (size_t p = 0; p < 4; p++) {
        __m512i codes[4];
        for (size_t h = 0; h < 4; h++) {
            const size_t b = 2 * p + h / 2;
            const __m512 factor = _mm512_permutexvar_ps(_mm512_set1_epi32((int)b), factors);
            codes[h] = _mm512_maskz_cvtps_epi32(
                has_codes >> b & 1 ? ALL : 0, _mm512_mul_ps(_mm512_loadu_ps(x + (4 * p + h) * LANES), factor));
        }
        const __m512i packed = _mm512_packs_epi16(
            _mm512_packs_epi32(codes[0], codes[1]), _mm512_packs_epi32(codes[2], codes[3]));
        _mm512_storeu_si512(out + (first + 2 * p) * BLOCK, _mm512_permutexvar_epi32(order, packed));
        quarters[p] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), packed);
    }
    __m512i twos[2];
    for (size_t i = 0; i < 2; i++)
        twos[i] = _mm512_add_epi32(
            _mm512_shuffle_i32x4(quarters[2 * i], quarters[2 * i + 1], 0x44),
            _mm512_shuffle_i32x4(quarters[2 * i], quarters[2 * i + 1], 0xee));
    // The sums of the first and the last 16 codes of each block, side by side.
    const __m512i halves = _mm512_add_epi32(
        _mm512_shuffle_i32x4(twos[0], twos[1], 0x88), _mm512_shuffle_i32x4(twos[0], twos[1], 0xdd));
    const __m256i sums = _mm512_cvtepi64_epi32(_mm512_add_epi32(halves, _mm512_srli_epi64(halves, 32)));
    const __m512 scale_of_halves = _mm512_permutexvar_ps(
        _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), _mm512_castps256_ps512(scales));

    uint8_t *part = out + columns;
    const size_t part_bytes = columns / BLOCK * sizeof(float);
    _mm256_storeu_ps((float *)(void *)(part + 4 * first), scales);
    _mm256_storeu_si256(
        (__m256i *)(void *)(part + part_bytes + 4 * first),
        _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), sums), 7));
    _mm512_storeu_si512(
        part + 2 * part_bytes + 8 * first, _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), halves), 7));
    _mm256_storeu_ps(
        (float *)(void *)(part + 4 * part_bytes + 4 * first), _mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums)));
    _mm512_storeu_ps(
        part + 5 * part_bytes + 8 * first, _mm512_mul_ps(scale_of_halves, _mm512_cvtepi32_ps(halves)));
}
