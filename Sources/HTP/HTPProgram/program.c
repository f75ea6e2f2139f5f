// The methods of IDL/htp.idl.
#include "program.h"

#include "AEEStdErr.h"
#include "htp.h"
#include "htp_program.h"
#include "htp_tiles.h"
#include "matmul.h"
#include "platform.h"

static program *program_of(remote_handle64 handle) { return (program *)(uintptr_t)handle; }

int htp_open(const char *uri, remote_handle64 *handle) {
    (void)uri;
    program *p = platform_allocate(sizeof *p);
    if (!p) return AEE_ENOMEMORY;
    __builtin_memset(p, 0, sizeof *p);
    *handle = (remote_handle64)(uintptr_t)p;
    return AEE_SUCCESS;
}

int htp_close(remote_handle64 handle) {
    program *p = program_of(handle);
    if (!p) return AEE_EBADPARM;
    workers_stop(p->workers);
    for (int i = 0; i < MAPPINGS_MAX; i++) {
        mapping *m = &p->mappings[i];
        if (m->address) platform_unmap(m->fd, m->address, m->size);
    }
    platform_free(p->scratch);
    platform_free(p->rows);
    platform_free(p);
    return AEE_SUCCESS;
}

int htp_start(remote_handle64 handle, uint32_t threads) {
    program *p = program_of(handle);
    if (p->workers) return AEE_EALREADY;
    if (threads == 0) {
        platform_hardware hardware;
        platform_query(&hardware);
        threads = hardware.hvx_units;
    }
    p->workers = workers_start(threads);
    return p->workers ? AEE_SUCCESS : AEE_ENOMEMORY;
}

int htp_stop(remote_handle64 handle) {
    program *p = program_of(handle);
    workers_stop(p->workers);
    p->workers = NULL;
    return AEE_SUCCESS;
}

int htp_hardware(
    remote_handle64 handle, uint32_t *arch, uint32_t *threads, uint32_t *hvx_units, uint64_t *vtcm_bytes) {
    const program *p = program_of(handle);
    platform_hardware hardware;
    platform_query(&hardware);
    *arch = hardware.arch;
    *threads = p->workers ? workers_count(p->workers) : 0;
    *hvx_units = hardware.hvx_units;
    *vtcm_bytes = hardware.vtcm_bytes;
    return AEE_SUCCESS;
}

const mapping *program_mapping(const program *p, int fd) {
    for (int i = 0; i < MAPPINGS_MAX; i++)
        if (p->mappings[i].address && p->mappings[i].fd == fd) return &p->mappings[i];
    return NULL;
}

int htp_map(remote_handle64 handle, int32_t fd, uint64_t size) {
    program *p = program_of(handle);
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
    mapping *m = (mapping *)(uintptr_t)program_mapping(program_of(handle), fd);
    if (!m) return AEE_ENOSUCHMAP;
    platform_unmap(m->fd, m->address, m->size);
    m->address = NULL;
    return AEE_SUCCESS;
}

int htp_submit(
    remote_handle64 handle, int32_t fd, uint64_t offset, uint64_t size, uint32_t *executed,
    uint64_t *microseconds) {
    program *p = program_of(handle);
    const mapping *map = program_mapping(p, fd);
    if (!map) return AEE_ENOSUCHMAP;
    if (offset % 8 != 0 || offset > map->size || size > map->size - offset) return AEE_EBADPARM;
    return batch_run(p, (uint8_t *)map->address + offset, size, executed, microseconds);
}

typedef struct quantize_job {
    program *program;
    const uint8_t *source;
    uint64_t stride;
    uint32_t columns, count;
    size_t row_bytes;
} quantize_job;

static void quantize_part(void *argument, uint32_t part, uint32_t parts) {
    quantize_job *job = argument;
    for (uint32_t i = part; i < job->count; i += parts)
        activation_row_quantize(&job->program->rows[i], job->program->scratch + i * job->row_bytes,
                                (const float *)(const void *)(job->source + i * job->stride), job->columns);
}

// Makes room for `count` quantised rows.
static int reserve(program *p, size_t count, size_t row_bytes) {
    if (count * row_bytes > p->scratch_bytes) {
        platform_free(p->scratch);
        p->scratch = platform_allocate(count * row_bytes);
        p->scratch_bytes = p->scratch ? count * row_bytes : 0;
        if (!p->scratch) return AEE_ENOMEMORY;
    }
    if (count > p->rows_capacity) {
        platform_free(p->rows);
        p->rows = platform_allocate(count * sizeof *p->rows);
        p->rows_capacity = p->rows ? count : 0;
        if (!p->rows) return AEE_ENOMEMORY;
    }
    return AEE_SUCCESS;
}

int program_quantize(program *p, const uint8_t *source, uint64_t stride, uint32_t columns, uint32_t count) {
    quantize_job job = {p, source, stride, columns, count, activation_row_bytes(columns)};
    int status = reserve(p, count, job.row_bytes);
    if (status != AEE_SUCCESS) return status;
    workers_run(p->workers, quantize_part, &job);
    return AEE_SUCCESS;
}

static void multiply_part(void *argument, uint32_t part, uint32_t parts) {
    const matmul *m = argument;
    const uint32_t tiles = (uint32_t)(((uint64_t)m->out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS);
    // Every parts-th tile: equal ranges would need a division, which the processor does not have.
    for (uint32_t tile = part; tile < tiles; tile += parts) matmul_tiles(m, tile, tile + 1);
}

int program_multiply(
    program *p, uint32_t kind, uint32_t out, uint32_t in, uint32_t count, const uint8_t *weights,
    uint8_t *destination, uint64_t stride) {
    matmul m = {kind, out, in, count, weights, p->rows, destination, stride};
    workers_run(p->workers, multiply_part, &m);
    return AEE_SUCCESS;
}

int htp_matmul(
    remote_handle64 handle, int32_t fd, uint64_t offset, uint32_t type, uint32_t rows, uint32_t columns,
    uint32_t count, const float *src, int srcLen, float *dst, int dstLen) {
    program *p = program_of(handle);
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
    int status = program_quantize(
        p, (const uint8_t *)(const void *)src, (uint64_t)columns * sizeof(float), columns, count);
    if (status != AEE_SUCCESS) return status;
    return program_multiply(p, type, rows, columns, count, (const uint8_t *)map->address + offset,
                            (uint8_t *)(void *)dst, (uint64_t)rows * sizeof(float));
}
