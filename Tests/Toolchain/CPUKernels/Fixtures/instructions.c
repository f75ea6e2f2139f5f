// One product of 32 rows by 1024 columns for `bench-arm-instructions`, which counts what it takes: of a level, a number
// of activation rows and a format, by their numbers, as often as asked.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights.h"

enum { ROWS = 32, COLUMNS = 1024 };

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments != 5) return 2;
    const cpu_kernels *kernels = cpu_kernels_get(atoi(arguments[1]));
    const size_t count = (size_t)atoi(arguments[2]);
    const int format = atoi(arguments[3]), times = atoi(arguments[4]);
    if (!kernels || format < 0 || format >= CPU_FORMATS) return 2;
    const size_t row_bytes = row_size(weight_formats + format, COLUMNS);
    const int kind = cpu_activation_kind(kernels, format, count);
    const size_t activation_bytes = cpu_activation_bytes(kind, COLUMNS);
    uint8_t *weights = calloc(ROWS, row_bytes), *activations = malloc(count * activation_bytes);
    float *x = malloc(COLUMNS * sizeof *x), *results = malloc(ROWS * count * sizeof *results);
    for (size_t i = 0; i < COLUMNS; i++) x[i] = (float)(i % 13) - 6;
    for (size_t c = 0; c < count; c++) cpu_prepare(kernels, kind, x, COLUMNS, activations + c * activation_bytes);
    const cpu_product product = {
        .weights = weights, .weight_row_bytes = row_bytes, .activations = activations, .activation_kind = kind,
        .activation_row_bytes = activation_bytes, .dst = results, .dst_stride = ROWS, .columns = COLUMNS,
        .count = count, .weight_scale = 1};
    for (int i = 0; i < times; i++) cpu_multiply(kernels, format, &product, 0, ROWS);
    return 0;
}
