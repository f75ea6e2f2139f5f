// The methods of IDL/htp.idl.
#include "AEEStdErr.h"
#include "htp.h"
#include "htp_program.h"
#include "htp_tiles.h"
#include "platform.h"
#include "program.h"
#include "queue.h"

static program *program_of(remote_handle64 handle) { return (program *)(uintptr_t)handle; }

int htp_open(const char *uri, remote_handle64 *handle) {
    (void)uri;
    program *p = platform_allocate(sizeof *p);
    if (!p) return AEE_ENOMEMORY;
    __builtin_memset(p, 0, sizeof *p);
    p->wishes.near_bytes = UINT32_MAX;
    *handle = (remote_handle64)(uintptr_t)p;
    return AEE_SUCCESS;
}

static void stop(program *p) {
    resources_stop(p->resources);
    p->resources = NULL;
    workers_stop(p->workers);
    p->workers = NULL;
}

int htp_close(remote_handle64 handle) {
    program *p = program_of(handle);
    if (!p) return AEE_EBADPARM;
    queue_end(p);
    stop(p);
    for (int i = 0; i < MAPPINGS_MAX; i++) {
        mapping *m = &p->mappings[i];
        if (m->address) platform_unmap(m->fd, m->address, m->size);
    }
    program_release(p);
    platform_free(p);
    return AEE_SUCCESS;
}

int htp_start(remote_handle64 handle, uint32_t threads) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (p->workers) return AEE_EALREADY;
    if (threads == 0) {
        platform_hardware hardware;
        platform_query(&hardware);
        threads = hardware.hvx_units;
    }
    p->workers = workers_start(threads);
    if (p->workers) p->resources = resources_start(&p->wishes);
    return p->workers ? AEE_SUCCESS : AEE_ENOMEMORY;
}

int htp_stop(remote_handle64 handle) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    stop(p);
    return AEE_SUCCESS;
}

int htp_power(remote_handle64 handle, uint32_t level) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (level >= PLATFORM_POWER_LEVELS) return AEE_EBADPARM;
    p->wishes.power = level;
    resources_set(p->resources, &p->wishes);
    return AEE_SUCCESS;
}

int htp_arithmetic(remote_handle64 handle, uint32_t wanted, uint32_t *used, uint32_t *disagreement) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (wanted > 1) return AEE_EBADPARM;
    *used = *disagreement = 0;
    if (wanted == 0) {
        p->floats = NULL;
        return AEE_SUCCESS;
    }
    if (!p->workers) return AEE_EBADSTATE;
    const float_kernels *kernels = floats_qfloat();
    if (!kernels) return AEE_EUNSUPPORTED;
    program_begin(p);
    const int status = float_kernels_compare(kernels, &floats_plain, disagreement);
    program_end(p);
    if (status == AEE_SUCCESS && *disagreement == 0) {
        p->floats = kernels;
        *used = 1;
    }
    return status;
}

// Moves some bytes to the memory that begins `near` and compares them.
static bool transfers_work(near_memory near) {
    enum { BYTES = 4096, REQUESTS = 5 };
    if (near.bytes < 2 * BYTES) return false;
    uint8_t *const examples = platform_allocate(2 * BYTES);
    if (!examples) return false;
    stream s;
    stream_open(&s, near.address, BYTES, true);
    bool is_right = true;
    // One transfer alone, then others behind each other.
    for (uint32_t i = 0; i <= REQUESTS && is_right; i++) {
        const uint32_t place = i % 2;
        if (i < REQUESTS) {
            for (uint32_t j = 0; j < BYTES; j++) examples[place * BYTES + j] = (uint8_t)(j * 31 + j / 256 + i * 7);
            platform_publish(examples + place * BYTES, BYTES);
            stream_request(&s, place, examples + place * BYTES, BYTES);
        }
        if (i == 0) continue;
        const uint8_t *const found = stream_receive(&s, place ^ 1);
        for (uint32_t j = 0; j < BYTES; j++) is_right &= found[j] == examples[(place ^ 1) * BYTES + j];
    }
    is_right &= s.has_dma;
    platform_free(examples);
    return is_right;
}

