// What fastrpc-probe calls on the DSP; fastrpc_probe.idl describes it. There is no vendor header here, so the
// prototypes of the system's functions are written out.
#include "fastrpc_probe.h"

#include <stddef.h>

extern void *calloc(size_t count, size_t size);
extern void free(void *memory);
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical);
extern int HAP_mmap_put(int fd);

struct dspqueue;
struct dspqueue_buffer;
typedef void (*dspqueue_callback_t)(struct dspqueue *queue, int error, void *context);
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

enum { MAX_MESSAGE = 256, WRITE_TIMEOUT = 1000000 };

typedef struct probe {
    struct dspqueue *queue;
} probe;

static probe *self(remote_handle64 handle) {
    return (probe *)(uintptr_t)handle;
}

int fastrpc_probe_open(const char *uri, remote_handle64 *handle) {
    (void)uri;
    probe *new = calloc(1, sizeof *new);
    if (!new) return AEE_ENOMEMORY;
    *handle = (remote_handle64)(uintptr_t)new;
    return AEE_SUCCESS;
}

int fastrpc_probe_close(remote_handle64 handle) {
    if (self(handle)->queue) dspqueue_close(self(handle)->queue);
    free(self(handle));
    return AEE_SUCCESS;
}

int fastrpc_probe_nothing(remote_handle64 handle) {
    (void)handle;
    return AEE_SUCCESS;
}

int fastrpc_probe_echo(remote_handle64 handle, const uint8_t *bytes, int count, uint8_t *result, int room) {
    (void)handle;
    if (count != room) return AEE_EBADPARM;
    for (int i = 0; i < count; i++) result[i] = (uint8_t)(bytes[i] + 1);
    return AEE_SUCCESS;
}

int fastrpc_probe_touch(remote_handle64 handle, int32_t fd, uint64_t size, uint32_t *first, uint32_t *last) {
    (void)handle;
    if (size == 0 || size > UINT32_MAX) return AEE_EBADPARM;
    void *address = NULL;
    uint64_t physical = 0;
    int status = HAP_mmap_get(fd, &address, &physical);
    if (status) return status;
    uint8_t *bytes = address;
    *first = bytes[0]++;
    *last = bytes[size - 1]++;
    return HAP_mmap_put(fd);
}

static void echo_packets(struct dspqueue *queue, int error, void *context) {
    (void)error;
    (void)context;
    uint8_t message[MAX_MESSAGE];
    uint32_t flags, buffers, length;
    // Until the queue is empty, or something is wrong with it: the caller's deadline finds that out.
    while (!dspqueue_read_noblock(queue, &flags, 0, &buffers, NULL, sizeof message, &length, message)) {
        for (uint32_t i = 0; i < length; i++) message[i]++;
        if (dspqueue_write(queue, 0, 0, NULL, length, message, WRITE_TIMEOUT)) return;
    }
}

static void ignore_error(struct dspqueue *queue, int error, void *context) {
    (void)queue;
    (void)error;
    (void)context;
}

int fastrpc_probe_serve_queue(remote_handle64 handle, uint64_t id) {
    if (!dspqueue_import || !dspqueue_close || !dspqueue_read_noblock || !dspqueue_write)
        return AEE_EUNSUPPORTED;
    if (self(handle)->queue) return AEE_EBADPARM;
    return dspqueue_import(id, echo_packets, ignore_error, self(handle), &self(handle)->queue);
}

int fastrpc_probe_end_queue(remote_handle64 handle) {
    if (!self(handle)->queue) return AEE_EBADPARM;
    int status = dspqueue_close(self(handle)->queue);
    self(handle)->queue = NULL;
    return status;
}
