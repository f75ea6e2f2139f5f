// The compute resource manager: tightly coupled memory, which one holder has at a time. Signatures:
// HAP_compute_res.h of the Hexagon SDK, as named in public programs.
#include "hap.h"
#include "linux.h"

#include "AEEStdErr.h"

extern uint32_t process_vtcm_bytes;

// What the caller keeps for us, in its 256 bytes or so.
typedef struct {
    uint32_t magic, wanted, least;
    uint8_t *memory;
    uint32_t size;
    bool is_cached;
} request;

enum { MAGIC = 0x5654434d, CONTEXT = 1 };

static lock holder;         // taken while somebody may use the memory
static uint32_t is_registered; // whether somebody holds the context
static request registered;     // what for: the caller's own may be gone
static uint8_t *memory;

static uint8_t *whole_memory(void) {
    if (!memory && process_vtcm_bytes) {
        memory = linux_allocate(process_vtcm_bytes);
        if (memory) linux_protect(memory, process_vtcm_bytes, false);
    }
    return memory;
}

int compute_resource_attr_init(request *r) {
    if (!r) return AEE_EBADPARM;
    *r = (request){MAGIC, 0, 0, NULL, 0, false};
    return AEE_SUCCESS;
}

int compute_resource_attr_set_serialize(request *r, uint8_t serialize) {
    (void)serialize;
    return r && r->magic == MAGIC ? AEE_SUCCESS : AEE_EBADPARM;
}

int compute_resource_attr_set_cache_mode(request *r, uint8_t is_cached) {
    if (!r || r->magic != MAGIC) return AEE_EBADPARM;
    r->is_cached = is_cached != 0;
    return AEE_SUCCESS;
}

int compute_resource_attr_set_release_callback(request *r, void *function, void *context) {
    (void)function;
    (void)context;
    return r && r->magic == MAGIC ? AEE_SUCCESS : AEE_EBADPARM;
}

int compute_resource_attr_set_vtcm_param(request *r, uint32_t size, uint8_t is_single_page) {
    (void)is_single_page;
    if (!r || r->magic != MAGIC) return AEE_EBADPARM;
    r->wanted = r->least = size;
    return AEE_SUCCESS;
}

int compute_resource_attr_set_vtcm_param_v2(request *r, uint32_t size, uint32_t least_page, uint32_t least_size) {
    (void)least_page;
    if (!r || r->magic != MAGIC || least_size > size) return AEE_EBADPARM;
    r->wanted = size;
    r->least = least_size;
    return AEE_SUCCESS;
}

void *compute_resource_attr_get_vtcm_ptr(request *r) { return r && r->magic == MAGIC ? r->memory : NULL; }

int compute_resource_attr_get_vtcm_ptr_v2(request *r, void **address, uint32_t *size) {
    if (!r || r->magic != MAGIC || !address || !size) return AEE_EBADPARM;
    *address = r->memory;
    *size = r->size;
    return AEE_SUCCESS;
}

int compute_resource_query_VTCM(uint32_t application, uint32_t *total, void *layout, uint32_t *available,
                                void *available_layout) {
    (void)application;
    (void)layout;
    (void)available_layout;
    if (total) *total = process_vtcm_bytes;
    if (available) *available = __atomic_load_n(&holder.state, __ATOMIC_RELAXED) ? 0 : process_vtcm_bytes;
    return AEE_SUCCESS;
}

static bool take(uint32_t microseconds) {
    for (uint32_t waited = 0; !lock_try(&holder); waited += 1000) {
        if (waited >= microseconds) return false;
        linux_sleep(1000);
    }
    linux_protect(memory, process_vtcm_bytes, true);
    return true;
}

// Whoever gets the memory next finds nothing of its former user's, who can no longer reach it.
static void give_back(void) {
    __builtin_memset(memory, 0xa5, process_vtcm_bytes);
    linux_protect(memory, process_vtcm_bytes, false);
    lock_release(&holder);
}

uint32_t compute_resource_acquire(request *r, uint32_t microseconds) {
    if (!r || r->magic != MAGIC || r->least > process_vtcm_bytes || !whole_memory()) return 0;
    uint32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&is_registered, &nobody, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return 0;
    if (!r->is_cached && !take(microseconds)) {
        __atomic_store_n(&is_registered, 0, __ATOMIC_RELEASE);
        return 0;
    }
    r->memory = memory;
    r->size = r->wanted < process_vtcm_bytes ? r->wanted : process_vtcm_bytes;
    registered = *r;
    HAP_debug_v2(0, __FILE__, __LINE__, "%u bytes of tightly coupled memory are held", r->size);
    return CONTEXT;
}

static bool is_held(uint32_t context) {
    return context == CONTEXT && __atomic_load_n(&is_registered, __ATOMIC_ACQUIRE) != 0;
}

int compute_resource_release(uint32_t context) {
    if (!is_held(context)) return AEE_EBADPARM;
    const request former = registered;
    if (!former.is_cached) give_back();
    __atomic_store_n(&is_registered, 0, __ATOMIC_RELEASE);
    HAP_debug_v2(0, __FILE__, __LINE__, "%u bytes of tightly coupled memory are given back", former.size);
    return AEE_SUCCESS;
}

int compute_resource_acquire_cached(uint32_t context, uint32_t microseconds) {
    if (!is_held(context) || !registered.is_cached) return AEE_EBADPARM;
    return take(microseconds) ? AEE_SUCCESS : AEE_EEXPIRED;
}

int compute_resource_release_cached(uint32_t context) {
    if (!is_held(context) || !registered.is_cached) return AEE_EBADPARM;
    give_back();
    return AEE_SUCCESS;
}

int compute_resource_check_release_request(uint32_t context) {
    (void)context;
    return 0;
}

int compute_resource_update_priority(uint32_t context, uint32_t priority) {
    (void)priority;
    return context == CONTEXT ? AEE_SUCCESS : AEE_EBADPARM;
}
