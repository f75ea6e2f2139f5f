// Softmax of rows.
#include "operation.h"

enum { SOURCE = HTP_INPUT_0 };

static uint32_t check(call *c) {
    const htp_softmax_parameters *s = &c->op.parameters.softmax;
    if (s->width == 0 || !is_finite(s->scale)) return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)s->width * sizeof(float);
    TRY(call_tensor(c, SOURCE, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void softmax(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    (void)first; // rows are whole
    floats_of(c)->softmax(row_of(c, HTP_DESTINATION, row), row_of(c, SOURCE, row), last,
                          c->op.parameters.softmax.scale);
}

static uint32_t run(call *c) {
    call_rows(c, softmax, c->op.parameters.softmax.width, 0);
    return HTP_FAULT_NONE;
}

const operation_kind operation_softmax = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE),
    .in_place = HTP_SLOT(SOURCE),
    .parameter_bytes = sizeof(htp_softmax_parameters),
    .check = check,
    .run = run,
};
