// What the blocks of a tile add to the sums of TILE_COLUMNS columns: their codes and scales are gone along block by block.
// Part of each arm64 level, after its add_products and add_floats, which work on 16 inputs and on a block or half of one.

// A pointer whose origin the compiler does not know: of several that advance together it would make one and an index for
// each of the others, to be added in every block.
#define HIDDEN(pointer) __asm__("" : "+r"(pointer))

LOCAL void skip_blocks(activation_row *x, size_t blocks, const int format) {
    x->codes += blocks * BLOCK;
    HIDDEN(x->codes);
    x->scales += blocks * sizeof(float);
    HIDDEN(x->scales);
    if (!has_addends(format)) return;
    if (has_halves(format)) {
        x->half_offsets += blocks * 2 * sizeof(float);
        HIDDEN(x->half_offsets);
    } else {
        x->offsets += blocks * sizeof(float);
        HIDDEN(x->offsets);
    }
}

// Of columns that do not exist the last one that does is multiplied again.
LOCAL void add_blocks(
    tile_sums *s, const tile *t, const cpu_product *p, size_t first_column, size_t present, size_t first_block,
    size_t blocks, const int format) {
    activation_row x[TILE_COLUMNS];
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        x[c] = activation_parts(prepared_column(p, first_column + min_size(c, present - 1)), p->columns);
        skip_blocks(x + c, first_block, format);
    }
    for (size_t i = 0; i < blocks; i++) {
        add_products(s, t, i, x, 0);
        if (has_halves(format)) add_floats(s, t, i, x, 0, format);
        add_products(s, t, i, x, 1);
        add_floats(s, t, i, x, has_halves(format) ? 1 : 0, format);
        for (size_t c = 0; c < TILE_COLUMNS; c++) skip_blocks(x + c, 1, format);
    }
}
