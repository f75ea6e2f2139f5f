// QuRT, the DSP's operating system, over Linux: threads, futexes, mutexes. Layouts and names are those of its public
// interface; `qurt_thread_attr` is as platform_qurt.c of the DSP program has it.
#include "hap.h"
#include "threads.h"

#include "AEEStdErr.h"

enum {
    CLONE_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000, // VM FS FILES SIGHAND THREAD SYSVSEM
    CLONE_PARENT_SETTID = 0x100000,
    CLONE_CHILD_CLEARTID = 0x200000,
};

enum { QURT_EOK = 0, QURT_EINVALID = 4, QURT_EFAILED = 12, QURT_ENOTHREAD = 13, THREADS_MAX = 256 };
enum { DEFAULT_PRIORITY = 192, UNUSED = 0xa5, STACK_MARGIN = 64 };

typedef struct {
    // The system's number while the thread lives. The system clears it when the thread no longer needs its stack.
    uint32_t number;
    uint32_t is_taken;
    uint32_t id; // stays until somebody has joined
    uint32_t priority;
    int status;
    bool is_detached;
    void (*entry)(void *);
    void *argument;
    uint8_t *stack;
    uint32_t stack_size;
} thread;

static thread threads[THREADS_MAX];
static lock threads_lock;

static thread *thread_of(uint32_t id) {
    for (int i = 0; i < THREADS_MAX; i++)
        if (threads[i].is_taken && threads[i].id == id) return &threads[i];
    return NULL;
}

static thread *current(void) { return thread_of(linux_thread_number()); }

static void begin(void *argument) {
    thread *self = argument;
    // The parent's system call may not have written it yet.
    __atomic_store_n(&self->id, linux_thread_number(), __ATOMIC_RELEASE);
    self->entry(self->argument);
}

static thread *free_place(void) {
    for (int i = 0; i < THREADS_MAX; i++) {
        thread *t = &threads[i];
        const bool is_over = t->is_detached && __atomic_load_n(&t->number, __ATOMIC_ACQUIRE) == 0;
        if (!t->is_taken || is_over) return t;
    }
    return NULL;
}

static thread *start(void (*entry)(void *), void *argument, void *stack, size_t size, uint32_t priority,
                     bool is_detached) {
    __builtin_memset(stack, UNUSED, size);
    lock_take(&threads_lock);
    thread *t = free_place();
    // Until the system has written the number, it must not look as if the thread were over.
    if (t) *t = (thread){UINT32_MAX, 1, 0, priority, 0, is_detached, entry, argument, stack, size};
    lock_release(&threads_lock);
    if (!t) return NULL;
    uintptr_t *top = (uintptr_t *)(((uintptr_t)stack + size - 16) & ~(uintptr_t)7);
    top[0] = (uintptr_t)begin;
    top[1] = (uintptr_t)t;
    long number =
        linux_thread(CLONE_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, top, &t->number, &t->number);
    if (number < 0) {
        t->is_taken = 0;
        return NULL;
    }
    __atomic_store_n(&t->id, (uint32_t)number, __ATOMIC_RELEASE);
    return t;
}

uint32_t thread_start(void (*entry)(void *), void *argument, void *stack, size_t size, uint32_t priority) {
    const thread *t = start(entry, argument, stack, size, priority, true);
    return t ? t->id : 0;
}

typedef struct {
    char name[16];
    uint8_t tcb_partition, stid;
    uint16_t priority;
    uint8_t asid, bus_priority;
    uint16_t timetest_id;
    uint32_t stack_size;
    void *stack_address;
    uint16_t detach_state;
} qurt_thread_attributes;

int qurt_thread_create(uint32_t *id, qurt_thread_attributes *attributes, void (*entry)(void *), void *argument) {
    enum { LEAST_STACK = 2 * STACK_MARGIN };
    if (!id || !attributes || !entry || !attributes->stack_address || attributes->stack_size < LEAST_STACK)
        return QURT_EINVALID;
    const thread *t = start(entry, argument, attributes->stack_address, attributes->stack_size,
                            attributes->priority, attributes->detach_state != 0);
    if (!t) return QURT_EFAILED;
    *id = t->id;
    return QURT_EOK;
}

