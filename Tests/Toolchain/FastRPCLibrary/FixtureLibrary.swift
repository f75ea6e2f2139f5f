import Foundation
import Testing

/// A C compiler of the machine, or nil.
let systemCompiler: String? = ["/usr/bin/cc", "/usr/local/bin/cc"].first {
    FileManager.default.isExecutableFile(atPath: $0)
}

/// A directory that vanishes with its owner.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/hexagonrpc-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file and returns its path.
    func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}

/// Runs a program to its end; standard output, standard error, exit status.
func run(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:]
) throws -> (output: String, errors: String, status: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // What these programs print fits a pipe's buffer many times over on either side.
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let complaints = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
        String(decoding: text, as: UTF8.self), String(decoding: complaints, as: UTF8.self),
        process.terminationStatus
    )
}

/// A library with the C functions of libcdsprpc that writes down how it was called.
enum FixtureLibrary {
    /// Compiles it without the functions named, and with `code` in their place.
    static func build(
        in scratch: ScratchDirectory, name: String, without: [String] = [], appending code: String = "",
        soname: String? = nil
    ) throws -> String {
        let compiler = try #require(systemCompiler)
        let body = functions.filter { !without.contains($0.name) }.map(\.code)
        let source = try scratch.write(
            prelude + body.joined(separator: "\n") + "\n" + code + "\n", to: "\(name).c")
        let library = "\(scratch.path)/\(name).so"
        let result = try run(
            compiler,
            [
                "-shared", "-fPIC", "-pthread", "-Wall", "-Werror", "-Wno-unused-function",
                "-Wno-misleading-indentation",
            ]
                + (soname.map { ["-Wl,-soname,\($0)"] } ?? []) + ["-o", library, source])
        try #require(result.status == 0, "\(result.errors)")
        return library
    }

    private static let prelude = """
        #define _GNU_SOURCE
        #include <stdint.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static char text[4096];
        #define LOG(...) do { size_t used = strlen(text); \\
            snprintf(text + used, sizeof text - used, __VA_ARGS__); } while (0)
        const char *fixture_log(void) { return text; }
        typedef void (*callback)(void *, int, void *);

        """

