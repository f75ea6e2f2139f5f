// What the used HVX instructions compute, in portable C, so that the DSP program runs on the host.
//
// Names and operand order are the Hexagon compiler's intrinsics; the arithmetic is that of the Hexagon
// V66 HVX reference (element widths, rounding and saturation included). Toolchain tests hold every one
// of them against the instruction executed by an emulator of the processor.
#ifndef HTP_HVX_HOST_H
#define HTP_HVX_HOST_H

#include <stdint.h>
#include <string.h>
#if defined(__AVX512VNNI__)
#define HVX_HOST_VNNI
#endif
#if defined(HVX_HOST_VNNI)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

// Vectors are passed between inlined functions only, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

typedef int32_t HVX_Vector __attribute__((vector_size(128)));
typedef HVX_Vector hvx_unaligned __attribute__((aligned(1)));

// The same 128 bytes as lanes of other widths.
typedef uint32_t hvx_uw __attribute__((vector_size(128)));
typedef int16_t hvx_h __attribute__((vector_size(128)));
typedef uint16_t hvx_uh __attribute__((vector_size(128)));
typedef uint8_t hvx_ub __attribute__((vector_size(128)));

// Two vectors in consecutive registers.
typedef struct HVX_VectorPair {
    HVX_Vector lo, hi;
} HVX_VectorPair;

// A predicate has a bit for each byte; here each byte is all ones or zero.
typedef HVX_Vector HVX_VectorPred;

#define HVX_OP static inline __attribute__((always_inline, unused)) HVX_Vector
#define HVX_PAIR_OP static inline __attribute__((always_inline, unused)) HVX_VectorPair
#define HVX_PRED_OP static inline __attribute__((always_inline, unused)) HVX_VectorPred

HVX_OP Q6_V_vzero(void) { return (HVX_Vector){0}; }
HVX_OP Q6_V_vsplat_R(int32_t r) { return (HVX_Vector){0} + r; }
HVX_OP Q6_V_vand_VV(HVX_Vector u, HVX_Vector v) { return u & v; }
HVX_OP Q6_V_vor_VV(HVX_Vector u, HVX_Vector v) { return u | v; }
HVX_OP Q6_V_vxor_VV(HVX_Vector u, HVX_Vector v) { return u ^ v; }

// Word arithmetic wraps around.
HVX_OP Q6_Vw_vadd_VwVw(HVX_Vector u, HVX_Vector v) { return (HVX_Vector)((hvx_uw)u + (hvx_uw)v); }
HVX_OP Q6_Vw_vsub_VwVw(HVX_Vector u, HVX_Vector v) { return (HVX_Vector)((hvx_uw)u - (hvx_uw)v); }
HVX_OP Q6_Vw_vmax_VwVw(HVX_Vector u, HVX_Vector v) {
    HVX_Vector greater = u > v;
    return (u & greater) | (v & ~greater);
}
HVX_OP Q6_Vw_vmin_VwVw(HVX_Vector u, HVX_Vector v) {
    HVX_Vector less = u < v;
    return (u & less) | (v & ~less);
}

// The same with saturation.
HVX_OP Q6_Vw_vadd_VwVw_sat(HVX_Vector u, HVX_Vector v) {
    const HVX_Vector sum = Q6_Vw_vadd_VwVw(u, v), overflow = ((u ^ sum) & (v ^ sum)) >> 31;
    return (sum & ~overflow) | (((u >> 31) ^ 0x7fffffff) & overflow);
}
HVX_OP Q6_Vw_vsub_VwVw_sat(HVX_Vector u, HVX_Vector v) {
    const HVX_Vector difference = Q6_Vw_vsub_VwVw(u, v), overflow = ((u ^ v) & (u ^ difference)) >> 31;
    return (difference & ~overflow) | (((u >> 31) ^ 0x7fffffff) & overflow);
}

// The least number stays what it is.
HVX_OP Q6_Vw_vabs_Vw(HVX_Vector u) { return Q6_Vw_vsub_VwVw(u ^ (u >> 31), u >> 31); }

