// The bounds that kernels are measured against.
//
// Sums are enough to hide the latency of the instructions (5 cycles, two a cycle). An empty assembly statement that
// claims to change an operand keeps the compiler from doing the work of many loops once.
#include "include/cpu_peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels.h"

enum { SUMS = 12 };

#if defined(__x86_64__)
#define CHANGED(v) __asm__ volatile("" : "+x"(v))
#define CHANGED_512(v) __asm__ volatile("" : "+v"(v))
#else
#define CHANGED(v) __asm__ volatile("" : "+w"(v))
#endif

// MARK: portable

typedef float floats __attribute__((vector_size(16)));
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(16)));

static void portable_float(size_t loops) {
    floats sums[SUMS] = {0}, a = {1, 1, 1, 1}, b = {2, 2, 2, 2};
    for (size_t k = 0; k < loops; k++) {
        CHANGED(a);
        for (int i = 0; i < SUMS; i++) {
            floats x = a;
            CHANGED(x);
            sums[i] += x * b;
        }
    }
    for (int i = 0; i < SUMS; i++) CHANGED(sums[i]);
}

// Sums of two products of 16 bits in 32: what the compiler makes of portable products of bytes.
static void portable_int8(size_t loops) {
    integers sums[SUMS] = {0};
    shorts a = {1, 1, 1, 1, 1, 1, 1, 1}, b = {2, 2, 2, 2, 2, 2, 2, 2};
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            shorts x = a;
            CHANGED(x);
#if defined(__x86_64__)
            sums[i] += (integers)_mm_madd_epi16((__m128i)x, (__m128i)b);
#elif defined(__aarch64__)
            int32x4_t sum = vmlal_s16((int32x4_t)sums[i], vget_low_s16((int16x8_t)x), vget_low_s16((int16x8_t)b));
            sums[i] = (integers)vmlal_high_s16(sum, (int16x8_t)x, (int16x8_t)b);
#else
            for (int j = 0; j < 4; j++) sums[i][j] += x[2 * j] * b[2 * j] + x[2 * j + 1] * b[2 * j + 1];
#endif
        }
    for (int i = 0; i < SUMS; i++) CHANGED(sums[i]);
}

static const cpu_peak portable_peaks[CPU_ACTIVATIONS] = {
    [CPU_ACTIVATIONS_FLOAT] = {"mul+add", SUMS * 4, portable_float},
    [CPU_ACTIVATIONS_INT8] = {"16-bit products", SUMS * 8, portable_int8},
};

#if defined(__x86_64__)
// MARK: x86

#define KERNEL static __attribute__((target("avx2,fma")))

KERNEL void avx2_float(size_t loops) {
    __m256 sums[SUMS], a = _mm256_set1_ps(1), b = _mm256_set1_ps(2);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm256_setzero_ps();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm256_fmadd_ps(a, b, sums[i]);
            CHANGED(sums[i]);
        }
}

KERNEL void avx2_int8(size_t loops) {
    __m256i sums[SUMS], a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2), one = _mm256_set1_epi16(1);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm256_setzero_si256();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            __m256i pairs = _mm256_maddubs_epi16(a, b);
            CHANGED(pairs);
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, one));
            CHANGED(sums[i]);
        }
}

static const cpu_peak avx2_peaks[CPU_ACTIVATIONS] = {
    [CPU_ACTIVATIONS_FLOAT] = {"vfmadd", SUMS * 8, avx2_float},
    [CPU_ACTIVATIONS_INT8] = {"vpmaddubsw+vpmaddwd", SUMS * 32, avx2_int8},
};
#undef KERNEL

#define KERNEL static __attribute__((target("avx512f,avx512bw,avx512vnni")))

KERNEL void avx512_float(size_t loops) {
    __m512 sums[SUMS], a = _mm512_set1_ps(1), b = _mm512_set1_ps(2);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_fmadd_ps(a, b, sums[i]);
            CHANGED_512(sums[i]);
        }
}

KERNEL void avx512_int8(size_t loops) {
    __m512i sums[SUMS], a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_si512();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
            CHANGED_512(sums[i]);
        }
}

KERNEL void avx512_int16(size_t loops) {
    __m512i sums[SUMS], a = _mm512_set1_epi16(1), b = _mm512_set1_epi16(2);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_si512();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_dpwssd_epi32(sums[i], a, b);
            CHANGED_512(sums[i]);
        }
}
#undef KERNEL

#define KERNEL static __attribute__((target("avx512f,avx512bw,avx512bf16")))

KERNEL void avx512_bf16(size_t loops) {
    __m512 sums[SUMS];
    __m512i a = _mm512_set1_epi16(0x3f80), b = _mm512_set1_epi16(0x4000);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)a, (__m512bh)b);
            CHANGED_512(sums[i]);
        }
}
#undef KERNEL

