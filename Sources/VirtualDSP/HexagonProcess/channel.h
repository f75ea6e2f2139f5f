// Messages between this process and the host, over the socket that is descriptor 3.
//
// Either way a header, then `byte_count` bytes. Numbers are little-endian. A descriptor may come with the header.
// QemuHost/HexagonProcess+Messages.swift has the same numbers.
#ifndef CHANNEL_H
#define CHANNEL_H

#include "linux.h"

typedef struct {
    uint32_t kind;
    uint32_t call; // which call a reply is for
    uint32_t a, b;
    uint64_t c;
    uint64_t byte_count;
} message;

enum {
    // From the host. Each is answered by one MESSAGE_REPLY with `a` a status and `b` a value; where it failed the
    // bytes may say why.
    MESSAGE_LOAD = 1,   // descriptor: a shared object of `c` bytes. Bytes: its name. Value: the library's number.
    MESSAGE_UNLOAD = 2, // a: library
    MESSAGE_SYMBOL = 3, // a: library. Bytes: a name. Value: the function.
    MESSAGE_INVOKE = 4, // a: function, b: scalars, c: handle. Bytes: sizes of all buffers (4 each), handles (8
                        // each), contents of the in buffers. Value: 0; bytes: out buffers, out handles.
    MESSAGE_MAP = 5,    // descriptor: memory of `c` bytes; a: its number for programs, b: 1 if they see it unasked
    MESSAGE_UNMAP = 6,  // a: number

    // From here.
    MESSAGE_REPLY = 0x80,
    MESSAGE_READY = 0x81, // the first; a: CHANNEL_VERSION
    MESSAGE_LOG = 0x82,   // a: level, b: line. Bytes: file, 0, text.
    MESSAGE_POWER = 0x83, // a: context, b: 0 for a request, 1 for its withdrawal. Bytes: the request.
};

enum { CHANNEL_VERSION = 1 };

// Waits for a message; `*bytes` is to be freed, `*file` to be closed unless -1. Without a host, the process ends.
// NULL bytes of a message that has some: there was no memory for them, and they are lost.
void channel_receive(message *header, uint8_t **bytes, int *file);

typedef struct {
    const void *address;
    size_t size;
} part;

// Sends a message; its `byte_count` is the sum of the parts.
void channel_send(message header, const part *parts, uint32_t count);

void channel_reply(uint32_t call, uint32_t status, uint32_t value, const char *reason);

#endif
