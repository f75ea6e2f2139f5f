// Batches: the messages of `htp_submit`.
#ifndef HTP_BATCH_RUN_H
#define HTP_BATCH_RUN_H

#include <stdint.h>

#include "program.h"

// Runs a batch that lies in mapped memory. Returns an AEE code; the batch's header says more.
int batch_run(program *p, uint8_t *memory, uint64_t size, uint32_t *executed, uint64_t *microseconds);

#endif