// How far each word can be shifted left without changing its sign: 31 for 0 and -1.
HVX_OP Q6_Vw_vnormamt_Vw(HVX_Vector u) {
    HVX_Vector bits = u ^ (u >> 31), d = {0};
    for (int step = 16; step > 0; step /= 2) {
        const HVX_Vector fits = (HVX_Vector)((hvx_uw)bits < 1u << (31 - step));
        d += fits & step;
        bits = (HVX_Vector)((hvx_uw)bits << (hvx_uw)(fits & step));
    }
    return d;
}

// Shifts by a scalar use its low five bits.
HVX_OP Q6_Vw_vasl_VwR(HVX_Vector u, int32_t r) { return (HVX_Vector)((hvx_uw)u << (uint32_t)(r & 31)); }
HVX_OP Q6_Vw_vasr_VwR(HVX_Vector u, int32_t r) { return u >> (r & 31); }
HVX_OP Q6_Vuw_vlsr_VuwR(HVX_Vector u, int32_t r) { return (HVX_Vector)((hvx_uw)u >> (uint32_t)(r & 31)); }
HVX_OP Q6_Vw_vaslacc_VwVwR(HVX_Vector x, HVX_Vector u, int32_t r) {
    return Q6_Vw_vadd_VwVw(x, Q6_Vw_vasl_VwR(u, r));
}
HVX_OP Q6_Vw_vasracc_VwVwR(HVX_Vector x, HVX_Vector u, int32_t r) {
    return Q6_Vw_vadd_VwVw(x, Q6_Vw_vasr_VwR(u, r));
}

// Rotates the vector right by `r` bytes: byte i of the result is byte i + r of `u`.
HVX_OP Q6_V_vror_VR(HVX_Vector u, int32_t r) {
    uint8_t twice[256];
    memcpy(twice, &u, 128);
    memcpy(twice + 128, &u, 128);
    HVX_Vector d;
    memcpy(&d, twice + (r & 127), 128);
    return d;
}

// Shifts each word logically right by the signed six-bit amount in the same word of `v` (left where it
// is negative).
HVX_OP Q6_Vw_vlsr_VwVw(HVX_Vector u, HVX_Vector v) {
    HVX_Vector d;
    for (int i = 0; i < 32; i++) {
        int amount = (int)((uint32_t)v[i] << 26) >> 26;
        uint64_t word = (uint32_t)u[i];
        d[i] = (int32_t)(uint32_t)(amount < 0 ? word << -amount : word >> amount);
    }
    return d;
}

// Shifts each word left by the signed six-bit amount in the same word of `v` (arithmetically right where it is negative).
HVX_OP Q6_Vw_vasl_VwVw(HVX_Vector u, HVX_Vector v) {
    const HVX_Vector amount = (HVX_Vector)((hvx_uw)v << 26) >> 26;
    const HVX_Vector right = Q6_Vw_vmin_VwVw(-amount, (HVX_Vector){0} + 31), is_right = amount < 0;
    return ((HVX_Vector)((hvx_uw)u << (hvx_uw)(amount & 31)) & ~is_right) | ((u >> (right & is_right)) & is_right);
}

// x.w[i] += sum over j of u.ub[4i + j] * r.b[j]
HVX_OP Q6_Vw_vrmpyacc_VwVubRb(HVX_Vector x, HVX_Vector u, int32_t r) {
#if defined(HVX_HOST_VNNI)
    __m512i bytes[2], sums[2];
    memcpy(bytes, &u, 128);
    memcpy(sums, &x, 128);
    for (int i = 0; i < 2; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], bytes[i], _mm512_set1_epi32(r));
    memcpy(&x, sums, 128);
    return x;
#else
    int8_t b[4];
    memcpy(b, &r, 4);
