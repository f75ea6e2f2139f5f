// A client of Qualcomm's user-space library (qualcomm/fastrpc), linked against libcdsprpc.so.1: says for each step
// whether the library gave what it gives on a healthy DSP. The library's own headers are not needed; what is
// called is written out here.
//
// qualcomm_client            every step
// qualcomm_client --bench    what calls cost, as JSON
#include "echo.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int remote_session_control(uint32_t request, void *data, uint32_t length);
int remote_handle_control(uint32_t request, void *data, uint32_t length);
int remote_handle64_control(remote_handle64 handle, uint32_t request, void *data, uint32_t length);
int fastrpc_mmap(int domain, int fd, void *address, int offset, size_t length, int flags);
int fastrpc_munmap(int domain, int fd, void *address, size_t length);
void *rpcmem_alloc(int heap, uint32_t flags, int size);
void rpcmem_free(void *memory);
int rpcmem_to_fd(void *memory);

struct dspqueue;
struct dspqueue_buffer {
    uint32_t fd, size, offset, flags;
    union {
        void *ptr;
        uint64_t address;
    };
};
typedef void (*dspqueue_callback_t)(struct dspqueue *queue, int error, void *context);
int dspqueue_create(int domain, uint32_t flags, uint32_t request_size, uint32_t response_size,
                    dspqueue_callback_t packets, dspqueue_callback_t errors, void *context,
                    struct dspqueue **queue);
int dspqueue_close(struct dspqueue *queue);
int dspqueue_export(struct dspqueue *queue, uint64_t *id);
int dspqueue_write(struct dspqueue *queue, uint32_t flags, uint32_t num_buffers, struct dspqueue_buffer *buffers,
                   uint32_t message_length, const uint8_t *message, uint32_t timeout_us);
int dspqueue_write_noblock(struct dspqueue *queue, uint32_t flags, uint32_t num_buffers,
                           struct dspqueue_buffer *buffers, uint32_t message_length, const uint8_t *message);
int dspqueue_read(struct dspqueue *queue, uint32_t *flags, uint32_t max_buffers, uint32_t *num_buffers,
                  struct dspqueue_buffer *buffers, uint32_t max_message, uint32_t *message_length,
                  uint8_t *message, uint32_t timeout_us);
int dspqueue_read_noblock(struct dspqueue *queue, uint32_t *flags, uint32_t max_buffers, uint32_t *num_buffers,
                          struct dspqueue_buffer *buffers, uint32_t max_message, uint32_t *message_length,
                          uint8_t *message);
int dspqueue_get_stat(struct dspqueue *queue, int stat, uint64_t *value);

enum { CDSP = 3, HEAP_SYSTEM = 25, MAP_FD = 2, REF = 4, DEREF = 8, MEGABYTE = 1 << 20, EMPTY = 516 };
enum { THREAD_PARAMS = 1, UNSIGNED_MODULE = 2, SESSION_CLOSE = 7, PROCESS_TYPE = 10, NOTIFICATIONS = 11,
       RESERVE_SESSION = 13, EFFECTIVE_DOMAIN = 14, GET_URI = 15 };
enum { LATENCY = 1, DSP_INFO = 2, GET_DOMAIN = 4 };
#define SECOND 1000000

static int failures;

static int step(int good, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s ", good ? "ok  " : "FAIL");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    failures += !good;
    return good;
}

static int expect(const char *name, int status, int wanted) {
    return step(status == wanted, "%s: 0x%x, wanted 0x%x", name, (unsigned)status, (unsigned)wanted);
}

static int allow_unsigned(int domain) {
    int data[2] = {domain, 1};
    return remote_session_control(UNSIGNED_MODULE, data, sizeof data);
}

static void questions(void) {
    uint32_t info[3] = {CDSP, 6, 0};
    expect("architecture", remote_handle_control(DSP_INFO, info, sizeof info), 0);
    step(info[2] >= 0x60 && info[2] <= 0xff, "it is 0x%x", info[2]);
    info[1] = 3;
    expect("HVX contexts of 128 bytes", remote_handle_control(DSP_INFO, info, sizeof info), 0);
    step(info[2] > 0, "there are %u", info[2]);
    int thread[3] = {CDSP, 0xc0, 32 * 1024};
    expect("thread parameters", remote_session_control(THREAD_PARAMS, thread, sizeof thread), 0);
    expect("thread parameters of a wrong size", remote_session_control(THREAD_PARAMS, thread, 4), 0xe);
    remote_handle64 handle = 0;
    expect("a URI without a domain", echo_open(echo_URI, &handle), 0xe);
}

