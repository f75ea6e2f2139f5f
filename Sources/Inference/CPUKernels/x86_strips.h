// What strips.h wants of an instruction set, of x86-64 with F16C; then strips.h, and what reads ahead of its strips.

LOCAL float half_to_float(const uint8_t *bytes) { return _cvtsh_ss(load_half(bytes)); }

LOCAL void look_up(int8_t *codes, const uint8_t *packed, const int8_t *table) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)packed), low = _mm_set1_epi8(15);
    const __m128i levels = _mm_loadu_si128((const __m128i *)table);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low);
    _mm_storeu_si128((__m128i *)codes, _mm_shuffle_epi8(levels, _mm_and_si128(bytes, low)));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm_shuffle_epi8(levels, high));
}

#include "strips.h"

// Asks for what lies behind bytes that are about to be multiplied: rows that follow each other lie one behind the other.
// On a Zen 5 rows of most formats took two to four times as long without this: seemingly it does not see the stream where
// a strip's bytes are not loaded in their order, as headers after codes. Past the end of the weights nothing is read.
enum { FETCH_AHEAD = 2048 };

LOCAL void fetch_ahead(const uint8_t *bytes, size_t size) {
    for (size_t k = 0; k < size; k += 64)
        _mm_prefetch((const char *)((uintptr_t)bytes + FETCH_AHEAD + k), _MM_HINT_T0);
}
