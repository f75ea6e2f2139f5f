// The kernels of `cpu_attention.h`: one source, compiled for each level.
#include "include/cpu_attention.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#include <math.h>

#include "kernels.h"

enum {
    POSITIONS = 64,    // of a block: what keys are transposed for
    WIDEST = 16,       // floats of the largest vector
    ROWS = 4,          // that are multiplied together; so few of one token take keys as they lie
};

#define LOWEST_SCORE -3e38f

static size_t padded(size_t size) { return (size + WIDEST - 1) / WIDEST * WIDEST; }

size_t cpu_attention_workspace(size_t rows, size_t key_size, size_t value_size) {
    const size_t floats = padded(key_size) * POSITIONS // keys
        + POSITIONS * padded(value_size)               // values
        + rows * padded(value_size)                    // results
        + ROWS * POSITIONS                             // scores
        + rows * WIDEST                                // sums of weights
        + rows;                                        // largest scores
    return (floats + WIDEST) * sizeof(float);
}

// Rows are read from a cache at any address.
INLINE const uint8_t *cache_steps(const uint8_t *row, size_t size, int type) {
    return row + (type == CPU_CACHE_Q8 ? size : size / 2);
}

#define LOCAL INLINE
#define KERNEL static
#define LANES 4
#if defined(__aarch64__) // which has 32 registers
#define VECTORS 4 // of a row's sums in registers
#else
#define VECTORS 2
#endif
#define LEVEL(name) portable_##name
#include "attention_body.h"
#undef LOCAL
#undef KERNEL
#undef LANES
#undef VECTORS
#undef LEVEL

#if defined(__x86_64__)
#define HAS_F16C
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET
#define LANES 8
#define VECTORS 2
#define LEVEL(name) avx2_##name
#include "attention_body.h"
#undef TARGET
#undef LANES
#undef VECTORS
#undef LEVEL

#define TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define LANES 16
#define VECTORS 4
#define LEVEL(name) avx512_##name
#include "attention_body.h"
#endif

const cpu_attention_kernels *cpu_attention_kernels_get(int level) {
    if (!cpu_kernels_get(level)) return NULL;
#if defined(__x86_64__)
    if (level >= CPU_KERNELS_AVX512_VNNI) return &avx512_attention_kernels;
    if (level == CPU_KERNELS_AVX2) return &avx2_attention_kernels;
#endif
    return &portable_attention_kernels;
}
