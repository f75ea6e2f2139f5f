// The loops over rows and columns, and the table of kernels, of one instruction set. Its file includes this at the
// end, having defined KERNEL_TABLE, LOCAL, KERNEL, float_kind, block_kind, the vector kernels, TILE_ROWS,
// TILE_BLOCKS, the type tile, and
//   dot_floats     four rows times `width` columns (1 or 4)
//   dot_blocks     four rows times one column
//   unpack_tile    some blocks of TILE_ROWS rows (past row_end: any row again)
//   multiply_tile  the tile times `width` columns (1 or 4), onto dst unless first_block is 0; `rows` of it exist
//
// Four rows that are multiplied together lie a quarter of the range apart: memory streams from several pages at
// once are faster than one.
#include "kernels.h"

LOCAL void matmul_floats(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count,
    float_kind kind) {
    size_t quarter = (row_end - row_begin + 3) / 4;
    for (size_t i = 0; i < quarter; i++) {
        const uint8_t *rows[4];
        for (size_t j = 0; j < 4; j++)
            rows[j] = (const uint8_t *)weights
                      + min_size(row_begin + i + j * quarter, row_end - 1) * weight_row_bytes;
        for (size_t c = 0; c < count;) {
            const uint8_t *xs[4];
            size_t width = count - c >= 4 ? 4 : 1;
            for (size_t j = 0; j < 4; j++)
                xs[j] = (const uint8_t *)activations + min_size(c + j, count - 1) * activation_row_bytes;
            float out[4][4];
            if (width == 4)
                dot_floats(rows, xs, 4, columns, kind, out);
            else
                dot_floats(rows, xs, 1, columns, kind, out);
            for (size_t j = 0; j < 4 && row_begin + i + j * quarter < row_end; j++)
                for (size_t w = 0; w < width; w++)
                    dst[(c + w) * dst_stride_floats + row_begin + i + j * quarter] = out[j][w];
            c += width;
        }
    }
}

KERNEL void matmul_f32(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_floats(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, F32);
}

KERNEL void matmul_f16(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_floats(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, F16);
}

KERNEL void matmul_bf16(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_floats(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, BF16);
}

enum { TILE_COLUMNS = 4 }; // fewer columns do not pay for unpacking a tile

LOCAL void matmul_blocks(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count,
    block_kind kind, size_t block_bytes) {
    size_t blocks = columns / BLOCK;
    if (count < TILE_COLUMNS || blocks == 0) {
        size_t quarter = (row_end - row_begin + 3) / 4;
        for (size_t i = 0; i < quarter; i++) {
            const uint8_t *rows[4];
            for (size_t j = 0; j < 4; j++)
                rows[j] = (const uint8_t *)weights
                          + min_size(row_begin + i + j * quarter, row_end - 1) * weight_row_bytes;
            for (size_t c = 0; c < count; c++) {
                float out[4];
                const uint8_t *x = (const uint8_t *)activations + c * activation_row_bytes;
                dot_blocks(rows, activation_parts(x, columns), blocks, kind, block_bytes, out);
                for (size_t j = 0; j < 4 && row_begin + i + j * quarter < row_end; j++)
                    dst[c * dst_stride_floats + row_begin + i + j * quarter] = out[j];
            }
        }
        return;
    }
    tile t;
    for (size_t r = row_begin; r < row_end; r += TILE_ROWS) {
        size_t present = row_end - r;
        for (size_t b = 0; b < blocks; b += TILE_BLOCKS) {
            size_t chunk = min_size(TILE_BLOCKS, blocks - b);
            unpack_tile(&t, weights, weight_row_bytes, r, row_end, b, chunk, kind, block_bytes);
            size_t c = 0;
            for (; c + 4 <= count; c += 4)
                multiply_tile(
                    &t, (const uint8_t *)activations + c * activation_row_bytes, activation_row_bytes, 4,
                    columns, b, chunk, dst + c * dst_stride_floats + r, dst_stride_floats, present, kind);
            for (; c < count; c++)
                multiply_tile(
                    &t, (const uint8_t *)activations + c * activation_row_bytes, activation_row_bytes, 1,
                    columns, b, chunk, dst + c * dst_stride_floats + r, dst_stride_floats, present, kind);
        }
    }
}

KERNEL void matmul_q8_0(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_blocks(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, Q8_0, Q8_0_BYTES);
}

KERNEL void matmul_q4_0(
    const void *weights, size_t weight_row_bytes, const void *activations, size_t activation_row_bytes,
    float *dst, size_t dst_stride_floats, size_t columns, size_t row_begin, size_t row_end, size_t count) {
    matmul_blocks(
        weights, weight_row_bytes, activations, activation_row_bytes, dst, dst_stride_floats, columns,
        row_begin, row_end, count, Q4_0, Q4_0_BYTES);
}

const cpu_kernels KERNEL_TABLE = {
    .matmul_f32 = matmul_f32,
    .matmul_f16 = matmul_f16,
    .matmul_bf16 = matmul_bf16,
    .matmul_q8_0 = matmul_q8_0,
    .matmul_q4_0 = matmul_q4_0,
    .quantize_activations = quantize_activations,
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .axpy_f32 = axpy_f32,
    .axpy_f16 = axpy_f16,
    .f16_from_f32 = f16_from_f32,
    .add = add,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .silu_mul = silu_mul,
};
