// Brings weights near before they are multiplied.
//
// A row tile is read in stretches; while one is multiplied, the next is fetched into the second level cache. What has to
// be on its way is what memory delivers to a thread in its latency: with 50 GB/s for four threads and half a
// microsecond, 6 KB. A stretch is more, so that its beginning costs little, and still so little that six threads, each
// with a stretch in use and one on its way, hold less than half a megabyte. These figures are from data sheets and
// published measurements; none was taken here.
//
// Where there is tightly coupled memory (VTCM), weights that are multiplied many times go there first, a stretch at a
// time: copied by the processor, or by its DMA engine while the stretch before is multiplied.
#ifndef HTP_STREAM_H
#define HTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"

#define STREAM_BYTES_MAX (36 * 1024)

// Starts to fetch memory, without waiting and without a fault where there is none. Does nothing elsewhere than on
// Hexagon, and at most `STREAM_BYTES_MAX`.
static inline void stream_fetch(const void *address, uint64_t bytes) {
#if defined(__hexagon__)
    // Lines of 128 bytes: stride, width and number in the second to fourth 16 bits from above; the first is the
    // direction.
    if (bytes > STREAM_BYTES_MAX) bytes = STREAM_BYTES_MAX;
    const uint32_t lines = (uint32_t)(bytes + 127) / 128;
    if (lines != 0)
        __builtin_HEXAGON_Y5_l2fetch((void *)(uintptr_t)address, (int64_t)128 << 32 | (int64_t)128 << 16 | lines);
#else
    (void)address;
    (void)bytes;
#endif
}

// One worker's share of the tightly coupled memory.
typedef struct near_memory {
    uint8_t *address; // aligned to 128 bytes
    uint32_t bytes;   // 0: none
    bool has_dma;
} near_memory;

// The share of worker `part`, from that of worker 0.
static inline near_memory near_memory_of(near_memory first, uint32_t part) {
    if (first.address) first.address += (uint64_t)part * first.bytes;
    return first;
}

// Two places in it that take turns: while one is read, the other is filled.
typedef struct stream {
    uint8_t *places[2];
    bool has_dma;
    platform_transfer *under_way; // started last, and not yet known to be over
    struct {
        const uint8_t *from;
        uint32_t bytes;
    } requests[2];
    platform_transfer transfers[2];
} stream;

void stream_open(stream *s, uint8_t *memory, uint32_t place_bytes, bool has_dma);
// Bytes for a place, a multiple of 128. At most `STREAM_BYTES_MAX`.
void stream_request(stream *s, uint32_t place, const uint8_t *from, uint32_t bytes);
// The bytes requested last for a place, there.
const uint8_t *stream_receive(stream *s, uint32_t place);

#endif
