/// A C program that calls a generated stub, prints what it sends, and hands it to the generated skel.
enum LoopbackProgram {
    static let idl = """
        #include "remote.idl"
        struct Named { long id; string name; };
        struct Blob { octet kind; sequence<uint16_t> data; long long stamp; };
        typedef sequence<octet> buf;
        struct Inner { long x; sequence<octet> l; };
        struct Outer { octet z; sequence<Inner> a; double t; };
        struct Wrap { short k; Inner i; };
        interface t : remote_handle64 {
          long deep(in sequence<Outer> a, rout sequence<Outer> b, in long c);
          long wrap(in Wrap a, rout Wrap b, rout octet c);
          long sum(in sequence<long> v, rout long long r);
          long str(in string a, rout string b, inrout string c);
          long nested(in sequence<buf> a, rout sequence<buf> b, in sequence<octet> c, rout sequence<octet> d);
          long strings(in sequence<string> a, rout sequence<string> b);
          long cstruct(in octet a, in Named n, rout Named m);
          long seqstruct(in sequence<Blob> a, rout sequence<Blob> b);
          long dmaseq(in sequence<dmahandle> a, in dmahandle b, rout dmahandle c);
          async long fire(in long a, in sequence<octet> b, rout sequence<octet> c);
          long scalars(in octet a, in long long b, in short c, rout octet d, rout double e, rout short f);
        };
        """

    /// The implementation behind the skel.
    static let implementation = """
        #include "t.h"
        #include <stdio.h>
        #include <string.h>
        int t_open(const char *uri, remote_handle64 *h) { *h = 77; return uri[0] == 'f' ? 0 : AEE_EBADPARM; }
        int t_close(remote_handle64 h) { return h == 77 ? 0 : AEE_EINVHANDLE; }
        int adsp_mmap_fd_getinfo(int fd, uint32_t *length) { *length = fd * 1000; return 0; }
        int t_scalars(remote_handle64 h, uint8_t a, int64_t b, int16_t c, uint8_t *d, double *e, int16_t *f) {
            *d = a + 1; *e = (double)b; *f = c; return h == 77 ? 0 : 1;
        }
        int t_sum(remote_handle64 h, const int32_t *v, int n, int64_t *r) {
            (void)h; for (int i = 0; i < n; i++) *r += v[i];
            return 0;
        }
        int t_str(remote_handle64 h, const char *a, char *b, int bLen, char *c, int cLen) {
            (void)h; (void)cLen; memset(b, 'x', bLen); c[0] = a[0]; return 0;
        }
        int t_nested(remote_handle64 h, const buf *a, int aLen, buf *b, int bLen, const uint8_t *c, int cLen,
                     uint8_t *d, int dLen) {
            (void)h; (void)c; (void)cLen;
            for (int i = 0; i < bLen; i++) memset(b[i].data, a[i % aLen].data[0], b[i].dataLen);
            memset(d, 0x77, dLen);
            return 0;
        }
        int t_strings(remote_handle64 h, const _cstring1_t *a, int aLen, _cstring1_t *b, int bLen) {
            (void)h; (void)aLen;
            for (int i = 0; i < bLen; i++) memset(b[i].data, a[i].data[0], b[i].dataLen);
            return 0;
        }
        int t_cstruct(remote_handle64 h, uint8_t a, const Named *n, Named *m) {
            (void)h; m->id = n->id + a; strcpy(m->name, n->name); return 0;
        }
        int t_seqstruct(remote_handle64 h, const Blob *a, int aLen, Blob *b, int bLen) {
            (void)h; (void)aLen;
            for (int i = 0; i < bLen; i++) {
                b[i].kind = a[i].kind + 1; b[i].stamp = a[i].stamp; memset(b[i].data, i + 1, 2 * b[i].dataLen);
                b[i].dataLen = 0; /* What the implementation does to a length must not matter. */
            }
            return 0;
        }
        int t_dmaseq(remote_handle64 h, const _dmahandle1_t *a, int aLen, int b, uint32_t bOffset, uint32_t bLen,
                     int c, uint32_t cOffset, uint32_t cLen) {
            (void)h;
            printf("dma %d %d.%u.%u %d.%u.%u %d.%u.%u\\n", aLen, a[1].fd, a[1].offset, a[1].len, b, bOffset, bLen, c,
                   cOffset, cLen);
            return 0;
        }
        int t_fire(remote_handle64 h, fastrpc_async_descriptor_t *d, int32_t a, const uint8_t *b, int bLen,
                   uint8_t *c, int cLen) {
            (void)h; (void)a; memset(c, b[bLen - 1], cLen); return d ? 1 : 0;
        }
        int t_deep(remote_handle64 h, const Outer *a, int aLen, Outer *b, int bLen, int32_t c) {
            (void)h; (void)aLen;
            for (int i = 0; i < bLen; i++) {
                b[i].z = a[i].z; b[i].t = a[i].t + c;
                for (int j = 0; j < b[i].aLen; j++) {
                    b[i].a[j].x = a[i].a[0].x + j; memset(b[i].a[j].l, a[i].a[0].l[0], b[i].a[j].lLen);
                }
            }
            return 0;
        }
        int t_wrap(remote_handle64 h, const Wrap *a, Wrap *b, uint8_t *c) {
            (void)h; b->k = a->k; b->i.x = a->i.x; memset(b->i.l, a->i.l[0], b->i.lLen); *c = 8; return 0;
        }
        """

