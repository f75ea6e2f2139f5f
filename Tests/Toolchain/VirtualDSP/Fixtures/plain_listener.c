#include "plain_listener.h"

#include <errno.h>
#include <misc/fastrpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { LISTENER = 7, INIT2 = 0x05000000, NEXT2 = 0x06020200, MAX_FILES = 16, ROOM = 1 << 16, REPLY_ROOM = 1 << 20 };
enum { REMOTECTL = 0, APPS_STD = 16, APPS_MEM, LOG };
enum { BAD_PARAMETER = 0xe, UNSUPPORTED = 0x14, NO_SUCH_MODULE = 0x3e };

int call(int node, uint32_t handle, uint32_t scalars, const struct buffer *buffers) {
    struct fastrpc_invoke_args args[8];
    unsigned count = (scalars >> 16 & 0xff) + (scalars >> 8 & 0xff);
    if (count > 8) abort();
    memset(args, 0, sizeof args);
    for (unsigned i = 0; i < count; i++) {
        args[i].ptr = (uintptr_t)buffers[i].bytes;
        args[i].length = buffers[i].count;
        args[i].fd = buffers[i].fd;
    }
    struct fastrpc_invoke invoke = {.handle = handle, .sc = scalars, .args = (uintptr_t)args};
    return ioctl(node, FASTRPC_IOCTL_INVOKE, &invoke);
}

/// A call of the DSP: its in buffers, and what its out buffers can take.
struct request {
    const uint8_t *in[8];
    uint32_t in_count[8], out_capacity[8];
};

static FILE *files[MAX_FILES];

static size_t aligned(size_t offset) {
    return (offset + 7) & ~(size_t)7;
}

/// Takes a call apart; 0 where it is well formed.
static int parse(const uint8_t *bytes, size_t count, uint32_t scalars, struct request *request) {
    unsigned ins = scalars >> 16 & 0xff, outs = scalars >> 8 & 0xff;
    size_t at = 0;
    memset(request, 0, sizeof *request);
    if (ins > 8 || outs > 8 || scalars & 0xff) return BAD_PARAMETER;
    for (unsigned i = 0; i < ins + outs; i++) {
        uint32_t length;
        if (at + 4 > count) return BAD_PARAMETER;
        memcpy(&length, bytes + at, 4);
        at += 4;
        if (i >= ins) {
            request->out_capacity[i - ins] = length;
            continue;
        }
        request->in_count[i] = length;
        if (length == 0) continue;
        at = aligned(at);
        if (at > count || length > count - at) return BAD_PARAMETER;
        request->in[i] = bytes + at;
        at += length;
    }
    return 0;
}

/// The reply that is being written: for every out buffer a length and, aligned, its bytes.
struct reply {
    uint8_t bytes[REPLY_ROOM];
    size_t count;
};

static uint8_t *add(struct reply *reply, uint32_t length) {
    if (reply->count + 16 + length > sizeof reply->bytes) return NULL;
    memcpy(reply->bytes + reply->count, &length, 4);
    reply->count += 4;
    if (length == 0) return reply->bytes;
    while (reply->count % 8) reply->bytes[reply->count++] = 0;
    uint8_t *start = reply->bytes + reply->count;
    memset(start, 0, length);
    reply->count += length;
    return start;
}

static int add_words(struct reply *reply, unsigned count, const uint32_t *words) {
    uint8_t *to = add(reply, 4 * count);
    if (!to) return ENOMEM;
    memcpy(to, words, 4 * count);
    return 0;
}

static uint32_t word(const struct request *request, unsigned index) {
    uint32_t value = 0;
    if (request->in_count[0] >= 4 * index + 4) memcpy(&value, request->in[0] + 4 * index, 4);
    return value;
}

static int is_name(const struct request *request, unsigned index) {
    uint32_t count = request->in_count[index];
    return count > 1 && request->in[index][count - 1] == 0;
}

static int remotectl(const struct request *request, uint32_t scalars, struct reply *reply) {
    static const char *const names[] = {"apps_std", "apps_mem", "adspmsgd_apps"};
    if (scalars == 0x00020200) {
        if (!is_name(request, 1)) return BAD_PARAMETER;
        uint32_t words[2] = {0, NO_SUCH_MODULE};
        for (unsigned i = 0; i < 3; i++) {
            if (strcmp((const char *)request->in[1], names[i]) == 0) {
                words[0] = APPS_STD + i;
                words[1] = 0;
            }
        }
        return add_words(reply, 2, words) || !add(reply, request->out_capacity[1]);
    }
    if (scalars == 0x01010200) {
        uint32_t none = 0;
        return add_words(reply, 1, &none) || !add(reply, request->out_capacity[1]);
    }
    return UNSUPPORTED;
}

/// Opens a file by its name in the folder. The number that the DSP gets is its place in `files` plus 1.
static int open_file(struct listener *self, const char *name, struct reply *reply) {
    char path[4096];
    unsigned free_place = 0;
    while (free_place < MAX_FILES && files[free_place]) free_place++;
    if (free_place == MAX_FILES) return EMFILE;
    if (strchr(name, '/')) return EACCES;
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    if (!(files[free_place] = fopen(path, "rb"))) {
        self->missed++;
        return errno;
    }
    self->opened++;
    uint32_t number = free_place + 1;
    return add_words(reply, 1, &number);
}

