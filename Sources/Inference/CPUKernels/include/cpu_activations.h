// Functions of single elements, of pairs, and the search for the largest. Destinations may be one of the sources.
#ifndef CPU_ACTIVATIONS_H
#define CPU_ACTIVATIONS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Numbers of which cpu_activation_kernels.largest finds one.
enum { CPU_LARGEST_BLOCK = 64 };

typedef struct cpu_activation_kernels {
    // dst = gelu(gate) * up, the approximation with a hyperbolic tangent.
    void (*gelu_mul)(float *dst, const float *gate, const float *up, size_t n);
    // dst = max(gate, 0)^2 * up
    void (*relu_squared_mul)(float *dst, const float *gate, const float *up, size_t n);
    // dst = x * sigmoid(alpha * x) * (u + 1) with x = min(gate, limit) and u = up within +-limit
    void (*swiglu_clamped)(float *dst, const float *gate, const float *up, size_t n, float alpha, float limit);
    // x = x * factor, then cap * tanh(x / cap) unless cap is 0
    void (*scale)(float *x, size_t n, float factor, float cap);
    // Turns pairs of elements of `heads` heads of `size` floats, in place: x' = x * cosine - y * sine and
    // y' = x * sine + y * cosine. turns: a cosine and a sine for each pair. Elements behind the pairs stay.
    // The pairs are (i, i + pairs) or (2 * i, 2 * i + 1).
    void (*rotate_halves)(float *head, size_t heads, size_t size, const float *turns, size_t pairs);
    void (*rotate_neighbours)(float *head, size_t heads, size_t size, const float *turns, size_t pairs);
    // largest[b] = the largest of block b of CPU_LARGEST_BLOCK numbers, the last one of what is left; NaN is passed over,
    // and a block of nothing else has -infinity.
    void (*largest)(const float *x, size_t n, float *largest);
    // The sum of exp(x - largest); NaN is passed over.
    double (*sum_of_exponentials)(const float *x, size_t n, float largest);
} cpu_activation_kernels;

// The kernels of a level of cpu_kernels_get, or null.
const cpu_activation_kernels *cpu_activation_kernels_get(int level);

// rest = x without what a row of CPU_ACTIVATIONS_INT8 made of it stands for; columns: a multiple of 32.
void cpu_remainder(float *rest, const float *x, const void *prepared, size_t columns);

#ifdef __cplusplus
}
#endif
#endif
