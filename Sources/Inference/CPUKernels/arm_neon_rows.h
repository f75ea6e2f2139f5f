// Few columns: weights go from the file to registers, a vector holds 16 of one row. Part of each arm64 level.
//
// Codes are multiplied as they come out of their bits; what they lie above the weights' codes ("zero") is taken off
// their sums, by the sums of the activations' codes. Where a lane of sums is a row or a block, the float step is taken
// once for four of them.
enum { ROWS_AT_ONCE = 4 };

INLINE float half_to_float(const uint8_t *bytes) { return float_of_f16(load_half(bytes)); }

LOCAL void look_up(int8_t *codes, const uint8_t *packed, const int8_t *table) {
    const uint8x16_t bytes = vld1q_u8(packed);
    const int8x16_t levels = vld1q_s8(table);
    vst1q_s8(codes, vqtbl1q_s8(levels, vandq_u8(bytes, vdupq_n_u8(15))));
    vst1q_s8(codes + 16, vqtbl1q_s8(levels, vshrq_n_u8(bytes, 4)));
}

#include "strips.h"

// 32 codes.
typedef struct {
    int8x16_t first, last;
} code_pair;

LOCAL code_pair load_codes(const void *codes) {
    return (code_pair){vld1q_s8(codes), vld1q_s8((const int8_t *)codes + 16)};
}

LOCAL code_pair code_pair_of(uint8x16_t first, uint8x16_t last) {
    return (code_pair){vreinterpretq_s8_u8(first), vreinterpretq_s8_u8(last)};
}

LOCAL int32x4_t dot_codes(int32x4_t sums, code_pair a, code_pair b) {
    return vdotq_s32(vdotq_s32(sums, a.first, b.first), a.last, b.last);
}

// The sum of each vector's lanes.
LOCAL int32x4_t sum_each(const int32x4_t v[4]) {
    return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
}

LOCAL uint8x16_t low_nibbles(uint8x16_t bytes) { return vandq_u8(bytes, vdupq_n_u8(15)); }

LOCAL uint8x16_t high_nibbles(uint8x16_t bytes) { return vshrq_n_u8(bytes, 4); }

LOCAL int32x4_t load_ints(const uint8_t *bytes) { return vreinterpretq_s32_u8(vld1q_u8(bytes)); }

// -zero times the sums of activations' codes, of which there are -128 times as much.
LOCAL int32x4_t zero_sums(int32x4_t biases, const int zero) {
    switch (zero) {
    case 1: return vshrq_n_s32(biases, 7);
    case 8: return vshrq_n_s32(biases, 4);
    case 32: return vshrq_n_s32(biases, 2);
    case -16: return vnegq_s32(vshrq_n_s32(biases, 3));
    default: return vdupq_n_s32(0);
    }
}

// Of the codes that block_codes and strip_codes give.
INLINE int zero_of(int format) {
    switch (format) {
    case CPU_Q4_0: return 8;
    case CPU_Q6_K: return 32;
    case CPU_Q5_1: case CPU_Q5_K: return -16;
    case CPU_TQ2_0: case CPU_IQ2_BN: case CPU_I2_S: return 1;
    default: return 0;
    }
}

// MARK: blocks of 32, a lane for each row

// Shifting left and inserting puts all the bits of a mask on top of a nibble: 16 less where the fifth bit is clear.
LOCAL uint8x16_t with_fifth(uint8x16_t nibbles, uint8x16_t is_clear) { return vsliq_n_u8(nibbles, is_clear, 4); }

// Bit i of a word belongs to weight i. Codes from -16 to 15.
LOCAL code_pair nibbles_with_fifths(const uint8_t *fifths, const uint8_t *packed) {
    static const uint8_t byte_of[2][16] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3}};
    static const uint8_t bit_of[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t word = vreinterpretq_u8_s32(vsetq_lane_s32(load_int(fifths, 0), vdupq_n_s32(0), 0));
    const uint8x16_t clear = vmvnq_u8(word), bits = vld1q_u8(bit_of), nibbles = vld1q_u8(packed);
    return code_pair_of(
        with_fifth(nibbles, vtstq_u8(vqtbl1q_u8(clear, vld1q_u8(byte_of[0])), bits)),
        with_fifth(high_nibbles(nibbles), vtstq_u8(vqtbl1q_u8(clear, vld1q_u8(byte_of[1])), bits)));
}

