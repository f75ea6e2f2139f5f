#include "channel.h"

#include "heap.h"

enum { SOCKET = 3 };
enum { READ = 63, WRITEV = 66, RECVMSG = 212 };
enum { SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_WAITALL = 0x100, EINTR = 4 };

typedef struct {
    void *address;
    uint32_t size;
} vector;

typedef struct {
    uint32_t size, level, type;
    int file;
} control;

typedef struct {
    void *name;
    uint32_t name_size;
    vector *vectors;
    uint32_t count;
    void *control;
    uint32_t control_size;
    uint32_t flags;
} message_header;

static lock sending;

static void read_all(void *bytes, size_t size) {
    uint8_t *next = bytes;
    while (size > 0) {
        long count = linux_call(SOCKET, (long)next, (long)size, 0, 0, 0, READ);
        if (count == -EINTR) continue;
        if (count <= 0) linux_exit(0);
        next += count;
        size -= (size_t)count;
    }
}

void channel_receive(message *header, uint8_t **bytes, int *file) {
    control received = {0, 0, 0, -1};
    vector room = {header, sizeof *header};
    message_header request = {NULL, 0, &room, 1, &received, sizeof received, 0};
    long count;
    do count = linux_call(SOCKET, (long)&request, MSG_WAITALL, 0, 0, 0, RECVMSG);
    while (count == -EINTR);
    if (count <= 0) linux_exit(0);
    read_all((uint8_t *)header + count, sizeof *header - (size_t)count);
    const int has_file = request.control_size >= sizeof received && received.level == SOL_SOCKET
        && received.type == SCM_RIGHTS;
    *file = has_file ? received.file : -1;
    *bytes = NULL;
    if (header->byte_count == 0) return;
    *bytes = header->byte_count < UINT32_MAX ? memalign(128, (size_t)header->byte_count) : NULL;
    if (*bytes) {
        read_all(*bytes, (size_t)header->byte_count);
        return;
    }
    uint8_t lost[256];
    for (uint64_t rest = header->byte_count; rest > 0;) {
        const size_t piece = rest < sizeof lost ? (size_t)rest : sizeof lost;
        read_all(lost, piece);
        rest -= piece;
    }
}

static void write_all(const void *bytes, size_t size) {
    const uint8_t *next = bytes;
    while (size > 0) {
        vector vector = {(void *)(uintptr_t)next, size};
        long count = linux_call(SOCKET, (long)&vector, 1, 0, 0, 0, WRITEV);
        if (count == -EINTR) continue;
        if (count <= 0) linux_exit(0);
        next += count;
        size -= (size_t)count;
    }
}

void channel_send(message header, const part *parts, uint32_t count) {
    header.byte_count = 0;
    for (uint32_t i = 0; i < count; i++) header.byte_count += parts[i].size;
    lock_take(&sending);
    write_all(&header, sizeof header);
    for (uint32_t i = 0; i < count; i++) write_all(parts[i].address, parts[i].size);
    lock_release(&sending);
}

void channel_reply(uint32_t call, uint32_t status, uint32_t value, const char *reason) {
    const part text = {reason, reason ? __builtin_strlen(reason) : 0};
    channel_send((message){MESSAGE_REPLY, call, status, value, 0, 0}, &text, 1);
}
