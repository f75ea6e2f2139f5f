// Mixtures of experts: the choice of the experts, and what is done with their results.
#include "floats.h"
#include "operation.h"

enum { LOGITS = HTP_INPUT_0, BIAS };
enum { VECTORS = HTP_INPUT_0, WEIGHTS, ADDEND };   // of MIX
enum { TABLE = HTP_INPUT_0 + 1, NUMBERS };         // of ADD_ROWS
enum { PIECE = 512 };

static uint32_t check_route(call *c) {
    const htp_route_parameters *r = &c->op.parameters.route;
    if (r->experts == 0 || r->experts > HTP_ROUTE_EXPERTS_MAX || r->count == 0 || r->count > r->experts
        || r->count > HTP_ROUTE_CHOSEN_MAX || r->gate > HTP_GATE_SOFTMAX_CHOSEN || !is_finite(r->scale))
        return HTP_FAULT_SHAPE;
    const uint64_t experts = (uint64_t)r->experts * sizeof(float);
    const uint64_t chosen = (uint64_t)r->count * sizeof(float);
    TRY(call_tensor(c, LOGITS, c->rows, experts, sizeof(float)));
    TRY(call_tensor(c, BIAS, 1, experts, sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, chosen, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION_2, c->rows, chosen, sizeof(float));
}

static void softmax(float *to, const float *x, uint32_t count) {
    const float largest = float_max(x, count);
    for (uint32_t i = 0; i < count; i++) to[i] = float_exp(x[i] - largest);
    const float sum = float_sum(to, count), inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    for (uint32_t i = 0; i < count; i++) to[i] *= inverse;
}

static void route(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    (void)first;
    (void)last;
    const htp_route_parameters *r = &c->op.parameters.route;
    const float *logits = row_of(c, LOGITS, row);
    uint32_t *chosen = (uint32_t *)(void *)row_of(c, HTP_DESTINATION, row);
    float *weights = row_of(c, HTP_DESTINATION_2, row);
    float gates[HTP_ROUTE_EXPERTS_MAX];
    uint32_t order[HTP_ROUTE_EXPERTS_MAX]; // 0 once chosen
    switch (r->gate) {
    case HTP_GATE_SOFTMAX: softmax(gates, logits, r->experts); break;
    case HTP_GATE_SIGMOID:
        for (uint32_t i = 0; i < r->experts; i++) gates[i] = float_sigmoid(logits[i]);
        break;
    default:
        for (uint32_t i = 0; i < r->experts; i++) gates[i] = logits[i];
    }
    const float *bias = has(c, BIAS) ? row_of(c, BIAS, 0) : NULL;
    for (uint32_t i = 0; i < r->experts; i++) {
        const uint32_t place = float_order(bias ? gates[i] + bias[i] : gates[i]);
        order[i] = place == 0 ? 1 : place;
    }
    for (uint32_t k = 0; k < r->count; k++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < r->experts; i++)
            if (order[i] > order[best]) best = i;
        order[best] = 0;
        chosen[k] = best;
        weights[k] = gates[best];
    }
    if (r->gate == HTP_GATE_SOFTMAX_CHOSEN) softmax(weights, weights, r->count);
    if ((c->op.flags & HTP_ROUTE_NORMALIZE) != 0) {
        const float sum = float_sum(weights, r->count), inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
        for (uint32_t k = 0; k < r->count; k++) weights[k] *= inverse;
    }
    for (uint32_t k = 0; k < r->count; k++) weights[k] *= r->scale;
}

static uint32_t run_route(call *c) {
    call_rows(c, route, 1, 0);
    return HTP_FAULT_NONE;
}

const operation_kind operation_route = {
    .flags = HTP_ROUTE_NORMALIZE,
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(HTP_DESTINATION_2) | HTP_SLOT(LOGITS),
    .optional = HTP_SLOT(BIAS),
    .parameter_bytes = sizeof(htp_route_parameters),
    .check = check_route,
    .run = run_route,
};

static int is_size(const htp_mix_parameters *m) {
    return m->width != 0 && m->count != 0 && m->count <= HTP_ROUTE_CHOSEN_MAX
        && m->width <= UINT32_MAX / sizeof(float) / HTP_ROUTE_CHOSEN_MAX;
}

static uint32_t check_mix(call *c) {
    const htp_mix_parameters *m = &c->op.parameters.mix;
    if (!is_size(m) || m->table_rows != 0) return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)m->width * sizeof(float);
    TRY(call_tensor(c, VECTORS, c->rows, bytes * m->count, sizeof(float)));
    TRY(call_tensor(c, WEIGHTS, c->rows, (uint64_t)m->count * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, ADDEND, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float));
}

static void mix(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_mix_parameters *m = &c->op.parameters.mix;
    floats_of(c)->mix(row_of(c, HTP_DESTINATION, row) + first, row_of(c, VECTORS, row) + first, m->width,
                      row_of(c, WEIGHTS, row), m->count, has(c, ADDEND) ? row_of(c, ADDEND, row) + first : NULL,
                      last - first);
}

static uint32_t run_mix(call *c) {
    call_rows(c, mix, c->op.parameters.mix.width, PIECE);
    return HTP_FAULT_NONE;
}

const operation_kind operation_mix = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(VECTORS) | HTP_SLOT(WEIGHTS),
    .optional = HTP_SLOT(ADDEND),
    .in_place = HTP_SLOT(ADDEND),
    .parameter_bytes = sizeof(htp_mix_parameters),
    .check = check_mix,
    .run = run_mix,
};

static uint32_t check_add_rows(call *c) {
    const htp_mix_parameters *m = &c->op.parameters.mix;
    if (!is_size(m) || m->table_rows == 0) return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)m->width * sizeof(float);
    TRY(call_tensor(c, VECTORS, c->rows, bytes * m->count, sizeof(float)));
    TRY(call_tensor(c, TABLE, m->table_rows, bytes, sizeof(float)));
    TRY(call_tensor(c, NUMBERS, c->rows, (uint64_t)m->count * sizeof(uint32_t), sizeof(uint32_t)));
    return call_tensor(c, HTP_DESTINATION, c->rows, bytes * m->count, sizeof(float));
}

static void add_rows(const call *c, uint32_t row, uint32_t first, uint32_t last) {
    const htp_mix_parameters *m = &c->op.parameters.mix;
    const volatile uint32_t *numbers
        = (const volatile uint32_t *)(const volatile void *)row_of(c, NUMBERS, row);
    for (uint32_t k = 0; k < m->count; k++) {
        const uint32_t number = numbers[k];
        // It was checked, but it may lie in shared memory: once more, and read only once.
        if (number >= m->table_rows) continue;
        const float *added = row_of(c, TABLE, number);
        const float *x = row_of(c, VECTORS, row) + (size_t)k * m->width;
        float *to = row_of(c, HTP_DESTINATION, row) + (size_t)k * m->width;
        floats_of(c)->add(to + first, x + first, added + first, last - first);
    }
}

static uint32_t run_add_rows(call *c) {
    const htp_mix_parameters *m = &c->op.parameters.mix;
    TRY(call_numbers(c, NUMBERS, m->count, m->table_rows));
    call_rows(c, add_rows, m->width, PIECE);
    return HTP_FAULT_NONE;
}

const operation_kind operation_add_rows = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(VECTORS) | HTP_SLOT(TABLE) | HTP_SLOT(NUMBERS),
    .in_place = HTP_SLOT(VECTORS),
    .parameter_bytes = sizeof(htp_mix_parameters),
    .check = check_add_rows,
    .run = run_add_rows,
};
