// The kernels of `cpu_attention.h`, in vectors of LANES floats. Included once for each level, with KERNEL as the
// functions' storage class and target, LEVEL(name) as their names.

#include "attention_vectors.h"
#include "attention_rows.h"

// MARK: products

// `height` rows and `vectors` vectors of c = (c or 0) + a × b, over `count` rows of b.
LOCAL void LEVEL(multiply_tile)(
    float *c, size_t c_stride, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t count,
    const int height, const int vectors, const int adds) {
    VF sums[4][4];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++)
            sums[r][v] = adds ? *(const VF *)(c + (size_t)r * c_stride + (size_t)v * LANES) : SPLAT(0.0f);
    for (size_t k = 0; k < count; k++) {
        VF x[4];
        for (int v = 0; v < vectors; v++) x[v] = *(const VF *)(b + k * b_stride + (size_t)v * LANES);
        for (int r = 0; r < height; r++) {
            const VF factor = SPLAT(a[(size_t)r * a_stride + k]);
            for (int v = 0; v < vectors; v++) sums[r][v] = factor * x[v] + sums[r][v];
        }
    }
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++) *(VF *)(c + (size_t)r * c_stride + (size_t)v * LANES) = sums[r][v];
}

LOCAL void LEVEL(multiply_rows)(
    float *c, size_t c_stride, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t count,
    size_t width, const int height, const int adds) {
    size_t j = 0;
    for (; j + VECTORS * LANES <= width; j += VECTORS * LANES)
        LEVEL(multiply_tile)(c + j, c_stride, a, a_stride, b + j, b_stride, count, height, VECTORS, adds);
    for (; j < width; j += LANES)
        LEVEL(multiply_tile)(c + j, c_stride, a, a_stride, b + j, b_stride, count, height, 1, adds);
}

// `rows` rows of queries or weights; rows of one token's heads may be followed by another token's elsewhere.
LOCAL void LEVEL(multiply)(
    float *c, size_t c_stride, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t count,
    size_t width, size_t rows, const int adds) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        LEVEL(multiply_rows)(
            c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, b_stride, count, width, 4, adds);
    for (; r + 2 <= rows; r += 2)
        LEVEL(multiply_rows)(
            c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, b_stride, count, width, 2, adds);
    for (; r < rows; r++)
        LEVEL(multiply_rows)(
            c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, b_stride, count, width, 1, adds);
}

// MARK: few rows

// Scores of up to FEW rows, by products along the rows of keys: what is read once needs no transposition.
LOCAL void LEVEL(few_scores)(
    const cpu_attention *a, float *scores, const float *queries, size_t first, size_t low, size_t high, const int rows,
    int type) {
    for (size_t group = low / LANES * LANES; group < high; group += LANES) {
        VF partial[FEW][LANES];
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

// c += a × b for one row, in four sums that do not wait for each other.
LOCAL void LEVEL(multiply_one)(
    float *c, const float *a, const float *b, size_t b_stride, size_t count, const int vectors) {
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
    for (int v = 0; v < vectors; v++)
        *(VF *)(c + (size_t)v * LANES) += (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);
}

LOCAL void LEVEL(multiply_few)(
    float *c, size_t width, const float *a, const float *b, size_t b_stride, size_t count, size_t rows) {
    for (size_t r = 0; r < rows; r++, c += width, a += POSITIONS) {
        size_t j = 0;
        for (; j + VECTORS * LANES <= width; j += VECTORS * LANES)
            LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, VECTORS);
        for (; j + 2 * LANES <= width; j += 2 * LANES) LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, 2);
        for (; j < width; j += LANES) LEVEL(multiply_one)(c + j, a, b + j, b_stride, count, 1);
    }
}

// MARK: attention

typedef struct {
    float *keys, *values, *results, *scores, *sums, *largest;
    size_t width; // floats of a row of results
} LEVEL(state);

// Scores become weights relative to the row's largest so far, to which what was summed before is scaled. The row sees
// `low` to `high` of the block.
LOCAL void LEVEL(weigh)(
    const cpu_attention *a, const LEVEL(state) *s, size_t row, int32_t low, int32_t high) {
    enum { BLOCKS = POSITIONS / LANES };
    float *scores = s->scores + row * POSITIONS;
    VI lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    const VF scale = SPLAT(a->scale), nothing = SPLAT(-INFINITY);
    const VF cap = SPLAT(a->cap), inverse_cap = SPLAT(a->cap > 0 ? a->scale / a->cap : 0);
    const int is_whole = low <= 0 && high >= POSITIONS;
    VF v[BLOCKS], top = SPLAT(LOWEST_SCORE);
    for (int k = 0; k < BLOCKS; k++) {
        v[k] = *(const VF *)(scores + k * LANES);
        v[k] = a->cap > 0 ? cap * LEVEL(tanh)(v[k] * inverse_cap) : v[k] * scale;
        if (!is_whole) {
            const VI at = lane + k * LANES;
            v[k] = LEVEL(select)((at >= LEVEL(splat_int)(low)) & (at < LEVEL(splat_int)(high)), v[k], nothing);
        }
        top = LEVEL(max)(v[k], top);
    }
    const float before = s->largest[row], found = LEVEL(max_of_lanes)(top);
    const float largest = found > before ? found : before;
    VF sum = *(const VF *)(s->sums + row * LANES);
    if (largest > before) {
        const VF correction = SPLAT(LEVEL(exp_one)(before - largest));
        sum *= correction;
        float *result = s->results + row * s->width;
        for (size_t i = 0; i < s->width; i += LANES) *(VF *)(result + i) *= correction;
        s->largest[row] = largest;
    }
    const VF shift = SPLAT(largest);
    for (int k = 0; k < BLOCKS; k++) {
        v[k] = LEVEL(exp)(v[k] - shift);
        sum += v[k];
        *(VF *)(scores + k * LANES) = v[k];
    }
    *(VF *)(s->sums + row * LANES) = sum;
}

