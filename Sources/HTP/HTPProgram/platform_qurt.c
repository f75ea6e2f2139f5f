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
// What is asked for lies in a block of 160 bytes in public programs; later systems may take more.
typedef struct compute_request {
    uint64_t words[32];
} compute_request;
extern int compute_resource_attr_init(compute_request *request) __attribute__((weak));
extern int compute_resource_attr_set_serialize(compute_request *request, uint8_t serialize) __attribute__((weak));
extern int compute_resource_attr_set_vtcm_param(compute_request *request, uint32_t size, uint8_t single_page)
    __attribute__((weak));
extern int compute_resource_attr_set_vtcm_param_v2(compute_request *request, uint32_t size, uint32_t least_page,
                                                   uint32_t least_size) __attribute__((weak));
extern void *compute_resource_attr_get_vtcm_ptr(compute_request *request) __attribute__((weak));
extern int compute_resource_attr_get_vtcm_ptr_v2(compute_request *request, void **address, uint32_t *size)
    __attribute__((weak));
extern uint32_t compute_resource_acquire(compute_request *request, uint32_t microseconds) __attribute__((weak));
extern int compute_resource_release(uint32_t context) __attribute__((weak));
// The older way.
extern int HAP_query_avail_VTCM(uint32_t *size, uint32_t *page, uint32_t *pages) __attribute__((weak));
extern void *HAP_request_VTCM(uint32_t size, uint32_t single_page) __attribute__((weak));
extern int HAP_release_VTCM(void *address) __attribute__((weak));
extern int qurt_mem_cache_clean(uintptr_t address, uint32_t size, int operation, int type);
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical);
extern int HAP_mmap_put(int fd);
// Weak: not known to be everywhere.
extern int adsp_mmap_fd_getinfo(int fd, uint32_t *size) __attribute__((weak));
extern uint64_t HAP_perf_get_time_us(void);
extern void qurt_sleep(uint64_t microseconds);
extern int HAP_power_set(void *context, void *request) __attribute__((weak));
extern void *memalign(size_t alignment, size_t size);
extern void free(void *memory);

#define STACK_BYTES (16 * 1024)

struct platform_thread {
    unsigned int id;
    void *stack;
    void (*entry)(void *);
    void *argument;
};

// All that there is, or what nobody holds.
static uint32_t near_bytes(bool is_free) {
    uint32_t total = 0, available = 0, page, pages;
    if (compute_resource_query_VTCM)
        return compute_resource_query_VTCM(0, &total, NULL, &available, NULL) != 0 ? 0 : is_free ? available : total;
    return HAP_query_avail_VTCM && HAP_query_avail_VTCM(&available, &page, &pages) == 0 ? available : 0;
}

void platform_query(platform_hardware *hardware) {
    hardware->arch = __HEXAGON_ARCH__ / 10 * 16 + __HEXAGON_ARCH__ % 10;
    // Bits 15…8 count the contexts of 128-byte vectors.
    int units = qurt_hvx_get_units();
    hardware->hvx_units = units > 0 && (units >> 8 & 0xff) ? (uint32_t)(units >> 8 & 0xff) : 1;
    hardware->vtcm_bytes = near_bytes(false);
}

