// For each pair of words from the input, what the operators of C make of it.
#include "standalone.h"

float __extendhfsf2(uint32_t half);
uint32_t __truncsfhf2(float value);

typedef struct {
    uint64_t a, b;
} operands;

typedef struct {
    uint32_t quotient, remainder, signed_quotient, signed_remainder;
    uint64_t long_quotient, long_remainder, signed_long_quotient, signed_long_remainder;
    double product, ratio;
    float root, from_half;
    uint32_t to_half, unused;
} results;

int main(void) {
    operands o;
    while (read_all(&o, sizeof o)) {
        double x, y;
        float z;
        uint32_t low = (uint32_t)o.a;
        __builtin_memcpy(&x, &o.a, 8);
        __builtin_memcpy(&y, &o.b, 8);
        __builtin_memcpy(&z, &low, 4);
        uint32_t a = (uint32_t)o.a, b = (uint32_t)o.b ? (uint32_t)o.b : 1;
        uint64_t longer = o.b ? o.b : 1;
        results r = {
            a / b, a % b, (uint32_t)((int32_t)a / (int32_t)b), (uint32_t)((int32_t)a % (int32_t)b),
            o.a / longer, o.a % longer, (uint64_t)((int64_t)o.a / (int64_t)longer),
            (uint64_t)((int64_t)o.a % (int64_t)longer),
            x * y, x / y, __builtin_sqrtf(z), __extendhfsf2(low & 0xffff), __truncsfhf2(z) & 0xffff, 0,
        };
        write_all(&r, sizeof r);
    }
    return 0;
}
