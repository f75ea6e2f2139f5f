// One open handle of the program.
#ifndef HTP_PROGRAM_STATE_H
#define HTP_PROGRAM_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "activations.h"
#include "float_kernels.h"
#include "power.h"
#include "workers.h"

#define MAPPINGS_MAX 256

typedef struct mapping {
    int fd;
    void *address; // NULL: unused
    uint64_t size;
} mapping;

typedef struct program {
    workers *workers; // NULL until `start`
    power *power;     // NULL until `start`, or where there is none to ask for
    uint32_t power_level;
    const float_kernels *floats; // NULL: plain
    void *queue;                 // where batches come from besides calls; NULL: nowhere
    mapping mappings[MAPPINGS_MAX];
    // Quantised activations of the current product; grown as needed.
    uint8_t *scratch;
    size_t scratch_bytes;
    activation_row *rows;
    size_t rows_capacity;
    // What else an operation needs while it runs; grown as needed.
    uint8_t *workspace;
    size_t workspace_bytes;
} program;

// Gives back the memory that the program has allocated.
void program_release(program *p);

// Runs the batch at `offset` of a mapped buffer. Returns an AEE code.
int program_submit(
    program *p, int32_t fd, uint64_t offset, uint64_t size, uint32_t *executed, uint64_t *microseconds);

// The mapping of `fd`, or NULL.
const mapping *program_mapping(const program *p, int fd);

// Quantises `count` rows, `stride` bytes apart, on all workers. Returns an AEE code.
int program_quantize(program *p, const uint8_t *source, uint64_t stride, uint32_t columns, uint32_t count);

// The same in two steps, for an operation that makes the rows itself: room first, then row after row from
// any worker.
int program_quantize_begin(program *p, uint32_t columns, uint32_t count);
void program_quantize_row(program *p, uint32_t row, const float *source, uint32_t columns);

// Quantises rows and, as rows `count` … 2 · `count` − 1, what that leaves of them. Uses the workspace.
int program_quantize_twice(program *p, const uint8_t *source, uint64_t stride, uint32_t columns, uint32_t count);

// `bytes` of memory aligned to 128, until the next call; NULL if there is none.
void *program_workspace(program *p, size_t bytes);

// Multiplies the rows quantised last. Returns an AEE code.
int program_multiply(program *p, uint32_t kind, uint32_t out, uint32_t in, uint32_t count,
                     const uint8_t *weights, uint8_t *destination, uint64_t stride);

#endif
