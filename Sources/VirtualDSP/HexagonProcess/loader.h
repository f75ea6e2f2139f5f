// Shared objects for Hexagon: loading, and finding functions in them.
#ifndef LOADER_H
#define LOADER_H

#include "linux.h"

// The newest code that may be loaded: 0x68 for v68.
extern uint32_t loader_architecture;

enum { LOADER_REASON_BYTES = 256 };

// Loads the `size` bytes of a file. Returns an AEE code, and in words what is wrong.
uint32_t loader_load(int file, uint64_t size, const char *name, uint32_t *number, char *reason);
void loader_unload(uint32_t number);

// A function that a library defines and exports; 0 where there is none.
uint32_t loader_function(uint32_t number, const char *name);

// Whether `address` is one that `loader_function` may return, of a library that is loaded.
bool loader_is_code(uint32_t address);

#endif
