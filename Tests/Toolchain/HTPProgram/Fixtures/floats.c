// The kernels of both variants against double precision: random rows of any length, at any address, with extreme
// values. Every array is an allocation of its own, so that sanitizers see each byte touched outside it.
//
// Writes a line for each kernel: its name, the number of values, and the largest error of the plain and of the qfloat
// variant in millionths: relative to the value, or to the largest of the row where many are summed. Ends with status 1
// where a value is not a number that should be one, and never hangs.
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "AEEStdErr.h"
#include "cache.h"
#include "float_kernels.h"
#include "platform.h"

void *platform_allocate(size_t size) {
    void *memory = NULL;
    return posix_memalign(&memory, 128, size) == 0 ? memory : NULL;
}
void platform_free(void *memory) { free(memory); }

enum { VARIANTS = 2 };
static const float_kernels *variants[VARIANTS];

// Random numbers.

static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}
static uint32_t below(uint32_t limit) { return (uint32_t)((uint64_t)random_word() * limit >> 32); }
static float uniform(void) { return (float)(int32_t)random_word() * 0x1p-31f; }
static float normal(void) { return (uniform() + uniform() + uniform() + uniform()) * 0.87f; }

static const float edges[] = {0.0f,  -0.0f,  1e-40f, -1e-40f, 1e-20f, -1e-20f, 0.25f, -0.25f, 0.2499f, 20.0f,
                              -20.0f, 87.0f, -87.0f, 88.5f,   -88.5f, 1e4f,    -1e4f, 1e18f,  -1e18f};
static float wide(void) {
    switch (below(8)) {
    case 0: return edges[below(sizeof edges / sizeof *edges)];
    case 1: return uniform() * 100;
    case 2: return uniform() * 0.3f;
    default: return normal() * 3;
    }
}

static void *blocks[64];
static int block_count;

// An allocation of its own, at any multiple of 4 bytes; it ends with the array.
static void *array(size_t bytes) {
    const uint32_t gap = 4 * below(4);
    uint8_t *block = malloc(bytes + gap);
    if (!block) exit(2);
    blocks[block_count++] = block;
    return block + gap;
}
static float *floats(uint32_t count, float (*make)(void)) {
    float *x = array((size_t)count * 4);
    for (uint32_t i = 0; i < count; i++) x[i] = make ? make() : -7.25f;
    return x;
}
static float *copy(const float *x, uint32_t count) {
    float *y = floats(count, NULL);
    memcpy(y, x, (size_t)count * 4);
    return y;
}
static void free_all(void) {
    while (block_count > 0) free(blocks[--block_count]);
}

// Errors.

typedef struct record {
    const char *name;
    uint64_t count;
    double worst[VARIANTS];
} record;
static record records[32];
static int record_count;

static record *record_of(const char *name) {
    for (int i = 0; i < record_count; i++)
        if (strcmp(records[i].name, name) == 0) return &records[i];
    records[record_count].name = name;
    return &records[record_count++];
}

// Each error relative to the value, but to `floor` at least.
static void compare(const char *name, int variant, const float *got, const double *want, uint32_t count,
                    double floor) {
    record *r = record_of(name);
    for (uint32_t i = 0; i < count; i++) {
        const double size = fabs(want[i]) > floor ? fabs(want[i]) : floor;
        const double error = fabs((double)got[i] - want[i]) / size;
        if (!(error <= 1e30)) {
            printf("%s: %g in place of %g at %u of %u, variant %d\n", name, (double)got[i], want[i], i, count, variant);
            exit(1);
        }
        if (error > r->worst[variant]) r->worst[variant] = error;
        r->count++;
    }
}

static double largest(const double *x, uint32_t count) {
    double most = 0;
    for (uint32_t i = 0; i < count; i++) most = fabs(x[i]) > most ? fabs(x[i]) : most;
    return most;
}

// Below this, flushing subnormal numbers to zero may show.
#define TINY 1e-30

static double want[1 << 16];

static uint32_t width(void) {
    static const uint32_t often[] = {1, 31, 32, 33, 63, 64, 65, 96, 128, 257, 1000};
    return below(2) == 0 ? often[below(sizeof often / sizeof *often)] : 1 + below(300);
}

