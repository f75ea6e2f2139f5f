// What ThreadSanitizer does not see of the standard library's lock, for the programs that Tests/sanitize links.
//
// `Synchronization.Mutex` locks and unlocks by one atomic operation that the compiler puts into our code, where the
// sanitizer sees it. Only where two threads meet at the lock it calls three functions of the library, which are not
// instrumented: their atomic operations and futexes order the threads, but the sanitizer does not know, and reports
// races that there are not. The functions below take their place, call them, and say which order they made:
// no more than that the thread that gets a lock has seen what the one before it did. Races of data that no lock
// guards are found as before, as Tests/sanitize checks with a deliberate one.
//
// The signatures are those of `_MutexHandle` in the Swift project's stdlib/public/Synchronization/Mutex/LinuxImpl.swift.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

SWIFT void lock_slow(uint32_t thread, SELF void *lock) __asm__(LOCK_SLOW);
SWIFT void unlock_slow(SELF void *lock) __asm__(UNLOCK_SLOW);
SWIFT bool try_lock_slow(SELF void *lock) __asm__(TRY_LOCK_SLOW);

static void *original(_Atomic(void *) *place, const char *symbol) {
    void *function = *place;
    if (!function) *place = function = dlsym(RTLD_NEXT, symbol);
    return function;
}

SWIFT void lock_slow(uint32_t thread, SELF void *lock) {
    static _Atomic(void *) place;
    typedef SWIFT void (*Function)(uint32_t, SELF void *);
    ((Function)original(&place, LOCK_SLOW))(thread, lock);
    __tsan_acquire(lock);
}

SWIFT void unlock_slow(SELF void *lock) {
    static _Atomic(void *) place;
    typedef SWIFT void (*Function)(SELF void *);
    __tsan_release(lock);
    ((Function)original(&place, UNLOCK_SLOW))(lock);
}

SWIFT bool try_lock_slow(SELF void *lock) {
    static _Atomic(void *) place;
    typedef SWIFT bool (*Function)(SELF void *);
    bool isLocked = ((Function)original(&place, TRY_LOCK_SLOW))(lock);
    if (isLocked) __tsan_acquire(lock);
    return isLocked;
}
