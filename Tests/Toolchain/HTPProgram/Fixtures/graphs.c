// Runs batches of every operation with the DSP program's own code, on this machine and as Hexagon code.
//
// Standard input is two words: a mode and a number. Mode 0 runs good batches of every operation in many
// shapes, each split among 1, 2, 3 and 4 workers, and writes what they leave in memory: two machines must
// write the same bytes. Mode 2 does so with the vector unit's floats, where there are any. With a number other than
// 0 only some of the shapes are run. Mode 1 runs as many
// damaged copies of a batch with all operations: a refused batch may write nothing but its header, and none may
// write outside its buffer. Then it writes how many were accepted.
#include "AEEStdErr.h"
#include "batch.h"
#include "htp_batch.h"
#include "htp_tiles.h"
#include "platform.h"
#include "program.h"
#include "standalone.h"

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#if defined(POISONS)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

// The system: memory from an arena, and workers that take turns.

enum { ARENA_BYTES = 8 << 20, DATA_BYTES = 2 << 20, GUARD_BYTES = 1 << 14, OPERATIONS_MAX = 40 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(128)));
static size_t arena_used;

void *platform_allocate(size_t size) {
    const size_t bytes = (size + 127) / 128 * 128;
    if (bytes > ARENA_BYTES - arena_used) return NULL;
    arena_used += bytes;
    return arena + arena_used - bytes;
}
void platform_free(void *memory) { (void)memory; }
uint64_t platform_microseconds(void) { return 0; }
void platform_refresh(void *memory, uint64_t size) { (void)memory, (void)size; }
void platform_publish(void *memory, uint64_t size) { (void)memory, (void)size; }

struct workers {
    uint32_t count;
};
static workers pool;
uint32_t workers_count(const workers *p) { return p->count; }
// The last part first: the result may not depend on the order.
void workers_run(workers *p, worker_job job, void *argument) {
    for (uint32_t part = p->count; part > 0; part--) job(argument, part - 1, p->count);
}

// Random numbers that every machine makes alike.

static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

// A number below `limit`, which is at most 2^16, without a division.
static uint32_t below(uint32_t limit) { return (uint32_t)((uint64_t)(random_word() >> 16) * limit >> 16); }

static float normal(void) {
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) sum += (int32_t)(random_word() >> 8) - (1 << 23);
    return (float)sum * 0x1.bp-24f;
}

// The batch under construction.

typedef struct layout {
    htp_batch_header header;
    htp_buffer_entry buffers[1];
    htp_operation operations[OPERATIONS_MAX];
} layout;

static layout commands;

static uint8_t data[DATA_BYTES] __attribute__((aligned(128)));
static size_t data_used;
static program the_program;

static void begin(uint32_t tokens, uint32_t outputs, uint32_t position) {
    __builtin_memset(&commands, 0, sizeof commands);
    commands.header = (htp_batch_header){
        .magic = HTP_BATCH_MAGIC, .version = HTP_BATCH_VERSION, .byte_count = sizeof commands,
        .buffer_count = 1, .tokens = tokens, .outputs = outputs, .position = position};
    commands.buffers[0].fd = 7;
    data_used = 0;
}

static htp_operation *operation(uint32_t opcode, uint32_t rows) {
    htp_operation *op = &commands.operations[commands.header.operation_count++];
    op->opcode = opcode;
    op->rows = rows;
    return op;
}

static void set(htp_operation *op, uint32_t slot, htp_tensor t) {
    op->tensors[slot] = t;
    op->present |= (uint8_t)HTP_SLOT(slot);
}

// Room for `rows` rows of `row_bytes`, `gap` bytes apart.
static htp_tensor room(uint64_t rows, uint64_t row_bytes, uint32_t gap) {
    const uint64_t stride = row_bytes + gap;
    htp_tensor t = {.stride = (uint32_t)stride, .offset = data_used};
    if (rows * stride > DATA_BYTES - GUARD_BYTES - data_used) end(20);
    __builtin_memset(data + data_used, 0x5a, (size_t)(rows * stride));
    data_used = (data_used + (size_t)(rows * stride) + 127) / 128 * 128;
    return t;
}

static htp_tensor floats(uint32_t rows, uint32_t width, uint32_t gap) {
    htp_tensor t = room(rows, (uint64_t)width * 4, gap * 4);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < width; i++) {
            const float x = normal();
            __builtin_memcpy(data + t.offset + (size_t)row * t.stride + 4 * (size_t)i, &x, 4);
        }
    return t;
}

static htp_tensor numbers(uint32_t rows, uint32_t width, uint32_t limit) {
    htp_tensor t = room(rows, (uint64_t)width * 4, 4);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < width; i++) {
            const uint32_t x = below(limit);
            __builtin_memcpy(data + t.offset + (size_t)row * t.stride + 4 * (size_t)i, &x, 4);
        }
    return t;
}

// Blocks of any bits whose halves of scale are small numbers.
static htp_tensor blocks(uint32_t rows, uint32_t count, uint32_t block_bytes) {
    htp_tensor t = room(rows, (uint64_t)count * block_bytes, 2);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < count * block_bytes; i++) {
            uint8_t byte = (uint8_t)random_word();
            uint32_t in_block = i;
            while (in_block >= block_bytes) in_block -= block_bytes;
            if (in_block == 1) byte = (uint8_t)(0x20 + (byte & 0x9f & 7));
            data[t.offset + (size_t)row * t.stride + i] = byte;
        }
    return t;
}

