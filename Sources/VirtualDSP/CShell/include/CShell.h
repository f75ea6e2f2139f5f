#ifndef CSHELL_H
#define CSHELL_H

/* What a program on the DSP finds in the firmware and Swift cannot define: functions with variable arguments. */

/* Takes a line of a program's log. `file` may be null. */
typedef void (*cshell_log)(int level, const char *file, int line, const char *text);

/* Sets where lines go; before, they go nowhere. */
void cshell_set_log(cshell_log function);

/* The logging functions of the DSP's firmware (HAP_debug.h of the Hexagon SDK). Lines are cut at 1023 bytes. */
void HAP_debug_v2(int level, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void HAP_debug_runtime(int level, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void HAP_debug(const char *message, int level, const char *file, int line);

#endif