    /// The caller: compiled with the stub's names, `t_sum` being `stub_t_sum`.
    static let driver = """
        #include "t.h"
        #include <stdio.h>
        #include <string.h>
        int t_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);
        static void hex(const char *name, const void *bytes, size_t count) {
            printf("%s", name);
            for (size_t i = 0; i < count; i++) printf("%s%02x", i % 4 ? "" : " ", ((const unsigned char *)bytes)[i]);
            printf("\\n");
        }
        int remote_handle64_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra) {
            int in = REMOTE_SCALARS_INBUFS(sc), out = REMOTE_SCALARS_OUTBUFS(sc), i = 0;
            printf("sc %08x\\n", sc);
            for (; i < in; i++) hex("in", pra[i].buf.pv, pra[i].buf.nLen);
            for (; i < in + out; i++) printf("out %d\\n", (int)pra[i].buf.nLen);
            for (; i < (int)REMOTE_SCALARS_LENGTH(sc); i++) printf("handle %d %u\\n", pra[i].dma.fd, pra[i].dma.offset);
            remote_arg copy[64];
            /* One byte less than any secondary buffer needs is refused, and so is one buffer less. */
            for (i = 0; i < in + out; i++) {
                if (i == 0 || i == in || pra[i].buf.nLen == 0) continue;
                memcpy(copy, pra, sizeof(remote_arg) * REMOTE_SCALARS_LENGTH(sc));
                copy[i].buf.nLen--;
                if (t_skel_handle_invoke(h, sc, copy) != AEE_EBADPARM) printf("accepted a short buffer %d\\n", i);
            }
            memcpy(copy, pra, sizeof(remote_arg) * REMOTE_SCALARS_LENGTH(sc));
            if (in && t_skel_handle_invoke(h, sc - (1 << 16), copy) != AEE_EBADPARM) printf("accepted too few\\n");
            if (in) {
                copy[0].buf.nLen = 3;
                if (t_skel_handle_invoke(h, sc, copy) != AEE_EBADPARM) printf("accepted no primitives\\n");
            }
            return t_skel_handle_invoke(h, sc, pra);
        }
        int remote_handle64_invoke_async(remote_handle64 h, fastrpc_async_descriptor_t *d, uint32_t sc, remote_arg *pra) {
            return d ? AEE_EFAILED : remote_handle64_invoke(h, sc, pra);
        }
        int remote_handle64_open(const char *uri, remote_handle64 *h) {
            uint32_t length = strlen(uri) + 1;
            remote_arg pra[3] = {{.buf = {&length, 4}}, {.buf = {(void *)uri, length}}};
            if (t_skel_handle_invoke(0, 0x00020001, pra) != 0) return 1;
            *h = pra[2].h64;
            pra[1].buf.nLen--;
            return t_skel_handle_invoke(0, 0x00020001, pra) == AEE_EBADPARM ? 0 : 2;
        }
        int remote_handle64_close(remote_handle64 h) {
            remote_arg pra[1] = {{.h64 = h}};
            return t_skel_handle_invoke(0, 0x01000010, pra);
        }
        int remote_register_dma_handle(int fd, uint32_t length) { printf("register %d %u\\n", fd, length); return 0; }

        int main(void) {
            remote_handle64 h = 0;
            printf("open %d", t_open(t_URI, &h));
            printf(" %d\\n", (int)h);
            { uint8_t d; double e; int16_t f; int r = t_scalars(h, 0x11, 0x2222222222222222, 0x3333, &d, &e, &f);
              printf("= %d %x %a %x\\n", r, d, e, f); }
            { int32_t v[] = {1, 2, 3}; int64_t r = 9; int e = t_sum(h, v, 3, &r); printf("= %d %d\\n", e, (int)r);
              e = t_sum(h, 0, 0, &r); printf("= %d %d\\n", e, (int)r); }
            { char b[8], c[6] = "ab"; int e = t_str(h, "hi", b, 8, c, 6); printf("= %d %s %s\\n", e, b, c); }
            { uint8_t x[] = {1, 2, 3}, y[] = {4, 5}, p[5], q[1], c[4] = {9, 8, 7, 6}, d[7];
              buf a[2] = {{x, 3}, {y, 2}}, b[2] = {{p, 5}, {q, 1}};
              int e = t_nested(h, a, 2, b, 2, c, 4, d, 7);
              printf("= %d\\n", e); hex("=", p, 5); hex("=", q, 1); hex("=", d, 7); }
            { char p[4], q[3]; _cstring1_t a[2] = {{"a", 0}, {"bcd", 0}}, b[2] = {{p, 4}, {q, 3}};
              int e = t_strings(h, a, 2, b, 2); printf("= %d %s %s\\n", e, p, q); }
            { char p[10]; Named n = {7, "xyz", 0}, m = {0, p, 10}; int e = t_cstruct(h, 0x55, &n, &m);
              printf("= %d %x %s\\n", e, m.id, m.name); }
            { uint16_t x[] = {1, 2}, y[] = {3}, p[3], q[2];
              Blob a[2] = {{0xa1, x, 2, 0x1111111111111111}, {0xa2, y, 1, 0x2222222222222222}};
              Blob b[2] = {{0, p, 3, 0}, {0, q, 2, 0}};
              int e = t_seqstruct(h, a, 2, b, 2);
              printf("= %d %x %x %llx\\n", e, b[0].kind, b[1].kind, (unsigned long long)b[1].stamp);
              hex("=", p, 6); hex("=", q, 4); }
            { _dmahandle1_t a[2] = {{5, 1, 2}, {6, 3, 4}}; int e = t_dmaseq(h, a, 2, 7, 16, 4096, 8, 32, 8192);
              printf("= %d\\n", e); }
            { uint8_t b[3] = {1, 2, 3}, c[2]; int e = t_fire(h, 0, 7, b, 3, c, 2); printf("= %d\\n", e); hex("=", c, 2); }
            { uint8_t l1[] = {1, 2}, l2[] = {3}, l3[] = {4, 5, 6}, o1[4], o2[5], o3[6];
              Inner i0[2] = {{0x10, l1, 2}, {0x20, l2, 1}}, i1[1] = {{0x30, l3, 3}};
              Inner r0[1] = {{0, o1, 4}}, r1[2] = {{0, o2, 5}, {0, o3, 6}};
              Outer a[2] = {{0xa1, i0, 2, 1}, {0xa2, i1, 1, 2}}, b[2] = {{0, r0, 1, 0}, {0, r1, 2, 0}};
              int e = t_deep(h, a, 2, b, 2, 0x77);
              printf("= %d %x %g %x %g\\n", e, b[0].z, b[0].t, b[1].z, b[1].t);
              printf("= %x %x %x\\n", r0[0].x, r1[0].x, r1[1].x); hex("=", o1, 4); hex("=", o2, 5); hex("=", o3, 6); }
            { uint8_t x[2] = {1, 2}, o[4], c; Wrap a = {0x1111, {0x2222, x, 2}}, b = {0, {0, o, 4}};
              int e = t_wrap(h, &a, &b, &c); printf("= %d %x %x %d\\n", e, b.k, b.i.x, c); hex("=", o, 4); }
            printf("close %d\\n", t_close(h));
            printf("unknown %x\\n", t_skel_handle_invoke(h, 0x1e000000, 0));
            return 0;
        }
        """

