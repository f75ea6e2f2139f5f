// Power: asked for when work begins, given back when there has been none for a while.
#ifndef HTP_POWER_H
#define HTP_POWER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct power power;

// NULL without memory, or where the system's clocks are not ours; all of the functions below take that.
power *power_start(uint32_t level);
// Gives back what it holds.
void power_stop(power *p);

// From now on, and at once where work is under way.
void power_set_level(power *p, uint32_t level);

// Around each piece of work.
void power_begin(power *p);
void power_end(power *p);

#endif
