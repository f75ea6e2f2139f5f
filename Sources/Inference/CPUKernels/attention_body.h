// The kernels of `cpu_attention.h`, in vectors of LANES floats. Included once for each level, with KERNEL as the
// functions' storage class and target, LEVEL(name) as their names.

#include "attention_vectors.h"
#include "attention_rows.h"

// MARK: products

// `height` rows and `vectors` vectors of c = c × the row's factor + a × b, over `count` rows of b; without factors
// c = a × b.
LOCAL void LEVEL(multiply_tile)(
    float *c, size_t c_stride, const float *const *a, const float *b, size_t b_stride, size_t count,
    const float *factors, const int height, const int vectors) {
    VF sums[ROWS][VECTORS];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++) {
            sums[r][v] = SPLAT(0.0f);
            if (factors) sums[r][v] = *(const VF *)(c + (size_t)r * c_stride + (size_t)v * LANES) * SPLAT(factors[r]);
        }
    for (size_t k = 0; k < count; k++) {
        VF x[VECTORS];
        for (int v = 0; v < vectors; v++) x[v] = *(const VF *)(b + k * b_stride + (size_t)v * LANES);
        for (int r = 0; r < height; r++) {
            const VF factor = SPLAT(a[r][k]);
            for (int v = 0; v < vectors; v++) sums[r][v] = factor * x[v] + sums[r][v];
        }
    }
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++) *(VF *)(c + (size_t)r * c_stride + (size_t)v * LANES) = sums[r][v];
}

LOCAL void LEVEL(multiply)(
    float *c, size_t c_stride, const float *const *a, const float *b, size_t b_stride, size_t count, size_t width,
    const float *factors, const int height) {
    size_t j = 0;
    for (; j + VECTORS * LANES <= width; j += VECTORS * LANES)
        LEVEL(multiply_tile)(c + j, c_stride, a, b + j, b_stride, count, factors, height, VECTORS);
    for (; j + 2 * LANES <= width; j += 2 * LANES)
        LEVEL(multiply_tile)(c + j, c_stride, a, b + j, b_stride, count, factors, height, 2);
    for (; j < width; j += LANES) LEVEL(multiply_tile)(c + j, c_stride, a, b + j, b_stride, count, factors, height, 1);
}

// MARK: few rows

// Scores of up to ROWS rows, by products along the rows of keys: what is read once needs no transposition.
LOCAL void LEVEL(few_scores)(
    const cpu_attention *a, float *scores, const float *queries, size_t first, size_t low, size_t high, const int rows,
    int type) {
    for (size_t group = low / LANES * LANES; group < high; group += LANES) {
        VF partial[ROWS][LANES];
        for (size_t k = 0; k < LANES; k++) {
            const size_t i = group + k;
            for (int r = 0; r < rows; r++) partial[r][k] = SPLAT(0.0f);
            if (i < low || i >= high) continue;
            const uint8_t *row = LEVEL(row)(a->keys, a->key_stride, a->capacity, first + i);
            size_t d = 0;
            for (; d + LANES <= a->key_size; d += LANES) {
                const VF key = LEVEL(load)(row, a->key_size, d, type);
                for (int r = 0; r < rows; r++)
                    partial[r][k] = *(const VF *)(queries + (size_t)r * a->key_size + d) * key + partial[r][k];
            }
            if (d < a->key_size) {
                const VF key = LEVEL(load_last)(row, a->key_size, d, type);
                for (int r = 0; r < rows; r++) {
                    const float *query = queries + (size_t)r * a->key_size;
                    const VF x = LEVEL(load_last)((const uint8_t *)query, a->key_size, d, CPU_CACHE_F32);
                    partial[r][k] = x * key + partial[r][k];
                }
            }
        }
        for (int r = 0; r < rows; r++) {
            VF *v = partial[r];
            for (int count = LANES / 2; count > 0; count /= 2)
                for (int k = 0; k < count; k++) v[k] = LOW(v[k], v[k + count]) + HIGH(v[k], v[k + count]);
            *(VF *)(scores + (size_t)r * POSITIONS + group) = v[0];
        }
    }
}

// c = c × factor + a × b for one row, in four sums that do not wait for each other.
LOCAL void LEVEL(multiply_one)(
    float *c, const float *a, const float *b, size_t b_stride, size_t count, float factor, const int vectors) {
    VF sums[4][VECTORS];
    for (int p = 0; p < 4; p++)
        for (int v = 0; v < vectors; v++) sums[p][v] = SPLAT(0.0f);
    size_t k = 0;
    for (; k + 4 <= count; k += 4)
        for (size_t p = 0; p < 4; p++) {
            const VF factor = SPLAT(a[k + p]);
            for (size_t v = 0; v < (size_t)vectors; v++)
                sums[p][v] = factor * *(const VF *)(b + (k + p) * b_stride + v * LANES) + sums[p][v];
        }
    for (; k < count; k++)
        for (size_t v = 0; v < (size_t)vectors; v++)
            sums[0][v] = SPLAT(a[k]) * *(const VF *)(b + k * b_stride + v * LANES) + sums[0][v];
    for (int v = 0; v < vectors; v++) {
        VF *to = (VF *)(c + (size_t)v * LANES);
        const VF before = *to * SPLAT(factor);
        *to = before + ((sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]));
    }
}

