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

static inline float function(uint32_t which, float x) {
    switch (which) {
    case HTP_FUNCTION_SILU: return x * float_sigmoid(x);
    // x/2 · (1 + tanh u) = x · sigmoid(2u) with u = √(2/π) (x + 0.044715 x³)
    case HTP_FUNCTION_GELU: return x * float_sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
    case HTP_FUNCTION_GELU_QUICK: return x * float_sigmoid(1.702f * x);
    case HTP_FUNCTION_RELU: return x > 0.0f ? x : 0.0f;
    case HTP_FUNCTION_RELU_SQUARED: return x > 0.0f ? x * x : 0.0f;
    case HTP_FUNCTION_SIGMOID: return float_sigmoid(x);
    case HTP_FUNCTION_TANH: return float_tanh(x);
    default: return x;
    }
}

static void activate(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_activate_parameters *a = &c->op.parameters.activate;
    const float *x = row_of(c, GATE, row);
    float *to = row_of(c, HTP_DESTINATION, row);
    const float *up = has(c, UP) ? row_of(c, UP, row) : NULL;
    if (a->function == HTP_FUNCTION_SWIGLU_CLAMPED) {
        for (uint32_t i = first; i < last; i++) {
            const float gate = x[i] < a->limit ? x[i] : a->limit;
            float u = up[i] < a->limit ? up[i] : a->limit;
            u = u > -a->limit ? u : -a->limit;
            to[i] = gate * float_sigmoid(a->alpha * gate) * (u + 1.0f);
        }
    } else if (up && a->function == HTP_FUNCTION_SILU) {
        for (uint32_t i = first; i < last; i++) to[i] = x[i] * float_sigmoid(x[i]) * up[i];
    } else if (up) {
        for (uint32_t i = first; i < last; i++) to[i] = function(a->function, x[i]) * up[i];
    } else {
        for (uint32_t i = first; i < last; i++) to[i] = function(a->function, x[i]);
    }
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
