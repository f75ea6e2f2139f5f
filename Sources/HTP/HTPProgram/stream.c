#include "stream.h"

#include "hvx.h"

void stream_open(stream *s, uint8_t *memory, uint32_t place_bytes, bool has_dma) {
    s->places[0] = memory;
    s->places[1] = memory + place_bytes;
    s->has_dma = has_dma;
    s->under_way = NULL;
}

void stream_request(stream *s, uint32_t place, const uint8_t *from, uint32_t bytes) {
    s->requests[place].from = from;
    s->requests[place].bytes = bytes;
    if (s->has_dma) {
        platform_transfer_start(&s->transfers[place], s->under_way, s->places[place], from, bytes);
        s->under_way = &s->transfers[place];
    } else {
        stream_fetch(from, bytes);
    }
}

const uint8_t *stream_receive(stream *s, uint32_t place) {
    uint8_t *const to = s->places[place];
    if (s->has_dma) {
        if (platform_transfer_finish(&s->transfers[place])) {
            if (s->under_way == &s->transfers[place]) s->under_way = NULL;
            return to;
        }
        // It has stopped for good, with what comes behind.
        s->has_dma = false;
    }
    const uint8_t *const from = s->requests[place].from;
    for (uint32_t i = 0; i < s->requests[place].bytes; i += HVX_BYTES) hvx_store(to + i, hvx_load(from + i));
    return to;
}
