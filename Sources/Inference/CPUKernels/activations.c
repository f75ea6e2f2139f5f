// Functions of single elements, in loops that the compiler turns into vectors.
#include "include/cpu_activations.h"

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

// x/2 (1 + tanh u) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3)
void cpu_gelu_mul(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i];
        dst[i] = x * sigmoid(1.5957691216057308f * (x + 0.044715f * x * x * x)) * up[i];
    }
}

void cpu_relu_squared_mul(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i] > 0 ? gate[i] : 0;
        dst[i] = x * x * up[i];
    }
}

void cpu_swiglu_clamped(float *dst, const float *gate, const float *up, size_t n, float alpha, float limit) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i] < limit ? gate[i] : limit;
        float u = up[i] < limit ? up[i] : limit;
        u = u > -limit ? u : -limit;
        dst[i] = x * sigmoid(alpha * x) * (u + 1.0f);
    }
}

void cpu_scale(float *x, size_t n, float factor, float cap) {
    if (cap > 0) {
        const float inner = factor / cap;
        for (size_t i = 0; i < n; i++) x[i] = cap * tanh_float(x[i] * inner);
    } else {
        for (size_t i = 0; i < n; i++) x[i] *= factor;
    }
}
