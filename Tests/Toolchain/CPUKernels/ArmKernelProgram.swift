/// The C program that `ArmKernelTests` compiles and runs: products of every format, of the levels given as arguments,
/// against float64 products of weights that it takes apart by itself; and the other kernels against the portable ones.
enum ArmKernelProgram {
    static let source = common + weights + products

    private static let common = #"""
        #define _GNU_SOURCE
        #include <math.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include "cpu_kernels.h"

        static uint64_t state = 88172645463325252u;
        static uint32_t next(void) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            return (uint32_t)(state >> 20);
        }
        static float uniform(void) { return (float)(next() & 0xffffff) / 0x1p23f - 1; }
        static float normal(void) {
            const double radius = sqrt(-2 * log(1 - fabs((double)uniform()) * 0.999999));
            return (float)(radius * cos(3.14159265 * (double)uniform()));
        }

        static int faults;
        static void fault(const char *level, const char *what, const char *why, double found) {
            if (faults++ < 20) printf("%s %s: %s %g\n", level, what, why, found);
        }

        """#

    /// A weight at a time, as the formats are defined; nothing of it is shared with the kernels.
    private static let weights = #"""
        // MARK: weights, one at a time, from the formats' definitions

        enum { HALVES = 4 };
        typedef struct {
            const char *name;
            int block, bytes, header;
            int halves[HALVES]; // offsets of half-precision numbers in a block, until 0 (but the first)
            int columns[3];
        } layout;

        static const layout layouts[CPU_FORMATS] = {
            [CPU_F32] = {"f32", 1, 4, 0, {-1}, {1, 39, 517}},
            [CPU_F16] = {"f16", 1, 2, 0, {0}, {3, 40, 517}},
            [CPU_BF16] = {"bf16", 1, 2, 0, {-1}, {1, 39, 518}},
            [CPU_Q4_0] = {"q4_0", 32, 18, 0, {0}, {32, 96, 1120}},
            [CPU_Q4_1] = {"q4_1", 32, 20, 0, {0, 2}, {32, 96, 1120}},
            [CPU_Q5_0] = {"q5_0", 32, 22, 0, {0}, {32, 96, 1120}},
            [CPU_Q5_1] = {"q5_1", 32, 24, 0, {0, 2}, {32, 96, 1120}},
            [CPU_Q8_0] = {"q8_0", 32, 34, 0, {0}, {32, 96, 1120}},
            [CPU_IQ4_NL] = {"iq4_nl", 32, 18, 0, {0}, {32, 96, 1120}},
            [CPU_MXFP4] = {"mxfp4", 32, 17, 0, {-1}, {32, 96, 1120}},
            [CPU_Q2_K] = {"q2_k", 256, 84, 0, {80, 82}, {256, 768, 1280}},
            [CPU_Q3_K] = {"q3_k", 256, 110, 0, {108}, {256, 768, 1280}},
            [CPU_Q4_K] = {"q4_k", 256, 144, 0, {0, 2}, {256, 768, 1280}},
            [CPU_Q5_K] = {"q5_k", 256, 176, 0, {0, 2}, {256, 768, 1280}},
            [CPU_Q6_K] = {"q6_k", 256, 210, 0, {208}, {256, 768, 1280}},
            [CPU_IQ4_XS] = {"iq4_xs", 256, 136, 0, {0}, {256, 768, 1280}},
            [CPU_TQ1_0] = {"tq1_0", 256, 54, 0, {52}, {256, 768, 1280}},
            [CPU_TQ2_0] = {"tq2_0", 256, 66, 0, {64}, {256, 768, 1280}},
            [CPU_I2_S] = {"i2_s", 128, 32, 0, {-1}, {128, 384, 1152}},
            [CPU_IQ2_BN] = {"iq2_bn", 64, 16, 4, {-1}, {64, 448, 1216}},
        };

        static float float_at(const uint8_t *bytes) {
            float value;
            memcpy(&value, bytes, 4);
            return value;
        }

        static double half_at(const uint8_t *bytes) {
            const int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
            const double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
            return bits & 0x8000 ? -magnitude : magnitude;
        }

        static const int nonlinear[16] = {
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

        static double e2m1(int code) {
            const int exponent = code >> 1 & 3;
            const double magnitude = exponent ? ldexp(2 + (code & 1), exponent - 2) : 0.5 * (code & 1);
            return code & 8 ? -magnitude : magnitude;
        }

        static int trit(int byte, int digit) {
            for (; digit > 0; digit--) byte = byte * 3 & 255;
            return (byte * 3 >> 8) - 1;
        }

        static double weight(int format, const uint8_t *row, int column, double tensor_scale) {
            const layout *f = layouts + format;
            const uint8_t *b = row + f->header + column / f->block * f->bytes;
            const int k = column % f->block, l = k % 32, sub = k / 32 % 8, h = k / 128;
            const int shift4 = k / 16 * 4; // of a nibble in a block of 32
            switch (format) {
            case CPU_F32: return float_at(b);
            case CPU_F16: return half_at(b);
            case CPU_BF16: {
                const uint8_t wide[4] = {0, 0, b[0], b[1]};
                return float_at(wide);
            }
            case CPU_Q4_0: return half_at(b) * ((b[2 + k % 16] >> shift4 & 15) - 8);
            case CPU_Q4_1: return half_at(b) * (b[4 + k % 16] >> shift4 & 15) + half_at(b + 2);
            case CPU_Q5_0: {
                const int fifth = b[2 + k / 8] >> k % 8 & 1;
                return half_at(b) * ((b[6 + k % 16] >> shift4 & 15) + 16 * fifth - 16);
            }
            case CPU_Q5_1: {
                const int fifth = b[4 + k / 8] >> k % 8 & 1;
                return half_at(b) * ((b[8 + k % 16] >> shift4 & 15) + 16 * fifth) + half_at(b + 2);
            }
            case CPU_Q8_0: return half_at(b) * (int8_t)b[2 + k];
            case CPU_IQ4_NL: return half_at(b) * nonlinear[b[2 + k % 16] >> shift4 & 15];
            case CPU_MXFP4: return ldexp(e2m1(b[1 + k % 16] >> shift4 & 15), b[0] - 127);
            case CPU_Q2_K:
                return half_at(b + 80) * (b[k / 16] & 15) * (b[16 + 32 * h + l] >> sub % 4 * 2 & 3)
                       - half_at(b + 82) * (b[k / 16] >> 4);
            case CPU_Q3_K: {
                const int g = k / 16;
                const int low = (g < 8 ? b[96 + g] : b[88 + g] >> 4) & 15, high = b[104 + g % 4] >> g / 4 * 2 & 3;
                const int code = (b[32 + 32 * h + l] >> sub % 4 * 2 & 3) - (b[l] >> sub & 1 ? 0 : 4);
                return half_at(b + 108) * (low + 16 * high - 32) * code;
            }
            case CPU_Q4_K: case CPU_Q5_K: {
                const uint8_t *s = b + 4, *nibbles = b + (format == CPU_Q4_K ? 16 : 48);
                const int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) + (s[sub - 4] >> 6) * 16;
                const int minimum = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) + (s[sub] >> 6) * 16;
                int code = nibbles[k / 64 * 32 + l] >> sub % 2 * 4 & 15;
                if (format == CPU_Q5_K) code += 16 * (b[16 + l] >> sub & 1);
                return half_at(b) * scale * code - half_at(b + 2) * minimum;
            }
            case CPU_Q6_K: {
                const int low = b[64 * h + 32 * (sub % 2) + l] >> sub % 4 / 2 * 4 & 15;
                const int high = b[128 + 32 * h + l] >> sub % 4 * 2 & 3;
                return half_at(b + 208) * (int8_t)b[192 + k / 16] * (low + 16 * high - 32);
            }
            case CPU_IQ4_XS: {
                const int low = b[4 + sub / 2] >> sub % 2 * 4 & 15, high = (b[2] | b[3] << 8) >> 2 * sub & 3;
                return half_at(b) * (low + 16 * high - 32) * nonlinear[b[8 + 16 * sub + k % 16] >> l / 16 * 4 & 15];
            }
            case CPU_TQ1_0: {
                const int code = k < 160   ? trit(b[k % 32], k / 32)
                                 : k < 240 ? trit(b[32 + (k - 160) % 16], (k - 160) / 16)
                                           : trit(b[48 + (k - 240) % 4], (k - 240) / 4);
                return half_at(b + 52) * code;
            }
            case CPU_TQ2_0: return half_at(b + 64) * ((b[32 * h + l] >> sub % 4 * 2 & 3) - 1);
            case CPU_I2_S: return tensor_scale * ((b[l] >> (6 - 2 * sub) & 3) - 1);
            default: return float_at(row) * ((b[k % 16] >> k / 16 * 2 & 3) - 1); // IQ2_BN
            }
        }

        static void put_half(uint8_t *bytes) {
            // Either sign, 2^-7 to 2^-3.
            const uint32_t bits = (next() & 0x83ff) | (8 + next() % 4) << 10;
            bytes[0] = (uint8_t)bits, bytes[1] = (uint8_t)(bits >> 8);
        }

        static void fill_row(int format, uint8_t *row, int columns, int is_tiny) {
            const layout *f = layouts + format;
            for (int i = 0; i < f->header + columns / f->block * f->bytes; i++) row[i] = (uint8_t)next();
            const float scale = 0.01f + fabsf(uniform());
            if (f->header) memcpy(row, &scale, 4);
            for (int n = 0; n < columns / f->block; n++) {
                uint8_t *block = row + f->header + n * f->bytes;
                for (int i = 0; i < HALVES && f->halves[i] >= (i > 0); i++) put_half(block + f->halves[i]);
                const float value = uniform();
                if (format == CPU_F32) memcpy(block, &value, 4);
                if (format == CPU_BF16) memcpy(block, (const uint8_t *)&value + 2, 2);
                if (format == CPU_MXFP4) block[0] = (uint8_t)(is_tiny ? next() % 4 : 118 + next() % 8);
            }
        }

        """#

    private static let products = #"""
        // Memory before a page that nobody may touch.
        static uint8_t *before_guard(size_t size) {
            const size_t page = 4096, pages = (size + page - 1) / page;
            uint8_t *memory =
                mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (memory == MAP_FAILED || mprotect(memory + pages * page, page, PROT_NONE)) exit(3);
            return memory + pages * page;
        }

        // MARK: products

        enum { ROWS = 37, COLUMNS = 1280, COUNT = 17 };
        static double wide[ROWS][COLUMNS];
        static float x[COUNT][COLUMNS];
        static float out[3][COUNT * (ROWS + 3)]; // of a level, cut differently, of the portable level
        static uint8_t *weights_end, *activations_end, *floats_end;
        static double errors[CPU_FORMATS][2], powers[CPU_FORMATS][2];
        static int compared;

        // All rows, at once or in pieces of 1 to 11.
        static void multiply(const cpu_kernels *k, int format, const cpu_product *product, size_t rows, int is_whole) {
            memset(product->dst, 0xff, sizeof out[0]);
            for (size_t r = 0, end; r < rows; r = end) {
                end = is_whole ? rows : r + 1 + (r + product->count) % 11;
                cpu_multiply(k, format, product, r, end < rows ? end : rows);
            }
        }

        static void prepare(const cpu_kernels *k, int kind, size_t columns, size_t count) {
            uint8_t *prepared = activations_end - count * cpu_activation_bytes(kind, columns);
            float *source = (float *)(void *)(floats_end - columns * sizeof(float));
            for (size_t c = 0; c < count; c++) {
                memcpy(source, x[c], columns * sizeof(float));
                cpu_prepare(k, kind, source, columns, prepared + c * cpu_activation_bytes(kind, columns));
            }
        }

        // Each value's distance from the float64 product is at most what its activations' codes may be off by.
        static void check(int level, int format, size_t rows, size_t columns, size_t count, int has_outliers) {
            const char *name = layouts[format].name, *level_name = cpu_kernels_name(level);
            const int kind = cpu_activation_kind(cpu_kernels_get(level), format, count);
            const int is_alike = kind == cpu_activation_kind(cpu_kernels_get(CPU_KERNELS_PORTABLE), format, count);
            for (size_t c = 0; c < count; c++) {
                double rounding[COLUMNS / 32];
                for (size_t b = 0; b < columns / 32; b++) {
                    float largest = 0;
                    for (size_t i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[c][32 * b + i]));
                    rounding[b] = (double)largest / 253.9;
                }
                for (size_t r = 0; r < rows; r++) {
                    double sum = 0, magnitude = 0, bound = 0;
                    for (size_t i = 0; i < columns; i++) {
                        const double value = wide[r][i] * (double)x[c][i];
                        sum += value, magnitude += fabs(value);
                        if (kind == CPU_ACTIVATIONS_INT8) bound += fabs(wide[r][i]) * rounding[i / 32];
                    }
                    if (kind == CPU_ACTIVATIONS_BF16) bound = magnitude * 0x1p-8;
                    const double rest = 1e-6 * magnitude + 1e-40; // the last where products are subnormal
                    const double found = out[0][c * (rows + 3) + r], other = out[2][c * (rows + 3) + r];
                    if (!(fabs(found - sum) <= bound + rest)) fault(level_name, name, "is off by", found - sum);
                    if (is_alike && !(fabs(found - other) <= rest))
                        fault(level_name, name, "is not portable's, by", found - other);
                    errors[format][has_outliers] += (found - sum) * (found - sum);
                    powers[format][has_outliers] += sum * sum;
                }
            }
        }

        static void compare(int level, int format, size_t rows, size_t columns, size_t count, int has_outliers) {
            const layout *f = layouts + format;
            const size_t row_bytes = (size_t)f->header + columns / (size_t)f->block * (size_t)f->bytes;
            uint8_t *weights = weights_end - rows * row_bytes;
            const float tensor_scale = 0.37f;
            for (size_t r = 0; r < rows; r++) {
                fill_row(format, weights + r * row_bytes, (int)columns, r == 4);
                for (size_t i = 0; i < columns; i++)
                    wide[r][i] = weight(format, weights + r * row_bytes, (int)i, (double)tensor_scale);
            }
            for (size_t c = 0; c < count; c++)
                for (size_t i = 0; i < columns; i++)
                    x[c][i] = normal() * (has_outliers && next() % 100 == 0 ? 20 : 1);
            const int levels[2] = {CPU_KERNELS_PORTABLE, level};
            for (int i = 0; i < 2; i++) {
                const cpu_kernels *k = cpu_kernels_get(levels[i]);
                const int kind = cpu_activation_kind(k, format, count);
                const size_t x_bytes = cpu_activation_bytes(kind, columns);
                cpu_product product = {
                    weights, row_bytes, activations_end - count * x_bytes, kind, x_bytes, out[i == 0 ? 2 : 0],
                    rows + 3, columns, count, tensor_scale};
                prepare(k, kind, columns, count);
                multiply(k, format, &product, rows, 1);
                if (i == 0) continue;
                product.dst = out[1];
                multiply(k, format, &product, rows, 0);
                if (memcmp(out[0], out[1], sizeof out[0])) fault(cpu_kernels_name(level), f->name, "cut", 0);
                // Fewer columns at once, if as many as a level takes together.
                product.count = count < 4 ? 1 : count < CPU_BATCH ? 4 : CPU_BATCH;
                const size_t size = product.count * (rows + 3) * sizeof(float);
                multiply(k, format, &product, rows, 1);
                if (memcmp(out[0], out[1], size)) fault(cpu_kernels_name(level), f->name, "fewer columns", 0);
            }
            check(level, format, rows, columns, count, has_outliers);
            compared++;
        }

        static void compare_products(int level) {
            const size_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 37}, counts[] = {1, 2, 3, 4, 5, 9, 17};
            memset(errors, 0, sizeof errors), memset(powers, 0, sizeof powers);
            for (int format = 0; format < CPU_FORMATS; format++) {
                const layout *f = layouts + format;
                for (int i = 0; i < 70; i++)
                    compare(level, format, rows[i % 10], (size_t)f->columns[i / 7 % 3], counts[i / 10], i % 2);
                const int kind = cpu_kernels_get(level)->activations_of_batch[format];
                for (int has_outliers = 0; has_outliers < 2; has_outliers++) {
                    const double bound = kind == CPU_ACTIVATIONS_INT8   ? (has_outliers ? 5e-4 : 5e-5)
                                         : kind == CPU_ACTIVATIONS_BF16 ? 1e-5
                                                                        : 1e-9;
                    const double found = errors[format][has_outliers] / powers[format][has_outliers];
                    if (!(found <= bound)) fault(cpu_kernels_name(level), f->name, "NMSE", found);
                }
            }
        }

        // MARK: activations and vectors

        static void near(const char *what, const float *a, const float *b, size_t n, double bound) {
            double error = 0, power = 1e-30;
            for (size_t i = 0; i < n; i++) {
                error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
                power += (double)a[i] * (double)a[i];
            }
            if (!(error / power < bound)) fault("vectors", what, "NMSE", error / power);
        }

        static void compare_prepared(int level, const float *values, size_t columns) {
            const cpu_kernels *p = cpu_kernels_get(CPU_KERNELS_PORTABLE), *k = cpu_kernels_get(level);
            uint8_t a[512], b[512];
            for (int kind = 0; kind < CPU_ACTIVATIONS; kind++) {
                if (!k->prepare[kind]) continue;
                memset(a, 0, sizeof a), memset(b, 0, sizeof b);
                const size_t some = kind == CPU_ACTIVATIONS_INT8 ? columns / 32 * 32 : columns;
                cpu_prepare(p, kind, values, some, a), cpu_prepare(k, kind, values, some, b);
                if (memcmp(a, b, sizeof a)) fault(cpu_kernels_name(level), "prepare", "kind", kind);
            }
        }

        static void compare_vectors(int level) {
            const cpu_kernels *p = cpu_kernels_get(CPU_KERNELS_PORTABLE), *k = cpu_kernels_get(level);
            float odd[64] = {0, INFINITY, NAN, 0x1p127f};
            for (int i = 32; i < 64; i++) odd[i] = (float)(i - 48) + 0.5f;
            odd[40] = 127;
            for (int first = 0; first < 4; first++) {
                if (first == 2) odd[2] = 0;
                if (first == 3) odd[1] = 0;
                compare_prepared(level, odd, 64);
            }
            for (size_t n = 1; n < 70; n += 3) {
                float u[70], v[70], y[70], z[70];
                uint16_t h[70], g[70];
                for (size_t i = 0; i < n; i++) u[i] = 20 * uniform(), v[i] = uniform();
                compare_prepared(level, u, n);
                p->f16_from_f32(h, u, n), k->f16_from_f32(g, u, n);
                if (memcmp(h, g, n * 2)) fault(cpu_kernels_name(level), "f16_from_f32", "bits", 0);
                memcpy(y, u, sizeof y), memcpy(z, u, sizeof z);
                p->softmax(y, n, 0.5f), k->softmax(z, n, 0.5f), near("softmax", y, z, n, 1e-12);
                p->silu_mul(y, u, v, n), k->silu_mul(z, u, v, n), near("silu", y, z, n, 1e-12);
                p->rms_norm(y, u, v, n, 1e-5f), k->rms_norm(z, u, v, n, 1e-5f), near("norm", y, z, n, 1e-12);
                p->add(y, u, v, n), k->add(z, u, v, n), near("add", y, z, n, 1e-30);
                p->axpy_f32(y, 0.3f, u, n), k->axpy_f32(z, 0.3f, u, n), near("axpy", y, z, n, 1e-12);
                p->axpy_f16(y, 0.3f, h, n), k->axpy_f16(z, 0.3f, h, n), near("axpy16", y, z, n, 1e-12);
                y[0] = p->dot_f32(u, u, n), z[0] = k->dot_f32(u, u, n), near("dot", y, z, 1, 1e-11);
                y[0] = p->dot_f16(h, u, n), z[0] = k->dot_f16(h, u, n), near("dot16", y, z, 1, 1e-11);
            }
        }

        int main(int argument_count, char **arguments) {
            printf("best %s\n", cpu_kernels_name(cpu_kernels_best()));
            if (argument_count < 2) return 0;
            weights_end = before_guard(ROWS * COLUMNS * 4);
            activations_end = before_guard(COUNT * COLUMNS * 4);
            floats_end = before_guard(COLUMNS * 4);
            for (int i = 1; i < argument_count; i++) {
                const int level = atoi(arguments[i]);
                if (!cpu_kernels_get(level)) {
                    printf("no level %d\n", level);
                    return 2;
                }
                compare_products(level);
                compare_vectors(level);
                // Written in vectors of the compiler's, for every level of arm64.
                if (cpu_attention_kernels_get(level) != cpu_attention_kernels_get(CPU_KERNELS_PORTABLE))
                    fault(cpu_kernels_name(level), "attention", "of another level", level);
            }
            printf("compared %d products, %d faults\n", compared, faults);
            return faults != 0;
        }
        """#
}
