// Reads, checks and runs the batches of `htp_batch.h`.
#include "batch.h"

#include "AEEStdErr.h"
#include "htp_batch.h"
#include "operation.h"
#include "platform.h"

// Whether all of `count` words are zero: fields that have no meaning yet are refused until they have one.
static int all_zero(const uint32_t *words, size_t count) {
    uint32_t any = 0;
    for (size_t i = 0; i < count; i++) any |= words[i];
    return any == 0;
}

#define ALL_ZERO(array) all_zero(array, sizeof(array) / sizeof(array)[0])

static uint32_t make_view(call *c, uint32_t slot, uint64_t rows, uint64_t row_bytes, uint32_t alignment,
                          int broadcast) {
    if (!has(c, slot)) return HTP_FAULT_NONE;
    const htp_tensor *t = &c->op.tensors[slot];
    if (t->buffer >= c->batch->header.buffer_count) return HTP_FAULT_RANGE;
    const view *buffer = &c->batch->buffers[t->buffer];
    if (broadcast && t->stride == 0) rows = 1;
    if (rows > 1 && t->stride < row_bytes) return HTP_FAULT_SHAPE;
    if (((t->offset | t->stride) & (alignment - 1)) != 0) return HTP_FAULT_SHAPE;
    // At most 2^30 rows with strides below 2^32, and rows of less than 2^60 bytes: no overflow.
    const uint64_t extent = (rows - 1) * t->stride + row_bytes;
    if (t->offset > buffer->extent || extent > buffer->extent - t->offset) return HTP_FAULT_RANGE;
    c->tensors[slot] = (view){buffer->address + t->offset, t->stride, row_bytes, extent};
    return HTP_FAULT_NONE;
}

uint32_t call_tensor(call *c, uint32_t slot, uint64_t rows, uint64_t row_bytes, uint32_t alignment) {
    return make_view(c, slot, rows, row_bytes, alignment, 0);
}

uint32_t call_broadcast(call *c, uint32_t slot, uint64_t rows, uint64_t row_bytes, uint32_t alignment) {
    return make_view(c, slot, rows, row_bytes, alignment, 1);
}

int views_overlap(const view *a, const view *b) {
    if (a->address > b->address) {
        const view *low = b;
        b = a;
        a = low;
    }
    const uint64_t distance = (uint64_t)(b->address - a->address);
    if (distance >= a->extent || b->extent == 0) return 0;
    if (a->stride != b->stride || a->stride == 0) return 1;
    return distance < a->row_bytes || distance + b->row_bytes > a->stride;
}

static int same_view(const view *a, const view *b) {
    return a->address == b->address && a->stride == b->stride && a->extent == b->extent;
}

// Destinations may overlap nothing but inputs that may be computed in place, and those only exactly.
static uint32_t check_aliases(const call *c, const operation_kind *kind) {
    for (uint32_t d = HTP_DESTINATION; d <= HTP_DESTINATION_2; d++) {
        if (!has(c, d)) continue;
        const view *destination = &c->tensors[d];
        const view commands = {(uint8_t *)(uintptr_t)c->batch->memory, 0, c->batch->header.byte_count,
                               c->batch->header.byte_count};
        if (views_overlap(destination, &commands)) return HTP_FAULT_ALIAS;
        const uint8_t in_place = d == HTP_DESTINATION ? kind->in_place : kind->second_in_place;
        for (uint32_t other = d + 1; other < HTP_TENSORS; other++) {
            const view *tensor = &c->tensors[other];
            if (!has(c, other) || !views_overlap(destination, tensor)) continue;
            if ((in_place >> other & 1) == 0 || !same_view(destination, tensor)) return HTP_FAULT_ALIAS;
        }
    }
    return HTP_FAULT_NONE;
}

// Forgets the quantised source once something writes to it.
static void forget_quantized(call *c) {
    quantized_source *q = &c->batch->quantized;
    for (uint32_t d = HTP_DESTINATION; d <= HTP_DESTINATION_2; d++)
        if (q->columns != 0 && has(c, d) && views_overlap(&c->tensors[d], &q->source)) q->columns = 0;
}

