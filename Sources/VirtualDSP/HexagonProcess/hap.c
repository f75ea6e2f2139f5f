// The DSP's functions for time, logs and power. Signatures: HAP_perf.h, HAP_debug.h and HAP_power.h of the Hexagon
// SDK, as named in public programs.
#include "hap.h"

#include "channel.h"
#include "text.h"

#include "AEEStdErr.h"

uint64_t HAP_perf_get_time_us(void) { return linux_microseconds(); }
// As if the processor ran at 1 GHz, and its timer at 19.2 MHz as the hardware's.
uint64_t HAP_perf_get_pcycles(void) { return linux_microseconds() * 1000; }
uint64_t HAP_perf_get_qtimer_count(void) { return linux_microseconds() * 96 / 5; }
uint64_t HAP_perf_qtimer_count_to_us(uint64_t count) { return count * 5 / 96; }

static void log_text(int level, const char *file, int line, const char *text, size_t size) {
    if (!file) file = "";
    const part parts[] = {{file, __builtin_strlen(file) + 1}, {text, size}};
    channel_send((message){MESSAGE_LOG, 0, (uint32_t)level, (uint32_t)line, 0, 0}, parts, 2);
}

static void log_line(int level, const char *file, int line, const char *format, va_list arguments) {
    char text[512];
    if (!format) return;
    log_text(level, file, line, text, text_format_list(text, sizeof text, format, arguments));
}

void HAP_debug(const char *text, int level, const char *file, int line) {
    if (text) log_text(level, file, line, text, __builtin_strlen(text));
}

void HAP_debug_v2(int level, const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(level, file, line, format, arguments);
    va_end(arguments);
}

void HAP_debug_runtime(int level, const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_line(level, file, line, format, arguments);
    va_end(arguments);
}

// Every wish is granted, and the host is told of it.
enum { POWER_REQUEST_BYTES = 88 };

int HAP_power_set(void *context, const void *request) {
    if (!request) return AEE_EBADPARM;
    const part part = {request, POWER_REQUEST_BYTES};
    channel_send((message){MESSAGE_POWER, 0, (uint32_t)context, 0, 0, 0}, &part, 1);
    return AEE_SUCCESS;
}

int HAP_power_destroy_client(void *context) {
    channel_send((message){MESSAGE_POWER, 0, (uint32_t)context, 1, 0, 0}, NULL, 0);
    return AEE_SUCCESS;
}
