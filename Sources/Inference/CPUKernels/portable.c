// The reference: plain C in loops that compilers turn into whatever vectors the target has.
#include <math.h>

#include "kernels.h"

#define LANES 16

static double sum_lanes(const float *lanes) {
    double sum = 0;
    for (size_t l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

static float dot_f32(const float *a, const float *b, size_t n) {
    float lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += a[k + l] * b[k + l];
    for (size_t l = 0; k < n; k++, l++) lanes[l] += a[k] * b[k];
    return (float)sum_lanes(lanes);
}

enum { FLOAT_CHUNK = 1024 };

INLINE void widen(float *dst, const uint8_t *halves, size_t n, int bf16) {
    for (size_t k = 0; k < n; k++) {
        uint16_t half = load_half(halves + 2 * k);
        dst[k] = bf16 ? float_of_bf16(half) : float_of_f16(half);
    }
}

static float dot_f16(const uint16_t *a, const float *b, size_t n) {
    float wide[FLOAT_CHUNK], sum = 0;
    for (size_t k = 0; k < n; k += FLOAT_CHUNK) {
        size_t length = min_size(FLOAT_CHUNK, n - k);
        widen(wide, (const uint8_t *)(a + k), length, 0);
        sum += dot_f32(wide, b + k, length);
    }
    return sum;
}

// MARK: products

static void matmul_f32(const cpu_product *p, size_t row_begin, size_t row_end) {
    for (size_t r = row_begin; r < row_end; r++) {
        const float *row = (const float *)((const uint8_t *)p->weights + r * p->weight_row_bytes);
        for (size_t c = 0; c < p->count; c++) {
            const float *x = (const float *)(const void *)prepared_column(p, c);
            p->dst[c * p->dst_stride + r] = dot_f32(row, x, p->columns);
        }
    }
}

// A stretch of a row is widened once and then used for every column.
INLINE void matmul_halves(const cpu_product *p, size_t row_begin, size_t row_end, int bf16) {
    float wide[FLOAT_CHUNK];
    for (size_t r = row_begin; r < row_end; r++) {
        const uint8_t *row = (const uint8_t *)p->weights + r * p->weight_row_bytes;
        for (size_t c = 0; c < p->count; c++) p->dst[c * p->dst_stride + r] = 0;
        for (size_t k = 0; k < p->columns; k += FLOAT_CHUNK) {
            size_t length = min_size(FLOAT_CHUNK, p->columns - k);
            widen(wide, row + 2 * k, length, bf16);
            for (size_t c = 0; c < p->count; c++) {
                const float *x = (const float *)(const void *)prepared_column(p, c);
                p->dst[c * p->dst_stride + r] += dot_f32(wide, x + k, length);
            }
        }
    }
}

static void matmul_f16(const cpu_product *p, size_t row_begin, size_t row_end) {
    matmul_halves(p, row_begin, row_end, 0);
}

static void matmul_bf16(const cpu_product *p, size_t row_begin, size_t row_end) {
    matmul_halves(p, row_begin, row_end, 1);
}

#define LOCAL INLINE

INLINE float half_to_float(const uint8_t *bytes) { return float_of_f16(load_half(bytes)); }

INLINE void look_up(int8_t *codes, const uint8_t *packed, const int8_t *table) {
    for (int i = 0; i < 16; i++) {
        codes[i] = table[packed[i] & 15];
        codes[16 + i] = table[packed[i] >> 4];
    }
}

#include "strips.h"

static int32_t dot_codes(const int8_t *a, const int8_t *b, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += (int16_t)(a[i] * b[i]);
    return sum;
}

// `blocks` blocks of a strip, which begin with block `first` of the row.
INLINE float dot_strip(const strip *s, activation_row x, size_t first, size_t blocks, int format) {
    float sum = 0;
    for (size_t b = 0; b < blocks; b++) {
        const int8_t *codes = s->codes + b * BLOCK, *x_codes = x.codes + (first + b) * BLOCK;
        const float x_scale = load_float(x.scales, first + b);
        if (has_halves(format)) {
            for (size_t h = 0; h < 2; h++) {
                const int32_t product = dot_codes(codes + 16 * h, x_codes + 16 * h, 16);
                sum += (float)product * (s->scales[2 * b + h] * x_scale);
                if (has_addends(format))
                    sum += s->addends[2 * b + h] * load_float(x.half_offsets, 2 * (first + b) + h);
            }
        } else {
            sum += (float)dot_codes(codes, x_codes, BLOCK) * (s->scales[b] * x_scale);
            if (has_addends(format)) sum += s->addends[b] * load_float(x.offsets, first + b);
        }
    }
    return sum;
}

// A strip is taken apart once and then used for every column.
INLINE void matmul_strips(const cpu_product *p, size_t row_begin, size_t row_end, int format) {
    const size_t blocks = p->columns / BLOCK;
    strip s;
    for (size_t r = row_begin; r < row_end; r++) {
        const uint8_t *row = (const uint8_t *)p->weights + r * p->weight_row_bytes;
        for (size_t c = 0; c < p->count; c++) p->dst[c * p->dst_stride + r] = 0;
        for (size_t first = 0; first < blocks; first += STRIP_BLOCKS) {
            const size_t present = min_size(STRIP_BLOCKS, blocks - first);
            unpack_strip(&s, row, first / STRIP_BLOCKS, present, p->weight_scale, format);
            for (size_t c = 0; c < p->count; c++) {
                const activation_row x =
                    activation_parts(prepared_column(p, c), p->columns);
                p->dst[c * p->dst_stride + r] += dot_strip(&s, x, first, present, format);
            }
        }
    }
}

#define MATMUL(name, format) \
    static void matmul_##name(const cpu_product *p, size_t row_begin, size_t row_end) { \
        matmul_strips(p, row_begin, row_end, format); \
    }
QUANTIZED_FORMATS(MATMUL)
#undef MATMUL

// x * factor + 1.5 * 2^23 leaves the nearest integer (ties to even) in the low bits. The product is rounded
// before the sum, as vector code rounds it, hence the separate function without contraction.
static int32_t rounded_product(float x, float factor) {
#if defined(__clang__)
#pragma clang fp contract(off)
    float product = x * factor;
#else
    volatile float product = x * factor;
#endif
    return (int32_t)(bits_of_float(product + 0x1.8p23f) - bits_of_float(0x1.8p23f));
}

static void quantize_activations(const float *x, size_t columns, void *out) {
    int8_t *codes = out;
    for (size_t b = 0; b < columns / BLOCK; b++) {
        const float *block = x + b * BLOCK;
        // As integers, magnitudes are ordered the same and infinity and NaN come last.
        uint32_t largest = 0;
        for (size_t i = 0; i < BLOCK; i++) {
            uint32_t magnitude = bits_of_float(block[i]) & 0x7fffffff;
            largest = magnitude > largest ? magnitude : largest;
        }
        float scale = 0;
        int32_t sums[2] = {0, 0};
        if (largest < SMALLEST_BLOCK_BITS || largest >= INFINITY_BITS) {
            memset(codes + b * BLOCK, 0, BLOCK);
            if (largest >= INFINITY_BITS) scale = float_of_bits(QUIET_NAN_BITS);
        } else {
            float factor = 127.0f / float_of_bits(largest);
            scale = float_of_bits(largest) / 127.0f;
            for (size_t i = 0; i < BLOCK; i++) {
                int32_t code = rounded_product(block[i], factor);
                codes[b * BLOCK + i] = (int8_t)code;
                sums[i / 16] += code;
            }
        }
        store_block_sums(out, columns, b, scale, sums[0], sums[1]);
    }
}

static void prepare_floats(const float *x, size_t columns, void *out) { memcpy(out, x, columns * sizeof *x); }

static void prepare_int16(const float *x, size_t columns, void *out) {
    const size_t blocks = (columns + BLOCK - 1) / BLOCK;
    uint8_t *scales = (uint8_t *)out + blocks * BLOCK * sizeof(int16_t);
    memset(out, 0, blocks * BLOCK * sizeof(int16_t));
    for (size_t b = 0; b < blocks; b++) {
        const size_t first = b * BLOCK, present = min_size(BLOCK, columns - first);
        uint32_t largest = 0;
        for (size_t i = 0; i < present; i++) {
            const uint32_t magnitude = bits_of_float(x[first + i]) & 0x7fffffff;
            largest = magnitude > largest ? magnitude : largest;
        }
        float scale = 0;
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            const float factor = INT16_CODE_MAX / float_of_bits(largest);
            scale = float_of_bits(largest) / INT16_CODE_MAX;
            for (size_t i = 0; i < present; i++) {
                const int16_t code = (int16_t)rounded_product(x[first + i], factor);
                memcpy((uint8_t *)out + (first + i) * sizeof code, &code, sizeof code);
            }
        }
        memcpy(scales + b * sizeof scale, &scale, sizeof scale);
    }
}

