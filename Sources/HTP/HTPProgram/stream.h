// Brings weights near before they are multiplied.
//
// A row tile is read in stretches; while one is multiplied, the next is fetched into the second level cache. What has to
// be on its way is what memory delivers to a thread in its latency: with 50 GB/s for four threads and half a
// microsecond, 6 KB. A stretch is more, so that its beginning costs little, and still so little that six threads, each
// with a stretch in use and one on its way, hold less than half a megabyte. These figures are from data sheets and
// published measurements; none was taken here.
//
// Nothing is copied to tightly coupled memory: see references/htp-program.md.
#ifndef HTP_STREAM_H
#define HTP_STREAM_H

#include <stdint.h>

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

#endif
