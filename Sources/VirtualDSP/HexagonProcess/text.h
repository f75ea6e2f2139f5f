// Text without a C library.
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

bool text_is_equal(const char *a, const char *b);

// As snprintf does: %d %i %u %x %X %p %c %s %%, widths, - and 0, and the lengths h, hh, l, ll, z; of doubles (%f and
// the like) six decimals. Returns the length of what was written.
size_t text_format(char *room, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t text_format_list(char *room, size_t size, const char *format, va_list arguments);

// A number in decimal digits or, after 0x, hexadecimal ones; 0 for no text.
unsigned text_number(const char *text);

#endif
