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
