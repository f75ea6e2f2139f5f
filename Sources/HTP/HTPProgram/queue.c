#include "queue.h"

#include <stddef.h>

#include "AEEStdErr.h"
#include "batch.h"
#include "htp_batch.h"

// The functions of the DSP's system for message queues; not every system has them. (qualcomm/fastrpc, inc/dspqueue.h)
#define WEAK __attribute__((weak, visibility("default")))
typedef void (*queue_callback)(void *queue, int error, void *context);
WEAK int dspqueue_import(
    uint64_t id, queue_callback packet, queue_callback failure, void *context, void **queue);
WEAK int dspqueue_close(void *queue);
WEAK int dspqueue_read_noblock(
    void *queue, uint32_t *flags, uint32_t buffers_max, uint32_t *buffer_count, void *buffers,
    uint32_t message_max, uint32_t *message_bytes, uint8_t *message);
WEAK int dspqueue_write(
    void *queue, uint32_t flags, uint32_t buffer_count, const void *buffers, uint32_t message_bytes,
    const uint8_t *message, uint32_t timeout_microseconds);

// Runs what has come. A request that is none is answered, too: the host waits.
static void take_packets(void *queue, int error, void *context) {
    (void)error;
    program *p = context;
    for (;;) {
        htp_batch_request request;
        uint32_t flags = 0, buffers = 0, bytes = 0;
        const int status = dspqueue_read_noblock(
            queue, &flags, 0, &buffers, NULL, sizeof request, &bytes, (uint8_t *)&request);
        // There is no more, or nobody reads from this queue any more.
        if (status != AEE_SUCCESS) return;
        htp_batch_response response = {0};
        if (bytes == sizeof request) {
            uint32_t executed = 0;
            uint64_t microseconds = 0;
            response.number = request.number;
            response.status = program_submit(p, request.fd, request.offset, request.size, &executed, &microseconds);
        } else {
            response.status = AEE_EBADPARM;
        }
        const uint32_t second = 1000000;
        if (dspqueue_write(queue, 0, 0, NULL, sizeof response, (const uint8_t *)&response, second) != AEE_SUCCESS)
            return;
    }
}

// The queue is unusable; the host notices by itself.
static void ignore_failure(void *queue, int error, void *context) {
    (void)queue;
    (void)error;
    (void)context;
}

int queue_begin(program *p, uint64_t id) {
    if (!dspqueue_import || !dspqueue_close || !dspqueue_read_noblock || !dspqueue_write) return AEE_EUNSUPPORTED;
    if (p->queue) return AEE_EALREADY;
    // The first packet may come before this returns; the callback has the queue from its caller.
    return dspqueue_import(id, take_packets, ignore_failure, p, &p->queue);
}

void queue_end(program *p) {
    if (p->queue) dspqueue_close(p->queue);
    p->queue = NULL;
}
