// What an open handle holds, and the products that batches and single operations are made of.
#include "program.h"

#include "AEEStdErr.h"
#include "htp_tiles.h"
#include "matmul.h"
#include "platform.h"

const mapping *program_mapping(const program *p, int fd) {
    for (int i = 0; i < MAPPINGS_MAX; i++)
        if (p->mappings[i].address && p->mappings[i].fd == fd) return &p->mappings[i];
    return NULL;
}

typedef struct quantize_job {
    program *program;
    const uint8_t *source;
    uint64_t stride;
    uint32_t columns, count;
    size_t row_bytes;
    float *remainders; // of `quantize_twice_part`: a row for each worker
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

int program_quantize_begin(program *p, uint32_t columns, uint32_t count) {
    return reserve(p, count, activation_row_bytes(columns));
}

void program_quantize_row(program *p, uint32_t row, const float *source, uint32_t columns) {
    activation_row_quantize(&p->rows[row], p->scratch + row * activation_row_bytes(columns), source, columns);
}

void *program_workspace(program *p, size_t bytes) {
    if (bytes > p->workspace_bytes) {
        platform_free(p->workspace);
        p->workspace = platform_allocate(bytes);
        p->workspace_bytes = p->workspace ? bytes : 0;
    }
    return p->workspace;
}

void program_release(program *p) {
    platform_free(p->scratch);
    platform_free(p->rows);
    platform_free(p->workspace);
    p->scratch = p->workspace = NULL;
    p->rows = NULL;
    p->scratch_bytes = p->workspace_bytes = p->rows_capacity = 0;
}

int program_quantize(program *p, const uint8_t *source, uint64_t stride, uint32_t columns, uint32_t count) {
    quantize_job job = {p, source, stride, columns, count, activation_row_bytes(columns), NULL};
    int status = reserve(p, count, job.row_bytes);
    if (status != AEE_SUCCESS) return status;
    workers_run(p->workers, quantize_part, &job);
    return AEE_SUCCESS;
}

// No two workers' remainders share a vector.
static size_t remainder_columns(uint32_t columns) { return (size_t)htp_tile_blocks(columns) * HTP_TILE_COLUMNS; }

static void quantize_twice_part(void *argument, uint32_t part, uint32_t parts) {
    const quantize_job *job = argument;
    float *remainder = job->remainders + (size_t)part * remainder_columns(job->columns);
    for (uint32_t i = part; i < job->count; i += parts) {
        const float *source = (const float *)(const void *)(job->source + i * job->stride);
        const uint32_t second = job->count + i;
        activation_row *row = &job->program->rows[i];
        activation_row_quantize(row, job->program->scratch + i * job->row_bytes, source, job->columns);
        activation_row_remainder(row, source, job->columns, remainder);
        activation_row_quantize(&job->program->rows[second], job->program->scratch + second * job->row_bytes, remainder,
                                job->columns);
    }
}

int program_quantize_twice(program *p, const uint8_t *source, uint64_t stride, uint32_t columns, uint32_t count) {
    quantize_job job = {p, source, stride, columns, count, activation_row_bytes(columns), NULL};
    job.remainders =
        program_workspace(p, remainder_columns(columns) * sizeof(float) * workers_count(p->workers));
    const int status = reserve(p, 2 * (size_t)count, job.row_bytes);
    if (status != AEE_SUCCESS || !job.remainders) return AEE_ENOMEMORY;
    workers_run(p->workers, quantize_twice_part, &job);
    return AEE_SUCCESS;
}

static void multiply_part(void *argument, uint32_t part, uint32_t parts) {
    matmul m = *(const matmul *)argument;
    m.near = near_memory_of(m.near, part);
    const uint32_t tiles = (uint32_t)(((uint64_t)m.out + HTP_TILE_ROWS - 1) / HTP_TILE_ROWS);
    // Every parts-th tile: equal ranges would need a division, which the processor does not have.
    matmul_tiles_fastest(&m, part, tiles, parts);
}

int program_multiply(
    program *p, uint32_t kind, uint32_t out, uint32_t in, uint32_t count, const uint8_t *weights,
    uint8_t *destination, uint64_t stride) {
    matmul m = {kind, out, in, count, weights, p->rows, destination, stride, p->near};
    workers_run(p->workers, multiply_part, &m);
    return AEE_SUCCESS;
}