static htp_tensor tiles(uint32_t kind, uint32_t out, uint32_t in) {
    const uint64_t bytes = htp_tiles_bytes(kind, out, in), row_tile = htp_row_tile_bytes(kind, in);
    htp_tensor t = room(1, bytes, 0);
    for (uint64_t i = 0; i < bytes; i++) data[t.offset + i] = (uint8_t)random_word();
    for (uint64_t tile = 0; tile * row_tile < bytes; tile++)
        for (int row = 0; row < HTP_TILE_ROWS; row++) {
            const int32_t exponent = -30 + (int32_t)below(4);
            __builtin_memcpy(data + t.offset + tile * row_tile + 4 * (size_t)row, &exponent, 4);
        }
    t.stride = 0;
    return t;
}

static void destination(htp_operation *op, uint32_t slot, uint32_t width, uint32_t gap) {
    const uint32_t rows = op->rows == HTP_ROWS_TOKENS ? commands.header.tokens : commands.header.outputs;
    set(op, slot, room(rows == 0 ? 1 : rows, (uint64_t)width * 4, gap * 4));
}

static uint32_t rows_of(const htp_operation *op) {
    const uint32_t rows = op->rows == HTP_ROWS_TOKENS ? commands.header.tokens : commands.header.outputs;
    return rows == 0 ? 1 : rows;
}

// Operations.

static htp_operation *norm(uint32_t width, uint32_t groups, uint32_t flags, int variant) {
    htp_operation *op = operation(HTP_OP_NORM, HTP_ROWS_TOKENS);
    op->flags = flags;
    op->parameters.norm = (htp_norm_parameters){width, groups, 1e-5f};
    const uint32_t columns = width * groups, rows = rows_of(op);
    set(op, HTP_INPUT_0, floats(rows, columns, 3));
    if ((variant & 1) != 0) set(op, HTP_INPUT_0 + 1, floats(rows, columns, 1));
    if ((variant & 2) != 0) set(op, HTP_INPUT_0 + 2, floats(1, width, 0));
    if ((variant & 4) != 0) set(op, HTP_INPUT_0 + 3, floats(1, width, 0));
    destination(op, HTP_DESTINATION, columns, 5);
    if ((variant & 9) == 9) destination(op, HTP_DESTINATION_2, columns, 0);
    if ((variant & 25) == 25) op->tensors[HTP_DESTINATION_2] = op->tensors[HTP_INPUT_0];
    return op;
}

static htp_operation *matmul(uint32_t kind, uint32_t out, uint32_t in, const htp_tensor *source, uint32_t flags) {
    htp_operation *op = operation(HTP_OP_MATMUL, HTP_ROWS_TOKENS);
    op->flags = flags;
    op->parameters.matmul = (htp_matmul_parameters){kind, out, in};
    set(op, HTP_INPUT_0, source ? *source : floats(rows_of(op), in, 0));
    set(op, HTP_INPUT_0 + 1, tiles(kind, out, in));
    destination(op, HTP_DESTINATION, out, 1);
    return op;
}

static htp_tensor angles(uint32_t rows, uint32_t pairs) { return floats(rows, 2 * pairs, 2); }

static htp_operation *rope(uint32_t heads, uint32_t size, uint32_t pairs, uint32_t flags) {
    htp_operation *op = operation(HTP_OP_ROPE, HTP_ROWS_TOKENS);
    op->flags = flags;
    op->parameters.rope = (htp_rope_parameters){heads, size, pairs};
    const uint32_t rows = rows_of(op);
    set(op, HTP_INPUT_0, floats(rows, heads * size, 1));
    set(op, HTP_INPUT_0 + 1,
        angles((flags & HTP_ROPE_POSITIONS) != 0 ? commands.header.position + rows : rows, pairs));
    if ((flags & HTP_ROPE_POSITIONS) != 0)
        set(op, HTP_DESTINATION, op->tensors[HTP_INPUT_0]);
    else
        destination(op, HTP_DESTINATION, heads * size, 0);
    return op;
}

static uint32_t cache_bytes(uint32_t type, uint32_t size) {
    return type == HTP_CACHE_F32 ? 4 * size : type == HTP_CACHE_F16 ? 2 * size
        : type == HTP_CACHE_Q8 ? size + size / 16 : size / 2 + size / 16;
}

static htp_tensor cache(uint32_t type, uint32_t heads, uint32_t size, uint32_t capacity, int by_head,
                        uint32_t *head_stride) {
    const uint32_t row = cache_bytes(type, size), padded = (row + 3) / 4 * 4;
    htp_tensor t = room((uint64_t)heads * capacity, padded, 0);
    t.stride = by_head ? padded : padded * heads;
    *head_stride = by_head ? padded * capacity : padded;
    return t;
}

static htp_operation *store(uint32_t type, uint32_t heads, uint32_t size, uint32_t capacity, uint32_t pairs,
                            uint32_t flags, int by_head) {
    htp_operation *op = operation(HTP_OP_STORE, HTP_ROWS_TOKENS);
    op->flags = flags;
    uint32_t head_stride;
    const uint32_t rows = rows_of(op);
    set(op, HTP_DESTINATION, cache(type, heads, size, capacity, by_head, &head_stride));
    set(op, HTP_INPUT_0, floats(rows, heads * size, 0));
    if (pairs != 0) set(op, HTP_INPUT_0 + 1, angles(rows, pairs));
    op->parameters.store = (htp_store_parameters){heads, size, pairs, type, capacity, head_stride};
    return op;
}

