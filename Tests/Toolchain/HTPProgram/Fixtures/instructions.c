// Runs every intrinsic that the DSP program uses on many inputs and writes what it was given and what it
// gave. The same source is compiled for the host, where they are emulated, and for Hexagon.
//
// A record is five vectors: name (32 bytes) and scalar (4 bytes, then zeros), the operands u, v and x, and
// the result. Operands that an intrinsic does not have are written all the same.
#include "hvx.h"

#include "standalone.h"

typedef struct record {
    char name[32];
    int32_t r;
    int32_t unused[23];
    HVX_Vector u, v, x, result;
} record;

_Static_assert(sizeof(record) == 5 * HVX_BYTES, "read by the test");

static record records[32];
static unsigned record_count;

static void flush(void) {
    write_all(records, record_count * sizeof(record));
    record_count = 0;
}

typedef struct intrinsic {
    const char *name;
    void (*run)(record *o);
} intrinsic;

static void check(const intrinsic *f, HVX_Vector u, HVX_Vector v, HVX_Vector x, int32_t r) {
    record *o = &records[record_count++];
    __builtin_memset(o, 0, sizeof *o);
    for (unsigned i = 0; i + 1 < sizeof o->name && f->name[i]; i++) o->name[i] = f->name[i];
    o->r = r;
    o->u = u;
    o->v = v;
    o->x = x;
    f->run(o);
    if (record_count == sizeof records / sizeof *records) flush();
}

// A function for each intrinsic, by its operands.
#define DEFINE(NAME, ...)                                                                                    \
    __attribute__((noinline)) static void run_##NAME(record *o) {                                            \
        (void)o;                                                                                             \
        o->result = NAME(__VA_ARGS__);                                                                       \
    }
#define ENTRY(NAME, ...) {#NAME, run_##NAME},
// Of a pair, each vector has its own record.
#define DEFINE_PAIR(NAME, ...)                                                                               \
    __attribute__((noinline)) static void run_lo_##NAME(record *o) {                                         \
        o->result = Q6_V_lo_W(NAME(__VA_ARGS__));                                                            \
    }                                                                                                        \
    __attribute__((noinline)) static void run_hi_##NAME(record *o) {                                         \
        o->result = Q6_V_hi_W(NAME(__VA_ARGS__));                                                            \
    }
#define ENTRY_PAIR(NAME, ...) {#NAME, run_lo_##NAME}, {#NAME, run_hi_##NAME},

// A predicate is seen through the selection that it makes.
#define DEFINE_PREDICATE(NAME, ...)                                                                          \
    __attribute__((noinline)) static void run_##NAME(record *o) {                                            \
        o->result = Q6_V_vmux_QVV(NAME(__VA_ARGS__), o->u, SECOND(o->u));                                    \
    }

#define NO_OPERANDS(F) F(Q6_V_vzero)
#define OF_SCALAR(F)                                                                                         \
    F(Q6_V_vsplat_R, o->r)                                                                                   \
    F(Q6_Vh_vsplat_R, o->r)
#define OF_TWO_VECTORS(F)                                                                                    \
    F(Q6_V_vand_VV, o->u, o->v)                                                                              \
    F(Q6_V_vor_VV, o->u, o->v)                                                                               \
    F(Q6_V_vxor_VV, o->u, o->v)                                                                              \
    F(Q6_Vw_vadd_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vw_vsub_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vw_vmax_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vw_vmin_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vw_vadd_VwVw_sat, o->u, o->v)                                                                       \
    F(Q6_Vw_vsub_VwVw_sat, o->u, o->v)                                                                       \
    F(Q6_Vw_vabs_Vw, o->u)                                                                                   \
    F(Q6_Vw_vnormamt_Vw, o->u)                                                                               \
    F(Q6_Vw_vmpyo_VwVh_s1_rnd_sat, o->u, o->v)                                                               \
    F(Q6_Vh_vmpy_VhVh_s1_rnd_sat, o->u, o->v)                                                                \
    F(Q6_Vh_vadd_VhVh, o->u, o->v)                                                                           \
    F(Q6_Vh_vavg_VhVh, o->u, o->v)                                                                           \
    F(Q6_V_lo_W, Q6_W_vcombine_VV(o->v, o->u))                                                               \
    F(Q6_V_hi_W, Q6_W_vcombine_VV(o->v, o->u))                                                               \
    F(Q6_Vh_vpacke_VwVw, o->u, o->v)                                                                         \
    F(Q6_Vb_vpacke_VhVh, o->u, o->v)                                                                         \
    F(Q6_Vh_vshuff_Vh, o->u)                                                                                 \
    F(Q6_Vh_vdeal_Vh, o->u)
