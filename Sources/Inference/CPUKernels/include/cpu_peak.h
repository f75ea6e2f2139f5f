// What this processor can do at most, to measure kernels against: multiplications from registers, and reading.
#ifndef CPU_PEAK_H
#define CPU_PEAK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cpu_peak {
    const char *name;            // of the instructions, such as "vpdpbusd"
    size_t multiply_adds;        // of a loop
    void (*run)(size_t loops);
} cpu_peak;

// The fastest instructions with which a level of cpu_kernels_get multiplies activations of a kind
// (CPU_ACTIVATIONS_...), or null where this processor or operating system lacks the level, or nothing is known of it.
const cpu_peak *cpu_peak_get(int level, int activation_kind);

// Reads `size` bytes, a multiple of 64 * streams: `streams` (1, 2, 4, 8 or 16) parts of it side by side. Returns a number
// that depends on all of them.
uint64_t cpu_peak_read(const void *bytes, size_t size, size_t streams);

#ifdef __cplusplus
}
#endif
#endif