static int apps_std(struct listener *self, const struct request *request, uint32_t scalars, struct reply *reply) {
    if (scalars == 0x13050100) return is_name(request, 3) ? open_file(self, (const char *)request->in[3], reply) : BAD_PARAMETER;
    if (scalars == 0x00030100) return is_name(request, 1) ? open_file(self, (const char *)request->in[1], reply) : BAD_PARAMETER;
    uint32_t number = word(request, 0);
    FILE *file = number >= 1 && number <= MAX_FILES ? files[number - 1] : NULL;
    if (scalars == 0x04010200) {
        if (!file) return EBADF;
        uint32_t words[2] = {0, 0};
        if (add_words(reply, 2, words)) return ENOMEM;
        uint8_t *results = reply->bytes + reply->count - 8, *to = add(reply, request->out_capacity[1]);
        if (!to) return ENOMEM;
        words[0] = (uint32_t)fread(to, 1, request->out_capacity[1], file);
        words[1] = words[0] < request->out_capacity[1];
        memcpy(results, words, 8);
        self->read_bytes += words[0];
        return 0;
    }
    switch (scalars) {
    case 0x02010000: return file ? 0 : EBADF;
    case 0x03010000:
        if (!file) return EBADF;
        fclose(file);
        files[number - 1] = NULL;
        return 0;
    case 0x09010000: {
        static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
        if (!file) return EBADF;
        if (word(request, 2) > 2) return EINVAL;
        return fseek(file, (int32_t)word(request, 1), whence[word(request, 2)]) ? errno : 0;
    }
    case 0x08010100:
    case 0x0a010100: {
        if (!file) return EBADF;
        long position = ftell(file);
        uint32_t words[2] = {(uint32_t)position, 0};
        if (scalars == 0x08010100) return add_words(reply, 1, words);
        fseek(file, 0, SEEK_END);
        words[0] = (uint32_t)ftell(file);
        fseek(file, position, SEEK_SET);
        return add_words(reply, 2, words);
    }
    }
    self->refused++;
    return UNSUPPORTED;
}

/// The heap of the process grows and shrinks by requests to the driver.
static int apps_mem(struct listener *self, const struct request *request, uint32_t scalars, struct reply *reply) {
    if (scalars == 0x02010100 && request->in_count[0] >= 32) {
        struct fastrpc_req_mmap map = {.fd = -1, .flags = word(request, 2)};
        memcpy(&map.size, request->in[0] + 24, 8);
        int status = ioctl(self->node, FASTRPC_IOCTL_MMAP, &map);
        if (status) return status == -1 ? errno : status;
        self->mapped++;
        uint32_t words[4] = {0, 0, (uint32_t)map.vaddrout, (uint32_t)(map.vaddrout >> 32)};
        return add_words(reply, 4, words);
    }
    if (scalars == 0x03010000 && request->in_count[0] >= 16) {
        struct fastrpc_req_munmap unmap;
        memcpy(&unmap, request->in[0], 16);
        int status = ioctl(self->node, FASTRPC_IOCTL_MUNMAP, &unmap);
        if (status) return status == -1 ? errno : status;
        self->unmapped++;
        return 0;
    }
    self->refused++;
    return UNSUPPORTED;
}

static int serve(struct listener *self, uint32_t handle, uint32_t scalars, const uint8_t *bytes, size_t count,
                 struct reply *reply) {
    struct request request;
    int status = parse(bytes, count, scalars, &request);
    if (status) return status;
    switch (handle) {
    case REMOTECTL: return remotectl(&request, scalars, reply);
    case APPS_STD: return apps_std(self, &request, scalars, reply);
    case APPS_MEM: return apps_mem(self, &request, scalars, reply);
    case LOG:
        if (scalars != 0x00020000) return UNSUPPORTED;
        self->lines++;
        snprintf(self->last_line, sizeof self->last_line, "%.*s", (int)request.in_count[1],
                 (const char *)request.in[1]);
        return 0;
    }
    return UNSUPPORTED;
}

static void *listen_thread(void *context) {
    struct listener *self = context;
    uint8_t *room = malloc(ROOM);
    struct reply *reply = calloc(1, sizeof *reply);
    uint32_t sent[4] = {0, UINT32_MAX, 0, ROOM};
    for (;;) {
        uint32_t got[4] = {0, 0, 0, 0};
        const struct buffer buffers[] = {{sent, sizeof sent, -1},
                                         {reply->bytes, reply->count, -1},
                                         {got, sizeof got, -1},
                                         {room, ROOM, -1}};
        self->result = call(self->node, LISTENER, NEXT2, buffers);
        if (self->result == -1 && errno == EINTR) continue;
        if (self->result) break;
        reply->count = 0;
        sent[0] = got[0];
        sent[1] = (uint32_t)(got[3] > ROOM ? ENOMEM : serve(self, got[1], got[2], room, got[3], reply));
        if (sent[1]) reply->count = 0;
        sent[2] = (uint32_t)reply->count;
    }
    free(room);
    free(reply);
    return NULL;
}

int listener_start(struct listener *listener) {
    int status = call(listener->node, LISTENER, INIT2, NULL);
    if (status) return status;
    return pthread_create(&listener->thread, NULL, listen_thread, listener);
}
