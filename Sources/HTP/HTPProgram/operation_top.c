// The largest values of a row and where they stand, so that of a vocabulary's logits only a few cross to
// the host.
#include "floats.h"
#include "operation.h"

enum { SOURCE = HTP_INPUT_0 };
enum { PIECE = 4096 };

static uint32_t check(call *c) {
    const htp_top_parameters *t = &c->op.parameters.top;
    if (t->width == 0 || t->count == 0 || t->count > t->width || t->count > HTP_TOP_COUNT_MAX)
        return HTP_FAULT_SHAPE;
    const uint64_t bytes = (uint64_t)t->count * sizeof(float);
    TRY(call_tensor(c, SOURCE, c->rows, (uint64_t)t->width * sizeof(float), sizeof(float)));
    TRY(call_tensor(c, HTP_DESTINATION, c->rows, bytes, sizeof(float)));
    return call_tensor(c, HTP_DESTINATION_2, c->rows, bytes, sizeof(float));
}

// A value and its place as one number: a larger one stands further ahead. No two are equal, so the result
// does not depend on who found what.
static inline uint64_t entry_of(float x, uint32_t place) {
    return (uint64_t)float_order(x) << 32 | (uint32_t)~place;
}

// Puts `entry` into the descending list if it is not too small.
static inline void insert(uint64_t *list, uint32_t count, uint64_t entry) {
    if (entry <= list[count - 1]) return;
    uint32_t at = count - 1;
    for (; at > 0 && list[at - 1] < entry; at--) list[at] = list[at - 1];
    list[at] = entry;
}

typedef struct top_job {
    const call *call;
    uint64_t *lists; // a list for each worker
    uint32_t row;
} top_job;

static uint64_t *empty_list(const top_job *job, uint32_t part) {
    const uint32_t count = job->call->op.parameters.top.count;
    uint64_t *list = job->lists + (size_t)part * count;
    for (uint32_t i = 0; i < count; i++) list[i] = 0;
    return list;
}

static void write_list(const call *c, uint32_t row, const uint64_t *list) {
    const float *x = row_of(c, SOURCE, row);
    uint32_t *places = (uint32_t *)(void *)row_of(c, HTP_DESTINATION, row);
    float *values = row_of(c, HTP_DESTINATION_2, row);
    for (uint32_t i = 0; i < c->op.parameters.top.count; i++) {
        places[i] = ~(uint32_t)list[i];
        values[i] = x[places[i]];
    }
}

// Whole rows, where there are enough of them.
static void part_of_rows(void *argument, uint32_t part, uint32_t parts) {
    const top_job *job = argument;
    const htp_top_parameters *t = &job->call->op.parameters.top;
    for (uint32_t row = part; row < job->call->rows; row += parts) {
        uint64_t *list = empty_list(job, part);
        const float *x = row_of(job->call, SOURCE, row);
        for (uint32_t i = 0; i < t->width; i++) insert(list, t->count, entry_of(x[i], i));
        write_list(job->call, row, list);
    }
}

// Pieces of one row; the lists are merged afterwards.
static void part_of_row(void *argument, uint32_t part, uint32_t parts) {
    const top_job *job = argument;
    const htp_top_parameters *t = &job->call->op.parameters.top;
    uint64_t *list = empty_list(job, part);
    const float *x = row_of(job->call, SOURCE, job->row);
    uint32_t turn = 0;
    for (uint32_t first = 0; first < t->width; first += PIECE) {
        const uint32_t last = t->width - first > PIECE ? first + PIECE : t->width;
        if (turn == part)
            for (uint32_t i = first; i < last; i++) insert(list, t->count, entry_of(x[i], i));
        if (++turn == parts) turn = 0;
    }
}

static uint32_t run(call *c) {
    const uint32_t count = c->op.parameters.top.count;
    program *p = c->batch->program;
    const uint32_t parts = workers_count(p->workers);
    top_job job = {.call = c, .lists = program_workspace(p, sizeof(uint64_t) * count * parts)};
    if (!job.lists) return HTP_FAULT_MEMORY;
    if (c->rows >= parts) {
        workers_run(p->workers, part_of_rows, &job);
        return HTP_FAULT_NONE;
    }
    for (job.row = 0; job.row < c->rows; job.row++) {
        workers_run(p->workers, part_of_row, &job);
        for (uint32_t part = 1; part < parts; part++)
            for (uint32_t i = 0; i < count; i++)
                insert(job.lists, count, job.lists[(size_t)part * count + i]);
        write_list(c, job.row, job.lists);
    }
    return HTP_FAULT_NONE;
}

const operation_kind operation_top = {
    .required = HTP_SLOT(HTP_DESTINATION) | HTP_SLOT(HTP_DESTINATION_2) | HTP_SLOT(SOURCE),
    .parameter_bytes = sizeof(htp_top_parameters),
    .check = check,
    .run = run,
};
