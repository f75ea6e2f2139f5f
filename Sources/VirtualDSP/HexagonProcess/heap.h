// The heap of the process: malloc and its relatives, under the names that a DSP's C library has.
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
void *memalign(size_t alignment, size_t size);
void free(void *memory);

#endif
