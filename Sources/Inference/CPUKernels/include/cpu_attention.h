// Attention over a cache of keys and values, and the cache's rows.
//
// Positions are cut into parts of CPU_ATTENTION_PART, at fixed places. A part of a row of queries is an online softmax
// over blocks of positions; parts are merged in their order. So a result's bits depend neither on how many rows are
// computed together nor on who computes which part.
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How elements of a cache are kept; as the DSP program has them (`enum htp_cache_type`).
enum {
    CPU_CACHE_F32 = 0,
    CPU_CACHE_F16 = 1,
    // Codes and steps of Q8_0's blocks of 32: all codes of a row (int8), then all its steps (float16).
    CPU_CACHE_Q8 = 2,
    // The same of Q4_0: 16 bytes a block, low nibbles first.
    CPU_CACHE_Q4 = 3,
};

enum {
    CPU_ATTENTION_PART = 512,
    // Numbers in front of a row's weighted sum in what `attend` leaves: the largest score, and the sum of weights.
    CPU_ATTENTION_HEAD = 2,
};

// A row is a head of a token: row `token * heads + head`.
typedef struct cpu_attention {
    const float *queries;  // heads of a token are key_size apart
    size_t query_stride;   // floats between tokens
    size_t tokens, heads;
    const void *keys, *values; // of position 0, of the one head that the rows share
    size_t key_stride, value_stride; // bytes between positions
    int key_type, value_type;
    size_t key_size, value_size;
    size_t capacity; // position p lies at p % capacity
    size_t position; // of the first token; token t sees positions up to position + t
    size_t window;   // positions that a token sees, its own included; 0 for all
    float scale;
    float cap;       // scores become cap * tanh(score / cap); 0 for none
    size_t begin, end; // positions that are looked at: of one part, all of them stored
    void *workspace; // cpu_attention_workspace bytes
} cpu_attention;

typedef struct cpu_attention_kernels {
    // partial: for each row CPU_ATTENTION_HEAD + value_size floats.
    void (*attend)(const cpu_attention *a, float *partial);
    // total = total merged with the part that follows it.
    void (*merge)(float *total, const float *part, size_t rows, size_t value_size);
    // Divides by the sum of weights, to which a sink (null for none) adds the weight of its score.
    void (*finish)(float *result, const float *total, size_t value_size, const float *sink);
    // Writes a position of a head. size: a multiple of 32 for Q8 and Q4. A block with an infinity or a NaN gets NaN as its
    // step.
    void (*encode)(void *row, const float *x, size_t size, int type);
    // Reads one.
    void (*decode)(float *x, const void *row, size_t size, int type);
} cpu_attention_kernels;

// Bytes for `rows` rows.
size_t cpu_attention_workspace(size_t rows, size_t key_size, size_t value_size);

// The kernels of a level of cpu_kernels_get, or null.
const cpu_attention_kernels *cpu_attention_kernels_get(int level);

#ifdef __cplusplus
}
#endif
#endif
