// What the DSP program needs of the system under it. Three implementations: the host, QuRT with HAP on a
// DSP, and Linux on Hexagon. Nothing else in the program differs between them.
#ifndef HTP_PLATFORM_H
#define HTP_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where the program runs.
typedef struct platform_hardware {
    uint32_t arch;       // 0x68 for v68
    uint32_t hvx_units;  // vector contexts that may work at the same time
    uint64_t vtcm_bytes; // tightly coupled memory, 0 if there is none to be had
} platform_hardware;

void platform_query(platform_hardware *hardware);

// Maps the first `size` bytes of a shared buffer. Returns an AEE code.
int platform_map(int fd, uint64_t size, void **address);
void platform_unmap(int fd, void *address, uint64_t size);

// A DSP's caches do not follow the host's writes, nor the host the DSP's. Called before reading what the host
// wrote, and after writing what it will read.
void platform_refresh(void *memory, uint64_t size);
void platform_publish(void *memory, uint64_t size);

// Memory aligned to 128 bytes, or NULL.
void *platform_allocate(size_t size);
void platform_free(void *memory);

uint64_t platform_microseconds(void);
void platform_sleep(uint32_t microseconds);

// Sleeps while `*word == value`; may return early.
void platform_wait(uint32_t *word, uint32_t value);
void platform_wake(uint32_t *word);

// Tightly coupled memory of the vector units (VTCM), which processes share by turns. Scalar accesses to it are slow.
typedef struct platform_near_memory {
    uint8_t *address; // aligned to 128 bytes; NULL: none
    uint32_t size;
    uint32_t context; // the system's
} platform_near_memory;

enum { PLATFORM_NEAR_BYTES_LEAST = 64 * 1024 };

// Asks for `size` bytes or as many as there are, `PLATFORM_NEAR_BYTES_LEAST` at least. False where that is refused or
// there is none; waits for a few milliseconds at most.
bool platform_near_request(platform_near_memory *memory, uint32_t size);
void platform_near_release(platform_near_memory *memory);

// Transfers into it, beside the thread that starts them and in the order in which it does. Each is described in memory
// that stays until it is over.
typedef struct platform_transfer {
    uint64_t words[8];
} __attribute__((aligned(64))) platform_transfer;

// Whether this code can start them. Whether the processor can only shows in trying: its instructions do not exist on
// older ones.
bool platform_transfers_exist(void);
// `before` is the transfer started last that may still be under way, or NULL.
void platform_transfer_start(
    platform_transfer *transfer, platform_transfer *before, void *to, const void *from, uint32_t bytes);
// Waits for the end. False where the transfer failed.
bool platform_transfer_finish(platform_transfer *transfer);

// How much power work may take.
enum { PLATFORM_POWER_FULL, PLATFORM_POWER_BALANCED, PLATFORM_POWER_SAVING, PLATFORM_POWER_LEVELS };

// Asks the system for clocks and vector units, in the name of `client`; or withdraws that. False where there is
// nothing to ask for.
bool platform_power_request(const void *client, uint32_t level);
void platform_power_release(const void *client);

typedef struct platform_thread platform_thread;

// Starts a thread, or returns NULL.
platform_thread *platform_thread_start(void (*entry)(void *), void *argument);
void platform_thread_join(platform_thread *thread);

#endif
