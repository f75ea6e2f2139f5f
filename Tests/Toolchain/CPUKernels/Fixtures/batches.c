// Products of batches at one level of the kernels: against the float64 product, and the same bits for every cut. Its
// argument is a level's number, or "emulated": that of tiles, whose instructions are emulated.
#include "tiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "weights.h"

extern cpu_kernels cpu_kernels_amx;

enum { ROWS = 70, COUNT = 48, MOST_COLUMNS = 1100 };

static int faults, products;

static void fault(const char *what, const weight_format *f, size_t columns, size_t rows, size_t count) {
    if (faults++ < 20)
        printf("%s: %s, %zu columns, %zu rows, count %zu\n", f->name, what, columns, rows, count);
}

// Memory that ends where another page begins that may not be read.
static uint8_t *guarded(size_t size) {
    const size_t page = 4096, whole = (size + page - 1) / page * page;
    uint8_t *memory = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + whole, page, PROT_NONE)) abort();
    return memory + whole - size;
}

static void release(uint8_t *memory, size_t size) {
    const size_t page = 4096, whole = (size + page - 1) / page * page;
    munmap(memory + size - whole, whole + page);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

// The nearest bfloat16, of equally near ones the even.
static float rounded(float x) {
    uint32_t bits = bits_of(x) & 0xffff0000;
    float down, up;
    memcpy(&down, &bits, 4);
    bits += 0x10000;
    memcpy(&up, &bits, 4);
    const double below = fabs((double)x - down), above = fabs((double)up - x);
    return below < above || (below == above && (bits >> 16) % 2 == 1) ? down : up;
}

// Each number is the sum of a high and a low part, with as many bits as these have; behind the last are zeros.
static void check_pairs(
    const weight_format *f, const uint8_t *prepared, size_t x_bytes, float (*x)[MOST_COLUMNS], size_t columns) {
    uint8_t *reference = malloc(x_bytes);
    for (size_t c = 0; c < COUNT; c++) {
        const uint8_t *row = prepared + c * x_bytes;
        for (size_t k = 0; k < x_bytes / 4; k++) {
            const uint8_t *high = row + k / 32 * 128 + k % 32 * 2, *low = high + 64;
            const uint8_t wide_high[4] = {0, 0, high[0], high[1]}, wide_low[4] = {0, 0, low[0], low[1]};
            const double sum = (double)float_value(wide_high) + float_value(wide_low), wanted = k < columns ? x[c][k] : 0;
            if (!(fabs(sum - wanted) <= fabs(wanted) * 0x1p-17)) fault("activations", f, columns, 0, c);
        }
        cpu_prepare(cpu_kernels_get(CPU_KERNELS_PORTABLE), CPU_ACTIVATIONS_BF16_PAIRS, x[c], columns, reference);
        if (memcmp(reference, row, x_bytes)) fault("other activations than the reference's", f, columns, 0, c);
    }
    free(reference);
}

static void check(const cpu_kernels *kernels, const weight_format *f, size_t columns, int has_outliers) {
    const float tensor_scale = 0.0625f;
    const size_t row_bytes = row_size(f, columns);
    uint8_t *weights = guarded(ROWS * row_bytes);
    for (size_t r = 0; r < ROWS; r++) random_row(f, weights + r * row_bytes, columns);

    static float x[COUNT][MOST_COLUMNS];
    for (size_t c = 0; c < COUNT; c++)
        for (size_t k = 0; k < columns; k++)
            x[c][k] = (float)(normal() * (has_outliers && uniform() < 0.01 ? 20 : 1));
    const int kind = cpu_activation_kind(kernels, f->format, COUNT);
    const size_t x_bytes = cpu_activation_bytes(kind, columns);
    uint8_t *prepared = guarded(COUNT * x_bytes);
    for (size_t c = 0; c < COUNT; c++) cpu_prepare(kernels, kind, x[c], columns, prepared + c * x_bytes);
    if (kind == CPU_ACTIVATIONS_BF16)
        for (size_t c = 0; c < COUNT; c++)
            for (size_t k = 0; k < x_bytes / 2; k++) {
                const uint8_t *half = prepared + c * x_bytes + 2 * k, wide[4] = {0, 0, half[0], half[1]};
                if (float_value(wide) != (k < columns ? rounded(x[c][k]) : 0)) fault("activations", f, columns, 0, c);
            }
    if (kind == CPU_ACTIVATIONS_BF16_PAIRS) check_pairs(f, prepared, x_bytes, x, columns);

    // All rows and columns at once.
    static float whole[COUNT][ROWS];
    cpu_product product = {
        .weights = weights, .weight_row_bytes = row_bytes, .activations = prepared, .activation_kind = kind,
        .activation_row_bytes = x_bytes, .dst = whole[0], .dst_stride = ROWS, .columns = columns, .count = COUNT,
        .weight_scale = tensor_scale};
    cpu_multiply(kernels, f->format, &product, 0, ROWS);
    double error = 0, power = 0;
    for (size_t r = 0; r < ROWS; r++) {
        static double row[MOST_COLUMNS];
        for (size_t k = 0; k < columns; k++) row[k] = weight(f, weights + r * row_bytes, k, tensor_scale);
        for (size_t c = 0; c < COUNT; c++) {
            double sum = 0;
            for (size_t k = 0; k < columns; k++) sum += row[k] * x[c][k];
            error += (sum - whole[c][r]) * (sum - whole[c][r]);
            power += sum * sum;
        }
    }
    products++;
    const int is_rounded = kind == CPU_ACTIVATIONS_INT8 || kind == CPU_ACTIVATIONS_BF16;
    const double bound = is_rounded                       ? (has_outliers ? 5e-4 : 5e-5)
                         : kind == CPU_ACTIVATIONS_INT16 ? 1e-7
                                                         : 1e-10;
    if (!(error <= power * bound)) {
        if (faults < 20) printf("NMSE %g, ", error / power);
        fault("far off", f, columns, ROWS, COUNT);
    }

    // Parts of it, in a larger matrix of which nothing else may change.
    const size_t some_rows[] = {1, 15, 16, 17, 31, 33, ROWS}, counts[] = {16, 17, 31, 32, 33, COUNT};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 6; j++) {
            enum { STRIDE = ROWS + 3 };
            static float part[COUNT + 1][STRIDE];
            const size_t rows = some_rows[i], count = counts[j];
            const size_t cuts[] = {0, rows / 2, rows - 1}, middle = cuts[(i + j) % 3];
            const float untouched = -12345;
            for (size_t c = 0; c <= COUNT; c++)
                for (size_t r = 0; r < STRIDE; r++) part[c][r] = untouched;
            product.dst = part[0], product.dst_stride = STRIDE, product.count = count;
            if (middle > 0) cpu_multiply(kernels, f->format, &product, 0, middle);
            cpu_multiply(kernels, f->format, &product, middle, rows);
            products++;
            int differ = 0, changed = 0;
            for (size_t c = 0; c <= COUNT; c++)
                for (size_t r = 0; r < STRIDE; r++)
                    if (c < count && r < rows)
                        differ |= bits_of(part[c][r]) != bits_of(whole[c][r]);
                    else
                        changed |= part[c][r] != untouched;
            if (differ) fault("other bits in a part", f, columns, rows, count);
            if (changed) fault("wrote elsewhere", f, columns, rows, count);
        }
    // The last rows alone.
    static float last[COUNT][ROWS];
    product.dst = last[0], product.dst_stride = ROWS, product.count = COUNT;
    cpu_multiply(kernels, f->format, &product, 37, ROWS);
    for (size_t c = 0; c < COUNT; c++)
        if (memcmp(last[c] + 37, whole[c] + 37, (ROWS - 37) * sizeof(float))) fault("last rows", f, columns, 33, COUNT);
    release(weights, ROWS * row_bytes), release(prepared, COUNT * x_bytes);
}