#define PREDICATES_OF_TWO_VECTORS(F)                                                                         \
    F(Q6_Q_vcmp_gt_VwVw, o->u, o->v)                                                                         \
    F(Q6_Q_vcmp_gtand_QVwVw, Q6_Q_vcmp_gt_VwVw(o->v, SECOND(o->u)), o->u, o->v)
#define OF_VECTOR_AND_SHIFTS(F)                                                                              \
    F(Q6_Vw_vasl_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vw_vlsr_VwVw, o->u, o->v)                                                                           \
    F(Q6_Vh_vlsr_VhVh, o->u, o->v)
#define OF_VECTOR_AND_SHIFT(F)                                                                               \
    F(Q6_Vw_vasl_VwR, o->u, o->r)                                                                            \
    F(Q6_Vw_vasr_VwR, o->u, o->r)                                                                            \
    F(Q6_Vuw_vlsr_VuwR, o->u, o->r)                                                                          \
    F(Q6_Vw_vaslacc_VwVwR, o->x, o->u, o->r)                                                                 \
    F(Q6_Vw_vasracc_VwVwR, o->x, o->u, o->r)                                                                 \
    F(Q6_Vh_vasl_VhR, o->u, o->r)                                                                            \
    F(Q6_Vuh_vlsr_VuhR, o->u, o->r)                                                                          \
    F(Q6_Vh_vaslacc_VhVhR, o->x, o->u, o->r)                                                                 \
    F(Q6_Vh_vasracc_VhVhR, o->x, o->u, o->r)                                                                 \
    F(Q6_Vub_vlsr_VubR, o->u, o->r)                                                                          \
    F(Q6_Vh_vasr_VwVwR_rnd_sat, o->u, o->x, o->r)                                                            \
    F(Q6_Vb_vlut32_VbVbR_nomatch, o->u, o->x, o->r)
#define OF_VECTOR_AND_ROTATION(F)                                                                            \
    F(Q6_V_vror_VR, o->u, o->r)                                                                              \
    F(Q6_V_vmux_QVV, Q6_Q_vsetq2_R(o->r), o->u, SECOND(o->u))
#define PREDICATES_OF_COUNT(F) F(Q6_Q_vsetq2_R, o->r)
#define OF_VECTOR_AND_FACTORS(F)                                                                             \
    F(Q6_Vw_vrmpyacc_VwVubRb, o->x, o->u, o->r)                                                              \
    F(Q6_Vb_condacc_QVbVb, Q6_Q_vand_VR(o->u, o->r), o->x, o->u)                                             \
    F(Q6_Vh_vmpy_VhRh_s1_rnd_sat, o->u, o->r)
#define PREDICATES_OF_FACTORS(F) F(Q6_Q_vand_VR, o->u, o->r)
// Pairs of vectors: u and the constant below, x and u.
#define SECOND(V) Q6_V_vxor_VV(V, Q6_V_vsplat_R(0x5a3c96e1))
#define PAIR_AND_FACTORS(F)                                                                                  \
    F(Q6_W_vcombine_VV, o->x, o->u)                                                                          \
    F(Q6_Wh_vmpa_WubRb, Q6_W_vcombine_VV(SECOND(o->u), o->u), o->r)                                          \
    F(Q6_Wh_vmpaacc_WhWubRb, Q6_W_vcombine_VV(o->u, o->x), Q6_W_vcombine_VV(SECOND(o->u), o->u), o->r)       \
    F(Q6_Ww_vmpy_VhRh, o->u, o->r)                                                                           \
    F(Q6_Ww_vmpyacc_WwVhRh, Q6_W_vcombine_VV(o->u, o->x), o->u, o->r)                                        \
    F(Q6_Ww_vmpy_VhVh, o->u, o->x)                                                                           \
    F(Q6_Ww_vmpyacc_WwVhVh, Q6_W_vcombine_VV(o->u, o->x), o->u, o->x)                                        \
    F(Q6_W_vshuff_VVR, o->u, o->x, o->r)                                                                     \
    F(Q6_W_vdeal_VVR, o->u, o->x, o->r)                                                                      \
    F(Q6_Wuh_vunpack_Vub, o->u)                                                                              \
    F(Q6_Wuw_vunpack_Vuh, o->u)
