// Products of a mixture of experts: each row with the matrices of its own experts. The rows are gathered by
// expert, so that a matrix is read once however many rows want it, and not at all if none does.
#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "matmul_twice.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0, WEIGHTS, NUMBERS };

static uint32_t check(call *c) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    if (m->in == 0 || m->in > HTP_COLUMNS_MAX || m->out == 0
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
    const int twice = (c->op.flags & HTP_MATMUL_TWICE) != 0;
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) != 0) {
        if (m->sources != 1 || q->columns != m->in || twice > q->twice || q->rows != c->op.rows
            || q->source.address != source->address || q->source.stride != source->stride)
            return HTP_FAULT_SHAPE;
    } else {
        *q = (quantized_source){*source, m->sources == 1 ? m->in : 0, c->op.rows, twice};
    }
    return HTP_FAULT_NONE;
}

typedef struct indexed_job {
    matmul product;
    uint32_t experts;
    const uint32_t *ends; // of each expert's list
    const uint32_t *list; // rows of the product, expert by expert
    // Of sources that were quantised twice:
    const float_kernels *floats;
    uint8_t *workspace;
    size_t part_bytes;
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

// The activations are in the order of the list: an expert's rows, then what the first quantisation left of them.
static void twice_part(void *argument, uint32_t part, uint32_t parts) {
    const indexed_job *job = argument;
    const matmul *p = &job->product;
    const uint64_t bytes = htp_tiles_bytes(p->kind, p->out, p->in);
    uint32_t first = 0;
    for (uint32_t expert = 0; expert < job->experts; expert++) {
        const uint32_t count = job->ends[expert] - first;
        if (count != 0) {
            const matmul_twice m = {
                .product = {.kind = p->kind, .out = p->out, .in = p->in, .rows = count,
                            .weights = p->weights + expert * bytes,
                            .activations = p->activations + 2 * (size_t)first,
                            .destination = p->destination, .stride = p->stride},
                .places = job->list + first,
                .floats = job->floats,
                .workspace = job->workspace + part * job->part_bytes,
                .tiles_at_once = matmul_twice_tiles(count),
            };
            matmul_twice_part(&m, part, parts);
        }
        first = job->ends[expert];
    }
}

// Quantises the sources: one of a row, or one of each pair of a row and an expert.
static int quantize(call *c) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    const view *source = &c->tensors[SOURCE];
    if ((c->op.flags & HTP_MATMUL_SAME_SOURCE) != 0) return AEE_SUCCESS;
    const int own = m->sources != 1;
    const uint64_t stride = own ? (uint64_t)m->in * sizeof(float) : source->stride;
    const uint32_t count = own ? c->rows * m->count : c->rows;
    return (c->op.flags & HTP_MATMUL_TWICE) != 0
        ? program_quantize_twice(c->batch->program, source->address, stride, m->in, count)
        : program_quantize(c->batch->program, source->address, stride, m->in, count);
}

// Each pair's quantised row, in the order of the pairs, or with `twice` in that of the experts' lists.
// `numbers` is overwritten.
static void gather(const call *c, activation_row *to, uint32_t *numbers, const uint32_t *list, const uint32_t *ends,
                   int twice) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    const activation_row *rows = c->batch->program->rows;
    if (!twice) {
        for (uint32_t row = 0, pair = 0; row < c->rows; row++)
            for (uint32_t k = 0; k < m->count; k++, pair++) to[pair] = rows[m->sources == 1 ? row : pair];
        return;
    }
    const uint32_t quantized = m->sources == 1 ? c->rows : c->rows * m->count;
    // Each pair's source; the processor has no division.
    for (uint32_t row = 0, pair = 0; row < c->rows; row++)
        for (uint32_t k = 0; k < m->count; k++, pair++) numbers[pair] = m->sources == 1 ? row : pair;
    for (uint32_t expert = 0, first = 0; expert < m->experts; first = ends[expert++]) {
        const uint32_t count = ends[expert] - first;
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t row = numbers[list[first + i]];
            to[2 * (size_t)first + i] = rows[row];
            to[2 * (size_t)first + count + i] = rows[quantized + row];
        }
    }
}

static uint32_t run(call *c) {
    const htp_matmul_indexed_parameters *m = &c->op.parameters.matmul_indexed;
    program *p = c->batch->program;
    const view *destination = &c->tensors[HTP_DESTINATION];
    const uint32_t pairs = c->rows * m->count;
    const int twice = (c->op.flags & HTP_MATMUL_TWICE) != 0;
    if (quantize(c) != AEE_SUCCESS) return HTP_FAULT_MEMORY;

    // The rows, our own copy of the experts' numbers, the lists by expert, and room for sums.
    const size_t part_bytes = twice ? matmul_twice_bytes(pairs) : 0;
    const size_t parts_bytes = part_bytes * workers_count(p->workers);
    const size_t row_bytes = sizeof(activation_row) * (size_t)pairs * (twice ? 2 : 1);
    const size_t numbers_bytes = sizeof(uint32_t) * (size_t)pairs;
    const size_t ends_bytes = sizeof(uint32_t) * m->experts;
    uint8_t *workspace = program_workspace(p, parts_bytes + row_bytes + 2 * numbers_bytes + ends_bytes);
    if (!workspace) return HTP_FAULT_MEMORY;
    activation_row *activations = (activation_row *)(void *)(workspace + parts_bytes);
    uint32_t *numbers = (uint32_t *)(void *)(workspace + parts_bytes + row_bytes);
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
    gather(c, activations, numbers, list, ends, twice);

    indexed_job job = {
        {.kind = m->tile_kind, .out = m->out, .in = m->in, .rows = pairs,
         .weights = c->tensors[WEIGHTS].address, .activations = activations,
         .destination = destination->address, .stride = (uint64_t)m->out * sizeof(float), .near = p->near},
        m->experts, ends, list, floats_of(c), workspace, part_bytes};
    workers_run(p->workers, twice ? twice_part : multiply_part, &job);
    c->batch->multiply_adds += (uint64_t)pairs * m->out * m->in;
    return HTP_FAULT_NONE;
}

const operation_kind operation_matmul_indexed = {
    .flags = HTP_MATMUL_SAME_SOURCE | HTP_MATMUL_TWICE,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(WEIGHTS) | HTP_SLOT(NUMBERS),
    .parameter_bytes = sizeof(htp_matmul_indexed_parameters),
    .check = check,
    .run = run,
};