static const cpu_peak avx512_peaks[CPU_ACTIVATIONS] = {
    [CPU_ACTIVATIONS_FLOAT] = {"vfmadd", SUMS * 16, avx512_float},
    [CPU_ACTIVATIONS_INT8] = {"vpdpbusd", SUMS * 64, avx512_int8},
    [CPU_ACTIVATIONS_BF16] = {"vdpbf16ps", SUMS * 32, avx512_bf16},
    [CPU_ACTIVATIONS_INT16] = {"vpdpwssd", SUMS * 32, avx512_int16},
};
#elif defined(__aarch64__)
// MARK: arm64

static void neon_float(size_t loops) {
    float32x4_t sums[SUMS], a = vdupq_n_f32(1), b = vdupq_n_f32(2);
    for (int i = 0; i < SUMS; i++) sums[i] = vdupq_n_f32(0);
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = vfmaq_f32(sums[i], a, b);
            CHANGED(sums[i]);
        }
}

__attribute__((target("arch=armv8.2-a+dotprod"))) static void neon_dotprod(size_t loops) {
    int32x4_t sums[SUMS];
    int8x16_t a = vdupq_n_s8(1), b = vdupq_n_s8(2);
    for (int i = 0; i < SUMS; i++) sums[i] = vdupq_n_s32(0);
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = vdotq_s32(sums[i], a, b);
            CHANGED(sums[i]);
        }
}

__attribute__((target("arch=armv8.2-a+i8mm"))) static void neon_i8mm(size_t loops) {
    int32x4_t sums[SUMS];
    int8x16_t a = vdupq_n_s8(1), b = vdupq_n_s8(2);
    for (int i = 0; i < SUMS; i++) sums[i] = vdupq_n_s32(0);
    for (size_t k = 0; k < loops; k++)
        for (int i = 0; i < SUMS; i++) {
            sums[i] = vmmlaq_s32(sums[i], a, b);
            CHANGED(sums[i]);
        }
}

static const cpu_peak dotprod_peaks[CPU_ACTIVATIONS] = {
    [CPU_ACTIVATIONS_FLOAT] = {"fmla", SUMS * 4, neon_float},
    [CPU_ACTIVATIONS_INT8] = {"sdot", SUMS * 16, neon_dotprod},
};

static const cpu_peak i8mm_peaks[CPU_ACTIVATIONS] = {
    [CPU_ACTIVATIONS_FLOAT] = {"fmla", SUMS * 4, neon_float},
    [CPU_ACTIVATIONS_INT8] = {"smmla", SUMS * 32, neon_i8mm},
};
#endif

const cpu_peak *cpu_peak_get(int level, int activation_kind) {
    if (!cpu_kernels_get(level) || activation_kind < 0 || activation_kind >= CPU_ACTIVATIONS) return NULL;
    const cpu_peak *peaks = NULL;
    switch (level) {
    case CPU_KERNELS_PORTABLE: peaks = portable_peaks; break;
#if defined(__x86_64__)
    case CPU_KERNELS_AVX2: peaks = avx2_peaks; break;
    case CPU_KERNELS_AVX512_VNNI:
        if (activation_kind != CPU_ACTIVATIONS_BF16) peaks = avx512_peaks;
        break;
    case CPU_KERNELS_AVX512_BF16: peaks = avx512_peaks; break;
    case CPU_KERNELS_AMX: // its tiles have no probe
        if (activation_kind != CPU_ACTIVATIONS_BF16) peaks = avx512_peaks;
        break;
#elif defined(__aarch64__)
    case CPU_KERNELS_NEON_DOTPROD: peaks = dotprod_peaks; break;
    case CPU_KERNELS_NEON_I8MM: peaks = i8mm_peaks; break;
#endif
    }
    return peaks && peaks[activation_kind].run ? &peaks[activation_kind] : NULL;
}

// MARK: reading

typedef uint64_t words __attribute__((vector_size(16), aligned(1), may_alias));

// So much of each part in turn, and how far ahead it is asked for: what was fastest where it was measured.
enum { PIECE = 256, READ_AHEAD = 2048 };

INLINE uint64_t read_streams(const uint8_t *bytes, size_t size, const size_t streams) {
    const size_t part = size / streams;
    words sums[4] = {{0}};
    for (size_t piece = 0; piece < part; piece += PIECE)
        for (size_t s = 0; s < streams; s++)
            for (size_t k = piece; k + 64 <= min_size(piece + PIECE, part); k += 64) {
                const uint8_t *line = bytes + s * part + k;
                __builtin_prefetch((const void *)((uintptr_t)line + READ_AHEAD));
                for (int i = 0; i < 4; i++) sums[i] ^= *(const words *)(line + 16 * (size_t)i);
            }
    const words sum = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
    return sum[0] ^ sum[1];
}

uint64_t cpu_peak_read(const void *bytes, size_t size, size_t streams) {
    switch (streams) {
    case 2: return read_streams(bytes, size, 2);
    case 4: return read_streams(bytes, size, 4);
    case 8: return read_streams(bytes, size, 8);
    case 16: return read_streams(bytes, size, 16);
    default: return read_streams(bytes, size, 1);
    }
}
