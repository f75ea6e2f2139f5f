#ifndef MAPPING_H
#define MAPPING_H

#include <stdint.h>

// The memory of a shared buffer that the host has mapped, by the host's descriptor. Returns an AEE code.
int mapping_begin(int fd, uint64_t size, void **address);
int mapping_end(int fd, void *address, uint64_t size);

#endif
