// What work needs of the system beside processor time: clocks and vector units, and tightly coupled memory. Asked for
// when work begins, given back when there has been none for a while.
#ifndef HTP_RESOURCES_H
#define HTP_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"

typedef struct resources resources;

typedef struct resource_wishes {
    uint32_t power;      // PLATFORM_POWER_…
    uint32_t near_bytes; // of tightly coupled memory at most, 0 for none
} resource_wishes;

// NULL without memory, or where the system has nothing of it to give; all of the functions below take that.
resources *resources_start(const resource_wishes *wishes);
// Gives back what it holds.
void resources_stop(resources *r);

// Power from now on; memory when work begins that finds none held: it is given back at once if there is no work.
void resources_set(resources *r, const resource_wishes *wishes);

// Around each piece of work. Returns the memory that it may use until its end; none is an address of NULL.
platform_near_memory resources_begin(resources *r);
void resources_end(resources *r);

#endif
