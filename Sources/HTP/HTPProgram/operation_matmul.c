// Products of tiled weights.
#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "matmul_twice.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, WEIGHTS };

static uint32_t check(call *c) {
    const htp_matmul_parameters *m = &c->op.parameters.matmul;
    if (m->in == 0 || m->in > HTP_COLUMNS_MAX || m->out == 0
        || m->out > UINT32_MAX / sizeof(float) || htp_tile_code_bytes(m->tile_kind) == 0)
        return HTP_FAULT_SHAPE;
    const uint64_t weight_bytes = htp_tiles_bytes(m->tile_kind, m->out, m->in);
    TRY(call_tensor(c, WEIGHTS, 1, weight_bytes, HTP_VECTOR_BYTES));
    TRY(call_tensor(c, SOURCE, c->rows, (uint64_t)m->in * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, (uint64_t)m->out * sizeof(float), sizeof(float)));

    quantized_source *q = &c->batch->quantized;
    const view *source = &c->tensors[SOURCE];
    const int twice = (c->op.flags & HTP_MATMUL_TWICE) != 0;
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) != 0) {
        if (q->columns != m->in || twice > q->twice || q->rows != c->op.rows || q->source.address != source->address
            || q->source.stride != source->stride)
            return HTP_FAULT_SHAPE;
    } else {
        *q = (quantized_source){*source, m->in, c->op.rows, twice};
    }
    return HTP_FAULT_NONE;
}

typedef struct twice_job {
    matmul_twice product;
    size_t part_bytes;
} twice_job;

static void twice_part(void *argument, uint32_t part, uint32_t parts) {
    const twice_job *job = argument;
    matmul_twice product = job->product;
    product.workspace += part * job->part_bytes;
    matmul_twice_part(&product, part, parts);
}

static uint32_t run_twice(call *c) {
    program *p = c->batch->program;
    const htp_matmul_parameters *m = &c->op.parameters.matmul;
    const view *source = &c->tensors[SOURCE], *destination = &c->tensors[HTP_DESTINATION];
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) == 0
        && program_quantize_twice(p, source->address, source->stride, m->in, c->rows) != AEE_SUCCESS)
        return HTP_FAULT_MEMORY;
    twice_job job = {.part_bytes = matmul_twice_bytes(c->rows)};
    job.product = (matmul_twice){
        .product = {.kind = m->tile_kind, .out = m->out, .in = m->in, .rows = c->rows,
                    .weights = c->tensors[WEIGHTS].address, .activations = p->rows,
                    .destination = destination->address, .stride = destination->stride},
        .floats = floats_of(c),
        .workspace = program_workspace(p, job.part_bytes * workers_count(p->workers)),
        .tiles_at_once = matmul_twice_tiles(c->rows),
    };
    if (!job.product.workspace) return HTP_FAULT_MEMORY;
    workers_run(p->workers, twice_part, &job);
    c->batch->multiply_adds += (uint64_t)c->rows * m->out * m->in;
    return HTP_FAULT_NONE;
}

static uint32_t run(call *c) {
    if ((c->op.flags & HTP_MATMUL_TWICE) != 0) return run_twice(c);
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
    .flags = HTP_MATMUL_SAME_SOURCE | HTP_MATMUL_TWICE,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(WEIGHTS),
    .parameter_bytes = sizeof(htp_matmul_parameters),
    .check = check,
    .run = run,
};
