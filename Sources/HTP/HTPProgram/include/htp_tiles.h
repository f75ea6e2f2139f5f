// How repacked weights lie in shared memory.
//
// A matrix of `rows` outputs and `columns` inputs is a list of row tiles of 64 rows. A row tile is two vectors
// of exponents (int32: rows 0 … 31, rows 32 … 63), what its kind keeps for a row or for each two, four (a chunk) or
// eight blocks (a group) of 32 inputs, and then the blocks.
//
// Vectors of scales hold 64 halfwords: 2i is row i, 2i + 1 row 32 + i. Codes come in planes of 1, 2, 4 or 8
// bits. The inputs of a block are taken in eight words of four: word g is inputs 2g, 2g + 1, 16 + 2g, 17 + 2g,
// so that each half of the block has two bytes of it. In planes made for `vmpa`, the halfword of a row holds
// the word's first half in its low byte, the second in its high byte:
//
//   4 bits   8 vectors: vector g, low nibbles 2g and 16 + 2g, high nibbles 2g + 1 and 17 + 2g
//   2 bits   4 vectors, two for each four words: field f is of word f of them, inputs 2g and 16 + 2g in the
//            first vector, 2g + 1 and 17 + 2g in the second
//   1 bit    2 vectors: bit g is of word g, divided in the same way; above a plane of 2 bits, bits 0 … 7 are of
//            words 4, 5, 0, 1, 6, 7, 2, 3
//
// In planes made for `vrmpy`, the word of a row holds a word of inputs:
//
//   8 bits   8 vectors of rows 0 … 31, one a word, then 8 of rows 32 … 63
//   4 bits   4 vectors of rows 0 … 31: vector i, low nibbles word 2i, high nibbles word 2i + 1; then 4 more
//
// A weight is scale · 2^exponent · (code − zero), less 2^exponent · step · minimum in the kinds with minima.
// Rows beyond the last have scales of zero. Inputs beyond the last, where their number is no multiple of 32, may have
// any codes: they meet activations of zero.
#ifndef HTP_TILES_H
#define HTP_TILES_H

#include <stdint.h>

#define HTP_TILE_ROWS 64
#define HTP_TILE_COLUMNS 32
#define HTP_VECTOR_BYTES 128

// More columns could overflow the 32-bit sum: 1023 blocks of less than 2^21.
#define HTP_COLUMNS_MAX (1023 * HTP_TILE_COLUMNS)

enum {
    // Ternary: a plane of 2 bits, zero 1; int16 scales, one for a row.
    HTP_TILES_TERNARY = 1,
    // Ternary with scales for a group.
    HTP_TILES_TERNARY_GROUPS = 2,
    // A plane of 2 bits, zero 0. A group has a vector of scales and one of scales of minima (step 1), all groups
    // before the first chunk; a chunk two vectors of factors and two of factors of minima. The halfword of vector i has the four-bit factors of
    // half blocks 4i … 4i + 3.
    HTP_TILES_2BIT_FACTORS = 3,
    // A plane of 4 bits, zero 8; a vector of scales for a block, before its codes.
    HTP_TILES_4BIT = 4,
    // The same and then a vector of minima, step 8.
    HTP_TILES_4BIT_MINIMA = 5,
    // Planes of 4 bits and of 1, zero 16.
    HTP_TILES_5BIT = 6,
    // The same with minima, step 16.
    HTP_TILES_5BIT_MINIMA = 7,
    // Codes of 8 bits, zero 128.
    HTP_TILES_8BIT = 8,
    // Planes of 4 bits and of 2, zero 32; two vectors of scales, one for each half of the block.
    HTP_TILES_6BIT_HALVES = 9,
    // A plane of 2 bits and one of 1, zero 4. A group has a vector of scales; a chunk two vectors of the low four
    // bits of its factors, as above, and one of the upper two bits, half block i in bits 2i and 2i + 1 of the
    // halfword. The factors' zero is 32.
    HTP_TILES_3BIT_FACTORS = 10,
    // Codes of 4 bits for `vrmpy` that stand for values of 8: the table of IQ4_NL.
    HTP_TILES_IQ4NL = 11,
    // Planes of 8 bits and of 4 lower ones, for `vrmpy`, zero 2048.
    HTP_TILES_12BIT = 12,
    // Codes of 4 bits that stand for E2M1 numbers, doubled. Two blocks have a vector of scales that are powers
    // of two: 2^(14 − low byte) for the even, 2^(14 − high byte) for the odd block; 15 means 0.
    HTP_TILES_FP4 = 13,
    HTP_TILES_KINDS_END,
};

