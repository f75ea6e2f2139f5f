// arm64 with the dot product instructions (FEAT_DotProd; Armv8.2 and later).
#if defined(__aarch64__)
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#include "arm_neon_vectors.h"

#include "arm_neon_floats.h"

#include "arm_neon_rows.h"

#include "arm_neon_tiles.h"

#define KERNEL_TABLE cpu_kernels_neon_dotprod
#define HAS_FLOAT_BATCHES
#include "products.h"
#endif