LOCAL void LEVEL(multiply_few)(
    float *c, size_t width, const float *a, const float *b, size_t b_stride, size_t count, const float *factors,
    size_t rows) {
    for (size_t r = 0; r < rows; r++, c += width, a += POSITIONS) {
        size_t j = 0;
        for (; j + VECTORS * LANES <= width; j += VECTORS * LANES)
            LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, factors[r], VECTORS);
        for (; j + 2 * LANES <= width; j += 2 * LANES)
            LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, factors[r], 2);
        for (; j < width; j += LANES) LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, factors[r], 1);
    }
}

// MARK: attention

typedef struct {
    float *keys, *values, *results, *scores, *sums, *largest;
    size_t width; // floats of a row of results
} LEVEL(state);

// Positions of a block.
typedef struct {
    size_t from, to;
} LEVEL(span);

// What a row sees of a block, of which `low` to `high` are looked at.
LOCAL LEVEL(span) LEVEL(seen)(const cpu_attention *a, size_t row, size_t first, size_t low, size_t high) {
    const size_t end = a->position + row / a->heads + 1, begin = a->window && end > a->window ? end - a->window : 0;
    return (LEVEL(span)){
        begin > first + low ? min_size(begin - first, POSITIONS) : low,
        end < first + high ? end > first ? end - first : 0 : high,
    };
}

// The scores of vector k as they are weighed: scaled, capped, and -infinity where the row does not see.
LOCAL VF LEVEL(scaled)(const cpu_attention *a, const float *scores, size_t k, LEVEL(span) own, const int is_whole) {
    VF v = *(const VF *)(scores + k * LANES);
    v = a->cap > 0 ? SPLAT(a->cap) * LEVEL(tanh)(v * SPLAT(a->scale / a->cap)) : v * SPLAT(a->scale);
    if (is_whole) return v;
    VI at;
    for (int i = 0; i < LANES; i++) at[i] = i + (int32_t)(k * LANES);
    const VI sees = (at >= LEVEL(splat_int)((int32_t)own.from)) & (at < LEVEL(splat_int)((int32_t)own.to));
    return LEVEL(select)(sees, v, SPLAT(-INFINITY));
}

// Scores of `height` rows become weights relative to the row's largest so far. Of `all`, which has been computed, each
// row sees its `own`. factors: what the rows' sums and results so far have to be multiplied by; the sums are.
LOCAL void LEVEL(weigh_vectors)(
    const cpu_attention *a, const LEVEL(state) *s, size_t row, const LEVEL(span) *own, LEVEL(span) all, float *factors,
    const int height, const int is_whole) {
    const size_t begin = is_whole ? 0 : all.from / LANES;
    const size_t end = is_whole ? POSITIONS / LANES : (all.to + LANES - 1) / LANES;
    float largest[ROWS];
    for (int r = 0; r < height; r++) {
        float *scores = s->scores + (size_t)r * POSITIONS;
        VF top = SPLAT(LOWEST_SCORE);
        for (size_t k = begin; k < end; k++) {
            const VF v = LEVEL(scaled)(a, scores, k, own[r], is_whole);
            *(VF *)(scores + k * LANES) = v;
            top = LEVEL(max)(v, top);
        }
        largest[r] = LEVEL(max_of_lanes)(top);
    }
    VF shrink = SPLAT(0.0f);
    for (int r = 0; r < height; r++) {
        const float before = s->largest[row + (size_t)r];
        largest[r] = largest[r] > before ? largest[r] : before;
        s->largest[row + (size_t)r] = largest[r];
        shrink[r] = before - largest[r];
    }
    shrink = LEVEL(exp)(shrink);
    for (int r = 0; r < height; r++) {
        float *scores = s->scores + (size_t)r * POSITIONS;
        VF *sums = (VF *)(s->sums + (row + (size_t)r) * LANES), sum = *sums * SPLAT(shrink[r]);
        factors[r] = shrink[r];
        for (size_t k = begin; k < end; k++) {
            const VF v = LEVEL(exp)(*(const VF *)(scores + k * LANES) - SPLAT(largest[r]));
            sum += v;
            *(VF *)(scores + k * LANES) = v;
        }
        *sums = sum;
    }
}

