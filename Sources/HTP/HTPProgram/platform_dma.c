// Transfers by the processor's own DMA engine, of which each thread of v68 and later has one; copies elsewhere.
//
// The descriptor of a linear transfer is four words: the next one's address; a length of 24 bits, two bits of type
// (0), two of compression, bypass of the cache for destination and source (bits 28, 29), order (30), done (31); source;
// destination. It is laid out so in Apache TVM's Hexagon runtime and in Qualcomm's part of llama.cpp, which lets
// destinations go by the cache from v73 on only. No processor or emulator at hand has executed these instructions.
#include "platform.h"

#if defined(__hexagon__) && __HEXAGON_ARCH__ >= 68

enum { BYTES_MAX = 0xffffff, ENGINE_STATE = 3, ENGINE_FAILED = 2 };
#define BYPASS_DESTINATION (1u << 28)
#define BYPASS_SOURCE (1u << 29)
#define IN_ORDER (1u << 30)
#define DONE (1u << 31)

typedef struct descriptor {
    volatile uint32_t next, control, source, destination;
} descriptor;
_Static_assert(sizeof(descriptor) <= sizeof(platform_transfer), "kept there");

bool platform_transfers_exist(void) { return true; }

void platform_transfer_start(
    platform_transfer *transfer, platform_transfer *before, void *to, const void *from, uint32_t bytes) {
    descriptor *d = (descriptor *)(void *)transfer;
    d->next = 0;
    d->source = (uint32_t)(uintptr_t)from;
    d->destination = (uint32_t)(uintptr_t)to;
    d->control = (bytes & BYTES_MAX) | IN_ORDER | BYPASS_SOURCE | (__HEXAGON_ARCH__ >= 73 ? BYPASS_DESTINATION : 0);
    // The engine sees what has been written before.
    __asm__ volatile("release(%0):at" : : "r"(d) : "memory");
    if (before)
        __asm__ volatile("dmlink(%0, %1)" : : "r"(before), "r"(d) : "memory");
    else
        __asm__ volatile("dmstart(%0)" : : "r"(d) : "memory");
}

bool platform_transfer_finish(platform_transfer *transfer) {
    const descriptor *d = (const descriptor *)(const void *)transfer;
    for (;;) {
        uint32_t state;
        __asm__ volatile("%0 = dmpoll" : "=r"(state) : : "memory");
        if ((d->control & DONE) != 0) return true;
        if ((state & ENGINE_STATE) == ENGINE_FAILED) return false;
    }
}

#elif defined(__hexagon__)

bool platform_transfers_exist(void) { return false; }

void platform_transfer_start(
    platform_transfer *transfer, platform_transfer *before, void *to, const void *from, uint32_t bytes) {
    (void)transfer;
    (void)before;
    (void)to;
    (void)from;
    (void)bytes;
}

bool platform_transfer_finish(platform_transfer *transfer) {
    (void)transfer;
    return false;
}

#else

#include <string.h>

// A transfer is a copy. Every other one is made as early as may be, so that it spoils what is still read there, the
// others as late as may be, so that there is nothing of use before.
typedef struct copy {
    void *to;
    const void *from;
    size_t bytes;
} copy;
_Static_assert(sizeof(copy) <= sizeof(platform_transfer), "kept there");

static bool is_early(const platform_transfer *transfer) { return (uintptr_t)transfer / sizeof *transfer % 2 == 0; }

bool platform_transfers_exist(void) { return true; }

void platform_transfer_start(
    platform_transfer *transfer, platform_transfer *before, void *to, const void *from, uint32_t bytes) {
    (void)before;
    const copy described = {to, from, bytes};
    memcpy(transfer, &described, sizeof described);
    if (is_early(transfer))
        memcpy(to, from, bytes);
    else
        memset(to, 0xa5, bytes);
}

bool platform_transfer_finish(platform_transfer *transfer) {
    copy described;
    memcpy(&described, transfer, sizeof described);
    if (!is_early(transfer)) memcpy(described.to, described.from, described.bytes);
    return true;
}

#endif
