// A process on a DSP, as a program for Linux on Hexagon that qemu-hexagon can run: it loads the shared objects that
// a DSP would load, and carries calls to them.
//
// Arguments: the architecture (0x68), the vector units, the bytes of tightly coupled memory.
#include "calls.h"
#include "channel.h"
#include "heap.h"
#include "loader.h"
#include "memory_map.h"
#include "text.h"

#include "AEEStdErr.h"

uint32_t process_vector_units = 1;
uint32_t process_vtcm_bytes = 0;

// A name in a message: its bytes up to the first 0, at most as long as `room`.
static const char *name_in(const message *m, const uint8_t *bytes, char *room, size_t size) {
    size_t count = 0;
    while (bytes && count < m->byte_count && count + 1 < size && bytes[count]) {
        room[count] = (char)bytes[count];
        count++;
    }
    room[count] = 0;
    return room;
}

// Returns whether the message's bytes are still needed.
static bool serve(const message *m, uint8_t *bytes, int file) {
    char name[256], reason[LOADER_REASON_BYTES] = "";
    uint32_t value = 0, status = AEE_SUCCESS;
    switch (m->kind) {
    case MESSAGE_LOAD:
        status = loader_load(file, m->c, name_in(m, bytes, name, sizeof name), &value, reason);
        break;
    case MESSAGE_UNLOAD: loader_unload(m->a); break;
    case MESSAGE_SYMBOL:
        value = loader_function(m->a, name_in(m, bytes, name, sizeof name));
        if (!value) status = (uint32_t)AEE_ENOSUCHSYMBOL;
        break;
    case MESSAGE_MAP: status = memory_map_add((int)m->a, file, m->c, m->b != 0); break;
    case MESSAGE_UNMAP: status = memory_map_remove((int)m->a); break;
    case MESSAGE_INVOKE:
        if (calls_begin(m, bytes)) return true;
        status = (uint32_t)AEE_ENOMEMORY;
        break;
    default: status = (uint32_t)AEE_EUNSUPPORTED;
    }
    channel_reply(m->call, status, value, reason);
    return false;
}

static void forbid_core_files(void) {
    enum { SETRLIMIT = 164, RLIMIT_CORE = 4 };
    uint32_t none[2] = {0, 0};
    linux_call(RLIMIT_CORE, (long)none, 0, 0, 0, 0, SETRLIMIT);
}

// `stack` is as the system leaves it: the number of arguments, and the arguments.
void process_main(const uintptr_t *stack) {
    const uintptr_t count = stack[0];
    const char *const *arguments = (const char *const *)(stack + 1);
    if (count != 4) linux_exit(64);
    loader_architecture = text_number(arguments[1]);
    process_vector_units = text_number(arguments[2]);
    process_vtcm_bytes = text_number(arguments[3]);
    forbid_core_files();
    channel_send((message){MESSAGE_READY, 0, CHANNEL_VERSION, 0, 0, 0}, NULL, 0);
    for (;;) {
        message m;
        uint8_t *bytes;
        int file;
        channel_receive(&m, &bytes, &file);
        if (!serve(&m, bytes, file)) free(bytes);
        if (file >= 0) linux_close(file);
    }
}