static uint8_t *random_rows(const weight_format *f, size_t columns) {
    uint8_t *weights = malloc(ROWS * row_size(f, columns));
    for (size_t r = 0; r < ROWS; r++) random_row(f, weights + r * row_size(f, columns), columns);
    return weights;
}

// out[c * ROWS + r] = row r times x[c * columns ...]; returns the kind of activations.
static int multiply_all(
    const cpu_kernels *kernels, const weight_format *f, const uint8_t *weights, size_t columns, const float *x, float *out) {
    const int kind = cpu_activation_kind(kernels, f->format, COUNT);
    const size_t x_bytes = cpu_activation_bytes(kind, columns);
    uint8_t *prepared = malloc(COUNT * x_bytes);
    for (size_t c = 0; c < COUNT; c++) cpu_prepare(kernels, kind, x + c * columns, columns, prepared + c * x_bytes);
    const cpu_product product = {
        .weights = weights, .weight_row_bytes = row_size(f, columns), .activations = prepared, .activation_kind = kind,
        .activation_row_bytes = x_bytes, .dst = out, .dst_stride = ROWS, .columns = columns, .count = COUNT,
        .weight_scale = 1};
    cpu_multiply(kernels, f->format, &product, 0, ROWS);
    free(prepared);
    return kind;
}

// Infinities and NaNs stay visible, and nothing but a product's own row and column has them.
static void check_faults(const cpu_kernels *kernels, const weight_format *f) {
    enum { COLUMNS = 512 };
    uint8_t *weights = random_rows(f, COLUMNS);
    static float x[COUNT][COLUMNS], out[COUNT][ROWS];
    for (size_t c = 0; c < COUNT; c++)
        for (size_t k = 0; k < COLUMNS; k++) x[c][k] = (float)normal();
    x[3][100] = INFINITY, x[20][511] = NAN;
    multiply_all(kernels, f, weights, COLUMNS, x[0], out[0]);
    for (size_t c = 0; c < COUNT; c++)
        for (size_t r = 0; r < ROWS; r++)
            if (isfinite(out[c][r]) == (c == 3 || c == 20)) {
                fault("infinity or NaN", f, COLUMNS, r, c);
                r = ROWS;
            }
    free(weights);
}

