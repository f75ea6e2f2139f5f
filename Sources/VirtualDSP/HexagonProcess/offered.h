// What a DSP offers to the objects that it loads, as far as this process has it.
#ifndef OFFERED_H
#define OFFERED_H

// The function of that name, or NULL.
const void *offered_function(const char *name);

#endif
