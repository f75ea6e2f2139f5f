// The feed-forward network's activation functions, with or without a gate.
#include "floats.h"
#include "operation.h"

enum { GATE = HTP_INPUT_0, UP };

static uint32_t check(call *c) {
    const htp_activate_parameters *a = &c->op.parameters.activate;
    const int clamped = a->function == HTP_FUNCTION_SWIGLU_CLAMPED;
    if (a->width == 0 || a->function > HTP_FUNCTION_SWIGLU_CLAMPED || !is_finite(a->alpha)
        || !is_finite(a->limit))
        return HTP_FAULT_SHAPE;
    if (clamped ? !has(c, UP) || a->limit < 0 : (float_bits(a->alpha) | float_bits(a->limit)) != 0)
        return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)a->width * sizeof(float);
    TRY(call_tensor(c, GATE, c->rows, bytes, sizeof(float)));
    TRY(call_tensor(c, UP, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void activate(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const float *up = has(c, UP) ? row_of(c, UP, row) + first : NULL;
    floats_of(c)->activate(row_of(c, HTP_DESTINATION, row) + first, row_of(c, GATE, row) + first, up,
                           last - first, &c->op.parameters.activate);
}

static uint32_t run(call *c) {
    call_rows(c, activate, c->op.parameters.activate.width, 512);
    return HTP_FAULT_NONE;
}

const operation_kind operation_activate = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(GATE),
    .optional = HTP_SLOT(UP),
    .in_place = HTP_SLOT(GATE) | HTP_SLOT(UP),
    .parameter_bytes = sizeof(htp_activate_parameters),
    .check = check,
    .run = run,
};
