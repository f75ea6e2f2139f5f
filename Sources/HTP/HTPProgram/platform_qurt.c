// The platform on a DSP: QuRT threads and futexes, HAP mappings. The symbols are the DSP's own; there is
// no vendor header here, so their prototypes are written out.
#if defined(__hexagon__)

#include "platform.h"

#include "AEEStdErr.h"

typedef struct qurt_thread_attr {
    char name[16];
    unsigned char tcb_partition;
    unsigned char stid;
    unsigned short priority;
    unsigned char asid;
    unsigned char bus_priority;
    unsigned short timetest_id;
    unsigned int stack_size;
    void *stack_addr;
    unsigned short detach_state;
    unsigned char later[64]; // newer systems append fields; zero is their default
} qurt_thread_attr;

extern int qurt_thread_create(unsigned int *id, qurt_thread_attr *attr, void (*entry)(void *), void *argument);
extern int qurt_thread_join(unsigned int id, int *status);
extern unsigned int qurt_thread_get_id(void);
extern int qurt_thread_get_priority(unsigned int id);
extern int qurt_futex_wait(void *word, int value);
extern int qurt_futex_wake(void *word, int threads);
extern int qurt_hvx_get_units(void);
// Weak: older systems lack it. The page layouts that it can also tell are not asked for.
extern int compute_resource_query_VTCM(uint32_t application, uint32_t *total, void *layout, uint32_t *available,
                                       void *available_layout) __attribute__((weak));
extern int qurt_mem_cache_clean(uintptr_t address, uint32_t size, int operation, int type);
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical);
extern int HAP_mmap_put(int fd);
extern uint64_t HAP_perf_get_time_us(void);
extern void *memalign(size_t alignment, size_t size);
extern void free(void *memory);

#define STACK_BYTES (16 * 1024)

struct platform_thread {
    unsigned int id;
    void *stack;
    void (*entry)(void *);
    void *argument;
};

void platform_query(platform_hardware *hardware) {
    hardware->arch = __HEXAGON_ARCH__ / 10 * 16 + __HEXAGON_ARCH__ % 10;
    // Bits 15…8 count the contexts of 128-byte vectors.
    int units = qurt_hvx_get_units();
    hardware->hvx_units = units > 0 && (units >> 8 & 0xff) ? (uint32_t)(units >> 8 & 0xff) : 1;
    uint32_t vtcm = 0;
    if (compute_resource_query_VTCM && compute_resource_query_VTCM(0, &vtcm, NULL, NULL, NULL) != 0) vtcm = 0;
    hardware->vtcm_bytes = vtcm;
}

// The host has mapped the buffer by its descriptor (FASTRPC_MAP_FD); here it is only looked up.
int platform_map(int fd, uint64_t size, void **address) {
    uint64_t physical = 0;
    if (size == 0) return AEE_EBADPARM;
    int status = HAP_mmap_get(fd, address, &physical);
    return status != 0 ? status : *address ? AEE_SUCCESS : AEE_ENOMEMORY;
}

void platform_unmap(int fd, void *address, uint64_t size) {
    (void)address;
    (void)size;
    HAP_mmap_put(fd);
}

// Operations and type of qurt_mem_cache_clean.
enum { CACHE_FLUSH = 0, CACHE_FLUSH_INVALIDATE = 2, DATA_CACHE = 1 };

void platform_refresh(void *memory, uint64_t size) {
    qurt_mem_cache_clean((uintptr_t)memory, (uint32_t)size, CACHE_FLUSH_INVALIDATE, DATA_CACHE);
}

void platform_publish(void *memory, uint64_t size) {
    qurt_mem_cache_clean((uintptr_t)memory, (uint32_t)size, CACHE_FLUSH, DATA_CACHE);
}

void *platform_allocate(size_t size) { return memalign(128, size); }
void platform_free(void *memory) { free(memory); }
uint64_t platform_microseconds(void) { return HAP_perf_get_time_us(); }
void platform_wait(uint32_t *word, uint32_t value) { qurt_futex_wait(word, (int)value); }
void platform_wake(uint32_t *word) { qurt_futex_wake(word, 0x7fffffff); }

static void run(void *argument) {
    platform_thread *thread = argument;
    thread->entry(thread->argument);
}

platform_thread *platform_thread_start(void (*entry)(void *), void *argument) {
    platform_thread *thread = memalign(128, sizeof *thread);
    if (!thread) return NULL;
    thread->stack = memalign(128, STACK_BYTES);
    thread->entry = entry;
    thread->argument = argument;
    qurt_thread_attr attr;
    __builtin_memset(&attr, 0, sizeof attr);
    attr.bus_priority = 0xff;
    attr.timetest_id = 0xfffe;
    attr.priority = (unsigned short)qurt_thread_get_priority(qurt_thread_get_id());
    attr.stack_size = STACK_BYTES;
    attr.stack_addr = thread->stack;
    if (!thread->stack || qurt_thread_create(&thread->id, &attr, run, thread) != 0) {
        free(thread->stack);
        free(thread);
        return NULL;
    }
    return thread;
}

void platform_thread_join(platform_thread *thread) {
    int status;
    qurt_thread_join(thread->id, &status);
    free(thread->stack);
    free(thread);
}

#endif
