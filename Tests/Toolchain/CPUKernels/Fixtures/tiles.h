// Tile instructions on processors without them: they fault, and the handler of that does what Intel's manual says of
// them, faults of wrong configurations included. So the kernels run as they are compiled.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for the registers' names
#endif
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t column_bytes[16];
    uint8_t rows[16];
} tile_configuration;

static struct {
    int configured;
    tile_configuration shape;
    uint8_t data[8][16][64];
} tiles;

static void tile_fault(const char *what) {
    fprintf(stderr, "tile fault: %s\n", what);
    abort();
}

// The shape of a tile that an instruction takes.
static void check_tile(int tile) {
    if (!tiles.configured) tile_fault("no configuration");
    if (tile < 0 || tile > 7 || tiles.shape.rows[tile] == 0) tile_fault("a tile without a shape");
}

static void emulate_configure(const tile_configuration *c) {
    if (c->palette != 1 || c->start_row) tile_fault("palette or start row");
    for (int i = 0; i < 14; i++)
        if (c->reserved[i]) tile_fault("reserved bytes");
    for (int t = 0; t < 16; t++) {
        if (t > 7 && (c->rows[t] || c->column_bytes[t])) tile_fault("more tiles than there are");
        if (c->rows[t] > 16 || c->column_bytes[t] > 64) tile_fault("a tile too large");
        if (!c->rows[t] != !c->column_bytes[t]) tile_fault("rows without columns");
    }
    memset(&tiles, 0, sizeof tiles);
    tiles.configured = 1;
    tiles.shape = *c;
}

static void emulate_release(void) { memset(&tiles, 0, sizeof tiles); }

static void emulate_zero(int tile) {
    check_tile(tile);
    memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}

static void emulate_load(int tile, const void *base, size_t stride) {
    emulate_zero(tile);
    for (size_t r = 0; r < tiles.shape.rows[tile]; r++)
        memcpy(tiles.data[tile][r], (const uint8_t *)base + r * stride, tiles.shape.column_bytes[tile]);
}

static void emulate_store(int tile, void *base, size_t stride) {
    check_tile(tile);
    for (size_t r = 0; r < tiles.shape.rows[tile]; r++)
        memcpy((uint8_t *)base + r * stride, tiles.data[tile][r], tiles.shape.column_bytes[tile]);
}

static float bf16_value(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// First and second numbers of pairs are summed on their own, by fused multiply-adds from zero; their sum is added to
// what the tile had. Denormal inputs are zeros, denormal results become zeros.
__attribute__((target("avx2,fma"))) static void emulate_multiply(int sums, int a, int b) {
    check_tile(sums), check_tile(a), check_tile(b);
    const uint16_t *bytes = tiles.shape.column_bytes;
    const uint8_t *rows = tiles.shape.rows;
    if (sums == a || sums == b || a == b) tile_fault("one tile twice");
    if (bytes[sums] % 4 || bytes[a] % 4 || bytes[b] % 4) tile_fault("parts of pairs");
    if (rows[sums] != rows[a] || bytes[sums] != bytes[b] || bytes[a] / 4 != rows[b]) tile_fault("shapes do not fit");
    const uint32_t flush_to_zero = 0x8040, saved = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80 | flush_to_zero);
    for (size_t m = 0; m < rows[sums]; m++) {
        float even[16] = {0}, odd[16] = {0}, out[16];
        for (size_t k = 0; k < bytes[a] / 4; k++) {
            uint16_t x[2], w[16][2];
            memcpy(x, tiles.data[a][m] + 4 * k, sizeof x);
            memcpy(w, tiles.data[b][k], sizeof w);
            for (int n = 0; n < 16; n++) {
                even[n] = __builtin_fmaf(bf16_value(x[0]), bf16_value(w[n][0]), even[n]);
                odd[n] = __builtin_fmaf(bf16_value(x[1]), bf16_value(w[n][1]), odd[n]);
            }
        }
        memcpy(out, tiles.data[sums][m], sizeof out);
        for (int n = 0; n < bytes[sums] / 4; n++) out[n] += even[n] + odd[n];
        memcpy(tiles.data[sums][m], out, sizeof out);
    }
    __builtin_ia32_ldmxcsr(saved);
}

// MARK: instructions

static uint64_t general_register(const ucontext_t *context, int number) {
    static const int names[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)context->uc_mcontext.gregs[names[number]];
}

static int is_tile_instruction(const uint8_t *code) {
    return code[0] == 0xc4 && (code[1] & 0x1f) == 2 && (code[2] & 0x84) == 0
           && (code[3] == 0x49 || code[3] == 0x4b || code[3] == 0x5c);
}

// Returns its length: three bytes of VEX prefix, an opcode, ModRM, and those of memory SIB and a displacement.
static size_t emulate_instruction(const uint8_t *code, const ucontext_t *context) {
    const int prefix = code[2] & 3, second = ~(code[2] >> 3) & 15; // 0: none, 1: 66, 2: F3, 3: F2
    const int opcode = code[3], mode = code[4] >> 6, reg = code[4] >> 3 & 7, rm = code[4] & 7;
    size_t length = 5;
    uint64_t address = 0, stride = 0;
    if (mode != 3) {
        int base = rm;
        if (rm == 4) {
            const int sib = code[length++], index = (sib >> 3 & 7) | (code[1] & 0x40 ? 0 : 8);
            base = sib & 7;
            if (index != 4) stride = general_register(context, index) << (sib >> 6);
        }
        if (base == 5 && mode == 0) tile_fault("an address without a base register");
        address = general_register(context, base | (code[1] & 0x20 ? 0 : 8));
        int32_t displacement = 0;
        if (mode == 1) displacement = (int8_t)code[length++];
        if (mode == 2) memcpy(&displacement, code + length, 4), length += 4;
        address += (uint64_t)(int64_t)displacement;
    }
    if (opcode == 0x49 && prefix == 0 && mode != 3)
        emulate_configure((const tile_configuration *)(address + stride));
    else if (opcode == 0x49 && prefix == 0 && code[4] == 0xc0)
        emulate_release();
    else if (opcode == 0x49 && prefix == 3 && mode == 3)
        emulate_zero(reg);
    else if (opcode == 0x4b && prefix == 3 && mode != 3 && rm == 4)
        emulate_load(reg, (const void *)address, stride);
    else if (opcode == 0x4b && prefix == 2 && mode != 3 && rm == 4)
        emulate_store(reg, (void *)address, stride);
    else if (opcode == 0x5c && prefix == 2 && mode == 3)
        emulate_multiply(reg, rm, second);
    else
        tile_fault("another instruction");
    return length;
}

static void on_illegal_instruction(int number, siginfo_t *info, void *context_of_fault) {
    (void)number, (void)info;
    ucontext_t *context = context_of_fault;
    const uint8_t *code = (const uint8_t *)context->uc_mcontext.gregs[REG_RIP];
    if (!is_tile_instruction(code)) tile_fault("another instruction");
    // Those that follow at once save a fault each.
    while (is_tile_instruction(code)) code += emulate_instruction(code, context);
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)code;
}

// False where the processor has tiles, which would not fault.
static int emulate_tiles(void) {
    uint32_t eax, ebx, ecx, edx;
    const uint32_t amx_tile = 1u << 24;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || edx & amx_tile) return 0;
    struct sigaction action = {.sa_sigaction = on_illegal_instruction, .sa_flags = SA_SIGINFO};
    return sigaction(SIGILL, &action, NULL) == 0;
}
