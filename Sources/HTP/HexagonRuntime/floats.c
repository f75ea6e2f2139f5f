// Float operations for which the processor has no instruction, rounded to nearest even as IEEE 754 wants: products
// and quotients of doubles, square roots, and half precision. The names are those that clang calls.
#include <stdint.h>

enum { FRACTION = 52, BIAS = 1023, INFINITE = 2047 };
static const uint64_t SIGN = (uint64_t)1 << 63, HIDDEN = (uint64_t)1 << FRACTION;
static const uint64_t INFINITY_BITS = (uint64_t)INFINITE << FRACTION, NOT_A_NUMBER = ~(uint64_t)0;

static uint64_t bits(double value) {
    uint64_t result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}

static double from_bits(uint64_t value) {
    double result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}

// A finite number other than 0 as fraction · 2^(exponent − BIAS − FRACTION) with 53 bits of fraction.
typedef struct {
    uint64_t fraction;
    int exponent;
} parts;

static parts split(uint64_t magnitude) {
    int exponent = (int)(magnitude >> FRACTION);
    uint64_t fraction = magnitude & (HIDDEN - 1);
    if (exponent > 0) return (parts){fraction | HIDDEN, exponent};
    int shift = __builtin_clzll(fraction) - (63 - FRACTION);
    return (parts){fraction << shift, 1 - shift};
}

// `fraction` has 53 bits and two more, of which the lowest stands for everything below it.
static double assemble(uint64_t sign, uint64_t fraction, int exponent) {
    if (exponent >= INFINITE) return from_bits(sign | INFINITY_BITS);
    if (exponent <= 0) {
        int shift = exponent < -60 ? 61 : 1 - exponent;
        fraction = fraction >> shift | ((fraction & (((uint64_t)1 << shift) - 1)) != 0);
        exponent = 0;
    } else {
        exponent -= 1; // the hidden bit adds it again
    }
    uint64_t result = ((uint64_t)exponent << FRACTION) + (fraction >> 2);
    uint64_t rest = fraction & 3;
    result += rest == 3 || (rest == 2 && (result & 1));
    return from_bits(sign | result);
}

double __hexagon_muldf3(double a, double b) {
    uint64_t sign = (bits(a) ^ bits(b)) & SIGN, left = bits(a) & ~SIGN, right = bits(b) & ~SIGN;
    if (left > INFINITY_BITS || right > INFINITY_BITS) return from_bits(NOT_A_NUMBER);
    if (left == INFINITY_BITS || right == INFINITY_BITS)
        return from_bits(left == 0 || right == 0 ? NOT_A_NUMBER : sign | INFINITY_BITS);
    if (left == 0 || right == 0) return from_bits(sign);
    parts x = split(left), y = split(right);
    // 106 bits in two words.
    uint64_t x0 = (uint32_t)x.fraction, x1 = x.fraction >> 32, y0 = (uint32_t)y.fraction, y1 = y.fraction >> 32;
    uint64_t low = x0 * y0, middle = x0 * y1 + (low >> 32), other = x1 * y0 + (uint32_t)middle;
    uint64_t high = x1 * y1 + (middle >> 32) + (other >> 32);
    low = other << 32 | (uint32_t)low;
    int exponent = x.exponent + y.exponent - BIAS;
    // The product is at 2^104 or 2^105; 55 bits stay.
    int shift = 50;
    if (high >> (105 - 64)) {
        shift = 51;
        exponent += 1;
    }
    uint64_t rest = low & (((uint64_t)1 << shift) - 1);
    return assemble(sign, (high << (64 - shift) | low >> shift) | (rest != 0), exponent);
}