LOCAL code_pair levels_of_nibbles(const uint8_t *packed, const int8_t *table) {
    const uint8x16_t nibbles = vld1q_u8(packed);
    const int8x16_t levels = vld1q_s8(table);
    return (code_pair){vqtbl1q_s8(levels, low_nibbles(nibbles)), vqtbl1q_s8(levels, high_nibbles(nibbles))};
}

LOCAL code_pair nibble_pair(const uint8_t *packed) {
    const uint8x16_t nibbles = vld1q_u8(packed);
    return code_pair_of(low_nibbles(nibbles), high_nibbles(nibbles));
}

LOCAL code_pair block_codes(const uint8_t *block, const int format) {
    switch (format) {
    case CPU_Q4_0: return nibble_pair(block + 2);
    case CPU_Q4_1: return nibble_pair(block + 4);
    case CPU_Q5_0: return nibbles_with_fifths(block + 2, block + 6);
    case CPU_Q5_1: return nibbles_with_fifths(block + 4, block + 8);
    case CPU_Q8_0: return load_codes(block + 2);
    case CPU_IQ4_NL: return levels_of_nibbles(block + 2, iq4_nl_levels);
    default: return levels_of_nibbles(block + 1, mxfp4_levels);
    }
}

LOCAL float32x4_t halves_of_rows(const uint8_t *const rows[ROWS_AT_ONCE], size_t offset) {
    uint16x4_t halves = vdup_n_u16(load_half(rows[0] + offset));
    halves = vset_lane_u16(load_half(rows[1] + offset), halves, 1);
    halves = vset_lane_u16(load_half(rows[2] + offset), halves, 2);
    halves = vset_lane_u16(load_half(rows[3] + offset), halves, 3);
    return vcvt_f32_f16(vreinterpret_f16_u16(halves));
}

// mxfp4_scale of each row.
LOCAL float32x4_t powers_of_rows(const uint8_t *const rows[ROWS_AT_ONCE], size_t offset) {
    uint32x4_t exponents = vdupq_n_u32(rows[0][offset]);
    exponents = vsetq_lane_u32(rows[1][offset], exponents, 1);
    exponents = vsetq_lane_u32(rows[2][offset], exponents, 2);
    exponents = vsetq_lane_u32(rows[3][offset], exponents, 3);
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(exponents, vdupq_n_u32(1)), 23);
    const uint32x4_t subnormal = vshlq_u32(vdupq_n_u32(0x200000), vreinterpretq_s32_u32(exponents));
    return vreinterpretq_f32_u32(vbslq_u32(vcgtq_u32(exponents, vdupq_n_u32(1)), normal, subnormal));
}

LOCAL void dot_rows_of_blocks(
    const uint8_t *const rows[ROWS_AT_ONCE], activation_row x, size_t blocks, const int format,
    float out[ROWS_AT_ONCE]) {
    float32x4_t sums = vdupq_n_f32(0);
    for (size_t b = 0, offset = 0; b < blocks; b++, offset += block_bytes(format)) {
        const code_pair x_codes = load_codes(x.codes + b * BLOCK);
        // In one lane of each sum that is added up.
        int32x4_t start = vdupq_n_s32(0);
        if (zero_of(format)) start = zero_sums(vsetq_lane_s32(load_int(x.biases, b), start, 0), zero_of(format));
        int32x4_t products[ROWS_AT_ONCE];
        for (size_t r = 0; r < ROWS_AT_ONCE; r++)
            products[r] = dot_codes(start, block_codes(rows[r] + offset, format), x_codes);
        const float32x4_t scales =
            format == CPU_MXFP4 ? powers_of_rows(rows, offset) : halves_of_rows(rows, offset);
        sums = vfmaq_f32(
            sums, vcvtq_f32_s32(sum_each(products)), vmulq_n_f32(scales, load_float(x.scales, b)));
        if (has_addends(format))
            sums = vfmaq_n_f32(sums, halves_of_rows(rows, offset + 2), load_float(x.offsets, b));
    }
    store_floats(out, sums);
}

// MARK: blocks of 256 and ternary weights, a lane for each 32 (or 16) weights of a row

// Four blocks of 32: half of a strip.
enum { HALF_BLOCKS = STRIP_BLOCKS / 2 };

// A half strip of activations, for all rows.
typedef struct {
    code_pair codes[HALF_BLOCKS];
    float32x4_t scales, offsets, half_offsets[2];
    int32x4_t zeros, half_zeros[2];
} half_activations;

