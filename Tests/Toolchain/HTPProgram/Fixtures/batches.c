// Submits hostile batches to the DSP program, through the entry that FastRPC calls.
//
// Made for the address and undefined-behaviour sanitizers, and linked with --wrap for mmap and
// posix_memalign: every mapping that the program makes ends at a page that cannot be touched, and the bytes
// between a table entry's size and the mapping's end are poisoned.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "AEEStdErr.h"
#include "htp_program.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#endif
#if defined(POISONS)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { PAGE = 65536 }; // a multiple of every processor's

// The shared buffer: the batch, the source, the destination, the weights, and a tail that no batch may touch.
enum {
    IN = 96, OUT = 70, ROWS = 3, OPERATIONS = 3,
    SOURCE_AT = 4096, DESTINATION_AT = 8192, WEIGHTS_AT = 16384,
    ENTRY_BYTES = 40960,
    BUFFER_BYTES = PAGE,
    SOURCE = HTP_INPUT_0, WEIGHTS,
};

typedef struct layout {
    htp_batch_header header;
    htp_buffer_entry buffers[2];
    htp_operation operations[OPERATIONS];
} layout;

static remote_handle64 handle;
static uint8_t *shared; // our own view of the buffer
static int shared_fd, other_fd;
static uint8_t *view;   // the program's view of it
static int allocations_fail;

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fd < 0 || at) return __real_mmap(at, size, protection, flags, fd, offset);
    size_t rounded = (size + PAGE - 1) / PAGE * PAGE;
    uint8_t *guard = __real_mmap(NULL, rounded + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard == MAP_FAILED) return MAP_FAILED;
    void *memory = __real_mmap(guard + PAGE, size, protection, flags | MAP_FIXED, fd, offset);
    if (fd == shared_fd) view = memory;
    return memory;
}

int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
    return allocations_fail ? 12 : __real_posix_memalign(memory, alignment, size);
}

static void fail(const char *name, const char *what) {
    printf("%s: %s\n", name, what);
    fflush(stdout);
    exit(1);
}

// The methods' numbers and packed arguments are those of IDL/htp.idl.
static int call(uint32_t method, const void *in, size_t in_bytes, void *out, size_t out_bytes) {
    // The program gets its own copies, of just the size that it is told.
    void *request = malloc(in_bytes), *reply = malloc(out_bytes);
    if (in_bytes) memcpy(request, in, in_bytes);
    remote_arg arguments[2] = {0};
    int count = 0;
    if (in_bytes) arguments[count++].buf = (remote_buf){request, in_bytes};
    if (out_bytes) arguments[count++].buf = (remote_buf){reply, out_bytes};
    const uint32_t scalars = REMOTE_SCALARS_MAKE(method, in_bytes != 0, out_bytes != 0);
    int status = htp_skel_handle_invoke(handle, scalars, arguments);
    if (status == AEE_SUCCESS && out_bytes) memcpy(out, reply, out_bytes);
    free(request);
    free(reply);
    return status;
}

static int open_program(void) {
    uint8_t uri[] = "file:///libhtp_skel.so?htp_skel_handle_invoke&_modver=1.0&_dom=cdsp";
    uint32_t length = sizeof uri;
    remote_arg arguments[3] = {0};
    arguments[0].buf = (remote_buf){&length, sizeof length};
    arguments[1].buf = (remote_buf){uri, sizeof uri};
    int status = htp_skel_handle_invoke(0, REMOTE_SCALARS_MAKEX(0, 0, 2, 0, 0, 1), arguments);
    handle = arguments[2].h64;
    return status;
}

static int close_program(void) {
    remote_arg argument = {.h64 = handle};
    return htp_skel_handle_invoke(handle, REMOTE_SCALARS_MAKEX(0, 1, 0, 0, 1, 0), &argument);
}

static int start(uint32_t threads) { return call(2, &threads, sizeof threads, NULL, 0); }
static int stop(void) { return call(3, NULL, 0, NULL, 0); }

static int map(int fd, uint64_t size) {
    uint8_t in[16] = {0};
    memcpy(in, &fd, 4);
    memcpy(in + 8, &size, 8);
    return call(5, in, sizeof in, NULL, 0);
}

