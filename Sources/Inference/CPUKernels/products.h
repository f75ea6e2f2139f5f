// The loops over rows and columns, and the table of kernels, of one instruction set. Its file includes this at the
// end, having defined KERNEL_TABLE, LOCAL, KERNEL, float_kind, the vector kernels, TILE_ROWS, TILE_BLOCKS, the type tile,
// and
//   dot_floats     four rows times `width` columns (1 or 4)
//   prepare_column what dot_rows wants of a column of quantised activations, of type `column`
//   dot_rows       ROWS_AT_ONCE rows times one column
//   unpack_tile    some blocks of TILE_ROWS rows (past row_end: any row again)
//   multiply_tile  the tile times some columns from the first on, up to TILE_COLUMNS, onto dst unless first_block is 0;
//                  `rows` of it exist. For columns that do not exist the last is multiplied again: fewer take as long.
//                  (No index of its sums may depend on how many exist: they would leave the registers.)
// With HAS_FLOAT_BATCHES it has also
//   matmul_float_batch   a product of float weights and CPU_BATCH or more columns
// and with HAS_INT16_BATCHES
//   matmul_int16, prepare_int16   the same of weights and activations as integers, and what makes these
//
// Rows that are multiplied together lie far apart: memory streams from several pages at once are faster than one.

LOCAL void matmul_floats(const cpu_product *p, size_t row_begin, size_t row_end, float_kind kind) {
#ifdef HAS_INT16_BATCHES
    if (p->activation_kind == CPU_ACTIVATIONS_INT16 && p->columns > 0) {
        matmul_int16(p, row_begin, row_end, kind);
        return;
    }
#endif
#ifdef HAS_FLOAT_BATCHES
    if (p->count >= CPU_BATCH && p->columns > 0) {
        matmul_float_batch(p, row_begin, row_end, kind);
        return;
    }
#endif
    const size_t quarter = (row_end - row_begin + 3) / 4;
    for (size_t i = 0; i < quarter; i++) {
        const uint8_t *rows[4];
        for (size_t j = 0; j < 4; j++)
            rows[j] = (const uint8_t *)p->weights
                      + min_size(row_begin + i + j * quarter, row_end - 1) * p->weight_row_bytes;
        for (size_t c = 0; c < p->count;) {
            const uint8_t *xs[4];
            const size_t width = p->count - c > 1 ? 4 : 1, present = min_size(width, p->count - c);
            for (size_t j = 0; j < 4; j++)
                xs[j] = prepared_column(p, min_size(c + j, p->count - 1));
            float out[4][4];
            if (width == 4)
                dot_floats(rows, xs, 4, p->columns, kind, out);
            else
                dot_floats(rows, xs, 1, p->columns, kind, out);
            for (size_t j = 0; j < 4 && row_begin + i + j * quarter < row_end; j++)
                for (size_t w = 0; w < present; w++)
                    p->dst[(c + w) * p->dst_stride + row_begin + i + j * quarter] = out[j][w];
            c += present;
        }
    }
}

KERNEL void matmul_f32(const cpu_product *p, size_t row_begin, size_t row_end) {
    matmul_floats(p, row_begin, row_end, F32);
}

KERNEL void matmul_f16(const cpu_product *p, size_t row_begin, size_t row_end) {
    matmul_floats(p, row_begin, row_end, F16);
}

KERNEL void matmul_bf16(const cpu_product *p, size_t row_begin, size_t row_end) {
    matmul_floats(p, row_begin, row_end, BF16);
}

LOCAL void matmul_few(const cpu_product *p, size_t row_begin, size_t row_end, const int format) {
    const size_t part = (row_end - row_begin + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    for (size_t c = 0; c < p->count; c++) {
        column x;
        prepare_column(
            &x, activation_parts(prepared_column(p, c), p->columns), p->columns / BLOCK, format);
        for (size_t i = 0; i < part; i++) {
            const uint8_t *rows[ROWS_AT_ONCE];
            for (size_t j = 0; j < ROWS_AT_ONCE; j++)
                rows[j] = (const uint8_t *)p->weights
                          + min_size(row_begin + i + j * part, row_end - 1) * p->weight_row_bytes;
            float out[ROWS_AT_ONCE];
            dot_rows(rows, &x, p->columns / BLOCK, p->weight_scale, format, out);
            for (size_t j = 0; j < ROWS_AT_ONCE && row_begin + i + j * part < row_end; j++)
                p->dst[c * p->dst_stride + row_begin + i + j * part] = out[j];
        }
    }
}

LOCAL void matmul_batch(const cpu_product *p, size_t row_begin, size_t row_end, const int format) {
    const size_t blocks = p->columns / BLOCK;
    tile t;
    for (size_t r = row_begin; r < row_end; r += TILE_ROWS) {
        const size_t present = row_end - r;
        for (size_t b = 0; b < blocks; b += TILE_BLOCKS) {
            const size_t some = min_size(TILE_BLOCKS, blocks - b);
            unpack_tile(&t, p, r, row_end, b, some, format);
            for (size_t c = 0; c < p->count; c += TILE_COLUMNS)
                multiply_tile(
                    &t, p, c, min_size(TILE_COLUMNS, p->count - c), b, some, p->dst + c * p->dst_stride + r, present,
                    format);
        }
    }
}

// Fewer columns than a tile's do not pay for taking weights apart.
#define MATMUL(name, format) \
    KERNEL void matmul_##name(const cpu_product *p, size_t row_begin, size_t row_end) { \
        if (p->count < TILE_COLUMNS || p->columns == 0) \
            matmul_few(p, row_begin, row_end, format); \
        else \
            matmul_batch(p, row_begin, row_end, format); \
    }
QUANTIZED_FORMATS(MATMUL)
#undef MATMUL

KERNEL void prepare_floats(const float *x, size_t columns, void *out) { memcpy(out, x, columns * sizeof *x); }

const cpu_kernels KERNEL_TABLE = {
    .matmul = {
        [CPU_F32] = matmul_f32,
        [CPU_F16] = matmul_f16,
        [CPU_BF16] = matmul_bf16,
#define ENTRY(name, format) [format] = matmul_##name,
        QUANTIZED_FORMATS(ENTRY)
#undef ENTRY
    },
    .activations_of_few = {QUANTIZED_FORMATS(TAKES_INT8)},
#ifdef HAS_INT16_BATCHES
    .activations_of_batch = {
        [CPU_F16] = CPU_ACTIVATIONS_INT16, [CPU_BF16] = CPU_ACTIVATIONS_INT16, QUANTIZED_FORMATS(TAKES_INT8)},
#else
    .activations_of_batch = {QUANTIZED_FORMATS(TAKES_INT8)},
#endif
    .prepare = {
        [CPU_ACTIVATIONS_FLOAT] = prepare_floats,
        [CPU_ACTIVATIONS_INT8] = quantize_activations,
#ifdef HAS_INT16_BATCHES
        [CPU_ACTIVATIONS_INT16] = prepare_int16,
#endif
    },
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
