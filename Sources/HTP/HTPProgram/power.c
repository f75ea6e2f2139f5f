#include "power.h"

#include "platform.h"

// Power is given back after five naps without work, about a tenth of a second: longer than what lies between two
// tokens, as asking takes time too.
enum { NAP_MICROSECONDS = 20000, IDLE_NAPS = 5 };

struct power {
    uint32_t lock;       // 0 free, 1 taken, 2 taken and somebody may wait
    uint32_t level;
    uint32_t working;    // pieces of work under way
    uint32_t begun;      // counts pieces of work
    uint32_t is_holding; // whether the system has been asked; the thread sleeps while not
    uint32_t is_stopping;
    platform_thread *thread;
};

static void take(power *p) {
    uint32_t expected = 0;
    if (__atomic_compare_exchange_n(&p->lock, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    while (__atomic_exchange_n(&p->lock, 2, __ATOMIC_ACQUIRE) != 0) platform_wait(&p->lock, 2);
}

static void give(power *p) {
    if (__atomic_exchange_n(&p->lock, 0, __ATOMIC_RELEASE) == 2) platform_wake(&p->lock);
}

// Naps as long as power is held, and gives it back when nothing has happened meanwhile.
static void watch(void *argument) {
    power *p = argument;
    uint32_t seen = 0, naps = 0;
    while (!__atomic_load_n(&p->is_stopping, __ATOMIC_ACQUIRE)) {
        if (!__atomic_load_n(&p->is_holding, __ATOMIC_ACQUIRE)) {
            platform_wait(&p->is_holding, 0);
            naps = 0;
            continue;
        }
        platform_sleep(NAP_MICROSECONDS);
        take(p);
        naps = p->working == 0 && p->begun == seen ? naps + 1 : 0;
        seen = p->begun;
        if (naps >= IDLE_NAPS) {
            platform_power_release(p);
            __atomic_store_n(&p->is_holding, 0, __ATOMIC_RELEASE);
        }
        give(p);
    }
}

power *power_start(uint32_t level) {
    power *p = platform_allocate(sizeof *p);
    if (!p) return NULL;
    __builtin_memset(p, 0, sizeof *p);
    p->level = level;
    p->is_holding = platform_power_request(p, level);
    if (p->is_holding) p->thread = platform_thread_start(watch, p);
    if (p->thread) return p;
    // Nobody would ever give it back.
    if (p->is_holding) platform_power_release(p);
    platform_free(p);
    return NULL;
}

void power_stop(power *p) {
    if (!p) return;
    take(p);
    __atomic_store_n(&p->is_stopping, 1, __ATOMIC_RELEASE);
    if (p->is_holding) platform_power_release(p);
    // What the thread may wait for.
    __atomic_store_n(&p->is_holding, 1, __ATOMIC_RELEASE);
    give(p);
    platform_wake(&p->is_holding);
    platform_thread_join(p->thread);
    platform_free(p);
}

void power_set_level(power *p, uint32_t level) {
    if (!p) return;
    take(p);
    p->level = level;
    if (p->is_holding) platform_power_request(p, level);
    give(p);
}

void power_begin(power *p) {
    if (!p) return;
    take(p);
    p->working++;
    p->begun++;
    const bool must_ask = !p->is_holding;
    if (must_ask) {
        platform_power_request(p, p->level);
        __atomic_store_n(&p->is_holding, 1, __ATOMIC_RELEASE);
    }
    give(p);
    if (must_ask) platform_wake(&p->is_holding);
}

void power_end(power *p) {
    if (!p) return;
    take(p);
    p->working--;
    give(p);
}