static void calls(remote_handle64 handle) {
    int32_t values[1000];
    int64_t total = 0, wanted = 0;
    for (int i = 0; i < 1000; i++) wanted += values[i] = 1000003 * i - 400000000;
    expect("nothing", echo_nothing(handle), 0);
    expect("sum", echo_sum(handle, values, 1000, &total), 0);
    step(total == wanted, "the sum");
    uint8_t a = 0;
    int16_t b = 0;
    int32_t c = 0;
    int64_t d = 0;
    float e = 0;
    double f = 0;
    expect("primitives", echo_primitives(handle, 1, -2, 3, -4000000000, 5.5f, 6.25, &a, &b, &c, &d, &e, &f), 0);
    step(a == 2 && b == -1 && c == 4 && d == -3999999999 && e == 6.5f && f == 7.25, "the primitives");
    uint8_t *bytes = malloc(3 * MEGABYTE + 5);
    expect("fill of 3 MiB", echo_fill(handle, 7, bytes, 3 * MEGABYTE + 5), 0);
    int good = 1;
    for (int i = 0; i < 3 * MEGABYTE + 5; i++) good &= bytes[i] == (uint8_t)(7 + i);
    step(good, "the bytes");
    free(bytes);
    expect("reverse", echo_reverse(handle, values, 1000), 0);
    step(values[999] == -400000000 && values[0] == 999 * 1000003 - 400000000, "the values");
    char greeting[32] = "";
    expect("greet", echo_greet(handle, "world", greeting, sizeof greeting), 0);
    step(strcmp(greeting, "hello, world") == 0, "\"%s\"", greeting);
    int32_t slot = 0;
    expect("method 31", echo_Setslot7(handle, 4711), 0);
    expect("method 30", echo_Getslot7(handle, &slot), 0);
    step(slot == 4711, "the attribute");
    expect("method 32", echo_beyond(handle, -3, 1000000000000, &total), 0);
    step(total == -3000000000000, "the product");
    // AEE codes have another base in programs built for the DSP; this one is built for the host.
    expect("a method that fails", echo_fail(handle, 0x39), (int)0x80000439);
    expect("a method that fails with a code of its own", echo_fail(handle, 0x1234), 0x1234);
    expect("a method that fails with a DSP code", echo_fail(handle, (int)0x80000406), (int)0x80000406);
    expect("a line of log", echo_say(handle, "a line from the client"), 0);
    expect("the heap grows by 16 MiB", echo_grow(handle, 16), 0);
    int domain = -1;
    expect("the handle's domain", remote_handle64_control(handle, GET_DOMAIN, &domain, 4), 0);
    step(domain == CDSP, "it is %d", domain);
    uint32_t latency[2] = {1, 100};
    expect("PM QoS", remote_handle64_control(handle, LATENCY, latency, sizeof latency), 0);
    latency[0] = 2;
    expect("adaptive QoS", remote_handle64_control(handle, LATENCY, latency, sizeof latency), 0);
    int type[2] = {CDSP, -1};
    expect("the process's type", remote_session_control(PROCESS_TYPE, type, sizeof type), 0);
    step(type[1] == 1, "unsigned: %d", type[1]);
    int choice[2] = {CDSP, 0};
    expect("signed modules, too late", remote_session_control(UNSIGNED_MODULE, choice, sizeof choice), 5);
}

