// A client of the FastRPC driver that knows nothing but the kernel's header: no vendor library, no code of ours.
// Does what a program does with a DSP, then what it should not do, and says for each step whether the answer was
// the right one.
//
// plain_client FOLDER [SHELL]
//   FOLDER  has libecho_skel.so (echo.idl)
//   SHELL   the process shell; found in the usual folders where it is not given
#include "plain_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <misc/fastrpc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAIN_NODE "/dev/fastrpc-cdsp"
#define SECURE_NODE "/dev/fastrpc-cdsp-secure"
#define ECHO_URI "file:///libecho_skel.so?echo_skel_handle_invoke&_modver=1.0&_dom=cdsp"

enum { CURRENT_PROCESS = 4, REMOTECTL = 8, UNSIGNED = 8, MAP_FD = 2, ADD_PAGES = 0x1000, MEGABYTE = 1 << 20 };

static int failures;

/// One line for one step.
static int step(int good, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s ", good ? "ok  " : "FAIL");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    failures += !good;
    return good;
}

static void expect_errno(const char *name, int result, int wanted) {
    int error = errno;
    if (result == -1) {
        step(error == wanted, "%s: %s, wanted %s", name, strerrorname_np(error), strerrorname_np(wanted));
    } else {
        step(0, "%s: returned %d (0x%x), wanted %s", name, result, (unsigned)result, strerrorname_np(wanted));
    }
}

static void expect(const char *name, int result, int wanted) {
    int error = errno;
    step(result == wanted, "%s: %d (0x%x)%s%s, wanted %d", name, result, (unsigned)result,
         result == -1 ? " " : "", result == -1 ? strerrorname_np(error) : "", wanted);
}

/// Memory that CPU and DSP share.
struct shared {
    int fd;
    uint8_t *bytes;
    size_t count;
};

static struct shared allocate(size_t count) {
    struct shared shared = {-1, MAP_FAILED, count};
    int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
    if (heap < 0) return shared;
    struct dma_heap_allocation_data data = {.len = count, .fd_flags = O_RDWR | O_CLOEXEC};
    if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) == 0) {
        shared.fd = (int)data.fd;
        shared.bytes = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, shared.fd, 0);
    }
    close(heap);
    return shared;
}

static void release(struct shared shared) {
    if (shared.bytes != MAP_FAILED) munmap(shared.bytes, shared.count);
    if (shared.fd >= 0) close(shared.fd);
}

/// The process shell in shared memory; `count` is the file's size.
static struct shared load_shell(const char *given) {
    static const char *const usual[] = {"/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3",
                                        "/usr/lib/dsp/fastrpc_shell_unsigned_3",
                                        "/usr/lib/rfsa/adsp/fastrpc_shell_unsigned_3",
                                        "/vendor/dsp/cdsp/fastrpc_shell_unsigned_3",
                                        "/vendor/dsp/fastrpc_shell_unsigned_3"};
    struct shared none = {-1, MAP_FAILED, 0};
    for (unsigned i = 0; i < (given ? 1 : sizeof usual / sizeof *usual); i++) {
        FILE *file = fopen(given ? given : usual[i], "rb");
        struct stat status;
        if (!file) continue;
        if (fstat(fileno(file), &status) || status.st_size == 0) return none;
        struct shared shell = allocate((size_t)status.st_size);
        if (shell.bytes != MAP_FAILED && fread(shell.bytes, 1, shell.count, file) != shell.count) return none;
        fclose(file);
        return shell;
    }
    return none;
}

static int create(int node, uint32_t attributes, const void *file, size_t count, int fd) {
    struct fastrpc_init_create create = {
        .filelen = (uint32_t)count, .filefd = fd, .attrs = attributes, .file = (uintptr_t)file};
    return ioctl(node, FASTRPC_IOCTL_INIT_CREATE, &create);
}

