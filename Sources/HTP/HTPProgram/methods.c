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
    *handle = (remote_handle64)(uintptr_t)p;
    return AEE_SUCCESS;
}

static void stop(program *p) {
    power_stop(p->power);
    p->power = NULL;
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
    if (p->workers) p->power = power_start(p->power_level);
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
    p->power_level = level;
    power_set_level(p->power, level);
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
    power_begin(p->power);
    const int status = float_kernels_compare(kernels, &floats_plain, disagreement);
    power_end(p->power);
    if (status == AEE_SUCCESS && *disagreement == 0) {
        p->floats = kernels;
        *used = 1;
    }
    return status;
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
    if (columns == 0 || columns % HTP_TILE_COLUMNS != 0 || columns > HTP_COLUMNS_MAX || rows == 0
        || count == 0 || count > HTP_BATCH_ROWS_MAX || htp_tile_code_bytes(type) == 0)
        return AEE_EBADPARM;
    if ((uint64_t)srcLen != (uint64_t)count * columns || (uint64_t)dstLen != (uint64_t)count * rows)
        return AEE_EBADPARM;
    const mapping *map = program_mapping(p, fd);
    if (!map) return AEE_ENOSUCHMAP;
    const uint64_t bytes = htp_tiles_bytes(type, rows, columns);
    if (offset % HTP_VECTOR_BYTES != 0 || offset > map->size || bytes > map->size - offset) return AEE_EBADPARM;
    power_begin(p->power);
    int status = program_quantize(
        p, (const uint8_t *)(const void *)src, (uint64_t)columns * sizeof(float), columns, count);
    if (status == AEE_SUCCESS)
        status = program_multiply(p, type, rows, columns, count, (const uint8_t *)map->address + offset,
                                  (uint8_t *)(void *)dst, (uint64_t)rows * sizeof(float));
    power_end(p->power);
    return status;
}