// Blocks `first` to first + `present`, of which there are four or (in IQ2_BN) two.
LOCAL half_activations load_half_strip(activation_row x, size_t first, const size_t present, const int format) {
    half_activations h;
    for (size_t b = 0; b < present; b++) h.codes[b] = load_codes(x.codes + (first + b) * BLOCK);
    if (present < HALF_BLOCKS) {
        const uint8x8_t none = vdup_n_u8(0);
        h.scales = vreinterpretq_f32_u8(vcombine_u8(vld1_u8(x.scales + 4 * first), none));
        h.zeros = zero_sums(vreinterpretq_s32_u8(vcombine_u8(vld1_u8(x.biases + 4 * first), none)), zero_of(format));
        return h;
    }
    h.scales = load_floats(x.scales, first, F32);
    if (has_halves(format)) {
        for (size_t j = 0; j < 2; j++) {
            h.half_zeros[j] = zero_sums(load_ints(x.half_biases + 8 * first + 16 * j), zero_of(format));
            h.half_offsets[j] = load_floats(x.half_offsets, 2 * first + 4 * j, F32);
        }
    } else {
        h.zeros = zero_sums(load_ints(x.biases + 4 * first), zero_of(format));
        h.offsets = load_floats(x.offsets, first, F32);
    }
    return h;
}

// Bits 2 n and 2 n + 1 of each byte.
LOCAL uint8x16_t bit_pairs(uint8x16_t bytes, const int n) {
    const uint8x16_t three = vdupq_n_u8(3);
    switch (n) {
    case 0: return vandq_u8(bytes, three);
    case 1: return vandq_u8(vshrq_n_u8(bytes, 2), three);
    case 2: return vandq_u8(vshrq_n_u8(bytes, 4), three);
    default: return vshrq_n_u8(bytes, 6);
    }
}

// The same, with other bits above.
LOCAL uint8x16_t lower_bit_pairs(uint8x16_t bytes, const int n) {
    switch (n) {
    case 0: return bytes;
    case 1: return vshrq_n_u8(bytes, 2);
    case 2: return vshrq_n_u8(bytes, 4);
    default: return vshrq_n_u8(bytes, 6);
    }
}

LOCAL uint8x16_t q5_k_codes(uint8x16_t nibbles, uint8x16_t clear, const int bit) {
    return with_fifth(nibbles, vtstq_u8(clear, vdupq_n_u8((uint8_t)(1 << bit))));
}

LOCAL uint8x16_t q6_k_codes(uint8x16_t low, uint8x16_t high, const int n) {
    const uint8x16_t nibbles = n < 2 ? low : high_nibbles(low);
    const uint8x16_t codes = vsliq_n_u8(nibbles, lower_bit_pairs(high, n), 4);
    return n == 3 ? codes : vandq_u8(codes, vdupq_n_u8(63));
}

// Two bits below the inverted third: 4 less where that is clear.
LOCAL uint8x16_t q3_k_codes(uint8x16_t low, uint8x16_t clear, const int n, const int bit) {
    return vsliq_n_u8(lower_bit_pairs(low, n), vtstq_u8(clear, vdupq_n_u8((uint8_t)(1 << bit))), 2);
}

// The leading digit in base 3 of fractions of 256, less 1.
LOCAL int8x16_t leading_digits(uint8x16_t fractions) {
    const uint8x16_t is_zero = vcltq_u8(fractions, vdupq_n_u8(86)), is_two = vcgeq_u8(fractions, vdupq_n_u8(171));
    return vsubq_s8(vreinterpretq_s8_u8(is_zero), vreinterpretq_s8_u8(is_two));
}

LOCAL int8x16_t digits(uint8x16_t bytes, const uint8_t power) {
    return leading_digits(power == 1 ? bytes : vmulq_u8(bytes, vdupq_n_u8(power)));
}

LOCAL void tq1_0_codes(const uint8_t *block, const size_t half, code_pair codes[HALF_BLOCKS]) {
    static const uint8_t powers[16] = {1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27};
    const uint8x16_t a = vld1q_u8(block), b = vld1q_u8(block + 16);
    if (half == 0) {
        codes[0] = (code_pair){digits(a, 1), digits(b, 1)};
        codes[1] = (code_pair){digits(a, 3), digits(b, 3)};
        codes[2] = (code_pair){digits(a, 9), digits(b, 9)};
        codes[3] = (code_pair){digits(a, 27), digits(b, 27)};
    } else {
        const uint8x16_t c = vld1q_u8(block + 32), d = vreinterpretq_u8_s32(vdupq_n_s32(load_int(block + 48, 0)));
        codes[0] = (code_pair){digits(a, 81), digits(b, 81)};
        codes[1] = (code_pair){digits(c, 1), digits(c, 3)};
        codes[2] = (code_pair){digits(c, 9), digits(c, 27)};
        codes[3] = (code_pair){digits(c, 81), leading_digits(vmulq_u8(d, vld1q_u8(powers)))};
    }
}