// Fills the whole cache with the store operation, then attends.
static htp_operation *attention(uint32_t type, uint32_t value_type, uint32_t key_heads, uint32_t group,
                                uint32_t key_size, uint32_t value_size, uint32_t window, uint32_t flags,
                                float cap, int sinks) {
    const uint32_t position = commands.header.position, rows = commands.header.tokens;
    const uint32_t capacity = position + rows;
    htp_tensor keys = floats(capacity, key_heads * key_size, 0), values = floats(capacity, key_heads * value_size, 0);
    uint32_t key_stride, value_stride;
    const htp_tensor key_cache = cache(type, key_heads, key_size, capacity, 1, &key_stride);
    const htp_tensor value_cache = cache(value_type, key_heads, value_size, capacity, 0, &value_stride);
    // What is there from earlier batches.
    commands.header.position = 0;
    commands.header.tokens = capacity;
    for (int i = 0; i < 2; i++) {
        htp_operation *op = operation(HTP_OP_STORE, HTP_ROWS_TOKENS);
        set(op, HTP_DESTINATION, i == 0 ? key_cache : value_cache);
        set(op, HTP_INPUT_0, i == 0 ? keys : values);
        op->parameters.store = (htp_store_parameters){
            key_heads, i == 0 ? key_size : value_size, 0, i == 0 ? type : value_type, capacity,
            i == 0 ? key_stride : value_stride};
    }
    htp_operation *op = operation(HTP_OP_ATTENTION, HTP_ROWS_TOKENS);
    op->flags = flags;
    set(op, HTP_INPUT_0, floats(capacity, key_heads * group * key_size, 0));
    set(op, HTP_INPUT_0 + 1, key_cache);
    set(op, HTP_INPUT_0 + 2, value_cache);
    if (sinks) set(op, HTP_INPUT_0 + 3, floats(1, key_heads * group, 0));
    op->parameters.attention = (htp_attention_parameters){
        key_heads, group, key_size, value_size, type, value_type, capacity, key_stride, value_stride, window,
        0.3f, cap};
    destination(op, HTP_DESTINATION, key_heads * group * value_size, 2);
    return op;
}

// A ring of `capacity` positions with floats from earlier batches: the new ones are stored, then all attend.
static htp_operation *ring_attention(uint32_t capacity, uint32_t window, uint32_t key_heads, uint32_t size) {
    const htp_tensor keys = floats(key_heads * capacity, size, 0), values = floats(key_heads * capacity, size, 0);
    const uint32_t row = size * (uint32_t)sizeof(float), rows = commands.header.tokens;
    for (int i = 0; i < 2; i++) {
        htp_operation *op = operation(HTP_OP_STORE, HTP_ROWS_TOKENS);
        op->flags = HTP_CACHE_RING;
        set(op, HTP_DESTINATION, i == 0 ? keys : values);
        set(op, HTP_INPUT_0, floats(rows, key_heads * size, 0));
        op->parameters.store
            = (htp_store_parameters){key_heads, size, 0, HTP_CACHE_F32, capacity, capacity * row};
    }
    htp_operation *op = operation(HTP_OP_ATTENTION, HTP_ROWS_TOKENS);
    op->flags = HTP_CACHE_RING;
    set(op, HTP_INPUT_0, floats(rows, key_heads * 2 * size, 0));
    set(op, HTP_INPUT_0 + 1, keys);
    set(op, HTP_INPUT_0 + 2, values);
    op->parameters.attention = (htp_attention_parameters){
        key_heads, 2, size, size, HTP_CACHE_F32, HTP_CACHE_F32, capacity, capacity * row, capacity * row, window,
        0.3f, 0};
    destination(op, HTP_DESTINATION, key_heads * 2 * size, 2);
    return op;
}

static htp_operation *simple(uint32_t opcode, uint32_t rows, uint32_t width, int inputs, int in_place) {
    htp_operation *op = operation(opcode, rows);
    for (int i = 0; i < inputs; i++) set(op, HTP_INPUT_0 + (uint32_t)i, floats(rows_of(op), width, 1));
    if (in_place)
        set(op, HTP_DESTINATION, op->tensors[HTP_INPUT_0]);
    else
        destination(op, HTP_DESTINATION, width, 0);
    return op;
}

static htp_operation *activate(uint32_t function, uint32_t width, int gated, int in_place) {
    htp_operation *op = simple(HTP_OP_ACTIVATE, HTP_ROWS_TOKENS, width, gated ? 2 : 1, in_place);
    op->parameters.activate.width = width;
    op->parameters.activate.function = function;
    if (function == HTP_FUNCTION_SWIGLU_CLAMPED) {
        op->parameters.activate.alpha = 1.702f;
        op->parameters.activate.limit = 1.5f;
    }
    return op;
}

static htp_operation *rows(uint32_t type, uint32_t width, uint32_t count, float scale, uint32_t which) {
    htp_operation *op = operation(HTP_OP_ROWS, which);
    set(op, HTP_INPUT_0,
        type == HTP_ROW_F32    ? floats(count, width, 1)
        : type == HTP_ROW_Q4_0 ? blocks(count, width / 32, 18)
        : type == HTP_ROW_Q8_0 ? blocks(count, width / 32, 34)
                               : blocks(count, width, 2));
    set(op, HTP_INPUT_0 + 1, numbers(rows_of(op), 1, count));
    op->parameters.rows_of = (htp_rows_parameters){width, type, count, scale};
    destination(op, HTP_DESTINATION, width, 0);
    return op;
}

static htp_operation *route(uint32_t experts, uint32_t count, uint32_t gate, uint32_t flags, int biased) {
    htp_operation *op = operation(HTP_OP_ROUTE, HTP_ROWS_TOKENS);
    op->flags = flags;
    set(op, HTP_INPUT_0, floats(rows_of(op), experts, 0));
    if (biased) set(op, HTP_INPUT_0 + 1, floats(1, experts, 0));
    destination(op, HTP_DESTINATION, count, 1);
    destination(op, HTP_DESTINATION_2, count, 0);
    op->parameters.route = (htp_route_parameters){experts, count, gate, 2.5f};
    return op;
}

