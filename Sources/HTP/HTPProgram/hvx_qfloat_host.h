// The vector unit's float instructions of v68 and later, in portable C, so that the qfloat variant runs on the host.
//
// An approximation, unlike `hvx_host.h`: a qfloat is an IEEE single here. The processor's has another rounding, keeps
// a few bits more or less between instructions, and knows neither infinities nor subnormal numbers. No emulator at
// hand executes these instructions, so nothing holds this file against them. With HVX_HOST_QFLOAT_CHOPS results are
// rounded toward zero: code that keeps within its tolerance in both ways does not lean on one rounding.
#ifndef HTP_HVX_QFLOAT_HOST_H
#define HTP_HVX_QFLOAT_HOST_H

#include "floats.h"
#include "hvx_host.h"

typedef float hvx_sf __attribute__((vector_size(128)));

#define HVX_OP static inline __attribute__((always_inline, unused))

#if defined(HVX_HOST_QFLOAT_CHOPS)
// The float next to `x` toward zero, zero in place of subnormal numbers.
HVX_OP float hvx_chop(double x) {
    const float nearest = (float)x;
    uint32_t bits = float_bits(nearest);
    const double ours = nearest < 0 ? -(double)nearest : (double)nearest, theirs = x < 0 ? -x : x;
    if (ours > theirs) bits--;
    return float_of_bits((bits & 0x7fffffff) < 0x800000 ? 0 : bits);
}
#define HVX_SF_OP(EXPRESSION)                                                                                \
    do {                                                                                                     \
        const hvx_sf u_ = (hvx_sf)u, v_ = (hvx_sf)v;                                                         \
        hvx_sf d_;                                                                                           \
        for (int i = 0; i < 32; i++) {                                                                       \
            const double a = u_[i], b = v_[i];                                                               \
            d_[i] = hvx_chop(EXPRESSION);                                                                    \
        }                                                                                                    \
        return (HVX_Vector)d_;                                                                               \
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

HVX_OP HVX_Vector Q6_Vsf_vmax_VsfVsf(HVX_Vector u, HVX_Vector v) {
    const HVX_Vector greater = (HVX_Vector)((hvx_sf)u > (hvx_sf)v);
    return (u & greater) | (v & ~greater);
}
HVX_OP HVX_Vector Q6_Vsf_vmin_VsfVsf(HVX_Vector u, HVX_Vector v) {
    const HVX_Vector less = (HVX_Vector)((hvx_sf)u < (hvx_sf)v);
    return (u & less) | (v & ~less);
}
HVX_OP HVX_VectorPred Q6_Q_vcmp_gt_VsfVsf(HVX_Vector u, HVX_Vector v) {
    return (HVX_VectorPred)((hvx_sf)u > (hvx_sf)v);
}

// Products of halves: of the even ones in the first vector, of the odd ones in the second.
HVX_OP HVX_VectorPair Q6_Wqf32_vmpy_VhfVhf(HVX_Vector u, HVX_Vector v) {
    hvx_sf even, odd;
    for (int i = 0; i < 32; i++) {
        const uint32_t a = (uint32_t)u[i], b = (uint32_t)v[i];
        even[i] = float_of_half((uint16_t)a) * float_of_half((uint16_t)b);
        odd[i] = float_of_half((uint16_t)(a >> 16)) * float_of_half((uint16_t)(b >> 16));
    }
    return (HVX_VectorPair){.lo = (HVX_Vector)even, .hi = (HVX_Vector)odd};
}

// The inverse: halves of the first vector in even places.
HVX_OP HVX_Vector Q6_Vhf_equals_Wqf32(HVX_VectorPair u) {
    HVX_Vector d;
    for (int i = 0; i < 32; i++)
        d[i] = (int32_t)((uint32_t)half_of_float(((hvx_sf)u.lo)[i])
                         | (uint32_t)half_of_float(((hvx_sf)u.hi)[i]) << 16);
    return d;
}

#undef HVX_OP
#undef HVX_SF_OP

#endif