LOCAL void LEVEL(weigh)(
    const cpu_attention *a, const LEVEL(state) *s, size_t row, const LEVEL(span) *own, LEVEL(span) all, float *factors,
    const int height) {
    // The first row's end and the last one's beginning are the nearest.
    if (own[height - 1].from == 0 && own[0].to == POSITIONS)
        LEVEL(weigh_vectors)(a, s, row, own, all, factors, height, 1);
    else
        LEVEL(weigh_vectors)(a, s, row, own, all, factors, height, 0);
}

// A block of values: as they lie in the cache, if they are floats, or decoded.
typedef struct {
    const float *first; // of position `low`
    size_t stride;
} LEVEL(rows_of_values);

LOCAL LEVEL(rows_of_values) LEVEL(values_of_block)(
    const cpu_attention *a, const LEVEL(state) *s, size_t first, size_t low, size_t high) {
    const size_t slot = (first + low) % a->capacity;
    if (a->value_type == CPU_CACHE_F32 && a->value_size == s->width && slot + (high - low) <= a->capacity
        && a->value_stride % sizeof(float) == 0) {
        const uint8_t *row = (const uint8_t *)a->values + slot * a->value_stride;
        return (LEVEL(rows_of_values)){(const float *)(const void *)row, a->value_stride / sizeof(float)};
    }
    switch (a->value_type) {
    case CPU_CACHE_F32: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_F32); break;
    case CPU_CACHE_F16: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_F16); break;
    case CPU_CACHE_Q8: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_Q8); break;
    default: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_Q4); break;
    }
    return (LEVEL(rows_of_values)){s->values + low * s->width, s->width};
}

// `height` rows, from scores to results; only what one of them sees is computed.
LOCAL void LEVEL(attend_rows)(
    const cpu_attention *a, const LEVEL(state) *s, size_t row, size_t first, size_t low, size_t high,
    LEVEL(rows_of_values) values, const int height) {
    const float *queries[ROWS], *weights[ROWS];
    float factors[ROWS];
    LEVEL(span) own[ROWS];
    for (int r = 0; r < height; r++) {
        const size_t at = row + (size_t)r;
        queries[r] = a->queries + at / a->heads * a->query_stride + at % a->heads * a->key_size;
        own[r] = LEVEL(seen)(a, at, first, low, high);
    }
    // Later tokens begin and end later.
    const LEVEL(span) all = {own[0].from, own[height - 1].to};
    if (all.from >= all.to) return;
    const size_t begin = all.from / LANES * LANES, end = (all.to + LANES - 1) / LANES * LANES;
    LEVEL(multiply)(
        s->scores + begin, POSITIONS, queries, s->keys + begin, POSITIONS, a->key_size, end - begin, NULL, height);
    LEVEL(weigh)(a, s, row, own, all, factors, height);
    for (int r = 0; r < height; r++) weights[r] = s->scores + (size_t)r * POSITIONS + all.from;
    LEVEL(multiply)(
        s->results + row * s->width, s->width, weights, values.first + (all.from - low) * values.stride, values.stride,
        all.to - all.from, s->width, factors, height);
}

LOCAL void LEVEL(attend_many)(
    const cpu_attention *a, const LEVEL(state) *s, size_t first, size_t low, size_t high) {
    const size_t rows = a->tokens * a->heads;
    switch (a->key_type) {
    case CPU_CACHE_F32: LEVEL(transpose_keys)(a, s->keys, first, low, high, CPU_CACHE_F32); break;
    case CPU_CACHE_F16: LEVEL(transpose_keys)(a, s->keys, first, low, high, CPU_CACHE_F16); break;
    case CPU_CACHE_Q8: LEVEL(transpose_keys)(a, s->keys, first, low, high, CPU_CACHE_Q8); break;
    default: LEVEL(transpose_keys)(a, s->keys, first, low, high, CPU_CACHE_Q4); break;
    }
    const LEVEL(rows_of_values) values = LEVEL(values_of_block)(a, s, first, low, high);
    size_t r = 0;
    for (; r + ROWS <= rows; r += ROWS) LEVEL(attend_rows)(a, s, r, first, low, high, values, ROWS);
    for (; r + 2 <= rows; r += 2) LEVEL(attend_rows)(a, s, r, first, low, high, values, 2);
    for (; r < rows; r++) LEVEL(attend_rows)(a, s, r, first, low, high, values, 1);
}

LOCAL void LEVEL(few_scores_of_type)(
    const cpu_attention *a, float *scores, size_t first, size_t low, size_t high, int type) {
    switch (a->heads) {
    case 1: LEVEL(few_scores)(a, scores, a->queries, first, low, high, 1, type); break;
    case 2: LEVEL(few_scores)(a, scores, a->queries, first, low, high, 2, type); break;
    case 3: LEVEL(few_scores)(a, scores, a->queries, first, low, high, 3, type); break;
    default: LEVEL(few_scores)(a, scores, a->queries, first, low, high, 4, type); break;
    }
}