double __hexagon_divdf3(double a, double b) {
    uint64_t sign = (bits(a) ^ bits(b)) & SIGN, left = bits(a) & ~SIGN, right = bits(b) & ~SIGN;
    if (left > INFINITY_BITS || right > INFINITY_BITS) return from_bits(NOT_A_NUMBER);
    if (left == INFINITY_BITS) return from_bits(right == INFINITY_BITS ? NOT_A_NUMBER : sign | INFINITY_BITS);
    if (right == INFINITY_BITS) return from_bits(sign);
    if (right == 0) return from_bits(left == 0 ? NOT_A_NUMBER : sign | INFINITY_BITS);
    if (left == 0) return from_bits(sign);
    parts x = split(left), y = split(right);
    int exponent = x.exponent - y.exponent + BIAS;
    if (x.fraction < y.fraction) {
        x.fraction <<= 1;
        exponent -= 1;
    }
    uint64_t quotient = 0, remainder = x.fraction;
    for (int i = 0; i < FRACTION + 3; i++) {
        quotient <<= 1;
        if (remainder >= y.fraction) {
            remainder -= y.fraction;
            quotient |= 1;
        }
        remainder <<= 1;
    }
    return assemble(sign, quotient | (remainder != 0), exponent);
}

// The root of an integer, and whether there is a remainder.
static uint64_t root(uint64_t value, int *is_exact) {
    uint64_t result = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 2) {
        if (value >= result + bit) {
            value -= result + bit;
            result = (result >> 1) + bit;
        } else {
            result >>= 1;
        }
    }
    *is_exact = value == 0;
    return result;
}

float sqrtf(float value) {
    uint32_t word;
    __builtin_memcpy(&word, &value, sizeof word);
    uint32_t result = 0xffffffffu;
    if ((word & 0x7fffffffu) == 0 || word == 0x7f800000u) {
        result = word;
    } else if (word < 0x7f800000u) {
        int exponent = (int)(word >> 23);
        uint64_t fraction = word & 0x7fffffu;
        if (exponent == 0) {
            int shift = __builtin_clz((uint32_t)fraction) - 8;
            fraction <<= shift;
            exponent = 1 - shift;
        } else {
            fraction |= 0x800000u;
        }
        // An even power of two outside of the root; 26 bits come out, two more than the result has.
        exponent -= 127;
        int is_odd = exponent & 1, is_exact;
        uint32_t found = (uint32_t)root(fraction << (27 + is_odd), &is_exact);
        uint32_t rest = (found & 3) << 1 | !is_exact;
        result = ((uint32_t)((exponent - is_odd) / 2 + 126) << 23) + (found >> 2);
        result += rest > 4 || (rest == 4 && (result & 1));
    }
    float out;
    __builtin_memcpy(&out, &result, sizeof out);
    return out;
}

// Half precision travels in the low half of a register.
float __extendhfsf2(uint32_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ffu, result;
    if (exponent == 31) {
        result = fraction ? 0xffffffffu : sign | 0x7f800000u;
    } else if (exponent) {
        result = sign | (exponent + 112) << 23 | fraction << 13;
    } else if (fraction) {
        uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21;
        result = sign | (113 - shift) << 23 | (fraction << shift & 0x3ffu) << 13;
    } else {
        result = sign;
    }
    float out;
    __builtin_memcpy(&out, &result, sizeof out);
    return out;
}

uint32_t __truncsfhf2(float value) {
    uint32_t word;
    __builtin_memcpy(&word, &value, sizeof word);
    uint32_t sign = word >> 16 & 0x8000u, magnitude = word & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return 0xffffu;
    if (magnitude >= 0x47800000u) return sign | 0x7c00u;
    uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u, exponent = magnitude >> 23, result = 0, dropped = 13;
    if (exponent > 112) {
        result = (exponent - 113) << 10; // the fraction's highest bit adds one
    } else {
        dropped = 126 - exponent;
        if (dropped > 25) return sign;
    }
    uint32_t rest = fraction & ((1u << dropped) - 1), half = 1u << (dropped - 1);
    result += fraction >> dropped;
    result += rest > half || (rest == half && (result & 1));
    return sign | result;
}