static void shared_memory(int domain, remote_handle64 handle) {
    uint8_t *bytes = rpcmem_alloc(HEAP_SYSTEM, 1, MEGABYTE);
    if (!step(bytes != NULL, "1 MiB of rpcmem")) return;
    int fd = rpcmem_to_fd(bytes);
    step(fd > 0, "its descriptor: %d", fd);
    int64_t total = 0;
    int32_t *values = (int32_t *)(bytes + 4096 + 64);
    for (int i = 0; i < 500; i++) values[i] = i;
    expect("sum of registered memory", echo_sum(handle, values, 500, &total), 0);
    step(total == 500 * 499 / 2, "the sum: %lld", (long long)total);
    memset(bytes, 0xee, MEGABYTE);
    expect("fill of registered memory", echo_fill(handle, 3, bytes + 8192, 9000), 0);
    int good = bytes[8191] == 0xee && bytes[17192] == 0xee;
    for (int i = 0; i < 9000; i++) good &= bytes[8192 + i] == (uint8_t)(3 + i);
    step(good, "the bytes, and none beside them");
    uint64_t before = 0, wanted = 0;
    expect("fastrpc_munmap of what is not mapped", fastrpc_munmap(domain, fd, bytes, MEGABYTE), 0x48);
    expect("fastrpc_mmap", fastrpc_mmap(domain, fd, bytes, 0, MEGABYTE, MAP_FD), 0);
    expect("fastrpc_mmap once more", fastrpc_mmap(domain, fd, bytes, 0, MEGABYTE, MAP_FD), 0x1a);
    for (int i = 0; i < MEGABYTE; i++) wanted += bytes[i] = (uint8_t)(i * 31);
    expect("touch", echo_touch(handle, fd, MEGABYTE, &before), 0);
    step(before == wanted && bytes[0] == 1 && bytes[MEGABYTE - 1] == (uint8_t)((MEGABYTE - 1) * 31 + 1),
         "the bytes before and after");
    expect("fastrpc_munmap", fastrpc_munmap(domain, fd, bytes, MEGABYTE), 0);
    step(echo_touch(handle, fd, 1, &before) != 0, "what is unmapped has no address on the DSP");
    rpcmem_free(bytes);
}

