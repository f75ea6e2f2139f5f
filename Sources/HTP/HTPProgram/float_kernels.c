// The examples on which two variants of float arithmetic must agree before the second is used.
#include "float_kernels.h"

#include "AEEStdErr.h"
#include "cache.h"
#include "floats.h"
#include "platform.h"

// Widths that are no multiple of a vector, and more than one block of positions.
enum { WIDTH = 77, PAIRS = 37, SIZE = 96, HEADS = 2, POSITIONS = 43, TYPES = 4 };
enum { FUNCTIONS = HTP_FUNCTION_SWIGLU_CLAMPED + 1, ROW_BYTES = SIZE * 4 };
enum { FIRST_FUNCTION = 9, FIRST_STORE = FIRST_FUNCTION + FUNCTIONS, FIRST_ATTENTION = FIRST_STORE + TYPES };

typedef struct examples {
    float a[WIDTH * 2], b[WIDTH * 2];
    float queries[HEADS * SIZE], sinks[HEADS];
    uint8_t cache[POSITIONS][ROW_BYTES] __attribute__((aligned(4)));
    void *workspace;
} examples;

// Computes example `which`; returns its operation, and how many floats `to` has got.
static uint32_t compute(const float_kernels *k, examples *e, uint32_t which, float *to, uint32_t *count) {
    *count = WIDTH;
    switch (which) {
    case 0: k->add(to, e->a, e->b, WIDTH); return HTP_OP_ADD;
    case 1: k->multiply(to, e->a, e->b, WIDTH); return HTP_OP_MULTIPLY;
    case 2: k->scale(to, e->a, WIDTH, &(htp_scale_parameters){WIDTH, 1.5f, -0.5f, 2}); return HTP_OP_SCALE;
    case 3: k->softmax(to, e->a, WIDTH, 2); return HTP_OP_SOFTMAX;
    case 4:
    case 5: {
        const htp_norm_parameters n = {WIDTH, 1, 1e-5f};
        k->normalize(to, e->a, e->b, which == 5 ? e->b + WIDTH : NULL, &n, which == 5);
        return HTP_OP_NORM;
    }
    case 6:
    case 7: k->rotate(to, e->a, WIDTH, PAIRS, e->b, which == 7); return HTP_OP_ROPE;
    case 8: k->mix(to, e->a, WIDTH, e->queries, 2, e->b, WIDTH); return HTP_OP_MIX;
    }
    if (which < FIRST_STORE) {
        const uint32_t function = which - FIRST_FUNCTION;
        const int clamped = function == HTP_FUNCTION_SWIGLU_CLAMPED;
        const htp_activate_parameters p = {WIDTH, function, clamped ? 1.702f : 0, clamped ? 3.0f : 0};
        k->activate(to, e->a, e->b, WIDTH, &p);
        return HTP_OP_ACTIVATE;
    }
    if (which < FIRST_ATTENTION) {
        uint8_t row[ROW_BYTES] __attribute__((aligned(4)));
        *count = SIZE;
        k->encode(row, e->a, SIZE, which - FIRST_STORE);
        cache_decode(to, row, SIZE, which - FIRST_STORE);
        return HTP_OP_STORE;
    }
    const uint32_t type = which - FIRST_ATTENTION;
    for (uint32_t i = 0; i < POSITIONS; i++) cache_encode(e->cache[i], e->a + i, SIZE, type);
    const htp_attention_parameters p = {.key_heads = 1, .group = HEADS, .key_size = SIZE, .value_size = SIZE,
                                        .key_type = type, .value_type = type, .capacity = POSITIONS, .scale = 0.1f};
    const attention_heads heads = {&p, e->queries, to, e->sinks, e->cache[0], e->cache[0], ROW_BYTES, ROW_BYTES, 1,
                                   POSITIONS, HEADS, e->workspace, 0};
    *count = HEADS * SIZE;
    k->attend(&heads);
    return HTP_OP_ATTENTION;
}

// Floats in −4 … 4, zeros, and one that is far away.
static void fill(float *x, uint32_t count, uint32_t seed) {
    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)seed >> 8) * 0x1p-21f;
        if (i % 16 == 9) x[i] = 0;
    }
    x[count / 2] = -90.0f;
}

// Within `tolerance` of the largest of each block of 32.
static int agree(const float *a, const float *b, uint32_t count, float tolerance) {
    int differing = 0;
    for (uint32_t first = 0; first < count; first += CACHE_BLOCK) {
        const uint32_t last = count - first < CACHE_BLOCK ? count : first + CACHE_BLOCK;
        float largest = 0;
        for (uint32_t i = first; i < last; i++) largest = float_abs(b[i]) > largest ? float_abs(b[i]) : largest;
        // In this form a NaN differs.
        for (uint32_t i = first; i < last; i++) differing |= !(float_abs(a[i] - b[i]) <= tolerance * largest);
    }
    return !differing;
}

int float_kernels_compare(const float_kernels *kernels, const float_kernels *reference, uint32_t *disagreement) {
    const htp_attention_parameters p = {.group = HEADS, .key_size = SIZE, .value_size = SIZE};
    const size_t ours = kernels->attention_bytes(&p), theirs = reference->attention_bytes(&p);
    examples *e = platform_allocate(sizeof *e);
    void *workspace = platform_allocate(ours > theirs ? ours : theirs);
    float *results = platform_allocate(2 * HEADS * SIZE * sizeof(float));
    *disagreement = 0;
    if (e && workspace && results) {
        fill(e->a, WIDTH * 2, 1);
        fill(e->b, WIDTH * 2, 2);
        fill(e->queries, HEADS * SIZE, 3);
        fill(e->sinks, HEADS, 4);
        e->workspace = workspace;
        for (uint32_t which = 0; which < FIRST_ATTENTION + TYPES && *disagreement == 0; which++) {
            float *got = results, *want = results + HEADS * SIZE;
            uint32_t count;
            const uint32_t opcode = compute(kernels, e, which, got, &count);
            compute(reference, e, which, want, &count);
            // A stored row may be a step off: of int8 codes, a 127th of the largest in a block.
            if (!agree(got, want, count, opcode == HTP_OP_STORE ? 1.0f / 120 : 1e-5f)) *disagreement = opcode;
        }
    }
    const int status = e && workspace && results ? AEE_SUCCESS : AEE_ENOMEMORY;
    platform_free(results);
    platform_free(workspace);
    platform_free(e);
    return status;
}
