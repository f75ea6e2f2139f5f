/// The program that loads stubs and skels as libraries and tries every pair, in C.
///
/// Arguments: rounds, seed, then pairs of a caller's and a callee's library. Every call is packed by each
/// caller; what goes over the wire must be equal. Then each callee answers each caller, over copies of the
/// buffers as on a device; what one side sent the other must have seen. Then the reply is random bytes,
/// which all callers must understand in the same way; then the request is damaged, and all callees must
/// return the same status.
enum PropertyHost {
    static let source = #"""
        #include "remote.h"
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>

        #define SIDES 4
        #define CAPACITY (1 << 22)

        enum { SEEN_BY_CALLER, SEEN_BY_CALLEE, ANSWERED, UNDERSTOOD, WIRE, REPLY, NOTES };

        typedef struct {
            uint8_t bytes[CAPACITY];
            size_t count;
        } notes;

        typedef struct {
            void (*run)(int method);
            int (*methods)(void);
            int (*invoke)(remote_handle64 h, uint32_t sc, remote_arg *pra);
        } side;

        static side sides[SIDES];
        static notes taken[NOTES], kept[NOTES];
        static int channel;
        static uint8_t arena[1 << 24];
        static size_t used;
        static uint64_t state;
        static int caller_result, callee_status;
        /// The callee that serves, or -1 for random replies.
        static int serving;
        /// Which damage is done to the request, or 0.
        static uint64_t damage;
        static unsigned long calls, differences, accepted, refused, stricter;

        uint64_t next(void) {
            uint64_t z = state += 0x9e3779b97f4a7c15u;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
            return z ^ (z >> 31);
        }
        static int bias;
        int length(void) {
            uint64_t r = next();
            return bias == 0 ? 0 : r % 4 == 0 ? 0 : (int)(r / 4 % (bias == 1 ? 3 : 7));
        }
        int status(void) { return callee_status; }
        void *grab(size_t size) {
            void *memory = arena + used;
            used += (size + 15) / 8 * 8;
            if (used > sizeof arena) { printf("out of memory\n"); exit(3); }
            return memory;
        }
        uint32_t handle_length(int fd) { return (uint32_t)fd * 1000; }
        int adsp_mmap_fd_getinfo(int fd, uint32_t *length) { *length = handle_length(fd); return 0; }
        int remote_register_dma_handle(int fd, uint32_t length) { return length == handle_length(fd) ? 0 : 1; }
        static void put(int at, const void *memory, size_t size) {
            notes *n = &taken[at];
            if (n->count + size > CAPACITY) { printf("too much to note\n"); exit(3); }
            if (size) memcpy(n->bytes + n->count, memory, size);
            n->count += size;
        }
        void note(const void *memory, size_t size) { put(channel, memory, size); }
        static size_t characters(const void *memory, size_t size) {
            const uint8_t *p = memory;
            size_t count = 0;
            while (p[count * size] || (size == 2 && p[count * size + 1])) count++;
            return count;
        }
        void note_text(const void *memory, size_t size) {
            size_t count = characters(memory, size);
            note(&count, sizeof count);
            note(memory, count * size);
        }
        /// Notes a returned string as its receiver has it: whatever was there, the last character is zero.
        void note_capacity(const void *memory, size_t size, int capacity) {
            if (capacity <= 0) return;
            note(memory, (size_t)(capacity - 1) * size);
            uint16_t end = 0;
            note(&end, size);
        }
        void fill(void *memory, size_t size) {
            for (size_t i = 0; i < size; i++) ((uint8_t *)memory)[i] = (uint8_t)next();
        }
        void fill_boolean(void *memory, size_t size) { memset(memory, (int)(next() & 1), size); }
        void fill_text(void *memory, size_t size, int capacity) {
            for (size_t i = 0; i < (size_t)capacity * size; i++) ((uint8_t *)memory)[i] = (uint8_t)(next() % 255 + 1);
        }
        /// Whether a skel terminates what its implementation did not is its own affair.
        void fill_answer(void *memory, size_t size, int capacity) {
            fill_text(memory, size, capacity);
            if (capacity > 0) memset((uint8_t *)memory + (size_t)(capacity - 1) * size, 0, size);
        }
        void *text(size_t size, int *capacity) {
            int count = length();
            int room = count + 1;
            if (capacity) {
                // Now and then too little.
                *capacity = next() % 10 == 0 ? count : count + 1 + length();
                if (*capacity > room) room = *capacity;
            }
            uint8_t *memory = grab((size_t)(room + 1) * size);
            memset(memory, 0, (size_t)room * size);
            fill_text(memory, size, count);
            return memory;
        }
        void result(int status) {
            caller_result = status;
            channel = UNDERSTOOD;
        }
        void answering(void) { channel = ANSWERED; }
        void handle(uint64_t value) {
            if (value != 77) { printf("wrong handle\n"); differences++; }
        }