#if defined(__SSE2__)
    __m128i even = _mm_set1_epi32((uint16_t)b[0] | (int32_t)((uint32_t)(uint16_t)b[2] << 16));
    __m128i odd = _mm_set1_epi32((uint16_t)b[1] | (int32_t)((uint32_t)(uint16_t)b[3] << 16));
    __m128i low = _mm_set1_epi16(0xff);
    __m128i bytes[8], sums[8];
    memcpy(bytes, &u, 128);
    memcpy(sums, &x, 128);
    for (int i = 0; i < 8; i++) {
        __m128i products = _mm_madd_epi16(_mm_and_si128(bytes[i], low), even);
        products = _mm_add_epi32(products, _mm_madd_epi16(_mm_srli_epi16(bytes[i], 8), odd));
        sums[i] = _mm_add_epi32(sums[i], products);
    }
    memcpy(&x, sums, 128);
    return x;
#else
    hvx_uw w = (hvx_uw)u;
    HVX_Vector sum = (HVX_Vector)(w & 0xff) * b[0] + (HVX_Vector)(w >> 8 & 0xff) * b[1]
        + (HVX_Vector)(w >> 16 & 0xff) * b[2] + (HVX_Vector)(w >> 24) * b[3];
    return Q6_Vw_vadd_VwVw(x, sum);
#endif
#endif
}

// d.h[i] = saturated, rounded u.h[i] * r.h[i & 1] / 32768
HVX_OP Q6_Vh_vmpy_VhRh_s1_rnd_sat(HVX_Vector u, int32_t r) {
    int32_t r0 = (int16_t)(r & 0xffff), r1 = r >> 16;
    HVX_Vector even = (((HVX_Vector)((hvx_uw)u << 16) >> 16) * r0 + 0x4000) >> 15;
    HVX_Vector odd = ((u >> 16) * r1 + 0x4000) >> 15;
    HVX_Vector most = (HVX_Vector){0} + 32767;
    even = Q6_Vw_vmin_VwVw(even, most);
    odd = Q6_Vw_vmin_VwVw(odd, most);
    return (HVX_Vector)(((hvx_uw)even & 0xffff) | ((hvx_uw)odd << 16));
}

// d.h[i] = saturated, rounded u.h[i] * v.h[i] / 32768
HVX_OP Q6_Vh_vmpy_VhVh_s1_rnd_sat(HVX_Vector u, HVX_Vector v) {
    HVX_Vector even = (((HVX_Vector)((hvx_uw)u << 16) >> 16) * ((HVX_Vector)((hvx_uw)v << 16) >> 16) + 0x4000) >> 15;
    HVX_Vector odd = ((u >> 16) * (v >> 16) + 0x4000) >> 15;
    HVX_Vector most = (HVX_Vector){0} + 32767;
    even = Q6_Vw_vmin_VwVw(even, most);
    odd = Q6_Vw_vmin_VwVw(odd, most);
    return (HVX_Vector)(((hvx_uw)even & 0xffff) | ((hvx_uw)odd << 16));
}

// d.w[i] = saturated, rounded u.w[i] * v.h[2i + 1] / 32768
HVX_OP Q6_Vw_vmpyo_VwVh_s1_rnd_sat(HVX_Vector u, HVX_Vector v) {
    // (2^16 a + b) / 2^15 = 2 a + b / 2^15, a and b being the products of the upper and lower half of u.
    HVX_Vector h = v >> 16;
    HVX_Vector a = (u >> 16) * h, b = (((u & 0xffff) * h) + 0x4000) >> 15;
    HVX_Vector d = Q6_Vw_vadd_VwVw(Q6_Vw_vadd_VwVw(a, a), b);
    // Only -2^31 * -2^15 exceeds the range; it has wrapped to the least number, one above the greatest.
    return Q6_Vw_vadd_VwVw(d, (a == 1 << 30) & (b == 0));
}

// The low halves of the words of `v`, then those of `u`.
HVX_OP Q6_Vh_vpacke_VwVw(HVX_Vector u, HVX_Vector v) {
    hvx_h d;
    for (int i = 0; i < 32; i++) {
        d[i] = (int16_t)v[i];
        d[i + 32] = (int16_t)u[i];
    }
    return (HVX_Vector)d;
}

// The low bytes of the halfwords of `v`, then those of `u`.
HVX_OP Q6_Vb_vpacke_VhVh(HVX_Vector u, HVX_Vector v) {
    hvx_h low = (hvx_h)v, high = (hvx_h)u;
    hvx_ub d;
    for (int i = 0; i < 64; i++) {
        d[i] = (uint8_t)low[i];
        d[i + 64] = (uint8_t)high[i];
    }
    return (HVX_Vector)d;
}

