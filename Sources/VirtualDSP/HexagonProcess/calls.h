// Calls of loaded functions, each on a thread of its own while it runs.
#ifndef CALLS_H
#define CALLS_H

#include "channel.h"

// Takes over the bytes, to answer when the function has returned. False without memory.
bool calls_begin(const message *m, uint8_t *bytes);

#endif
