// RMS norm and layer norm, with the residual's sum before and the quantisation for products behind.
#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, ADDEND, WEIGHT, BIAS };

static uint32_t check(call *c) {
    const htp_norm_parameters *n = &c->op.parameters.norm;
    if (n->width == 0 || n->groups == 0 || n->groups > HTP_HEADS_MAX
        || (uint64_t)n->width * n->groups > UINT32_MAX / sizeof(float) || !is_finite(n->epsilon)
        || n->epsilon < 0)
        return HTP_FAULT_SHAPE;
    if (has(c, HTP_DESTINATION_2) && !has(c, ADDEND)) return HTP_FAULT_SHAPE;
    const uint32_t columns = n->width * n->groups;
    const uint64_t bytes = (uint64_t)columns * sizeof(float), vector = (uint64_t)n->width * sizeof(float);
    TRY(call_tensor(c, SOURCE, c->rows, bytes, sizeof(float)));
    TRY(call_tensor(c, ADDEND, c->rows, bytes, sizeof(float)));
    TRY(call_tensor(c, WEIGHT, 1, vector, sizeof(float)));
    TRY(call_tensor(c, BIAS, 1, vector, sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION_2, c->rows, bytes, sizeof(float)));
    if ((c->op.flags & HTP_NORM_QUANTIZE) != 0) {
        if (columns > HTP_COLUMNS_MAX) return HTP_FAULT_SHAPE;
        c->batch->quantized = (quantized_source){c->tensors[HTP_DESTINATION], columns, c->op.rows, 0};
    }
    return HTP_FAULT_NONE;
}

static void groups(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const float_kernels *kernels = floats_of(c);
    const uint32_t width = c->op.parameters.norm.width;
    const float *weight = has(c, WEIGHT) ? row_of(c, WEIGHT, 0) : NULL;
    const float *bias = has(c, BIAS) ? row_of(c, BIAS, 0) : NULL;
    const int center = (c->op.flags & HTP_NORM_CENTER) != 0;
    for (uint32_t group = first; group < last; group++) {
        const size_t at = (size_t)group * width;
        const float *x = row_of(c, SOURCE, row) + at;
        float *to = row_of(c, HTP_DESTINATION, row) + at;
        if (has(c, ADDEND)) {
            const float *addend = row_of(c, ADDEND, row) + at;
            float *sum = has(c, HTP_DESTINATION_2) ? row_of(c, HTP_DESTINATION_2, row) + at : to;
            kernels->add(sum, x, addend, width);
            x = sum;
        }
        kernels->normalize(to, x, weight, bias, &c->op.parameters.norm, center);
    }
    if ((c->op.flags & HTP_NORM_QUANTIZE) != 0)
        program_quantize_row(c->batch->program, row, row_of(c, HTP_DESTINATION, row),
                             width * c->op.parameters.norm.groups);
}

static uint32_t run(call *c) {
    const htp_norm_parameters *n = &c->op.parameters.norm;
    const int quantize = (c->op.flags & HTP_NORM_QUANTIZE) != 0;
    if (quantize
        && program_quantize_begin(c->batch->program, n->width * n->groups, c->rows) != AEE_SUCCESS)
        return HTP_FAULT_MEMORY;
    call_rows(c, groups, n->groups, quantize ? 0 : 1);
    return HTP_FAULT_NONE;
}

const operation_kind operation_norm = {
    .flags = HTP_NORM_QUANTIZE | HTP_NORM_CENTER,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE),
    .optional = HTP_SLOT(HTP_DESTINATION_2) | HTP_SLOT(ADDEND) | HTP_SLOT(WEIGHT) | HTP_SLOT(BIAS),
    .in_place = HTP_SLOT(SOURCE) | HTP_SLOT(ADDEND),
    .second_in_place = HTP_SLOT(SOURCE) | HTP_SLOT(ADDEND),
    .parameter_bytes = sizeof(htp_norm_parameters),
    .check = check,
    .run = run,
};