static int unmap(int fd) { return call(6, &fd, sizeof fd, NULL, 0); }

static int submit(int fd, uint64_t offset, uint64_t size, uint32_t *executed) {
    uint8_t in[24] = {0}, out[16];
    memcpy(in, &fd, 4);
    memcpy(in + 8, &offset, 8);
    memcpy(in + 16, &size, 8);
    int status = call(7, in, sizeof in, out, sizeof out);
    if (status == AEE_SUCCESS) memcpy(executed, out, 4);
    return status;
}

static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

// A good batch: a four-bit product, the same source again with eight-bit weights, and an overwrite of the
// first result.
static layout good_batch(void) {
    layout good = {
        .header = {.magic = HTP_BATCH_MAGIC, .version = HTP_BATCH_VERSION, .byte_count = sizeof(layout),
                   .buffer_count = 2, .operation_count = OPERATIONS, .tokens = ROWS},
        .buffers = {{.fd = shared_fd, .size = ENTRY_BYTES}, {.fd = other_fd, .size = 4096}},
    };
    const htp_operation product = {
        .opcode = HTP_OP_MATMUL, .rows = HTP_ROWS_TOKENS,
        .present = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(SOURCE) | HTP_SLOT(WEIGHTS),
        .tensors = {
            [HTP_DESTINATION] = {.offset = DESTINATION_AT, .stride = OUT * sizeof(float)},
            [SOURCE] = {.offset = SOURCE_AT, .stride = IN * sizeof(float)},
            [WEIGHTS] = {.offset = WEIGHTS_AT},
        },
        .parameters.matmul = {.tile_kind = HTP_TILES_4BIT, .out = OUT, .in = IN},
    };
    for (int i = 0; i < OPERATIONS; i++) good.operations[i] = product;
    good.operations[1].parameters.matmul.tile_kind = HTP_TILES_8BIT;
    good.operations[1].flags = HTP_MATMUL_SAME_SOURCE;
    good.operations[1].tensors[HTP_DESTINATION].offset += 4096;
    good.operations[2].tensors[HTP_DESTINATION] = (htp_tensor){.buffer = 1, .stride = OUT * sizeof(float) + 4};
    return good;
}

static void fill(void) {
    for (size_t i = 0; i < BUFFER_BYTES; i += 4) {
        uint32_t word = random_word();
        memcpy(shared + i, &word, 4);
    }
    for (size_t i = 0; i < ROWS * IN; i++) {
        float x = (float)(int32_t)random_word() * 0x1p-31f;
        memcpy(shared + SOURCE_AT + i * sizeof x, &x, sizeof x);
    }
}

static uint8_t answer[2][ROWS * OUT * sizeof(float)];

// Runs the good batch and compares the results with those of the first time.
static void check_good(const char *after, int first) {
    layout good = good_batch();
    uint32_t executed = 0;
    memcpy(shared, &good, sizeof good);
    memset(shared + DESTINATION_AT, 0, 8192);
    if (submit(shared_fd, 0, sizeof good, &executed) != AEE_SUCCESS || executed != OPERATIONS)
        fail(after, "a good batch fails afterwards");
    memcpy(&good, shared, sizeof good);
    if (good.header.status != AEE_SUCCESS || good.header.fault != HTP_FAULT_NONE
        || good.header.multiply_adds != (uint64_t)OPERATIONS * ROWS * OUT * IN)
        fail(after, "the header of a good batch is wrong afterwards");
    for (int i = 0; i < 2; i++) {
        const uint8_t *result = shared + DESTINATION_AT + i * 4096;
        if (first) memcpy(answer[i], result, sizeof answer[i]);
        if (memcmp(answer[i], result, sizeof answer[i]) != 0) fail(after, "a good batch gives other results");
    }
}

static unsigned refused;

