// On hosts with AVX-512 VNNI the kernel is compiled once more: that extension's dot product is `vrmpy`'s own,
// which makes a simulated DSP several times as fast.
#include "matmul.h"

#if defined(__x86_64__) && defined(__clang__)

#include <immintrin.h>

#define HVX_HOST_VNNI
#define matmul_tiles matmul_tiles_vnni
#define matmul_indexed_tiles matmul_indexed_tiles_vnni
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#include "matmul.c"
#pragma clang attribute pop
#undef matmul_tiles
#undef matmul_indexed_tiles

static int has_vnni(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vnni");
}

void matmul_tiles_fastest(const matmul *m, uint32_t first, uint32_t last, uint32_t step) {
    if (has_vnni())
        matmul_tiles_vnni(m, first, last, step);
    else
        matmul_tiles(m, first, last, step);
}

void matmul_indexed_tiles_fastest(
    const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count, uint32_t first, uint32_t last,
    uint32_t step) {
    if (has_vnni())
        matmul_indexed_tiles_vnni(m, expert, indices, count, first, last, step);
    else
        matmul_indexed_tiles(m, expert, indices, count, first, last, step);
}

#else

void matmul_tiles_fastest(const matmul *m, uint32_t first, uint32_t last, uint32_t step) {
    matmul_tiles(m, first, last, step);
}

void matmul_indexed_tiles_fastest(
    const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count, uint32_t first, uint32_t last,
    uint32_t step) {
    matmul_indexed_tiles(m, expert, indices, count, first, last, step);
}

#endif
