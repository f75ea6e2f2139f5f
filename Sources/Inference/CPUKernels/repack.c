// The kernels of `cpu_repack.h`: one source, compiled for each level that gains by it.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "include/cpu_repack.h"

#include "kernels.h"

// A sum of products is two roundings at every level.
#pragma STDC FP_CONTRACT OFF

enum { ROWS = 64, VECTOR = 128 };

typedef uint8_t u8x4 __attribute__((vector_size(4), may_alias));
typedef uint8_t u8x8 __attribute__((vector_size(8), may_alias));
typedef uint8_t u8x16 __attribute__((vector_size(16), may_alias));
typedef uint8_t u8x32 __attribute__((vector_size(32), may_alias));
typedef int8_t s8x8 __attribute__((vector_size(8), may_alias));
typedef uint16_t u16x8 __attribute__((vector_size(16), may_alias));
typedef int16_t s16x8 __attribute__((vector_size(16), may_alias));
typedef uint16_t u16x16 __attribute__((vector_size(32), may_alias));
typedef int16_t s16x16 __attribute__((vector_size(32), may_alias));
typedef uint32_t u32x8 __attribute__((vector_size(32), may_alias));
typedef int32_t s32x8 __attribute__((vector_size(32), may_alias));
typedef uint64_t u64x4 __attribute__((vector_size(32), may_alias));
typedef float f32x8 __attribute__((vector_size(32), may_alias));

static void streamed(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

static void prefetch(const void *source, size_t size) {
    for (size_t line = 0; line < size; line += 64) __builtin_prefetch((const char *)source + line, 0, 2);
}

// The same of eight rows: four, and those 32 rows on.
static void prefetch_rows(const uint8_t *row, size_t row_bytes, size_t size) {
    for (size_t i = 0; i < 4; i++, row += row_bytes) {
        for (size_t line = 0; line < size; line += 64) {
            __builtin_prefetch(row + line, 0, 3);
            __builtin_prefetch(row + ROWS / 2 * row_bytes + line, 0, 3);
        }
    }
}

#define LOCAL INLINE
#define KERNEL static
#define LEVEL(name) portable_##name
#include "repack_body.h"
#undef LOCAL
#undef KERNEL
#undef LEVEL

#if defined(__x86_64__)
#define HAS_F16C
#define TARGET __attribute__((target("avx2,f16c")))
#define LOCAL INLINE TARGET
#define KERNEL static TARGET
#define LEVEL(name) avx2_##name
#include "repack_body.h"
#undef TARGET
#undef LEVEL

// The same vectors: what counts are three-operand logic and twice the registers.
#define TARGET __attribute__((target("avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define LEVEL(name) avx512_##name
#include "repack_body.h"
#endif

const cpu_repack_kernels *cpu_repack_kernels_get(int level) {
    if (!cpu_kernels_get(level)) return NULL;
#if defined(__x86_64__)
    if (level >= CPU_KERNELS_AVX512_VNNI) return &avx512_kernels;
    if (level == CPU_KERNELS_AVX2) return &avx2_kernels;
#endif
    return &portable_kernels;
}
