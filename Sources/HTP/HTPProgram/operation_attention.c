// Attention over the key/value cache with an online softmax: one pass over the positions, block by block,
// whatever their number.
#include "cache.h"
#include "floats.h"
#include "operation.h"

enum { QUERIES = HTP_INPUT_0, KEYS, VALUES, SINKS };

#define POSITIONS 32 // of a block

static uint32_t check(call *c) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    if (c->op.rows != HTP_ROWS_TOKENS || a->group == 0 || a->group > HTP_HEADS_MAX || !is_finite(a->scale)
        || !is_finite(a->cap) || a->cap < 0)
        return HTP_FAULT_SHAPE;
    TRY(call_cache(c, KEYS, a->key_heads, a->key_head_stride, a->key_size, a->key_type, a->capacity));
    TRY(call_cache(c, VALUES, a->key_heads, a->value_head_stride, a->value_size, a->value_type, a->capacity));
    const uint64_t heads = (uint64_t)a->key_heads * a->group;
    TRY(call_tensor(c, QUERIES, c->rows, heads * a->key_size * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, SINKS, 1, heads * sizeof(float), sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, heads * a->value_size * sizeof(float), sizeof(float));
}

// What a worker keeps for the heads that it computes together.
typedef struct state {
    float *keys, *values;                // one row, decoded
    float (*scores)[POSITIONS];          // for each head
    float *maxima, *sums;                // for each head
} state;

typedef struct attention_job {
    const call *call;
    uint8_t *workspace;
    size_t part_bytes;
    uint32_t together; // heads that share a walk over the positions
} attention_job;

static size_t part_floats(const htp_attention_parameters *a) {
    return (size_t)a->key_size + a->value_size + (size_t)a->group * (POSITIONS + 2);
}

static void scores_of_block(const call *c, const state *s, const float *queries, uint32_t heads,
                            const uint8_t *keys, uint32_t count) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    for (uint32_t i = 0; i < count; i++) {
        cache_decode(s->keys, keys + i * c->tensors[KEYS].stride, a->key_size, a->key_type);
        for (uint32_t head = 0; head < heads; head++) {
            float score = float_dot(queries + (size_t)head * a->key_size, s->keys, a->key_size) * a->scale;
            if (a->cap > 0) score = a->cap * float_tanh(score / a->cap);
            s->scores[head][i] = score;
        }
    }
}

// Scores become weights relative to the largest score so far; what was summed before is scaled to it.
static void weigh_block(const call *c, const state *s, float *results, uint32_t heads, uint32_t count) {
    const uint32_t size = c->op.parameters.attention.value_size;
    for (uint32_t head = 0; head < heads; head++) {
        float *scores = s->scores[head], *result = results + (size_t)head * size;
        float largest = float_max(scores, count);
        largest = s->maxima[head] > largest ? s->maxima[head] : largest;
        const float correction = float_exp(s->maxima[head] - largest);
        for (uint32_t i = 0; i < count; i++) scores[i] = float_exp(scores[i] - largest);
        s->maxima[head] = largest;
        s->sums[head] = s->sums[head] * correction + float_sum(scores, count);
        if (correction != 1.0f)
            for (uint32_t i = 0; i < size; i++) result[i] *= correction;
    }
}

static void attend(const call *c, const state *s, uint32_t row, uint32_t key_head, uint32_t first_head,
                   uint32_t heads) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    const view *keys = &c->tensors[KEYS], *values = &c->tensors[VALUES];
    const uint32_t position = c->batch->header.position;
    const uint32_t seen = position + ((c->op.flags & HTP_ATTENTION_ALL) != 0 ? c->rows : row + 1);
    const uint32_t own = position + row + 1;
    const uint32_t begin = a->window != 0 && own > a->window ? own - a->window : 0;
    const float *queries = row_of(c, QUERIES, row) + (size_t)first_head * a->key_size;
    float *results = row_of(c, HTP_DESTINATION, row) + (size_t)first_head * a->value_size;

    for (uint32_t head = 0; head < heads; head++) {
        const int sink = has(c, SINKS);
        s->maxima[head] = sink ? row_of(c, SINKS, 0)[first_head + head] : -3e38f;
        s->sums[head] = sink ? 1.0f : 0.0f;
    }
    for (size_t i = 0; i < (size_t)heads * a->value_size; i++) results[i] = 0.0f;

    for (uint32_t first = begin; first < seen; first += POSITIONS) {
        const uint32_t count = seen - first < POSITIONS ? seen - first : POSITIONS;
        scores_of_block(
            c, s, queries, heads,
            keys->address + (uint64_t)key_head * a->key_head_stride + first * keys->stride, count);
        weigh_block(c, s, results, heads, count);
        const uint8_t *rows
            = values->address + (uint64_t)key_head * a->value_head_stride + first * values->stride;
        for (uint32_t i = 0; i < count; i++) {
            cache_decode(s->values, rows + i * values->stride, a->value_size, a->value_type);
            for (uint32_t head = 0; head < heads; head++) {
                const float weight = s->scores[head][i];
                float *result = results + (size_t)head * a->value_size;
                for (uint32_t j = 0; j < a->value_size; j++) result[j] += weight * s->values[j];
            }
        }
    }
    for (uint32_t head = 0; head < heads; head++) {
        float *result = results + (size_t)head * a->value_size;
        const float inverse = s->sums[head] > 0.0f ? 1.0f / s->sums[head] : 0.0f;
        for (uint32_t j = 0; j < a->value_size; j++) result[j] *= inverse;
    }
}

static void part_of_heads(void *argument, uint32_t part, uint32_t parts) {
    const attention_job *job = argument;
    const call *c = job->call;
    const htp_attention_parameters *a = &c->op.parameters.attention;
    float *memory = (float *)(void *)(job->workspace + part * job->part_bytes);
    state s;
    s.keys = memory;
    s.values = s.keys + a->key_size;
    s.maxima = s.values + a->value_size;
    s.sums = s.maxima + a->group;
    s.scores = (float(*)[POSITIONS])(void *)(s.sums + a->group);
    uint32_t turn = 0;
    for (uint32_t row = 0; row < c->rows; row++)
        for (uint32_t key_head = 0; key_head < a->key_heads; key_head++)
            for (uint32_t head = 0; head < a->group; head += job->together) {
                if (turn == part)
                    attend(c, &s, row, key_head, key_head * a->group + head, job->together);
                if (++turn == parts) turn = 0;
            }
}

static uint32_t run(call *c) {
    const htp_attention_parameters *a = &c->op.parameters.attention;
    program *p = c->batch->program;
    const uint32_t parts = workers_count(p->workers);
    attention_job job = {.call = c};
    job.part_bytes = (part_floats(a) * sizeof(float) + 127) / 128 * 128;
    // Heads that share keys share the walk over them, unless workers would have nothing to do.
    job.together = c->rows * a->key_heads >= parts ? a->group : 1;
    job.workspace = program_workspace(p, job.part_bytes * parts);
    if (!job.workspace) return HTP_FAULT_MEMORY;
    workers_run(p->workers, part_of_heads, &job);
    return HTP_FAULT_NONE;
}

const operation_kind operation_attention = {
    .flags = HTP_ATTENTION_ALL,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(QUERIES) | HTP_SLOT(KEYS) | HTP_SLOT(VALUES),
    .optional = HTP_SLOT(SINKS),
    .parameter_bytes = sizeof(htp_attention_parameters),
    .check = check,
    .run = run,
};
