// Sums, products and scaling, element by element.
#include "operation.h"

enum { LEFT = HTP_INPUT_0, RIGHT, SOURCE = HTP_INPUT_0 };
enum { PIECE = 1024 };

static uint32_t check_pair(call *c) {
    const htp_combine_parameters *p = &c->op.parameters.combine;
    if (p->width == 0) return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)p->width * sizeof(float);
    TRY(call_tensor(c, LEFT, c->rows, bytes, sizeof(float)));
    TRY(call_broadcast(c, RIGHT, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void add(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    floats_of(c)->add(row_of(c, HTP_DESTINATION, row) + first, row_of(c, LEFT, row) + first,
                      row_of(c, RIGHT, row) + first, last - first);
}

static void multiply(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    floats_of(c)->multiply(row_of(c, HTP_DESTINATION, row) + first, row_of(c, LEFT, row) + first,
                           row_of(c, RIGHT, row) + first, last - first);
}

static uint32_t run_add(call *c) {
    call_rows(c, add, c->op.parameters.combine.width, PIECE);
    return HTP_FAULT_NONE;
}

static uint32_t run_multiply(call *c) {
    call_rows(c, multiply, c->op.parameters.combine.width, PIECE);
    return HTP_FAULT_NONE;
}

const operation_kind operation_add = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(LEFT) | HTP_SLOT(RIGHT),
    .in_place = HTP_SLOT(LEFT) | HTP_SLOT(RIGHT),
    .parameter_bytes = sizeof(htp_combine_parameters),
    .check = check_pair,
    .run = run_add,
};

const operation_kind operation_multiply = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(LEFT) | HTP_SLOT(RIGHT),
    .in_place = HTP_SLOT(LEFT) | HTP_SLOT(RIGHT),
    .parameter_bytes = sizeof(htp_combine_parameters),
    .check = check_pair,
    .run = run_multiply,
};

static uint32_t check_scale(call *c) {
    const htp_scale_parameters *s = &c->op.parameters.scale;
    if (s->width == 0 || !is_finite(s->scale) || !is_finite(s->offset) || !is_finite(s->cap) || s->cap < 0)
        return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)s->width * sizeof(float);
    TRY(call_tensor(c, SOURCE, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void scale(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    floats_of(c)->scale(row_of(c, HTP_DESTINATION, row) + first, row_of(c, SOURCE, row) + first, last - first,
                        &c->op.parameters.scale);
}

static uint32_t run_scale(call *c) {
    call_rows(c, scale, c->op.parameters.scale.width, PIECE);
    return HTP_FAULT_NONE;
}

const operation_kind operation_scale = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE),
    .in_place = HTP_SLOT(SOURCE),
    .parameter_bytes = sizeof(htp_scale_parameters),
    .check = check_scale,
    .run = run_scale,
};
