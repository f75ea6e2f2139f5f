#include "calls.h"

#include "heap.h"
#include "loader.h"
#include "threads.h"

#include "AEEStdErr.h"
#include "remote.h"

enum { STACK_BYTES = 64 << 10, PRIORITY = 192, BUFFER_ALIGNMENT = 128 };
enum { ARGUMENTS_MAX = 255 + 255 + 15 + 15 };

typedef struct call {
    struct call *next;
    message message;
    uint8_t *bytes;
} call;

typedef int (*function)(remote_handle64 handle, uint32_t scalars, remote_arg *arguments);

// Calls that wait for a thread, and threads that wait for a call.
static lock queue_lock;
static call *first, *last;
static uint32_t waiting_calls, idle_threads;
static uint32_t arrivals;

typedef struct {
    remote_arg arguments[ARGUMENTS_MAX];
    uint32_t in, buffers, in_handles, out_handles;
    uint8_t *out; // memory of the out buffers
} list;

static size_t aligned(size_t size) { return (size + BUFFER_ALIGNMENT - 1) & ~(size_t)(BUFFER_ALIGNMENT - 1); }

// Reads the argument list. In buffers are copied to where vectors may be loaded from, as FastRPC does. Whatever is
// inconsistent is AEE_EBADPARM.
static uint32_t unpack(const call *c, list *l) {
    const uint32_t scalars = c->message.b;
    l->in = REMOTE_SCALARS_INBUFS(scalars);
    l->buffers = l->in + REMOTE_SCALARS_OUTBUFS(scalars);
    l->in_handles = REMOTE_SCALARS_INHANDLES(scalars);
    l->out_handles = REMOTE_SCALARS_OUTHANDLES(scalars);
    l->out = NULL;
    uint64_t at = l->buffers * 4u + l->in_handles * 8u, total = 0, sent = at;
    if (at > c->message.byte_count) return (uint32_t)AEE_EBADPARM;
    const uint8_t *handles = c->bytes + l->buffers * 4u;
    for (uint32_t i = 0; i < l->buffers; i++) {
        uint32_t size;
        __builtin_memcpy(&size, c->bytes + 4 * i, 4);
        l->arguments[i].buf.nLen = size;
        total += aligned((size_t)size);
        if (size > UINT32_MAX - BUFFER_ALIGNMENT) return (uint32_t)AEE_EBADPARM;
        if (i < l->in) sent += size;
    }
    if (sent != c->message.byte_count) return (uint32_t)AEE_EBADPARM;
    if (total > UINT32_MAX / 2) return (uint32_t)AEE_ENOMEMORY;
    if (total > 0) {
        l->out = memalign(BUFFER_ALIGNMENT, (size_t)total);
        if (!l->out) return (uint32_t)AEE_ENOMEMORY;
    }
    uint8_t *next = l->out;
    for (uint32_t i = 0; i < l->buffers; i++) {
        remote_buf *b = &l->arguments[i].buf;
        b->pv = b->nLen ? next : NULL;
        if (i < l->in) {
            __builtin_memcpy(next, c->bytes + at, b->nLen);
            at += b->nLen;
        } else {
            // Whoever reads an out buffer finds no data of the caller's there.
            __builtin_memset(next, 0xa5, b->nLen);
        }
        next += aligned(b->nLen);
    }
    for (uint32_t i = 0; i < l->in_handles; i++)
        __builtin_memcpy(&l->arguments[l->buffers + i].h64, handles + 8 * i, 8);
    for (uint32_t i = 0; i < l->out_handles; i++) l->arguments[l->buffers + l->in_handles + i].h64 = 0;
    return AEE_SUCCESS;
}

static void answer(const call *c, const list *l, uint32_t status) {
    part parts[255 + 15];
    uint32_t count = 0;
    if (status == AEE_SUCCESS) {
        for (uint32_t i = l->in; i < l->buffers; i++)
            parts[count++] = (part){l->arguments[i].buf.pv, l->arguments[i].buf.nLen};
        for (uint32_t i = 0; i < l->out_handles; i++)
            parts[count++] = (part){&l->arguments[l->buffers + l->in_handles + i].h64, 8};
    }
    channel_send((message){MESSAGE_REPLY, c->message.call, status, 0, 0, 0}, parts, count);
}

static void perform(call *c) {
    list *l = malloc(sizeof *l);
    uint32_t status = l ? (uint32_t)AEE_SUCCESS : (uint32_t)AEE_ENOMEMORY;
    uint8_t *memory = NULL;
    if (l) {
        status = c->bytes || c->message.byte_count == 0 ? unpack(c, l) : (uint32_t)AEE_ENOMEMORY;
        memory = l->out;
    }
    if (status == AEE_SUCCESS && !loader_is_code(c->message.a)) status = (uint32_t)AEE_EINVHANDLE;
    if (status == AEE_SUCCESS) {
        // The callee may change its list, but not where the answer comes from.
        remote_arg *arguments = malloc(sizeof l->arguments);
        if (arguments) {
            __builtin_memcpy(arguments, l->arguments, sizeof l->arguments);
            const function f = (function)(uintptr_t)c->message.a;
            status = (uint32_t)f(c->message.c, c->message.b, arguments);
            for (uint32_t i = 0; i < l->out_handles; i++) {
                const uint32_t index = l->buffers + l->in_handles + i;
                l->arguments[index] = arguments[index];
            }
            free(arguments);
            threads_check_stacks();
        } else {
            status = (uint32_t)AEE_ENOMEMORY;
        }
    }
    answer(c, l, status);
    free(memory);
    free(l);
    free(c->bytes);
    free(c);
}

static void work(void *argument) {
    (void)argument;
    for (;;) {
        lock_take(&queue_lock);
        const uint32_t seen = arrivals;
        call *c = first;
        if (c) {
            first = c->next;
            waiting_calls--;
            idle_threads--;
        }
        lock_release(&queue_lock);
        if (!c) {
            linux_wait(&arrivals, seen, UINT32_MAX);
            continue;
        }
        perform(c);
        lock_take(&queue_lock);
        idle_threads++;
        lock_release(&queue_lock);
    }
}

static bool add_thread(void) {
    // The page below the stack is out of reach, so that a program that uses more than it has does not get far.
    uint8_t *stack = linux_allocate(PAGE_BYTES + STACK_BYTES);
    if (!stack) return false;
    linux_protect(stack, PAGE_BYTES, false);
    return thread_start(work, NULL, stack + PAGE_BYTES, STACK_BYTES, PRIORITY) != 0;
}

bool calls_begin(const message *m, uint8_t *bytes) {
    call *c = malloc(sizeof *c);
    if (!c) return false;
    *c = (call){NULL, *m, bytes};
    lock_take(&queue_lock);
    const bool needs_thread = idle_threads <= waiting_calls;
    if (needs_thread) idle_threads++;
    lock_release(&queue_lock);
    if (needs_thread && !add_thread()) {
        lock_take(&queue_lock);
        idle_threads--;
        lock_release(&queue_lock);
        free(c);
        return false;
    }
    lock_take(&queue_lock);
    if (first) last->next = c;
    else first = c;
    last = c;
    waiting_calls++;
    arrivals++;
    lock_release(&queue_lock);
    linux_wake(&arrivals, 1);
    return true;
}