// Submits what stands at the beginning of the shared buffer: it must be refused at operation `at` with
// `fault`, or any fault if that is negative, and must write nothing but its header.
static void refuse(const char *name, int fault, uint32_t at, uint64_t size) {
    static uint8_t before[BUFFER_BYTES];
    uint32_t executed = 0;
    memcpy(before, shared, BUFFER_BYTES);
    int status = submit(shared_fd, 0, size, &executed);
    htp_batch_header header;
    memcpy(&header, shared, sizeof header);
    if (status == AEE_SUCCESS || header.status != (uint32_t)status) fail(name, "accepted");
    if (header.fault == HTP_FAULT_NONE || header.status == AEE_SUCCESS) fail(name, "no reason");
    if (fault >= 0 && header.fault != (uint32_t)fault) {
        printf("fault %u, not %d: ", header.fault, fault);
        fail(name, "another reason");
    }
    if (header.fault_operation != at) fail(name, "refused at another operation");
    // A batch is refused before any of it runs.
    const size_t kept = sizeof header;
    if (header.executed != 0) fail(name, "operations ran");
    if (memcmp(before + kept, shared + kept, BUFFER_BYTES - kept) != 0) fail(name, "memory was written");
    check_good(name, 0);
    refused++;
}

// A field of the batch, its bad values, and the reason that the program must give (negative: any).
typedef struct hostile {
    const char *name;
    size_t offset, bytes;
    int fault;
    uint64_t values[16];
    int count;
} hostile;