HVX_PAIR_OP Q6_W_vcombine_VV(HVX_Vector u, HVX_Vector v) { return (HVX_VectorPair){.lo = v, .hi = u}; }
HVX_OP Q6_V_lo_W(HVX_VectorPair u) { return u.lo; }
HVX_OP Q6_V_hi_W(HVX_VectorPair u) { return u.hi; }

// Halfword arithmetic wraps around, too.
HVX_OP Q6_Vh_vsplat_R(int32_t r) {
    return (HVX_Vector){0} + (int32_t)(((uint32_t)r & 0xffff) | (uint32_t)r << 16);
}
HVX_OP Q6_Vh_vadd_VhVh(HVX_Vector u, HVX_Vector v) { return (HVX_Vector)((hvx_uh)u + (hvx_uh)v); }

// Half of the sum, rounded down.
HVX_OP Q6_Vh_vavg_VhVh(HVX_Vector u, HVX_Vector v) {
    return (HVX_Vector)(((hvx_h)u & (hvx_h)v) + (((hvx_h)u ^ (hvx_h)v) >> 1));
}

// Shifts of halfwords use the low four bits of the scalar, shifts of bytes the low three.
HVX_OP Q6_Vh_vasl_VhR(HVX_Vector u, int32_t r) { return (HVX_Vector)((hvx_uh)u << (uint16_t)(r & 15)); }
HVX_OP Q6_Vuh_vlsr_VuhR(HVX_Vector u, int32_t r) { return (HVX_Vector)((hvx_uh)u >> (uint16_t)(r & 15)); }
HVX_OP Q6_Vh_vaslacc_VhVhR(HVX_Vector x, HVX_Vector u, int32_t r) {
    return Q6_Vh_vadd_VhVh(x, Q6_Vh_vasl_VhR(u, r));
}
HVX_OP Q6_Vh_vasracc_VhVhR(HVX_Vector x, HVX_Vector u, int32_t r) {
    return Q6_Vh_vadd_VhVh(x, (HVX_Vector)((hvx_h)u >> (int16_t)(r & 15)));
}
HVX_OP Q6_Vub_vlsr_VubR(HVX_Vector u, int32_t r) {
    const uint32_t mask = (0xffu >> (r & 7)) * 0x01010101u;
    return (HVX_Vector)((hvx_uw)u >> (uint32_t)(r & 7) & mask);
}

// Shifts each halfword logically right by the signed five-bit amount in the same halfword of `v` (left where
// it is negative).
HVX_OP Q6_Vh_vlsr_VhVh(HVX_Vector u, HVX_Vector v) {
    hvx_uh d = (hvx_uh)u, amounts = (hvx_uh)v;
    for (int i = 0; i < 64; i++) {
        int amount = (int)((uint32_t)amounts[i] << 27) >> 27;
        uint32_t halfword = d[i];
        d[i] = (uint16_t)(amount < 0 ? halfword << -amount : halfword >> amount);
    }
    return (HVX_Vector)d;
}

// Whether u.ub[i] & r.ub[i mod 4] is not zero, for each byte.
HVX_PRED_OP Q6_Q_vand_VR(HVX_Vector u, int32_t r) {
    return (HVX_Vector)((hvx_ub)(u & r) != 0);
}

// x.b[i] += u.b[i] where the predicate is set
HVX_OP Q6_Vb_condacc_QVbVb(HVX_VectorPred q, HVX_Vector x, HVX_Vector u) {
    return (HVX_Vector)((hvx_ub)x + (hvx_ub)(u & q));
}