// Bytes of a kind's parts, all multiples of a vector.
typedef struct htp_tile_parts {
    uint32_t row, block, pair, chunk, group;
} htp_tile_parts;

static inline htp_tile_parts htp_tile_parts_of(uint32_t kind) {
    htp_tile_parts parts = {2 * HTP_VECTOR_BYTES, 0, 0, 0, 0};
    switch (kind) {
    case HTP_TILES_TERNARY: parts.row += HTP_VECTOR_BYTES; parts.block = 512; break;
    case HTP_TILES_TERNARY_GROUPS: parts.block = 512; parts.group = HTP_VECTOR_BYTES; break;
    case HTP_TILES_2BIT_FACTORS: parts.block = 512; parts.chunk = 512; parts.group = 2 * HTP_VECTOR_BYTES; break;
    case HTP_TILES_3BIT_FACTORS: parts.block = 768; parts.chunk = 384; parts.group = HTP_VECTOR_BYTES; break;
    case HTP_TILES_4BIT:
    case HTP_TILES_IQ4NL: parts.block = 128 + 1024; break;
    case HTP_TILES_FP4: parts.block = 1024; parts.pair = HTP_VECTOR_BYTES; break;
    case HTP_TILES_4BIT_MINIMA: parts.block = 256 + 1024; break;
    case HTP_TILES_5BIT: parts.block = 128 + 1024 + 256; break;
    case HTP_TILES_5BIT_MINIMA: parts.block = 256 + 1024 + 256; break;
    case HTP_TILES_6BIT_HALVES: parts.block = 256 + 1024 + 512; break;
    case HTP_TILES_8BIT: parts.block = 128 + 2048; break;
    case HTP_TILES_12BIT: parts.block = 128 + 2048 + 1024; break;
    default: break;
    }
    return parts;
}

// Blocks of a row of at most HTP_COLUMNS_MAX inputs.
static inline uint32_t htp_tile_blocks(uint32_t columns) {
    return (columns + HTP_TILE_COLUMNS - 1) / HTP_TILE_COLUMNS;
}

// Bytes of a block of 64 rows and 32 inputs, or 0 for an unknown kind.
static inline uint32_t htp_tile_code_bytes(uint32_t kind) { return htp_tile_parts_of(kind).block; }

// Bytes of a row tile before its first block.
static inline uint64_t htp_row_tile_blocks_offset(uint32_t kind, uint32_t columns) {
    const htp_tile_parts parts = htp_tile_parts_of(kind);
    const uint64_t blocks = htp_tile_blocks(columns);
    return parts.row + (blocks + 1) / 2 * parts.pair + (blocks + 3) / 4 * parts.chunk
        + (blocks + 7) / 8 * parts.group;
}

// Bytes of one row tile.
static inline uint64_t htp_row_tile_bytes(uint32_t kind, uint32_t columns) {
    return htp_row_tile_blocks_offset(kind, columns)
        + (uint64_t)htp_tile_blocks(columns) * htp_tile_parts_of(kind).block;
}

// Bytes of a whole matrix.
static inline uint64_t htp_tiles_bytes(uint32_t kind, uint32_t rows, uint32_t columns) {
    uint64_t tiles = ((uint64_t)rows + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS;
    return tiles * htp_row_tile_bytes(kind, columns);
}

#endif