static uint32_t check_operation(call *c, const operation_kind *kind) {
    const htp_operation *op = &c->op;
    const uint8_t destinations = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(HTP_DESTINATION_2);
    if ((op->flags & ~kind->flags) != 0 || op->reserved != 0) return HTP_FAULT_SHAPE;
    if ((op->present & kind->required) != kind->required
        || (op->present & ~(kind->required | kind->optional)) != 0)
        return HTP_FAULT_SHAPE;
    if ((op->refresh & ~(op->present & ~destinations)) != 0
        || (op->publish & ~(op->present & destinations)) != 0)
        return HTP_FAULT_SHAPE;
    for (uint32_t slot = 0; slot < HTP_TENSORS; slot++) {
        const htp_tensor *t = &op->tensors[slot];
        if (!has(c, slot) && (t->buffer | t->stride | t->offset) != 0) return HTP_FAULT_SHAPE;
    }
    const uint32_t words = kind->parameter_bytes / sizeof(uint32_t);
    if (!all_zero(op->parameters.words + words, HTP_PARAMETER_WORDS - words)) return HTP_FAULT_SHAPE;
    TRY(kind->check(c));
    return check_aliases(c, kind);
}

static void refresh_inputs(const call *c) {
    for (uint32_t slot = HTP_INPUT_0; slot < HTP_TENSORS; slot++)
        if ((c->op.refresh >> slot & 1) != 0)
            platform_refresh(c->tensors[slot].address, c->tensors[slot].extent);
}

static void publish_destinations(const call *c) {
    for (uint32_t slot = HTP_DESTINATION; slot <= HTP_DESTINATION_2; slot++)
        if ((c->op.publish >> slot & 1) != 0)
            platform_publish(c->tensors[slot].address, c->tensors[slot].extent);
}

// Checks operation `index`, and runs it if `running`.
static uint32_t operate(batch *b, uint32_t index, int running) {
    call c = {.batch = b};
    const uint64_t at = sizeof b->header + b->header.buffer_count * sizeof(htp_buffer_entry)
        + (uint64_t)index * sizeof c.op;
    __builtin_memcpy(&c.op, b->memory + at, sizeof c.op);
    const operation_kind *kind = operation_kind_of(c.op.opcode);
    if (!kind) return HTP_FAULT_OPCODE;
    uint32_t rows;
    switch (c.op.rows) {
    case HTP_ROWS_TOKENS: rows = b->header.tokens; break;
    case HTP_ROWS_OUTPUTS: rows = b->header.outputs; break;
    default: return HTP_FAULT_SHAPE;
    }
    // Operations without rows are checked as if they had one, so that a batch is good or bad as a whole.
    c.rows = rows == 0 ? 1 : rows;
    TRY(check_operation(&c, kind));
    if (running && rows > 0) {
        refresh_inputs(&c);
        TRY(kind->run(&c));
        publish_destinations(&c);
    }
    if (c.op.opcode != HTP_OP_NORM || (c.op.flags & HTP_NORM_QUANTIZE) == 0) forget_quantized(&c);
    return HTP_FAULT_NONE;
}

static uint32_t check_header(const htp_batch_header *h, uint64_t size) {
    if (h->magic != HTP_BATCH_MAGIC || h->version != HTP_BATCH_VERSION || h->byte_count > size)
        return HTP_FAULT_HEADER;
    if (h->buffer_count > HTP_BATCH_BUFFERS_MAX || h->operation_count > HTP_BATCH_OPERATIONS_MAX
        || !ALL_ZERO(h->reserved))
        return HTP_FAULT_HEADER;
    if (h->tokens == 0 || h->tokens > HTP_BATCH_ROWS_MAX || h->outputs > HTP_BATCH_ROWS_MAX
        || h->position > HTP_BATCH_POSITIONS_MAX - h->tokens)
        return HTP_FAULT_HEADER;
    uint64_t needed = sizeof *h + h->buffer_count * sizeof(htp_buffer_entry)
        + h->operation_count * sizeof(htp_operation);
    return needed > h->byte_count ? HTP_FAULT_HEADER : HTP_FAULT_NONE;
}

