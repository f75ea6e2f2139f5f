// Threads of this process: those of programs (QuRT's), and those that calls run on.
#ifndef THREADS_H
#define THREADS_H

#include "linux.h"

// Starts a thread on a stack. Returns its number, or 0.
uint32_t thread_start(void (*entry)(void *), void *argument, void *stack, size_t stack_size, uint32_t priority);

// Ends the process where a thread of a program has used all of its stack.
void threads_check_stacks(void);

#endif
