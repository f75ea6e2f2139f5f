// Vectors of LANES floats and what is computed with them alone: part of attention_body.h.

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
    float lanes[LANES];
    memcpy(lanes, &v, sizeof lanes);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) lanes[i] = lanes[i + step] > lanes[i] ? lanes[i + step] : lanes[i];
    return lanes[0];
}

LOCAL float LEVEL(sum_of_lanes)(VF v) {
    float lanes[LANES];
    memcpy(lanes, &v, sizeof lanes);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) lanes[i] += lanes[i + step];
    return lanes[0];
}

// See exp_float; of numbers that are not above 0. A NaN passes through.
LOCAL VF LEVEL(exp)(VF x) {
    x = LEVEL(max)(SPLAT(EXP_LOWEST), x);
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
#if LANES == 16
    return (VF)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    const VI exponent = (VI)shifted - (VI)round, half = exponent >> 1;
    const VF first = (VF)((half + 127) << 23), second = (VF)((exponent - half + 127) << 23);
    return p * first * second;
#endif
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
