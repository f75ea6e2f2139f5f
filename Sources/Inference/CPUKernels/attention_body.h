// The kernels of `cpu_attention.h`, in vectors of LANES floats. Included once for each level, with KERNEL as the
// functions' storage class and target, LEVEL(name) as their names.

typedef float LEVEL(vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t LEVEL(integers) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int8_t LEVEL(codes) __attribute__((vector_size(LANES), aligned(1), may_alias));
#define VF LEVEL(vector)
#define VI LEVEL(integers)
#define VC LEVEL(codes)

LOCAL VF LEVEL(splat)(float x) {
    VF v;
    for (int i = 0; i < LANES; i++) v[i] = x;
    return v;
}
LOCAL VI LEVEL(splat_int)(int32_t x) {
    VI v;
    for (int i = 0; i < LANES; i++) v[i] = x;
    return v;
}
#define SPLAT(x) LEVEL(splat)(x)

// a where the mask is set, else b.
LOCAL VF LEVEL(select)(VI mask, VF a, VF b) { return (VF)(((VI)a & mask) | ((VI)b & ~mask)); }

// The larger one; b where either is a NaN.
LOCAL VF LEVEL(max)(VF a, VF b) { return LEVEL(select)(a > b, a, b); }

LOCAL float LEVEL(max_of_lanes)(VF v) {
    float largest = v[0];
    for (int i = 1; i < LANES; i++) largest = v[i] > largest ? v[i] : largest;
    return largest;
}

LOCAL float LEVEL(sum_of_lanes)(VF v) {
    float lanes[LANES];
    memcpy(lanes, &v, sizeof lanes);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) lanes[i] += lanes[i + step];
    return lanes[0];
}

// See exp_float. A NaN passes through.
LOCAL VF LEVEL(exp)(VF x) {
    x = LEVEL(max)(SPLAT(EXP_LOWEST), x);
    x = LEVEL(select)(x > SPLAT(EXP_HIGHEST), SPLAT(EXP_HIGHEST), x);
    const VF round = SPLAT(0x1.8p23f);
    const VF shifted = x * SPLAT(EXP_LOG2E) + round;
    const VF n = shifted - round;
    VF r = x - n * SPLAT(EXP_LN2_HIGH);
    r = r - n * SPLAT(EXP_LN2_LOW);
    VF p = SPLAT(EXP_C7);
    p = p * r + SPLAT(EXP_C6);
    p = p * r + SPLAT(EXP_C5);
    p = p * r + SPLAT(EXP_C4);
    p = p * r + SPLAT(EXP_C3);
    p = p * r + SPLAT(EXP_C2);
    p = p * r + SPLAT(1.0f);
    p = p * r + SPLAT(1.0f);
    const VI exponent = (VI)shifted - (VI)round, half = exponent >> 1;
    const VF first = (VF)((half + 127) << 23), second = (VF)((exponent - half + 127) << 23);
    return p * first * second;
}

// The same of one number, with the same bits.
LOCAL float LEVEL(exp_one)(float x) { return LEVEL(exp)(SPLAT(x))[0]; }

// See tanh_float in activations.c.
LOCAL VF LEVEL(tanh)(VF x) {
    const VI sign = (VI)x & INT32_MIN;
    const VF one = SPLAT(1.0f), magnitude = (VF)((VI)x & INT32_MAX), square = x * x;
    const VF e = LEVEL(exp)(magnitude * SPLAT(-2.0f)), far = (one - e) / (one + e);
    VF near = SPLAT(2.0f / 15) - square * SPLAT(17.0f / 315);
    near = SPLAT(1.0f / 3) - square * near;
    near = magnitude * (one - square * near);
    const VF result = LEVEL(select)(magnitude < SPLAT(0.2f), near, far);
    return (VF)((VI)result | sign);
}

// MARK: rows of a cache

// Elements i … i + LANES - 1 of a row.
LOCAL VF LEVEL(load)(const uint8_t *row, size_t size, size_t i, int type) {
    if (type == CPU_CACHE_F32) return *(const VF *)(const void *)(row + 4 * i);
    if (type == CPU_CACHE_F16) {
        const uint8_t *halves = row + 2 * i;
#if LANES == 16
        return (VF)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
#elif LANES == 8
        return (VF)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
#elif defined(__aarch64__)
        return (VF)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves)));