int htp_near_memory(remote_handle64 handle, uint64_t most, uint32_t dma, uint32_t *is_dma) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (dma > 1) return AEE_EBADPARM;
    *is_dma = 0;
    if (dma == 1 && !platform_transfers_exist()) return AEE_EUNSUPPORTED;
    if (dma == 1 && !p->workers) return AEE_EBADSTATE;
    p->wishes.near_bytes = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    p->has_dma = false;
    resources_set(p->resources, &p->wishes);
    if (dma == 0) return AEE_SUCCESS;
    program_begin(p);
    p->has_dma = transfers_work(p->near);
    program_end(p);
    *is_dma = p->has_dma;
    return AEE_SUCCESS;
}

int htp_hardware(
    remote_handle64 handle, uint32_t *arch, uint32_t *threads, uint32_t *hvx_units, uint64_t *vtcm_bytes) {
    const program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    platform_hardware hardware;
    platform_query(&hardware);
    *arch = hardware.arch;
    *threads = p->workers ? workers_count(p->workers) : 0;
    *hvx_units = hardware.hvx_units;
    *vtcm_bytes = hardware.vtcm_bytes;
    return AEE_SUCCESS;
}

int htp_map(remote_handle64 handle, int32_t fd, uint64_t size) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (program_mapping(p, fd)) return AEE_EALREADY;
    for (int i = 0; i < MAPPINGS_MAX; i++) {
        mapping *m = &p->mappings[i];
        if (m->address) continue;
        void *address = NULL;
        int status = platform_map(fd, size, &address);
        if (status != AEE_SUCCESS) return status;
        *m = (mapping){.fd = fd, .address = address, .size = size};
        return AEE_SUCCESS;
    }
    return AEE_ENOMEMORY;
}

int htp_unmap(remote_handle64 handle, int32_t fd) {
    const program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    mapping *m = (mapping *)(uintptr_t)program_mapping(p, fd);
    if (!m) return AEE_ENOSUCHMAP;
    platform_unmap(m->fd, m->address, m->size);
    m->address = NULL;
    return AEE_SUCCESS;
}

int htp_submit(
    remote_handle64 handle, int32_t fd, uint64_t offset, uint64_t size, uint32_t *executed,
    uint64_t *microseconds) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    return program_submit(p, fd, offset, size, executed, microseconds);
}

int htp_queue(remote_handle64 handle, uint64_t id) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (id != 0) return queue_begin(p, id);
    queue_end(p);
    return AEE_SUCCESS;
}

int htp_matmul(
    remote_handle64 handle, int32_t fd, uint64_t offset, uint32_t type, uint32_t rows, uint32_t columns,
    uint32_t count, const float *src, int srcLen, float *dst, int dstLen) {
    program *p = program_of(handle);
    if (!p) return AEE_EINVHANDLE;
    if (!p->workers) return AEE_EBADSTATE;
    if (columns == 0 || columns > HTP_COLUMNS_MAX || rows == 0 || count == 0 || count > HTP_BATCH_ROWS_MAX
        || htp_tile_code_bytes(type) == 0)
        return AEE_EBADPARM;
    if ((uint64_t)srcLen != (uint64_t)count * columns || (uint64_t)dstLen != (uint64_t)count * rows)
        return AEE_EBADPARM;
    const mapping *map = program_mapping(p, fd);
    if (!map) return AEE_ENOSUCHMAP;
    const uint64_t bytes = htp_tiles_bytes(type, rows, columns);
    if (offset % HTP_VECTOR_BYTES != 0 || offset > map->size || bytes > map->size - offset) return AEE_EBADPARM;
    program_begin(p);
    int status = program_quantize(
        p, (const uint8_t *)(const void *)src, (uint64_t)columns * sizeof(float), columns, count);
    if (status == AEE_SUCCESS)
        status = program_multiply(p, type, rows, columns, count, (const uint8_t *)map->address + offset,
                                  (uint8_t *)(void *)dst, (uint64_t)rows * sizeof(float));
    program_end(p);
    return status;
}
