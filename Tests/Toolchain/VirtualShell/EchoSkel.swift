/// A module for the virtual DSP in C, as one for a DSP is written.
enum EchoSkel {
    static let idl = """
        #include "remote.idl"
        interface echo : remote_handle64 {
          long sum(in sequence<long> v, rout long long r);
          long text(in string a, rout string b, inrout string c);
          long numbers(in long a, inrout long b, rout octet c);
          long peek(in long fd, in long offset, rout long value);
          long say(in string a);
          long start(in uint64_t queue, in long callbacks);
          long serve(in long packets);
          long stop(rout long error);
        };
        """

    static let implementation = """
        #include "echo.h"
        #include <stdlib.h>
        #include <string.h>

        typedef struct dspqueue *dspqueue_t;
        typedef void (*dspqueue_callback_t)(dspqueue_t, int, void *);
        struct dspqueue_buffer {
            uint32_t fd, size, offset, flags;
            union { void *ptr; uint64_t address; };
        };
        int dspqueue_import(uint64_t, dspqueue_callback_t, dspqueue_callback_t, void *, dspqueue_t *);
        int dspqueue_close(dspqueue_t);
        int dspqueue_read_noblock(dspqueue_t, uint32_t *, uint32_t, uint32_t *, struct dspqueue_buffer *,
                                  uint32_t, uint32_t *, uint8_t *);
        int dspqueue_read(dspqueue_t, uint32_t *, uint32_t, uint32_t *, struct dspqueue_buffer *, uint32_t,
                          uint32_t *, uint8_t *, uint32_t);
        int dspqueue_write(dspqueue_t, uint32_t, uint32_t, struct dspqueue_buffer *, uint32_t, const uint8_t *,
                           uint32_t);
        int HAP_mmap_get(int, void **, uint64_t *);
        int HAP_mmap_put(int);
        void HAP_debug_v2(int, const char *, int, const char *, ...);

        struct echo {
            dspqueue_t queue;
            int error;
            uint8_t message[65536];
        };

        int echo_open(const char *uri, remote_handle64 *h) {
            if (strncmp(uri, "file:///libecho_skel.so", 23) != 0) return AEE_EBADPARM;
            struct echo *e = calloc(1, sizeof *e);
            *h = (uintptr_t)e;
            return e ? 0 : AEE_ENOMEMORY;
        }
        int echo_close(remote_handle64 h) {
            struct echo *e = (void *)(uintptr_t)h;
            if (e->queue) dspqueue_close(e->queue);
            free(e);
            return 0;
        }
        int echo_sum(remote_handle64 h, const int32_t *v, int n, int64_t *r) {
            (void)h;
            *r = 0;
            for (int i = 0; i < n; i++) *r += v[i];
            return n == 3 && v[2] == -1 ? AEE_EBADITEM : 0;
        }
        int echo_text(remote_handle64 h, const char *a, char *b, int bLen, char *c, int cLen) {
            (void)h;
            strncpy(b, a, bLen - 1);
            b[bLen - 1] = 0;
            for (int i = 0; i < cLen - 1; i++) c[i] ^= 0x20;
            return 0;
        }
        int echo_numbers(remote_handle64 h, int32_t a, int32_t *b, uint8_t *c) {
            (void)h;
            *b += a;
            *c = 77;
            return 0;
        }
        int echo_peek(remote_handle64 h, int32_t fd, int32_t offset, int32_t *value) {
            (void)h;
            void *address = 0;
            uint64_t physical = 0;
            int status = HAP_mmap_get(fd, &address, &physical);
            if (status) return status;
            memcpy(value, (char *)address + offset, 4);
            return HAP_mmap_put(fd) || physical >> 32 ? 1 : 0;
        }
        int echo_say(remote_handle64 h, const char *a) {
            (void)h;
            HAP_debug_v2(2, "echo.c", 7, "%s said %d", a, 12);
            return 0;
        }

        /* Answers a packet: every byte one more, in the message and in the buffers. */
        static int answer(struct echo *e, uint32_t count, struct dspqueue_buffer *buffers, uint32_t length) {
            for (uint32_t i = 0; i < length; i++) e->message[i]++;
            for (uint32_t i = 0; i < count; i++) {
                uint8_t *bytes = buffers[i].ptr;
                for (uint32_t k = 0; k < buffers[i].size; k++) bytes[k]++;
                buffers[i].flags = 0;
            }
            return dspqueue_write(e->queue, 0, count, buffers, length, e->message, 0xffffffff);
        }
        static void on_packet(dspqueue_t queue, int error, void *context) {
            struct echo *e = context;
            struct dspqueue_buffer buffers[64];
            uint32_t flags, count, length;
            (void)error;
            e->queue = queue;
            while (dspqueue_read_noblock(queue, &flags, 64, &count, buffers, sizeof e->message, &length,
                                         e->message) == 0)
                if (answer(e, count, buffers, length)) return;
        }
        static void on_error(dspqueue_t queue, int error, void *context) {
            struct echo *e = context;
            (void)queue;
            e->error = error;
        }
        int echo_start(remote_handle64 h, uint64_t queue, int32_t callbacks) {
            struct echo *e = (void *)(uintptr_t)h;
            return dspqueue_import(queue, callbacks ? on_packet : 0, callbacks ? on_error : 0, e, &e->queue);
        }
        int echo_serve(remote_handle64 h, int32_t packets) {
            struct echo *e = (void *)(uintptr_t)h;
            struct dspqueue_buffer buffers[64];
            uint32_t flags, count, length;
            for (int i = 0; i < packets; i++) {
                int status = dspqueue_read(e->queue, &flags, 64, &count, buffers, sizeof e->message, &length,
                                           e->message, 200000);
                if (!status) status = answer(e, count, buffers, length);
                if (status) return status;
            }
            return 0;
        }
        int echo_stop(remote_handle64 h, int32_t *error) {
            struct echo *e = (void *)(uintptr_t)h;
            *error = e->error;
            int status = dspqueue_close(e->queue);
            e->queue = 0;
            return status;
        }
        """
}