#define COUNT(...) (int)(sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
#define FIELD(FIELD, FAULT, ...)                                                                             \
    {#FIELD, offsetof(layout, FIELD), sizeof((layout *)0)->FIELD, FAULT, {__VA_ARGS__}, COUNT(__VA_ARGS__)}

#define MAX32 0xffffffffu
#define MAX64 UINT64_MAX

static void refuse_fields(void) {
    const uint64_t weights_bytes = htp_tiles_bytes(HTP_TILES_4BIT, OUT, IN);
    const uint64_t source_bytes = (uint64_t)ROWS * IN * 4, destination_bytes = (uint64_t)ROWS * OUT * 4;
    const hostile fields[] = {
        FIELD(header.magic, HTP_FAULT_HEADER, 0, 1, HTP_BATCH_MAGIC - 1, HTP_BATCH_MAGIC + 1, MAX32),
        FIELD(header.version, HTP_FAULT_HEADER, 0, 1, 3, MAX32),
        FIELD(header.byte_count, HTP_FAULT_HEADER, 0, 1, 63, 64, sizeof(layout) - 1,
              sizeof(layout) + 1, MAX32),
        FIELD(header.buffer_count, HTP_FAULT_HEADER, 3, 64, 65, 0x10000000, 0x80000000, MAX32),
        FIELD(header.buffer_count, -1, 0, 1),
        FIELD(header.operation_count, HTP_FAULT_HEADER, 4, 8192, 8193, 0x02000000, 0x80000000, MAX32),
        FIELD(header.tokens, HTP_FAULT_HEADER, 0, HTP_BATCH_ROWS_MAX + 1, 0x80000000, MAX32),
        FIELD(header.tokens, HTP_FAULT_RANGE, HTP_BATCH_ROWS_MAX, 100),
        FIELD(buffers[0].fd, HTP_FAULT_BUFFER, 0, MAX32, 0x7fffffff, 0x80000000, 999),
        FIELD(buffers[0].size, HTP_FAULT_BUFFER, BUFFER_BYTES + 1, 1ull << 32, 1ull << 63, MAX64),
        FIELD(buffers[0].size, HTP_FAULT_RANGE, 0, 1, WEIGHTS_AT, WEIGHTS_AT + weights_bytes - 1),
        FIELD(operations[0].opcode, HTP_FAULT_OPCODE, 0, 200, 0x100, 0x80000001, MAX32),
        FIELD(operations[0].flags, HTP_FAULT_SHAPE, HTP_MATMUL_SAME_SOURCE, 4, 0x80000000, MAX32),
        // Fields without a meaning.
        FIELD(header.outputs, HTP_FAULT_HEADER, HTP_BATCH_ROWS_MAX + 1, MAX32),
        FIELD(header.position, HTP_FAULT_HEADER, HTP_BATCH_POSITIONS_MAX, HTP_BATCH_POSITIONS_MAX - 2, MAX32,
              MAX32 - 2, 0x80000000),
        FIELD(header.reserved[0], HTP_FAULT_HEADER, 1, MAX32),
        FIELD(header.reserved[7], HTP_FAULT_HEADER, 1, 0x80000000),
        FIELD(buffers[0].flags, HTP_FAULT_BUFFER, 4, 0x80000000),
        FIELD(operations[0].reserved, HTP_FAULT_SHAPE, 1, 255),
        FIELD(operations[0].rows, HTP_FAULT_SHAPE, 0, 3, MAX32),
        FIELD(operations[0].present, HTP_FAULT_SHAPE, 0, 1, 5, 8, 9, 15, 29, 45, 77, 141, 255),
        FIELD(operations[0].refresh, HTP_FAULT_SHAPE, 1, 2, 16, 128, 255),
        FIELD(operations[0].publish, HTP_FAULT_SHAPE, 2, 4, 8, 255),
        FIELD(operations[0].tensors[1].buffer, HTP_FAULT_SHAPE, 1, MAX32),
        FIELD(operations[0].tensors[4].offset, HTP_FAULT_SHAPE, 4, 1ull << 63),
        FIELD(operations[0].tensors[6].stride, HTP_FAULT_SHAPE, 4, MAX32),
        FIELD(operations[0].parameters.words[3], HTP_FAULT_SHAPE, 1, MAX32),
        FIELD(operations[0].parameters.words[31], HTP_FAULT_SHAPE, 1, MAX32),
        FIELD(operations[0].parameters.matmul.tile_kind, HTP_FAULT_SHAPE, 0, HTP_TILES_KINDS_END, 64, 0x104, MAX32),
        FIELD(operations[0].parameters.matmul.out, HTP_FAULT_SHAPE, 0, 0x40000000, 0x80000000, MAX32),
        FIELD(operations[0].parameters.matmul.out, -1, OUT + 1, 0x3fffffff, 1u << 26),
        FIELD(operations[0].parameters.matmul.in, HTP_FAULT_SHAPE, 0, HTP_COLUMNS_MAX + 1, HTP_COLUMNS_MAX + 32,
              0x80000000, 0xffffffe0, MAX32),
        FIELD(operations[0].parameters.matmul.in, -1, IN + 1, IN + 32, HTP_COLUMNS_MAX),
        FIELD(operations[0].tensors[WEIGHTS].buffer, HTP_FAULT_RANGE, 1, 2, 64, 0x10000000, MAX32),
        FIELD(operations[0].tensors[WEIGHTS].offset, HTP_FAULT_SHAPE, 1, WEIGHTS_AT + 4, WEIGHTS_AT + 64, MAX64,
              (1ull << 63) + 1),
        FIELD(operations[0].tensors[WEIGHTS].offset, HTP_FAULT_RANGE, ENTRY_BYTES, ENTRY_BYTES - 128,
              ENTRY_BYTES - weights_bytes + 128, BUFFER_BYTES, 1ull << 32, 1ull << 63,
              MAX64 - 127, MAX64 - weights_bytes + 1),
        FIELD(operations[0].tensors[WEIGHTS].stride, HTP_FAULT_SHAPE, 1, 4, 127, MAX32),
        FIELD(operations[0].tensors[SOURCE].buffer, HTP_FAULT_RANGE, 2, 64, 0x10000000, MAX32),
        FIELD(operations[0].tensors[SOURCE].offset, HTP_FAULT_SHAPE, 1, SOURCE_AT + 2, MAX64),
        FIELD(operations[0].tensors[SOURCE].offset, HTP_FAULT_RANGE, ENTRY_BYTES, ENTRY_BYTES - source_bytes + 4,
              ENTRY_BYTES + 4, 1ull << 32, 1ull << 63, MAX64 - 3, MAX64 - source_bytes + 1),
        FIELD(operations[0].tensors[SOURCE].stride, HTP_FAULT_SHAPE, 0, 1, 4, IN * 4 - 4, IN * 4 - 1, IN * 4 + 2,
              MAX32),
        FIELD(operations[0].tensors[SOURCE].stride, HTP_FAULT_RANGE, 0x80000000, MAX32 - 3,
              (ENTRY_BYTES - SOURCE_AT - IN * 4) / 2 + 4),
        FIELD(operations[0].tensors[HTP_DESTINATION].buffer, HTP_FAULT_RANGE, 2, 64, 0x10000000, MAX32),
        FIELD(operations[0].tensors[HTP_DESTINATION].offset, HTP_FAULT_SHAPE, 1, DESTINATION_AT + 2, MAX64),
        FIELD(operations[0].tensors[HTP_DESTINATION].offset, HTP_FAULT_RANGE, ENTRY_BYTES,
              ENTRY_BYTES - destination_bytes + 4, ENTRY_BYTES + 4, 1ull << 32, 1ull << 63, MAX64 - 3,
              MAX64 - destination_bytes + 1),
        // Rows that overlap each other.
        FIELD(operations[0].tensors[HTP_DESTINATION].stride, HTP_FAULT_SHAPE, 0, 1, 4, OUT * 4 - 4, OUT * 4 - 1, MAX32),
        FIELD(operations[0].tensors[HTP_DESTINATION].stride, HTP_FAULT_RANGE, 0x80000000, MAX32 - 3,
              (ENTRY_BYTES - DESTINATION_AT - OUT * 4) / 2 + 4),
        // Over the batch, its own source, its own weights.
        FIELD(operations[0].tensors[HTP_DESTINATION].offset, HTP_FAULT_ALIAS, 0, sizeof(layout) - 4, SOURCE_AT,
              SOURCE_AT + 4, SOURCE_AT - 4, SOURCE_AT + source_bytes - 4, WEIGHTS_AT, WEIGHTS_AT - 4,
              WEIGHTS_AT + weights_bytes - 4),
        // The second operation says that the first one's source is its own.
        FIELD(operations[1].tensors[SOURCE].offset, HTP_FAULT_SHAPE, SOURCE_AT + 4, 0),
        FIELD(operations[1].tensors[SOURCE].stride, HTP_FAULT_SHAPE, IN * 4 + 4),
        FIELD(operations[1].tensors[SOURCE].buffer, -1, 1, 2),
        FIELD(operations[1].parameters.matmul.in, HTP_FAULT_SHAPE, IN - 32, 32),
        // The second buffer is there, but small.
        FIELD(operations[2].tensors[HTP_DESTINATION].buffer, HTP_FAULT_RANGE, 2, MAX32),
        FIELD(operations[2].tensors[HTP_DESTINATION].offset, HTP_FAULT_RANGE, 4096, 4096 - destination_bytes),
        FIELD(operations[2].tensors[WEIGHTS].buffer, HTP_FAULT_RANGE, 1),
        FIELD(operations[2].opcode, HTP_FAULT_OPCODE, 0, 200),
        FIELD(buffers[1].fd, HTP_FAULT_BUFFER, 0, MAX32),
        FIELD(buffers[1].size, HTP_FAULT_BUFFER, PAGE + 1, MAX64),
        FIELD(buffers[1].size, HTP_FAULT_RANGE, 0, 1),
    };
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (int i = 0; i < fields[f].count; i++) {
            char name[128];
            snprintf(name, sizeof name, "%s = 0x%llx", fields[f].name,
                     (unsigned long long)fields[f].values[i]);
            layout bad = good_batch();
            memcpy((uint8_t *)&bad + fields[f].offset, &fields[f].values[i], fields[f].bytes);
            memcpy(shared, &bad, sizeof bad);
            const size_t operations = offsetof(layout, operations), size = offsetof(layout, buffers[1].size);
            uint32_t at = fields[f].offset >= operations
                ? (uint32_t)((fields[f].offset - operations) / sizeof(htp_operation))
                // The third operation is the first to use the second buffer.
                : fields[f].offset == size && fields[f].fault == HTP_FAULT_RANGE ? 2 : 0;
            refuse(name, fields[f].fault, at, sizeof bad);
        }
    }
}