// The place where a kernel writes: one of its sources, or room of its own.
static float *place(float *source, uint32_t count, int in_place) {
    return in_place ? source : floats(count, NULL);
}

static void elementwise(void) {
    const uint32_t n = width();
    const int in_place = below(2) == 0;
    const float *a = floats(n, wide), *b = floats(n, wide);
    const htp_scale_parameters s = {n, normal(), normal(), below(2) == 0 ? 1.0f + fabsf(normal()) * 30 : 0};
    for (int v = 0; v < VARIANTS; v++) {
        float *x = copy(a, n), *to = place(x, n, in_place);
        variants[v]->add(to, x, b, n);
        for (uint32_t i = 0; i < n; i++) want[i] = (double)a[i] + b[i];
        // Of sums, what cancels is exact; a smaller one may have lost what the larger one rounds away.
        compare("add", v, to, want, n, TINY);
        x = copy(a, n), to = place(x, n, in_place);
        variants[v]->multiply(to, x, b, n);
        for (uint32_t i = 0; i < n; i++) want[i] = (double)a[i] * b[i];
        compare("multiply", v, to, want, n, TINY);
        x = copy(a, n), to = place(x, n, in_place);
        variants[v]->scale(to, x, n, &s);
        for (uint32_t i = 0; i < n; i++) {
            want[i] = (double)a[i] * s.scale + s.offset;
            if (s.cap > 0) want[i] = s.cap * tanh(want[i] / s.cap);
        }
        // A product that the offset cancels keeps the error of its rounding.
        compare("scale", v, to, want, n, 1);
    }
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double function(uint32_t which, double x) {
    switch (which) {
    case HTP_FUNCTION_SILU: return x * sigmoid(x);
    case HTP_FUNCTION_GELU: return x * sigmoid(2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case HTP_FUNCTION_GELU_QUICK: return x * sigmoid(1.702 * x);
    case HTP_FUNCTION_RELU: return x > 0 ? x : 0;
    case HTP_FUNCTION_RELU_SQUARED: return x > 0 ? x * x : 0;
    case HTP_FUNCTION_SIGMOID: return sigmoid(x);
    case HTP_FUNCTION_TANH: return tanh(x);
    default: return x;
    }
}

static void activations(void) {
    static const char *const names[] = {"identity", "silu", "gelu", "gelu quick", "relu", "relu squared",
                                        "sigmoid",  "tanh", "swiglu clamped"};
    const uint32_t n = width(), which = below(9);
    const int clamped = which == HTP_FUNCTION_SWIGLU_CLAMPED, gated = clamped || below(2) == 0;
    const int in_place = below(2) == 0;
    const htp_activate_parameters p = {n, which, clamped ? 1.702f : 0, clamped ? 7.0f : 0};
    const float *a = floats(n, wide), *b = floats(n, normal);
    for (uint32_t i = 0; i < n; i++) {
        if (clamped) {
            const double gate = a[i] < p.limit ? a[i] : p.limit, u = fmax(fmin(b[i], p.limit), -p.limit);
            want[i] = gate * sigmoid((double)p.alpha * gate) * (u + 1);
        } else {
            want[i] = function(which, a[i]) * (gated ? b[i] : 1.0);
        }
    }
    for (int v = 0; v < VARIANTS; v++) {
        float *x = copy(a, n), *to = place(x, n, in_place);
        variants[v]->activate(to, x, gated ? b : NULL, n, &p);
        // The exponential's argument is rounded: an error that grows with its size, where the value is next to 0.
        compare(names[which], v, to, want, n, 1e-4);
    }
}

static void softmax(void) {
    const uint32_t n = width();
    float *x = floats(n, normal);
    const float scale = below(4) == 0 ? -2.0f : 8.0f;
    const int masks = below(3);
    for (uint32_t i = 0; i < n; i++) {
        if (masks == 1 && below(3) == 0) x[i] = scale > 0 ? -INFINITY : INFINITY;
        if (masks == 2 && below(9) == 0) x[i] = (below(2) == 0 ? 1e30f : 1e37f) * (scale > 0 ? -1 : 1);
    }
    double most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < n; i++) most = fmax(most, (double)x[i] * scale);
    for (uint32_t i = 0; i < n; i++) sum += want[i] = isinf(most) ? 0 : exp((double)x[i] * scale - most);
    for (uint32_t i = 0; i < n; i++) want[i] = sum > 0 ? want[i] / sum : 0;
    const int in_place = below(2) == 0;
    for (int v = 0; v < VARIANTS; v++) {
        float *from = copy(x, n), *to = place(from, n, in_place);
        variants[v]->softmax(to, from, n, scale);
        compare("softmax", v, to, want, n, fmax(largest(want, n), 1e-3));
    }
}

static void norms(void) {
    const uint32_t n = width();
    const int center = below(2) == 0, in_place = below(2) == 0;
    const htp_norm_parameters p = {n, 1, 1e-5f};
    const float magnitude = below(3) == 0 ? 1e10f : below(2) == 0 ? 1e-8f : 1;
    float *x = floats(n, normal);
    for (uint32_t i = 0; i < n; i++) x[i] = x[i] * magnitude + (center ? magnitude : 0);
    const float *weight = below(3) > 0 ? floats(n, normal) : NULL, *bias = below(3) == 0 ? floats(n, normal) : NULL;
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n; i++) mean += center ? x[i] / (double)n : 0;
    for (uint32_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / n;
    for (uint32_t i = 0; i < n; i++)
        want[i] = (x[i] - mean) / sqrt(square + p.epsilon) * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
    for (int v = 0; v < VARIANTS; v++) {
        float *from = copy(x, n), *to = place(from, n, in_place);
        variants[v]->normalize(to, from, weight, bias, &p, center);
        compare(center ? "layer norm" : "rms norm", v, to, want, n, fmax(largest(want, n), 1));
    }
}

static void rotations(void) {
    const uint32_t n = 2 + width(), pairs = 1 + below(n / 2);
    const int halves = below(2) == 0, in_place = below(2) == 0;
    const float *x = floats(n, normal), *angles = floats(2 * pairs, uniform);
    for (uint32_t i = 0; i < n; i++) want[i] = x[i];
    for (uint32_t i = 0; i < pairs; i++) {
        const uint32_t at = halves ? i : 2 * i, other = halves ? pairs + i : 2 * i + 1;
        const double a = x[at], b = x[other], cosine = angles[2 * i], sine = angles[2 * i + 1];
        want[at] = a * cosine - b * sine;
        want[other] = a * sine + b * cosine;
    }
    for (int v = 0; v < VARIANTS; v++) {
        float *from = copy(x, n), *to = place(from, n, in_place);
        variants[v]->rotate(to, from, n, pairs, angles, halves);
        compare("rotate", v, to, want, n, 1);
    }
}

static void mixtures(void) {
    const uint32_t n = width(), count = 1 + below(9), distance = n + below(5);
    const float *x = floats((count - 1) * distance + n, normal), *weights = floats(count, normal);
    const float *addend = below(2) == 0 ? floats(n, normal) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        want[i] = addend ? addend[i] : 0;
        for (uint32_t k = 0; k < count; k++) want[i] += (double)x[k * distance + i] * weights[k];
    }
    for (int v = 0; v < VARIANTS; v++) {
        float *to = floats(n, NULL);
        variants[v]->mix(to, x, distance, weights, count, addend, n);
        compare("mix", v, to, want, n, 1);
    }
}

