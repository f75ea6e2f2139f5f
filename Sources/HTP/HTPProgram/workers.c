#include "workers.h"

#include "platform.h"

typedef struct worker {
    workers *pool;
    platform_thread *thread;
    uint32_t part;
} worker;

struct workers {
    uint32_t count;
    uint32_t generation; // counts jobs; workers sleep on it
    uint32_t unfinished; // parts of the current job other than the caller's
    uint32_t stopping;
    worker_job job;
    void *argument;
    worker threads[WORKERS_MAX];
};

static void work(void *argument) {
    worker *self = argument;
    workers *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        uint32_t now = __atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE);
        if (now == seen) {
            platform_wait(&pool->generation, seen);
            continue;
        }
        seen = now;
        if (pool->stopping) return;
        pool->job(pool->argument, self->part, pool->count);
        if (__atomic_sub_fetch(&pool->unfinished, 1, __ATOMIC_ACQ_REL) == 0) platform_wake(&pool->unfinished);
    }
}

workers *workers_start(uint32_t threads) {
    workers *pool = platform_allocate(sizeof *pool);
    if (!pool) return NULL;
    __builtin_memset(pool, 0, sizeof *pool);
    pool->count = 1;
    if (threads > WORKERS_MAX) threads = WORKERS_MAX;
    while (pool->count < threads) {
        worker *next = &pool->threads[pool->count];
        next->pool = pool;
        next->part = pool->count;
        next->thread = platform_thread_start(work, next);
        // Fewer threads than asked for still do the work.
        if (!next->thread) break;
        pool->count++;
    }
    return pool;
}

static void announce(workers *pool) {
    __atomic_add_fetch(&pool->generation, 1, __ATOMIC_RELEASE);
    platform_wake(&pool->generation);
}

void workers_stop(workers *pool) {
    if (!pool) return;
    pool->stopping = 1;
    announce(pool);
    for (uint32_t i = 1; i < pool->count; i++) platform_thread_join(pool->threads[i].thread);
    platform_free(pool);
}

uint32_t workers_count(const workers *pool) { return pool->count; }

void workers_run(workers *pool, worker_job job, void *argument) {
    if (pool->count == 1) {
        job(argument, 0, 1);
        return;
    }
    pool->job = job;
    pool->argument = argument;
    __atomic_store_n(&pool->unfinished, pool->count - 1, __ATOMIC_RELAXED);
    announce(pool);
    job(argument, 0, pool->count);
    uint32_t left;
    while ((left = __atomic_load_n(&pool->unfinished, __ATOMIC_ACQUIRE)) != 0)
        platform_wait(&pool->unfinished, left);
}