static htp_operation *mix(uint32_t width, uint32_t count, int addend) {
    htp_operation *op = operation(HTP_OP_MIX, HTP_ROWS_TOKENS);
    set(op, HTP_INPUT_0, floats(rows_of(op), width * count, 0));
    set(op, HTP_INPUT_0 + 1, floats(rows_of(op), count, 0));
    if (addend) set(op, HTP_INPUT_0 + 2, floats(rows_of(op), width, 0));
    destination(op, HTP_DESTINATION, width, 0);
    op->parameters.mix = (htp_mix_parameters){width, count, 0};
    return op;
}

static htp_operation *add_rows(uint32_t width, uint32_t count, uint32_t table_rows) {
    htp_operation *op = operation(HTP_OP_ADD_ROWS, HTP_ROWS_TOKENS);
    set(op, HTP_INPUT_0, floats(rows_of(op), width * count, 0));
    set(op, HTP_INPUT_0 + 1, floats(table_rows, width, 0));
    set(op, HTP_INPUT_0 + 2, numbers(rows_of(op), count, table_rows));
    destination(op, HTP_DESTINATION, width * count, 0);
    op->parameters.mix = (htp_mix_parameters){width, count, table_rows};
    return op;
}

static htp_operation *top(uint32_t width, uint32_t count, uint32_t which) {
    htp_operation *op = operation(HTP_OP_TOP, which);
    htp_tensor t = floats(rows_of(op), width, 0);
    set(op, HTP_INPUT_0, t);
    // Equal values, infinities and no numbers.
    for (uint32_t i = 0; i + 8 < width; i += 1 + below(8)) {
        static const uint32_t special[] = {0x40200000, 0xff800000, 0x7f800000, 0x7fc00000, 0x80000000, 0};
        __builtin_memcpy(data + t.offset + 4 * (size_t)i, &special[below(6)], 4);
    }
    destination(op, HTP_DESTINATION, count, 0);
    destination(op, HTP_DESTINATION_2, count, 3);
    op->parameters.top = (htp_top_parameters){width, count};
    return op;
}

static htp_operation *experts(uint32_t kind, uint32_t out, uint32_t in, uint32_t experts, uint32_t count,
                              uint32_t sources) {
    htp_operation *op = operation(HTP_OP_MATMUL_INDEXED, HTP_ROWS_TOKENS);
    set(op, HTP_INPUT_0, floats(rows_of(op), in * sources, 0));
    htp_tensor weights = tiles(kind, out, in);
    const uint64_t bytes = htp_tiles_bytes(kind, out, in);
    for (uint32_t i = 1; i < experts; i++) {
        const htp_tensor next = tiles(kind, out, in);
        if (next.offset != weights.offset + i * bytes) end(28);
    }
    set(op, HTP_INPUT_0 + 1, weights);
    set(op, HTP_INPUT_0 + 2, numbers(rows_of(op), count, experts));
    destination(op, HTP_DESTINATION, out * count, 0);
    op->parameters.matmul_indexed = (htp_matmul_indexed_parameters){kind, out, in, experts, count, sources};
    return op;
}

// Runs the batch with `workers` workers; returns its header.
static htp_batch_header run_batch(uint8_t *batch, uint32_t workers) {
    uint32_t executed;
    uint64_t microseconds;
    pool.count = workers;
    the_program.workers = &pool;
    const int status = batch_run(&the_program, batch, sizeof commands, &executed, &microseconds);
    htp_batch_header header;
    __builtin_memcpy(&header, batch, sizeof header);
    if ((status == AEE_SUCCESS) != (header.fault == HTP_FAULT_NONE) || header.status != (uint32_t)status
        || header.executed != executed)
        end(21);
    return header;
}

static int differs(const uint8_t *a, const uint8_t *b, size_t count) {
    size_t i = 0;
    while (i < count && a[i] == b[i]) i++;
    return i < count;
}

static uint8_t saved[DATA_BYTES], first_result[DATA_BYTES];

// Machines make different bits of what is not a number; here they are all the same.
static void level_nans(void) {
    for (size_t i = 0; i + 4 <= data_used; i += 4) {
        uint32_t word;
        __builtin_memcpy(&word, data + i, 4);
        if ((word & 0x7fffffff) > 0x7f800000) word = 0x7fc00000;
        __builtin_memcpy(data + i, &word, 4);
    }
}

static int may_have_nans;

// A good batch: the same bytes from any number of workers.
static void run_good(void) {
    static layout batch __attribute__((aligned(128)));
    commands.buffers[0].size = data_used;
    the_program.mappings[0] = (mapping){7, data, DATA_BYTES};
    __builtin_memcpy(saved, data, data_used);
    for (uint32_t workers = 1; workers <= 4; workers++) {
        __builtin_memcpy(data, saved, data_used);
        __builtin_memcpy(&batch, &commands, sizeof batch);
        const htp_batch_header header = run_batch((uint8_t *)&batch, workers);
        if (header.fault != HTP_FAULT_NONE || header.executed != commands.header.operation_count)
            end((int)(30 + header.fault));
        if (may_have_nans) level_nans();
        if (workers == 1)
            __builtin_memcpy(first_result, data, data_used);
        else if (differs(first_result, data, data_used))
            end(22);
    }
    uint32_t size = (uint32_t)data_used, opcode = commands.operations[commands.header.operation_count - 1].opcode;
    write_all(&opcode, sizeof opcode);
    write_all(&size, sizeof size);
    write_all(first_result, data_used);
}

