// Asks a DSP's system for tightly coupled memory, with as much of the compute resource manager as MANAGER says: 2 all of
// it, 1 without the functions that came later, 0 only what was before it.
//
// Standard input: three words a case: bytes there are, bytes that are free, bytes wanted. Standard output: for each the
// size given (0: refused), how often the system was asked and got memory back, and the size that the platform tells.
#include "platform.h"
#include "standalone.h"

static uint8_t memory[16 << 20] __attribute__((aligned(4096)));
static uint32_t total, available, asked, given_back, is_held;

static void *ask(uint32_t size) {
    asked++;
    if (size > available || is_held) return NULL;
    is_held = 1;
    return memory;
}

static int give_back(int is_ours) {
    if (!is_ours || !is_held) end(2);
    is_held = 0;
    given_back++;
    return 0;
}

#if MANAGER > 0

typedef struct request {
    uint32_t magic, size, least;
    void *address;
} request;
enum { MAGIC = 0x1234, CONTEXT = 77 };

int compute_resource_query_VTCM(uint32_t application, uint32_t *all, void *layout, uint32_t *left, void *left_layout) {
    if (application != 0 || layout || left_layout) end(3);
    *all = total;
    *left = available;
    return 0;
}
int compute_resource_attr_init(request *r) {
    *r = (request){MAGIC, 0, 0, NULL};
    return 0;
}
int compute_resource_attr_set_serialize(request *r, uint8_t serialize) { return r->magic == MAGIC && !serialize ? 0 : 1; }
int compute_resource_attr_set_vtcm_param(request *r, uint32_t size, uint8_t single_page) {
    if (single_page) end(3);
    r->size = r->least = size;
    return 0;
}
void *compute_resource_attr_get_vtcm_ptr(request *r) { return r->address; }
#if MANAGER > 1
int compute_resource_attr_set_vtcm_param_v2(request *r, uint32_t size, uint32_t least_page, uint32_t least) {
    if (least_page != 0) end(3);
    r->size = size;
    r->least = least;
    return 0;
}
int compute_resource_attr_get_vtcm_ptr_v2(request *r, void **address, uint32_t *size) {
    *address = r->address;
    *size = r->size;
    return 0;
}
#endif
uint32_t compute_resource_acquire(request *r, uint32_t microseconds) {
    if (r->magic != MAGIC || microseconds > 10000) end(3);
    if (r->size > available && r->least <= available) r->size = available;
    r->address = ask(r->size);
    return r->address ? CONTEXT : 0;
}
int compute_resource_release(uint32_t context) { return give_back(context == CONTEXT); }

#else

int HAP_query_avail_VTCM(uint32_t *size, uint32_t *page, uint32_t *pages) {
    *size = available;
    *page = 4096;
    *pages = available / 4096;
    return 0;
}
void *HAP_request_VTCM(uint32_t size, uint32_t single_page) { return single_page ? NULL : ask(size); }
int HAP_release_VTCM(void *address) { return give_back(address == memory); }

#endif

// What else of the system the platform names.
int qurt_thread_create(void) { return 1; }
int qurt_thread_join(void) { return 1; }
unsigned int qurt_thread_get_id(void) { return 0; }
int qurt_thread_get_priority(void) { return 0; }
int qurt_futex_wait(void) { return 1; }
int qurt_futex_wake(void) { return 1; }
int qurt_hvx_get_units(void) { return 0x404; }
int qurt_mem_cache_clean(void) { return 0; }
int HAP_mmap_get(void) { return 1; }
int HAP_mmap_put(void) { return 1; }
uint64_t HAP_perf_get_time_us(void) { return 0; }
void qurt_sleep(void) {}
void *memalign(size_t alignment, size_t size) { return alignment && size ? NULL : NULL; }
void free(void *address) { (void)address; }

int main(void) {
    uint32_t input[3];
    while (read_all(input, sizeof input)) {
        total = input[0];
        available = input[1];
        asked = given_back = 0;
        platform_near_memory near;
        const bool is_given = platform_near_request(&near, input[2]);
        if (is_given && (near.address != memory || near.size > available)) return 4;
        if (is_given != (is_held != 0)) return 5;
        platform_hardware hardware;
        platform_query(&hardware);
        const uint32_t size = is_given ? near.size : 0;
        if (is_given) platform_near_release(&near);
        if (is_held || near.address) return 6;
        const uint32_t output[4] = {size, asked, given_back, (uint32_t)hardware.vtcm_bytes};
        write_all(output, sizeof output);
    }
    return 0;
}
