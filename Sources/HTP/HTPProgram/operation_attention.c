// Attention over the key/value cache with an online softmax: one pass over the positions, block by block,
// whatever their number. Here it is checked and divided among workers.
#include "operation.h"

enum { QUERIES = HTP_INPUT_0, KEYS, VALUES, SINKS };

static uint32_t check(call *c) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    if (c->op.rows != HTP_ROWS_TOKENS || a->group == 0 || a->group > HTP_HEADS_MAX || !is_finite(a->scale)
        || !is_finite(a->cap) || a->cap < 0)
        return HTP_FAULT_SHAPE;
    TRY(call_cache(c, KEYS, a->key_heads, a->key_head_stride, a->key_size, a->key_type, a->capacity,
                   a->window));
    TRY(call_cache(c, VALUES, a->key_heads, a->value_head_stride, a->value_size, a->value_type, a->capacity,
                   a->window));
    const uint64_t heads = (uint64_t)a->key_heads * a->group;
    TRY(call_tensor(c, QUERIES, c->rows, heads * a->key_size * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, SINKS, 1, heads * sizeof(float), sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, heads * a->value_size * sizeof(float), sizeof(float));
}

typedef struct attention_job {
    const call *call;
    uint8_t *workspace;
    size_t part_bytes;
    uint32_t together; // heads that share a walk over the positions
} attention_job;

static void attend(const attention_job *job, uint32_t part, uint32_t row, uint32_t key_head, uint32_t first) {
    const call *c = job->call;
    const htp_attention_parameters *p = &c->op.parameters.attention;
    const uint32_t head = key_head * p->group + first, own = c->batch->header.position + row + 1;
    const int all = (c->op.flags & HTP_ATTENTION_ALL) != 0;
    const attention_heads a = {
        .parameters = p,
        .queries = row_of(c, QUERIES, row) + (size_t)head * p->key_size,
        .results = row_of(c, HTP_DESTINATION, row) + (size_t)head * p->value_size,
        .sinks = has(c, SINKS) ? row_of(c, SINKS, 0) + head : NULL,
        .keys = c->tensors[KEYS].address + (uint64_t)key_head * p->key_head_stride,
        .values = c->tensors[VALUES].address + (uint64_t)key_head * p->value_head_stride,
        .key_stride = c->tensors[KEYS].stride,
        .value_stride = c->tensors[VALUES].stride,
        .begin = p->window != 0 && own > p->window ? own - p->window : 0,
        .end = all ? c->batch->header.position + c->rows : own,
        .ring = (c->op.flags & HTP_CACHE_RING) != 0 ? p->capacity : 0,
        .heads = job->together,
        .workspace = job->workspace + part * job->part_bytes,
    };
    floats_of(c)->attend(&a);
}

static void part_of_heads(void *argument, uint32_t part, uint32_t parts) {
    const attention_job *job = argument;
    const htp_attention_parameters *p = &job->call->op.parameters.attention;
    uint32_t turn = 0;
    for (uint32_t row = 0; row < job->call->rows; row++)
        for (uint32_t key_head = 0; key_head < p->key_heads; key_head++)
            for (uint32_t head = 0; head < p->group; head += job->together) {
                if (turn == part) attend(job, part, row, key_head, head);
                if (++turn == parts) turn = 0;
            }
}

static uint32_t run(call *c) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    program *p = c->batch->program;
    const uint32_t parts = workers_count(p->workers);
    attention_job job = {.call = c};
    job.part_bytes = (floats_of(c)->attention_bytes(a) + 127) / 128 * 128;
    // Heads that share keys share the walk over them, unless workers would have nothing to do.
    job.together = c->rows * a->key_heads >= parts ? a->group : 1;
    job.workspace = program_workspace(p, job.part_bytes * parts);
    if (!job.workspace) return HTP_FAULT_MEMORY;
    workers_run(p->workers, part_of_heads, &job);
    return HTP_FAULT_NONE;
}

const operation_kind operation_attention = {
    .flags = HTP_ATTENTION_ALL | HTP_CACHE_RING,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(QUERIES) | HTP_SLOT(KEYS) | HTP_SLOT(VALUES),
    .optional = HTP_SLOT(SINKS),
    .parameter_bytes = sizeof(htp_attention_parameters),
    .check = check,
    .run = run,
};
