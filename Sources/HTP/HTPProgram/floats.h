// Single precision arithmetic that gives the same bits everywhere: plain IEEE operations in a fixed order,
// nothing contracted, nothing from a C library. Results are the same bits as long as no NaN is made.
//
// Sums run over 32 lanes, element i in lane i mod 32, and the lanes are added as a tree: the order in which
// a vector unit would do it, whatever the number of threads.
#ifndef HTP_FLOATS_H
#define HTP_FLOATS_H

#include <stdint.h>

// Clang contracts products and sums by default where the processor can; gcc does not in -std=c11.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define LANES 32

static inline uint32_t float_bits(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of_bits(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float float_abs(float x) { return float_of_bits(float_bits(x) & 0x7fffffff); }

// e^x to about one unit in the last place; 0 below -87 (and for NaN), e^88 above 88.
static inline float float_exp(float x) {
    const float within = x > -87.0f ? (x < 88.0f ? x : 88.0f) : -87.0f;
    // n = round(x / ln 2): adding 1.5 · 2^23 leaves an integer in the low bits.
    const float shifted = within * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    // ln 2 in two parts, the first of ten bits: n times it is exact.
    const float r = within - n * 0.693359375f - n * -2.12194440e-4f;
    // The series up to r^7: its rest is below 2^-27 for |r| ≤ ln 2 / 2.
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    // n is in −126 … 127.
    const float power = float_of_bits((float_bits(shifted) + 127) << 23);
    return x > -87.0f ? p * power : 0.0f;
}

static inline float float_sigmoid(float x) { return 1.0f / (1.0f + float_exp(-x)); }

static inline float float_tanh(float x) {
    const float magnitude = float_abs(x);
    if (magnitude < 0.25f) {
        const float z = x * x;
        float p = 62.0f / 2835;
        p = p * z - 17.0f / 315;
        p = p * z + 2.0f / 15;
        p = p * z - 1.0f / 3;
        return x + x * z * p;
    }
    const float e = float_exp(magnitude < 20.0f ? 2.0f * magnitude : 40.0f);
    const float t = (e - 1.0f) / (e + 1.0f);
    return x < 0.0f ? -t : t;
}

// The square root, exactly rounded, of a number that is not negative. Digit by digit: it is wanted once per
// row, and this is the shortest way to the right bits.
static inline float float_sqrt(float x) {
    uint32_t bits = float_bits(x);
    if (bits == 0 || bits >= 0x7f800000) return x;
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t fraction = bits & 0x7fffff;
    if (exponent == 0) {
        exponent = 1;
        while ((fraction & 0x800000) == 0) {
            fraction <<= 1;
            exponent--;
        }
    }
    fraction |= 0x800000;
    // x = fraction · 2^(exponent − 150); an even power of two is left outside.
    const int32_t odd = (exponent - 150) & 1;
    uint64_t rest = (uint64_t)fraction << (26 + odd), root = 0;
    // root² ≤ rest < 2^51: 26 bits, the last for rounding.
    for (uint64_t bit = 1ull << 25; bit != 0; bit >>= 1) {
        const uint64_t next = root | bit;
        if (next * next <= rest) root = next;
    }
    // 25 or 26 bits; 24 are kept.
    int32_t scale = (exponent - 150 - odd) / 2 - 13;
    const int drop = root >> 25 ? 2 : 1;
    uint64_t kept = root >> drop;
    const uint64_t half = 1ull << (drop - 1), lost = root & ((1ull << drop) - 1);
    // A root of a float is never half way between two floats, so a tie here means something is left below.
    if (lost > half || (lost == half && (root * root != rest || (kept & 1) != 0))) kept++;
    return (float)(uint32_t)kept * float_of_bits((uint32_t)(scale + drop + 127) << 23);
}

static inline float float_of_half(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    // Half's subnormal numbers become normal by the product with 2^112; infinity and NaN keep their exponent.
    const float value = float_of_bits(magnitude) * 0x1p112f;
    const uint32_t bits = magnitude >= 0x0f800000 ? magnitude + 0x70000000 : float_bits(value);
    return float_of_bits(bits | sign);
}

// To the nearest half, ties to even; what is too large (and NaN) becomes the largest.
static inline uint16_t half_of_float(float x) {
    const uint32_t bits = float_bits(x) & 0x7fffffff;
    const uint16_t sign = (uint16_t)(float_bits(x) >> 16 & 0x8000);
    if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7bff);
    // Below 2^-14 the sum with 0.5 rounds to multiples of 2^-24.
    if (bits < 0x38800000) return (uint16_t)(sign | (float_bits(float_of_bits(bits) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | ((bits + 0xfff + (bits >> 13 & 1) - 0x38000000) >> 13));
}

static inline float lanes_sum(const float *lanes) {
    float sums[LANES / 2];
    for (int i = 0; i < LANES / 2; i++) sums[i] = lanes[i] + lanes[i + LANES / 2];
    for (int step = LANES / 4; step > 0; step /= 2)
        for (int i = 0; i < step; i++) sums[i] += sums[i + step];
    return sums[0];
}

static inline float float_dot(const float *a, const float *b, uint32_t count) {
    float lanes[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (uint32_t j = 0; j < LANES; j++) lanes[j] += a[i + j] * b[i + j];
    for (uint32_t j = 0; i + j < count; j++) lanes[j] += a[i + j] * b[i + j];
    return lanes_sum(lanes);
}

static inline float float_sum(const float *a, uint32_t count) {
    float lanes[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (uint32_t j = 0; j < LANES; j++) lanes[j] += a[i + j];
    for (uint32_t j = 0; i + j < count; j++) lanes[j] += a[i + j];
    return lanes_sum(lanes);
}

// What is not a number does not count. It must not become `largest` either: clang for Hexagon makes the comparison a
// maximum that prefers numbers, on both sides.
static inline float float_max(const float *a, uint32_t count) {
    float largest = -__builtin_inff();
    for (uint32_t i = 0; i < count; i++) largest = a[i] > largest ? a[i] : largest;
    return largest;
}

// Numbers that are in the order of the floats; NaN is below all of them, and −0 equals 0.
static inline uint32_t float_order(float x) {
    uint32_t bits = float_bits(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0;
    if (bits == 0x80000000) bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000;
}

#endif
