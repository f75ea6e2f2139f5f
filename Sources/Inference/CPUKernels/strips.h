// Rows of weights taken apart: one function for every format, included by each instruction set, whose compiler target
// makes vectors of its loops. The including file defines LOCAL, and
//   half_to_float(bytes)                  the half-precision number there
//   look_up(codes, packed, table)         codes[i] = table[packed[i] & 15], codes[16 + i] = table[packed[i] >> 4]
#include "kernels.h"

enum {
    STRIP = 256,                    // weights that are taken apart together: a block of the K formats
    STRIP_BLOCKS = STRIP / BLOCK,
};

// Weight k of a strip is scales[k / group] * codes[k] + addends[k / group]. group is 32, or 16 in the formats of
// `has_halves`; addends are set in the formats of `has_addends`.
typedef struct {
    int8_t codes[STRIP];
    float scales[STRIP / 16], addends[STRIP / 16];
} strip;

INLINE int has_halves(int format) { return format == CPU_Q2_K || format == CPU_Q3_K || format == CPU_Q6_K; }

INLINE int has_addends(int format) {
    return format == CPU_Q4_1 || format == CPU_Q5_1 || format == CPU_Q2_K || format == CPU_Q4_K || format == CPU_Q5_K;
}

// Codes of -1, 0 and 1, under one scale for a strip or more.
INLINE int is_ternary(int format) {
    return format == CPU_TQ1_0 || format == CPU_TQ2_0 || format == CPU_I2_S || format == CPU_IQ2_BN;
}

// Formats in blocks of 32, of which a row may have any number.
INLINE size_t block_bytes(int format) {
    switch (format) {
    case CPU_Q4_0: case CPU_IQ4_NL: return 18;
    case CPU_Q4_1: return 20;
    case CPU_Q5_0: return 22;
    case CPU_Q5_1: return 24;
    case CPU_Q8_0: return 34;
    case CPU_MXFP4: return 17;
    default: return 0;
    }
}

// Bytes of 256 weights.
INLINE size_t strip_bytes(int format) {
    switch (format) {
    case CPU_Q2_K: return 84;
    case CPU_Q3_K: return 110;
    case CPU_Q4_K: return 144;
    case CPU_Q5_K: return 176;
    case CPU_Q6_K: return 210;
    case CPU_IQ4_XS: return 136;
    case CPU_TQ1_0: return 54;
    case CPU_TQ2_0: return 66;
    case CPU_I2_S: case CPU_IQ2_BN: return 64;
    default: return STRIP_BLOCKS * block_bytes(format);
    }
}

// Bytes in front of a row's blocks.
INLINE size_t row_header_bytes(int format) { return format == CPU_IQ2_BN ? sizeof(float) : 0; }

// Value = scale * table[code].
static const int8_t iq4_nl_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Twice the numbers that four bits stand for.
static const int8_t mxfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Half of 2^(exponent - 127), which is subnormal for exponents 0 and 1.
INLINE float mxfp4_scale(uint32_t exponent) {
    return float_of_bits(exponent < 2 ? 0x200000u << exponent : (exponent - 1) << 23);
}

// MARK: blocks of 32

LOCAL void unpack_nibbles(int8_t *restrict codes, const uint8_t *restrict packed, int zero) {
    for (int i = 0; i < 16; i++) {
        codes[i] = (int8_t)((packed[i] & 15) - zero);
        codes[16 + i] = (int8_t)((packed[i] >> 4) - zero);
    }
}

// Nibbles with a fifth bit each: bit i of a word for weight i.
LOCAL void unpack_fifths(
    int8_t *restrict codes, const uint8_t *restrict fifths, const uint8_t *restrict packed, int zero) {
    uint32_t bits;
    memcpy(&bits, fifths, sizeof bits);
    for (uint32_t i = 0; i < 16; i++) {
        codes[i] = (int8_t)(((packed[i] & 15) | (bits >> i & 1) << 4) - (uint32_t)zero);
        codes[16 + i] = (int8_t)((packed[i] >> 4 | (bits >> (i + 16) & 1) << 4) - (uint32_t)zero);
    }
}

LOCAL void unpack_block(int8_t *codes, float *scale, float *addend, const uint8_t *block, const int format) {
    *scale = format == CPU_MXFP4 ? mxfp4_scale(block[0]) : half_to_float(block);
    if (format == CPU_Q4_1 || format == CPU_Q5_1) *addend = half_to_float(block + 2);
    switch (format) {
    case CPU_Q4_0: unpack_nibbles(codes, block + 2, 8); break;
    case CPU_Q4_1: unpack_nibbles(codes, block + 4, 0); break;
    case CPU_Q5_0: unpack_fifths(codes, block + 2, block + 6, 16); break;
    case CPU_Q5_1: unpack_fifths(codes, block + 4, block + 8, 0); break;
    case CPU_Q8_0: memcpy(codes, block + 2, BLOCK); break;
    case CPU_IQ4_NL: look_up(codes, block + 2, iq4_nl_levels); break;
    default: look_up(codes, block + 1, mxfp4_levels); break;
    }
}

