// Matrix products of tiled weights with quantised activations.
#ifndef HTP_MATMUL_H
#define HTP_MATMUL_H

#include <stdint.h>

#include "activations.h"
#include "stream.h"

typedef struct matmul {
    uint32_t kind;           // HTP_TILES_…
    uint32_t out, in, rows;  // rows: of the activations
    const uint8_t *weights;  // aligned to 128
    const activation_row *activations;
    uint8_t *destination;    // float32 [rows][out]
    uint64_t stride;         // bytes between rows of the destination
    near_memory near;        // the worker's own
} matmul;

// Computes row tile `first` and every step-th after it, below `last`.
void matmul_tiles(const matmul *m, uint32_t first, uint32_t last, uint32_t step);

// The same bits, in the way that is fastest on this processor.
void matmul_tiles_fastest(const matmul *m, uint32_t first, uint32_t last, uint32_t step);

// Products of one expert among many: `m->weights` is the first expert's matrix, and the others' follow at once,
// each of `htp_tiles_bytes`.
//
// Of the activations' rows, those that `indices` lists are multiplied: row indices[i] of `m->activations` (and of
// `m->destination`) by expert `expert`. No index, no work. `m->rows` bounds the indices and is the caller's to
// keep.
void matmul_indexed_tiles(const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count, uint32_t first,
                          uint32_t last, uint32_t step);
void matmul_indexed_tiles_fastest(const matmul *m, uint32_t expert, const uint32_t *indices, uint32_t count,
                                  uint32_t first, uint32_t last, uint32_t step);

#endif
