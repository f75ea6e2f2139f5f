// Products of tiled weights.
#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, WEIGHTS };

static uint32_t check(call *c) {
    const htp_matmul_parameters *m = &c->op.parameters.matmul;
    if (m->in == 0 || m->in % HTP_TILE_COLUMNS != 0 || m->in > HTP_COLUMNS_MAX || m->out == 0
        || m->out > UINT32_MAX / sizeof(float) || htp_tile_code_bytes(m->tile_kind) == 0)
        return HTP_FAULT_SHAPE;
    const uint64_t weight_bytes = htp_tiles_bytes(m->tile_kind, m->out, m->in);
    TRY(call_tensor(c, WEIGHTS, 1, weight_bytes, HTP_VECTOR_BYTES));
    TRY(call_tensor(c, SOURCE, c->rows, (uint64_t)m->in * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, (uint64_t)m->out * sizeof(float), sizeof(float)));

    quantized_source *q = &c->batch->quantized;
    const view *source = &c->tensors[SOURCE];
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) != 0) {
        if (q->columns != m->in || q->rows != c->op.rows || q->source.address != source->address
            || q->source.stride != source->stride)
            return HTP_FAULT_SHAPE;
    } else {
        *q = (quantized_source){*source, m->in, c->op.rows};
    }
    return HTP_FAULT_NONE;
}

static uint32_t run(call *c) {
    program *p = c->batch->program;
    const htp_matmul_parameters *m = &c->op.parameters.matmul;
    const view *source = &c->tensors[SOURCE], *destination = &c->tensors[HTP_DESTINATION];
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) == 0
        && program_quantize(p, source->address, source->stride, m->in, c->rows) != AEE_SUCCESS)
        return HTP_FAULT_MEMORY;
    if (program_multiply(p, m->tile_kind, m->out, m->in, c->rows, c->tensors[WEIGHTS].address,
                         destination->address, destination->stride)
        != AEE_SUCCESS)
        return HTP_FAULT_MEMORY;
    c->batch->multiply_adds += (uint64_t)c->rows * m->out * m->in;
    return HTP_FAULT_NONE;
}

const operation_kind operation_matmul = {
    .flags = HTP_MATMUL_SAME_SOURCE,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(WEIGHTS),
    .parameter_bytes = sizeof(htp_matmul_parameters),
    .check = check,
    .run = run,
};
