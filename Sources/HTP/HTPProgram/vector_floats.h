// Single precision floats 32 at a time, with the vector unit's qfloat instructions (v68 and later).
//
// Products take IEEE operands, as multiplications lose bits of qfloats that are not normalised; only sums stay in
// qfloat. Infinities are kept out by `vf_clamp`, as qfloats do not have any. Results are close to those of `floats.h`,
// not the same.
#ifndef HTP_VECTOR_FLOATS_H
#define HTP_VECTOR_FLOATS_H

#include "floats_qfloat.h"
#include "hvx_rows.h"

#if HTP_EMULATES_QFLOAT
#include "hvx_qfloat_host.h"
#endif

#define VF_LANES 32
#define VF_INLINE static inline __attribute__((always_inline, unused))

// Beyond this, a float counts as infinite: differences of two such stay finite.
#define VF_LARGEST 1e38f

VF_INLINE HVX_Vector vf_splat(float x) {
    int32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return Q6_V_vsplat_R(bits);
}

VF_INLINE float vf_first(HVX_Vector v) {
    float x;
    __builtin_memcpy(&x, &v, sizeof x);
    return x;
}

// The same for `count` floats, of which there may be more than a vector holds.
VF_INLINE HVX_Vector vf_load(const float *from, uint32_t count, HVX_Vector rest) {
    return hvx_load_part(from, count < VF_LANES ? count * 4 : HVX_BYTES, rest);
}

VF_INLINE void vf_store(float *to, uint32_t count, HVX_Vector v) {
    hvx_store_part(to, count < VF_LANES ? count * 4 : HVX_BYTES, v);
}

VF_INLINE HVX_Vector vf_add(HVX_Vector a, HVX_Vector b) { return Q6_Vsf_equals_Vqf32(Q6_Vqf32_vadd_VsfVsf(a, b)); }
VF_INLINE HVX_Vector vf_sub(HVX_Vector a, HVX_Vector b) { return Q6_Vsf_equals_Vqf32(Q6_Vqf32_vsub_VsfVsf(a, b)); }
VF_INLINE HVX_Vector vf_mul(HVX_Vector a, HVX_Vector b) { return Q6_Vsf_equals_Vqf32(Q6_Vqf32_vmpy_VsfVsf(a, b)); }
// a · b + c
VF_INLINE HVX_Vector vf_mul_add(HVX_Vector a, HVX_Vector b, HVX_Vector c) {
    return Q6_Vsf_equals_Vqf32(Q6_Vqf32_vadd_Vqf32Vsf(Q6_Vqf32_vmpy_VsfVsf(a, b), c));
}

// Sums in qfloat: they begin with `Q6_V_vzero()` and end with `Q6_Vsf_equals_Vqf32`.
VF_INLINE HVX_Vector vf_accumulate(HVX_Vector sum, HVX_Vector a, HVX_Vector b) {
    return Q6_Vqf32_vadd_Vqf32Vqf32(sum, Q6_Vqf32_vmpy_VsfVsf(a, b));
}

VF_INLINE HVX_Vector vf_max(HVX_Vector a, HVX_Vector b) { return Q6_Vsf_vmax_VsfVsf(a, b); }
VF_INLINE HVX_Vector vf_min(HVX_Vector a, HVX_Vector b) { return Q6_Vsf_vmin_VsfVsf(a, b); }
VF_INLINE HVX_Vector vf_clamp(HVX_Vector x, float limit) {
    return vf_max(vf_min(x, vf_splat(limit)), vf_splat(-limit));
}

// `a` where x > limit, else `b`.
VF_INLINE HVX_Vector vf_select(HVX_Vector x, float limit, HVX_Vector a, HVX_Vector b) {
    return Q6_V_vmux_QVV(Q6_Q_vcmp_gt_VsfVsf(x, vf_splat(limit)), a, b);
}

VF_INLINE HVX_Vector vf_abs(HVX_Vector x) { return Q6_V_vand_VV(x, Q6_V_vsplat_R(0x7fffffff)); }
VF_INLINE HVX_Vector vf_sign(HVX_Vector x) { return Q6_V_vand_VV(x, Q6_V_vsplat_R((int32_t)0x80000000)); }

// The largest lane, in every lane.
VF_INLINE HVX_Vector vf_max_of_lanes(HVX_Vector v) {
    for (int step = HVX_BYTES / 2; step >= 4; step /= 2) v = vf_max(v, Q6_V_vror_VR(v, step));
    return v;
}