#else
        VF v;
        for (size_t k = 0; k < LANES; k++) v[k] = float_of_f16(load_half(halves + 2 * k));
        return v;
#endif
    }
    const float step = float_of_f16(load_half(cache_steps(row, size, type) + i / BLOCK * 2));
    VC codes;
    if (type == CPU_CACHE_Q8) {
        memcpy(&codes, row + i, sizeof codes);
    } else {
        memcpy(&codes, row + i / BLOCK * (BLOCK / 2) + i % (BLOCK / 2), sizeof codes);
        codes = (i % BLOCK < BLOCK / 2 ? codes & 15 : (codes >> 4) & 15) - Q4_0_ZERO;
    }
    return __builtin_convertvector(codes, VF) * SPLAT(step);
}

// The same where the row ends before; the rest is zero. Only rows of floats have such an end.
LOCAL VF LEVEL(load_last)(const uint8_t *row, size_t size, size_t i, int type) {
    if (size - i >= LANES) return LEVEL(load)(row, size, i, type);
    const size_t bytes = type == CPU_CACHE_F32 ? sizeof(float) : sizeof(uint16_t);
    uint8_t last[LANES * sizeof(float)] = {0};
    memcpy(last, row + i * bytes, (size - i) * bytes);
    return LEVEL(load)(last, LANES, 0, type);
}

// Where a position lies.
INLINE const uint8_t *LEVEL(row)(const void *rows, size_t stride, size_t capacity, size_t position) {
    return (const uint8_t *)rows + (position < capacity ? position : position % capacity) * stride;
}

// Even and odd lanes: those of the lower halves, and of the upper halves.
#if LANES == 16
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANES == 8
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

// Keys of a block, element by element: `first` is its first position, from `low` to `high` are read, the others zero.
LOCAL void LEVEL(transpose_keys)(
    const cpu_attention *a, float *to, size_t first, size_t low, size_t high, int type) {
    for (size_t group = 0; group < POSITIONS; group += LANES) {
        const uint8_t *rows[LANES];
        int has_any = 0;
        for (size_t k = 0; k < LANES; k++) {
            const size_t i = group + k;
            rows[k] = low <= i && i < high ? LEVEL(row)(a->keys, a->key_stride, a->capacity, first + i) : NULL;
            has_any |= rows[k] != NULL;
        }
        for (size_t d = 0; d < a->key_size; d += LANES) {
            VF v[LANES], next[LANES];
            if (!has_any) {
                for (size_t k = 0; k < LANES; k++) *(VF *)(to + (d + k) * POSITIONS + group) = SPLAT(0.0f);
                continue;
            }
            for (size_t k = 0; k < LANES; k++)
                v[k] = rows[k] ? LEVEL(load_last)(rows[k], a->key_size, d, type) : SPLAT(0.0f);
            // Interleaving the halves as often as they can be halved.
            for (int step = 1; step < LANES; step *= 2) {
                for (int k = 0; k < LANES / 2; k++) {
                    next[2 * k] = LOW(v[k], v[k + LANES / 2]);
                    next[2 * k + 1] = HIGH(v[k], v[k + LANES / 2]);
                }
                for (int k = 0; k < LANES; k++) v[k] = next[k];
            }
            for (size_t k = 0; k < LANES; k++) *(VF *)(to + (d + k) * POSITIONS + group) = v[k];
        }
    }
}

LOCAL void LEVEL(decode_row)(float *to, const uint8_t *row, size_t size, int type) {
    for (size_t i = 0; i < size; i += LANES) *(VF *)(to + i) = LEVEL(load_last)(row, size, i, type);
}

LOCAL void LEVEL(decode_values)(
    const cpu_attention *a, float *to, size_t width, size_t first, size_t low, size_t high, int type) {
    for (size_t i = low; i < high; i++)
        LEVEL(decode_row)(
            to + i * width, LEVEL(row)(a->values, a->value_stride, a->capacity, first + i), a->value_size, type);
}

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

