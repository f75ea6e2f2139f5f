// The HVX intrinsics of the DSP program: the compiler's own on Hexagon, an emulation elsewhere.
#ifndef HTP_HVX_H
#define HTP_HVX_H

#include <stdint.h>

#if defined(__hexagon__)
#include <hexagon_types.h>
#include <hvx_hexagon_protos.h>
// A vector at any address; plain HVX_Vector accesses drop the low seven bits of the address.
typedef HVX_Vector hvx_unaligned __attribute__((aligned(1)));
#else
#include "hvx_host.h"
#endif

#define HVX_BYTES 128

static inline __attribute__((always_inline)) HVX_Vector hvx_load(const void *aligned) {
    return *(const HVX_Vector *)aligned;
}

static inline __attribute__((always_inline)) HVX_Vector hvx_load_unaligned(const void *address) {
    return *(const hvx_unaligned *)address;
}

static inline __attribute__((always_inline)) void hvx_store(void *aligned, HVX_Vector v) {
    *(HVX_Vector *)aligned = v;
}

static inline __attribute__((always_inline)) void hvx_store_unaligned(void *address, HVX_Vector v) {
    *(hvx_unaligned *)address = v;
}

#endif
