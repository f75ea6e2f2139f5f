// The command buffer of `htp_submit`: a header, a table of buffers, a list of operations.
//
// It lies in shared memory and is built once per graph. A later submission changes the header's parameters
// (`tokens`, `outputs`, `position`) and what lies in the buffers that it names, such as token ids; the
// operations stay as they are. The program checks a whole batch before it runs any of it. It reads each
// operation into memory of its own before checking it, so a batch that changes meanwhile harms only itself.
// Fields without a meaning must be 0.
#ifndef HTP_BATCH_H
#define HTP_BATCH_H

#include <stdint.h>

#define HTP_BATCH_MAGIC 0x42505448u // "HTPB"
#define HTP_BATCH_VERSION 2u
#define HTP_BATCH_BUFFERS_MAX 64u
#define HTP_BATCH_OPERATIONS_MAX 8192u
#define HTP_BATCH_ROWS_MAX 4096u
#define HTP_BATCH_POSITIONS_MAX (1u << 30)

typedef struct htp_batch_header {
    uint32_t magic;
    uint32_t version;
    uint32_t byte_count;      // of the whole batch
    uint32_t buffer_count;
    uint32_t operation_count;
    // The parameters of a submission.
    uint32_t tokens;          // rows of operations with HTP_ROWS_TOKENS, at least 1
    uint32_t outputs;         // rows of operations with HTP_ROWS_OUTPUTS; with 0 those are skipped
    uint32_t position;        // of the first token in its sequence; the others follow it
    uint32_t reserved[8];
    // Written by the program.
    uint32_t status;          // AEE code
    uint32_t executed;        // operations that ran to their end
    uint32_t fault;           // enum htp_fault
    uint32_t fault_operation; // index of the operation that failed
    uint64_t microseconds;
    uint64_t multiply_adds;   // of the matrix products that ran
    uint32_t unused[8];
} htp_batch_header;

// A batch by message queue instead of a call: a packet without buffers, and one that answers it.
typedef struct htp_batch_request {
    uint32_t number; // comes back
    int32_t fd;      // as `htp_submit` has them
    uint64_t offset;
    uint64_t size;
} htp_batch_request;

typedef struct htp_batch_response {
    uint32_t number;
    int32_t status; // AEE code
} htp_batch_response;

// The host wrote to the buffer, other than what operations refresh: the DSP's caches forget all of it.
#define HTP_BUFFER_REFRESH 1u
// The host will read the buffer, other than what operations publish.
#define HTP_BUFFER_PUBLISH 2u

typedef struct htp_buffer_entry {
    int32_t fd;     // of a buffer made known by `map`
    uint32_t flags; // HTP_BUFFER_…; may change between submissions
    uint64_t size;  // bytes of it that the batch may touch
} htp_buffer_entry;

// A matrix inside a buffer of the table; rows are `stride` bytes apart.
typedef struct htp_tensor {
    uint32_t buffer;
    uint32_t stride;
    uint64_t offset;
} htp_tensor;

// How many rows an operation works on.
enum htp_rows {
    HTP_ROWS_TOKENS = 1,
    HTP_ROWS_OUTPUTS = 2,
};

// The tensors of an operation, by their place in it and as bits of its masks.
enum htp_tensor_slot {
    HTP_DESTINATION = 0,
    HTP_DESTINATION_2 = 1,
    HTP_INPUT_0 = 2, // … HTP_INPUT_0 + 4
};
#define HTP_TENSORS 7u
#define HTP_SLOT(slot) (1u << (slot))

// Float32 tensors unless said otherwise; `rows` stands for the operation's number of rows.
enum htp_opcode {
    // destination[rows][out] = input 0 [rows][in] × input 1 (tiles), see `htp_matmul_parameters`.
    HTP_OP_MATMUL = 1,
    // destination = the norm of input 0 (+ input 1), times input 2 if there, plus input 3 if there;
    // destination 2, if there, gets the sum of inputs 0 and 1. `htp_norm_parameters`.
    HTP_OP_NORM = 2,
    // destination = input 0 with its heads' pairs turned by the angles of input 1. `htp_rope_parameters`.
    HTP_OP_ROPE = 3,
    // Rows of the cache `destination`, from the batch's position on, get input 0, turned by the angles of
    // input 1 if there. `htp_store_parameters`.
    HTP_OP_STORE = 4,
    // destination = attention of the queries in input 0 over the keys in input 1 and the values in input 2;
    // input 3, if there, holds a sink's logit per head. `htp_attention_parameters`.
    HTP_OP_ATTENTION = 5,
    // destination = softmax of each row of input 0. `htp_softmax_parameters`.
    HTP_OP_SOFTMAX = 6,
    // destination = f(input 0) · input 1, or f(input 0) without input 1. `htp_activate_parameters`.
    HTP_OP_ACTIVATE = 7,
    // destination = input 0 · input 1 or input 0 + input 1. `htp_combine_parameters`.
    HTP_OP_ADD = 8,
    HTP_OP_MULTIPLY = 9,
    // destination = input 0 · scale + offset, capped. `htp_scale_parameters`.
    HTP_OP_SCALE = 10,
    // destination = the rows of the table input 0 that input 1 (int32 [rows]) names. `htp_rows_parameters`.
    HTP_OP_ROWS = 11,
    // destination (int32 [rows][count]) = the experts chosen by the logits in input 0, and their weights in
    // destination 2 [rows][count]; input 1, if there, is added for the choice only. `htp_route_parameters`.
    HTP_OP_ROUTE = 12,
    // destination[row] = Σ of input 0's `count` vectors of a row, times their weights in input 1, plus input
    // 2 if there. `htp_mix_parameters`.
    HTP_OP_MIX = 13,
    // destination = input 0's `count` vectors of a row, plus for each the row of the table input 1 that
    // input 2 (int32 [rows][count]) names. `htp_mix_parameters`.
    HTP_OP_ADD_ROWS = 14,
    // destination (int32 [rows][count]) = where the largest values of input 0 stand, and the values in
    // destination 2, in descending order; of equal values the first comes first. `htp_top_parameters`.
    HTP_OP_TOP = 15,
    // destination [rows][count · out]: for each of a row's `count` experts, named by input 2 (int32
    // [rows][count]), its matrix of input 1 × input 0 [rows][in], or × one of a row's `count` sources in input 0
    // [rows][count · in]. `htp_matmul_indexed_parameters`.
    HTP_OP_MATMUL_INDEXED = 16,
};

