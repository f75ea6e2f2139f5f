// Products of a mixture of experts: each row with the matrices of its own experts. The rows are gathered by
// expert, so that a matrix is read once however many rows want it, and not at all if none does.
#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "matmul.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, WEIGHTS, NUMBERS };

static uint32_t check(call *c) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    if (m->in == 0 || m->in % HTP_TILE_COLUMNS != 0 || m->in > HTP_COLUMNS_MAX || m->out == 0
        || m->out > UINT32_MAX / sizeof(float) / HTP_ROUTE_CHOSEN_MAX
        || htp_tile_code_bytes(m->tile_kind) == 0)
        return HTP_FAULT_SHAPE;
    if (m->experts == 0 || m->experts > HTP_ROUTE_EXPERTS_MAX || m->count == 0
        || m->count > HTP_ROUTE_CHOSEN_MAX || (m->sources != 1 && m->sources != m->count))
        return HTP_FAULT_SHAPE;
    const uint64_t source_bytes = (uint64_t)m->sources * m->in * sizeof(float);
    const uint64_t result_bytes = (uint64_t)m->count * m->out * sizeof(float);
    const uint64_t weight_bytes = m->experts * htp_tiles_bytes(m->tile_kind, m->out, m->in);
    TRY(call_tensor(c, WEIGHTS, 1, weight_bytes, HTP_VECTOR_BYTES));
    TRY(call_tensor(c, NUMBERS, c->rows, m->count * sizeof(uint32_t), sizeof(uint32_t)));
    TRY(call_tensor(c, SOURCE, c->rows, source_bytes, sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, result_bytes, sizeof(float)));
    // A row's results, and its sources if it has several, are counted through: there is no gap between rows.
    if (c->tensors[HTP_DESTINATION].stride != result_bytes
        || (m->sources != 1 && c->tensors[SOURCE].stride != source_bytes))
        return HTP_FAULT_SHAPE;

    quantized_source *q = &c->batch->quantized;
    const view *source = &c->tensors[SOURCE];
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) != 0) {
        if (m->sources != 1 || q->columns != m->in || q->rows != c->op.rows
            || q->source.address != source->address || q->source.stride != source->stride)
            return HTP_FAULT_SHAPE;
    } else {
        *q = (quantized_source){*source, m->sources == 1 ? m->in : 0, c->op.rows};
    }
    return HTP_FAULT_NONE;
}

typedef struct indexed_job {
    matmul product;
    uint32_t experts;
    const uint32_t *ends; // of each expert's list
    const uint32_t *list; // rows of the product, expert by expert
} indexed_job;

static void multiply_part(void *argument, uint32_t part, uint32_t parts) {
    const indexed_job *job = argument;
    matmul product = job->product;
    product.near = near_memory_of(product.near, part);
    const uint32_t tiles = (product.out - 1) / HTP_TILE_ROWS + 1;
    uint32_t first = 0;
    for (uint32_t expert = 0; expert < job->experts; expert++) {
        const uint32_t count = job->ends[expert] - first;
        if (count != 0)
            matmul_indexed_tiles_fastest(&product, expert, job->list + first, count, part, tiles, parts);
        first = job->ends[expert];
    }
}

static uint32_t run(call *c) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    program *p = c->batch->program;
    const view *source = &c->tensors[SOURCE], *destination = &c->tensors[HTP_DESTINATION];
    const uint32_t pairs = c->rows * m->count;
    const size_t row_bytes = sizeof(activation_row) * (size_t)pairs;
    const size_t numbers_bytes = sizeof(uint32_t) * (size_t)pairs;

    // Our own copy of the experts' numbers, and the lists by expert.
    const size_t ends_bytes = sizeof(uint32_t) * m->experts;
    uint8_t *workspace = program_workspace(p, row_bytes + 2 * numbers_bytes + ends_bytes);
    if (!workspace) return HTP_FAULT_MEMORY;
    activation_row *activations = (activation_row *)(void *)workspace;
    uint32_t *numbers = (uint32_t *)(void *)(workspace + row_bytes);
    uint32_t *list = numbers + pairs, *ends = list + pairs;
    for (uint32_t expert = 0; expert < m->experts; expert++) ends[expert] = 0;
    for (uint32_t row = 0, pair = 0; row < c->rows; row++) {
        const uint32_t *of_row = (const uint32_t *)(const void *)row_of(c, NUMBERS, row);
        for (uint32_t k = 0; k < m->count; k++, pair++) {
            numbers[pair] = *(const volatile uint32_t *)&of_row[k];
            if (numbers[pair] >= m->experts) return HTP_FAULT_DATA;
            ends[numbers[pair]]++;
        }
    }
    uint32_t begin = 0;
    for (uint32_t expert = 0; expert < m->experts; expert++) {
        const uint32_t count = ends[expert];
        ends[expert] = begin;
        begin += count;
    }
    for (uint32_t pair = 0; pair < pairs; pair++) list[ends[numbers[pair]]++] = pair;

    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) == 0) {
        const int own = m->sources != 1;
        const uint64_t stride = own ? (uint64_t)m->in * sizeof(float) : source->stride;
        if (program_quantize(p, source->address, stride, m->in, own ? pairs : c->rows) != AEE_SUCCESS)
            return HTP_FAULT_MEMORY;
    }
    for (uint32_t row = 0, pair = 0; row < c->rows; row++)
        for (uint32_t k = 0; k < m->count; k++, pair++)
            activations[pair] = p->rows[m->sources == 1 ? row : pair];

    indexed_job job = {
        {.kind = m->tile_kind, .out = m->out, .in = m->in, .rows = pairs,
         .weights = c->tensors[WEIGHTS].address, .activations = activations,
         .destination = destination->address, .stride = (uint64_t)m->out * sizeof(float), .near = p->near},
        m->experts, ends, list};
    workers_run(p->workers, multiply_part, &job);
    c->batch->multiply_adds += (uint64_t)pairs * m->out * m->in;
    return HTP_FAULT_NONE;
}

const operation_kind operation_matmul_indexed = {
    .flags = HTP_MATMUL_SAME_SOURCE,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(WEIGHTS) | HTP_SLOT(NUMBERS),
    .parameter_bytes = sizeof(htp_matmul_indexed_parameters),
    .check = check,
    .run = run,
};