// Block `b` of a half strip; the compiler loads once what several blocks have in the same bytes.
LOCAL code_pair strip_codes(const uint8_t *block, const size_t half, const int b, const int format) {
    const int pair = b / 2;
    switch (format) {
    case CPU_Q2_K: case CPU_TQ2_0: {
        const uint8_t *packed = block + (format == CPU_Q2_K ? 16 : 0) + 32 * half;
        return code_pair_of(bit_pairs(vld1q_u8(packed), b), bit_pairs(vld1q_u8(packed + 16), b));
    }
    case CPU_Q3_K: {
        const uint8_t *packed = block + 32 + 32 * half;
        const int bit = (int)half * 4 + b;
        return code_pair_of(
            q3_k_codes(vld1q_u8(packed), vmvnq_u8(vld1q_u8(block)), b, bit),
            q3_k_codes(vld1q_u8(packed + 16), vmvnq_u8(vld1q_u8(block + 16)), b, bit));
    }
    case CPU_Q4_K: case CPU_Q5_K: {
        const uint8_t *packed = block + (format == CPU_Q4_K ? 16 : 48) + 64 * half + 32 * pair;
        uint8x16_t first = vld1q_u8(packed), last = vld1q_u8(packed + 16);
        if (b % 2) first = high_nibbles(first), last = high_nibbles(last);
        if (format == CPU_Q4_K && b % 2) return code_pair_of(first, last);
        if (format == CPU_Q4_K) return code_pair_of(low_nibbles(first), low_nibbles(last));
        const int bit = (int)half * 4 + b;
        return code_pair_of(
            q5_k_codes(first, vmvnq_u8(vld1q_u8(block + 16)), bit),
            q5_k_codes(last, vmvnq_u8(vld1q_u8(block + 32)), bit));
    }
    case CPU_Q6_K: {
        const uint8_t *low = block + 64 * half + 32 * (b % 2), *high = block + 128 + 32 * half;
        return code_pair_of(
            q6_k_codes(vld1q_u8(low), vld1q_u8(high), b), q6_k_codes(vld1q_u8(low + 16), vld1q_u8(high + 16), b));
    }
    case CPU_IQ4_XS: return levels_of_nibbles(block + 8 + 64 * half + 16 * b, iq4_nl_levels);
    case CPU_TQ1_0: {
        code_pair codes[HALF_BLOCKS];
        tq1_0_codes(block, half, codes);
        return codes[b];
    }
    case CPU_IQ2_BN: {
        const uint8x16_t packed = vld1q_u8(block + 32 * half + 16 * pair);
        return code_pair_of(bit_pairs(packed, b % 2 * 2), bit_pairs(packed, b % 2 * 2 + 1));
    }
    default: { // I2_S
        const uint8_t *packed = block + 32 * half;
        return code_pair_of(bit_pairs(vld1q_u8(packed), 3 - b), bit_pairs(vld1q_u8(packed + 16), 3 - b));
    }
    }
}

// Integer scales and minima of a half strip, for each 32 or, in two vectors, each 16 weights.
typedef struct {
    int32x4_t scales[2];
    uint32x4_t minima[2];
} half_scales;

LOCAL void widen_signed(int8x8_t bytes, int32x4_t out[2]) {
    const int16x8_t words = vmovl_s8(bytes);
    out[0] = vmovl_s16(vget_low_s16(words));
    out[1] = vmovl_high_s16(words);
}

LOCAL void widen_unsigned(uint8x8_t bytes, uint32x4_t out[2]) {
    const uint16x8_t words = vmovl_u8(bytes);
    out[0] = vmovl_u16(vget_low_u16(words));
    out[1] = vmovl_high_u16(words);
}

