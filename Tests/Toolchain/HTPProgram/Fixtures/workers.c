// A pool of workers does each part of a job once, and sleeps between jobs: its threads are not even woken.
//
// Writes the number of jobs, of context switches of the other threads while nobody had work, and of the
// microseconds of processor time that the process took in those 0.3 seconds.
#define _GNU_SOURCE
#include "workers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { JOBS = 2000, PARTS = 5 };

static uint32_t done[PARTS];

static void job(void *argument, uint32_t part, uint32_t parts) {
    if (parts != PARTS || argument != done) exit(2);
    done[part]++;
}

// Switches of all threads but the first, or the end where one of them does not sleep.
static long switches(void) {
    long sum = 0;
    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) exit(4);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
        char path[300], line[200];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        if (!status) exit(4);
        while (fgets(line, sizeof line, status)) {
            long count;
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1
                || sscanf(line, "nonvoluntary_ctxt_switches: %ld", &count) == 1)
                sum += count;
            if (strncmp(line, "State:", 6) == 0 && !strstr(line, "(sleeping)")) exit(5);
        }
        fclose(status);
        threads++;
    }
    closedir(tasks);
    if (threads != PARTS - 1) exit(3);
    return sum;
}

static long microseconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec
        + usage.ru_stime.tv_usec;
}

int main(void) {
    workers *pool = workers_start(PARTS);
    if (!pool || workers_count(pool) != PARTS) return 1;
    for (int i = 0; i < JOBS; i++) workers_run(pool, job, done);
    for (int part = 0; part < PARTS; part++)
        if (done[part] != JOBS) return 1;
    usleep(200000); // time to fall asleep
    const long before = switches(), begin = microseconds();
    usleep(300000);
    const long taken = microseconds() - begin, woken = switches() - before;
    printf("%d %ld %ld\n", JOBS, woken, taken);
    // It still works.
    workers_run(pool, job, done);
    if (done[PARTS - 1] != JOBS + 1) return 1;
    workers_stop(pool);
    return 0;
}