    /// What the reference compiler's stub sends for these values (gaps as zeros), and what comes back.
    static let expected = """
        open 0 77
        sc 0c010100
        in 11000000 00000000 22222222 22222222 33330000 00000000
        out 24
        = 0 12 0x1.1111111111111p+61 3333
        sc 04020100
        in 03000000
        in 01000000 02000000 03000000
        out 8
        = 0 6
        sc 04020100
        in 00000000
        in
        out 8
        = 0 0
        sc 05030200
        in 03000000 08000000 03000000 06000000
        in 686900
        in 616200
        out 8
        out 6
        = 0 xxxxxxx hb
        sc 06060300
        in 02000000 02000000 04000000 07000000
        in 03000000 02000000
        in 010203
        in 0405
        in 05000000 01000000
        in 09080706
        out 5
        out 1
        out 7
        = 0
        = 01010101 01
        = 04
        = 77777777 777777
        sc 07050200
        in 02000000 02000000
        in 02000000 04000000
        in 6100
        in 62636400
        in 04000000 03000000
        out 4
        out 3
        = 0 aaa bb
        sc 08020200
        in 55000000 07000000 04000000 0a000000
        in 78797a00
        out 4
        out 10
        = 0 5c xyz
        sc 09050300
        in 02000000 02000000
        in a1000000 02000000 11111111 11111111 a2000000 01000000 22222222 22222222
        in 01000200
        in 0300
        in 03000000 02000000
        out 32
        out 6
        out 4
        = 0 a2 a3 2222222222222222
        = 01010101 0101
        = 02020202
        register 5 2
        register 6 4
        register 7 4096
        register 8 8192
        sc 0a010031
        in 02000000
        handle 5 1
        handle 6 3
        handle 7 16
        handle 8 32
        dma 2 6.3.6000 7.16.7000 8.32.8000
        = 0
        sc 0b020100
        in 07000000 03000000 02000000
        in 010203
        out 2
        = 0
        = 0303
        sc 020a0600
        in 02000000 02000000 77000000
        in a1000000 02000000 00000000 0000f03f a2000000 01000000 00000000 00000040
        in 10000000 02000000 20000000 01000000
        in 0102
        in 03
        in 30000000 03000000
        in 040506
        in 01000000 02000000
        in 04000000
        in 05000000 06000000
        out 32
        out 4
        out 4
        out 8
        out 5
        out 6
        = 0 a1 120 a2 121
        = 10 30 31
        = 01010101
        = 04040404 04
        = 04040404 0404
        sc 03020200
        in 11110000 22220000 02000000 04000000
        in 0102
        out 12
        out 4
        = 0 1111 2222 8
        = 01010101
        close 0
        unknown 14

        """
}
