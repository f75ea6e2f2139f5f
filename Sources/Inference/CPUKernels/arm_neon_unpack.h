// Tiles of weights taken apart: from the file to registers to the tile. Included by each file of tiles, which defines
// the type tile and
//   GROUP                                         rows that a vector of its codes is of
//   put_codes(t, b, group, codes[GROUP])          block b's codes of that group of rows
//   put_floats(t, b, part, row, scale, addend)    and factors of block b, or of one half of it, of one row

// The weights' own codes.
LOCAL code_pair without_zero(code_pair codes, const int format) {
    if (zero_of(format) == 0) return codes;
    const int8x16_t zero = vdupq_n_s8((int8_t)zero_of(format));
    return (code_pair){vsubq_s8(codes.first, zero), vsubq_s8(codes.last, zero)};
}

LOCAL void unpack_blocks(
    tile *t, size_t group, const uint8_t *const rows[GROUP], size_t first_block, size_t blocks, const int format) {
    for (size_t b = 0; b < blocks; b++) {
        code_pair codes[GROUP];
        for (size_t r = 0; r < GROUP; r++) {
            const uint8_t *block = rows[r] + (first_block + b) * block_bytes(format);
            codes[r] = without_zero(block_codes(block, format), format);
            put_floats(
                t, b, 0, group * GROUP + r, format == CPU_MXFP4 ? mxfp4_scale(block[0]) : half_to_float(block),
                has_addends(format) ? half_to_float(block + 2) : 0);
        }
        put_codes(t, b, group, codes);
    }
}

// Blocks b... of a tile: the first `present` of half a strip, whose bytes begin at `offset`.
LOCAL void unpack_half_strip(
    tile *t, size_t b, size_t group, const uint8_t *const rows[GROUP], size_t offset, float weight_scale,
    const size_t half, const size_t present, const int format) {
    code_pair codes[HALF_BLOCKS][GROUP];
    for (size_t r = 0; r < GROUP; r++) {
        const uint8_t *block = rows[r] + offset;
        for (size_t i = 0; i < present; i++)
            codes[i][r] = without_zero(strip_codes(block, half, (int)i, format), format);
        const size_t row = group * GROUP + r, parts = has_halves(format) ? 2 : 1;
        if (!has_integer_scales(format)) {
            const float scale = format == CPU_I2_S      ? weight_scale
                                : format == CPU_IQ2_BN ? load_float(rows[r], 0)
                                                       : half_to_float(block + scale_offset(format));
            for (size_t i = 0; i < present; i++) put_floats(t, b + i, 0, row, scale, 0);
            continue;
        }
        const half_scales s = strip_scales(block, half, format);
        const float scale = half_to_float(block + scale_offset(format));
        for (size_t j = 0; j < parts; j++) {
            const float32x4_t scales = vmulq_n_f32(vcvtq_f32_s32(s.scales[j]), scale);
            float32x4_t addends = scales;
            if (has_addends(format))
                addends = vmulq_n_f32(vcvtq_f32_u32(s.minima[j]), -half_to_float(block + scale_offset(format) + 2));
            for (size_t i = 0; i < 4; i++)
                put_floats(t, b + (4 * j + i) / parts, i % parts, row, scales[i], addends[i]);
        }
    }
    for (size_t i = 0; i < present; i++) put_codes(t, b + i, group, codes[i]);
}

LOCAL void unpack_tile(
    tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    const int format) {
    for (size_t group = 0; group < TILE_ROWS / GROUP; group++) {
        const uint8_t *rows[GROUP];
        for (size_t r = 0; r < GROUP; r++)
            rows[r] = (const uint8_t *)p->weights
                      + min_size(first_row + group * GROUP + r, row_end - 1) * p->weight_row_bytes;
        if (block_bytes(format)) {
            unpack_blocks(t, group, rows, first_block, blocks, format);
            continue;
        }
        size_t b = 0, offset = row_header_bytes(format) + first_block / STRIP_BLOCKS * strip_bytes(format);
        for (; b + STRIP_BLOCKS <= blocks; b += STRIP_BLOCKS, offset += strip_bytes(format)) {
            unpack_half_strip(t, b, group, rows, offset, p->weight_scale, 0, HALF_BLOCKS, format);
            unpack_half_strip(t, b + HALF_BLOCKS, group, rows, offset, p->weight_scale, 1, HALF_BLOCKS, format);
        }
        if (!has_strip_scale(format) && b + HALF_BLOCKS <= blocks) {
            unpack_half_strip(t, b, group, rows, offset, p->weight_scale, 0, HALF_BLOCKS, format);
            b += HALF_BLOCKS, offset += strip_bytes(format) / 2;
        }
        if (format == CPU_IQ2_BN && b < blocks)
            unpack_half_strip(t, b, group, rows, offset, p->weight_scale, 0, 2, format);
    }
}