// Puts floats that are extreme, infinite or no numbers among those of the tensor.
static void make_strange(const htp_operation *op, uint32_t slot, uint32_t count) {
    static const uint32_t special[] = {0x7fc00000, 0xffc00001, 0x7f800001, 0x7f800000, 0xff800000, 0x7f7fffff,
                                       0xff7fffff, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x5f000000};
    const htp_tensor t = op->tensors[slot];
    if ((op->present >> slot & 1) == 0) end(29);
    for (uint32_t row = 0; row < rows_of(op); row++)
        for (uint32_t i = below(4); i < count; i += 1 + below(12))
            __builtin_memcpy(data + t.offset + (size_t)row * t.stride + 4 * (size_t)i, &special[below(12)], 4);
}

// Every operation on inputs that are no numbers: it ends, and what is a number is the same everywhere.
static void strange_batches(void) {
    may_have_nans = 1;
    for (uint32_t tokens = 1; tokens <= 4; tokens += 3) {
        begin(tokens, tokens, 2);
        // No product follows: it would depend on the bits of what is not a number.
        htp_operation *op = norm(96, 1, HTP_NORM_QUANTIZE, 11);
        make_strange(op, HTP_INPUT_0, 96);
        make_strange(norm(33, 2, HTP_NORM_CENTER, 7), HTP_INPUT_0, 66);
        make_strange(matmul(HTP_TILES_8BIT, 33, 64, NULL, 0), HTP_INPUT_0, 64);
        make_strange(rope(2, 33, 16, 0), HTP_INPUT_0, 66);
        for (uint32_t type = 0; type <= HTP_CACHE_Q4; type++)
            make_strange(store(type, 2, 64, 2 + tokens, 0, 0, 1), HTP_INPUT_0, 128);
        op = simple(HTP_OP_SOFTMAX, HTP_ROWS_OUTPUTS, 45, 1, 0);
        op->parameters.softmax = (htp_softmax_parameters){45, 3.5f};
        make_strange(op, HTP_INPUT_0, 45);
        for (uint32_t f = HTP_FUNCTION_IDENTITY; f <= HTP_FUNCTION_SWIGLU_CLAMPED; f++)
            make_strange(activate(f, 45, 1, 0), HTP_INPUT_0, 45);
        op = simple(HTP_OP_ADD, HTP_ROWS_TOKENS, 45, 2, 0);
        op->parameters.combine.width = 45;
        make_strange(op, HTP_INPUT_0, 45);
        op = simple(HTP_OP_MULTIPLY, HTP_ROWS_TOKENS, 45, 2, 0);
        op->parameters.combine.width = 45;
        make_strange(op, HTP_INPUT_0 + 1, 45);
        op = simple(HTP_OP_SCALE, HTP_ROWS_TOKENS, 45, 1, 0);
        op->parameters.scale = (htp_scale_parameters){45, 2, 1, 3};
        make_strange(op, HTP_INPUT_0, 45);
        for (uint32_t gate = 0; gate <= HTP_GATE_SOFTMAX_CHOSEN; gate++)
            make_strange(route(60, 6, gate, HTP_ROUTE_NORMALIZE, 1), HTP_INPUT_0, 60);
        make_strange(mix(45, 3, 1), HTP_INPUT_0, 135);
        make_strange(add_rows(45, 2, 5), HTP_INPUT_0, 90);
        make_strange(experts(HTP_TILES_4BIT, 33, 64, 3, 2, 1), HTP_INPUT_0, 64);
        op = rows(HTP_ROW_F16, 45, 7, 1.5f, HTP_ROWS_TOKENS);
        uint8_t *halves = data + op->tensors[HTP_INPUT_0].offset;
        for (uint32_t i = 0; i < 7 * 46; i++) halves[2 * i + 1] = (uint8_t)random_word();
        run_good();
        // Queries, keys, values and sinks.
        for (uint32_t type = 0; type <= HTP_CACHE_Q4; type++) {
            begin(tokens, 0, 37);
            op = attention(type, type, 2, 2, 64, 32, 0, 0, type == 0 ? 2.5f : 0, 1);
            make_strange(op, HTP_INPUT_0, 256);
            make_strange(op, HTP_INPUT_0 + 3, 1);
            make_strange(&commands.operations[0], HTP_INPUT_0, 128);
            make_strange(&commands.operations[1], HTP_INPUT_0, 64);
            run_good();
        }
    }
    may_have_nans = 0;
}

