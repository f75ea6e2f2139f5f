// What the calculator does; calculator.h and the skel that calls this are generated from calculator.idl.
#include "calculator.h"

#include "expression.h"
#include "mapping.h"

#define STRING(x) STRING_(x)
#define STRING_(x) #x

// There is nothing to remember between calls, so the handle only must not be 0.
int calculator_open(const char *uri, remote_handle64 *handle) {
    (void)uri;
    *handle = 1;
    return AEE_SUCCESS;
}

int calculator_close(remote_handle64 handle) {
    (void)handle;
    return AEE_SUCCESS;
}

int calculator_evaluate(remote_handle64 handle, const char *expression, double *value) {
    (void)handle;
    return expression_value(expression, value) ? AEE_SUCCESS : AEE_EBADPARM;
}

int calculator_sum(remote_handle64 handle, const int32_t *values, int count, int64_t *total) {
    (void)handle;
    *total = 0;
    for (int i = 0; i < count; i++) *total += values[i];
    return AEE_SUCCESS;
}

int calculator_running_totals(remote_handle64 handle, const int32_t *values, int count, int64_t *totals,
                              int room) {
    (void)handle;
    if (room < count) return AEE_EBADPARM;
    int64_t total = 0;
    for (int i = 0; i < count; i++) totals[i] = total += values[i];
    return AEE_SUCCESS;
}

int calculator_about(remote_handle64 handle, char *text, int room) {
    (void)handle;
#if defined(__hexagon__)
    const char *words = "a calculator for Hexagon v" STRING(__HEXAGON_ARCH__);
#else
    const char *words = "a calculator built for the host";
#endif
    int i = 0;
    for (; i < room - 1 && words[i]; i++) text[i] = words[i];
    if (room > 0) text[i] = 0;
    return AEE_SUCCESS;
}

int calculator_scale(remote_handle64 handle, int32_t fd, uint32_t count, float factor, float *largest) {
    (void)handle;
    float *values;
    int status = mapping_begin(fd, (uint64_t)count * sizeof *values, (void **)&values);
    if (status != AEE_SUCCESS) return status;
    *largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        values[i] *= factor;
        if (i == 0 || values[i] > *largest) *largest = values[i];
    }
    return mapping_end(fd, values, (uint64_t)count * sizeof *values);
}