static void prepare_bf16(const float *x, size_t columns, void *out) {
    uint16_t *halves = out;
    for (size_t k = 0; k < columns; k++) {
        const uint16_t half = bf16_of_float(x[k]);
        memcpy(halves + k, &half, sizeof half);
    }
    if (columns % 2) memset(halves + columns, 0, sizeof *halves);
}

static void prepare_bf16_pairs(const float *x, size_t columns, void *out) {
    uint8_t *parts = out;
    memset(parts, 0, cpu_activation_bytes(CPU_ACTIVATIONS_BF16_PAIRS, columns));
    for (size_t k = 0; k < columns; k++) {
        // Rounded, ties away from zero, but no finite number to infinity.
        const float magnitude = fabsf(x[k]) < LARGEST_BF16 ? fabsf(x[k]) : LARGEST_BF16;
        const float high = copysignf(float_of_bits((bits_of_float(magnitude) + 0x8000) & 0xffff0000), x[k]);
        const uint16_t halves[2] = {bf16_of_float(high), bf16_of_float(x[k] - high)};
        for (size_t i = 0; i < 2; i++) memcpy(parts + k / 32 * 128 + 64 * i + k % 32 * 2, halves + i, 2);
    }
}

static void axpy_f32(float *y, float scale, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += scale * x[i];
}

