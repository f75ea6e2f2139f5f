// A module that misbehaves.
#include "AEEStdErr.h"
#include "remote.h"

int crash_skel_handle_invoke(remote_handle64 handle, uint32_t sc, remote_arg *arguments) {
    (void)handle;
    switch (REMOTE_SCALARS_METHOD(sc)) {
    case 0: arguments[2].h64 = 1; return AEE_SUCCESS;
    case 1:
    case 2: return AEE_SUCCESS;
    case 3: return *(volatile int *)16;
    }
    return AEE_EUNSUPPORTED;
}
