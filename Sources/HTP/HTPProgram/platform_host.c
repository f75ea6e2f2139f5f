// The platform on a Linux host: an emulated vector unit per processor, shared buffers mapped by mmap.
#if !defined(__hexagon__)

#define _GNU_SOURCE
#include "platform.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "AEEStdErr.h"

struct platform_thread {
    pthread_t thread;
    void (*entry)(void *);
    void *argument;
};

// As much as the larger processors have.
enum { NEAR_BYTES = 8 << 20 };

void platform_query(platform_hardware *hardware) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    // The instructions that the emulation covers are those of v66.
    hardware->arch = 0x66;
    hardware->hvx_units = processors < 1 ? 1 : (uint32_t)processors;
    hardware->vtcm_bytes = NEAR_BYTES;
}

// In a process of the virtual DSP `fd` is the client's number, and that process knows the buffer. Elsewhere
// there are no such functions, or they answer that this is no such process.
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical) __attribute__((weak));
extern int HAP_mmap_put(int fd) __attribute__((weak));
extern int adsp_mmap_fd_getinfo(int fd, uint32_t *size) __attribute__((weak));

static int map_on_virtual_dsp(int fd, uint64_t size, void **address) {
    if (!HAP_mmap_get || !HAP_mmap_put || !adsp_mmap_fd_getinfo) return AEE_EUNSUPPORTED;
    uint32_t mapped = 0;
    int result = adsp_mmap_fd_getinfo(fd, &mapped);
    if (result != 0) return result;
    if (size == 0 || size > mapped) return AEE_EBADPARM;
    uint64_t physical = 0;
    return HAP_mmap_get(fd, address, &physical);
}

int platform_map(int fd, uint64_t size, void **address) {
    int result = map_on_virtual_dsp(fd, size, address);
    if (result != AEE_EUNSUPPORTED) return result;
    struct stat status;
    if (fstat(fd, &status) != 0 || size == 0 || status.st_size < 0 || size > (uint64_t)status.st_size)
        return AEE_EBADPARM;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return AEE_ENOMEMORY;
    *address = memory;
    return AEE_SUCCESS;
}

void platform_unmap(int fd, void *address, uint64_t size) {
    if (!HAP_mmap_put || HAP_mmap_put(fd) == AEE_EUNSUPPORTED) munmap(address, size);
}

// Both sides are the same processor here.
void platform_refresh(void *memory, uint64_t size) {
    (void)memory;
    (void)size;
}

void platform_publish(void *memory, uint64_t size) {
    (void)memory;
    (void)size;
}

void *platform_allocate(size_t size) {
    void *memory = NULL;
    return posix_memalign(&memory, 128, size) == 0 ? memory : NULL;
}

void platform_free(void *memory) { free(memory); }

uint64_t platform_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void platform_sleep(uint32_t microseconds) { usleep(microseconds); }

// Memory of its own for each request, so that nothing reaches it before or after.
bool platform_near_request(platform_near_memory *memory, uint32_t size) {
    if (size > NEAR_BYTES) size = NEAR_BYTES;
    if (size < PLATFORM_NEAR_BYTES_LEAST) return false;
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) return false;
    *memory = (platform_near_memory){.address = address, .size = size};
    return true;
}

void platform_near_release(platform_near_memory *memory) {
    if (memory->address) munmap(memory->address, memory->size);
    *memory = (platform_near_memory){.address = NULL};
}

// The host's clocks are not ours.
bool platform_power_request(const void *client, uint32_t level) {
    (void)client;
    (void)level;
    return false;
}

void platform_power_release(const void *client) { (void)client; }

void platform_wait(uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void platform_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

static void *run(void *argument) {
    platform_thread *thread = argument;
    thread->entry(thread->argument);
    return NULL;
}

platform_thread *platform_thread_start(void (*entry)(void *), void *argument) {
    platform_thread *thread = malloc(sizeof *thread);
    if (!thread) return NULL;
    thread->entry = entry;
    thread->argument = argument;
    if (pthread_create(&thread->thread, NULL, run, thread) != 0) {
        free(thread);
        return NULL;
    }
    return thread;
}

void platform_thread_join(platform_thread *thread) {
    pthread_join(thread->thread, NULL);
    free(thread);
}

#endif