// The sum of the lanes of a sum in qfloat.
VF_INLINE float vf_sum_of_lanes(HVX_Vector sum) {
    for (int step = HVX_BYTES / 2; step >= 4; step /= 2)
        sum = Q6_Vqf32_vadd_Vqf32Vqf32(sum, Q6_V_vror_VR(sum, step));
    return vf_first(Q6_Vsf_equals_Vqf32(sum));
}

// The sums of the lanes of 32 sums in qfloat, lane i that of `v[i]`; `v` is used up. Each step adds the halves of two
// vectors that are exchanged so that one addition serves both.
VF_INLINE HVX_Vector vf_sums_of_lanes(HVX_Vector *v) {
    for (int half = VF_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) {
            const HVX_VectorPair w = Q6_W_vshuff_VVR(v[i + half], v[i], 4 * half);
            v[i] = Q6_Vqf32_vadd_Vqf32Vqf32(Q6_V_lo_W(w), Q6_V_hi_W(w));
        }
    return Q6_Vsf_equals_Vqf32(v[0]);
}

// e^x; 0 below −87, e^88 above 88. See `float_exp`: whatever way the sum with 1.5 · 2^23 is rounded, n is the integer
// that its low bits say.
VF_INLINE HVX_Vector vf_exp(HVX_Vector x) {
    const HVX_Vector magic = vf_splat(12582912.0f), one = vf_splat(1.0f);
    const HVX_Vector within = vf_max(vf_min(x, vf_splat(88.0f)), vf_splat(-87.0f));
    const HVX_Vector shifted = vf_mul_add(within, vf_splat(1.44269504f), magic);
    const HVX_Vector n = vf_sub(shifted, magic);
    const HVX_Vector rest = vf_mul_add(n, vf_splat(-0.693359375f), within);
    const HVX_Vector r = vf_mul_add(n, vf_splat(2.12194440e-4f), rest);
    HVX_Vector p = vf_splat(1.0f / 5040);
    p = vf_mul_add(p, r, vf_splat(1.0f / 720));
    p = vf_mul_add(p, r, vf_splat(1.0f / 120));
    p = vf_mul_add(p, r, vf_splat(1.0f / 24));
    p = vf_mul_add(p, r, vf_splat(1.0f / 6));
    p = vf_mul_add(p, r, vf_splat(0.5f));
    p = vf_mul_add(p, r, one);
    p = vf_mul_add(p, r, one);
    const HVX_Vector power = Q6_Vw_vasl_VwR(Q6_Vw_vadd_VwVw(shifted, Q6_V_vsplat_R(127)), 23);
    return vf_select(x, -87.0f, vf_mul(p, power), Q6_V_vzero());
}

// 1 / x for x in 1 … 2. The first guess, a difference of bits, is within 5.1 %; each of Newton's steps squares that.
VF_INLINE HVX_Vector vf_reciprocal(HVX_Vector x) {
    const HVX_Vector two = vf_splat(2.0f);
    HVX_Vector y = Q6_Vw_vsub_VwVw(Q6_V_vsplat_R(0x7ef311c7), x);
    for (int i = 0; i < 3; i++) y = vf_mul(y, vf_sub(two, vf_mul(x, y)));
    return y;
}

VF_INLINE HVX_Vector vf_sigmoid(HVX_Vector x) {
    // Of −|x|, so that nothing overflows.
    const HVX_Vector e = vf_exp(Q6_V_vor_VV(x, Q6_V_vsplat_R((int32_t)0x80000000)));
    const HVX_Vector s = vf_reciprocal(vf_add(e, vf_splat(1.0f)));
    return vf_select(x, 0.0f, s, vf_mul(e, s));
}

VF_INLINE HVX_Vector vf_tanh(HVX_Vector x) {
    const HVX_Vector magnitude = vf_abs(x), one = vf_splat(1.0f), small = vf_clamp(x, 0.25f);
    const HVX_Vector z = vf_mul(small, small);
    HVX_Vector p = vf_splat(62.0f / 2835);
    p = vf_mul_add(p, z, vf_splat(-17.0f / 315));
    p = vf_mul_add(p, z, vf_splat(2.0f / 15));
    p = vf_mul_add(p, z, vf_splat(-1.0f / 3));
    p = vf_mul_add(p, vf_mul(small, z), small);
    const HVX_Vector e = vf_exp(vf_mul(vf_min(magnitude, vf_splat(40.0f)), vf_splat(-2.0f)));
    const HVX_Vector t = vf_mul(vf_sub(one, e), vf_reciprocal(vf_add(one, e)));
    return vf_select(magnitude, 0.25f, Q6_V_vor_VV(t, vf_sign(x)), p);
}

#endif
