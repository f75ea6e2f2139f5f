// Rotary position embedding, and rows of the key/value cache.
#include "cache.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, ANGLES };

static uint32_t check_angles(call *c, uint32_t pairs) {
    if (c->op.rows != HTP_ROWS_TOKENS) return HTP_FAULT_SHAPE;
    const uint64_t positions = (c->op.flags & HTP_ROPE_POSITIONS) != 0 ? c->batch->header.position : 0;
    return call_tensor(c, ANGLES, positions + c->rows, (uint64_t)pairs * 2 * sizeof(float), sizeof(float));
}

static const float *angles_of(const call *c, uint32_t row) {
    if (!has(c, ANGLES)) return NULL;
    const uint32_t first = (c->op.flags & HTP_ROPE_POSITIONS) != 0 ? c->batch->header.position : 0;
    return row_of(c, ANGLES, first + row);
}

static uint32_t check_rope(call *c) {
    const htp_rope_parameters *r = &c->op.parameters.rope;
    if (r->heads == 0 || r->heads > HTP_HEADS_MAX || r->size == 0 || r->size > HTP_HEAD_SIZE_MAX
        || r->pairs == 0 || r->pairs > r->size / 2)
        return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)r->heads * r->size * sizeof(float);
    TRY(check_angles(c, r->pairs));
    TRY(call_tensor(c, SOURCE, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void rope_heads(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_rope_parameters *r = &c->op.parameters.rope;
    for (uint32_t head = first; head < last; head++)
        floats_of(c)->rotate(row_of(c, HTP_DESTINATION, row) + (size_t)head * r->size,
                             row_of(c, SOURCE, row) + (size_t)head * r->size, r->size, r->pairs,
                             angles_of(c, row), (c->op.flags & HTP_ROPE_HALVES) != 0);
}

static uint32_t run_rope(call *c) {
    call_rows(c, rope_heads, c->op.parameters.rope.heads, 4);
    return HTP_FAULT_NONE;
}

const operation_kind operation_rope = {
    .flags = HTP_ROPE_HALVES | HTP_ROPE_POSITIONS,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(ANGLES),
    .in_place = HTP_SLOT(SOURCE),
    .parameter_bytes = sizeof(htp_rope_parameters),
    .check = check_rope,
    .run = run_rope,
};

uint32_t call_cache(call *c, uint32_t slot, uint32_t heads, uint32_t head_stride, uint32_t size,
                    uint32_t type, uint32_t capacity, uint32_t window) {
    const uint32_t row_bytes = cache_row_bytes(type, size), alignment = type == HTP_CACHE_F32 ? 4 : 2;
    if (heads == 0 || heads > HTP_HEADS_MAX || row_bytes == 0 || capacity == 0
        || capacity > HTP_BATCH_POSITIONS_MAX || head_stride % alignment != 0)
        return HTP_FAULT_SHAPE;
    if ((c->op.flags & HTP_CACHE_RING) != 0) {
        // What the first row sees must not have made room for the last.
        if (window == 0) return HTP_FAULT_SHAPE;
        if ((uint64_t)window - 1 + c->rows > capacity) return HTP_FAULT_RANGE;
    } else if (c->batch->header.position > capacity || c->rows > capacity - c->batch->header.position) {
        return HTP_FAULT_RANGE;
    }
    // Head by head or position by position: rows never overlap.
    const uint64_t stride = c->op.tensors[slot].stride;
    const int by_head = stride >= row_bytes && head_stride >= capacity * stride;
    const int by_position = head_stride >= row_bytes && stride >= (uint64_t)heads * head_stride;
    if (heads == 1 ? stride < row_bytes : !by_head && !by_position) return HTP_FAULT_SHAPE;
    const uint64_t extent
        = (uint64_t)(heads - 1) * head_stride + (uint64_t)(capacity - 1) * stride + row_bytes;
    TRY(call_tensor(c, slot, 1, extent, alignment));
    return HTP_FAULT_NONE;
}

static uint32_t check_store(call *c) {
    const htp_store_parameters *s = &c->op.parameters.store;
    TRY(call_cache(c, HTP_DESTINATION, s->heads, s->head_stride, s->size, s->type, s->capacity, 1));
    if (has(c, ANGLES)) {
        if (s->pairs == 0 || s->pairs > s->size / 2) return HTP_FAULT_SHAPE;
        TRY(check_angles(c, s->pairs));
    } else if (s->pairs != 0 || (c->op.flags & ~HTP_CACHE_RING) != 0 || c->op.rows != HTP_ROWS_TOKENS) {
        return HTP_FAULT_SHAPE;
    }
    return call_tensor(c, SOURCE, c->rows, (uint64_t)s->heads * s->size * sizeof(float), sizeof(float));
}

static void store_heads(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_store_parameters *s = &c->op.parameters.store;
    const float_kernels *kernels = floats_of(c);
    const view *cache = &c->tensors[HTP_DESTINATION];
    const float *angles = angles_of(c, row);
    for (uint32_t head = first; head < last; head++) {
        float turned[HTP_HEAD_SIZE_MAX];
        const float *x = row_of(c, SOURCE, row) + (size_t)head * s->size;
        if (angles) {
            kernels->rotate(turned, x, s->size, s->pairs, angles, (c->op.flags & HTP_ROPE_HALVES) != 0);
            x = turned;
        }
        const uint32_t next = c->batch->header.position + row;
        const uint64_t position = (c->op.flags & HTP_CACHE_RING) != 0 ? ring_place(next, s->capacity) : next;
        kernels->encode(cache->address + (uint64_t)head * s->head_stride + position * cache->stride, x, s->size,
                        s->type);
    }
}

static uint32_t run_store(call *c) {
    call_rows(c, store_heads, c->op.parameters.store.heads, 1);
    return HTP_FAULT_NONE;
}

const operation_kind operation_store = {
    .flags = HTP_ROPE_HALVES | HTP_ROPE_POSITIONS | HTP_CACHE_RING,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE),
    .optional = HTP_SLOT(ANGLES),
    .parameter_bytes = sizeof(htp_store_parameters),
    .check = check_store,
    .run = run_store,
};