/// One packet there and back, with a buffer where there is one. Returns whether it came back as it should.
static int round_trip(struct dspqueue *queue, uint32_t number, uint8_t *bytes, int fd, uint32_t size) {
    uint8_t message[48], reply[64];
    for (uint32_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(number * 7 + i);
    uint32_t length = 1 + number % sizeof message, flags = 0, count = 0, got = 0;
    struct dspqueue_buffer buffer = {.fd = (uint32_t)fd, .size = size, .flags = REF}, back[4];
    if (bytes) bytes[0] = (uint8_t)number;
    int status = dspqueue_write(queue, 0, bytes ? 1 : 0, bytes ? &buffer : NULL, length, message, SECOND);
    if (status) return step(0, "packet %u: write 0x%x", number, (unsigned)status);
    status = dspqueue_read(queue, &flags, 4, &count, back, sizeof reply, &got, reply, 5 * SECOND);
    if (status) return step(0, "packet %u: read 0x%x", number, (unsigned)status);
    int good = got == length && count == (bytes ? 1 : 0);
    for (uint32_t i = 0; good && i < length; i++) good = reply[i] == (uint8_t)(message[i] + 1);
    if (good && bytes) {
        good = back[0].fd == (uint32_t)fd && back[0].size == size && back[0].flags == DEREF && back[0].ptr == bytes
            && bytes[0] == (uint8_t)(number + 1);
    }
    return good || step(0, "packet %u: %u bytes, %u buffers, flags 0x%x", number, got, count, flags);
}

static void queues(int domain, remote_handle64 handle) {
    struct dspqueue *queue = NULL;
    if (!expect("dspqueue_create", dspqueue_create(domain, 0, 4096, 4096, NULL, NULL, NULL, &queue), 0)) return;
    uint64_t id = 0, value = 0;
    expect("dspqueue_export", dspqueue_export(queue, &id), 0);
    expect("the module imports it", echo_serve_queue(handle, id), 0);
    uint8_t reply[64];
    uint32_t flags, count, length, packets = 0, sent = 0;
    struct dspqueue_buffer buffers[4];
    expect("reading an empty queue",
           dspqueue_read_noblock(queue, &flags, 4, &count, buffers, sizeof reply, &length, reply), EMPTY);
    int good = 1;
    for (; good && sent < 200; sent++) good = round_trip(queue, sent, NULL, -1, 0);
    step(good, "200 messages there and back");

    uint8_t *bytes = rpcmem_alloc(HEAP_SYSTEM, 1, 65536);
    int fd = rpcmem_to_fd(bytes);
    struct dspqueue_buffer buffer = {.fd = (uint32_t)fd, .size = 65536, .flags = REF};
    expect("a buffer that is not mapped", dspqueue_write_noblock(queue, 0, 1, &buffer, 0, NULL), 0x48);
    expect("fastrpc_mmap", fastrpc_mmap(domain, fd, bytes, 0, 65536, MAP_FD), 0);
    for (uint32_t i = 0; good && i < 200; i++, sent++) good = round_trip(queue, sent, bytes, fd, 65536);
    step(good, "200 packets with a buffer there and back");

    // Many at once: the module writes while we do, and the queue is full now and then.
    uint32_t written = 0, read = 0;
    for (; good && read < 2000;) {
        uint8_t message[40] = {(uint8_t)written};
        int status = written < 2000 ? dspqueue_write_noblock(queue, 0, 0, NULL, sizeof message, message) : EMPTY;
        if (status == 0) {
            written++;
            continue;
        }
        good = status == EMPTY;
        status = dspqueue_read(queue, &flags, 4, &count, buffers, sizeof reply, &length, reply, 5 * SECOND);
        good &= status == 0 && length == 40 && reply[0] == (uint8_t)(read + 1);
        read++;
    }
    step(good, "2000 messages, as many as fit under way: %u written, %u read", written, read);
    sent += written;
    expect("signalling", dspqueue_get_stat(queue, 7, &value), 0);
    step(value == 100, "reduced signalling: %llu", (unsigned long long)value);
    expect("dspqueue_close before the module's", dspqueue_close(queue), 0xe);
    expect("the module closes it", echo_end_queue(handle, &packets), 0);
    step(packets == sent, "%u packets, wanted %u", packets, sent);
    expect("dspqueue_close", dspqueue_close(queue), 0);
    expect("fastrpc_munmap", fastrpc_munmap(domain, fd, bytes, 65536), 0);
    rpcmem_free(bytes);
}

/// A second session: a process of its own on the DSP.
static void second_session(remote_handle64 first) {
    struct {
        char *domain;
        uint32_t domain_length;
        char *name;
        uint32_t name_length, effective, session;
    } reserve = {"cdsp", 4, "foreign", 7, 0, 0};
    if (!expect("a new session", remote_session_control(RESERVE_SESSION, &reserve, sizeof reserve), 0)) return;
    step(reserve.session == 1 && reserve.effective == 11, "session %u, domain %u", reserve.session,
         reserve.effective);
    expect("unsigned modules there", allow_unsigned((int)reserve.effective), 0);
    char uri[sizeof echo_URI + 30];
    struct {
        char *domain;
        uint32_t domain_length, session;
        char *module;
        uint32_t module_length;
        char *uri;
        uint32_t uri_length;
    } get = {"cdsp", 4, reserve.session, echo_URI, sizeof echo_URI - 1, uri, sizeof uri};
    expect("its URI", remote_session_control(GET_URI, &get, sizeof get), 0);
    struct {
        char *domain;
        uint32_t domain_length, session, effective;
    } effective = {"cdsp", 4, reserve.session, 0};
    expect("its domain", remote_session_control(EFFECTIVE_DOMAIN, &effective, sizeof effective), 0);
    step(effective.effective == reserve.effective, "it is %u", effective.effective);
    remote_handle64 handle = 0;
    if (!expect("open there", echo_open(uri, &handle), 0)) return;
    int32_t slot = -1;
    expect("the first session's attribute", echo_Setslot0(first, 1), 0);
    expect("the second's", echo_Getslot0(handle, &slot), 0);
    step(slot == 0, "they are two processes");
    shared_memory((int)reserve.effective, handle);
    queues((int)reserve.effective, handle);
    expect("close", echo_close(handle), 0);
}

static void everything(void) {
    questions();
    expect("unsigned modules", allow_unsigned(CDSP), 0);
    // Twice: after the last handle's end the process is gone, and the next open makes another.
    for (int round = 0; round < 2; round++) {
        remote_handle64 handle = 0, other = 0;
        if (!expect("open", echo_open(echo_URI "&_dom=cdsp", &handle), 0)) return;
        expect("open once more", echo_open(echo_URI "&_dom=cdsp", &other), 0);
        expect("a module that is not there",
               remote_handle64_open("file:///libnone_skel.so?none_skel_handle_invoke&_modver=1.0&_dom=cdsp",
                                    &(remote_handle64){0}),
               (int)0x80000406);
        expect("a function that is not there",
               remote_handle64_open("file:///libecho_skel.so?other_skel_handle_invoke&_modver=1.0&_dom=cdsp",
                                    &(remote_handle64){0}),
               (int)0x80000442);
        if (round == 0) {
            calls(handle);
            second_session(handle);
        }
        shared_memory(CDSP, handle);
        queues(CDSP, handle);
        expect("close of the other", echo_close(other), 0);
        expect("nothing", echo_nothing(handle), 0);
        expect("close", echo_close(handle), 0);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/// Median and least time of a call in microseconds; 1 MiB there and 1 MiB back where there are bytes.
static void measure(const char *name, remote_handle64 handle, int count, const uint8_t *from, uint8_t *to,
                    const char *end) {
    double *times = malloc((size_t)count * sizeof *times);
    for (int i = -count / 10; i < count; i++) {
        double start = now();
        int status = from ? echo_copy(handle, from, MEGABYTE, to, MEGABYTE) : echo_nothing(handle);
        if (i >= 0) times[i] = now() - start;
        failures += status != 0;
    }
    qsort(times, (size_t)count, sizeof *times, ascending);
    printf("\"%s\": {\"calls\": %d, \"median_us\": %.2f, \"least_us\": %.2f}%s", name, count, times[count / 2],
           times[0], end);
    free(times);
}

static void benchmark(void) {
    remote_handle64 handle = 0;
    if (allow_unsigned(CDSP) || echo_open(echo_URI "&_dom=cdsp", &handle)) {
        failures++;
        return;
    }
    uint8_t *from = malloc(MEGABYTE), *to = malloc(MEGABYTE);
    uint8_t *shared_from = rpcmem_alloc(HEAP_SYSTEM, 1, MEGABYTE);
    uint8_t *shared_to = rpcmem_alloc(HEAP_SYSTEM, 1, MEGABYTE);
    memset(from, 1, MEGABYTE);
    memset(shared_from, 2, MEGABYTE);
    printf("{\"version\": 1, \"client\": \"libcdsprpc\", ");
    measure("empty", handle, 2000, NULL, NULL, ", ");
    measure("copy_1_mib", handle, 200, from, to, ", ");
    // Registered memory travels by descriptor. What is also mapped need not be mapped for every call.
    measure("descriptor_1_mib", handle, 200, shared_from, shared_to, ", ");
    int fds[2] = {rpcmem_to_fd(shared_from), rpcmem_to_fd(shared_to)};
    failures += fastrpc_mmap(CDSP, fds[0], shared_from, 0, MEGABYTE, MAP_FD) != 0;
    failures += fastrpc_mmap(CDSP, fds[1], shared_to, 0, MEGABYTE, MAP_FD) != 0;
    measure("mapped_1_mib", handle, 200, shared_from, shared_to, "}\n");
    failures += fastrpc_munmap(CDSP, fds[0], shared_from, MEGABYTE) != 0;
    failures += fastrpc_munmap(CDSP, fds[1], shared_to, MEGABYTE) != 0;
    failures += memcmp(from, to, MEGABYTE) != 0 || memcmp(shared_from, shared_to, MEGABYTE) != 0;
    rpcmem_free(shared_from);
    rpcmem_free(shared_to);
    free(from);
    free(to);
    failures += echo_close(handle) != 0;
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 2 && strcmp(arguments[1], "--bench") == 0) {
        benchmark();
        return failures ? 1 : 0;
    }
    if (count != 1) {
        fprintf(stderr, "usage: qualcomm_client [--bench]\n");
        return 64;
    }
    everything();
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
