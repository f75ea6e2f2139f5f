// Rows of a table by their numbers: embeddings of tokens, or the rows whose logits are wanted.
#include "floats.h"
#include "operation.h"

enum { TABLE = HTP_INPUT_0, NUMBERS };
enum { BLOCK_COLUMNS = 32, Q4_0_BYTES = 18, Q8_0_BYTES = 34, PIECE = 8 * BLOCK_COLUMNS };

// Bytes of a row, or 0 for a type or width that there is none of.
static uint64_t row_bytes_of(uint32_t type, uint32_t width) {
    const uint64_t blocks = width % BLOCK_COLUMNS == 0 ? width / BLOCK_COLUMNS : 0;
    switch (type) {
    case HTP_ROW_F32: return (uint64_t)width * 4;
    case HTP_ROW_F16:
    case HTP_ROW_BF16: return (uint64_t)width * 2;
    case HTP_ROW_Q4_0: return blocks * Q4_0_BYTES;
    case HTP_ROW_Q8_0: return blocks * Q8_0_BYTES;
    default: return 0;
    }
}

static uint32_t check(call *c) {
    const htp_rows_parameters *r = &c->op.parameters.rows_of;
    const uint64_t bytes = row_bytes_of(r->type, r->width);
    if (bytes == 0 || r->count == 0 || r->count > HTP_BATCH_POSITIONS_MAX || !is_finite(r->scale))
        return HTP_FAULT_SHAPE;
    TRY(call_tensor(c, TABLE, r->count, bytes, r->type == HTP_ROW_F32 ? 4 : 2));
    TRY(call_tensor(c, NUMBERS, c->rows, sizeof(uint32_t), sizeof(uint32_t)));
    return call_tensor(c, HTP_DESTINATION, c->rows, (uint64_t)r->width * sizeof(float), sizeof(float));
}

static uint16_t half_at(const uint8_t *bytes) { return *(const uint16_t *)(const void *)bytes; }

// `first` is a multiple of the blocks' columns.
static void copy(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_rows_parameters *r = &c->op.parameters.rows_of;
    // It was checked, but it lies in shared memory: once more, and read only once.
    const uint32_t number = *(const volatile uint32_t *)(const volatile void *)row_of(c, NUMBERS, row);
    if (number >= r->count) return;
    const uint8_t *from = c->tensors[TABLE].address + number * c->tensors[TABLE].stride;
    float *to = row_of(c, HTP_DESTINATION, row);
    switch (r->type) {
    case HTP_ROW_F32:
        for (uint32_t i = first; i < last; i++) to[i] = ((const float *)(const void *)from)[i];
        break;
    case HTP_ROW_F16:
        for (uint32_t i = first; i < last; i++) to[i] = float_of_half(half_at(from + 2 * (size_t)i));
        break;
    case HTP_ROW_BF16:
        for (uint32_t i = first; i < last; i++)
            to[i] = float_of_bits((uint32_t)half_at(from + 2 * (size_t)i) << 16);
        break;
    case HTP_ROW_Q4_0:
        for (uint32_t i = first; i < last; i += BLOCK_COLUMNS) {
            const uint8_t *block = from + (size_t)(i / BLOCK_COLUMNS) * Q4_0_BYTES;
            const float scale = float_of_half(half_at(block));
            for (int j = 0; j < 16; j++) {
                to[i + j] = (float)((block[2 + j] & 15) - 8) * scale;
                to[i + j + 16] = (float)((block[2 + j] >> 4) - 8) * scale;
            }
        }
        break;
    case HTP_ROW_Q8_0:
        for (uint32_t i = first; i < last; i += BLOCK_COLUMNS) {
            const uint8_t *block = from + (size_t)(i / BLOCK_COLUMNS) * Q8_0_BYTES;
            const float scale = float_of_half(half_at(block));
            for (int j = 0; j < BLOCK_COLUMNS; j++) to[i + j] = (float)(int8_t)block[2 + j] * scale;
        }
        break;
    }
    if (r->scale != 1.0f)
        for (uint32_t i = first; i < last; i++) to[i] *= r->scale;
}

static uint32_t run(call *c) {
    TRY(call_numbers(c, NUMBERS, 1, c->op.parameters.rows_of.count));
    call_rows(c, copy, c->op.parameters.rows_of.width, PIECE);
    return HTP_FAULT_NONE;
}

const operation_kind operation_rows = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(TABLE) | HTP_SLOT(NUMBERS),
    .parameter_bytes = sizeof(htp_rows_parameters),
    .check = check,
    .run = run,
};