// MATMUL, MATMUL_INDEXED: the source of this operation is quantised already, by the operation before it that had it.
#define HTP_MATMUL_SAME_SOURCE 1u
// MATMUL, MATMUL_INDEXED: the source is quantised twice, the second time what the first leaves, and both are
// multiplied: close to the precision of floats. A product of the same source that follows without this flag takes the
// first.
#define HTP_MATMUL_TWICE 2u
// NORM: quantise the destination too, for the products that follow with HTP_MATMUL_SAME_SOURCE.
#define HTP_NORM_QUANTIZE 1u
// NORM: subtract the mean first (layer norm); without it, RMS norm.
#define HTP_NORM_CENTER 2u
// ROPE, STORE: a pair is i and i + pairs (NeoX); without it, 2i and 2i + 1.
#define HTP_ROPE_HALVES 1u
// ROPE, STORE: the table of angles has a row for every position; without it, for every row of the batch.
#define HTP_ROPE_POSITIONS 2u
// ATTENTION: a token sees those after it in the batch, too.
#define HTP_ATTENTION_ALL 1u
// STORE, ATTENTION: the cache holds the last `capacity` positions: position p lies at p % capacity. Attention needs a
// window then, and capacity for the positions that all rows see.
#define HTP_CACHE_RING 4u
// ROUTE: weights are divided by their sum.
#define HTP_ROUTE_NORMALIZE 1u

typedef struct htp_matmul_parameters {
    uint32_t tile_kind;
    uint32_t out; // rows of the weights
    uint32_t in;  // columns of the weights
} htp_matmul_parameters;

typedef struct htp_matmul_indexed_parameters {
    uint32_t tile_kind;
    uint32_t out;
    uint32_t in;
    uint32_t experts; // matrices, one after the other
    uint32_t count;   // experts of a row
    uint32_t sources; // of a row: 1 or `count`
} htp_matmul_indexed_parameters;

typedef struct htp_norm_parameters {
    uint32_t width;
    uint32_t groups; // vectors of `width` in a row, each with a norm of its own and the same weights
    float epsilon;
} htp_norm_parameters;

// A row of angles: cosine and sine for each pair. The host makes it, in double precision, from whatever
// scaling of the frequencies a model has.
typedef struct htp_rope_parameters {
    uint32_t heads;
    uint32_t size;  // floats of a head
    uint32_t pairs; // the first 2 · pairs floats of a head turn
} htp_rope_parameters;

#define HTP_HEAD_SIZE_MAX 1024u
#define HTP_HEADS_MAX 1024u

enum htp_cache_type {
    HTP_CACHE_F32 = 0,
    HTP_CACHE_F16 = 1,
    // Blocks of 32 as in Q8_0, but the codes of a row come first (int8) and their scales follow (f16).
    HTP_CACHE_Q8 = 2,
    // The same of Q4_0: 16 bytes of codes for a block, low nibbles first.
    HTP_CACHE_Q4 = 3,
};

typedef struct htp_store_parameters {
    uint32_t heads;
    uint32_t size;
    uint32_t pairs;       // 0 without angles
    uint32_t type;        // enum htp_cache_type
    uint32_t capacity;    // positions
    uint32_t head_stride; // bytes between a position's heads
} htp_store_parameters;

typedef struct htp_attention_parameters {
    uint32_t key_heads;
    uint32_t group;           // heads of queries that share a key/value head
    uint32_t key_size;
    uint32_t value_size;
    uint32_t key_type;        // enum htp_cache_type
    uint32_t value_type;
    uint32_t capacity;        // positions
    uint32_t key_head_stride; // bytes
    uint32_t value_head_stride;
    uint32_t window;          // positions that a token sees, itself included; 0: all
    float scale;
    float cap;                // logits become cap · tanh(logit / cap); 0: as they are
} htp_attention_parameters;