// The host has mapped the buffer by its descriptor (FASTRPC_MAP_FD); here it is only looked up.
int platform_map(int fd, uint64_t size, void **address) {
    uint64_t physical = 0;
    uint32_t mapped = 0;
    if (size == 0 || size > UINT32_MAX) return AEE_EBADPARM;
    if (adsp_mmap_fd_getinfo && adsp_mmap_fd_getinfo(fd, &mapped) == 0 && size > mapped) return AEE_EBADPARM;
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

void platform_sleep(uint32_t microseconds) { qurt_sleep(microseconds); }

// Somebody else may be about to give it back.
enum { NEAR_MICROSECONDS = 2000 };

static bool request_resource(platform_near_memory *memory, uint32_t size) {
    compute_request request;
    __builtin_memset(&request, 0, sizeof request);
    if (compute_resource_attr_init(&request) != 0) return false;
    if (compute_resource_attr_set_serialize) compute_resource_attr_set_serialize(&request, 0);
    if (compute_resource_attr_set_vtcm_param_v2 && compute_resource_attr_get_vtcm_ptr_v2) {
        if (compute_resource_attr_set_vtcm_param_v2(&request, size, 0, PLATFORM_NEAR_BYTES_LEAST) != 0) return false;
    } else {
        // All or nothing: what others leave.
        const uint32_t available = near_bytes(true);
        if (size > available) size = available;
        if (size < PLATFORM_NEAR_BYTES_LEAST || !compute_resource_attr_set_vtcm_param
            || compute_resource_attr_set_vtcm_param(&request, size, 0) != 0)
            return false;
    }
    memory->context = compute_resource_acquire(&request, NEAR_MICROSECONDS);
    if (memory->context == 0) return false;
    void *address = NULL;
    if (compute_resource_attr_set_vtcm_param_v2 && compute_resource_attr_get_vtcm_ptr_v2) {
        if (compute_resource_attr_get_vtcm_ptr_v2(&request, &address, &size) != 0) address = NULL;
    } else if (compute_resource_attr_get_vtcm_ptr) {
        address = compute_resource_attr_get_vtcm_ptr(&request);
    }
    memory->address = address;
    memory->size = size;
    return true;
}

bool platform_near_request(platform_near_memory *memory, uint32_t size) {
    *memory = (platform_near_memory){.address = NULL};
    if (size < PLATFORM_NEAR_BYTES_LEAST) return false;
    if (compute_resource_attr_init && compute_resource_acquire && compute_resource_release) {
        if (!request_resource(memory, size)) return false;
    } else if (HAP_request_VTCM && HAP_release_VTCM) {
        const uint32_t available = near_bytes(true);
        memory->size = size < available ? size : available;
        if (memory->size >= PLATFORM_NEAR_BYTES_LEAST) memory->address = HAP_request_VTCM(memory->size, 0);
    }
    const bool is_useful = memory->address && (uintptr_t)memory->address % 128 == 0
        && memory->size >= PLATFORM_NEAR_BYTES_LEAST;
    if (!is_useful) platform_near_release(memory);
    return is_useful;
}

void platform_near_release(platform_near_memory *memory) {
    if (memory->context != 0)
        compute_resource_release(memory->context);
    else if (memory->address)
        HAP_release_VTCM(memory->address);
    *memory = (platform_near_memory){.address = NULL};
}

// HAP_power_request_t: enumerations and flags take a byte each. The size is that of its largest variants.
typedef struct power_corners {
    uint8_t target, minimum, maximum;
    uint8_t reserved[13];
} power_corners;

typedef struct power_request {
    uint64_t type; // a byte and what aligns the rest
    union {
        uint8_t application_type;
        uint8_t has_vectors;
        struct {
            uint8_t sets_enable, enable, option, sets_latency;
            uint32_t latency;
            uint8_t sets_core, reserved_1[3];
            power_corners core;
            uint8_t sets_bus, reserved_2[3];
            power_corners bus;
            uint8_t sets_v3, reserved_3[27];
            uint8_t sets_sleep_disable, sleep_disable, reserved_4[2];
        } clocks;
    };
} power_request;

_Static_assert(offsetof(power_request, clocks.core) == 20 && offsetof(power_request, clocks.bus) == 40
                   && offsetof(power_request, clocks.sets_sleep_disable) == 84 && sizeof(power_request) == 88,
               "the layout of HAP_power.h");

enum { POWER_VECTORS = 2, POWER_APPLICATION = 3, POWER_CLOCKS = 12 };
enum { APPLICATION_COMPUTES = 4 };
enum { OPTION_ADJUSTS = 1, OPTION_SAVES = 4, OPTION_PERFORMS = 0x10 };
enum { CORNER_NONE = 0, CORNER_SVS2 = 1, CORNER_SVS = 2, CORNER_NOMINAL = 4, CORNER_MAXIMUM = 255 };

typedef struct power_level {
    uint8_t is_adaptive, option, never_sleeps;
    uint32_t latency; // microseconds
    power_corners corners;
} power_level;

static const power_level POWER_LEVELS[PLATFORM_POWER_LEVELS] = {
    [PLATFORM_POWER_FULL] =
        {0, OPTION_PERFORMS, 1, 40, {.target = CORNER_MAXIMUM, .minimum = CORNER_MAXIMUM, .maximum = CORNER_MAXIMUM}},
    [PLATFORM_POWER_BALANCED] =
        {1, OPTION_ADJUSTS, 0, 100, {.target = CORNER_NOMINAL, .minimum = CORNER_SVS, .maximum = CORNER_MAXIMUM}},
    [PLATFORM_POWER_SAVING] =
        {1, OPTION_SAVES, 0, 1000, {.target = CORNER_SVS, .minimum = CORNER_SVS2, .maximum = CORNER_NOMINAL}},
};

static void set_vectors(const void *client, bool are_on) {
    power_request request = {.type = POWER_VECTORS};
    request.has_vectors = are_on;
    HAP_power_set((void *)(uintptr_t)client, &request);
}

static bool set_clocks(const void *client, const power_level *level) {
    power_request request = {.type = POWER_CLOCKS};
    request.clocks.sets_enable = 1;
    request.clocks.enable = level->is_adaptive;
    request.clocks.option = level->option;
    request.clocks.sets_latency = level->latency != 0;
    request.clocks.latency = level->latency;
    request.clocks.sets_core = request.clocks.sets_bus = 1;
    request.clocks.core = request.clocks.bus = level->corners;
    request.clocks.sets_sleep_disable = 1;
    request.clocks.sleep_disable = level->never_sleeps;
    return HAP_power_set((void *)(uintptr_t)client, &request) == 0;
}

// Where the system refuses, as it may in an unsigned process, the work goes on at its own pace.
bool platform_power_request(const void *client, uint32_t level) {
    if (!HAP_power_set || level >= PLATFORM_POWER_LEVELS) return false;
    power_request request = {.type = POWER_APPLICATION};
    request.application_type = APPLICATION_COMPUTES;
    HAP_power_set((void *)(uintptr_t)client, &request);
    if (!set_clocks(client, &POWER_LEVELS[level])) return false;
    set_vectors(client, true);
    return true;
}

void platform_power_release(const void *client) {
    static const power_level none = {.is_adaptive = 1, .option = OPTION_ADJUSTS};
    set_vectors(client, false);
    set_clocks(client, &none);
}

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
