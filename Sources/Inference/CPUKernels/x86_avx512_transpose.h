// From the order of rows to a lane for each of 16 rows. Part of x86_avx512_vnni.c.

// Dword g of the 16 bytes at `offset` of each row becomes lane r of out[g].
LOCAL void transpose(const uint8_t *const rows[LANES], size_t offset, __m512i out[4]) {
    __m512i a[4];
    for (size_t j = 0; j < 4; j++) {
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(rows[j] + offset)));
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[j + 4] + offset)), 1);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[j + 8] + offset)), 2);
        a[j] = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[j + 12] + offset)), 3);
    }
    const __m512i low01 = _mm512_unpacklo_epi32(a[0], a[1]), high01 = _mm512_unpackhi_epi32(a[0], a[1]);
    const __m512i low23 = _mm512_unpacklo_epi32(a[2], a[3]), high23 = _mm512_unpackhi_epi32(a[2], a[3]);
    out[0] = _mm512_unpacklo_epi64(low01, low23);
    out[1] = _mm512_unpackhi_epi64(low01, low23);
    out[2] = _mm512_unpacklo_epi64(high01, high23);
    out[3] = _mm512_unpackhi_epi64(high01, high23);
}

// The lower (or upper) half of each dword, as a float.
LOCAL __m512 float_of_halves(__m512i v, const int upper, float_kind kind) {
    if (kind == BF16)
        return _mm512_castsi512_ps(
            upper ? _mm512_and_si512(v, _mm512_set1_epi32((int)0xffff0000)) : _mm512_slli_epi32(v, 16));
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(upper ? _mm512_srli_epi32(v, 16) : v));
}
