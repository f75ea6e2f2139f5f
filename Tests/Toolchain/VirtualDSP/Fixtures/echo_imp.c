// The implementation of echo.idl: a program on the DSP as other people write them. It is compiled for the host
// and loaded by the virtual DSP; with plain LLVM it also compiles for Hexagon. No vendor header is at hand, so
// the prototypes of the system under it are written out.
#include "echo.h"

#include <stdlib.h>
#include <string.h>

extern int HAP_mmap_get(int fd, void **address, uint64_t *physical);
extern int HAP_mmap_put(int fd);
extern void HAP_debug_v2(int level, const char *file, int line, const char *format, ...);

struct dspqueue;
typedef void (*dspqueue_callback_t)(struct dspqueue *queue, int error, void *context);
struct dspqueue_buffer {
    uint32_t fd, size, offset, flags;
    union {
        void *ptr;
        uint64_t address;
    };
};
// Weak: older systems have no queues.
extern int dspqueue_import(uint64_t id, dspqueue_callback_t packets, dspqueue_callback_t errors, void *context,
                           struct dspqueue **queue) __attribute__((weak));
extern int dspqueue_close(struct dspqueue *queue) __attribute__((weak));
extern int dspqueue_read_noblock(struct dspqueue *queue, uint32_t *flags, uint32_t max_buffers,
                                 uint32_t *num_buffers, struct dspqueue_buffer *buffers, uint32_t max_message,
                                 uint32_t *message_length, uint8_t *message) __attribute__((weak));
extern int dspqueue_write(struct dspqueue *queue, uint32_t flags, uint32_t num_buffers,
                          struct dspqueue_buffer *buffers, uint32_t message_length, const uint8_t *message,
                          uint32_t timeout_us) __attribute__((weak));

enum { FARF_HIGH_LEVEL = 2, BUFFER_REF = 4, BUFFER_DEREF = 8 };
enum { MAX_BUFFERS = 64, MAX_MESSAGE = 4096, QUEUE_EMPTY = 516 };

struct module {
    int32_t slots[8];
    struct dspqueue *queue;
    volatile uint32_t packets;
    volatile int error;
};

static struct module *module(remote_handle64 handle) {
    return (struct module *)(uintptr_t)handle;
}

int echo_open(const char *uri, remote_handle64 *handle) {
    if (!strstr(uri, "echo_skel_handle_invoke")) return AEE_EBADPARM;
    struct module *new = calloc(1, sizeof *new);
    if (!new) return AEE_ENOMEMORY;
    *handle = (remote_handle64)(uintptr_t)new;
    return AEE_SUCCESS;
}

int echo_close(remote_handle64 handle) {
    struct module *self = module(handle);
    if (self->queue) dspqueue_close(self->queue);
    free(self);
    return AEE_SUCCESS;
}

int echo_nothing(remote_handle64 handle) {
    (void)handle;
    return AEE_SUCCESS;
}

int echo_sum(remote_handle64 handle, const int32_t *values, int valuesLen, int64_t *total) {
    (void)handle;
    *total = 0;
    for (int i = 0; i < valuesLen; i++) *total += values[i];
    return AEE_SUCCESS;
}

int echo_primitives(remote_handle64 handle, uint8_t a, int16_t b, int32_t c, int64_t d, float e, double f,
                    uint8_t *ra, int16_t *rb, int32_t *rc, int64_t *rd, float *re, double *rf) {
    (void)handle;
    *ra = a + 1;
    *rb = b + 1;
    *rc = c + 1;
    *rd = d + 1;
    *re = e + 1;
    *rf = f + 1;
    return AEE_SUCCESS;
}

int echo_fill(remote_handle64 handle, uint8_t seed, uint8_t *bytes, int bytesLen) {
    (void)handle;
    for (int i = 0; i < bytesLen; i++) bytes[i] = (uint8_t)(seed + i);
    return AEE_SUCCESS;
}

int echo_copy(remote_handle64 handle, const uint8_t *from, int fromLen, uint8_t *to, int toLen) {
    (void)handle;
    if (fromLen > toLen) return AEE_EBADPARM;
    if (fromLen > 0) memcpy(to, from, (size_t)fromLen);
    return AEE_SUCCESS;
}

int echo_reverse(remote_handle64 handle, int32_t *values, int valuesLen) {
    (void)handle;
    for (int i = 0; i < valuesLen / 2; i++) {
        int32_t value = values[i];
        values[i] = values[valuesLen - 1 - i];
        values[valuesLen - 1 - i] = value;
    }
    return AEE_SUCCESS;
}

