#include "resources.h"

// Given back after five naps without work, about a tenth of a second: longer than what lies between two tokens, as
// asking takes time too.
enum { NAP_MICROSECONDS = 20000, IDLE_NAPS = 5 };

struct resources {
    uint32_t lock;       // 0 free, 1 taken, 2 taken and somebody may wait
    resource_wishes wishes;
    uint32_t working;    // pieces of work under way
    uint32_t begun;      // counts pieces of work
    uint32_t is_holding; // whether the system has been asked; the thread sleeps while not
    uint32_t is_stopping;
    bool has_power;
    platform_near_memory near;
    platform_thread *thread;
};

static void take(resources *r) {
    uint32_t expected = 0;
    if (__atomic_compare_exchange_n(&r->lock, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    while (__atomic_exchange_n(&r->lock, 2, __ATOMIC_ACQUIRE) != 0) platform_wait(&r->lock, 2);
}

static void give(resources *r) {
    if (__atomic_exchange_n(&r->lock, 0, __ATOMIC_RELEASE) == 2) platform_wake(&r->lock);
}

// What the system refuses is done without until the next time.
static void request(resources *r) {
    r->has_power = platform_power_request(r, r->wishes.power);
    r->near = (platform_near_memory){.address = NULL};
    if (r->wishes.near_bytes != 0 && !platform_near_request(&r->near, r->wishes.near_bytes))
        r->near = (platform_near_memory){.address = NULL};
}

static void release(resources *r) {
    if (r->has_power) platform_power_release(r);
    if (r->near.address) platform_near_release(&r->near);
    r->has_power = false;
}

// Naps as long as something is held, and gives it back when nothing has happened meanwhile.
static void watch(void *argument) {
    resources *r = argument;
    uint32_t seen = 0, naps = 0;
    while (!__atomic_load_n(&r->is_stopping, __ATOMIC_ACQUIRE)) {
        if (!__atomic_load_n(&r->is_holding, __ATOMIC_ACQUIRE)) {
            platform_wait(&r->is_holding, 0);
            naps = 0;
            continue;
        }
        platform_sleep(NAP_MICROSECONDS);
        take(r);
        naps = r->working == 0 && r->begun == seen ? naps + 1 : 0;
        seen = r->begun;
        if (naps >= IDLE_NAPS && r->is_holding) {
            release(r);
            __atomic_store_n(&r->is_holding, 0, __ATOMIC_RELEASE);
        }
        give(r);
    }
}

resources *resources_start(const resource_wishes *wishes) {
    platform_hardware hardware;
    platform_query(&hardware);
    resources *r = platform_allocate(sizeof *r);
    if (!r) return NULL;
    __builtin_memset(r, 0, sizeof *r);
    r->wishes = *wishes;
    request(r);
    r->is_holding = r->has_power || r->near.address;
    if (r->is_holding || hardware.vtcm_bytes != 0) r->thread = platform_thread_start(watch, r);
    if (r->thread) return r;
    // There is nothing, or nobody would ever give it back.
    release(r);
    platform_free(r);
    return NULL;
}

void resources_stop(resources *r) {
    if (!r) return;
    take(r);
    __atomic_store_n(&r->is_stopping, 1, __ATOMIC_RELEASE);
    if (r->is_holding) release(r);
    // What the thread may wait for.
    __atomic_store_n(&r->is_holding, 1, __ATOMIC_RELEASE);
    give(r);
    platform_wake(&r->is_holding);
    platform_thread_join(r->thread);
    platform_free(r);
}

void resources_set(resources *r, const resource_wishes *wishes) {
    if (!r) return;
    take(r);
    const bool is_other_memory = wishes->near_bytes != r->wishes.near_bytes;
    r->wishes = *wishes;
    if (r->is_holding && r->working == 0 && is_other_memory) {
        release(r);
        __atomic_store_n(&r->is_holding, 0, __ATOMIC_RELEASE);
    } else if (r->has_power) {
        r->has_power = platform_power_request(r, r->wishes.power);
    }
    give(r);
}

platform_near_memory resources_begin(resources *r) {
    if (!r) return (platform_near_memory){.address = NULL};
    take(r);
    r->working++;
    r->begun++;
    const bool must_ask = !r->is_holding;
    if (must_ask) {
        request(r);
        __atomic_store_n(&r->is_holding, 1, __ATOMIC_RELEASE);
    }
    const platform_near_memory near = r->near;
    give(r);
    if (must_ask) platform_wake(&r->is_holding);
    return near;
}

void resources_end(resources *r) {
    if (!r) return;
    take(r);
    r->working--;
    give(r);
}
