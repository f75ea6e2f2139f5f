// Header only; SwiftPM asks for one source file.
#include "AEEStdErr.h"
#include "remote.h"

_Static_assert(sizeof(remote_arg) == (sizeof(void *) == 8 ? 16 : 8), "remote_arg is part of the ABI");