// d.h[2i] and d.h[2i + 1] = rounded, saturated v.w[i] / 2^r and u.w[i] / 2^r
HVX_OP Q6_Vh_vasr_VwVwR_rnd_sat(HVX_Vector u, HVX_Vector v, int32_t r) {
    const uint32_t shift = (uint32_t)r & 15;
    HVX_Vector halves[2] = {v, u};
    for (int i = 0; i < 2; i++) {
        HVX_Vector w = halves[i];
        // The bit below the last is what the half added would carry, without its overflow.
        if (shift > 0) w = (w >> shift) + (w >> (shift - 1) & 1);
        w = Q6_Vw_vmin_VwVw(w, (HVX_Vector){0} + 32767);
        halves[i] = Q6_Vw_vmax_VwVw(w, (HVX_Vector){0} - 32768);
    }
    return (HVX_Vector)(((hvx_uw)halves[0] & 0xffff) | (hvx_uw)halves[1] << 16);
}

// Entry u.b[i] mod 32 of a table: the low (r & 2 clear) or high bytes of 32 of the halfwords of `v`, the first 32 where
// r is even.
HVX_OP Q6_Vb_vlut32_VbVbR_nomatch(HVX_Vector u, HVX_Vector v, int32_t r) {
    uint8_t indices[128], table[128], d[128];
    memcpy(indices, &u, 128);
    memcpy(table, &v, 128);
    const uint8_t *first = table + (r & 1) * 64 + (r >> 1 & 1);
    for (int i = 0; i < 128; i++) d[i] = first[2 * (indices[i] & 31)];
    HVX_Vector result;
    memcpy(&result, d, 128);
    return result;
}

// lo.h[i] += u.lo.ub[2i] * r.b[0] + u.hi.ub[2i] * r.b[1], hi.h[i] the same of the odd bytes and r.b[2], r.b[3]
HVX_PAIR_OP Q6_Wh_vmpaacc_WhWubRb(HVX_VectorPair x, HVX_VectorPair u, int32_t r) {
    int8_t b[4];
    memcpy(b, &r, 4);
    const hvx_uh lo = (hvx_uh)u.lo, hi = (hvx_uh)u.hi;
    const uint16_t b0 = (uint16_t)b[0], b1 = (uint16_t)b[1], b2 = (uint16_t)b[2], b3 = (uint16_t)b[3];
    x.lo = (HVX_Vector)((hvx_uh)x.lo + (lo & 0xff) * b0 + (hi & 0xff) * b1);
    x.hi = (HVX_Vector)((hvx_uh)x.hi + (lo >> 8) * b2 + (hi >> 8) * b3);
    return x;
}
HVX_PAIR_OP Q6_Wh_vmpa_WubRb(HVX_VectorPair u, int32_t r) {
    return Q6_Wh_vmpaacc_WhWubRb((HVX_VectorPair){{0}, {0}}, u, r);
}

// lo.w[i] += u.h[2i] * v.h[2i], hi.w[i] += u.h[2i + 1] * v.h[2i + 1]
HVX_PAIR_OP Q6_Ww_vmpyacc_WwVhVh(HVX_VectorPair x, HVX_Vector u, HVX_Vector v) {
    HVX_Vector even = ((HVX_Vector)((hvx_uw)u << 16) >> 16) * ((HVX_Vector)((hvx_uw)v << 16) >> 16);
    x.lo = Q6_Vw_vadd_VwVw(x.lo, even);
    x.hi = Q6_Vw_vadd_VwVw(x.hi, (u >> 16) * (v >> 16));
    return x;
}
HVX_PAIR_OP Q6_Ww_vmpy_VhVh(HVX_Vector u, HVX_Vector v) {
    return Q6_Ww_vmpyacc_WwVhVh((HVX_VectorPair){{0}, {0}}, u, v);
}
HVX_PAIR_OP Q6_Ww_vmpy_VhRh(HVX_Vector u, int32_t r) { return Q6_Ww_vmpy_VhVh(u, Q6_V_vsplat_R(r)); }
HVX_PAIR_OP Q6_Ww_vmpyacc_WwVhRh(HVX_VectorPair x, HVX_Vector u, int32_t r) {
    return Q6_Ww_vmpyacc_WwVhVh(x, u, Q6_V_vsplat_R(r));
}