static uint32_t head_size(uint32_t type) {
    static const uint32_t sizes[] = {32, 64, 96, 128, 256};
    const uint32_t size = sizes[below(5)];
    return type >= HTP_CACHE_Q8 || below(2) == 0 ? size : 1 + below(200);
}

static void stores(void) {
    static const char *const names[] = {"store f32", "store f16", "store q8", "store q4"};
    const uint32_t type = below(4), n = head_size(type);
    float *x = floats(n, below(3) == 0 ? wide : normal);
    uint8_t *rows[VARIANTS];
    for (int v = 0; v < VARIANTS; v++) {
        rows[v] = array(cache_row_bytes(type, n));
        variants[v]->encode(rows[v], x, n, type);
    }
    float *got[VARIANTS];
    for (int v = 0; v < VARIANTS; v++) {
        got[v] = floats(n, NULL);
        cache_decode(got[v], rows[v], n, type);
    }
    for (uint32_t i = 0; i < n; i++) {
        // Ours is the plain variant's rounding: the other may be a step off.
        const double value = type == HTP_CACHE_F32 ? x[i] : got[0][i];
        double step = 1e-6;
        if (type == HTP_CACHE_F16) step = fmax(fabs(value) * 0x1p-10, 0x1p-14);
        if (type >= HTP_CACHE_Q8) {
            step = 1e-20;
            for (uint32_t j = i / 32 * 32; j < i / 32 * 32 + 32; j++)
                step = fmax(step, fabs((double)got[0][j]) / (type == HTP_CACHE_Q8 ? 127 : 8));
        }
        for (int v = 0; v < VARIANTS; v++) {
            record *r = record_of(names[type]);
            const double steps = fabs(got[v][i] - value) / step;
            if (!(steps <= 1.01)) {
                printf("%s: %g in place of %g, steps %g\n", names[type], (double)got[v][i], value, steps);
                exit(1);
            }
            if (type == HTP_CACHE_F32 && steps > r->worst[v]) r->worst[v] = steps;
            r->count++;
        }
    }
}

