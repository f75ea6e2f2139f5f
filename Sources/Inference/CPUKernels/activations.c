// The kernels of `cpu_activations.h`: one source, compiled for each level.
#include "include/cpu_activations.h"

#include <math.h>

#include "kernels.h"

INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp_float(-x)); }

// (1 - e) / (1 + e) with e = exp(-2|x|), and the sign; near 0, where that cancels, the first terms of the series.
INLINE float tanh_float(float x) {
    const float magnitude = x < 0 ? -x : x, square = x * x;
    const float e = exp_float(-2.0f * magnitude), far = (1.0f - e) / (1.0f + e);
    const float near = magnitude * (1.0f - square * (1.0f / 3 - square * (2.0f / 15 - square * (17.0f / 315))));
    const float result = magnitude < 0.2f ? near : far;
    return x < 0 ? -result : result;
}

#define KERNEL static
#define LEVEL(name) portable_##name
#include "activations_body.h"
#undef KERNEL
#undef LEVEL

#if defined(__x86_64__)
#define KERNEL static __attribute__((target("avx2,fma,f16c")))
#define LEVEL(name) avx2_##name
#include "activations_body.h"
#undef KERNEL
#undef LEVEL

#define KERNEL static __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define LEVEL(name) avx512_##name
#include "activations_body.h"
#endif

const cpu_activation_kernels *cpu_activation_kernels_get(int level) {
    if (!cpu_kernels_get(level)) return NULL;
#if defined(__x86_64__)
    if (level >= CPU_KERNELS_AVX512_VNNI) return &avx512_activation_kernels;
    if (level == CPU_KERNELS_AVX2) return &avx2_activation_kernels;
#endif
    return &portable_activation_kernels;
}

void cpu_remainder(float *rest, const float *x, const void *prepared, size_t columns) {
    const activation_row row = activation_parts(prepared, columns);
    for (size_t b = 0; b < columns / BLOCK; b++) {
        const float scale = load_float(row.scales, b);
        for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++) rest[i] = x[i] - scale * (float)row.codes[i];
    }
}
