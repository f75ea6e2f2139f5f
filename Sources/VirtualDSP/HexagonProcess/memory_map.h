// The client's buffers, by the client's descriptors.
#ifndef MEMORY_MAP_H
#define MEMORY_MAP_H

#include "linux.h"

// Takes in a buffer; the file stays the caller's. Programs find it by HAP_mmap_get if it is visible, else they map
// it themselves. Returns an AEE code.
uint32_t memory_map_add(int descriptor, int file, uint64_t size, bool is_visible);
// It stays as long as a program holds it.
uint32_t memory_map_remove(int descriptor);

#endif
