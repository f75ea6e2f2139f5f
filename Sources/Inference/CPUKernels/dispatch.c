// Which levels this processor has.
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

// Register state the operating system saves (XCR0).
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int has(uint32_t bits, uint32_t wanted) { return (bits & wanted) == wanted; }

static int x86_level(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return CPU_KERNELS_PORTABLE;
    const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    if (!has(ecx, fma | osxsave | avx | f16c)) return CPU_KERNELS_PORTABLE;
    const uint64_t ymm = 0x6, zmm = 0xe6;
    uint64_t state = saved_state();
    if ((state & ymm) != ymm) return CPU_KERNELS_PORTABLE;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return CPU_KERNELS_PORTABLE;
    const uint32_t avx2 = 1u << 5;
    if (!has(ebx, avx2)) return CPU_KERNELS_PORTABLE;
    const uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31; // of EBX
    const uint32_t vbmi = 1u << 1, vnni = 1u << 11;                           // of ECX
    if (!has(ebx, f | dq | bw | vl) || !has(ecx, vbmi | vnni) || (state & zmm) != zmm) return CPU_KERNELS_AVX2;

    const uint32_t amx_bf16 = 1u << 22, amx_tile = 1u << 24; // of EDX
    const uint64_t tiles = 0x60000;
    const int amx = has(edx, amx_bf16 | amx_tile) && (state & tiles) == tiles;
    const uint32_t avx512_bf16 = 1u << 5;
    if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) || !has(eax, avx512_bf16)) return CPU_KERNELS_AVX512_VNNI;
    return amx && cpu_amx_works() ? CPU_KERNELS_AMX : CPU_KERNELS_AVX512_BF16;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

static int arm_level(void) {
    const unsigned long asimddp = 1ul << 20, i8mm = 1ul << 13; // HWCAP_ASIMDDP, HWCAP2_I8MM
    if (!(getauxval(AT_HWCAP) & asimddp)) return CPU_KERNELS_PORTABLE;
    return getauxval(AT_HWCAP2) & i8mm ? CPU_KERNELS_NEON_I8MM : CPU_KERNELS_NEON_DOTPROD;
}
#endif

const cpu_kernels *cpu_kernels_get(int level) {
    switch (level) {
    case CPU_KERNELS_PORTABLE: return &cpu_kernels_portable;
#if defined(__x86_64__)
    case CPU_KERNELS_AVX2: return x86_level() >= CPU_KERNELS_AVX2 ? &cpu_kernels_avx2 : NULL;
    case CPU_KERNELS_AVX512_VNNI:
        return x86_level() >= CPU_KERNELS_AVX512_VNNI ? &cpu_kernels_avx512_vnni : NULL;
    case CPU_KERNELS_AVX512_BF16:
        return x86_level() >= CPU_KERNELS_AVX512_BF16 ? &cpu_kernels_avx512_bf16 : NULL;
    case CPU_KERNELS_AMX: return x86_level() >= CPU_KERNELS_AMX ? &cpu_kernels_amx : NULL;
#elif defined(__aarch64__)
    case CPU_KERNELS_NEON_DOTPROD: return arm_level() >= CPU_KERNELS_NEON_DOTPROD ? &cpu_kernels_neon_dotprod : NULL;
    case CPU_KERNELS_NEON_I8MM: return arm_level() >= CPU_KERNELS_NEON_I8MM ? &cpu_kernels_neon_i8mm : NULL;
#endif
    default: return NULL;
    }
}

int cpu_kernels_best(void) {
    for (int level = CPU_KERNELS_LEVELS - 1; level > CPU_KERNELS_PORTABLE; level--)
        if (cpu_kernels_get(level)) return level;
    return CPU_KERNELS_PORTABLE;
}

const char *cpu_kernels_name(int level) {
    switch (level) {
    case CPU_KERNELS_PORTABLE: return "portable";
    case CPU_KERNELS_AVX2: return "avx2";
    case CPU_KERNELS_AVX512_VNNI: return "avx512-vnni";
    case CPU_KERNELS_AVX512_BF16: return "avx512-bf16";
    case CPU_KERNELS_AMX: return "amx";
    case CPU_KERNELS_NEON_DOTPROD: return "neon-dotprod";
    case CPU_KERNELS_NEON_I8MM: return "neon-i8mm";
    default: return NULL;
    }
}