// True for the first `r` bytes, for all 128 where r is a multiple of 128.
HVX_PRED_OP Q6_Q_vsetq2_R(int32_t r) {
    uint8_t bytes[128];
    for (int i = 0; i < 128; i++) bytes[i] = i <= ((r - 1) & 127) ? 0xff : 0;
    HVX_VectorPred d;
    memcpy(&d, bytes, 128);
    return d;
}
// Words of `u` that are greater, alone or where `q` is true, too.
HVX_PRED_OP Q6_Q_vcmp_gt_VwVw(HVX_Vector u, HVX_Vector v) { return u > v; }
HVX_PRED_OP Q6_Q_vcmp_gtand_QVwVw(HVX_VectorPred q, HVX_Vector u, HVX_Vector v) { return q & (u > v); }
// Bytes of `u` where the predicate is true, of `v` elsewhere.
HVX_OP Q6_V_vmux_QVV(HVX_VectorPred q, HVX_Vector u, HVX_Vector v) { return (u & q) | (v & ~q); }

// Exchanges bytes of `hi` whose place lacks the bit `step` with bytes of `lo` whose place has it.
static inline __attribute__((always_inline, unused)) void hvx_exchange(HVX_VectorPair *pair, int step) {
    hvx_ub hi = (hvx_ub)pair->hi, lo = (hvx_ub)pair->lo;
    for (int i = 0; i < 128; i++) {
        if ((i & step) != 0) continue;
        const uint8_t byte = hi[i];
        hi[i] = lo[i + step];
        lo[i + step] = byte;
    }
    *pair = (HVX_VectorPair){.lo = (HVX_Vector)lo, .hi = (HVX_Vector)hi};
}

// Exchanges bytes of `u` and `v` in steps of 1, 2, 4 … 64, those of the bits of `r`. With r = −4 words alternate, `v`
// first.
HVX_PAIR_OP Q6_W_vshuff_VVR(HVX_Vector u, HVX_Vector v, int32_t r) {
    HVX_VectorPair d = {.lo = v, .hi = u};
    for (int step = 1; step < 128; step *= 2)
        if ((r & step) != 0) hvx_exchange(&d, step);
    return d;
}
// The same steps in the opposite order: with r = −4 even words are gathered in the first vector.
HVX_PAIR_OP Q6_W_vdeal_VVR(HVX_Vector u, HVX_Vector v, int32_t r) {
    HVX_VectorPair d = {.lo = v, .hi = u};
    for (int step = 64; step > 0; step /= 2)
        if ((r & step) != 0) hvx_exchange(&d, step);
    return d;
}

// Halfwords 0, 32, 1, 33 …, and back.
HVX_OP Q6_Vh_vshuff_Vh(HVX_Vector u) {
    const hvx_uh from = (hvx_uh)u;
    hvx_uh d;
    for (int i = 0; i < 32; i++) {
        d[2 * i] = from[i];
        d[2 * i + 1] = from[i + 32];
    }
    return (HVX_Vector)d;
}
HVX_OP Q6_Vh_vdeal_Vh(HVX_Vector u) {
    const hvx_uh from = (hvx_uh)u;
    hvx_uh d;
    for (int i = 0; i < 32; i++) {
        d[i] = from[2 * i];
        d[i + 32] = from[2 * i + 1];
    }
    return (HVX_Vector)d;
}

// Unsigned elements become twice as wide, in order.
HVX_PAIR_OP Q6_Wuh_vunpack_Vub(HVX_Vector u) {
    const hvx_ub from = (hvx_ub)u;
    hvx_uh lo, hi;
    for (int i = 0; i < 64; i++) {
        lo[i] = from[i];
        hi[i] = from[i + 64];
    }
    return (HVX_VectorPair){.lo = (HVX_Vector)lo, .hi = (HVX_Vector)hi};
}
HVX_PAIR_OP Q6_Wuw_vunpack_Vuh(HVX_Vector u) {
    const hvx_uh from = (hvx_uh)u;
    hvx_uw lo, hi;
    for (int i = 0; i < 32; i++) {
        lo[i] = from[i];
        hi[i] = from[i + 32];
    }
    return (HVX_VectorPair){.lo = (HVX_Vector)lo, .hi = (HVX_Vector)hi};
}

#undef HVX_OP
#undef HVX_PAIR_OP
#undef HVX_PRED_OP

#endif