// Every operation for each number of rows, with widths that are no multiple of a vector.
static void every_number_of_rows(void) {
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 64};
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const uint32_t tokens = counts[i];
        begin(tokens, tokens, 0);
        htp_operation *op = norm(96, 1, HTP_NORM_QUANTIZE, 11);
        const htp_tensor source = op->tensors[HTP_DESTINATION];
        matmul(HTP_TILES_4BIT, 70, 96, &source, HTP_MATMUL_SAME_SOURCE);
        matmul(HTP_TILES_8BIT, 33, 64, NULL, 0);
        norm(45, 2, HTP_NORM_CENTER, 7);
        rope(2, 50, 21, HTP_ROPE_HALVES);
        for (uint32_t type = 0; type <= HTP_CACHE_Q4; type++) store(type, 2, 32, tokens, 9, 0, (int)type & 1);
        simple(HTP_OP_SOFTMAX, HTP_ROWS_OUTPUTS, 45, 1, 1)->parameters.softmax = (htp_softmax_parameters){45, 3.5f};
        activate(HTP_FUNCTION_SILU, 77, 1, 1);
        activate(HTP_FUNCTION_SWIGLU_CLAMPED, 45, 1, 0);
        simple(HTP_OP_ADD, HTP_ROWS_TOKENS, 45, 2, 1)->parameters.combine.width = 45;
        simple(HTP_OP_MULTIPLY, HTP_ROWS_TOKENS, 45, 2, 0)->parameters.combine.width = 45;
        simple(HTP_OP_SCALE, HTP_ROWS_TOKENS, 45, 1, 0)->parameters.scale = (htp_scale_parameters){45, 2, 1, 3};
        rows(HTP_ROW_Q8_0, 96, 11, 1, HTP_ROWS_TOKENS);
        route(10, 3, HTP_GATE_SOFTMAX_CHOSEN, 0, 1);
        mix(45, 3, 1);
        add_rows(45, 2, 5);
        // With few tokens most experts have no row, with one expert named by all every other has none.
        experts(HTP_TILES_4BIT, 33, 64, 9, 2, 1);
        op = experts(HTP_TILES_8BIT, 20, 32, 5, 1, 1);
        const uint32_t third = 3;
        for (uint32_t row = 0; row < tokens; row++) {
            const htp_tensor *t = &op->tensors[HTP_INPUT_0 + 2];
            __builtin_memcpy(data + t->offset + (size_t)row * t->stride, &third, 4);
        }
        top(45, 7, HTP_ROWS_OUTPUTS);
        run_good();
        begin(tokens, 0, i & 1 ? 5 : 0);
        attention(HTP_CACHE_F16, HTP_CACHE_Q8, 2, 2, 48, 32, i & 1 ? 0 : 9, 0, 0, i & 1);
        run_good();
    }
}

static void good_batches(void) {
    static const uint32_t widths[] = {1, 31, 32, 33, 64, 100, 257, 1024, 2049};
    static const uint32_t row_counts[] = {1, 2, 5};
    for (int w = 0; w < 9; w++) {
        for (int r = 0; r < 3; r++) {
            const uint32_t width = widths[w], tokens = row_counts[r];
            for (int variant = 0; variant < 32; variant += variant < 8 ? 1 : 3) {
                begin(tokens, 0, 0);
                norm(width, 1 + below(3), variant & 1 ? HTP_NORM_CENTER : 0, variant);
                run_good();
            }
            begin(tokens, 1, 0);
            simple(HTP_OP_SOFTMAX, HTP_ROWS_OUTPUTS, width, 1, w & 1)->parameters.softmax
                = (htp_softmax_parameters){width, 3.5f};
            simple(HTP_OP_ADD, HTP_ROWS_TOKENS, width, 2, r & 1)->parameters.combine.width = width;
            htp_operation *op = simple(HTP_OP_MULTIPLY, HTP_ROWS_TOKENS, width, 2, w & 1);
            op->parameters.combine.width = width;
            op->tensors[HTP_INPUT_0 + 1].stride = 0; // one row for all
            simple(HTP_OP_SCALE, HTP_ROWS_TOKENS, width, 1, r & 1)->parameters.scale
                = (htp_scale_parameters){width, 1.7f, -0.2f, w & 1 ? 1.5f : 0};
            mix(width, 1 + below(8), r & 1);
            add_rows(width, 1 + below(4), 9);
            rows(HTP_ROW_F32, width, 17, 1, HTP_ROWS_TOKENS);
            rows(HTP_ROW_F16, width, 17, 1.5f, HTP_ROWS_TOKENS);
            rows(HTP_ROW_BF16, width, 5, 1, HTP_ROWS_OUTPUTS);
            top(width, width < 40 ? 1 : 40, HTP_ROWS_TOKENS);
            if (width % 32 == 0) {
                rows(HTP_ROW_Q4_0, width, 17, 1, HTP_ROWS_TOKENS);
                rows(HTP_ROW_Q8_0, width, 9, 0.3f, HTP_ROWS_OUTPUTS);
            }
            run_good();
            for (uint32_t f = HTP_FUNCTION_IDENTITY; f <= HTP_FUNCTION_SWIGLU_CLAMPED; f++) {
                begin(tokens, 0, 0);
                activate(f, width, 1, w & 1);
                if (f != HTP_FUNCTION_SWIGLU_CLAMPED) activate(f, width, 0, r & 1);
                run_good();
            }
        }
    }
    // One long row for several workers.
    begin(1, 1, 0);
    top(20000, 256, HTP_ROWS_OUTPUTS);
    run_good();
    for (uint32_t gate = 0; gate <= HTP_GATE_SOFTMAX_CHOSEN; gate++) {
        for (uint32_t flags = 0; flags <= HTP_ROUTE_NORMALIZE; flags++) {
            begin(5, 0, 0);
            route(1, 1, gate, flags, 0);
            route(32, 4, gate, flags, 0);
            route(60, 6, gate, flags, 1);
            route(512, 64, gate, flags, 1);
            run_good();
        }
    }
    for (uint32_t flags = 0; flags < 4; flags++) {
        begin(3, 0, 4);
        rope(3, 64, 32, flags);
        rope(1, 65, 20, flags);
        rope(9, 10, 5, flags);
        run_good();
    }
    for (uint32_t type = 0; type <= HTP_CACHE_Q4; type++) {
        for (int by_head = 0; by_head < 2; by_head++) {
            begin(3, 0, 2);
            store(type, 3, 64, 6, 0, 0, by_head);
            store(type, 1, 96, 5, 48, by_head ? HTP_ROPE_HALVES : 0, by_head);
            store(type, 2, type >= HTP_CACHE_Q8 ? 32 : 33, 5, 4, 0, by_head);
            run_good();
        }
        for (uint32_t value_type = 0; value_type <= HTP_CACHE_Q4; value_type++) {
            static const uint32_t positions[] = {0, 30, 31, 75};
            for (int i = 0; i < 4; i++) {
                begin(1 + below(4), 0, positions[i]);
                attention(type, value_type, 2, 3, 64, 32, 0, 0, 0, 0);
                run_good();
                begin(1, 0, positions[i]);
                attention(type, value_type, 1, 5, 32, 96, i * 7, 0, 2.5f, 1);
                run_good();
                begin(2, 0, positions[i]);
                attention(type, value_type, 3, 1, 128, 64, 0, HTP_ATTENTION_ALL, 0, i & 1);
                run_good();
            }
        }
    }
    for (uint32_t tokens = 1; tokens <= 9; tokens += 4) {
        static const uint32_t positions[] = {0, 5, 30, 40, 1000003};
        for (int i = 0; i < 5; i++) {
            begin(tokens, 0, positions[i]);
            ring_attention(41, 33, 2, 32);
            run_good();
        }
    }
    for (uint32_t kind = 4; kind <= 8; kind += 4) {
        begin(3, 0, 0);
        htp_operation *op = norm(48, 2, HTP_NORM_QUANTIZE, 11);
        const htp_tensor source = op->tensors[HTP_DESTINATION];
        matmul(kind, 70, 96, &source, HTP_MATMUL_SAME_SOURCE);
        matmul(kind, 33, 96, &source, HTP_MATMUL_SAME_SOURCE);
        matmul(kind, 40, 64, NULL, 0);
        matmul(kind, 33, 96, &source, 0);
        // Blocks that are not full.
        op = norm(45, 3, HTP_NORM_QUANTIZE, 11);
        const htp_tensor odd = op->tensors[HTP_DESTINATION];
        matmul(kind, 70, 135, &odd, HTP_MATMUL_SAME_SOURCE);
        matmul(kind, 40, 1, NULL, 0);
        run_good();
        for (uint32_t tokens = 1; tokens <= 33; tokens += 16) {
            begin(tokens, 0, 0);
            experts(kind, 70, 64, 5, 2, 1);
            experts(kind, 33, 96, 3, 3, 3);
            experts(kind, 1, 32, 1, 1, 1);
            experts(kind, 40, 77, 3, 2, 2);
            run_good();
        }
    }
    static const uint32_t kinds[] = {HTP_TILES_TERNARY, HTP_TILES_4BIT, HTP_TILES_12BIT, HTP_TILES_FP4};
    for (int i = 0; i < 4; i++) {
        for (uint32_t tokens = 1; tokens <= 33; tokens += 16) {
            begin(tokens, 0, 0);
            htp_operation *op = matmul(kinds[i], 600, 32, NULL, HTP_MATMUL_TWICE);
            const htp_tensor source = op->tensors[HTP_INPUT_0];
            matmul(kinds[i], 33, 32, &source, HTP_MATMUL_SAME_SOURCE | HTP_MATMUL_TWICE);
            matmul(kinds[i], 33, 32, &source, HTP_MATMUL_SAME_SOURCE);
            experts(kinds[i], 70, 64, 5, 2, 1)->flags = HTP_MATMUL_TWICE;
            experts(kinds[i], 33, 96, 3, 3, 3)->flags = HTP_MATMUL_TWICE;
            matmul(kinds[i], 40, 77, NULL, HTP_MATMUL_TWICE);
            experts(kinds[i], 40, 31, 3, 3, 3)->flags = HTP_MATMUL_TWICE;
            run_good();
        }
    }
}

