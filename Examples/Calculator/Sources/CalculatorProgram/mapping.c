#include "mapping.h"

#include "AEEStdErr.h"

#if defined(__hexagon__)

// The DSP's runtime knows the buffers that the host has mapped, though not their sizes.
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical);
extern int HAP_mmap_put(int fd);

int mapping_begin(int fd, uint64_t size, void **address) {
    (void)size;
    uint64_t physical;
    return HAP_mmap_get(fd, address, &physical);
}

int mapping_end(int fd, void *address, uint64_t size) {
    (void)address;
    (void)size;
    return HAP_mmap_put(fd);
}

#else

#include <sys/mman.h>
#include <sys/stat.h>

// A process of the virtual DSP has the same functions. A simulator in the host's own process has none, or
// they do not serve it; there the descriptor is one of this process.
extern int HAP_mmap_get(int fd, void **address, uint64_t *physical) __attribute__((weak));
extern int HAP_mmap_put(int fd) __attribute__((weak));

int mapping_begin(int fd, uint64_t size, void **address) {
    uint64_t physical;
    int status = HAP_mmap_get ? HAP_mmap_get(fd, address, &physical) : AEE_EUNSUPPORTED;
    if (status != AEE_EUNSUPPORTED) return status;
    struct stat file;
    if (fstat(fd, &file) != 0 || size == 0 || size > (uint64_t)file.st_size) return AEE_EBADPARM;
    void *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return AEE_ENOMEMORY;
    *address = memory;
    return AEE_SUCCESS;
}

int mapping_end(int fd, void *address, uint64_t size) {
    int status = HAP_mmap_put ? HAP_mmap_put(fd) : AEE_EUNSUPPORTED;
    if (status != AEE_EUNSUPPORTED) return status;
    return munmap(address, size) == 0 ? AEE_SUCCESS : AEE_EFAILED;
}

#endif
