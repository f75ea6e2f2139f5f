// Batches by message queue: what `htp_queue` starts.
#ifndef HTP_QUEUE_H
#define HTP_QUEUE_H

#include <stdint.h>

#include "program.h"

// Takes batches from the queue that the host made under this number. Returns an AEE code: AEE_EUNSUPPORTED where this
// system has no queues, AEE_EALREADY where there is a queue.
int queue_begin(program *p, uint64_t id);

// Gives the queue back, once the batch under way has ended. Nothing where there is none.
void queue_end(program *p);

#endif