static void expect(const char *what, int condition) {
    if (!condition) fail(what, "does not hold");
}

// Submissions that name no proper batch at all.
static void refuse_calls(void) {
    layout good = good_batch();
    uint32_t executed = 0;
    memcpy(shared, &good, sizeof good);
    const uint64_t offsets[] = {
        4, 1, BUFFER_BYTES + 8, BUFFER_BYTES, BUFFER_BYTES - 8, 1ull << 63, MAX64 - 7, MAX64};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        expect("bad offset", submit(shared_fd, offsets[i], sizeof good, &executed) == AEE_EBADPARM);
    const uint64_t sizes[] = {0, 1, 63, BUFFER_BYTES + 1, 1ull << 32, 1ull << 63, MAX64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        expect("bad size", submit(shared_fd, 0, sizes[i], &executed) == AEE_EBADPARM);
    memcpy(shared + 8, &good, sizeof good);
    expect("offset + size wraps around", submit(shared_fd, 8, MAX64 - 7, &executed) == AEE_EBADPARM);
    memcpy(shared, &good, sizeof good);
    expect("unknown buffer", submit(999, 0, sizeof good, &executed) == AEE_ENOSUCHMAP);
    expect("unmapped twice", unmap(999) == AEE_ENOSUCHMAP);
    expect("mapped twice", map(shared_fd, BUFFER_BYTES) == AEE_EALREADY);
    expect("no descriptor", map(-1, PAGE) != AEE_SUCCESS && map(998, PAGE) != AEE_SUCCESS);
    int fd = memfd_create("small", 0);
    expect("a file to map", ftruncate(fd, PAGE) == 0);
    expect("no bytes", map(fd, 0) == AEE_EBADPARM);
    expect("too many bytes", map(fd, PAGE + 1) == AEE_EBADPARM && map(fd, MAX64) == AEE_EBADPARM);
    close(fd);
    // The header alone is a batch of nothing.
    good.header.byte_count = sizeof good.header;
    good.header.buffer_count = good.header.operation_count = 0;
    memcpy(shared, &good, sizeof good);
    expect("empty batch",
           submit(shared_fd, 0, sizeof good.header, &executed) == AEE_SUCCESS && executed == 0);
    // Requests and replies of the wrong size, and numbers of arguments that a method does not have.
    uint8_t bytes[64] = {0};
    for (uint32_t method = 2; method < 32; method++) {
        for (size_t in = 1; in < 4; in++)
            expect("short request", call(method, bytes, in, NULL, 0) != AEE_SUCCESS);
        expect("short reply", call(method, NULL, 0, bytes, 15) != AEE_SUCCESS);
        // `arithmetic`, `queue` and `near_memory` have less of both.
        const size_t in = method == 10 ? 3 : method == 11 ? 7 : method == 12 ? 11 : 23;
        const size_t out = method == 10 ? 7 : method == 12 ? 3 : 15;
        expect("short request and reply", call(method, bytes, in, bytes, out) != AEE_SUCCESS);
    }
    check_good("refused calls", 0);
}

// Memory runs out while a row is quantised; a later batch finds some.
static void refuse_memory(void) {
    layout big = good_batch();
    // Wider than anything before, so that the scratch memory must grow.
    big.header.tokens = 2;
    big.operations[0].tensors[HTP_DESTINATION].offset = DESTINATION_AT + 4096;
    big.header.operation_count = 1;
    big.operations[0].tensors[SOURCE].stride = 512 * sizeof(float);
    big.operations[0].parameters.matmul.in = 512;
    big.operations[0].parameters.matmul.out = 1;
    memcpy(shared, &big, sizeof big);
    allocations_fail = 1;
    uint32_t executed = 0;
    int status = submit(shared_fd, 0, sizeof big, &executed);
    allocations_fail = 0;
    htp_batch_header header;
    memcpy(&header, shared, sizeof header);
    expect("no memory", status == AEE_ENOMEMORY && header.fault == HTP_FAULT_MEMORY);
    check_good("no memory", 0);
}

// Any four bytes of the batch become something else; accepted or not, nothing outside is touched.
static void random_batches(unsigned count) {
    static const uint32_t values[] = {
        0, 1, 2, 3, 4, 8, 31, 32, 33, 64, 96, 127, 128, 129, 4095, 4096, 8192, 32704, 40960, 65535, 65536,
        0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffff80, 0xfffffffc, 0xffffffff};
    unsigned accepted = 0;
    for (unsigned i = 0; i < count; i++) {
        layout bad = good_batch();
        const unsigned changes = 1 + random_word() % 4;
        for (unsigned c = 0; c < changes; c++) {
            // The magic and version would only hide the rest.
            size_t at = 8 + random_word() % (sizeof bad / 4 - 2) * 4;
            uint32_t value = values[random_word() % (sizeof values / sizeof *values)];
            switch (random_word() % 4) {
            case 0: value = random_word(); break;
            case 1:
                memcpy(&value, (uint8_t *)&bad + at, 4);
                value += random_word() % 257 - 128;
                break;
            }
            memcpy((uint8_t *)&bad + at, &value, 4);
        }
        memcpy(shared, &bad, sizeof bad);
        uint32_t executed = 0;
        int status = submit(shared_fd, 0, sizeof bad, &executed);
        htp_batch_header header;
        memcpy(&header, shared, sizeof header);
        if ((status == AEE_SUCCESS) != (header.fault == HTP_FAULT_NONE))
            fail("random batch", "status and fault");
        accepted += status == AEE_SUCCESS;
        if (i % 64 == 0) {
            fill();
            check_good("random batch", 1);
        }
    }
    printf("random batches: %u, of which %u were accepted\n", count, accepted);
    expect("random batches of both kinds", accepted > 0 && accepted < count);
}

int main(void) {
    shared_fd = memfd_create("shared", 0);
    other_fd = memfd_create("other", 0);
    expect("memory", shared_fd >= 0 && other_fd >= 0 && ftruncate(shared_fd, BUFFER_BYTES) == 0
                         && ftruncate(other_fd, PAGE) == 0);
    shared = __real_mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
    expect("our view", shared != MAP_FAILED);
    expect("unknown method", htp_skel_handle_invoke(0, REMOTE_SCALARS_MAKE(9, 0, 0), NULL) != 0);
    expect("open", open_program() == AEE_SUCCESS);
    expect("map", map(shared_fd, BUFFER_BYTES) == AEE_SUCCESS && map(other_fd, PAGE) == AEE_SUCCESS);
    fill();

    // Not started yet.
    layout good = good_batch();
    memcpy(shared, &good, sizeof good);
    uint32_t executed = 0;
    int status = submit(shared_fd, 0, sizeof good, &executed);
    memcpy(&good, shared, sizeof good);
    expect("not started", status == AEE_EBADPARM && good.header.fault == HTP_FAULT_NOT_STARTED);

    expect("start", start(2) == AEE_SUCCESS && start(2) == AEE_EALREADY);
    check_good("start", 1);
    expect("the program's view is known", view != NULL);
    ASAN_POISON_MEMORY_REGION(view + ENTRY_BYTES, BUFFER_BYTES - ENTRY_BYTES);
    refuse_fields();
    refuse_calls();
    refuse_memory();
    // A random entry may well reach to the mapping's end.
    ASAN_UNPOISON_MEMORY_REGION(view + ENTRY_BYTES, BUFFER_BYTES - ENTRY_BYTES);
    random_batches(20000);

    expect("stop", stop() == AEE_SUCCESS && stop() == AEE_SUCCESS);
    expect("start again", start(0) == AEE_SUCCESS);
    fill();
    check_good("start again", 1);
    expect("unmap", unmap(other_fd) == AEE_SUCCESS);
    layout bad = good_batch();
    memcpy(shared, &bad, sizeof bad);
    status = submit(shared_fd, 0, sizeof bad, &executed);
    memcpy(&bad, shared, sizeof bad);
    expect("unmapped buffer", status == AEE_EBADPARM && bad.header.fault == HTP_FAULT_BUFFER
                                  && bad.header.fault_operation == 0);
    expect("close", close_program() == AEE_SUCCESS);
    printf("hostile batches refused: %u\n", refused);
    return 0;
}