LOCAL void LEVEL(attend_few)(
    const cpu_attention *a, const LEVEL(state) *s, size_t first, size_t low, size_t high) {
    switch (a->key_type) {
    case CPU_CACHE_F32: LEVEL(few_scores_of_type)(a, s->scores, first, low, high, CPU_CACHE_F32); break;
    case CPU_CACHE_F16: LEVEL(few_scores_of_type)(a, s->scores, first, low, high, CPU_CACHE_F16); break;
    case CPU_CACHE_Q8: LEVEL(few_scores_of_type)(a, s->scores, first, low, high, CPU_CACHE_Q8); break;
    default: LEVEL(few_scores_of_type)(a, s->scores, first, low, high, CPU_CACHE_Q4); break;
    }
    float factors[ROWS];
    LEVEL(span) own[ROWS];
    for (size_t r = 0; r < a->heads; r++) own[r] = LEVEL(seen)(a, r, first, low, high);
    LEVEL(weigh)(a, s, 0, own, (LEVEL(span)){low, high}, factors, (int)a->heads);
    const LEVEL(rows_of_values) values = LEVEL(values_of_block)(a, s, first, low, high);
    LEVEL(multiply_few)(
        s->results, s->width, s->scores + low, values.first, values.stride, high - low, factors, a->heads);
}

KERNEL void LEVEL(attend)(const cpu_attention *a, float *partial) {
    const size_t rows = a->tokens * a->heads, key_width = padded(a->key_size);
    LEVEL(state) s = {.width = (a->value_size + LANES - 1) / LANES * LANES};
    s.keys = (float *)(((uintptr_t)a->workspace + 4 * WIDEST - 1) / (4 * WIDEST) * (4 * WIDEST));
    s.values = s.keys + key_width * POSITIONS;
    s.results = s.values + POSITIONS * padded(a->value_size);
    s.scores = s.results + rows * padded(a->value_size);
    s.sums = s.scores + ROWS * POSITIONS;
    s.largest = s.sums + rows * WIDEST;
    for (size_t r = 0; r < rows; r++) {
        s.largest[r] = LOWEST_SCORE;
        *(VF *)(s.sums + r * LANES) = SPLAT(0.0f);
        for (size_t i = 0; i < s.width; i += LANES) *(VF *)(s.results + r * s.width + i) = SPLAT(0.0f);
    }
    for (size_t first = a->begin / POSITIONS * POSITIONS; first < a->end; first += POSITIONS) {
        const size_t low = a->begin > first ? a->begin - first : 0, high = min_size(POSITIONS, a->end - first);
        if (a->tokens == 1 && rows <= ROWS)
            LEVEL(attend_few)(a, &s, first, low, high);
        else
            LEVEL(attend_many)(a, &s, first, low, high);
    }
    for (size_t r = 0; r < rows; r++) {
        float *to = partial + r * (CPU_ATTENTION_HEAD + a->value_size);
        to[0] = s.largest[r];
        to[1] = LEVEL(sum_of_lanes)(*(const VF *)(s.sums + r * LANES));
        memcpy(to + CPU_ATTENTION_HEAD, s.results + r * s.width, a->value_size * sizeof *to);
    }
}

KERNEL void LEVEL(merge)(float *total, const float *part, size_t rows, size_t value_size) {
    const size_t stride = CPU_ATTENTION_HEAD + value_size;
    for (size_t r = 0; r < rows; r++, total += stride, part += stride) {
        const float largest = part[0] > total[0] ? part[0] : total[0];
        const float first = LEVEL(exp_one)(total[0] - largest), second = LEVEL(exp_one)(part[0] - largest);
        total[0] = largest;
        for (size_t i = 1; i < stride; i++) {
            const float scaled = total[i] * first;
            total[i] = part[i] * second + scaled;
        }
    }
}

KERNEL void LEVEL(finish)(float *result, const float *total, size_t value_size, const float *sink) {
    float largest = total[0], sum = total[1], factor = 1;
    if (sink) {
        largest = *sink > largest ? *sink : largest;
        factor = LEVEL(exp_one)(total[0] - largest);
        sum = sum * factor + LEVEL(exp_one)(*sink - largest);
    }
    factor /= sum;
    for (size_t i = 0; i < value_size; i++) result[i] = total[CPU_ATTENTION_HEAD + i] * factor;
}

static const cpu_attention_kernels LEVEL(attention_kernels) = {
    .attend = LEVEL(attend),
    .merge = LEVEL(merge),
    .finish = LEVEL(finish),
    .encode = LEVEL(encode),
    .decode = LEVEL(decode),
};

#undef LOW
#undef HIGH
#undef VF
#undef VI
#undef VC
#undef SPLAT
