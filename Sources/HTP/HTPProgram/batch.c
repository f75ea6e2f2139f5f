// Reads, checks and runs the batches of `htp_batch.h`.
#include "batch.h"

#include "AEEStdErr.h"
#include "htp_batch.h"
#include "htp_tiles.h"
#include "platform.h"

typedef struct batch {
    program *program;
    htp_batch_header header; // as it was when the batch was accepted
    const uint8_t *buffers;
    const uint8_t *operations;
    // The source quantised last.
    htp_tensor source;
    uint32_t source_columns;
    uint64_t multiply_adds;
} batch;

// Whether all of `count` words are zero: fields that have no meaning yet are refused until they have one.
static int all_zero(const uint32_t *words, size_t count) {
    uint32_t any = 0;
    for (size_t i = 0; i < count; i++) any |= words[i];
    return any == 0;
}

#define ALL_ZERO(array) all_zero(array, sizeof(array) / sizeof(array)[0])

// Bytes from a tensor's first to its last. rows < 2^13 and stride < 2^32 cannot overflow.
static uint64_t tensor_extent(const htp_tensor *t, uint64_t rows, uint64_t row_bytes) {
    return (rows - 1) * t->stride + row_bytes;
}

// A tensor's first byte, after checking that `rows` rows of `row_bytes` lie inside its buffer.
static uint32_t resolve(const batch *b, const htp_tensor *t, uint64_t rows, uint64_t row_bytes,
                        uint32_t alignment, uint8_t **address) {
    if (t->buffer >= b->header.buffer_count) return HTP_FAULT_RANGE;
    htp_buffer_entry entry;
    __builtin_memcpy(&entry, b->buffers + (uint64_t)t->buffer * sizeof entry, sizeof entry);
    const mapping *map = program_mapping(b->program, entry.fd);
    if (!map || entry.size > map->size || entry.flags != 0) return HTP_FAULT_BUFFER;
    if (rows > 1 && t->stride < row_bytes) return HTP_FAULT_SHAPE;
    if (((t->offset | t->stride) & (alignment - 1)) != 0) return HTP_FAULT_SHAPE;
    const uint64_t extent = tensor_extent(t, rows, row_bytes);
    if (t->offset > entry.size || extent > entry.size - t->offset) return HTP_FAULT_RANGE;
    *address = (uint8_t *)map->address + t->offset;
    return HTP_FAULT_NONE;
}

static uint32_t run_matmul(batch *b, const htp_operation *op, int *status) {
    const uint32_t rows = b->header.rows;
    if (op->in == 0 || op->in % HTP_TILE_COLUMNS != 0 || op->in > HTP_COLUMNS_MAX || op->out == 0
        || op->out > UINT32_MAX / sizeof(float) || htp_tile_code_bytes(op->tile_kind) == 0)
        return HTP_FAULT_SHAPE;
    if ((op->flags & ~HTP_OPERATION_SAME_SOURCE) != 0 || !ALL_ZERO(op->reserved) || !ALL_ZERO(op->unused))
        return HTP_FAULT_SHAPE;
    const uint64_t in_bytes = (uint64_t)op->in * sizeof(float), out_bytes = (uint64_t)op->out * sizeof(float);
    const uint64_t weight_bytes = htp_tiles_bytes(op->tile_kind, op->out, op->in);
    uint8_t *weights, *source, *destination;
    uint32_t fault;
    if ((fault = resolve(b, &op->weights, 1, weight_bytes, HTP_VECTOR_BYTES, &weights)) != HTP_FAULT_NONE
        || (fault = resolve(b, &op->source, rows, in_bytes, sizeof(float), &source)) != HTP_FAULT_NONE
        || (fault = resolve(b, &op->destination, rows, out_bytes, sizeof(float), &destination))
            != HTP_FAULT_NONE)
        return fault;

    const int same = (op->flags & HTP_OPERATION_SAME_SOURCE) != 0;
    if (same
        && (b->source_columns != op->in || b->source.buffer != op->source.buffer
            || b->source.offset != op->source.offset || b->source.stride != op->source.stride))
        return HTP_FAULT_SHAPE;
    if (!same) {
        b->source_columns = 0;
        platform_refresh(source, tensor_extent(&op->source, rows, in_bytes));
        *status = program_quantize(b->program, source, op->source.stride, op->in, rows);
        if (*status != AEE_SUCCESS) return HTP_FAULT_MEMORY;
        b->source = op->source;
        b->source_columns = op->in;
    }
    *status = program_multiply(b->program, op->tile_kind, op->out, op->in, rows, weights, destination,
                               op->destination.stride);
    if (*status != AEE_SUCCESS) return HTP_FAULT_MEMORY;
    platform_publish(destination, tensor_extent(&op->destination, rows, out_bytes));
    b->multiply_adds += (uint64_t)rows * op->out * op->in;
    return HTP_FAULT_NONE;
}

static uint32_t check_header(const htp_batch_header *h, uint64_t size) {
    if (h->magic != HTP_BATCH_MAGIC || h->version != HTP_BATCH_VERSION || h->byte_count > size)
        return HTP_FAULT_HEADER;
    if (h->buffer_count > HTP_BATCH_BUFFERS_MAX || h->operation_count > HTP_BATCH_OPERATIONS_MAX
        || h->rows == 0 || h->rows > HTP_BATCH_ROWS_MAX || !ALL_ZERO(h->reserved))
        return HTP_FAULT_HEADER;
    uint64_t needed = sizeof *h + h->buffer_count * sizeof(htp_buffer_entry)
        + h->operation_count * sizeof(htp_operation);
    return needed > h->byte_count ? HTP_FAULT_HEADER : HTP_FAULT_NONE;
}

int batch_run(program *p, uint8_t *memory, uint64_t size, uint32_t *executed, uint64_t *microseconds) {
    const uint64_t begin = platform_microseconds();
    batch b = {.program = p};
    int status = AEE_SUCCESS;
    uint32_t index = 0;
    if (size < sizeof b.header) return AEE_EBADPARM;
    platform_refresh(memory, size);
    __builtin_memcpy(&b.header, memory, sizeof b.header);
    uint32_t fault = check_header(&b.header, size);
    if (fault == HTP_FAULT_NONE && !p->workers) fault = HTP_FAULT_NOT_STARTED;
    if (fault == HTP_FAULT_NONE) {
        b.buffers = memory + sizeof b.header;
        b.operations = b.buffers + b.header.buffer_count * sizeof(htp_buffer_entry);
    }
    while (fault == HTP_FAULT_NONE && index < b.header.operation_count) {
        htp_operation op;
        __builtin_memcpy(&op, b.operations + (uint64_t)index * sizeof op, sizeof op);
        fault = op.opcode == HTP_OP_MATMUL ? run_matmul(&b, &op, &status) : HTP_FAULT_OPCODE;
        if (fault == HTP_FAULT_NONE) index++;
    }
    if (fault != HTP_FAULT_NONE && status == AEE_SUCCESS) status = AEE_EBADPARM;

    b.header.status = (uint32_t)status;
    b.header.executed = index;
    b.header.fault = fault;
    b.header.fault_operation = index;
    b.header.microseconds = platform_microseconds() - begin;
    b.header.multiply_adds = b.multiply_adds;
    const size_t results = offsetof(htp_batch_header, status);
    __builtin_memcpy(memory + results, (const uint8_t *)&b.header + results, sizeof b.header - results);
    platform_publish(memory, sizeof b.header);
    *executed = index;
    *microseconds = b.header.microseconds;
    return status;
}