// MARK: writing

// Steps and codes as the DSP program computes them (`cache_encode`).
KERNEL void LEVEL(encode_blocks)(uint8_t *row, const float *x, size_t size, int type) {
    uint8_t *steps = (uint8_t *)cache_steps(row, size, type);
    const size_t block_bytes = type == CPU_CACHE_Q8 ? BLOCK : BLOCK / 2;
    for (size_t b = 0; b < size / BLOCK; b++, row += block_bytes) {
        const float *block = x + b * BLOCK;
        uint32_t bits = 0;
        for (size_t i = 0; i < BLOCK; i++) {
            const uint32_t magnitude = bits_of_float(block[i]) & 0x7fffffff;
            bits = magnitude > bits ? magnitude : bits;
        }
        float largest = float_of_bits(bits), step;
        int8_t codes[BLOCK];
        if (type == CPU_CACHE_Q8) {
            // Neither a step beyond half's range nor a reciprocal beyond float's.
            largest = largest < 8e6f ? largest : 8e6f;
            const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
            for (size_t i = 0; i < BLOCK; i++) {
                float scaled = block[i] * inverse;
                scaled = scaled < 127.0f ? scaled : 127.0f;
                scaled = scaled > -127.0f ? scaled : -127.0f;
                const float half = scaled < 0.0f ? -0.5f : 0.5f;
                codes[i] = (int8_t)(int32_t)(scaled + half);
            }
            step = largest / 127.0f;
            memcpy(row, codes, BLOCK);
        } else {
            // The code 0 is the first of the largest values, with its sign.
            float sign = -1.0f;
            for (size_t i = BLOCK; i-- > 0;)
                if ((bits_of_float(block[i]) & 0x7fffffff) == bits) sign = block[i] < 0.0f ? 1.0f : -1.0f;
            largest = largest < 5e5f ? largest : 5e5f;
            const float inverse = largest > 1e-30f ? sign * 8.0f / largest : 0.0f;
            for (size_t i = 0; i < BLOCK; i++) {
                float scaled = block[i] * inverse;
                scaled = scaled < 7.0f ? scaled : 7.0f;
                scaled = scaled > -8.0f ? scaled : -8.0f;
                codes[i] = (int8_t)(int32_t)(scaled + 8.5f);
            }
            step = sign * largest * 0.125f;
            for (size_t i = 0; i < BLOCK / 2; i++)
                row[i] = (uint8_t)(codes[i] | codes[i + BLOCK / 2] << 4);
        }
        const uint16_t half = bits >= INFINITY_BITS ? 0x7e00 : f16_of_float(step);
        memcpy(steps + 2 * b, &half, sizeof half);
    }
}

KERNEL void LEVEL(encode)(void *row, const float *x, size_t size, int type) {
    switch (type) {
    case CPU_CACHE_F32: memcpy(row, x, size * sizeof *x); break;
    case CPU_CACHE_F16:
#if LANES > 4
        for (size_t i = 0; i < size; i += 8) {
            const size_t count = min_size(8, size - i);
            float last[8] = {0};
            memcpy(last, x + i, count * sizeof *x);
            const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(last), _MM_FROUND_TO_NEAREST_INT);
            memcpy((uint8_t *)row + 2 * i, &halves, count * 2);
        }
#else
        for (size_t i = 0; i < size; i++) {
            const uint16_t half = f16_of_float(x[i]);
            memcpy((uint8_t *)row + 2 * i, &half, sizeof half);
        }
#endif
        break;
    case CPU_CACHE_Q8: LEVEL(encode_blocks)(row, x, size, CPU_CACHE_Q8); break;
    default: LEVEL(encode_blocks)(row, x, size, CPU_CACHE_Q4); break;
    }
}

KERNEL void LEVEL(decode)(float *x, const void *row, size_t size, int type) {
    for (size_t i = 0; i < size; i += LANES) {
        const VF v = LEVEL(load_last)(row, size, i, type);
        memcpy(x + i, &v, min_size(LANES, size - i) * sizeof *x);
    }
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
