// Activations quantised for the matrix products: int8 blocks of 32 with a mantissa, a shift and a sum.
//
//   input = code · mantissa · 2^(exponent − shift of its block)
//
// All of it is integer arithmetic on the bits of the floats, so that every processor gives the same codes.
#ifndef HTP_ACTIVATIONS_H
#define HTP_ACTIVATIONS_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK 32

// One quantised row. The arrays have an entry for each block, padded to whole groups of four.
typedef struct activation_row {
    int8_t *codes;      // 32 per block
    int16_t *mantissas; // 16384…32767, 0 for a block of zeros
    uint8_t *shifts;    // 0…31
    int32_t *starts;    // −128 · sum of the block's codes: what folds the weights' zero point out
    int32_t exponent;
    int32_t rounding;   // half of the number of blocks with a shift; see `matmul.c`
} activation_row;

// Bytes of one quantised row of `columns` inputs; a multiple of 128.
size_t activation_row_bytes(uint32_t columns);

// Lays a row out in `memory`, which is aligned to 128 bytes.
activation_row activation_row_at(void *memory, uint32_t columns);

// Quantises `columns` floats (a multiple of 32) into the row's memory.
void activation_row_quantize(activation_row *row, void *memory, const float *source, uint32_t columns);

#endif
