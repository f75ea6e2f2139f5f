// Weights of every format, one at a time and in double, straight from the layouts of GGUF and of BitNet's packed
// tensors: the witness of the kernels, which take them apart in other ways. And random rows of them.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cpu_kernels.h"

static uint64_t random_state = 88172645463325252u;

static uint32_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20);
}

// Of [0, 1).
static double uniform(void) { return (random_bits() & 0xffffff) / 0x1p24; }

// Nearly normal, variance 1.
static double normal(void) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += uniform();
    return sum;
}

static double half_value(const uint8_t *bytes) {
    const int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double finite = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    const double magnitude = exponent < 31 ? finite : fraction ? NAN : INFINITY;
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double float_value(const uint8_t *bytes) {
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

typedef struct {
    const char *name;
    int format;
    size_t weights, bytes;  // of a block
    int half_scales[2];     // where a block has half-precision numbers; -1: nowhere
} weight_format;

static const weight_format weight_formats[CPU_FORMATS] = {
    {"F32", CPU_F32, 1, 4, {-1, -1}},
    {"F16", CPU_F16, 1, 2, {-1, -1}},
    {"BF16", CPU_BF16, 1, 2, {-1, -1}},
    {"Q4_0", CPU_Q4_0, 32, 18, {0, -1}},
    {"Q4_1", CPU_Q4_1, 32, 20, {0, 2}},
    {"Q5_0", CPU_Q5_0, 32, 22, {0, -1}},
    {"Q5_1", CPU_Q5_1, 32, 24, {0, 2}},
    {"Q8_0", CPU_Q8_0, 32, 34, {0, -1}},
    {"IQ4_NL", CPU_IQ4_NL, 32, 18, {0, -1}},
    {"MXFP4", CPU_MXFP4, 32, 17, {-1, -1}},
    {"Q2_K", CPU_Q2_K, 256, 84, {80, 82}},
    {"Q3_K", CPU_Q3_K, 256, 110, {108, -1}},
    {"Q4_K", CPU_Q4_K, 256, 144, {0, 2}},
    {"Q5_K", CPU_Q5_K, 256, 176, {0, 2}},
    {"Q6_K", CPU_Q6_K, 256, 210, {208, -1}},
    {"IQ4_XS", CPU_IQ4_XS, 256, 136, {0, -1}},
    {"TQ1_0", CPU_TQ1_0, 256, 54, {52, -1}},
    {"TQ2_0", CPU_TQ2_0, 256, 66, {64, -1}},
    {"I2_S", CPU_I2_S, 128, 32, {-1, -1}},
    {"IQ2_BN", CPU_IQ2_BN, 64, 16, {-1, -1}},
};

static size_t header_bytes(const weight_format *f) { return f->format == CPU_IQ2_BN ? 4 : 0; }

static size_t row_size(const weight_format *f, size_t columns) {
    return header_bytes(f) + columns / f->weights * f->bytes;
}

static void random_row(const weight_format *f, uint8_t *row, size_t columns) {
    for (size_t i = 0; i < row_size(f, columns); i++) row[i] = (uint8_t)random_bits();
    const float row_scale = (float)(0.01 + 0.02 * uniform());
    if (f->format == CPU_IQ2_BN) memcpy(row, &row_scale, 4);
    for (size_t b = 0; b < columns / f->weights; b++) {
        uint8_t *block = row + header_bytes(f) + b * f->bytes;
        for (int i = 0; i < 2 && f->half_scales[i] >= 0; i++) {
            const int half = 0x2000 + (int)(random_bits() & 0x7ff) + (i ? (int)(random_bits() & 0x8000) : 0);
            block[f->half_scales[i]] = (uint8_t)half, block[f->half_scales[i] + 1] = (uint8_t)(half >> 8);
        }
        const float value = (float)normal();
        uint32_t bits;
        memcpy(&bits, &value, 4);
        switch (f->format) {
        case CPU_F32: memcpy(block, &bits, 4); break;
        case CPU_F16: block[1] = (uint8_t)((block[1] & 0x83) | 0x38); break;  // of [0.5, 1), and its negative
        case CPU_BF16: block[0] = (uint8_t)(bits >> 16), block[1] = (uint8_t)(bits >> 24); break;
        case CPU_MXFP4: block[0] = (uint8_t)(120 + block[0] % 4); break;
        }
    }
}

static const int nonlinear_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Weight k of a row.
static double weight(const weight_format *f, const uint8_t *row, size_t k, double tensor_scale) {
    const uint8_t *b = row + header_bytes(f) + k / f->weights * f->bytes;
    const int i = (int)(k % f->weights);
    // Of blocks of 32: the byte of weight i, and the nibble in it.
    const int place = i % 16, shift = i / 16 * 4;
    // Of blocks of 256: its half, quarter of the half, and place in the quarter.
    const int h = i / 128, q = i % 128 / 32, r = i % 32;
    switch (f->format) {
    case CPU_F32: return float_value(b);
    case CPU_F16: return half_value(b);
    case CPU_BF16: {
        const uint8_t wide[4] = {0, 0, b[0], b[1]};
        return float_value(wide);
    }
    case CPU_Q4_0: return half_value(b) * ((b[2 + place] >> shift & 15) - 8);
    case CPU_Q4_1: return half_value(b) * (b[4 + place] >> shift & 15) + half_value(b + 2);
    case CPU_Q5_0:
        return half_value(b) * ((b[6 + place] >> shift & 15) + 16 * (b[2 + i / 8] >> i % 8 & 1) - 16);
    case CPU_Q5_1:
        return half_value(b) * ((b[8 + place] >> shift & 15) + 16 * (b[4 + i / 8] >> i % 8 & 1)) + half_value(b + 2);
    case CPU_Q8_0: return half_value(b) * (b[2 + i] < 128 ? b[2 + i] : b[2 + i] - 256);
    case CPU_IQ4_NL: return half_value(b) * nonlinear_levels[b[2 + place] >> shift & 15];
    case CPU_MXFP4: {
        const int code = b[1 + place] >> shift & 15, exponent = code >> 1 & 3, fraction = code & 1;
        const double magnitude = exponent ? ldexp(2 + fraction, exponent - 2) : 0.5 * fraction;
        return ldexp(code & 8 ? -magnitude : magnitude, b[0] - 127);
    }
    case CPU_Q2_K:
        return half_value(b + 80) * (b[i / 16] & 15) * (b[16 + 32 * h + r] >> 2 * q & 3)
               - half_value(b + 82) * (b[i / 16] >> 4);
    case CPU_Q3_K: {
        const uint8_t *scales = b + 96;
        const int s = i / 16;
        const int scale = (s < 8 ? scales[s] & 15 : scales[s - 8] >> 4) + 16 * (scales[8 + s % 4] >> s / 4 * 2 & 3);
        const int code = (b[32 + 32 * h + r] >> 2 * q & 3) - (b[r] >> i / 32 & 1 ? 0 : 4);
        return half_value(b + 108) * (scale - 32) * code;
    }
    case CPU_Q4_K:
    case CPU_Q5_K: {
        const uint8_t *s = b + 4, *nibbles = b + (f->format == CPU_Q4_K ? 16 : 48);
        const int j = i / 32;
        const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        const int minimum = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        int code = nibbles[i / 64 * 32 + r] >> j % 2 * 4 & 15;
        if (f->format == CPU_Q5_K) code += 16 * (b[16 + r] >> j & 1);
        return half_value(b) * scale * code - half_value(b + 2) * minimum;
    }
    case CPU_Q6_K: {
        const int code = (b[64 * h + i % 64] >> q / 2 * 4 & 15) + 16 * (b[128 + 32 * h + r] >> 2 * q & 3) - 32;
        const int scale = b[192 + i / 16];
        return half_value(b + 208) * (scale < 128 ? scale : scale - 256) * code;
    }
    case CPU_IQ4_XS: {
        const int j = i / 32, high = (b[2] | b[3] << 8) >> 2 * j & 3;
        const int scale = (b[4 + j / 2] >> j % 2 * 4 & 15) + 16 * high - 32;
        return half_value(b) * scale * nonlinear_levels[b[8 + 16 * j + place] >> i % 32 / 16 * 4 & 15];
    }
    case CPU_TQ1_0: {
        const int part = i < 160 ? 0 : i < 240 ? 1 : 2, width = 32 >> (part == 2 ? 3 : part);
        const int first = part == 0 ? 0 : part == 1 ? 160 : 240;
        const int byte = b[(part == 0 ? 0 : part == 1 ? 32 : 48) + (i - first) % width];
        // The digit after the first n of byte / 256 in base 3.
        double fraction = byte / 256.0;
        int digit = 0;
        for (int n = 0; n <= (i - first) / width; n++) {
            digit = (int)(fraction * 3);
            fraction = fraction * 3 - digit;
        }
        return half_value(b + 52) * (digit - 1);
    }
    case CPU_TQ2_0: return half_value(b + 64) * ((b[32 * h + r] >> 2 * q & 3) - 1);
    case CPU_I2_S: return tensor_scale * ((b[r] >> (6 - 2 * q) & 3) - 1);
    case CPU_IQ2_BN: return float_value(row) * ((b[place] >> i / 16 * 2 & 3) - 1);
    default: return NAN;
    }
}
