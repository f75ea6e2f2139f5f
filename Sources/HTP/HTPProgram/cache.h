// Elements of the key/value cache.
#ifndef HTP_CACHE_H
#define HTP_CACHE_H

#include "floats.h"
#include "htp_batch.h"

#define CACHE_BLOCK 32

// Bytes of one position of a head, or 0 for a type or size that there is none of.
static inline uint32_t cache_row_bytes(uint32_t type, uint32_t size) {
    if (size == 0 || size > HTP_HEAD_SIZE_MAX) return 0;
    switch (type) {
    case HTP_CACHE_F32: return size * 4;
    case HTP_CACHE_F16: return size * 2;
    case HTP_CACHE_Q8: return size % CACHE_BLOCK == 0 ? size + size / CACHE_BLOCK * 2 : 0;
    case HTP_CACHE_Q4: return size % CACHE_BLOCK == 0 ? size / 2 + size / CACHE_BLOCK * 2 : 0;
    default: return 0;
    }
}

// Codes 0 … 15 for −8 … 7; the value with the largest magnitude becomes −8 times a step that has its sign or the other.
static inline void cache_encode_nibbles(uint8_t *row, const float *x, uint32_t size) {
    uint16_t *scales = (uint16_t *)(void *)(row + size / 2);
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++) {
        const float *from = x + block * CACHE_BLOCK;
        uint8_t *codes = row + block * (CACHE_BLOCK / 2);
        float largest = 0.0f, sign = -1.0f;
        for (int i = 0; i < CACHE_BLOCK; i++) {
            const float magnitude = float_abs(from[i]);
            if (magnitude > largest) {
                largest = magnitude;
                sign = from[i] < 0.0f ? 1.0f : -1.0f;
            }
        }
        // Neither a scale beyond half's range nor a reciprocal beyond float's.
        largest = largest < 5e5f ? largest : 5e5f;
        const float inverse = largest > 1e-30f ? sign * 8.0f / largest : 0.0f;
        for (int i = 0; i < CACHE_BLOCK; i++) {
            float scaled = from[i] * inverse;
            scaled = scaled < 7.0f ? scaled : 7.0f;
            scaled = scaled > -8.0f ? scaled : -8.0f;
            const uint8_t code = (uint8_t)(int32_t)(scaled + 8.5f);
            if (i < CACHE_BLOCK / 2)
                codes[i] = code;
            else
                codes[i - CACHE_BLOCK / 2] |= (uint8_t)(code << 4);
        }
        scales[block] = half_of_float(sign * largest * 0.125f);
    }
}

static inline void cache_decode_nibbles(float *x, const uint8_t *row, uint32_t size) {
    const uint16_t *scales = (const uint16_t *)(const void *)(row + size / 2);
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++, row += CACHE_BLOCK / 2) {
        const float scale = float_of_half(scales[block]);
        for (int i = 0; i < CACHE_BLOCK / 2; i++) {
            x[block * CACHE_BLOCK + i] = (float)((row[i] & 15) - 8) * scale;
            x[block * CACHE_BLOCK + CACHE_BLOCK / 2 + i] = (float)((row[i] >> 4) - 8) * scale;
        }
    }
}

static inline void cache_encode(uint8_t *row, const float *x, uint32_t size, uint32_t type) {
    if (type == HTP_CACHE_F32) {
        __builtin_memcpy(row, x, size * sizeof *x);
        return;
    }
    if (type == HTP_CACHE_F16) {
        uint16_t *halves = (uint16_t *)(void *)row;
        for (uint32_t i = 0; i < size; i++) halves[i] = half_of_float(x[i]);
        return;
    }
    if (type == HTP_CACHE_Q4) {
        cache_encode_nibbles(row, x, size);
        return;
    }
    int8_t *codes = (int8_t *)row;
    uint16_t *scales = (uint16_t *)(void *)(row + size);
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++) {
        const float *from = x + block * CACHE_BLOCK;
        float largest = 0.0f;
        for (int i = 0; i < CACHE_BLOCK; i++) {
            const float magnitude = float_abs(from[i]);
            largest = magnitude > largest ? magnitude : largest;
        }
        // Neither a scale beyond half's range nor a reciprocal beyond float's.
        largest = largest < 8e6f ? largest : 8e6f;
        const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
        for (int i = 0; i < CACHE_BLOCK; i++) {
            float scaled = from[i] * inverse;
            scaled = scaled < 127.0f ? scaled : 127.0f;
            scaled = scaled > -127.0f ? scaled : -127.0f;
            codes[block * CACHE_BLOCK + i] = (int8_t)(int32_t)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
        }
        scales[block] = half_of_float(largest / 127.0f);
    }
}

static inline void cache_decode(float *x, const uint8_t *row, uint32_t size, uint32_t type) {
    if (type == HTP_CACHE_F32) {
        __builtin_memcpy(x, row, size * sizeof *x);
        return;
    }
    if (type == HTP_CACHE_F16) {
        const uint16_t *halves = (const uint16_t *)(const void *)row;
        for (uint32_t i = 0; i < size; i++) x[i] = float_of_half(halves[i]);
        return;
    }
    if (type == HTP_CACHE_Q4) {
        cache_decode_nibbles(x, row, size);
        return;
    }
    const int8_t *codes = (const int8_t *)row;
    const uint16_t *scales = (const uint16_t *)(const void *)(row + size);
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++) {
        const float scale = float_of_half(scales[block]);
        for (int i = 0; i < CACHE_BLOCK; i++)
            x[block * CACHE_BLOCK + i] = (float)codes[block * CACHE_BLOCK + i] * scale;
    }
}

#endif
