// Rows of a cache, read and written in vectors: part of attention_body.h.

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