/// Opens a module. The status of the call, else the status that the DSP's loader returned.
static int open_module(int node, const char *uri, uint32_t *handle) {
    char reason[255] = "";
    uint32_t sent[2] = {(uint32_t)strlen(uri) + 1, sizeof reason}, got[2] = {0, 0};
    const struct buffer buffers[] = {
        {sent, sizeof sent, -1}, {uri, sent[0], -1}, {got, sizeof got, -1}, {reason, sizeof reason, -1}};
    int status = call(node, REMOTECTL, 0x02020200, buffers);
    *handle = got[0];
    if (got[1]) printf("     the DSP says: %.*s\n", (int)sizeof reason, reason);
    return status ? status : (int)got[1];
}

static int close_module(int node, uint32_t handle) {
    char reason[255] = "";
    uint32_t sent[2] = {handle, sizeof reason}, got = 0;
    const struct buffer buffers[] = {{sent, sizeof sent, -1}, {&got, sizeof got, -1}, {reason, sizeof reason, -1}};
    int status = call(node, REMOTECTL, 0x03010200, buffers);
    return status ? status : (int)got;
}

static int sum(int node, uint32_t handle, const int32_t *values, uint32_t count, int fd, int64_t *total) {
    const struct buffer buffers[] = {{&count, 4, -1}, {values, 4 * (uint64_t)count, fd}, {total, 8, -1}};
    return call(node, handle, 0x03020100, buffers);
}

static int fill(int node, uint32_t handle, uint8_t seed, void *to, uint32_t count, int fd) {
    uint32_t sent[2] = {seed, count};
    const struct buffer buffers[] = {{sent, sizeof sent, -1}, {to, count, fd}};
    return call(node, handle, 0x05010100, buffers);
}

static int touch(int node, uint32_t handle, int fd, uint32_t count, uint64_t *total) {
    uint32_t sent[2] = {(uint32_t)fd, count};
    const struct buffer buffers[] = {{sent, sizeof sent, -1}, {total, 8, -1}};
    return call(node, handle, 0x09010100, buffers);
}

/// A method with one word and nothing back.
static int tell(int node, uint32_t handle, uint32_t scalars, uint32_t value) {
    const struct buffer buffer = {&value, 4, -1};
    return call(node, handle, scalars, &buffer);
}

static int map(int node, struct shared shared, uint64_t *address) {
    struct fastrpc_mem_map request = {
        .fd = shared.fd, .flags = MAP_FD, .vaddrin = (uintptr_t)shared.bytes, .length = shared.count};
    int result = ioctl(node, FASTRPC_IOCTL_MEM_MAP, &request);
    *address = request.vaddrout;
    return result;
}

static int unmap(int node, int fd, uint64_t address, uint64_t count) {
    struct fastrpc_mem_unmap request = {.fd = fd, .vaddr = address, .length = count};
    return ioctl(node, FASTRPC_IOCTL_MEM_UNMAP, &request);
}

static int capability(int node, uint32_t id, uint32_t *value) {
    struct fastrpc_ioctl_capability request = {.domain = 3, .attribute_id = id};
    int result = ioctl(node, FASTRPC_IOCTL_GET_DSP_INFO, &request);
    *value = request.capability;
    return result;
}

/// Whether the bytes are seed, seed + 1, …
static int is_filled(const uint8_t *bytes, uint32_t count, uint8_t seed) {
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != (uint8_t)(seed + i)) return 0;
    }
    return 1;
}

