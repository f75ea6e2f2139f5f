#include "linux.h"

enum {
    CLOSE = 57,
    WRITE_FILE = 64,
    PREAD = 67,
    EXIT_GROUP = 94,
    FUTEX = 98,
    NANOSLEEP = 101,
    CLOCK_GETTIME = 113,
    GETTID = 178,
    MUNMAP = 215,
    MMAP2 = 222,
    MPROTECT = 226,
};

enum { READ = 1, WRITE = 2, EXECUTE = 4 };
enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };
enum { ETIMEDOUT = 110 };

typedef struct {
    int32_t seconds, nanoseconds;
} timespec;

_Noreturn void linux_exit(int status) {
    for (;;) linux_call(status, 0, 0, 0, 0, 0, EXIT_GROUP);
}

_Noreturn void linux_fail(const char *reason) {
    linux_call(2, (long)reason, (long)__builtin_strlen(reason), 0, 0, 0, WRITE_FILE);
    linux_exit(1);
}

static void *checked(long address) { return (unsigned long)address > (unsigned long)-4096 ? NULL : (void *)address; }

void *linux_allocate(size_t size) {
    return checked(linux_call(0, (long)size, READ | WRITE | EXECUTE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, MMAP2));
}

void *linux_map(int file, size_t size) {
    return checked(linux_call(0, (long)size, READ | WRITE, MAP_SHARED, file, 0, MMAP2));
}

void linux_unmap(void *address, size_t size) { linux_call((long)address, (long)size, 0, 0, 0, 0, MUNMAP); }

void linux_protect(void *address, size_t size, bool is_accessible) {
    linux_call((long)address, (long)size, is_accessible ? READ | WRITE : 0, 0, 0, 0, MPROTECT);
}

bool linux_read_at(int file, void *bytes, size_t size, uint64_t offset) {
    uint8_t *next = bytes;
    while (size > 0) {
        // The offset takes a pair of registers.
        long count = linux_call(file, (long)next, (long)size, 0, (long)(uint32_t)offset, (long)(offset >> 32), PREAD);
        if (count == -4) continue; // EINTR
        if (count <= 0) return false;
        next += count;
        offset += (uint64_t)count;
        size -= (size_t)count;
    }
    return true;
}

void linux_close(int file) { linux_call(file, 0, 0, 0, 0, 0, CLOSE); }

uint64_t linux_microseconds(void) {
    timespec now = {0, 0};
    linux_call(1, (long)&now, 0, 0, 0, 0, CLOCK_GETTIME);
    return (uint64_t)(uint32_t)now.seconds * 1000000 + (uint32_t)now.nanoseconds / 1000;
}

void linux_sleep(uint32_t microseconds) {
    timespec time = {(int32_t)(microseconds / 1000000), (int32_t)(microseconds % 1000000 * 1000)};
    linux_call((long)&time, 0, 0, 0, 0, 0, NANOSLEEP);
}

uint32_t linux_thread_number(void) { return (uint32_t)linux_call(0, 0, 0, 0, 0, 0, GETTID); }

bool linux_wait(const void *word, uint32_t value, uint32_t microseconds) {
    timespec time = {(int32_t)(microseconds / 1000000), (int32_t)(microseconds % 1000000 * 1000)};
    const timespec *limit = microseconds == UINT32_MAX ? NULL : &time;
    return linux_call((long)word, FUTEX_WAIT_PRIVATE, (long)value, (long)limit, 0, 0, FUTEX) != -ETIMEDOUT;
}

void linux_wake(const void *word, uint32_t threads) {
    linux_call((long)word, FUTEX_WAKE_PRIVATE, (long)threads, 0, 0, 0, FUTEX);
}

// 0 free, 1 taken, 2 taken and somebody may wait.
bool lock_try(lock *lock) {
    uint32_t expected = 0;
    return __atomic_compare_exchange_n(&lock->state, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void lock_take(lock *lock) {
    if (lock_try(lock)) return;
    while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0) linux_wait(&lock->state, 2, UINT32_MAX);
}

void lock_release(lock *lock) {
    if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2) linux_wake(&lock->state, 1);
}