// MARK: blocks of 256

// Scales and minima of eight sub-blocks, of 6 bits each: the first four of each are the low bits of bytes 0...3 and
// 4...7; the others are nibbles of bytes 8...11, with their two upper bits on top of those.
INLINE void six_bit_pairs(uint8_t scales[8], uint8_t minima[8], const uint8_t *packed) {
    uint32_t first, second, third;
    memcpy(&first, packed, 4), memcpy(&second, packed + 4, 4), memcpy(&third, packed + 8, 4);
    const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;
    const uint32_t s0 = first & six, s1 = (third & four) | (first >> 2 & top);
    const uint32_t m0 = second & six, m1 = (third >> 4 & four) | (second >> 2 & top);
    memcpy(scales, &s0, 4), memcpy(scales + 4, &s1, 4);
    memcpy(minima, &m0, 4), memcpy(minima + 4, &m1, 4);
}

// Sixteen scales of 6 bits, offset by 32: low nibbles in bytes 0...7, upper pairs in bytes 8...11.
INLINE void six_bit_scales(int8_t scales[16], const uint8_t *packed) {
    uint32_t first, second, third;
    memcpy(&first, packed, 4), memcpy(&second, packed + 4, 4), memcpy(&third, packed + 8, 4);
    const uint32_t low = 0x0f0f0f0f, high = 0x30303030;
    const uint32_t sums[4] = {
        (first & low) | (third << 4 & high), (second & low) | (third << 2 & high),
        (first >> 4 & low) | (third & high), (second >> 4 & low) | (third >> 2 & high)};
    memcpy(scales, sums, 16);
    for (int s = 0; s < 16; s++) scales[s] = (int8_t)(scales[s] - 32);
}

LOCAL void unpack_q4_k(strip *restrict s, const uint8_t *restrict block, const int has_fifths) {
    uint8_t scales[8], minima[8];
    six_bit_pairs(scales, minima, block + 4);
    const float scale = half_to_float(block), minimum = half_to_float(block + 2);
    for (int i = 0; i < 8; i++) {
        s->scales[i] = scale * (float)scales[i];
        s->addends[i] = -(minimum * (float)minima[i]);
    }
    const uint8_t *fifths = block + 16, *nibbles = block + (has_fifths ? 48 : 16);
    for (int pair = 0; pair < 4; pair++)
        for (int i = 0; i < 32; i++) {
            int low = nibbles[32 * pair + i] & 15, high = nibbles[32 * pair + i] >> 4;
            if (has_fifths) {
                low |= (fifths[i] >> 2 * pair & 1) << 4;
                high |= (fifths[i] >> (2 * pair + 1) & 1) << 4;
            }
            s->codes[64 * pair + i] = (int8_t)low;
            s->codes[64 * pair + 32 + i] = (int8_t)high;
        }
}

// Byte 32 h + i of 64 holds weights 128 h + i + 0, 32, 64, 96 from the low bits up.
LOCAL void unpack_pairs(int8_t *restrict codes, const uint8_t *restrict packed, int zero) {
    for (int h = 0; h < 2; h++)
        for (int q = 0; q < 4; q++)
            for (int i = 0; i < 32; i++)
                codes[128 * h + 32 * q + i] = (int8_t)((packed[32 * h + i] >> 2 * q & 3) - zero);
}

LOCAL void unpack_q2_k(strip *restrict s, const uint8_t *restrict block) {
    const float scale = half_to_float(block + 80), minimum = half_to_float(block + 82);
    for (int i = 0; i < 16; i++) {
        s->scales[i] = scale * (float)(block[i] & 15);
        s->addends[i] = -(minimum * (float)(block[i] >> 4));
    }
    unpack_pairs(s->codes, block + 16, 0);
}

LOCAL void unpack_q3_k(strip *restrict s, const uint8_t *restrict block) {
    int8_t scales[16];
    six_bit_scales(scales, block + 96);
    const float scale = half_to_float(block + 108);
    for (int i = 0; i < 16; i++) s->scales[i] = scale * (float)scales[i];
    for (int h = 0; h < 2; h++)
        for (int q = 0; q < 4; q++)
            for (int i = 0; i < 32; i++) {
                const int low = block[32 + 32 * h + i] >> 2 * q & 3, high = block[i] >> (4 * h + q) & 1;
                s->codes[128 * h + 32 * q + i] = (int8_t)((low | high << 2) - 4);
            }
}

