// The program's worker threads: one job at a time, split into as many parts as there are threads.
#ifndef HTP_WORKERS_H
#define HTP_WORKERS_H

#include <stdint.h>

#define WORKERS_MAX 16

typedef void (*worker_job)(void *argument, uint32_t part, uint32_t parts);

typedef struct workers workers;

// A pool of `threads` threads, the caller of `workers_run` included; NULL without memory.
workers *workers_start(uint32_t threads);
void workers_stop(workers *pool);
uint32_t workers_count(const workers *pool);

// Runs `job` once for each part and returns when all are done. The caller does part 0.
void workers_run(workers *pool, worker_job job, void *argument);

#endif
