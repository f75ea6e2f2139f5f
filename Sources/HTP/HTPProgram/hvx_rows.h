// Vectors of rows that have any length and lie anywhere.
#ifndef HTP_HVX_ROWS_H
#define HTP_HVX_ROWS_H

#include "hvx.h"

#define HVX_ROW static inline __attribute__((always_inline, unused))

// What has no whole vector goes through memory of our own: nothing is read or written beyond an array.

typedef uint64_t __attribute__((may_alias)) hvx_double_word;
typedef uint32_t __attribute__((may_alias)) hvx_word;
typedef uint16_t __attribute__((may_alias)) hvx_halfword;

// In the largest steps that both addresses and the size allow; all are even.
HVX_ROW void hvx_copy(void *to, const void *from, uint32_t bytes) {
    const uintptr_t common = (uintptr_t)to | (uintptr_t)from | bytes;
    if ((common & 7) == 0)
        for (uint32_t i = 0; i < bytes / 8; i++) ((hvx_double_word *)to)[i] = ((const hvx_double_word *)from)[i];
    else if ((common & 3) == 0)
        for (uint32_t i = 0; i < bytes / 4; i++) ((hvx_word *)to)[i] = ((const hvx_word *)from)[i];
    else
        for (uint32_t i = 0; i < bytes / 2; i++) ((hvx_halfword *)to)[i] = ((const hvx_halfword *)from)[i];
}

static __attribute__((noinline, unused)) HVX_Vector hvx_load_tail(const void *from, uint32_t bytes, HVX_Vector rest) {
    uint8_t whole[HVX_BYTES] __attribute__((aligned(HVX_BYTES)));
    hvx_store(whole, rest);
    hvx_copy(whole, from, bytes);
    return hvx_load(whole);
}

static __attribute__((noinline, unused)) void hvx_store_tail(void *to, uint32_t bytes, HVX_Vector v) {
    uint8_t whole[HVX_BYTES] __attribute__((aligned(HVX_BYTES)));
    hvx_store(whole, v);
    hvx_copy(to, whole, bytes);
}

// The first `bytes` of a vector, or all of it; `rest` in the others' places.
HVX_ROW HVX_Vector hvx_load_part(const void *from, uint32_t bytes, HVX_Vector rest) {
    return bytes >= HVX_BYTES ? hvx_load_unaligned(from) : hvx_load_tail(from, bytes, rest);
}

HVX_ROW void hvx_store_part(void *to, uint32_t bytes, HVX_Vector v) {
    if (bytes >= HVX_BYTES)
        hvx_store_unaligned(to, v);
    else
        hvx_store_tail(to, bytes, v);
}

#undef HVX_ROW

#endif