// What rounding to codes of 14 bits may change: half a step of the 32 weights' or activations' largest, each.
static double rounding_of_codes(const double *w, const float *x, size_t columns) {
    double sum = 0;
    for (size_t k = 0; k < columns; k += 32) {
        double most[2] = {0, 0}, sums[2] = {0, 0};
        for (size_t i = k; i < columns && i < k + 32; i++) {
            most[0] = fmax(most[0], fabs(w[i])), sums[0] += fabs(w[i]);
            most[1] = fmax(most[1], fabs((double)x[i])), sums[1] += fabs((double)x[i]);
        }
        sum += (most[0] * sums[1] + most[1] * sums[0]) / 8191 * 0.51;
    }
    return sum;
}

// Numbers at both ends of the range of a float, in weights and in activations. One that is no number makes its row or column
// none; of the others what is finite is right, but for what multiplies what is too large for a bfloat16.
static void check_extremes(const cpu_kernels *kernels, const weight_format *f) {
    enum { COLUMNS = 45 };
    static float x[COUNT][COLUMNS], out[COUNT][ROWS];
    uint8_t *weights = random_rows(f, COLUMNS);
    for (size_t c = 0; c < COUNT; c++)
        for (size_t k = 0; k < COLUMNS; k++) x[c][k] = (float)normal();
    const float largest = 0x1.fffffep127f, specials[] = {INFINITY, -INFINITY, NAN, largest, -largest, 0x1.ffp127f};
    const uint16_t half_specials[] = {0x7c00, 0xfc00, 0x7e00, 0x7bff, 0xfbff, 1};
    for (size_t i = 0; i < 6; i++) {
        x[8 * i + 1][7 * i + 3] = specials[i];
        uint8_t *weight = weights + (10 * i + 2) * row_size(f, COLUMNS) + (7 * i + 2) * f->bytes;
        if (f->format == CPU_F32) memcpy(weight, specials + i, 4);
        if (f->format == CPU_BF16) memcpy(weight, (const uint8_t *)(specials + i) + 2, 2);
        if (f->format == CPU_F16) memcpy(weight, half_specials + i, 2);
    }
    for (size_t k = 0; k < COLUMNS; k++) x[40][k] *= 0x1p-90f, x[47][k] = 0;
    const int kind = multiply_all(kernels, f, weights, COLUMNS, x[0], out[0]);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COUNT; c++) {
            double w[COLUMNS], sum = 0, magnitude = 0;
            for (size_t k = 0; k < COLUMNS; k++) {
                w[k] = weight(f, weights + r * row_size(f, COLUMNS), k, 1);
                sum += w[k] * x[c][k], magnitude += fabs(w[k] * x[c][k]);
            }
            double bound = magnitude * (kind == CPU_ACTIVATIONS_BF16 ? 0.01 : 3e-5);
            if (kind == CPU_ACTIVATIONS_INT16) bound += rounding_of_codes(w, x[c], COLUMNS);
            if (!isfinite(sum) && isfinite(out[c][r])) fault("no number became one", f, COLUMNS, r, c);
            if (isfinite(out[c][r]) && fabs(out[c][r] - sum) > bound)
                fault("an extreme product", f, COLUMNS, r, c);
            if (kind != CPU_ACTIVATIONS_BF16 && magnitude < 0x1p120 && !isfinite(out[c][r]))
                fault("a number became none", f, COLUMNS, r, c);
        }
    free(weights);
}

int main(int argc, char **argv) {
    const int is_emulated = argc == 2 && strcmp(argv[1], "emulated") == 0;
    if (argc != 2 || !(is_emulated ? emulate_tiles() : cpu_kernels_get(atoi(argv[1])) != NULL)) return 2;
    const cpu_kernels *kernels = is_emulated ? &cpu_kernels_amx : cpu_kernels_get(atoi(argv[1]));
    for (int n = 0; n < CPU_FORMATS; n++) {
        const weight_format *f = weight_formats + n;
        const size_t of_floats[] = {1, 2, 31, 33, 65, 1057}, blocks[] = {1, 3, f->weights == 32 ? 25 : 3};
        for (int i = 0; i < (f->weights == 1 ? 6 : 3); i++)
            for (int has_outliers = 0; has_outliers < 2; has_outliers++)
                check(kernels, f, f->weights == 1 ? of_floats[i] : blocks[i] * f->weights, has_outliers);
        check_faults(kernels, f);
        if (f->weights == 1) check_extremes(kernels, f);
    }
    printf("%d products, %d faults\n", products, faults);
    return faults != 0;
}