// The 128 bytes that begin at byte r of u and v.
#define OF_OFFSET(F) F(hvx_load_unaligned, (const uint8_t *)&o->u + o->r)

#define LIST(GROUP) static const intrinsic list_##GROUP[] = {GROUP(ENTRY)};
#define GROUP(NAME) NAME(DEFINE) LIST(NAME)
GROUP(NO_OPERANDS)
GROUP(OF_SCALAR)
GROUP(OF_TWO_VECTORS)
GROUP(OF_VECTOR_AND_SHIFTS)
GROUP(OF_VECTOR_AND_SHIFT)
GROUP(OF_VECTOR_AND_ROTATION)
GROUP(OF_VECTOR_AND_FACTORS)
GROUP(OF_OFFSET)
PREDICATES_OF_COUNT(DEFINE_PREDICATE)
LIST(PREDICATES_OF_COUNT)
PREDICATES_OF_TWO_VECTORS(DEFINE_PREDICATE)
LIST(PREDICATES_OF_TWO_VECTORS)
PREDICATES_OF_FACTORS(DEFINE_PREDICATE)
LIST(PREDICATES_OF_FACTORS)
PAIR_AND_FACTORS(DEFINE_PAIR)
static const intrinsic list_PAIR_AND_FACTORS[] = {PAIR_AND_FACTORS(ENTRY_PAIR)};
#define EACH(F, GROUP)                                                                                       \
    for (const intrinsic *F = list_##GROUP, *end_##F = F + sizeof list_##GROUP / sizeof *F; F < end_##F; F++)

static uint64_t state = 0x2545f4914f6cdd1d;

static int32_t random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int32_t)(uint32_t)(state >> 32);
}

// Words whose bytes, halfwords or whole are extreme.
static const uint32_t edges[] = {
    0,          1,          0xffffffff, 0x80000000, 0x7fffffff, 0x80000001, 0x7ffffffe, 0x00008000,
    0x80008000, 0xffff8000, 0x7fff8000, 0x80007fff, 0x7fff7fff, 0x00007fff, 0x0000ffff, 0xffff0000,
    0x00010001, 0xffff0001, 0x80808080, 0x7f7f7f7f, 0xff00ff00, 0x00ff00ff, 0x80ff7f01, 0x40000000,
    0xc0000000, 0x3fffffff, 0x00004000, 0x00003fff, 0xffffc000, 0x4000c000, 0xc0004000, 0xaaaaaaaa,
};
enum { EDGES = sizeof edges / sizeof *edges, RANDOM = 16, VECTORS = EDGES + RANDOM };

_Static_assert(EDGES == 32, "vector i pairs each lane's edge with that of lane + i");

static HVX_Vector random_vector(void) {
    int32_t words[32] __attribute__((aligned(HVX_BYTES)));
    for (int i = 0; i < 32; i++) words[i] = random_word();
    return hvx_load(words);
}

// All edges, beginning with number `first`.
static HVX_Vector edge_vector(int first) {
    int32_t words[32] __attribute__((aligned(HVX_BYTES)));
    for (int i = 0; i < 32; i++) words[i] = (int32_t)edges[(i + first) % EDGES];
    return hvx_load(words);
}

// Numbers 0 … 31 together pair every edge with every other, lane by lane; the rest are random.
static HVX_Vector first_operand(int i) { return i < EDGES ? edge_vector(0) : random_vector(); }
static HVX_Vector second_operand(int i) { return i < EDGES ? edge_vector(i) : random_vector(); }

// Amounts −64 … 63 in one lane each, moved by `first`, then random words, of which six bits count.
static HVX_Vector amounts(int first) {
    int32_t words[32] __attribute__((aligned(HVX_BYTES)));
    for (int i = 0; i < 32; i++) words[i] = first < 128 ? (i + first) % 128 - 64 : random_word();
    return hvx_load(words);
}