        /// A copy of the request with memory of its own, each buffer exactly as large as it says.
        static remote_arg *copied(uint32_t sc, const remote_arg *pra) {
            unsigned in = REMOTE_SCALARS_INBUFS(sc), out = REMOTE_SCALARS_OUTBUFS(sc);
            unsigned all = REMOTE_SCALARS_LENGTH(sc);
            remote_arg *copy = calloc(all + 1, sizeof *copy);
            for (unsigned i = 0; i < all; i++) {
                copy[i] = pra[i];
                if (i >= in + out) continue;
                copy[i].buf.pv = calloc(1, pra[i].buf.nLen + 1);
                if (i < in && pra[i].buf.nLen) memcpy(copy[i].buf.pv, pra[i].buf.pv, pra[i].buf.nLen);
            }
            return copy;
        }
        static void discard(uint32_t sc, remote_arg *copy) {
            unsigned count = REMOTE_SCALARS_INBUFS(sc) + REMOTE_SCALARS_OUTBUFS(sc);
            for (unsigned i = 0; i < count; i++) free(copy[i].buf.pv);
            free(copy);
        }
        static const char *damaged;
        static unsigned damaged_at, damaged_to;
        static int call_damaged(int callee, uint32_t sc, const remote_arg *pra) {
            uint64_t saved = state;
            damaged = "nothing";
            remote_arg *copy = copied(sc, pra);
            unsigned in = REMOTE_SCALARS_INBUFS(sc), out = REMOTE_SCALARS_OUTBUFS(sc);
            uint32_t given = sc;
            state = damage;
            unsigned which = in + out ? (unsigned)(next() % (in + out)) : 0;
            size_t *size = &copy[which].buf.nLen;
            switch (in + out ? next() % 4 : 3) {
            case 0: damaged = "length less one"; damaged_at = which; if (*size) *size -= 1; break;
            case 1: damaged = "length"; damaged_at = which; if (*size) *size = next() % *size; damaged_to = (unsigned)*size; break;
            case 2:
                // A count or length in the first buffer is another one.
                if (in && copy[0].buf.nLen >= 4) {
                    size_t at = next() % (copy[0].buf.nLen / 4) * 4;
                    static const uint32_t odd[] = {0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x40000001, 2, 3};
                    damaged = "word";
                    damaged_at = (unsigned)at;
                    damaged_to = odd[next() % 8];
                    memcpy((char *)copy[0].buf.pv + at, &damaged_to, 4);
                }
                break;
            case 3: {
                // Another number of buffers or handles, or another method.
                static const uint32_t steps[] = {1 << 16, 1 << 8, 1 << 4, 1, 1 << 24};
                uint32_t step = steps[next() % 5];
                uint32_t mask = step == 1 || step == 1 << 4 ? 0xf : step == 1 << 24 ? 0x1f : 0xff;
                uint32_t shift = step == 1 ? 0 : step == 1 << 4 ? 4 : step == 1 << 8 ? 8 : step == 1 << 16 ? 16 : 24;
                uint32_t field = sc >> shift & mask;
                damaged = "scalars";
                if (field) given = (sc & ~(mask << shift)) | ((field - 1) << shift);
                damaged_to = given;
                break;
            }
            }
            state = saved;
            int channel_was = channel;
            size_t counts[NOTES];
            for (int i = 0; i < NOTES; i++) counts[i] = taken[i].count;
            channel = REPLY;
            int r = sides[callee].invoke(77, given, copy);
            for (int i = 0; i < NOTES; i++) taken[i].count = counts[i];
            channel = channel_was;
            state = saved;
            discard(sc, copy);
            return r;
        }
        static int served(uint32_t sc, remote_arg *pra) {
            unsigned in = REMOTE_SCALARS_INBUFS(sc), out = REMOTE_SCALARS_OUTBUFS(sc);
            unsigned all = REMOTE_SCALARS_LENGTH(sc);
            put(WIRE, &sc, 4);
            for (unsigned i = 0; i < all; i++) {
                if (i >= in + out) {
                    put(WIRE, &pra[i].dma, sizeof pra[i].dma);
                    continue;
                }
                uint64_t size = pra[i].buf.nLen;
                put(WIRE, &size, 8);
                if (i < in) put(WIRE, pra[i].buf.pv, size);
            }
            if (serving < 0) {
                for (unsigned i = in; i < in + out; i++) {
                    fill(pra[i].buf.pv, pra[i].buf.nLen);
                }
                return callee_status;
            }
            if (damage) {
                int first = call_damaged(0, sc, pra);
                for (int i = 1; i < SIDES && sides[i].invoke; i++) {
                    // The reference compiler's skels trust the number of handles, and crash.
                    if (first != 0 && (sc & 0xff)) {
                        stricter++;
                        continue;
                    }
                    int other = call_damaged(i, sc, pra);
                    calls++;
                    if (other == first) {
                        if (first == 0) accepted++; else refused++;
                    } else if (first != 0 && strcmp(damaged, "scalars") == 0) {
                        // The first callee counts the buffers; others may read past their end.
                        stricter++;
                    } else {
                        differences++;
                        printf(
                            "damaged %08x, %s %u %x: status %d and %d\n", sc, damaged, damaged_at, damaged_to, first, other);
                    }
                }
            }
            remote_arg *copy = copied(sc, pra);
            channel = SEEN_BY_CALLEE;
            int r = sides[serving].invoke(77, sc, copy);
            for (unsigned i = in; i < in + out; i++) {
                put(REPLY, copy[i].buf.pv, copy[i].buf.nLen);
                // Nothing comes back from a call that failed.
                if (r == 0 && pra[i].buf.nLen) memcpy(pra[i].buf.pv, copy[i].buf.pv, pra[i].buf.nLen);
            }
            discard(sc, copy);
            return r;
        }
        int remote_handle64_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra) {
            handle(h);
            return served(sc, pra);
        }
        int remote_handle64_invoke_async(remote_handle64 h, fastrpc_async_descriptor_t *d, uint32_t sc, remote_arg *pra) {
            handle(h);
            return d ? 1 : served(sc, pra);
        }
        int remote_handle_invoke(remote_handle h, uint32_t sc, remote_arg *pra) {
            handle(h);
            return served(sc, pra);
        }
        int remote_handle_invoke_async(remote_handle h, fastrpc_async_descriptor_t *d, uint32_t sc, remote_arg *pra) {
            handle(h);
            return d ? 1 : served(sc, pra);
        }
        int remote_handle_open(const char *name, remote_handle *h) { (void)name; *h = 77; return 0; }
        int remote_handle_close(remote_handle h) { (void)h; return 0; }
        int remote_handle64_open(const char *uri, remote_handle64 *h) { (void)uri; *h = 77; return 0; }
        int remote_handle64_close(remote_handle64 h) { (void)h; return 0; }

        static int same(int a, int b, const char *what, int method, int caller, int callee) {
            notes *left = &taken[a], *right = b < 0 ? &kept[-b - 1] : &taken[b];
            if (left->count == right->count && memcmp(left->bytes, right->bytes, left->count) == 0) return 1;
            differences++;
            size_t at = 0;
            while (at < left->count && at < right->count && left->bytes[at] == right->bytes[at]) at++;
            printf(
                "method %d caller %d callee %d: %s differs at byte %zu of %zu and %zu\n", method, caller, callee, what, at,
                left->count, right->count);
            for (int side = 0; side < 2; side++) {
                notes *n = side ? right : left;
                for (size_t i = 0; i < n->count && i < 160; i++) printf("%s%02x", i % 4 ? "" : " ", n->bytes[i]);
                printf("\n");
            }
            return 0;
        }
        static void call(int method, int caller, int callee, uint64_t seed) {
            for (int i = 0; i < NOTES; i++) taken[i].count = 0;
            memset(arena, 0, used);
            used = 0;
            state = seed;
            bias = (int)(next() % 3);
            callee_status = next() % 16 == 0 ? 5 : 0;
            serving = callee;
            channel = SEEN_BY_CALLER;
            caller_result = -12345;
            sides[caller].run(method);
            calls++;
        }
        #define KEPT(x) (-(x) - 1)
        static void keep(int which) {
            memcpy(kept[which].bytes, taken[which].bytes, taken[which].count);
            kept[which].count = taken[which].count;
        }

        int main(int argc, char **argv) {
            int rounds = atoi(argv[1]), count = 0;
            uint64_t seed = strtoull(argv[2], 0, 10);
            for (int i = 3; i + 1 < argc; i += 2, count++) {
                void *caller = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL), *callee = dlopen(argv[i + 1], RTLD_NOW | RTLD_LOCAL);
                if (!caller || !callee) {
                    dlopen(argv[i], RTLD_NOW | RTLD_LOCAL) && dlopen(argv[i + 1], RTLD_NOW | RTLD_LOCAL);
                    printf("%s\n", dlerror());
                    return 3;
                }
                sides[count].run = dlsym(caller, "caller_run");
                sides[count].methods = dlsym(caller, "caller_methods");
                sides[count].invoke = dlsym(callee, "callee_invoke");
            }
            int methods = sides[0].methods();
            unsigned long answered = 0;
            for (int method = 0; method < methods; method++) {
                for (int round = 0; round < rounds; round++) {
                    uint64_t now = seed + 1000003ull * (uint64_t)method + (uint64_t)round;
                    int first = 1, first_result = 0;
                    for (int caller = 0; caller < count; caller++) {
                        for (int callee = 0; callee < count; callee++) {
                            damage = caller == 0 && callee == 0 && count > 1 ? now | 1 : 0;
                            call(method, caller, callee, now);
                            damage = 0;
                            if (first) {
                                first_result = caller_result;
                                keep(WIRE);
                                keep(REPLY);
                            } else {
                                same(WIRE, KEPT(WIRE), "the request", method, caller, callee);
                                if (caller_result != first_result) {
                                    differences++;
                                    printf("method %d caller %d callee %d: result %d, not %d\n", method, caller, callee,
                                           caller_result, first_result);
                                }
                            }
                            if (caller_result == 0) {
                                answered++;
                                same(SEEN_BY_CALLER, SEEN_BY_CALLEE, "what the callee sees", method, caller, callee);
                                same(ANSWERED, UNDERSTOOD, "what the caller gets", method, caller, callee);
                                if (!first) same(REPLY, KEPT(REPLY), "the reply", method, caller, callee);
                            }
                            first = 0;
                        }
                    }
                    for (int caller = 0; caller < count; caller++) {
                        call(method, caller, -1, now);
                        if (caller == 0) {
                            keep(UNDERSTOOD);
                            first_result = caller_result;
                        } else {
                            same(UNDERSTOOD, KEPT(UNDERSTOOD), "a random reply", method, caller, -1);
                            if (caller_result != first_result) {
                                differences++;
                                printf("method %d caller %d: result %d of a random reply, not %d\n", method, caller,
                                       caller_result, first_result);
                            }
                        }
                    }
                }
            }
            printf("methods %d calls %lu answered %lu damaged-refused %lu damaged-accepted %lu stricter %lu differences %lu\n",
                   methods, calls, answered, refused, accepted, stricter, differences);
            return differences ? 1 : 0;
        }
        """#
}
