// The float arithmetic that costs time, in two variants: plain IEEE operations, whose bits are the same everywhere,
// and the vector unit's own floats. Operations call the program's table; which one that is, is chosen at run time.
#ifndef HTP_FLOAT_KERNELS_H
#define HTP_FLOAT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "htp_batch.h"

// position % capacity: nothing divides on a DSP.
static inline uint32_t ring_place(uint32_t position, uint32_t capacity) {
    uint64_t step = capacity;
    while (step <= position) step <<= 1;
    for (; step >= capacity; step >>= 1)
        if (position >= step) position -= (uint32_t)step;
    return position;
}

// One key/value head, and heads of queries that share it.
typedef struct attention_heads {
    const htp_attention_parameters *parameters;
    const float *queries; // [heads][key_size]
    float *results;       // [heads][value_size]
    const float *sinks;   // [heads], or NULL
    const uint8_t *keys, *values; // of position 0
    uint64_t key_stride, value_stride;
    uint32_t begin, end; // positions that the token sees
    uint32_t heads;
    void *workspace; // `attention_bytes`, aligned to 128
    uint32_t ring;   // position p lies at p % ring; 0: at p
} attention_heads;

// Where a position lies.
static inline uint32_t attention_place(const attention_heads *a, uint32_t position) {
    return a->ring != 0 ? ring_place(position, a->ring) : position;
}

// Where the position after that at `place` lies.
static inline uint32_t attention_next(const attention_heads *a, uint32_t place) {
    return place + 1 == a->ring ? 0 : place + 1;
}

// Positions that are scored together.
#define ATTENTION_POSITIONS 32

// Rows begin at any multiple of 4 bytes and have any length; nothing outside them is read or written. `to` may be a
// source, as a whole.
typedef struct float_kernels {
    void (*add)(float *to, const float *a, const float *b, uint32_t count);
    void (*multiply)(float *to, const float *a, const float *b, uint32_t count);
    void (*scale)(float *to, const float *x, uint32_t count, const htp_scale_parameters *s);
    // `up` may be NULL where the function allows it.
    void (*activate)(float *to, const float *x, const float *up, uint32_t count,
                     const htp_activate_parameters *a);
    void (*softmax)(float *to, const float *x, uint32_t count, float scale);
    // `weight` and `bias` may be NULL. A norm that centers is a layer norm.
    void (*normalize)(float *to, const float *x, const float *weight, const float *bias,
                      const htp_norm_parameters *n, int center);
    // Turns pairs i, i + pairs (`halves`) or 2i, 2i + 1 by a cosine and a sine each.
    void (*rotate)(float *to, const float *x, uint32_t size, uint32_t pairs, const float *angles, int halves);
    // addend + Σ of `count` vectors, `distance` floats apart, times their weights. `addend` may be NULL.
    void (*mix)(float *to, const float *vectors, size_t distance, const float *weights, uint32_t count,
                const float *addend, uint32_t width);
    // One position of a head of the cache.
    void (*encode)(uint8_t *row, const float *x, uint32_t size, uint32_t type);
    void (*attend)(const attention_heads *a);
    size_t (*attention_bytes)(const htp_attention_parameters *a);
} float_kernels;

extern const float_kernels floats_plain;

// The variant of the vector unit's floats; NULL in code for processors that have none (before v68).
const float_kernels *floats_qfloat(void);

// Computes examples of every kernel with both. `disagreement` is the opcode of the first operation whose results differ
// by more than rounding explains, 0 if there is none. Returns an AEE code.
int float_kernels_compare(const float_kernels *kernels, const float_kernels *reference, uint32_t *disagreement);

#endif
