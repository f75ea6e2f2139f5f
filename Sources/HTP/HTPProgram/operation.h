// One operation of a batch: what it is checked for and how it runs. Every opcode has a file of its own or
// shares one with its relatives; `operations.c` is the table of them.
#ifndef HTP_OPERATION_H
#define HTP_OPERATION_H

#include <stdint.h>

#include "float_kernels.h"
#include "htp_batch.h"
#include "program.h"

// A tensor of an operation as an address, after its check.
typedef struct view {
    uint8_t *address;
    uint64_t stride;    // bytes between rows; 0 is one row for all
    uint64_t row_bytes;
    uint64_t extent;    // bytes from the first to the last
} view;

// The source that was quantised last: a product may use it again.
typedef struct quantized_source {
    view source;
    uint32_t columns; // 0: nothing
    uint32_t rows;    // enum htp_rows
    int twice;        // what the first quantisation leaves was quantised, too
} quantized_source;

typedef struct batch {
    program *program;
    const uint8_t *memory; // the batch itself
    htp_batch_header header; // as it was when the batch was accepted
    view buffers[HTP_BATCH_BUFFERS_MAX];
    quantized_source quantized;
    uint64_t multiply_adds;
} batch;

// An operation while it is checked and run.
typedef struct call {
    batch *batch;
    htp_operation op; // our own copy
    uint32_t rows;    // at least 1
    view tensors[HTP_TENSORS];
} call;

typedef struct operation_kind {
    uint32_t flags;            // those that have a meaning
    uint8_t required;          // masks of tensors
    uint8_t optional;
    uint8_t in_place;          // inputs that may be the destination, row for row
    uint8_t second_in_place;   // inputs that may be the second destination
    uint32_t parameter_bytes;
    uint32_t (*check)(call *c); // gives the tensors their views; returns a fault
    uint32_t (*run)(call *c);   // returns a fault
} operation_kind;

// The kind of `opcode`, or NULL.
const operation_kind *operation_kind_of(uint32_t opcode);

static inline int has(const call *c, uint32_t slot) { return (c->op.present >> slot & 1) != 0; }

// Checks that `rows` rows of `row_bytes` lie inside the tensor's buffer, aligned to `alignment`, and makes
// its view. The rows may not overlap. Absent tensors are left alone.
uint32_t call_tensor(call *c, uint32_t slot, uint64_t rows, uint64_t row_bytes, uint32_t alignment);
// The same for an input that may be one row for all, with a stride of 0.
uint32_t call_broadcast(call *c, uint32_t slot, uint64_t rows, uint64_t row_bytes, uint32_t alignment);

// A cache's view: `heads` heads of `capacity` positions of `size` elements, positions `stride` bytes apart. A ring has
// room for `window` positions that the first row sees, its own included, and for the other rows.
uint32_t call_cache(call *c, uint32_t slot, uint32_t heads, uint32_t head_stride, uint32_t size,
                    uint32_t type, uint32_t capacity, uint32_t window);

// Whether two views share a byte. Columns of one matrix with a common stride do not.
int views_overlap(const view *a, const view *b);

// Runs `row` for every row of the operation, on all workers. An operation whose rows are wide and few splits
// them into pieces of `piece` columns; 0 keeps rows whole.
typedef void (*row_job)(const call *c, uint32_t row, uint32_t first, uint32_t last);
void call_rows(call *c, row_job job, uint32_t width, uint32_t piece);

static inline float *row_of(const call *c, uint32_t slot, uint32_t row) {
    return (float *)(void *)(c->tensors[slot].address + row * c->tensors[slot].stride);
}

// The variant of float arithmetic that the program uses.
static inline const float_kernels *floats_of(const call *c) {
    const float_kernels *chosen = c->batch->program->floats;
    return chosen ? chosen : &floats_plain;
}

// Whether a float parameter is a finite number.
static inline int is_finite(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return (bits >> 23 & 0xff) != 0xff;
}

// Checks that `count` numbers of each row of an int32 tensor are below `limit`.
uint32_t call_numbers(const call *c, uint32_t slot, uint32_t count, uint32_t limit);

#define TRY(expression)                                                                                      \
    do {                                                                                                     \
        uint32_t fault_ = (expression);                                                                      \
        if (fault_ != HTP_FAULT_NONE) return fault_;                                                         \
    } while (0)

extern const operation_kind operation_matmul, operation_norm, operation_rope, operation_store,
    operation_attention, operation_softmax, operation_activate, operation_add, operation_multiply,
    operation_scale, operation_rows, operation_route, operation_mix, operation_add_rows, operation_top,
    operation_matmul_indexed;

#endif
