// The command buffer of `htp_submit`: a header, a table of buffers, a list of operations.
//
// It lies in shared memory and is built once per shape; a later submission changes the header's `rows`
// and nothing else. The program reads every field once and checks it before use; fields without a meaning
// must be 0.
#ifndef HTP_BATCH_H
#define HTP_BATCH_H

#include <stdint.h>

#define HTP_BATCH_MAGIC 0x42505448u // "HTPB"
#define HTP_BATCH_VERSION 1u
#define HTP_BATCH_BUFFERS_MAX 64u
#define HTP_BATCH_OPERATIONS_MAX 8192u
#define HTP_BATCH_ROWS_MAX 4096u

typedef struct htp_batch_header {
    uint32_t magic;
    uint32_t version;
    uint32_t byte_count;      // of the whole batch
    uint32_t buffer_count;
    uint32_t operation_count;
    uint32_t rows;            // rows of every activation in this submission (tokens)
    uint32_t reserved[2];
    // Written by the program.
    uint32_t status;          // AEE code
    uint32_t executed;        // operations that ran to their end
    uint32_t fault;           // enum htp_fault
    uint32_t fault_operation; // index of the operation that failed
    uint64_t microseconds;
    uint64_t multiply_adds;   // of the matrix products that ran
} htp_batch_header;

typedef struct htp_buffer_entry {
    int32_t fd;     // of a buffer made known by `map`
    uint32_t flags; // 0
    uint64_t size;  // bytes of it that the batch may touch
} htp_buffer_entry;

// A matrix inside a buffer of the table; rows are `stride` bytes apart.
typedef struct htp_tensor {
    uint32_t buffer;
    uint32_t stride;
    uint64_t offset;
} htp_tensor;

enum htp_opcode {
    HTP_OP_MATMUL = 1, // dst[rows][out] = src[rows][in] × weights, float32 in and out
};

// The source of this operation is the previous one's: its quantised form is still there.
#define HTP_OPERATION_SAME_SOURCE 1u

typedef struct htp_operation {
    uint32_t opcode;
    uint32_t flags;
    uint32_t tile_kind;
    uint32_t out;         // rows of the weights
    uint32_t in;          // columns of the weights
    uint32_t reserved[3];
    htp_tensor weights;
    htp_tensor source;
    htp_tensor destination;
    uint32_t unused[12];
} htp_operation;

enum htp_fault {
    HTP_FAULT_NONE = 0,
    HTP_FAULT_HEADER,      // magic, version, counts or sizes
    HTP_FAULT_BUFFER,      // a table entry names an unmapped descriptor or too many bytes
    HTP_FAULT_OPCODE,
    HTP_FAULT_SHAPE,       // dimensions, tile kind, stride or alignment
    HTP_FAULT_RANGE,       // a tensor reaches outside its buffer
    HTP_FAULT_MEMORY,      // scratch memory is exhausted
    HTP_FAULT_NOT_STARTED, // `start` has not been called
};

_Static_assert(sizeof(htp_batch_header) == 64, "wire layout");
_Static_assert(sizeof(htp_buffer_entry) == 16, "wire layout");
_Static_assert(sizeof(htp_operation) == 128, "wire layout");

#endif
