// Rows of the key/value cache, in the qfloat variant.
#include "floats_qfloat.h"

#if HTP_HAS_QFLOAT

#include "cache.h"
#include "vector_floats.h"

#define HALVES 64 // of a vector

static void encode_halves(uint8_t *row, const float *x, uint32_t size) {
    const HVX_Vector zero = Q6_V_vzero();
    for (uint32_t i = 0; i < size; i += HALVES) {
        const HVX_Vector first = vf_clamp(vf_load(x + i, size - i, zero), 65504.0f);
        const HVX_Vector second
            = i + VF_LANES < size ? vf_clamp(vf_load(x + i + VF_LANES, size - i - VF_LANES, zero), 65504.0f) : zero;
        const HVX_VectorPair both
            = Q6_W_vcombine_VV(Q6_Vqf32_vadd_VsfVsf(second, zero), Q6_Vqf32_vadd_VsfVsf(first, zero));
        const uint32_t count = size - i < HALVES ? size - i : HALVES;
        hvx_store_part(row + 2 * (size_t)i, 2 * count, Q6_Vh_vdeal_Vh(Q6_Vhf_equals_Wqf32(both)));
    }
}

// The low bytes of 32 words are codes. See `cache_encode` for the limits.
static void encode_codes(uint8_t *row, const float *x, uint32_t size) {
    uint16_t *scales = (uint16_t *)(void *)(row + size);
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++) {
        const HVX_Vector v = hvx_load_unaligned(x + (size_t)block * CACHE_BLOCK);
        float largest = vf_first(vf_max_of_lanes(vf_abs(v)));
        largest = largest < 8e6f ? largest : 8e6f;
        const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
        const HVX_Vector scaled = vf_clamp(vf_mul(v, vf_splat(inverse)), 127.0f);
        const HVX_Vector words = vf_add(scaled, vf_splat(12582912.0f)), zero = Q6_V_vzero();
        const HVX_Vector codes = Q6_Vb_vpacke_VhVh(zero, Q6_Vh_vpacke_VwVw(zero, words));
        hvx_store_tail(row + block * CACHE_BLOCK, CACHE_BLOCK, codes);
        scales[block] = half_of_float(largest / 127.0f);
    }
}

void qfloat_encode(uint8_t *row, const float *x, uint32_t size, uint32_t type) {
    switch (type) {
    case HTP_CACHE_F16: encode_halves(row, x, size); break;
    case HTP_CACHE_Q8: encode_codes(row, x, size); break;
    case HTP_CACHE_Q4: cache_encode_nibbles(row, x, size); break;
    default:
        for (uint32_t i = 0; i < size; i += VF_LANES)
            vf_store((float *)(void *)row + i, size - i, vf_load(x + i, size - i, Q6_V_vzero()));
    }
}

// Halves times one are floats; they are exchanged first, so that the even ones are the first 32.
static void decode_halves(float *to, const uint8_t *row, uint32_t size) {
    const HVX_Vector one = Q6_Vh_vsplat_R(0x3c00);
    for (uint32_t i = 0; i < size; i += HALVES) {
        const uint32_t count = size - i < HALVES ? size - i : HALVES;
        const HVX_Vector halves = hvx_load_part(row + 2 * (size_t)i, 2 * count, Q6_V_vzero());
        const HVX_VectorPair both = Q6_Wqf32_vmpy_VhfVhf(Q6_Vh_vshuff_Vh(halves), one);
        hvx_store(to + i, Q6_Vsf_equals_Vqf32(Q6_V_lo_W(both)));
        if (count > VF_LANES) hvx_store(to + i + VF_LANES, Q6_Vsf_equals_Vqf32(Q6_V_hi_W(both)));
    }
}

// Codes + 128 become the low bits of floats from 2^23 on, which a difference takes away again: there is no conversion
// before v73.
static void decode_codes(float *to, const uint8_t *row, const uint8_t *steps, uint32_t size) {
    float scales[HTP_HEAD_SIZE_MAX / CACHE_BLOCK] __attribute__((aligned(HVX_BYTES)));
    decode_halves(scales, steps, size / CACHE_BLOCK);
    const HVX_Vector exponent = Q6_V_vsplat_R(0x4b000000), zero_point = vf_splat(8388736.0f);
    for (uint32_t i = 0; i < size; i += HVX_BYTES) {
        const uint32_t count = size - i < HVX_BYTES ? size - i : HVX_BYTES;
        const HVX_Vector codes = hvx_load_part(row + i, count, Q6_V_vzero());
        const HVX_VectorPair halves
            = Q6_Wuh_vunpack_Vub(Q6_V_vxor_VV(codes, Q6_V_vsplat_R((int32_t)0x80808080)));
        const HVX_VectorPair low = Q6_Wuw_vunpack_Vuh(Q6_V_lo_W(halves));
        const HVX_VectorPair high = Q6_Wuw_vunpack_Vuh(Q6_V_hi_W(halves));
        const HVX_Vector words[4] = {Q6_V_lo_W(low), Q6_V_hi_W(low), Q6_V_lo_W(high), Q6_V_hi_W(high)};
        for (uint32_t k = 0; k < 4 && k * CACHE_BLOCK < count; k++) {
            const HVX_Vector code = vf_sub(Q6_V_vor_VV(words[k], exponent), zero_point);
            hvx_store(to + i + k * CACHE_BLOCK, vf_mul(code, vf_splat(scales[i / CACHE_BLOCK + k])));
        }
    }
}

// Nibbles become codes of eight bits first.
static void decode_nibbles(float *to, const uint8_t *row, uint32_t size) {
    int8_t codes[HTP_HEAD_SIZE_MAX] __attribute__((aligned(HVX_BYTES)));
    for (uint32_t block = 0; block < size / CACHE_BLOCK; block++)
        for (uint32_t i = 0; i < CACHE_BLOCK / 2; i++) {
            const uint8_t both = row[block * (CACHE_BLOCK / 2) + i];
            codes[block * CACHE_BLOCK + i] = (int8_t)((both & 15) - 8);
            codes[block * CACHE_BLOCK + CACHE_BLOCK / 2 + i] = (int8_t)((both >> 4) - 8);
        }
    decode_codes(to, (const uint8_t *)codes, row + size / 2, size);
}

void qfloat_decode(float *to, const uint8_t *row, uint32_t size, uint32_t type) {
    switch (type) {
    case HTP_CACHE_F16: decode_halves(to, row, size); break;
    case HTP_CACHE_Q8: decode_codes(to, row, row + size, size); break;
    case HTP_CACHE_Q4: decode_nibbles(to, row, size); break;
    default:
        for (uint32_t i = 0; i < size; i += VF_LANES)
            hvx_store(to + i, vf_load((const float *)(const void *)row + i, size - i, Q6_V_vzero()));
    }
}

#endif