static void capabilities(void) {
    uint32_t value = 0;
    int node = open(PLAIN_NODE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (!step(node >= 0, "open " PLAIN_NODE " to ask")) return;
    int result = capability(node, 6, &value);
    step(result == 0 && value >= 0x60 && value <= 0xff, "architecture: %d, 0x%x", result, value);
    result = capability(node, 3, &value);
    step(result == 0 && value > 0, "HVX contexts of 128 bytes: %d, %u", result, value);
    expect_errno("capability 256", capability(node, 256, &value), EOVERFLOW);
    close(node);
}

/// What the driver refuses before there is a process.
static void refused_processes(struct shared shell) {
    int plain = open(PLAIN_NODE, O_RDWR | O_CLOEXEC), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (!step(plain >= 0 && file >= 0, "open " PLAIN_NODE " to be refused")) return;
    expect_errno("unknown request", ioctl(plain, _IO('R', 99)), ENOTTY);
    uint32_t number = 0;
    expect_errno("FREE_DMA_BUFF", ioctl(plain, FASTRPC_IOCTL_FREE_DMA_BUFF, &number), ENOTTY);
    expect_errno("INIT_CREATE of nothing readable", ioctl(plain, FASTRPC_IOCTL_INIT_CREATE, (void *)8), EFAULT);
    expect_errno("signed process on the plain node", create(plain, 0, shell.bytes, shell.count, shell.fd),
                 ECONNREFUSED);
    expect_errno("shell of more than 2 MiB", create(plain, UNSIGNED, shell.bytes, 2 * MEGABYTE + 1, shell.fd),
                 EINVAL);
    expect_errno("shell in an ordinary file", create(plain, UNSIGNED, shell.bytes, shell.count, file), EINVAL);
    expect_errno("shell in descriptor -1", create(plain, UNSIGNED, shell.bytes, shell.count, -1), EBADF);
    expect_errno("shell in descriptor 9999", create(plain, UNSIGNED, shell.bytes, shell.count, 9999), EBADF);
    // The driver has no read (EINVAL); nothing to read is near enough, waiting is not.
    step(read(plain, &number, 4) <= 0, "a read from the node returns");
    expect_errno("mmap of the node", mmap(NULL, 4096, PROT_READ, MAP_SHARED, plain, 0) == MAP_FAILED ? -1 : 0,
                 ENODEV);
    close(file);
    close(plain);
}

static void calls(int node, uint32_t handle) {
    int32_t values[1000];
    int64_t total = 0, wanted = 0;
    for (int i = 0; i < 1000; i++) wanted += values[i] = 1000003 * i - 400000000;
    expect("nothing", call(node, handle, 0x02000000, NULL), 0);
    expect("sum", sum(node, handle, values, 1000, -1, &total), 0);
    step(total == wanted, "the sum");
    expect("sum of nothing", sum(node, handle, NULL, 0, -1, &total), 0);
    step(total == 0, "the sum of nothing");

    // More than what fits into any first guess of a message's size.
    uint8_t *bytes = malloc(3 * MEGABYTE + 5);
    expect("fill of 3 MiB by copy", fill(node, handle, 7, bytes, 3 * MEGABYTE + 5, -1), 0);
    step(is_filled(bytes, 3 * MEGABYTE + 5, 7), "the bytes");
    free(bytes);

    uint32_t sent[2] = {31, 4711}, got = 0;
    const struct buffer set = {sent, sizeof sent, -1}, get = {&got, 4, -1};
    expect("method 31", call(node, handle, 0x1f010000, &set), 0);
    expect("method 30", call(node, handle, 0x1e000100, &get), 0);
    step(got == 4711, "the attribute: %u", got);
    struct {
        uint32_t method;
        int32_t a;
        int64_t b;
    } beyond = {32, -3, 1000000000000};
    const struct buffer multiply[] = {{&beyond, sizeof beyond, -1}, {&total, 8, -1}};
    expect("method 32", call(node, handle, 0x1f010100, multiply), 0);
    step(total == -3000000000000, "the product");

    // AEE codes have another base in programs built for the DSP; this one is built for the host.
    expect("a method that fails", tell(node, handle, 0x0e010000, 0x39), (int)0x80000439);
    expect("a method that fails with a code of its own", tell(node, handle, 0x0e010000, 0x1234), 0x1234);
    expect("a method that fails with a DSP code", tell(node, handle, 0x0e010000, 0x80000406), (int)0x80000406);
    expect_errno("a method that returns -1", tell(node, handle, 0x0e010000, UINT32_MAX), EPERM);
    int result = call(node, handle, 0x1f000000, NULL);
    step(result != 0 && result != -1, "a method without its number: 0x%x", (unsigned)result);
    result = call(node, 0xdeadbee0, 0x02000000, NULL);
    step(result != 0 && result != -1, "a handle that nobody opened: 0x%x", (unsigned)result);
}

static void shared_memory(int node, uint32_t handle) {
    struct shared shared = allocate(MEGABYTE);
    if (!step(shared.bytes != MAP_FAILED, "1 MiB from the dma-heap")) return;
    int32_t *values = (int32_t *)(shared.bytes + 4096 + 64);
    int64_t total = 0;
    for (int i = 0; i < 500; i++) values[i] = i;
    expect("sum by descriptor, inside the buffer", sum(node, handle, values, 500, shared.fd, &total), 0);
    step(total == 500 * 499 / 2, "the sum: %lld", (long long)total);
    memset(shared.bytes, 0xee, shared.count);
    expect("fill by descriptor, inside the buffer", fill(node, handle, 3, shared.bytes + 8192, 9000, shared.fd), 0);
    step(is_filled(shared.bytes + 8192, 9000, 3) && shared.bytes[8191] == 0xee && shared.bytes[17192] == 0xee,
         "the bytes, and none beside them");

    uint64_t address = 0, before = 0, wanted = 0;
    int result = touch(node, handle, shared.fd, 16, &before);
    step(result != 0 && result != -1, "what is not mapped has no address on the DSP: 0x%x", (unsigned)result);
    expect("MEM_MAP", map(node, shared, &address), 0);
    step(address != 0, "its address on the DSP: 0x%llx", (unsigned long long)address);
    for (size_t i = 0; i < shared.count; i++) wanted += shared.bytes[i] = (uint8_t)(i * 31);
    expect("touch", touch(node, handle, shared.fd, MEGABYTE, &before), 0);
    step(before == wanted, "the sum before");
    step(shared.bytes[0] == 1 && shared.bytes[MEGABYTE - 1] == (uint8_t)((MEGABYTE - 1) * 31 + 1), "the bytes after");
    expect_errno("MEM_UNMAP of another address", unmap(node, shared.fd, address + 4096, shared.count), EINVAL);
    expect("MEM_UNMAP", unmap(node, shared.fd, address, shared.count), 0);
    expect_errno("MEM_UNMAP once more", unmap(node, shared.fd, address, shared.count), EINVAL);
    release(shared);

    struct fastrpc_alloc_dma_buf buffer = {.fd = -1, .size = 8192};
    expect("ALLOC_DMA_BUFF", ioctl(node, FASTRPC_IOCTL_ALLOC_DMA_BUFF, &buffer), 0);
    uint8_t *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, buffer.fd, 0);
    if (!step(bytes != MAP_FAILED, "its memory")) return;
    expect("fill of it by descriptor", fill(node, handle, 1, bytes, 8192, buffer.fd), 0);
    step(is_filled(bytes, 8192, 1), "the bytes");
    munmap(bytes, 8192);
    close(buffer.fd);
}

