// Linux for Hexagon, without a C library.
#ifndef LINUX_H
#define LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 0x10000u // a page of the emulated machine

// Both return what the kernel returns: an error is -errno.
long linux_call(long a, long b, long c, long d, long e, long f, long number);
long linux_thread(long flags, void *stack, void *parent, void *child);

_Noreturn void linux_exit(int status);
// Says why on standard error, which the host reads when the process has ended.
_Noreturn void linux_fail(const char *reason);

// Memory of this process alone, or NULL.
void *linux_allocate(size_t size);
// The first bytes of a file, shared with whoever else has it mapped, or NULL.
void *linux_map(int file, size_t size);
void linux_unmap(void *address, size_t size);
void linux_protect(void *address, size_t size, bool is_accessible);

bool linux_read_at(int file, void *bytes, size_t size, uint64_t offset);
void linux_close(int file);

uint64_t linux_microseconds(void);
void linux_sleep(uint32_t microseconds);
uint32_t linux_thread_number(void);

// Sleeps while `*word == value`; may return early. False when the time is over; UINT32_MAX is for ever.
bool linux_wait(const void *word, uint32_t value, uint32_t microseconds);
void linux_wake(const void *word, uint32_t threads);

// A lock that sleeps; 0 is free.
typedef struct {
    uint32_t state;
} lock;

void lock_take(lock *lock);
bool lock_try(lock *lock);
void lock_release(lock *lock);

#endif
