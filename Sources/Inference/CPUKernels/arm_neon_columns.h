// The columns that a tile is multiplied by, while its blocks are gone through. Part of arm_neon_dotprod.c and
// arm_neon_i8mm.c.

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

// TILE_COLUMNS columns at block `first`; of those that do not exist the last one that does.
LOCAL void find_columns(
    activation_row *x, const cpu_product *p, size_t first_column, size_t present, size_t first, const int format) {
    for (size_t c = 0; c < TILE_COLUMNS; c++) {
        x[c] = activation_parts(prepared_column(p, first_column + min_size(c, present - 1)), p->columns);
        skip_blocks(x + c, first, format);
    }
}