// A batch with every operation, small, for damage.
static void all_operations(void) {
    begin(2, 1, 3);
    htp_operation *op = norm(32, 1, HTP_NORM_QUANTIZE, 11);
    const htp_tensor source = op->tensors[HTP_DESTINATION];
    matmul(HTP_TILES_4BIT, 34, 32, &source, HTP_MATMUL_SAME_SOURCE);
    matmul(HTP_TILES_8BIT, 5, 32, NULL, 0);
    matmul(HTP_TILES_8BIT, 5, 32, NULL, HTP_MATMUL_TWICE);
    rope(2, 16, 8, HTP_ROPE_POSITIONS);
    attention(HTP_CACHE_F16, HTP_CACHE_Q8, 1, 2, 32, 32, 3, 0, 2.0f, 1);
    commands.header.tokens = 2;
    commands.header.position = 3;
    store(HTP_CACHE_Q8, 2, 32, 6, 8, HTP_ROPE_HALVES, 1);
    simple(HTP_OP_SOFTMAX, HTP_ROWS_OUTPUTS, 20, 1, 0)->parameters.softmax = (htp_softmax_parameters){20, 1};
    activate(HTP_FUNCTION_SWIGLU_CLAMPED, 20, 1, 1);
    activate(HTP_FUNCTION_GELU, 20, 0, 0);
    simple(HTP_OP_ADD, HTP_ROWS_TOKENS, 20, 2, 0)->parameters.combine.width = 20;
    simple(HTP_OP_MULTIPLY, HTP_ROWS_TOKENS, 20, 2, 1)->parameters.combine.width = 20;
    simple(HTP_OP_SCALE, HTP_ROWS_TOKENS, 20, 1, 1)->parameters.scale = (htp_scale_parameters){20, 2, 1, 1};
    rows(HTP_ROW_Q4_0, 32, 11, 1, HTP_ROWS_TOKENS);
    rows(HTP_ROW_F32, 20, 11, 1, HTP_ROWS_OUTPUTS);
    route(8, 2, HTP_GATE_SOFTMAX, HTP_ROUTE_NORMALIZE, 1);
    mix(20, 2, 1);
    add_rows(20, 2, 5);
    experts(HTP_TILES_4BIT, 7, 32, 2, 2, 1);
    experts(HTP_TILES_4BIT, 7, 32, 2, 2, 2);
    top(50, 4, HTP_ROWS_OUTPUTS);
    commands.header.byte_count
        = sizeof commands.header + sizeof commands.buffers + commands.header.operation_count * sizeof *op;
    commands.buffers[0].size = data_used;
}

