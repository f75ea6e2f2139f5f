// The DSP program as seen from outside: the entry that FastRPC calls, and the layouts it shares with the
// host.
#ifndef HTP_PROGRAM_H
#define HTP_PROGRAM_H

#include "htp_batch.h"
#include "htp_tiles.h"
#include "remote.h"

#ifdef __cplusplus
extern "C" {
#endif

// Every call on the module enters here: method 0 opens, 1 closes, the rest are those of IDL/htp.idl.
int htp_skel_handle_invoke(remote_handle64 handle, uint32_t sc, remote_arg *arguments);

#ifdef __cplusplus
}
#endif

#endif