static void axpy_f16(float *y, float scale, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += scale * float_of_f16(x[i]);
}

static void f16_from_f32(uint16_t *dst, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = f16_of_float(x[i]);
}

static void add(float *dst, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = a[i] + b[i];
}

static void rms_norm(float *dst, const float *x, const float *weight, size_t n, float epsilon) {
    if (n == 0) return;
    float lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += x[k + l] * x[k + l];
    for (size_t l = 0; k < n; k++, l++) lanes[l] += x[k] * x[k];
    float factor = (float)(1.0 / sqrt(sum_lanes(lanes) / (double)n + (double)epsilon));
    if (weight) {
        for (size_t i = 0; i < n; i++) dst[i] = x[i] * factor * weight[i];
    } else {
        for (size_t i = 0; i < n; i++) dst[i] = x[i] * factor;
    }
}

static void softmax(float *x, size_t n, float scale) {
    float largest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
        largest = x[i] > largest ? x[i] : largest;
    }
    if (largest == -INFINITY) largest = 0; // exp of -infinity, not of a NaN
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        x[i] = exp_float(x[i] - largest);
        lanes[i % LANES] += x[i];
    }
    double sum = sum_lanes(lanes);
    float factor = sum == 0 ? 0 : (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static void silu_mul(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) dst[i] = gate[i] / (1.0f + exp_float(-gate[i])) * up[i];
}

const cpu_kernels cpu_kernels_portable = {
    .matmul = {
        [CPU_F32] = matmul_f32,
        [CPU_F16] = matmul_f16,
        [CPU_BF16] = matmul_bf16,
#define ENTRY(name, format) [format] = matmul_##name,
        QUANTIZED_FORMATS(ENTRY)
    },
    .activations_of_few = {QUANTIZED_FORMATS(TAKES_INT8)},
    .activations_of_batch = {QUANTIZED_FORMATS(TAKES_INT8)},
    .prepare = {
        [CPU_ACTIVATIONS_FLOAT] = prepare_floats,
        [CPU_ACTIVATIONS_INT8] = quantize_activations,
        [CPU_ACTIVATIONS_BF16] = prepare_bf16,
        [CPU_ACTIVATIONS_INT16] = prepare_int16,
        [CPU_ACTIVATIONS_BF16_PAIRS] = prepare_bf16_pairs,
    },
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .axpy_f32 = axpy_f32,
    .axpy_f16 = axpy_f16,
    .f16_from_f32 = f16_from_f32,
    .add = add,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .silu_mul = silu_mul,
};
