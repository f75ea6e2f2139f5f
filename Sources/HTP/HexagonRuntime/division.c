// Integer division, for which the processor has no instruction. The names are those that clang calls.
//
// Bit by bit, beginning at the first bit that can be set in the quotient. A divisor of 0 gives all ones, and the
// dividend as the remainder.
#include <stdint.h>

typedef struct {
    uint64_t quotient, remainder;
} division;

static division divide(uint64_t dividend, uint64_t divisor) {
    if (divisor == 0) return (division){~(uint64_t)0, dividend};
    if (dividend < divisor) return (division){0, dividend};
    int shift = __builtin_clzll(divisor) - __builtin_clzll(dividend);
    divisor <<= shift;
    uint64_t quotient = 0;
    for (; shift >= 0; shift--, divisor >>= 1) {
        quotient <<= 1;
        if (dividend < divisor) continue;
        dividend -= divisor;
        quotient |= 1;
    }
    return (division){quotient, dividend};
}

// In 32 bits: most divisions are of these, and a turn of the loop is shorter.
static division divide_words(uint32_t dividend, uint32_t divisor) {
    if (divisor == 0) return (division){~(uint32_t)0, dividend};
    if (dividend < divisor) return (division){0, dividend};
    int shift = __builtin_clz(divisor) - __builtin_clz(dividend);
    divisor <<= shift;
    uint32_t quotient = 0;
    for (; shift >= 0; shift--, divisor >>= 1) {
        quotient <<= 1;
        if (dividend < divisor) continue;
        dividend -= divisor;
        quotient |= 1;
    }
    return (division){quotient, dividend};
}

static uint32_t magnitude(int32_t value) { return value < 0 ? -(uint32_t)value : (uint32_t)value; }
static uint64_t long_magnitude(int64_t value) { return value < 0 ? -(uint64_t)value : (uint64_t)value; }

uint32_t __hexagon_udivsi3(uint32_t a, uint32_t b) { return (uint32_t)divide_words(a, b).quotient; }
uint32_t __hexagon_umodsi3(uint32_t a, uint32_t b) { return (uint32_t)divide_words(a, b).remainder; }

int32_t __hexagon_divsi3(int32_t a, int32_t b) {
    uint32_t quotient = (uint32_t)divide_words(magnitude(a), magnitude(b)).quotient;
    return (int32_t)((a < 0) != (b < 0) ? -quotient : quotient);
}

int32_t __hexagon_modsi3(int32_t a, int32_t b) {
    uint32_t remainder = (uint32_t)divide_words(magnitude(a), magnitude(b)).remainder;
    return (int32_t)(a < 0 ? -remainder : remainder);
}

uint64_t __hexagon_udivdi3(uint64_t a, uint64_t b) { return divide(a, b).quotient; }
uint64_t __hexagon_umoddi3(uint64_t a, uint64_t b) { return divide(a, b).remainder; }

int64_t __hexagon_divdi3(int64_t a, int64_t b) {
    uint64_t quotient = divide(long_magnitude(a), long_magnitude(b)).quotient;
    return (int64_t)((a < 0) != (b < 0) ? -quotient : quotient);
}

int64_t __hexagon_moddi3(int64_t a, int64_t b) {
    uint64_t remainder = divide(long_magnitude(a), long_magnitude(b)).remainder;
    return (int64_t)(a < 0 ? -remainder : remainder);
}
