// The host's side of the reverse tunnel in its smallest form: what a DSP needs to load a module from one folder.
#ifndef PLAIN_LISTENER_H
#define PLAIN_LISTENER_H

#include <pthread.h>
#include <stdint.h>

/// One buffer of a call; `fd` is -1 where its bytes travel with the call.
struct buffer {
    const void *bytes;
    uint64_t count;
    int fd;
};

/// Makes a call: in buffers, then out buffers, as many as `scalars` says. Returns what `ioctl` returns.
int call(int node, uint32_t handle, uint32_t scalars, const struct buffer *buffers);

struct listener {
    int node;
    /// Where the files lie that the DSP may open; no other file is served.
    const char *folder;
    pthread_t thread;
    /// What ended it: the result of `next2`.
    int result;
    /// What it served.
    unsigned opened, missed, read_bytes, mapped, unmapped, lines, refused;
    char last_line[512];
};

/// Starts a thread that serves the DSP's calls until the process there ends. Returns 0 when the DSP has agreed.
int listener_start(struct listener *listener);

#endif