static void attentions(void) {
    static const char *const names[] = {"attention f32", "attention f16", "attention q8", "attention q4"};
    const uint32_t key_type = below(3), value_type = below(3), heads = 1 + below(5), end = 1 + below(100);
    htp_attention_parameters p = {.key_heads = 1, .group = heads, .key_size = head_size(key_type),
                                  .value_size = head_size(value_type), .key_type = key_type,
                                  .value_type = value_type, .scale = 0.1f + 0.1f * fabsf(normal())};
    if (below(3) == 0) p.cap = 5;
    const uint32_t key_bytes = cache_row_bytes(key_type, p.key_size);
    const uint32_t value_bytes = cache_row_bytes(value_type, p.value_size);
    const uint32_t key_stride = (key_bytes + 3) / 4 * 4 + 4 * below(3), value_stride = (value_bytes + 3) / 4 * 4;
    uint8_t *keys = (uint8_t *)floats((end - 1) * key_stride / 4 + (key_bytes + 3) / 4, NULL);
    uint8_t *values = (uint8_t *)floats((end - 1) * value_stride / 4 + (value_bytes + 3) / 4, NULL);
    float *key = floats(p.key_size, NULL), *value = floats(p.value_size, NULL);
    for (uint32_t i = 0; i < end; i++) {
        for (uint32_t j = 0; j < p.key_size; j++) key[j] = normal();
        for (uint32_t j = 0; j < p.value_size; j++) value[j] = normal();
        cache_encode(keys + (size_t)i * key_stride, key, p.key_size, key_type);
        cache_encode(values + (size_t)i * value_stride, value, p.value_size, value_type);
    }
    const float *queries = floats(heads * p.key_size, normal);
    float *sinks = below(2) == 0 ? floats(heads, normal) : NULL;
    if (sinks && below(4) == 0) sinks[0] = -INFINITY;
    const uint32_t begin = below(2) == 0 ? 0 : below(end);
    double weights[128];
    for (uint32_t h = 0; h < heads; h++) {
        double most = sinks ? sinks[h] : -INFINITY, sum;
        for (uint32_t i = begin; i < end; i++) {
            cache_decode(key, keys + (size_t)i * key_stride, p.key_size, key_type);
            double score = 0;
            for (uint32_t j = 0; j < p.key_size; j++) score += (double)queries[h * p.key_size + j] * key[j];
            score *= p.scale;
            weights[i] = p.cap > 0 ? p.cap * tanh(score / p.cap) : score;
            most = fmax(most, weights[i]);
        }
        sum = sinks ? exp(sinks[h] - most) : 0;
        for (uint32_t i = begin; i < end; i++) sum += weights[i] = exp(weights[i] - most);
        double *result = want + (size_t)h * p.value_size;
        for (uint32_t j = 0; j < p.value_size; j++) result[j] = 0;
        for (uint32_t i = begin; i < end; i++) {
            cache_decode(value, values + (size_t)i * value_stride, p.value_size, value_type);
            for (uint32_t j = 0; j < p.value_size; j++) result[j] += weights[i] * value[j] / sum;
        }
    }
    for (int v = 0; v < VARIANTS; v++) {
        void *workspace = NULL;
        if (posix_memalign(&workspace, 128, variants[v]->attention_bytes(&p)) != 0) exit(2);
        memset(workspace, 0xff, variants[v]->attention_bytes(&p)); // no numbers
        const attention_heads a = {&p, queries, floats(heads * p.value_size, NULL), sinks, keys, values, key_stride,
                                   value_stride, begin, end, heads, workspace, 0};
        variants[v]->attend(&a);
        compare(names[key_type], v, a.results, want, heads * p.value_size,
                fmax(largest(want, heads * p.value_size), 0.1));
        free(workspace);
    }
}

