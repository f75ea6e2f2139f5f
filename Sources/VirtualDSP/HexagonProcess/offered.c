#include "offered.h"

#include <stddef.h>

#include "text.h"

typedef struct {
    const char *name;
    const void *function;
} offer;

// Only addresses are taken here, so none of them needs its true type.
#define FUNCTIONS(each)                                                                                        \
    each(qurt_thread_create) each(qurt_thread_join) each(qurt_thread_exit) each(qurt_thread_get_id)            \
    each(qurt_thread_get_priority) each(qurt_thread_set_priority) each(qurt_futex_wait) each(qurt_futex_wake)  \
    each(qurt_mutex_init) each(qurt_mutex_destroy) each(qurt_mutex_lock) each(qurt_mutex_unlock)               \
    each(qurt_mutex_try_lock) each(qurt_sleep) each(qurt_hvx_get_units) each(qurt_hvx_lock)                    \
    each(qurt_hvx_unlock) each(qurt_sysenv_get_max_hw_threads) each(qurt_mem_cache_clean)                      \
    each(HAP_mmap_get) each(HAP_mmap_put) each(HAP_mmap) each(HAP_mmap2) each(HAP_munmap) each(HAP_munmap2)    \
    each(adsp_mmap_fd_getinfo)                                                                                 \
    each(HAP_perf_get_time_us) each(HAP_perf_get_pcycles) each(HAP_perf_get_qtimer_count)                      \
    each(HAP_perf_qtimer_count_to_us)                                                                          \
    each(HAP_debug) each(HAP_debug_v2) each(HAP_debug_runtime)                                                 \
    each(HAP_power_set) each(HAP_power_destroy_client)                                                         \
    each(compute_resource_attr_init) each(compute_resource_attr_set_serialize)                                 \
    each(compute_resource_attr_set_cache_mode) each(compute_resource_attr_set_release_callback)                \
    each(compute_resource_attr_set_vtcm_param) each(compute_resource_attr_set_vtcm_param_v2)                   \
    each(compute_resource_attr_get_vtcm_ptr) each(compute_resource_attr_get_vtcm_ptr_v2)                       \
    each(compute_resource_query_VTCM) each(compute_resource_acquire) each(compute_resource_release)            \
    each(compute_resource_acquire_cached) each(compute_resource_release_cached)                                \
    each(compute_resource_check_release_request) each(compute_resource_update_priority)                        \
    each(malloc) each(calloc) each(realloc) each(memalign) each(free)                                          \
    each(memcpy) each(memmove) each(memset) each(memcmp) each(strlen) each(strcmp) each(sqrtf)                 \
    each(__hexagon_divsi3) each(__hexagon_udivsi3) each(__hexagon_modsi3) each(__hexagon_umodsi3)              \
    each(__hexagon_divdi3) each(__hexagon_udivdi3) each(__hexagon_moddi3) each(__hexagon_umoddi3)              \
    each(__hexagon_muldf3) each(__hexagon_divdf3) each(__extendhfsf2) each(__truncsfhf2)

#define DECLARE(function) extern const char function##_address[] __asm__(#function);
#define ENTRY(function) {#function, function##_address},

FUNCTIONS(DECLARE)

static const offer offers[] = {
    FUNCTIONS(ENTRY)
    // As Qualcomm's builds name them.
    {"__wrap_malloc", malloc_address},
    {"__wrap_calloc", calloc_address},
    {"__wrap_realloc", realloc_address},
    {"__wrap_memalign", memalign_address},
    {"__wrap_free", free_address},
};

const void *offered_function(const char *name) {
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++)
        if (text_is_equal(offers[i].name, name)) return offers[i].function;
    return NULL;
}
