// Copying and clearing, which compilers call of their own accord.
#include <stddef.h>
#include <stdint.h>

static int is_aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 7) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (is_aligned(to, from))
        for (; count >= 8; count -= 8, out += 8, in += 8)
            *(uint64_t *)(void *)out = *(const uint64_t *)(const void *)in;
    while (count--) *out++ = *in++;
    return to;
}

// What clang calls where it knows that much.
void *__hexagon_memcpy_likely_aligned_min32bytes_mult8bytes(void *restrict to, const void *restrict from,
                                                            size_t count) {
    return memcpy(to, from, count);
}

void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to - (uintptr_t)from >= count) return memcpy(to, from, count);
    uint8_t *out = to;
    const uint8_t *in = from;
    while (count--) out[count] = in[count];
    return to;
}

void *memset(void *to, int value, size_t count) {
    uint8_t *out = to;
    const uint64_t eight = (uint8_t)value * 0x0101010101010101u;
    if (is_aligned(to, to))
        for (; count >= 8; count -= 8, out += 8) *(uint64_t *)(void *)out = eight;
    while (count--) *out++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const uint8_t *left = a, *right = b;
    for (; count && *left == *right; count--) left++, right++;
    return count ? *left - *right : 0;
}

size_t strlen(const char *text) {
    size_t count = 0;
    while (text[count]) count++;
    return count;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}
