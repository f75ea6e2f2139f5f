// Attention in the qfloat variant. Positions are the lanes of scores, elements of heads those of everything else.
#include "floats_qfloat.h"

#if HTP_HAS_QFLOAT

#include "vector_floats.h"

_Static_assert(ATTENTION_POSITIONS == VF_LANES, "a block's scores are a vector");

// What a worker keeps. Rows are filled up with zeros to whole vectors.
typedef struct state {
    uint32_t key_floats, value_floats;
    float *queries, *results; // of each head
    float *keys, *values;     // of each position of a block
    HVX_Vector *partial;      // of each position
    HVX_Vector *maxima;       // of each head: its largest score so far, in every lane
    HVX_Vector *sums;         // of each head: of the weights, lane by lane
    float *weights;           // of a block
} state;

static uint32_t padded(uint32_t count) { return (count + VF_LANES - 1) / VF_LANES * VF_LANES; }

size_t qfloat_attention_bytes(const htp_attention_parameters *p) {
    const size_t rows = (size_t)p->group + ATTENTION_POSITIONS;
    return (rows * (padded(p->key_size) + padded(p->value_size))
            + (ATTENTION_POSITIONS + 2 * (size_t)p->group + 1) * VF_LANES)
        * sizeof(float);
}

static state state_in(float *memory, const attention_heads *a) {
    state s = {.key_floats = padded(a->parameters->key_size), .value_floats = padded(a->parameters->value_size)};
    s.queries = memory;
    s.keys = s.queries + (size_t)a->heads * s.key_floats;
    s.results = s.keys + ATTENTION_POSITIONS * s.key_floats;
    s.values = s.results + (size_t)a->heads * s.value_floats;
    s.partial = (HVX_Vector *)(void *)(s.values + ATTENTION_POSITIONS * s.value_floats);
    s.maxima = s.partial + ATTENTION_POSITIONS;
    s.sums = s.maxima + a->heads;
    s.weights = (float *)(void *)(s.sums + a->heads);
    return s;
}

// Scores of the block's first `count` positions, the lowest in the other lanes.
static HVX_Vector scores_of(const attention_heads *a, const state *s, const float *query, uint32_t count) {
    enum { TOGETHER = 4 };
    for (uint32_t i = 0; i < ATTENTION_POSITIONS; i += TOGETHER) {
        HVX_Vector sums[TOGETHER];
        for (int k = 0; k < TOGETHER; k++) sums[k] = Q6_V_vzero();
        if (i < count) {
            const float *keys = s->keys + (size_t)i * s->key_floats;
            for (uint32_t j = 0; j < s->key_floats; j += VF_LANES) {
                const HVX_Vector q = hvx_load(query + j);
                for (uint32_t k = 0; k < TOGETHER; k++)
                    sums[k] = vf_accumulate(sums[k], q, hvx_load(keys + k * s->key_floats + j));
            }
        }
        for (int k = 0; k < TOGETHER; k++) s->partial[i + k] = sums[k];
    }
    const float cap = a->parameters->cap;
    HVX_Vector scores = vf_mul(vf_sums_of_lanes(s->partial), vf_splat(a->parameters->scale));
    if (cap > 0) scores = vf_mul(vf_splat(cap), vf_tanh(vf_mul(scores, vf_splat(1.0f / cap))));
    scores = vf_clamp(scores, VF_LARGEST);
    return Q6_V_vmux_QVV(Q6_Q_vsetq2_R((int32_t)count * 4), scores, vf_splat(-VF_LARGEST));
}

// result = result · correction + Σ weights[i] · values[i], for `vectors` vectors of a row.
VF_INLINE void accumulate(float *result, HVX_Vector correction, const float *weights, const float *values,
                          uint32_t value_floats, uint32_t count, const int vectors) {
    HVX_Vector sums[4];
    for (int k = 0; k < vectors; k++)
        sums[k] = Q6_Vqf32_vmpy_VsfVsf(hvx_load(result + k * VF_LANES), correction);
    for (uint32_t i = 0; i < count; i++) {
        const HVX_Vector weight = vf_splat(weights[i]);
        for (int k = 0; k < vectors; k++)
            sums[k] = vf_accumulate(sums[k], weight, hvx_load(values + (size_t)i * value_floats + k * VF_LANES));
    }
    for (int k = 0; k < vectors; k++) hvx_store(result + k * VF_LANES, Q6_Vsf_equals_Vqf32(sums[k]));
}