// A thread that has come to the end of its stack may have spoilt anything: that is the end of the process.
static uint32_t unused_stack(const thread *t, uint32_t limit) {
    uint32_t left = 0;
    while (left < limit && t->stack[left] == UNUSED) left++;
    if (left < STACK_MARGIN) linux_fail("a thread of the program has run over its stack\n");
    return left;
}

void threads_check_stacks(void) {
    lock_take(&threads_lock);
    for (int i = 0; i < THREADS_MAX; i++)
        if (threads[i].is_taken && !threads[i].is_detached) unused_stack(&threads[i], STACK_MARGIN);
    lock_release(&threads_lock);
}

int qurt_thread_join(uint32_t id, int *status) {
    lock_take(&threads_lock);
    thread *t = thread_of(id);
    lock_release(&threads_lock);
    if (!t || t->is_detached) return QURT_ENOTHREAD;
    for (uint32_t number; (number = __atomic_load_n(&t->number, __ATOMIC_ACQUIRE)) != 0;) {
        // The system wakes futexes of its own kind, which are not private; hence the time limit.
        linux_wait(&t->number, number, 1000);
    }
    HAP_debug_v2(0, __FILE__, __LINE__, "a thread has used %u of %u bytes of its stack",
                 t->stack_size - unused_stack(t, t->stack_size), t->stack_size);
    if (status) *status = t->status;
    lock_take(&threads_lock);
    t->is_taken = 0;
    lock_release(&threads_lock);
    return QURT_EOK;
}

_Noreturn void qurt_thread_exit(int status) {
    thread *self = current();
    if (self) self->status = status;
    for (;;) linux_call(0, 0, 0, 0, 0, 0, 93);
}

uint32_t qurt_thread_get_id(void) { return linux_thread_number(); }

int qurt_thread_get_priority(uint32_t id) {
    const thread *t = thread_of(id);
    return t ? (int)t->priority : DEFAULT_PRIORITY;
}

int qurt_thread_set_priority(uint32_t id, uint16_t priority) {
    thread *t = thread_of(id);
    if (!t) return QURT_ENOTHREAD;
    t->priority = priority;
    return QURT_EOK;
}

int qurt_futex_wait(void *word, int value) {
    linux_wait(word, (uint32_t)value, UINT32_MAX);
    return QURT_EOK;
}

int qurt_futex_wake(void *word, int count) {
    linux_wake(word, (uint32_t)count);
    return count;
}

// A mutex of QuRT takes eight bytes; the first four are enough here.
void qurt_mutex_init(lock *mutex) { mutex->state = 0; }
void qurt_mutex_destroy(lock *mutex) { mutex->state = 0; }
void qurt_mutex_lock(lock *mutex) { lock_take(mutex); }
void qurt_mutex_unlock(lock *mutex) { lock_release(mutex); }
int qurt_mutex_try_lock(lock *mutex) { return lock_try(mutex) ? QURT_EOK : -1; }

void qurt_sleep(uint64_t microseconds) {
    linux_sleep(microseconds < UINT32_MAX ? (uint32_t)microseconds : UINT32_MAX);
}

// Vector units: each thread has one of its own here, and need not ask for it.
extern uint32_t process_vector_units;
int qurt_hvx_get_units(void) { return (int)(process_vector_units << 8 | process_vector_units); }
int qurt_hvx_lock(int mode) { return mode ? QURT_EOK : QURT_EOK; }
int qurt_hvx_unlock(void) { return QURT_EOK; }

int qurt_sysenv_get_max_hw_threads(uint32_t *threads) {
    threads[0] = 0;
    threads[1] = process_vector_units;
    return QURT_EOK;
}

// There are no caches that somebody else would not see into.
int qurt_mem_cache_clean(uintptr_t address, uint32_t size, int operation, int type) {
    (void)address;
    (void)size;
    (void)operation;
    (void)type;
    return QURT_EOK;
}
