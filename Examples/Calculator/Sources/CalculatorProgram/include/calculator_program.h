// The DSP program as a simulator in the same process loads it.
#ifndef CALCULATOR_PROGRAM_H
#define CALCULATOR_PROGRAM_H

#include "remote.h"

// Every call on the module enters here; generated from calculator.idl.
int calculator_skel_handle_invoke(remote_handle64 handle, uint32_t sc, remote_arg *arguments);

#endif
