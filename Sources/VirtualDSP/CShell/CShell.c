#include "CShell.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic(cshell_log) log_function;

void cshell_set_log(cshell_log function) { atomic_store(&log_function, function); }

static void write_line(int level, const char *file, int line, const char *format, va_list arguments) {
    cshell_log function = atomic_load(&log_function);
    if (!function || !format) return;
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    function(level, file, line, text);
}

void HAP_debug_v2(int level, const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(level, file, line, format, arguments);
    va_end(arguments);
}

void HAP_debug_runtime(int level, const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(level, file, line, format, arguments);
    va_end(arguments);
}

void HAP_debug(const char *message, int level, const char *file, int line) {
    cshell_log function = atomic_load(&log_function);
    if (function && message) function(level, file, line, message);
}