// See six_bit_pairs: 12 bytes behind two halves.
LOCAL half_scales q4_k_scales(const uint8_t *block, const size_t half) {
    // In bytes 4...11 scales and minima, as far as they are the bits of those bytes.
    uint8x16_t bytes = vld1q_u8(block);
    if (half == 0) {
        bytes = vandq_u8(bytes, vdupq_n_u8(63));
    } else {
        static const uint8_t from[16] = {255, 255, 255, 255, 12, 13, 14, 15, 12, 13, 14, 15, 255, 255, 255, 255};
        static const int8_t shifts[16] = {0, 0, 0, 0, 0, 0, 0, 0, -4, -4, -4, -4, 0, 0, 0, 0};
        const uint8x16_t nibbles = vshlq_u8(vqtbl1q_u8(bytes, vld1q_u8(from)), vld1q_s8(shifts));
        const uint8x16_t top = vandq_u8(vshrq_n_u8(bytes, 2), vdupq_n_u8(0x30));
        bytes = vorrq_u8(top, low_nibbles(nibbles));
    }
    half_scales s;
    s.scales[0] = vreinterpretq_s32_u32(vmovl_high_u16(vmovl_u8(vget_low_u8(bytes))));
    s.minima[0] = vmovl_u16(vget_low_u16(vmovl_high_u8(bytes)));
    return s;
}

// See six_bit_scales.
LOCAL half_scales q3_k_scales(const uint8_t *packed, const size_t half) {
    static const int8_t shifts[2][8] = {{0, 0, 0, 0, -2, -2, -2, -2}, {-4, -4, -4, -4, -6, -6, -6, -6}};
    uint8x8_t low = vld1_u8(packed);
    low = half == 0 ? vand_u8(low, vdup_n_u8(15)) : vshr_n_u8(low, 4);
    const uint8x8_t pairs = vreinterpret_u8_s32(vdup_n_s32(load_int(packed + 8, 0)));
    const uint8x8_t high = vand_u8(vshl_u8(pairs, vld1_s8(shifts[half])), vdup_n_u8(3));
    half_scales s;
    widen_signed(vsub_s8(vreinterpret_s8_u8(vsli_n_u8(low, high, 4)), vdup_n_s8(32)), s.scales);
    return s;
}

LOCAL half_scales iq4_xs_scales(const uint8_t *block, const size_t half) {
    static const int32_t nibble_shifts[4] = {0, -4, -8, -12};
    static const int32_t pair_shifts[2][4] = {{0, -2, -4, -6}, {-8, -10, -12, -14}};
    const uint32x4_t nibbles = vshlq_u32(vdupq_n_u32(load_half(block + 4 + 2 * half)), vld1q_s32(nibble_shifts));
    const uint32x4_t pairs = vshlq_u32(vdupq_n_u32(load_half(block + 2)), vld1q_s32(pair_shifts[half]));
    const uint32x4_t low = vandq_u32(nibbles, vdupq_n_u32(15)), high = vandq_u32(pairs, vdupq_n_u32(3));
    half_scales s;
    s.scales[0] = vsubq_s32(vreinterpretq_s32_u32(vsliq_n_u32(low, high, 4)), vdupq_n_s32(32));
    return s;
}

LOCAL half_scales strip_scales(const uint8_t *block, const size_t half, const int format) {
    half_scales s;
    switch (format) {
    case CPU_Q2_K: {
        const uint8x8_t bytes = vld1_u8(block + 8 * half);
        uint32x4_t scales[2];
        widen_unsigned(vand_u8(bytes, vdup_n_u8(15)), scales);
        for (int j = 0; j < 2; j++) s.scales[j] = vreinterpretq_s32_u32(scales[j]);
        widen_unsigned(vshr_n_u8(bytes, 4), s.minima);
        return s;
    }
    case CPU_Q3_K: return q3_k_scales(block + 96, half);
    case CPU_Q6_K: widen_signed(vld1_s8((const int8_t *)block + 192 + 8 * half), s.scales); return s;
    case CPU_IQ4_XS: return iq4_xs_scales(block, half);
    default: return q4_k_scales(block, half);
    }
}

// Where a strip has its half-precision scale, and a minimum behind that.
INLINE size_t scale_offset(int format) {
    switch (format) {
    case CPU_Q2_K: return 80;
    case CPU_Q3_K: return 108;
    case CPU_Q6_K: return 208;
    case CPU_TQ1_0: return 52;
    case CPU_TQ2_0: return 64;
    default: return 0;
    }
}

INLINE int has_strip_scale(int format) { return format != CPU_IQ2_BN && format != CPU_I2_S; }

INLINE int has_integer_scales(int format) {
    return has_strip_scale(format) && format != CPU_TQ1_0 && format != CPU_TQ2_0;
}