/// What the driver refuses while a process is there; it must live on.
static void refused_calls(int node, uint32_t handle) {
    int64_t total = 0;
    int32_t values[4] = {1, 2, 3, 4};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    expect_errno("handle 1 is the kernel's", call(node, 1, 0x02000000, NULL), EPERM);
    expect_errno("argument in descriptor 9999", sum(node, handle, values, 4, 9999, &total), EINVAL);
    expect_errno("argument in an ordinary file", sum(node, handle, values, 4, file, &total), EINVAL);
    expect_errno("argument at an unmapped address", sum(node, handle, (int32_t *)4096, 4, -1, &total), EFAULT);
    struct fastrpc_invoke invoke = {.handle = handle, .sc = 0x03020100, .args = 8};
    expect_errno("arguments at an unmapped address", ioctl(node, FASTRPC_IOCTL_INVOKE, &invoke), EFAULT);
    struct fastrpc_req_mmap pages = {.fd = -1, .flags = 0, .size = 4096};
    expect_errno("MMAP without a flag", ioctl(node, FASTRPC_IOCTL_MMAP, &pages), EINVAL);
    pages.flags = ADD_PAGES;
    pages.vaddrin = 4096;
    expect_errno("MMAP with an address", ioctl(node, FASTRPC_IOCTL_MMAP, &pages), EINVAL);
    struct fastrpc_req_munmap unmap_pages = {.vaddrout = 0x1000, .size = 4096};
    expect_errno("MUNMAP of what is not mapped", ioctl(node, FASTRPC_IOCTL_MUNMAP, &unmap_pages), EINVAL);
    uint64_t address;
    expect_errno("MEM_MAP of descriptor -1", map(node, (struct shared){-1, NULL, 4096}, &address), EBADF);
    expect_errno("MEM_MAP of an ordinary file", map(node, (struct shared){file, NULL, 4096}, &address), EINVAL);
    expect_errno("MEM_UNMAP of what is not mapped", unmap(node, -1, 0x1000, 4096), EINVAL);
    expect("still alive", sum(node, handle, values, 4, -1, &total), 0);
    step(total == 10, "the sum");
    close(file);
}