// Compilers differ in which argument they evaluate first: only one of a call may be random.
int main(void) {
    HVX_Vector zero = Q6_V_vzero();
    EACH(f, NO_OPERANDS) check(f, zero, zero, zero, 0);
    EACH(f, OF_SCALAR) {
        for (int i = 0; i < VECTORS; i++)
            check(f, zero, zero, zero, i < EDGES ? (int32_t)edges[i] : random_word());
    }
    EACH(f, OF_TWO_VECTORS) {
        for (int i = 0; i < VECTORS; i++) {
            HVX_Vector u = first_operand(i);
            check(f, u, second_operand(i), zero, 0);
        }
    }
    // Small numbers of either sign.
    EACH(f, OF_TWO_VECTORS) {
        for (int i = 0; i < EDGES; i++) {
            HVX_Vector u = Q6_Vw_vasr_VwR(edge_vector(i), i);
            check(f, u, second_operand(i), zero, 0);
        }
    }
    EACH(f, PREDICATES_OF_TWO_VECTORS) {
        for (int i = 0; i < VECTORS; i++) {
            HVX_Vector u = first_operand(i);
            check(f, u, second_operand(i), zero, 0);
        }
    }
    EACH(f, OF_VECTOR_AND_SHIFTS) {
        for (int first = 0; first < 128 + RANDOM; first++) {
            for (int i = 0; i < 4; i++) {
                HVX_Vector u = i < 2 ? edge_vector(first * 7 + i) : random_vector();
                check(f, u, amounts(first), zero, 0);
            }
        }
    }
    EACH(f, OF_VECTOR_AND_SHIFT) {
        // All amounts, then words of which five bits count.
        for (int amount = 0; amount < 32 + EDGES + RANDOM; amount++) {
            int32_t r = amount < 32 ? amount
                : amount < 32 + EDGES ? (int32_t)edges[amount - 32] : random_word();
            for (int i = 0; i < VECTORS; i += 3) {
                HVX_Vector u = first_operand(i);
                check(f, u, zero, second_operand(i), r);
            }
        }
    }
    EACH(f, OF_VECTOR_AND_ROTATION) {
        for (int amount = 0; amount < 128 + EDGES + RANDOM; amount++) {
            int32_t r = amount < 128 ? amount
                : amount < 128 + EDGES ? (int32_t)edges[amount - 128] : random_word();
            for (int i = 0; i < 4; i++) check(f, random_vector(), zero, zero, r);
        }
    }
    EACH(f, PREDICATES_OF_COUNT) {
        for (int count = 0; count < 256; count++) {
            HVX_Vector u = first_operand(count % VECTORS);
            check(f, u, zero, second_operand(count % VECTORS), count);
        }
    }
    EACH(f, OF_VECTOR_AND_FACTORS) {
        for (int factor = 0; factor < EDGES + RANDOM; factor++) {
            int32_t r = factor < EDGES ? (int32_t)edges[factor] : random_word();
            for (int i = 0; i < VECTORS; i++) {
                HVX_Vector u = first_operand(i);
                check(f, u, zero, second_operand(i), r);
            }
        }
    }
    EACH(f, PREDICATES_OF_FACTORS) {
        for (int factor = 0; factor < EDGES + RANDOM; factor++) {
            int32_t r = factor < EDGES ? (int32_t)edges[factor] : random_word();
            for (int i = 0; i < VECTORS; i++) check(f, first_operand(i), zero, zero, r);
        }
    }
    EACH(f, PAIR_AND_FACTORS) {
        for (int factor = 0; factor < EDGES + RANDOM; factor++) {
            int32_t r = factor < EDGES ? (int32_t)edges[factor] : random_word();
            for (int i = 0; i < VECTORS; i++) {
                HVX_Vector u = first_operand(i);
                check(f, u, zero, second_operand(i), r);
            }
        }
    }
    EACH(f, OF_OFFSET) {
        for (int offset = 0; offset <= HVX_BYTES; offset++) {
            HVX_Vector u = random_vector();
            check(f, u, random_vector(), zero, offset);
        }
    }
    flush();
    return 0;
}