static void add_values(const state *s, uint32_t head, HVX_Vector correction, uint32_t count) {
    float *result = s->results + (size_t)head * s->value_floats;
    uint32_t j = 0;
    for (; j + 4 * VF_LANES <= s->value_floats; j += 4 * VF_LANES)
        accumulate(result + j, correction, s->weights, s->values + j, s->value_floats, count, 4);
    for (; j + 2 * VF_LANES <= s->value_floats; j += 2 * VF_LANES)
        accumulate(result + j, correction, s->weights, s->values + j, s->value_floats, count, 2);
    if (j < s->value_floats)
        accumulate(result + j, correction, s->weights, s->values + j, s->value_floats, count, 1);
}

// Weighs the block relative to the head's largest score so far; what was summed before is scaled to it.
static void attend_block(const attention_heads *a, const state *s, uint32_t head, uint32_t count) {
    const HVX_Vector scores = scores_of(a, s, s->queries + (size_t)head * s->key_floats, count);
    const HVX_Vector largest = vf_max(s->maxima[head], vf_max_of_lanes(scores));
    const HVX_Vector correction = vf_exp(vf_sub(s->maxima[head], largest));
    const HVX_Vector weights = Q6_V_vmux_QVV(
        Q6_Q_vsetq2_R((int32_t)count * 4), vf_exp(vf_sub(scores, largest)), Q6_V_vzero());
    s->maxima[head] = largest;
    s->sums[head] = vf_mul_add(s->sums[head], correction, weights);
    hvx_store(s->weights, weights);
    add_values(s, head, correction, count);
}

static void begin(const attention_heads *a, const state *s) {
    const uint32_t size = a->parameters->key_size;
    for (uint32_t head = 0; head < a->heads; head++) {
        for (uint32_t i = 0; i < size; i += VF_LANES)
            hvx_store(s->queries + (size_t)head * s->key_floats + i,
                      vf_load(a->queries + (size_t)head * size + i, size - i, Q6_V_vzero()));
        for (uint32_t i = 0; i < s->value_floats; i += VF_LANES)
            hvx_store(s->results + (size_t)head * s->value_floats + i, Q6_V_vzero());
        // A sink is a score without a value.
        s->maxima[head] = vf_splat(-VF_LARGEST);
        s->sums[head] = Q6_V_vzero();
        if (!a->sinks) continue;
        s->maxima[head] = vf_clamp(vf_splat(a->sinks[head]), VF_LARGEST);
        s->sums[head] = Q6_V_vmux_QVV(Q6_Q_vsetq2_R(4), vf_splat(1.0f), Q6_V_vzero());
    }
}

void qfloat_attend(const attention_heads *a) {
    const htp_attention_parameters *p = a->parameters;
    const state s = state_in(a->workspace, a);
    begin(a, &s);
    for (uint32_t first = a->begin; first < a->end; first += ATTENTION_POSITIONS) {
        const uint32_t count = a->end - first < ATTENTION_POSITIONS ? a->end - first : ATTENTION_POSITIONS;
        uint32_t place = attention_place(a, first);
        for (uint32_t i = 0; i < count; i++, place = attention_next(a, place)) {
            qfloat_decode(s.keys + (size_t)i * s.key_floats, a->keys + place * a->key_stride, p->key_size,
                          p->key_type);
            qfloat_decode(s.values + (size_t)i * s.value_floats, a->values + place * a->value_stride, p->value_size,
                          p->value_type);
        }
        for (uint32_t head = 0; head < a->heads; head++) attend_block(a, &s, head, count);
    }
    for (uint32_t head = 0; head < a->heads; head++) {
        float *result = a->results + (size_t)head * p->value_size;
        const float *sums = s.results + (size_t)head * s.value_floats;
        const float total = vf_sum_of_lanes(Q6_Vqf32_vadd_VsfVsf(s.sums[head], Q6_V_vzero()));
        const HVX_Vector inverse = vf_splat(total > 0.0f ? 1.0f / total : 0.0f);
        for (uint32_t i = 0; i < p->value_size; i += VF_LANES)
            vf_store(result + i, p->value_size - i, vf_mul(hvx_load(sums + i), inverse));
    }
}

#endif
