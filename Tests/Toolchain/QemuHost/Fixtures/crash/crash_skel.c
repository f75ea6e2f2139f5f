// A module that misbehaves.
#include "AEEStdErr.h"
#include "remote.h"

// The beginning of QuRT's, as far as it is set here.
typedef struct {
    char name[16];
    uint8_t partition, stid;
    uint16_t priority;
    uint8_t asid, bus_priority;
    uint16_t timetest_id;
    uint32_t stack_size;
    void *stack;
    uint8_t later[68];
} attributes;

extern int qurt_thread_create(unsigned *id, attributes *attributes, void (*entry)(void *), void *argument);
extern int qurt_thread_join(unsigned id, int *status);

static void use_much(void *argument) {
    volatile uint8_t bytes[4000];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = 0;
    *(int *)argument = bytes[0];
}

// Runs a thread that needs some 4 KiB on a stack of `size` bytes.
static int use_stack(uint32_t size) {
    static uint8_t memory[16384] __attribute__((aligned(16)));
    attributes a = {.priority = 100, .stack_size = size, .stack = memory + sizeof memory - size};
    unsigned id;
    int status, out;
    if (qurt_thread_create(&id, &a, use_much, &out) != 0) return AEE_EFAILED;
    return qurt_thread_join(id, &status) == 0 ? AEE_SUCCESS : AEE_EFAILED;
}

int crash_skel_handle_invoke(remote_handle64 handle, uint32_t sc, remote_arg *arguments) {
    (void)handle;
    switch (REMOTE_SCALARS_METHOD(sc)) {
    case 0: arguments[2].h64 = 1; return AEE_SUCCESS;
    case 1: return AEE_SUCCESS;
    case 2: return use_stack(8192);
    case 3: return *(volatile int *)16;
    case 4: return use_stack(4048);
    }
    return AEE_EUNSUPPORTED;
}
