#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H
#endif
