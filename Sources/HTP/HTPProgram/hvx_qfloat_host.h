// The vector unit's float instructions of v68 and later, in portable C, so that the qfloat variant runs on the host.
//
// An approximation, unlike `hvx_host.h`: a qfloat is an IEEE single here. The processor's has another rounding, keeps
// a few bits more or less between instructions, and knows neither infinities nor subnormal numbers. No emulator at
// hand executes these instructions, so nothing holds this file against them. All else in the variant is executed as
// machine code: with HTP_TEST_QFLOAT in code for v66, where this file stands in for the missing instructions.
//
// With HVX_HOST_QFLOAT_CHOPS results are rounded toward zero: code that keeps within its tolerance in both ways does
// not lean on one rounding.
#ifndef HTP_HVX_QFLOAT_HOST_H
#define HTP_HVX_QFLOAT_HOST_H

#include "floats.h"
#include "hvx.h"

#define HVX_OP static inline __attribute__((always_inline, unused))

#if defined(__hexagon__)
// A test's code for v66: no vector has floats there, and predicates are registers of their own.
#define hvx_predicate(mask) Q6_Q_vand_VR(mask, -1)
#define hvx_pair(lo, hi) Q6_W_vcombine_VV(hi, lo)
#else
#define hvx_predicate(mask) (mask)
#define hvx_pair(first, second) ((HVX_VectorPair){.lo = (first), .hi = (second)})
#endif

typedef union hvx_lanes {
    HVX_Vector v;
    float f[32];
    uint32_t w[32];
} hvx_lanes;

#if defined(HVX_HOST_QFLOAT_CHOPS)
typedef double hvx_exact;
// The float next to `x` toward zero, zero in place of subnormal numbers.
HVX_OP float hvx_round(double x) {
    const float nearest = (float)x;
    uint32_t bits = float_bits(nearest);
    const double ours = nearest < 0 ? -(double)nearest : (double)nearest, theirs = x < 0 ? -x : x;
    if (ours > theirs) bits--;
    return float_of_bits((bits & 0x7fffffff) < 0x800000 ? 0 : bits);
}
#else
typedef float hvx_exact;
HVX_OP float hvx_round(float x) { return x; }
#endif

#if !defined(__hexagon__)
typedef float hvx_sf __attribute__((vector_size(128)));
#endif

#if defined(__hexagon__) || defined(HVX_HOST_QFLOAT_CHOPS)
#define HVX_SF_OP(EXPRESSION)                                                                                \
    do {                                                                                                     \
        const hvx_lanes u_ = {u}, v_ = {v};                                                                  \
        hvx_lanes d_;                                                                                        \
        for (int i = 0; i < 32; i++) {                                                                       \
            const hvx_exact a = u_.f[i], b = v_.f[i];                                                        \
            d_.f[i] = hvx_round(EXPRESSION);                                                                 \
        }                                                                                                    \
        return d_.v;                                                                                         \
    } while (0)
#else
#define HVX_SF_OP(EXPRESSION)                                                                                \
    do {                                                                                                     \
        const hvx_sf a = (hvx_sf)u, b = (hvx_sf)v;                                                           \
        return (HVX_Vector)(EXPRESSION);                                                                     \
    } while (0)
#endif

HVX_OP HVX_Vector Q6_Vqf32_vadd_VsfVsf(HVX_Vector u, HVX_Vector v) { HVX_SF_OP(a + b); }
HVX_OP HVX_Vector Q6_Vqf32_vsub_VsfVsf(HVX_Vector u, HVX_Vector v) { HVX_SF_OP(a - b); }
HVX_OP HVX_Vector Q6_Vqf32_vmpy_VsfVsf(HVX_Vector u, HVX_Vector v) { HVX_SF_OP(a * b); }
HVX_OP HVX_Vector Q6_Vqf32_vadd_Vqf32Vsf(HVX_Vector u, HVX_Vector v) { HVX_SF_OP(a + b); }
HVX_OP HVX_Vector Q6_Vqf32_vadd_Vqf32Vqf32(HVX_Vector u, HVX_Vector v) { HVX_SF_OP(a + b); }
HVX_OP HVX_Vector Q6_Vsf_equals_Vqf32(HVX_Vector u) { return u; }

// All ones where u > v.
HVX_OP HVX_Vector hvx_greater(HVX_Vector u, HVX_Vector v) {
#if defined(__hexagon__)
    const hvx_lanes u_ = {u}, v_ = {v};
    hvx_lanes d;
    for (int i = 0; i < 32; i++) d.w[i] = u_.f[i] > v_.f[i] ? 0xffffffff : 0;
    return d.v;
#else
    return (HVX_Vector)((hvx_sf)u > (hvx_sf)v);
#endif
}
HVX_OP HVX_VectorPred Q6_Q_vcmp_gt_VsfVsf(HVX_Vector u, HVX_Vector v) {
    return hvx_predicate(hvx_greater(u, v));
}
HVX_OP HVX_Vector Q6_Vsf_vmax_VsfVsf(HVX_Vector u, HVX_Vector v) {
    return Q6_V_vmux_QVV(hvx_predicate(hvx_greater(u, v)), u, v);
}
HVX_OP HVX_Vector Q6_Vsf_vmin_VsfVsf(HVX_Vector u, HVX_Vector v) {
    return Q6_V_vmux_QVV(hvx_predicate(hvx_greater(v, u)), u, v);
}

// Products of halves: of the even ones in the first vector, of the odd ones in the second.
HVX_OP HVX_VectorPair Q6_Wqf32_vmpy_VhfVhf(HVX_Vector u, HVX_Vector v) {
    const hvx_lanes a = {u}, b = {v};
    hvx_lanes even, odd;
    for (int i = 0; i < 32; i++) {
        even.f[i] = float_of_half((uint16_t)a.w[i]) * float_of_half((uint16_t)b.w[i]);
        odd.f[i] = float_of_half((uint16_t)(a.w[i] >> 16)) * float_of_half((uint16_t)(b.w[i] >> 16));
    }
    return hvx_pair(even.v, odd.v);
}

// The inverse: halves of the first vector in even places.
HVX_OP HVX_Vector Q6_Vhf_equals_Wqf32(HVX_VectorPair u) {
    const hvx_lanes even = {Q6_V_lo_W(u)}, odd = {Q6_V_hi_W(u)};
    hvx_lanes d;
    for (int i = 0; i < 32; i++)
        d.w[i] = (uint32_t)half_of_float(even.f[i]) | (uint32_t)half_of_float(odd.f[i]) << 16;
    return d.v;
}

#undef HVX_OP
#undef HVX_SF_OP

#endif
