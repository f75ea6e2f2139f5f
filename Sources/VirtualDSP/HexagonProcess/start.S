// What C cannot say: the entry, system calls, and threads.

    .text
    .globl _start
    .p2align 4
_start:
    r0 = r29
    r29 = and(r29, #-8)
    r30 = #0
    r31 = #0
    call process_main
    r6 = #94 // exit_group
    trap0(#1)

// long linux_call(long a, long b, long c, long d, long e, long f, long number)
    .globl linux_call
    .p2align 4
linux_call:
    r6 = memw(r29+#0)
    trap0(#1)
    jumpr r31

// long linux_thread(long flags, void *stack, void *parent, void *child): at `stack` lie a function and its argument.
    .globl linux_thread
    .p2align 4
linux_thread:
    r4 = #0
    r6 = #220 // clone
    trap0(#1)
    p0 = cmp.eq(r0, #0)
    if (!p0) jumpr:nt r31
    r1 = memw(r29+#0)
    r0 = memw(r29+#4)
    r30 = #0
    r31 = #0
    callr r1
    r0 = #0
    r6 = #93 // exit
    trap0(#1)