LOCAL void LEVEL(scores_of_block)(
    const cpu_attention *a, const LEVEL(state) *s, size_t first, size_t low, size_t high, int is_few, int type) {
    if (is_few) {
        switch (a->heads) {
        case 1: LEVEL(few_scores)(a, s->scores, a->queries, first, low, high, 1, type); break;
        case 2: LEVEL(few_scores)(a, s->scores, a->queries, first, low, high, 2, type); break;
        case 3: LEVEL(few_scores)(a, s->scores, a->queries, first, low, high, 3, type); break;
        default: LEVEL(few_scores)(a, s->scores, a->queries, first, low, high, 4, type); break;
        }
        return;
    }
    LEVEL(transpose_keys)(a, s->keys, first, low, high, type);
    for (size_t t = 0; t < a->tokens; t++)
        LEVEL(multiply)(
            s->scores + t * a->heads * POSITIONS, POSITIONS, a->queries + t * a->query_stride, a->key_size, s->keys,
            POSITIONS, a->key_size, POSITIONS, a->heads, 0);
}

LOCAL void LEVEL(attend_block)(
    const cpu_attention *a, const LEVEL(state) *s, size_t first, size_t low, size_t high) {
    const size_t rows = a->tokens * a->heads;
    const int is_few = a->tokens == 1 && rows <= FEW;
    switch (a->key_type) {
    case CPU_CACHE_F32: LEVEL(scores_of_block)(a, s, first, low, high, is_few, CPU_CACHE_F32); break;
    case CPU_CACHE_F16: LEVEL(scores_of_block)(a, s, first, low, high, is_few, CPU_CACHE_F16); break;
    case CPU_CACHE_Q8: LEVEL(scores_of_block)(a, s, first, low, high, is_few, CPU_CACHE_Q8); break;
    default: LEVEL(scores_of_block)(a, s, first, low, high, is_few, CPU_CACHE_Q4); break;
    }
    for (size_t t = 0; t < a->tokens; t++) {
        const size_t end = a->position + t + 1, begin = a->window && end > a->window ? end - a->window : 0;
        const int32_t from = (int32_t)(begin > first + low ? begin - first < POSITIONS ? begin - first : POSITIONS : low);
        const int32_t to = (int32_t)(end < first + high ? end > first ? end - first : 0 : high);
        for (size_t h = 0; h < a->heads; h++) LEVEL(weigh)(a, s, t * a->heads + h, from, to);
    }
    const float *values = s->values + low * s->width;
    size_t stride = s->width;
    const size_t slot = (first + low) % a->capacity;
    if (a->value_type == CPU_CACHE_F32 && a->value_size == s->width && slot + (high - low) <= a->capacity
        && a->value_stride % sizeof(float) == 0) {
        // As they lie there.
        stride = a->value_stride / sizeof(float);
        values = (const float *)(const void *)((const uint8_t *)a->values + slot * a->value_stride);
    } else {
        switch (a->value_type) {
        case CPU_CACHE_F32: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_F32); break;
        case CPU_CACHE_F16: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_F16); break;
        case CPU_CACHE_Q8: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_Q8); break;
        default: LEVEL(decode_values)(a, s->values, s->width, first, low, high, CPU_CACHE_Q4); break;
        }
    }
    if (is_few)
        LEVEL(multiply_few)(s->results, s->width, s->scores + low, values, stride, high - low, rows);
    else
        LEVEL(multiply)(
            s->results, s->width, s->scores + low, POSITIONS, values, stride, high - low, s->width, rows, 1);
}

KERNEL void LEVEL(attend)(const cpu_attention *a, float *partial) {
    const size_t rows = a->tokens * a->heads, key_width = padded(a->key_size);
    LEVEL(state) s = {.width = (a->value_size + LANES - 1) / LANES * LANES};
    s.keys = (float *)(((uintptr_t)a->workspace + 4 * WIDEST - 1) / (4 * WIDEST) * (4 * WIDEST));
    s.values = s.keys + key_width * POSITIONS;
    s.results = s.values + POSITIONS * padded(a->value_size);
    s.scores = s.results + rows * padded(a->value_size);
    s.sums = s.scores + rows * POSITIONS;
    s.largest = s.sums + rows * WIDEST;
    for (size_t r = 0; r < rows; r++) {
        s.largest[r] = LOWEST_SCORE;
        *(VF *)(s.sums + r * LANES) = SPLAT(0.0f);
        for (size_t i = 0; i < s.width; i += LANES) *(VF *)(s.results + r * s.width + i) = SPLAT(0.0f);
    }
    for (size_t first = a->begin / POSITIONS * POSITIONS; first < a->end; first += POSITIONS)
        LEVEL(attend_block)(
            a, &s, first, a->begin > first ? a->begin - first : 0, min_size(POSITIONS, a->end - first));
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
