// The plain variant: IEEE operations in a fixed order.
#include "cache.h"
#include "float_kernels.h"
#include "floats.h"

static void add(float *to, const float *a, const float *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) to[i] = a[i] + b[i];
}

static void multiply(float *to, const float *a, const float *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) to[i] = a[i] * b[i];
}

static void scale(float *to, const float *x, uint32_t count, const htp_scale_parameters *s) {
    for (uint32_t i = 0; i < count; i++) to[i] = x[i] * s->scale + s->offset;
    if (s->cap > 0)
        for (uint32_t i = 0; i < count; i++) to[i] = s->cap * float_tanh(to[i] / s->cap);
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

static void activate(float *to, const float *x, const float *up, uint32_t count,
                     const htp_activate_parameters *a) {
    if (a->function == HTP_FUNCTION_SWIGLU_CLAMPED) {
        for (uint32_t i = 0; i < count; i++) {
            const float gate = x[i] < a->limit ? x[i] : a->limit;
            float u = up[i] < a->limit ? up[i] : a->limit;
            u = u > -a->limit ? u : -a->limit;
            to[i] = gate * float_sigmoid(a->alpha * gate) * (u + 1.0f);
        }
    } else if (up && a->function == HTP_FUNCTION_SILU) {
        for (uint32_t i = 0; i < count; i++) to[i] = x[i] * float_sigmoid(x[i]) * up[i];
    } else if (up) {
        for (uint32_t i = 0; i < count; i++) to[i] = function(a->function, x[i]) * up[i];
    } else {
        for (uint32_t i = 0; i < count; i++) to[i] = function(a->function, x[i]);
    }
}

static void softmax(float *to, const float *x, uint32_t count, float scale) {
    for (uint32_t i = 0; i < count; i++) to[i] = x[i] * scale;
    const float largest = float_max(to, count);
    for (uint32_t i = 0; i < count; i++) to[i] = float_exp(to[i] - largest);
    const float sum = float_sum(to, count), inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    for (uint32_t i = 0; i < count; i++) to[i] *= inverse;
}

static void normalize(float *to, const float *x, const float *weight, const float *bias,
                      const htp_norm_parameters *n, int center) {
    const uint32_t width = n->width;
    if (center) {
        const float mean = float_sum(x, width) / (float)width;
        for (uint32_t i = 0; i < width; i++) to[i] = x[i] - mean;
        x = to;
    }
    const float scale = 1.0f / float_sqrt(float_dot(x, x, width) / (float)width + n->epsilon);
    if (weight)
        for (uint32_t i = 0; i < width; i++) to[i] = x[i] * scale * weight[i];
    else
        for (uint32_t i = 0; i < width; i++) to[i] = x[i] * scale;
    if (bias)
        for (uint32_t i = 0; i < width; i++) to[i] += bias[i];
}

static void rotate(float *to, const float *x, uint32_t size, uint32_t pairs, const float *angles, int halves) {
    const uint32_t step = halves ? 1 : 2, distance = halves ? pairs : 1;
    for (uint32_t i = 0; i < pairs; i++) {
        const float cosine = angles[2 * i], sine = angles[2 * i + 1];
        const uint32_t at = i * step;
        const float a = x[at], b = x[at + distance];
        to[at] = a * cosine - b * sine;
        to[at + distance] = a * sine + b * cosine;
    }
    if (to != x)
        for (uint32_t i = 2 * pairs; i < size; i++) to[i] = x[i];
}

static void mix(float *to, const float *vectors, size_t distance, const float *weights, uint32_t count,
                const float *addend, uint32_t width) {
    for (uint32_t i = 0; i < width; i++) {
        float sum = vectors[i] * weights[0];
        for (uint32_t k = 1; k < count; k++) sum += vectors[k * distance + i] * weights[k];
        to[i] = addend ? addend[i] + sum : sum;
    }
}

// What a worker keeps for the heads that it computes together.
typedef struct state {
    float *keys, *values;                  // one row, decoded
    float (*scores)[ATTENTION_POSITIONS];  // for each head
    float *maxima, *sums;                  // for each head
} state;

static size_t attention_bytes(const htp_attention_parameters *p) {
    return ((size_t)p->key_size + p->value_size + (size_t)p->group * (ATTENTION_POSITIONS + 2)) * sizeof(float);
}

static void scores_of_block(const attention_heads *a, const state *s, uint32_t first, uint32_t count) {
    const htp_attention_parameters *p = a->parameters;
    uint32_t place = attention_place(a, first);
    for (uint32_t i = 0; i < count; i++, place = attention_next(a, place)) {
        cache_decode(s->keys, a->keys + place * a->key_stride, p->key_size, p->key_type);
        for (uint32_t head = 0; head < a->heads; head++) {
            const float *query = a->queries + (size_t)head * p->key_size;
            float score = float_dot(query, s->keys, p->key_size) * p->scale;
            if (p->cap > 0) score = p->cap * float_tanh(score / p->cap);
            s->scores[head][i] = score;
        }
    }
}

// Scores become weights relative to the largest score so far; what was summed before is scaled to it.
static void weigh_block(const attention_heads *a, const state *s, uint32_t count) {
    const uint32_t size = a->parameters->value_size;
    for (uint32_t head = 0; head < a->heads; head++) {
        float *scores = s->scores[head], *result = a->results + (size_t)head * size;
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

static void attend(const attention_heads *a) {
    const htp_attention_parameters *p = a->parameters;
    state s;
    s.keys = a->workspace;
    s.values = s.keys + p->key_size;
    s.maxima = s.values + p->value_size;
    s.sums = s.maxima + p->group;
    s.scores = (float(*)[ATTENTION_POSITIONS])(void *)(s.sums + p->group);
    for (uint32_t head = 0; head < a->heads; head++) {
        s.maxima[head] = a->sinks ? a->sinks[head] : -3e38f;
        s.sums[head] = a->sinks ? 1.0f : 0.0f;
    }
    for (size_t i = 0; i < (size_t)a->heads * p->value_size; i++) a->results[i] = 0.0f;

    for (uint32_t first = a->begin; first < a->end; first += ATTENTION_POSITIONS) {
        const uint32_t count = a->end - first < ATTENTION_POSITIONS ? a->end - first : ATTENTION_POSITIONS;
        scores_of_block(a, &s, first, count);
        weigh_block(a, &s, count);
        uint32_t place = attention_place(a, first);
        for (uint32_t i = 0; i < count; i++, place = attention_next(a, place)) {
            cache_decode(s.values, a->values + place * a->value_stride, p->value_size, p->value_type);
            for (uint32_t head = 0; head < a->heads; head++) {
                const float weight = s.scores[head][i];
                float *result = a->results + (size_t)head * p->value_size;
                for (uint32_t j = 0; j < p->value_size; j++) result[j] += weight * s.values[j];
            }
        }
    }
    for (uint32_t head = 0; head < a->heads; head++) {
        float *result = a->results + (size_t)head * p->value_size;
        const float inverse = s.sums[head] > 0.0f ? 1.0f / s.sums[head] : 0.0f;
        for (uint32_t j = 0; j < p->value_size; j++) result[j] *= inverse;
    }
}

const float_kernels floats_plain = {
    .add = add,
    .multiply = multiply,
    .scale = scale,
    .activate = activate,
    .softmax = softmax,
    .normalize = normalize,
    .rotate = rotate,
    .mix = mix,
    .encode = cache_encode,
    .attend = attend,
    .attention_bytes = attention_bytes,
};
