// Asking for weights before they are taken apart. What is asked for may lie past their end: nothing is read there.
//
// On a Zen 5 rows of most formats took two to four times as long without this: seemingly it does not see the stream where
// bytes are not loaded in their order, as headers after codes; nor where tiles take some bytes of many rows. Rows of
// floats, whose bytes are loaded in their order, are slower with it.
#include "kernels.h"

enum { FETCH_AHEAD = 2048 };

// Asks for `size` bytes that lie `distance` behind these.
LOCAL void fetch(const uint8_t *bytes, size_t distance, size_t size) {
    for (size_t k = 0; k < size; k += 64)
        _mm_prefetch((const char *)((uintptr_t)bytes + distance + k), _MM_HINT_T0);
}

// For rows that follow each other one behind the other.
LOCAL void fetch_ahead(const uint8_t *bytes, size_t size) { fetch(bytes, FETCH_AHEAD, size); }

// How far behind `bytes` bytes at `offset` of a tile's rows those of the next tile lie: to the right, or below at the left.
LOCAL size_t next_tile(const cpu_product *p, size_t offset, size_t bytes, size_t rows) {
    return offset + bytes < p->weight_row_bytes ? bytes : rows * p->weight_row_bytes - offset;
}

// After piece `i` of 16 bytes of 16 rows: a quarter of the same bytes of the next ones, as more at once would be waited for.
LOCAL void fetch_piece(const uint8_t *const rows[16], size_t offset, size_t i, size_t next) {
    const size_t first = i % 4 * 4;
    for (size_t r = first; r < first + 4; r++) fetch(rows[r] + offset, next, 64);
}