// No number, and no end of numbers: only that everything ends counts.
static float strange(void) {
    static const uint32_t bits[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0x7f800000, 0xff800000, 0x7f7fffff, 0xff7fffff,
                                    1, 0x807fffff};
    if (below(3) > 0) return wide();
    float x;
    memcpy(&x, &bits[below(9)], 4);
    return x;
}

static void strangeness(void) {
    const uint32_t n = width(), type = below(3), size = 64;
    const htp_scale_parameters s = {n, 2, 1, below(2) == 0 ? 3 : 0};
    const htp_norm_parameters norm = {n, 1, 1e-5f};
    const htp_attention_parameters p = {.key_heads = 1, .group = 2, .key_size = size, .value_size = size,
                                        .key_type = type, .value_type = type, .scale = 1, .cap = s.cap};
    for (int v = 0; v < VARIANTS; v++) {
        const float_kernels *k = variants[v];
        float *to = floats(n, NULL);
        k->add(to, floats(n, strange), floats(n, strange), n);
        k->multiply(to, floats(n, strange), floats(n, strange), n);
        k->scale(to, floats(n, strange), n, &s);
        k->softmax(to, floats(n, strange), n, 2);
        k->normalize(to, floats(n, strange), floats(n, strange), NULL, &norm, below(2) == 0);
        if (n > 1) k->rotate(to, floats(n, strange), n, n / 2, floats(n, strange), below(2) == 0);
        k->mix(to, floats(n, strange), 0, floats(3, strange), 3, NULL, n);
        for (uint32_t f = 0; f < 9; f++) {
            const htp_activate_parameters a = {n, f, 1.7f, 7};
            k->activate(to, floats(n, strange), f == 8 ? floats(n, strange) : NULL, n, &a);
        }
        const uint32_t bytes = cache_row_bytes(type, size), stride = (bytes + 3) / 4 * 4, positions = 40;
        uint8_t *cache = (uint8_t *)floats(positions * stride / 4, NULL);
        for (uint32_t i = 0; i < positions; i++) {
            float x[64];
            for (uint32_t j = 0; j < size; j++) x[j] = strange();
            // Halves of any bits.
            if (type == HTP_CACHE_F16)
                for (uint32_t j = 0; j < stride; j++) cache[i * stride + j] = (uint8_t)random_word();
            else
                k->encode(cache + i * stride, x, size, type);
        }
        void *workspace = NULL;
        if (posix_memalign(&workspace, 128, k->attention_bytes(&p)) != 0) exit(2);
        const attention_heads a = {&p, floats(2 * size, strange), floats(2 * size, NULL), floats(2, strange), cache,
                                   cache, stride, stride, 0, positions, 2, workspace, 0};
        k->attend(&a);
        free(workspace);
    }
}

// Variants with one kernel that is wrong by a thousandth, or not a number: the comparison names it.

static float wrong_by;
static void spoil(float *to) { to[1] = wrong_by == 0 ? NAN : to[1] + wrong_by * (fabsf(to[1]) + 20); }