LOCAL void unpack_q6_k(strip *restrict s, const uint8_t *restrict block) {
    const float scale = half_to_float(block + 208);
    const int8_t *scales = (const int8_t *)block + 192;
    for (int i = 0; i < 16; i++) s->scales[i] = scale * (float)scales[i];
    for (int h = 0; h < 2; h++)
        for (int q = 0; q < 4; q++)
            for (int i = 0; i < 32; i++) {
                const int low = block[64 * h + 32 * (q % 2) + i] >> q / 2 * 4 & 15;
                const int high = block[128 + 32 * h + i] >> 2 * q & 3;
                s->codes[128 * h + 32 * q + i] = (int8_t)((low | high << 4) - 32);
            }
}

LOCAL void unpack_iq4_xs(strip *restrict s, const uint8_t *restrict block) {
    const float scale = half_to_float(block);
    const uint16_t pairs = load_half(block + 2);
    for (int i = 0; i < 8; i++) {
        const int low = block[4 + i / 2] >> i % 2 * 4 & 15, high = pairs >> 2 * i & 3;
        s->scales[i] = scale * (float)((low | high << 4) - 32);
        look_up(s->codes + 32 * i, block + 8 + 16 * i, iq4_nl_levels);
    }
}

// A byte is its digits as a fraction of 256 in base 3, the first digit leading.
LOCAL void unpack_digits(int8_t *restrict codes, const uint8_t *restrict bytes, const int width, const int digits) {
    const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (int n = 0; n < digits; n++)
        for (int i = 0; i < width; i++) {
            const uint8_t rest = (uint8_t)(bytes[i] * powers[n]);
            codes[width * n + i] = (int8_t)((rest * 3 >> 8) - 1);
        }
}

LOCAL void fill_scales(strip *s, float scale) {
    for (int i = 0; i < 8; i++) s->scales[i] = scale;
}

LOCAL void unpack_tq1_0(strip *restrict s, const uint8_t *restrict block) {
    unpack_digits(s->codes, block, 32, 5);
    unpack_digits(s->codes + 160, block + 32, 16, 5);
    unpack_digits(s->codes + 240, block + 48, 4, 4);
    fill_scales(s, half_to_float(block + 52));
}

// 16 bytes for 64 weights: byte j holds weights j, 16 + j, 32 + j, 48 + j from the low bits up.
LOCAL void unpack_iq2_bn(int8_t *restrict codes, const uint8_t *restrict packed) {
    for (int q = 0; q < 4; q++)
        for (int j = 0; j < 16; j++) codes[16 * q + j] = (int8_t)((packed[j] >> 2 * q & 3) - 1);
}

// 32 bytes for 128 weights: byte j holds weights j, 32 + j, 64 + j, 96 + j from the high bits down.
LOCAL void unpack_i2_s(int8_t *restrict codes, const uint8_t *restrict packed) {
    for (int q = 0; q < 4; q++)
        for (int j = 0; j < 32; j++) codes[32 * q + j] = (int8_t)((packed[j] >> (6 - 2 * q) & 3) - 1);
}

INLINE const uint8_t *strip_of_row(const uint8_t *row, size_t number, int format) {
    return row + row_header_bytes(format) + number * strip_bytes(format);
}

// Takes `blocks` blocks of 32 apart from the strip of that number in a row. Where it is not a multiple of what the format
// has together, more is written.
LOCAL void unpack_strip(
    strip *s, const uint8_t *row, size_t number, size_t blocks, float weight_scale, const int format) {
    const uint8_t *bytes = strip_of_row(row, number, format);
    switch (format) {
    case CPU_Q2_K: unpack_q2_k(s, bytes); break;
    case CPU_Q3_K: unpack_q3_k(s, bytes); break;
    case CPU_Q4_K: unpack_q4_k(s, bytes, 0); break;
    case CPU_Q5_K: unpack_q4_k(s, bytes, 1); break;
    case CPU_Q6_K: unpack_q6_k(s, bytes); break;
    case CPU_IQ4_XS: unpack_iq4_xs(s, bytes); break;
    case CPU_TQ1_0: unpack_tq1_0(s, bytes); break;
    case CPU_TQ2_0:
        unpack_pairs(s->codes, bytes, 1);
        fill_scales(s, half_to_float(bytes + 64));
        break;
    case CPU_IQ2_BN:
        for (size_t b = 0; b < blocks; b += 2) unpack_iq2_bn(s->codes + b * BLOCK, bytes + b * 8);
        fill_scales(s, load_float(row, 0));
        break;
    case CPU_I2_S:
        for (size_t b = 0; b < blocks; b += 4) unpack_i2_s(s->codes + b * BLOCK, bytes + b * 8);
        fill_scales(s, weight_scale);
        break;
    default:
        for (size_t b = 0; b < blocks; b++)
            unpack_block(
                s->codes + b * BLOCK, s->scales + b, s->addends + b, bytes + b * block_bytes(format), format);
    }
}