    /// Name and definition; every status is one that only this function returns.
    static let functions: [(name: String, code: String)] = [
        (
            "remote_handle64_open",
            """
            int remote_handle64_open(const char *uri, uint64_t *h) {
                LOG("open %s;", uri); *h = 0x123456789abcdef0; return 11; }
            """
        ),
        (
            "remote_handle64_invoke",
            """
            int remote_handle64_invoke(uint64_t h, uint32_t sc, void *args) {
                LOG("invoke %llx %x %d;", (unsigned long long)h, sc, args ? *(int *)args : -1);
                return (int)0x80000406; }
            """
        ),
        (
            "remote_handle64_close",
            "int remote_handle64_close(uint64_t h) { LOG(\"close %llx;\", (unsigned long long)h); return 13; }"
        ),
        (
            "remote_handle64_control",
            """
            int remote_handle64_control(uint64_t h, uint32_t req, void *data, uint32_t n) {
                LOG("control64 %llx %u %d %u;", (unsigned long long)h, req, *(int *)data, n); return 14; }
            """
        ),
        (
            "remote_session_control",
            """
            int remote_session_control(uint32_t req, void *data, uint32_t n) {
                LOG("session %u %d %u;", req, *(int *)data, n); return 15; }
            """
        ),
        (
            "remote_handle_control",
            """
            int remote_handle_control(uint32_t req, void *data, uint32_t n) {
                LOG("control %u %d %u;", req, *(int *)data, n); return 16; }
            """
        ),
        (
            "remote_system_request",
            "int remote_system_request(void *p) { LOG(\"system %d;\", *(int *)p); return 17; }"
        ),
        (
            "rpcmem_alloc",
            """
            static void *made; static size_t size; static int fd;
            static void *make(const char *name, int heap, uint32_t flags, size_t n) {
                LOG("%s %d %x %zu;", name, heap, flags, n);
                if (n > (1ull << 32) + 4096) return 0;
                fd = syscall(SYS_memfd_create, "fixture", 1); size = n;
                if (ftruncate(fd, n)) return 0;
                return made = mmap(0, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); }
            void *rpcmem_alloc(int heap, uint32_t flags, int n) { return make("alloc", heap, flags, n); }
            """
        ),
        (
            "rpcmem_alloc2",
            """
            void *rpcmem_alloc2(int heap, uint32_t flags, size_t n) {
                return make("alloc2", heap, flags, n); }
            """
        ),
        (
            "rpcmem_free",
            """
            void rpcmem_free(void *p) {
                LOG("free %d;", p == made); munmap(made, size); close(fd); made = 0; }
            """
        ),
        ("rpcmem_to_fd", "int rpcmem_to_fd(void *p) { return p == made ? fd : -1; }"),
        ("rpcmem_init", "void rpcmem_init(void) { LOG(\"init;\"); }"),
        ("rpcmem_deinit", "void rpcmem_deinit(void) { LOG(\"deinit;\"); }"),
        (
            "fastrpc_mmap",
            """
            int fastrpc_mmap(int domain, int fd, void *a, int offset, size_t n, int flags) {
                LOG("mmap %d %d %td %d %zu %d;", domain, fd, (char *)a - (char *)0, offset, n, flags);
                return 18; }
            """
        ),
        (
            "fastrpc_munmap",
            """
            int fastrpc_munmap(int domain, int fd, void *a, size_t n) {
                LOG("munmap %d %d %td %zu;", domain, fd, (char *)a - (char *)0, n); return 19; }
            """
        ),
        (
            "remote_register_buf",
            """
            void remote_register_buf(void *a, int n, int fd) {
                LOG("register %td %d %d;", (char *)a - (char *)0, n, fd); }
            """
        ),
        (
            "remote_register_buf_attr2",
            """
            void remote_register_buf_attr2(void *a, size_t n, int fd, int attr) {
                LOG("register2 %td %zu %d %d;", (char *)a - (char *)0, n, fd, attr); }
            """
        ),
        (
            "remote_register_dma_handle",
            "int remote_register_dma_handle(int fd, uint32_t n) { LOG(\"dma %d %u;\", fd, n); return 33; }"
        ),
        (
            "remote_register_dma_handle_attr",
            """
            int remote_register_dma_handle_attr(int fd, uint32_t n, uint32_t attr) {
                LOG("dma2 %d %u %u;", fd, n, attr); return 34; }
            """
        ),
        (
            "dspqueue_create",
            """
            int dspqueue_create(int domain, uint32_t flags, uint32_t req, uint32_t resp, callback packet,
                                callback error, void *context, void **queue) {
                LOG("create %d %u %u %u;", domain, flags, req, resp);
                *queue = (void *)0x40; packet(*queue, 21, context); return 22; }
            """
        ),
        (
            "dspqueue_close",
            "int dspqueue_close(void *q) { LOG(\"qclose %d;\", q == (void *)0x40); return 23; }"
        ),
        ("dspqueue_export", "int dspqueue_export(void *q, uint64_t *id) { *id = 1ull << 40; return 24; }"),
        (
            "dspqueue_write",
            """
            int dspqueue_write(void *q, uint32_t flags, uint32_t buffers, void *b, uint32_t n,
                               const uint8_t *message, uint32_t timeout) {
                LOG("write %x %u %u %d %x;", flags, buffers, n, message[n - 1], timeout); return 25; }
            """
        ),
        (
            "dspqueue_write_noblock",
            """
            int dspqueue_write_noblock(void *q, uint32_t flags, uint32_t buffers, void *b, uint32_t n,
                                       const uint8_t *message) {
                LOG("write_noblock %x %u %u %d;", flags, buffers, n, message[n - 1]); return 516; }
            """
        ),
        (
            "dspqueue_read",
            """
            int dspqueue_read(void *q, uint32_t *flags, uint32_t capacity, uint32_t *count, void *b,
                              uint32_t most, uint32_t *n, uint8_t *message, uint32_t timeout) {
                LOG("read %u %u %u;", capacity, most, timeout); *flags = 3; *count = 0; *n = 1;
                *message = 42; return 27; }
            """
        ),
        (
            "dspqueue_read_noblock",
            """
            int dspqueue_read_noblock(void *q, uint32_t *flags, uint32_t capacity, uint32_t *count, void *b,
                                      uint32_t most, uint32_t *n, uint8_t *message) {
                LOG("read_noblock %u %u;", capacity, most); return 28; }
            """
        ),
        (
            "dspqueue_peek",
            """
            int dspqueue_peek(void *q, uint32_t *flags, uint32_t *count, uint32_t *n, uint32_t timeout) {
                LOG("peek %u;", timeout); *flags = 1; *count = 2; *n = 3; return 29; }
            """
        ),
        (
            "dspqueue_peek_noblock",
            """
            int dspqueue_peek_noblock(void *q, uint32_t *flags, uint32_t *count, uint32_t *n) {
                LOG("peek_noblock;"); *n = 4; return 30; }
            """
        ),
        (
            "dspqueue_write_early_wakeup_noblock",
            """
            int dspqueue_write_early_wakeup_noblock(void *q, uint32_t delay, uint32_t flags) {
                LOG("wakeup %u %u;", delay, flags); return 31; }
            """
        ),
        (
            "dspqueue_get_stat",
            """
            int dspqueue_get_stat(void *q, int stat, uint64_t *value) {
                LOG("stat %d;", stat); *value = 1ull << 33; return 32; }
            """
        ),
    ]
}