// Adds to `sums` half a strip of a row times activations.
LOCAL float32x4_t add_half_strip(
    float32x4_t sums, const uint8_t *block, const half_activations *x, const size_t half, const size_t present,
    const int format) {
    const int32x4_t none = vdupq_n_s32(0);
    half_scales s;
    if (has_integer_scales(format)) s = strip_scales(block, half, format);
    int32x4_t products[2 * HALF_BLOCKS], dots;
    if (has_halves(format)) {
        for (int b = 0; b < HALF_BLOCKS; b++) {
            const code_pair codes = strip_codes(block, half, b, format);
            products[2 * b] = vdotq_s32(none, codes.first, x->codes[b].first);
            products[2 * b + 1] = vdotq_s32(none, codes.last, x->codes[b].last);
        }
        for (int j = 0; j < 2; j++) {
            products[j] = sum_each(products + 4 * j);
            if (zero_of(format)) products[j] = vaddq_s32(products[j], x->half_zeros[j]);
            products[j] = vmulq_s32(products[j], s.scales[j]);
        }
        dots = vpaddq_s32(products[0], products[1]);
    } else {
        for (size_t b = 0; b < HALF_BLOCKS; b++)
            products[b] = b < present ? dot_codes(none, strip_codes(block, half, (int)b, format), x->codes[b]) : none;
        dots = sum_each(products);
        if (zero_of(format)) dots = vaddq_s32(dots, x->zeros);
        if (has_integer_scales(format)) dots = vmulq_s32(dots, s.scales[0]);
    }
    const float32x4_t values = vcvtq_f32_s32(dots);
    if (!has_strip_scale(format)) return vfmaq_f32(sums, values, x->scales);
    sums = vfmaq_n_f32(sums, vmulq_f32(values, x->scales), half_to_float(block + scale_offset(format)));
    if (!has_addends(format)) return sums;
    float32x4_t minima = vcvtq_f32_u32(s.minima[0]);
    if (has_halves(format)) {
        minima = vmulq_f32(minima, x->half_offsets[0]);
        minima = vfmaq_f32(minima, vcvtq_f32_u32(s.minima[1]), x->half_offsets[1]);
    } else {
        minima = vmulq_f32(minima, x->offsets);
    }
    return vfmsq_n_f32(sums, minima, half_to_float(block + scale_offset(format) + 2));
}

LOCAL void add_half_strips(
    float32x4_t sums[ROWS_AT_ONCE], const uint8_t *const rows[ROWS_AT_ONCE], size_t offset, activation_row x,
    size_t first, const size_t half, const size_t present, const int format) {
    const half_activations h = load_half_strip(x, first, present, format);
    for (size_t r = 0; r < ROWS_AT_ONCE; r++)
        sums[r] = add_half_strip(sums[r], rows[r] + offset, &h, half, present, format);
}

LOCAL void dot_rows_of_strips(
    const uint8_t *const rows[ROWS_AT_ONCE], activation_row x, size_t blocks, float weight_scale, const int format,
    float out[ROWS_AT_ONCE]) {
    float32x4_t sums[ROWS_AT_ONCE];
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) sums[r] = vdupq_n_f32(0);
    size_t b = 0, offset = row_header_bytes(format);
    for (; b + STRIP_BLOCKS <= blocks; b += STRIP_BLOCKS, offset += strip_bytes(format)) {
        add_half_strips(sums, rows, offset, x, b, 0, HALF_BLOCKS, format);
        add_half_strips(sums, rows, offset, x, b + HALF_BLOCKS, 1, HALF_BLOCKS, format);
    }
    if (!has_strip_scale(format)) {
        if (b + HALF_BLOCKS <= blocks) {
            add_half_strips(sums, rows, offset, x, b, 0, HALF_BLOCKS, format);
            b += HALF_BLOCKS, offset += strip_bytes(format) / 2;
        }
        if (format == CPU_IQ2_BN && b < blocks) add_half_strips(sums, rows, offset, x, b, 0, 2, format);
    }
    for (size_t r = 0; r < ROWS_AT_ONCE; r++) {
        out[r] = vaddvq_f32(sums[r]);
        if (format == CPU_IQ2_BN) out[r] *= load_float(rows[r], 0);
        if (format == CPU_I2_S) out[r] *= weight_scale;
    }
}

LOCAL void dot_rows(
    const uint8_t *const rows[ROWS_AT_ONCE], const column *x, size_t blocks, float weight_scale, const int format,
    float out[ROWS_AT_ONCE]) {
    if (block_bytes(format))
        dot_rows_of_blocks(rows, *x, blocks, format, out);
    else
        dot_rows_of_strips(rows, *x, blocks, weight_scale, format, out);
}