static void wrong_add(float *to, const float *a, const float *b, uint32_t n) {
    variants[1]->add(to, a, b, n);
    spoil(to);
}
static void wrong_multiply(float *to, const float *a, const float *b, uint32_t n) {
    variants[1]->multiply(to, a, b, n);
    spoil(to);
}
static void wrong_scale(float *to, const float *x, uint32_t n, const htp_scale_parameters *s) {
    variants[1]->scale(to, x, n, s);
    spoil(to);
}
static void wrong_activate(float *to, const float *x, const float *up, uint32_t n, const htp_activate_parameters *a) {
    variants[1]->activate(to, x, up, n, a);
    // The last of them alone.
    if (a->function == HTP_FUNCTION_SWIGLU_CLAMPED) spoil(to);
}
static void wrong_softmax(float *to, const float *x, uint32_t n, float scale) {
    variants[1]->softmax(to, x, n, scale);
    spoil(to);
}
static void wrong_normalize(float *to, const float *x, const float *w, const float *b, const htp_norm_parameters *n,
                            int center) {
    variants[1]->normalize(to, x, w, b, n, center);
    if (center) spoil(to);
}
static void wrong_rotate(float *to, const float *x, uint32_t size, uint32_t pairs, const float *angles, int halves) {
    variants[1]->rotate(to, x, size, pairs, angles, halves);
    if (halves) spoil(to);
}
static void wrong_mix(float *to, const float *x, size_t distance, const float *w, uint32_t count, const float *a,
                      uint32_t n) {
    variants[1]->mix(to, x, distance, w, count, a, n);
    spoil(to);
}
static void wrong_encode(uint8_t *row, const float *x, uint32_t size, uint32_t type) {
    variants[1]->encode(row, x, size, type);
    // A few steps of a code.
    if (type == HTP_CACHE_Q8) row[0] = (uint8_t)(row[0] + (row[0] < 64 || row[0] > 127 ? 4 : -4));
}
static void wrong_attend(const attention_heads *a) {
    variants[1]->attend(a);
    if (a->parameters->key_type == HTP_CACHE_Q8) spoil(a->results);
}

static void comparisons(void) {
    static const uint32_t opcodes[] = {
        HTP_OP_ADD,  HTP_OP_MULTIPLY, HTP_OP_SCALE, HTP_OP_ACTIVATE, HTP_OP_SOFTMAX,
        HTP_OP_NORM, HTP_OP_ROPE,     HTP_OP_MIX,   HTP_OP_STORE,    HTP_OP_ATTENTION};
    const float_kernels wrong = {
        wrong_add,    wrong_multiply, wrong_scale,  wrong_activate, wrong_softmax, wrong_normalize,
        wrong_rotate, wrong_mix,      wrong_encode, wrong_attend,   variants[1]->attention_bytes};
    uint32_t disagreement = 99;
    if (float_kernels_compare(variants[1], variants[0], &disagreement) != AEE_SUCCESS || disagreement != 0) {
        printf("the variants disagree in operation %u\n", disagreement);
        exit(1);
    }
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 2; k++) {
            float_kernels mixed = *variants[1];
            wrong_by = k == 0 ? 1e-3f : 0;
            // All members are pointers of one size.
            memcpy((char *)&mixed + (size_t)i * sizeof(void *), (const char *)&wrong + (size_t)i * sizeof(void *),
                   sizeof(void *));
            if (float_kernels_compare(&mixed, variants[0], &disagreement) != AEE_SUCCESS
                || disagreement != opcodes[i]) {
                printf("wrong operation %u: the comparison says %u\n", opcodes[i], disagreement);
                exit(1);
            }
        }
}

int main(void) {
    const int rounds = 1000;
    variants[0] = &floats_plain;
    variants[1] = floats_qfloat();
    if (!variants[1]) return 3;
    comparisons();
    static void (*const kernels[])(void) = {elementwise, activations, softmax,    norms,      rotations,
                                            mixtures,    stores,      attentions, strangeness};
    for (int i = 0; i < rounds; i++)
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
            kernels[k]();
            free_all();
        }
    for (int i = 0; i < record_count; i++)
        printf("%s: %llu %.3f %.3f\n", records[i].name, (unsigned long long)records[i].count / VARIANTS,
               records[i].worst[0] * 1e6, records[i].worst[1] * 1e6);
    return 0;
}