static uint32_t damaged_value(uint32_t old) {
    static const uint32_t values[] = {
        0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 33, 64, 96, 127, 128, 129, 255, 256, 512, 1023, 1024, 1025, 4095, 4096,
        4097, 8192, 32704, 65535, 65536, 0x00ffffff, 0x3fffffff, 0x40000000, 0x7f800000, 0x7fc00000, 0x7fffffff,
        0x80000000, 0xff800000, 0xffffff80, 0xfffffffc, 0xffffffff};
    switch (below(5)) {
    case 0: return random_word();
    case 1: return old + below(257) - 128;
    case 2: return old ^ 1u << below(32);
    case 3: return old * 2 + below(2);
    default: return values[below(sizeof values / sizeof *values)];
    }
}

// Damages one to four words, or copies an operation or a tensor over another.
static void damage(layout *bad) {
    const uint32_t operations = bad->header.operation_count;
    for (uint32_t changes = 1 + below(4); changes > 0; changes--) {
        // One random number at a time: the order within an expression is the compiler's.
        htp_operation *op = &bad->operations[below(operations)];
        const htp_operation *other = &bad->operations[below(operations)];
        const uint32_t slot = below(HTP_TENSORS);
        const uint32_t other_slot = below(HTP_TENSORS);
        switch (below(16)) {
        case 0: *op = *other; break;
        case 1: op->tensors[slot] = other->tensors[other_slot]; break;
        case 2: op->opcode = below(20); break;
        case 3: op->present = (uint8_t)random_word(); break;
        case 4: {
            uint32_t word;
            const uint32_t at = below(sizeof bad->header + sizeof bad->buffers) / 4;
            __builtin_memcpy(&word, (uint8_t *)bad + 4 * (size_t)at, 4);
            word = damaged_value(word);
            // The magic and version would only hide the rest.
            if (at > 1 || below(64) == 0) __builtin_memcpy((uint8_t *)bad + 4 * (size_t)at, &word, 4);
            break;
        }
        default: {
            // The words that have a meaning, mostly.
            uint32_t word;
            const uint32_t at = below(8) == 0 ? below(sizeof *op / 4) : below(44);
            __builtin_memcpy(&word, (uint8_t *)op + 4 * (size_t)at, 4);
            word = damaged_value(word);
            __builtin_memcpy((uint8_t *)op + 4 * (size_t)at, &word, 4);
        }
        }
    }
}

static void damaged_batches(uint32_t count) {
    static layout batch __attribute__((aligned(128)));
    all_operations();
    // The batch lies in the buffer, behind its data.
    const size_t at = (data_used + 127) / 128 * 128, total = at + sizeof batch;
    if (total > DATA_BYTES - GUARD_BYTES) end(23);
    the_program.mappings[0] = (mapping){7, data, total};
    for (size_t i = total; i < total + GUARD_BYTES; i++) data[i] = 0xa5;
    ASAN_POISON_MEMORY_REGION(data + total, GUARD_BYTES);
    __builtin_memcpy(saved, data, at);
    uint32_t accepted = 0, faults[HTP_FAULT_DATA + 1] = {0};
    for (uint32_t i = 0; i < count; i++) {
        batch = commands;
        // The buffer's entry may reach over the batch; no destination may.
        batch.buffers[0].size = total;
        damage(&batch);
        if (i == 0) {
            batch = commands;
            batch.buffers[0].size = total;
        }
        __builtin_memcpy(data + at, &batch, sizeof batch);
        const htp_batch_header header = run_batch(data + at, 1 + below(4));
        if (header.fault > HTP_FAULT_DATA) end(24);
        faults[header.fault]++;
        accepted += header.fault == HTP_FAULT_NONE;
        if (i == 0 && header.fault != HTP_FAULT_NONE) end((int)(30 + header.fault));
        // Only a batch whose data are at fault may have begun. What lies behind the batch's own bytes is memory
        // like any other.
        const int ran = header.fault == HTP_FAULT_NONE || header.fault == HTP_FAULT_DATA
            || header.fault == HTP_FAULT_MEMORY;
        const uint32_t bytes = ran && header.byte_count < sizeof batch ? header.byte_count : sizeof batch;
        if (differs(data + at + sizeof header, (const uint8_t *)&batch + sizeof header, bytes - sizeof header))
            end(25);
        if (!ran && (header.executed != 0 || differs(data, saved, at))) end(26);
        if (ran) __builtin_memcpy(data, saved, at);
    }
#if !defined(POISONS)
    for (size_t i = total; i < total + GUARD_BYTES; i++)
        if (data[i] != 0xa5) end(27);
#endif
    write_all(&accepted, sizeof accepted);
    write_all(faults, sizeof faults);
}

int main(void) {
    uint32_t request[2];
    if (!read_all(request, sizeof request)) return 2;
    if (request[0] == 2) {
        the_program.floats = floats_qfloat();
        if (!the_program.floats) return 5;
    }
    if (request[0] != 1) {
        if (request[1] == 0) good_batches();
        every_number_of_rows();
        strange_batches();
    }
    if (request[0] == 1) damaged_batches(request[1]);
    return 0;
}
