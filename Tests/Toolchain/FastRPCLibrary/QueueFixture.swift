import FastRPCLibrary
import Foundation
import Testing

/// A library whose queues really carry packets: a thread of its own sends each request back as a response and
/// calls back, as libcdsprpc does. It counts what no caller may do: use a queue that is closed, or close one
/// while a thread is in it.
struct QueueFixture: @unchecked Sendable {
    enum Switch: CInt {
        /// Requests stay in the queue.
        case held = 0
        /// The DSP's side is open, so closing is refused.
        case imported = 1
        /// Packet callbacks get lost.
        case silent = 2
    }

    enum Count: CInt {
        case misuses = 0
        case queues = 1
        case lastDomain = 2
        case wakeups = 3
    }

    let library: FastRPCLibrary
    private let handle: UnsafeMutableRawPointer

    init(in scratch: ScratchDirectory, name: String, without: [String] = []) throws {
        let own = FixtureLibrary.functions.map(\.name).filter { $0.hasPrefix("dspqueue_") }
        let kept = Self.functions.filter { function in !without.contains { function.contains(" \($0)(") } }
        let file = try FixtureLibrary.build(
            in: scratch, name: name, without: own,
            appending: ([Self.prelude] + kept).joined(separator: "\n"))
        library = try FastRPCLibrary(path: file, registry: LibraryRegistry())
        handle = try #require(dlopen(library.file, RTLD_NOW))
    }

    func set(_ what: Switch, _ value: Bool) {
        typealias Function = @convention(c) (CInt, CInt) -> Void
        unsafeBitCast(dlsym(handle, "fixture_set"), to: Function.self)(what.rawValue, value ? 1 : 0)
    }

    func count(_ what: Count) -> Int {
        typealias Function = @convention(c) (CInt) -> CInt
        return Int(unsafeBitCast(dlsym(handle, "fixture_count"), to: Function.self)(what.rawValue))
    }

    /// The DSP fails: all queues get the error callback on a thread of the library, and calls fail from now on.
    func fail(_ status: UInt32) {
        typealias Function = @convention(c) (CInt) -> Void
        unsafeBitCast(dlsym(handle, "fixture_fail"), to: Function.self)(CInt(bitPattern: status))
    }

    private static let prelude = """
        #include <errno.h>
        #include <pthread.h>
        #include <stdlib.h>
        #include <time.h>
        enum { CAPACITY = 4, QUEUES = 8 };
        struct buffer { uint32_t fd, size, offset, flags; uint64_t ptr; };
        struct packet { uint32_t flags, count, length; struct buffer buffers[64]; uint8_t message[65536]; };
        struct queue {
            struct packet *requests[CAPACITY], *responses[CAPACITY];
            int request_count, response_count, inside, stop;
            callback packet, error; void *context; pthread_t echo, failing; int has_failed; };
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
        static struct queue *queues[QUEUES];
        static int switches[3], counts[4], dsp_error;
        void fixture_set(int what, int value) {
            pthread_mutex_lock(&lock); switches[what] = value;
            pthread_cond_broadcast(&moved); pthread_mutex_unlock(&lock); }
        int fixture_count(int what) {
            pthread_mutex_lock(&lock); int value = counts[what]; pthread_mutex_unlock(&lock); return value; }
        static int known(struct queue *q) {
            for (int i = 0; i < QUEUES; i++) if (q && queues[i] == q) return 1;
            counts[0]++; return 0; }
        static void *echo(void *argument) {
            struct queue *q = argument;
            pthread_mutex_lock(&lock);
            for (;;) {
                while (!q->stop && (switches[0] || !q->request_count || q->response_count == CAPACITY))
                    pthread_cond_wait(&moved, &lock);
                if (q->stop) break;
                struct packet *p = q->requests[0];
                memmove(q->requests, q->requests + 1, sizeof q->requests - sizeof *q->requests);
                q->request_count--;
                if (p->flags & 4) { free(p); counts[3]++; pthread_cond_broadcast(&moved); continue; }
                for (uint32_t i = 0; i < p->count; i++) {
                    if (!p->buffers[i].size) p->buffers[i].size = 4096;
                    p->buffers[i].ptr = 0x100000 * p->buffers[i].fd + p->buffers[i].offset; }
                q->responses[q->response_count++] = p;
                pthread_cond_broadcast(&moved);
                if (switches[2]) continue;
                pthread_mutex_unlock(&lock);
                q->packet(q, 0, q->context);
                pthread_mutex_lock(&lock); }
            pthread_mutex_unlock(&lock); return 0; }
        static void *failing(void *argument) {
            struct queue *q = argument; q->error(q, dsp_error, q->context); return 0; }
        void fixture_fail(int status) {
            pthread_mutex_lock(&lock); dsp_error = status;
            for (int i = 0; i < QUEUES; i++) if (queues[i]) {
                queues[i]->has_failed = 1; pthread_create(&queues[i]->failing, 0, failing, queues[i]); }
            pthread_cond_broadcast(&moved); pthread_mutex_unlock(&lock); }
        static int put(struct queue *q, uint32_t flags, uint32_t count, struct buffer *b, uint32_t n,
                       const uint8_t *message) {
            if (!known(q)) return 0x27;
            if (dsp_error) return dsp_error;
            for (uint32_t i = 0; i < count; i++) if (b[i].fd == 99) return 0x48;
            if (q->request_count == CAPACITY) return 516;
            struct packet *p = calloc(1, sizeof *p);
            p->flags = flags | (n ? 1 : 0) | (count ? 2 : 0) | 16; p->count = count; p->length = n;
            memcpy(p->buffers, b, count * sizeof *b); memcpy(p->message, message, n);
            q->requests[q->request_count++] = p; pthread_cond_broadcast(&moved); return 0; }
        """

