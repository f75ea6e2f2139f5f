// How repacked weights lie in shared memory.
//
// A matrix of `rows` outputs and `columns` inputs is a list of row tiles of 32 rows. A row tile is a
// vector of 32 exponents (int32), then for each pair of 32-column blocks a vector of scales and the codes
// of the two blocks:
//
//   exponents   32 × int32                one per row
//   scales      64 × int16                row r: halfword 2r the even block's, 2r + 1 the odd block's
//   codes even  512 or 1024 bytes
//   codes odd   512 or 1024 bytes
//
// Codes are made for `vrmpy` with a scalar operand: byte 4r + b of a vector is row r, input 4g + b of
// group g. Four-bit codes keep group 2i in the low and group 2i + 1 in the high nibble of vector i;
// eight-bit codes have a vector per group. A code is unsigned and stands in the upper bits of its byte,
// with 128 as zero:
//
//   weight = scale · 2^exponent · (byte − 128)        byte = code · 16 for four bits, code for eight
//
// Rows and the last pair are padded with scales of zero.
#ifndef HTP_TILES_H
#define HTP_TILES_H

#include <stdint.h>

#define HTP_TILE_ROWS 32
#define HTP_TILE_COLUMNS 32
#define HTP_VECTOR_BYTES 128

// More columns could overflow the 32-bit accumulator: 1023 blocks of at most 2^21.
#define HTP_COLUMNS_MAX (1023 * HTP_TILE_COLUMNS)

enum {
    HTP_TILES_4BIT = 4,
    HTP_TILES_8BIT = 8,
};

// Bytes of the codes of one 32 × 32 tile, or 0 for an unknown kind.
static inline uint32_t htp_tile_code_bytes(uint32_t kind) {
    return kind == HTP_TILES_4BIT ? 512 : kind == HTP_TILES_8BIT ? 1024 : 0;
}

// Bytes of one row tile.
static inline uint64_t htp_row_tile_bytes(uint32_t kind, uint32_t columns) {
    uint64_t pairs = ((uint64_t)columns / HTP_TILE_COLUMNS + 1) / 2;
    return HTP_VECTOR_BYTES + pairs * (HTP_VECTOR_BYTES + 2 * (uint64_t)htp_tile_code_bytes(kind));
}

// Bytes of a whole matrix.
static inline uint64_t htp_tiles_bytes(uint32_t kind, uint32_t rows, uint32_t columns) {
    uint64_t tiles = ((uint64_t)rows + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS;
    return tiles * htp_row_tile_bytes(kind, columns);
}

#endif