static uint32_t read_buffers(batch *b, uint32_t *published) {
    for (uint32_t i = 0; i < b->header.buffer_count; i++) {
        htp_buffer_entry entry;
        __builtin_memcpy(&entry, b->memory + sizeof b->header + i * sizeof entry, sizeof entry);
        const mapping *map = program_mapping(b->program, entry.fd);
        if (!map || entry.size > map->size || (entry.flags & ~(HTP_BUFFER_REFRESH | HTP_BUFFER_PUBLISH)) != 0)
            return HTP_FAULT_BUFFER;
        b->buffers[i] = (view){map->address, 0, entry.size, entry.size};
        if ((entry.flags & HTP_BUFFER_REFRESH) != 0) platform_refresh(map->address, entry.size);
        if ((entry.flags & HTP_BUFFER_PUBLISH) != 0) published[i / 32] |= 1u << i % 32;
    }
    return HTP_FAULT_NONE;
}

// Goes through all operations and counts those that are in order.
static uint32_t go_through(batch *b, int running, uint32_t *count) {
    b->quantized.columns = 0;
    for (*count = 0; *count < b->header.operation_count; ++*count) TRY(operate(b, *count, running));
    return HTP_FAULT_NONE;
}

int batch_run(program *p, uint8_t *memory, uint64_t size, uint32_t *executed, uint64_t *microseconds) {
    const uint64_t begin = platform_microseconds();
    batch b = {.program = p, .memory = memory};
    uint32_t published[(HTP_BATCH_BUFFERS_MAX + 31) / 32] = {0}, index = 0, count = 0;
    if (size < sizeof b.header) return AEE_EBADPARM;
    platform_refresh(memory, size);
    __builtin_memcpy(&b.header, memory, sizeof b.header);
    uint32_t fault = check_header(&b.header, size);
    if (fault == HTP_FAULT_NONE && !p->workers) fault = HTP_FAULT_NOT_STARTED;
    if (fault == HTP_FAULT_NONE) fault = read_buffers(&b, published);
    // A batch that is refused has changed nothing, unless its data are what is wrong.
    if (fault == HTP_FAULT_NONE) fault = go_through(&b, 0, &index);
    if (fault == HTP_FAULT_NONE) {
        fault = go_through(&b, 1, &index);
        count = index;
        for (uint32_t i = 0; i < b.header.buffer_count; i++)
            if ((published[i / 32] >> i % 32 & 1) != 0)
                platform_publish(b.buffers[i].address, b.buffers[i].extent);
    }
    const int status = fault == HTP_FAULT_NONE ? AEE_SUCCESS
        : fault == HTP_FAULT_MEMORY            ? AEE_ENOMEMORY
                                               : AEE_EBADPARM;
    b.header.status = (uint32_t)status;
    b.header.executed = count;
    b.header.fault = fault;
    b.header.fault_operation = index;
    b.header.microseconds = platform_microseconds() - begin;
    b.header.multiply_adds = b.multiply_adds;
    const size_t results = offsetof(htp_batch_header, status);
    __builtin_memcpy(memory + results, (const uint8_t *)&b.header + results, sizeof b.header - results);
    platform_publish(memory, sizeof b.header);
    *executed = count;
    *microseconds = b.header.microseconds;
    return status;
}

uint32_t call_numbers(const call *c, uint32_t slot, uint32_t count, uint32_t limit) {
    for (uint32_t row = 0; row < c->rows; row++) {
        const uint32_t *numbers = (const uint32_t *)(const void *)row_of(c, slot, row);
        for (uint32_t i = 0; i < count; i++)
            if (numbers[i] >= limit) return HTP_FAULT_DATA;
    }
    return HTP_FAULT_NONE;
}

typedef struct rows_job {
    call *call;
    row_job job;
    uint32_t width, piece;
} rows_job;

static void rows_part(void *argument, uint32_t part, uint32_t parts) {
    const rows_job *j = argument;
    // Every parts-th piece of every row, counted through: equal ranges would need a division.
    uint32_t turn = 0;
    for (uint32_t row = 0; row < j->call->rows; row++) {
        for (uint32_t first = 0; first < j->width; first += j->piece) {
            const uint32_t last = j->width - first > j->piece ? first + j->piece : j->width;
            if (turn == part) j->job(j->call, row, first, last);
            if (++turn == parts) turn = 0;
        }
    }
}

void call_rows(call *c, row_job job, uint32_t width, uint32_t piece) {
    rows_job j = {c, job, width, piece == 0 ? width : piece};
    workers_run(c->batch->program->workers, rows_part, &j);
}
