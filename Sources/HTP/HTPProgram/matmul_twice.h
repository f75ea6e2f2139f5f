// Products of activations that were quantised twice: a row's two results are added.
#ifndef HTP_MATMUL_TWICE_H
#define HTP_MATMUL_TWICE_H

#include <stddef.h>
#include <stdint.h>

#include "float_kernels.h"
#include "matmul.h"

typedef struct matmul_twice {
    // `rows` counts the sums; the activations are the first `rows` quantised rows, and then what those leave.
    matmul product;
    const uint32_t *places; // the destination's row of each sum; NULL: in order
    const float_kernels *floats;
    uint8_t *workspace;     // `matmul_twice_bytes` of the caller's own
    uint32_t tiles_at_once; // `matmul_twice_tiles`
} matmul_twice;

// Row tiles to be computed at once with at most `rows` sums, and the bytes that takes.
uint32_t matmul_twice_tiles(uint32_t rows);
size_t matmul_twice_bytes(uint32_t rows);

// Computes every `parts`-th group of row tiles, from the `part`-th on.
void matmul_twice_part(const matmul_twice *m, uint32_t part, uint32_t parts);

#endif
