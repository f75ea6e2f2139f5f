// The types and calls that code generated from IDL needs on either side of FastRPC.
//
// The layouts are the public ABI of libcdsprpc and of the DSP's own runtime: 16 bytes for `remote_arg` on a
// 64-bit host, 8 bytes on the DSP. Header only; also compiles freestanding.
#ifndef REMOTE_H
#define REMOTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t remote_handle;
typedef uint64_t remote_handle64;

/// Memory of one in or out buffer.
typedef struct {
    void *pv;
    size_t nLen;
} remote_buf;

/// A slice of a DMA buffer.
typedef struct {
    int32_t fd;
    uint32_t offset;
} remote_dma_handle;

/// One entry of the argument list. Order: in buffers, out buffers, in handles, out handles.
typedef union {
    remote_buf buf;
    remote_handle h;
    remote_handle64 h64;
    remote_dma_handle dma;
} remote_arg;

/// How the end of an asynchronous call is told.
enum fastrpc_async_notify_type {
    FASTRPC_ASYNC_NO_SYNC,
    FASTRPC_ASYNC_CALLBACK,
    FASTRPC_ASYNC_POLL,
};

typedef uint64_t fastrpc_async_jobid;

typedef struct {
    void (*fn)(fastrpc_async_jobid jobid, void *context, int result);
    void *context;
} fastrpc_async_callback_t;

/// Asks for an asynchronous call and receives its job number.
typedef struct fastrpc_async_descriptor {
    enum fastrpc_async_notify_type type;
    fastrpc_async_jobid jobid;
    fastrpc_async_callback_t cb;
} fastrpc_async_descriptor_t;

// The scalars word: bits 31-29 attributes, 28-24 method, 23-16 in buffers, 15-8 out buffers, 7-4 in handles,
// 3-0 out handles.
#define REMOTE_SCALARS_METHOD_ATTR(sc) (((sc) >> 29) & 0x7)
#define REMOTE_SCALARS_METHOD(sc) (((sc) >> 24) & 0x1f)
#define REMOTE_SCALARS_INBUFS(sc) (((sc) >> 16) & 0xff)
#define REMOTE_SCALARS_OUTBUFS(sc) (((sc) >> 8) & 0xff)
#define REMOTE_SCALARS_INHANDLES(sc) (((sc) >> 4) & 0x0f)
#define REMOTE_SCALARS_OUTHANDLES(sc) ((sc) & 0x0f)

#define REMOTE_SCALARS_MAKEX(attributes, method, in, out, in_handles, out_handles)                           \
    ((((uint32_t)(attributes) & 0x7) << 29) | (((uint32_t)(method) & 0x1f) << 24)                            \
     | (((uint32_t)(in) & 0xff) << 16) | (((uint32_t)(out) & 0xff) << 8)                                     \
     | (((uint32_t)(in_handles) & 0x0f) << 4) | ((uint32_t)(out_handles) & 0x0f))

#define REMOTE_SCALARS_MAKE(method, in, out) REMOTE_SCALARS_MAKEX(0, method, in, out, 0, 0)

#define REMOTE_SCALARS_LENGTH(sc)                                                                            \
    (REMOTE_SCALARS_INBUFS(sc) + REMOTE_SCALARS_OUTBUFS(sc) + REMOTE_SCALARS_INHANDLES(sc)                   \
     + REMOTE_SCALARS_OUTHANDLES(sc))

/// Opens a module by its URI, which ends in `&_dom=<name>`.
int remote_handle64_open(const char *uri, remote_handle64 *handle);
int remote_handle64_invoke(remote_handle64 handle, uint32_t sc, remote_arg *pra);
int remote_handle64_invoke_async(
    remote_handle64 handle, fastrpc_async_descriptor_t *descriptor, uint32_t sc, remote_arg *pra);
int remote_handle64_close(remote_handle64 handle);

/// The same for interfaces without `remote_handle64`, by the module's name.
int remote_handle_open(const char *name, remote_handle *handle);
int remote_handle_invoke(remote_handle handle, uint32_t sc, remote_arg *pra);
int remote_handle_invoke_async(
    remote_handle handle, fastrpc_async_descriptor_t *descriptor, uint32_t sc, remote_arg *pra);
int remote_handle_close(remote_handle handle);

/// Tells the library how many bytes a DMA handle argument covers.
int remote_register_dma_handle(int fd, uint32_t length);

#ifdef __cplusplus
}
#endif

#endif
