// Activations quantised for the matrix products: int8 blocks of 32 with a mantissa and sums.
//
//   input = code · mantissa · 2^(exponent + 10 − shift of its block)
//
// The codes of a block are in the order of the tiles'
// words: inputs 0, 1, 16, 17, 2, 3, 18, 19 and so on.
//
// All of it is integer arithmetic on the bits of the floats, so that every processor gives the same codes.
#ifndef HTP_ACTIVATIONS_H
#define HTP_ACTIVATIONS_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK 32

// One quantised block. What the products need beside its codes are words of which two are loaded at once. Where they
// say "twice", they hold the same int16 in both halves, the form in which vector instructions take a halfword from a
// scalar register.
typedef struct activation_block {
    int8_t codes[BLOCK];
    int32_t mantissa;       // 16384…32767, 0 for a block of zeros; twice
    int32_t shift;          // 10…31: the products' own ten bits, and how far the block's largest input is below the row's
    int32_t start8;         // −8 · sum of the codes; twice
    int32_t start32;        // −32 · sum of the codes 0 … 7 in the lower half, 16 … 23 in the upper
    int32_t minus_first;    // −sum of the codes 0 … 15; twice
    int32_t minus_second;   // −sum of the codes 16 … 31; twice
    int32_t first_start16;  // −16 · sum of the codes 0 … 15; twice
    int32_t second_start16; // −16 · sum of the codes 16 … 31; twice
} activation_block;

// One quantised row.
typedef struct activation_row {
    activation_block *blocks; // padded to whole groups of four
    int32_t exponent;
    int32_t rounding;         // half of the number of blocks that are not zero; see `matmul.c`
    int32_t ternary_start;    // what the sums of products with ternary codes begin with
    int32_t *ternary_starts;  // the same for each eight blocks
} activation_row;

// Bytes of one quantised row of `columns` inputs; a multiple of 128.
size_t activation_row_bytes(uint32_t columns);

// Lays a row out in `memory`, which is aligned to 128 bytes.
activation_row activation_row_at(void *memory, uint32_t columns);

// Quantises `columns` floats into the row's memory; what the last block lacks counts as zeros.
void activation_row_quantize(activation_row *row, void *memory, const float *source, uint32_t columns);

// What a quantised row leaves of its source: source − code · step.
void activation_row_remainder(const activation_row *row, const float *source, uint32_t columns, float *remainder);

#endif
