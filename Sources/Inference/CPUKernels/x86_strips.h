// What strips.h wants of an instruction set, of x86-64 with F16C; then strips.h.

LOCAL float half_to_float(const uint8_t *bytes) { return _cvtsh_ss(load_half(bytes)); }

LOCAL void look_up(int8_t *codes, const uint8_t *packed, const int8_t *table) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)packed), low = _mm_set1_epi8(15);
    const __m128i levels = _mm_loadu_si128((const __m128i *)table);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low);
    _mm_storeu_si128((__m128i *)codes, _mm_shuffle_epi8(levels, _mm_and_si128(bytes, low)));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm_shuffle_epi8(levels, high));
}

#include "strips.h"