int echo_greet(remote_handle64 handle, const char *name, char *greeting, int greetingLen) {
    (void)handle;
    static const char hello[] = "hello, ";
    if (greetingLen < 0 || sizeof hello + strlen(name) > (size_t)greetingLen) return AEE_EBADPARM;
    strcpy(greeting, hello);
    strcat(greeting, name);
    return AEE_SUCCESS;
}

int echo_touch(remote_handle64 handle, int32_t fd, uint32_t count, uint64_t *sum) {
    (void)handle;
    void *address = NULL;
    uint64_t physical = 0;
    int status = HAP_mmap_get(fd, &address, &physical);
    if (status) return status;
    uint8_t *bytes = address;
    *sum = 0;
    for (uint32_t i = 0; i < count; i++) *sum += bytes[i]++;
    return HAP_mmap_put(fd);
}

/// Returns what came: the same message with one added to its bytes, the same buffers with one added to their
/// first bytes and released.
static void echo_packets(struct dspqueue *queue, int error, void *context) {
    struct module *self = context;
    struct dspqueue_buffer buffers[MAX_BUFFERS];
    uint8_t message[MAX_MESSAGE];
    (void)error;
    for (;;) {
        uint32_t flags = 0, num_buffers = 0, length = 0;
        int status = dspqueue_read_noblock(queue, &flags, MAX_BUFFERS, &num_buffers, buffers, sizeof message,
                                           &length, message);
        if (status == QUEUE_EMPTY) return;
        if (status) {
            self->error = status;
            return;
        }
        for (uint32_t i = 0; i < length; i++) message[i]++;
        for (uint32_t i = 0; i < num_buffers; i++) {
            uint8_t *bytes = buffers[i].ptr;
            if (bytes && buffers[i].size) bytes[0]++;
            buffers[i].flags = buffers[i].flags & BUFFER_REF ? BUFFER_DEREF : 0;
        }
        status = dspqueue_write(queue, 0, num_buffers, buffers, length, message, 1000000);
        if (status) {
            self->error = status;
            return;
        }
        self->packets++;
    }
}

static void queue_error(struct dspqueue *queue, int error, void *context) {
    (void)queue;
    module((remote_handle64)(uintptr_t)context)->error = error;
}

int echo_serve_queue(remote_handle64 handle, uint64_t id) {
    struct module *self = module(handle);
    if (!dspqueue_import) return AEE_EUNSUPPORTED;
    if (self->queue) return AEE_EBADPARM;
    self->packets = 0;
    self->error = 0;
    return dspqueue_import(id, echo_packets, queue_error, self, &self->queue);
}

int echo_end_queue(remote_handle64 handle, uint32_t *packets) {
    struct module *self = module(handle);
    if (!self->queue) return AEE_EBADPARM;
    int status = dspqueue_close(self->queue);
    self->queue = NULL;
    *packets = self->packets;
    return status ? status : self->error;
}

int echo_say(remote_handle64 handle, const char *text) {
    (void)handle;
    HAP_debug_v2(FARF_HIGH_LEVEL, "echo_imp.c", __LINE__, "%s", text);
    return AEE_SUCCESS;
}

int echo_grow(remote_handle64 handle, uint32_t megabytes) {
    (void)handle;
    for (uint32_t i = 0; i < megabytes; i++) {
        void *more = malloc(1 << 20);
        if (!more) return AEE_ENOMEMORY;
        memset(more, 0x5a, 1 << 20);
    }
    return AEE_SUCCESS;
}

int echo_fail(remote_handle64 handle, int32_t code) {
    (void)handle;
    return code;
}

int echo_crash(remote_handle64 handle) {
    (void)handle;
    volatile uintptr_t nowhere = 8;
    *(volatile int *)nowhere = 1;
    return AEE_SUCCESS;
}

#define SLOT(n)                                                                                              \
    int echo_Getslot##n(remote_handle64 handle, int32_t *value) {                                            \
        *value = module(handle)->slots[n];                                                                   \
        return AEE_SUCCESS;                                                                                  \
    }                                                                                                        \
    int echo_Setslot##n(remote_handle64 handle, int32_t value) {                                             \
        module(handle)->slots[n] = value;                                                                    \
        return AEE_SUCCESS;                                                                                  \
    }

SLOT(0)
SLOT(1)
SLOT(2)
SLOT(3)
SLOT(4)
SLOT(5)
SLOT(6)
SLOT(7)

int echo_beyond(remote_handle64 handle, int32_t a, int64_t b, int64_t *product) {
    (void)handle;
    *product = a * b;
    return AEE_SUCCESS;
}
