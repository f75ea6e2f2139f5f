// Runs batches, with what is asked of the system around them.
#include "AEEStdErr.h"
#include "batch.h"
#include "htp_tiles.h"
#include "program.h"

void program_begin(program *p) {
    const platform_near_memory near = resources_begin(p->resources);
    const uint32_t share = near.address && p->workers ? near.size / workers_count(p->workers) : 0;
    p->near = (near_memory){near.address, share / HTP_VECTOR_BYTES * HTP_VECTOR_BYTES, p->has_dma};
}

void program_end(program *p) {
    p->near = (near_memory){NULL, 0, false};
    resources_end(p->resources);
}

int program_submit(
    program *p, int32_t fd, uint64_t offset, uint64_t size, uint32_t *executed, uint64_t *microseconds) {
    const mapping *map = program_mapping(p, fd);
    if (!map) return AEE_ENOSUCHMAP;
    if (offset % 8 != 0 || offset > map->size || size > map->size - offset) return AEE_EBADPARM;
    program_begin(p);
    int status = batch_run(p, (uint8_t *)map->address + offset, size, executed, microseconds);
    program_end(p);
    return status;
}