static void loader(int node) {
    uint32_t handle = 0;
    expect("a module that is not there",
           open_module(node, "file:///libnone_skel.so?none_skel_handle_invoke&_modver=1.0&_dom=cdsp", &handle),
           (int)0x80000406);
    expect("a function that is not there",
           open_module(node, "file:///libecho_skel.so?other_skel_handle_invoke&_modver=1.0&_dom=cdsp", &handle),
           (int)0x80000442);
}

/// The whole of a session on one node. `crashes`: the process on the DSP ends itself.
static void session(const char *path, const char *folder, struct shared shell, int crashes) {
    int node = open(path, O_RDWR | O_CLOEXEC);
    if (!step(node >= 0, "open %s", path)) return;
    expect("INIT_CREATE", create(node, UNSIGNED, shell.bytes, shell.count, shell.fd), 0);
    struct listener listener = {.node = node, .folder = folder};
    int status = listener_start(&listener);
    expect("listener", status, 0);
    uint32_t handle = 0, second = 0;
    if (status == 0) {
        expect("open1", open_module(node, ECHO_URI, &handle), 0);
        step(handle > 0xff, "the handle: 0x%x", handle);
        step(listener.opened > 0 && listener.read_bytes > 1000, "the DSP read the module: %u files, %u bytes",
             listener.opened, listener.read_bytes);
    }
    if (handle > 0xff && crashes) {
        status = call(node, handle, 0x0f000000, NULL);
        step(status != 0, "a method that crashes: %d (0x%x)", status, (unsigned)status);
        status = call(node, handle, 0x02000000, NULL);
        step(status != 0, "a call after that: %d (0x%x)", status, (unsigned)status);
    } else if (handle > 0xff) {
        calls(node, handle);
        shared_memory(node, handle);
        refused_calls(node, handle);
        loader(node);
        const char line[] = "a line from the client";
        uint32_t count = sizeof line;
        const struct buffer text[] = {{&count, 4, -1}, {line, count, -1}};
        expect("say", call(node, handle, 0x0c020000, text), 0);
        expect("the heap grows by 16 MiB", tell(node, handle, 0x0d010000, 16), 0);
        printf("     apps_mem: %u requests; log: %u lines%s%s\n", listener.mapped, listener.lines,
               listener.lines ? ", the last: " : "", listener.last_line);
        expect("open1 of a second handle", open_module(node, ECHO_URI, &second), 0);
        step(second != handle, "another handle: 0x%x", second);
        expect("close1", close_module(node, second), 0);
    }
    if (!crashes || handle <= 0xff) expect("exit", call(node, CURRENT_PROCESS, 0x02000000, NULL), 0);
    if (status == 0 || crashes) {
        pthread_join(listener.thread, NULL);
        step(listener.result == (int)0x8000040d, "the listener's end: 0x%x", (unsigned)listener.result);
    }
    expect("close", close(node), 0);
}

int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: plain_client FOLDER [SHELL]\n");
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct shared shell = load_shell(count > 2 ? arguments[2] : NULL);
    if (!step(shell.bytes != MAP_FAILED, "the process shell, %zu bytes", shell.count)) return 1;
    capabilities();
    refused_processes(shell);
    session(PLAIN_NODE, arguments[1], shell, 0);
    session(SECURE_NODE, arguments[1], shell, 1);
    session(PLAIN_NODE, arguments[1], shell, 0);
    release(shell);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