    private static let functions = [
        """
        int dspqueue_create(int domain, uint32_t flags, uint32_t requests, uint32_t responses, callback packet,
                            callback error, void *context, void **queue) {
            if (flags || domain < 0) return 0xe;
            struct queue *q = calloc(1, sizeof *q);
            q->packet = packet; q->error = error; q->context = context;
            pthread_mutex_lock(&lock); counts[2] = domain; counts[1]++;
            for (int i = 0; i < QUEUES; i++) if (!queues[i]) { queues[i] = q; break; }
            pthread_mutex_unlock(&lock);
            pthread_create(&q->echo, 0, echo, q); *queue = q; return 0; }
        """,
        """
        int dspqueue_close(void *queue) {
            struct queue *q = queue;
            pthread_mutex_lock(&lock);
            if (!known(q)) { pthread_mutex_unlock(&lock); return 0x27; }
            if (switches[1]) { pthread_mutex_unlock(&lock); return 0xe; }
            if (q->inside) counts[0]++;
            q->stop = 1; pthread_cond_broadcast(&moved); pthread_mutex_unlock(&lock);
            pthread_join(q->echo, 0);
            if (q->has_failed) pthread_join(q->failing, 0);
            pthread_mutex_lock(&lock); counts[1]--;
            for (int i = 0; i < QUEUES; i++) if (queues[i] == q) queues[i] = 0;
            while (q->request_count) free(q->requests[--q->request_count]);
            while (q->response_count) free(q->responses[--q->response_count]);
            pthread_mutex_unlock(&lock); memset(q, 0xee, sizeof *q); free(q); return 0; }
        """,
        "int dspqueue_export(void *q, uint64_t *id) { *id = 0x100000007; return 0; }",
        """
        int dspqueue_write_noblock(void *q, uint32_t flags, uint32_t count, void *b, uint32_t n,
                                   const uint8_t *message) {
            pthread_mutex_lock(&lock); int status = put(q, flags, count, b, n, message);
            pthread_mutex_unlock(&lock); return status; }
        """,
        """
        int dspqueue_write(void *queue, uint32_t flags, uint32_t count, void *b, uint32_t n,
                           const uint8_t *message, uint32_t timeout) {
            struct queue *q = queue; struct timespec end; int status;
            clock_gettime(CLOCK_REALTIME, &end); end.tv_nsec += timeout % 1000000 * 1000l;
            end.tv_sec += timeout / 1000000 + end.tv_nsec / 1000000000; end.tv_nsec %= 1000000000;
            pthread_mutex_lock(&lock);
            while ((status = put(q, flags, count, b, n, message)) == 516) {
                q->inside++; int late = pthread_cond_timedwait(&moved, &lock, &end) == ETIMEDOUT; q->inside--;
                if (late) { status = 0xc; break; } }
            pthread_mutex_unlock(&lock); return status; }
        """,
        """
        int dspqueue_read_noblock(void *queue, uint32_t *flags, uint32_t capacity, uint32_t *count, void *b,
                                  uint32_t most, uint32_t *n, uint8_t *message) {
            struct queue *q = queue; pthread_mutex_lock(&lock);
            int status = !known(q) ? 0x27 : dsp_error ? dsp_error : q->response_count ? 0 : 516;
            if (!status) {
                struct packet *p = q->responses[0];
                memmove(q->responses, q->responses + 1, sizeof q->responses - sizeof *q->responses);
                q->response_count--; *flags = p->flags; *count = p->count; *n = p->length;
                memcpy(b, p->buffers, p->count * sizeof *p->buffers); memcpy(message, p->message, p->length);
                free(p); pthread_cond_broadcast(&moved); }
            pthread_mutex_unlock(&lock); return status; }
        """,
        """
        int dspqueue_read(void *q, uint32_t *flags, uint32_t capacity, uint32_t *count, void *b, uint32_t most,
                          uint32_t *n, uint8_t *message, uint32_t timeout) {
            pthread_mutex_lock(&lock); counts[0]++; pthread_mutex_unlock(&lock); return 1; }
        """,
        """
        int dspqueue_peek_noblock(void *queue, uint32_t *flags, uint32_t *count, uint32_t *n) {
            struct queue *q = queue; pthread_mutex_lock(&lock);
            int status = !known(q) ? 0x27 : dsp_error ? dsp_error : q->response_count ? 0 : 516;
            if (!status) { struct packet *p = q->responses[0]; *flags = p->flags; *count = p->count;
                *n = p->length; }
            pthread_mutex_unlock(&lock); return status; }
        """,
        """
        int dspqueue_write_early_wakeup_noblock(void *q, uint32_t delay, uint32_t flags) {
            pthread_mutex_lock(&lock);
            int status = put(q, flags | 4, 0, 0, delay ? 4 : 0, (uint8_t *)&delay);
            pthread_mutex_unlock(&lock); return status; }
        """,
        """
        int dspqueue_get_stat(void *q, int stat, uint64_t *value) {
            *value = stat == 5 ? 250 : stat == 6 ? 1 : 77; return 0; }
        """,
    ]
}
