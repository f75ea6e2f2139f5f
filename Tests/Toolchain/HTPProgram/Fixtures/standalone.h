// What a test program needs of the system under it, on the host and on bare Hexagon under qemu's user mode.
//
// Include it in one file only: on Hexagon it defines the program's entry and the functions that compilers
// call on their own.
#ifndef STANDALONE_H
#define STANDALONE_H

#include <stddef.h>
#include <stdint.h>

int main(void);

#if defined(__hexagon__)

enum { SYSCALL_READ = 63, SYSCALL_WRITE = 64, SYSCALL_EXIT = 93 };

static long system_call(long number, long first, long second, long third) {
    register long r0 __asm__("r0") = first;
    register long r1 __asm__("r1") = second;
    register long r2 __asm__("r2") = third;
    register long r6 __asm__("r6") = number;
    __asm__ volatile("trap0(#1)" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r6) : "memory");
    return r0;
}

static long read_some(void *bytes, size_t count) {
    return system_call(SYSCALL_READ, 0, (long)bytes, (long)count);
}
static long write_some(const void *bytes, size_t count) {
    return system_call(SYSCALL_WRITE, 1, (long)bytes, (long)count);
}
static void end(int status) {
    for (;;) system_call(SYSCALL_EXIT, status, 0, 0);
}

void _start(void) { end(main()); }

// Volatile, or the compiler would see what these loops do and call the functions themselves.
void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    volatile uint8_t *d = to;
    const uint8_t *s = from;
    if ((((uintptr_t)to | (uintptr_t)from) & 7) == 0)
        for (; count >= 8; count -= 8, d += 8, s += 8)
            *(volatile uint64_t *)(volatile void *)d = *(const uint64_t *)(const void *)s;
    while (count--) *d++ = *s++;
    return to;
}
// What clang calls for larger copies of whole double words.
void *__hexagon_memcpy_likely_aligned_min32bytes_mult8bytes(void *restrict to, const void *restrict from,
                                                            size_t count) {
    return memcpy(to, from, count);
}
void *memset(void *to, int byte, size_t count) {
    volatile uint8_t *d = to;
    while (count--) *d++ = (uint8_t)byte;
    return to;
}

#else

#include <stdlib.h>
#include <unistd.h>

static long read_some(void *bytes, size_t count) { return read(0, bytes, count); }
static long write_some(const void *bytes, size_t count) { return write(1, bytes, count); }
static void end(int status) { exit(status); }

#endif

// Writes everything, or ends the program with status 3.
static inline void write_all(const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    while (count > 0) {
        long written = write_some(next, count);
        if (written <= 0) end(3);
        next += written;
        count -= (size_t)written;
    }
}

// Reads `count` bytes. Returns 0 where the input ends before the first; ends the program where it ends later.
static inline int read_all(void *bytes, size_t count) {
    uint8_t *next = bytes;
    size_t left = count;
    while (left > 0) {
        long got = read_some(next, left);
        if (got == 0 && left == count) return 0;
        if (got <= 0) end(4);
        next += got;
        left -= (size_t)got;
    }
    return 1;
}

#endif
