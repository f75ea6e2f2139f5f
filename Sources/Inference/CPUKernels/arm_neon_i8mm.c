// arm64 with products of small int8 matrices besides (FEAT_I8MM; Armv8.6, and from Armv8.2 on where a core has it).
#if defined(__aarch64__)
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod+i8mm")))
#include "arm_neon_vectors.h"

#include "arm_neon_floats.h"

#include "arm_neon_rows.h"

#include "arm_neon_i8mm_tiles.h"

#define KERNEL_TABLE cpu_kernels_neon_i8mm
#define HAS_FLOAT_BATCHES
#include "products.h"
#endif
