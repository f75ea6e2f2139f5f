// The operations that a batch may name.
#include "operation.h"

// A switch, not a table of addresses: it needs no relocations.
const operation_kind *operation_kind_of(uint32_t opcode) {
    switch (opcode) {
    case HTP_OP_MATMUL: return &operation_matmul;
    case HTP_OP_NORM: return &operation_norm;
    case HTP_OP_ROPE: return &operation_rope;
    case HTP_OP_STORE: return &operation_store;
    case HTP_OP_ATTENTION: return &operation_attention;
    case HTP_OP_SOFTMAX: return &operation_softmax;
    case HTP_OP_ACTIVATE: return &operation_activate;
    case HTP_OP_ADD: return &operation_add;
    case HTP_OP_MULTIPLY: return &operation_multiply;
    case HTP_OP_SCALE: return &operation_scale;
    case HTP_OP_ROWS: return &operation_rows;
    case HTP_OP_ROUTE: return &operation_route;
    case HTP_OP_MIX: return &operation_mix;
    case HTP_OP_ADD_ROWS: return &operation_add_rows;
    case HTP_OP_TOP: return &operation_top;
    case HTP_OP_MATMUL_INDEXED: return &operation_matmul_indexed;
    default: return NULL;
    }
}