typedef struct htp_softmax_parameters {
    uint32_t width;
    float scale;
} htp_softmax_parameters;

enum htp_function {
    HTP_FUNCTION_IDENTITY = 0,
    HTP_FUNCTION_SILU = 1,         // x · sigmoid(x)
    HTP_FUNCTION_GELU = 2,         // with the hyperbolic tangent
    HTP_FUNCTION_GELU_QUICK = 3,   // x · sigmoid(1.702 x)
    HTP_FUNCTION_RELU = 4,
    HTP_FUNCTION_RELU_SQUARED = 5,
    HTP_FUNCTION_SIGMOID = 6,
    HTP_FUNCTION_TANH = 7,
    // With x = min(gate, limit) and u = up within ±limit: x · sigmoid(alpha · x) · (u + 1).
    HTP_FUNCTION_SWIGLU_CLAMPED = 8,
};

typedef struct htp_activate_parameters {
    uint32_t width;
    uint32_t function; // enum htp_function
    float alpha, limit; // of HTP_FUNCTION_SWIGLU_CLAMPED, else 0
} htp_activate_parameters;

// Input 1 is one row for all with a stride of 0.
typedef struct htp_combine_parameters {
    uint32_t width;
} htp_combine_parameters;

typedef struct htp_scale_parameters {
    uint32_t width;
    float scale, offset;
    float cap; // then x becomes cap · tanh(x / cap); 0: as it is
} htp_scale_parameters;

enum htp_row_type {
    HTP_ROW_F32 = 0,
    HTP_ROW_F16 = 1,
    HTP_ROW_Q4_0 = 2, // as in GGUF
    HTP_ROW_Q8_0 = 8,
    HTP_ROW_BF16 = 30,
};

typedef struct htp_rows_parameters {
    uint32_t width;
    uint32_t type;  // enum htp_row_type
    uint32_t count; // rows of the table
    float scale;
} htp_rows_parameters;

enum htp_gate {
    HTP_GATE_SOFTMAX = 0,        // softmax of all logits, then the choice
    HTP_GATE_SIGMOID = 1,
    HTP_GATE_SOFTMAX_CHOSEN = 2, // the choice, then softmax of the chosen logits
};

#define HTP_ROUTE_EXPERTS_MAX 512u
#define HTP_ROUTE_CHOSEN_MAX 64u

typedef struct htp_route_parameters {
    uint32_t experts;
    uint32_t count; // experts of a token
    uint32_t gate;  // enum htp_gate
    float scale;    // of the weights
} htp_route_parameters;

typedef struct htp_mix_parameters {
    uint32_t width;
    uint32_t count;      // vectors in a row
    uint32_t table_rows; // ADD_ROWS; else 0
} htp_mix_parameters;

#define HTP_TOP_COUNT_MAX 256u

typedef struct htp_top_parameters {
    uint32_t width;
    uint32_t count;
} htp_top_parameters;

#define HTP_PARAMETER_WORDS 32u

typedef struct htp_operation {
    uint32_t opcode;
    uint32_t flags; // of the opcode
    uint32_t rows;  // enum htp_rows
    uint8_t present;  // mask of the tensors that are there; the others are all zero
    uint8_t refresh;  // mask of inputs that the host wrote
    uint8_t publish;  // mask of destinations that the host will read
    uint8_t reserved;
    htp_tensor tensors[HTP_TENSORS];
    union {
        uint32_t words[HTP_PARAMETER_WORDS];
        htp_matmul_parameters matmul;
        htp_matmul_indexed_parameters matmul_indexed;
        htp_norm_parameters norm;
        htp_rope_parameters rope;
        htp_store_parameters store;
        htp_attention_parameters attention;
        htp_softmax_parameters softmax;
        htp_activate_parameters activate;
        htp_combine_parameters combine;
        htp_scale_parameters scale;
        htp_rows_parameters rows_of;
        htp_route_parameters route;
        htp_mix_parameters mix;
        htp_top_parameters top;
    } parameters;
} htp_operation;

enum htp_fault {
    HTP_FAULT_NONE = 0,
    HTP_FAULT_HEADER,      // magic, version, counts, sizes or parameters of the submission
    HTP_FAULT_BUFFER,      // a table entry names an unmapped descriptor or too many bytes
    HTP_FAULT_OPCODE,
    HTP_FAULT_SHAPE,       // dimensions, types, flags, stride or alignment
    HTP_FAULT_RANGE,       // a tensor reaches outside its buffer, or a position outside the cache
    HTP_FAULT_MEMORY,      // scratch memory is exhausted
    HTP_FAULT_NOT_STARTED, // `start` has not been called
    HTP_FAULT_ALIAS,       // a destination overlaps another tensor or the batch itself
    HTP_FAULT_DATA,        // a row or expert number outside its table; the operations before it ran
};

_Static_assert(sizeof(htp_batch_header) == 128, "wire layout");
_Static_assert(sizeof(htp_buffer_entry) == 16, "wire layout");
_Static_assert(sizeof(htp_operation) == 256, "wire layout");

#endif
