// Functions of single elements. Destinations may be one of the sources.
#ifndef CPU_ACTIVATIONS_H
#define CPU_ACTIVATIONS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// dst = gelu(gate) * up, the approximation with a hyperbolic tangent.
void cpu_gelu_mul(float *dst, const float *gate, const float *up, size_t n);
// dst = max(gate, 0)^2 * up
void cpu_relu_squared_mul(float *dst, const float *gate, const float *up, size_t n);
// dst = x * sigmoid(alpha * x) * (u + 1) with x = min(gate, limit) and u = up within +-limit
void cpu_swiglu_clamped(float *dst, const float *gate, const float *up, size_t n, float alpha, float limit);
// x = x * factor, then cap * tanh(x / cap) unless cap is 0
void cpu_scale(float *x, size_t n, float factor, float cap);

#ifdef __cplusplus
}
#endif
#endif
