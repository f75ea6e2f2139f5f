// The operations that a batch may name.
#include "operation.h"

// A switch, not a table of addresses: it needs no relocations.
const operation_kind *operation_kind_of(uint32_t opcode) {
    switch (opcode) {
    case HTP_OP_MATMUL: return &operation_matmul;
    default: return NULL;
    }
}
