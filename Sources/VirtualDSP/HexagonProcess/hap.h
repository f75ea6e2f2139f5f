// Of the functions for programs, those that are of use here.
#ifndef HAP_H
#define HAP_H

// Levels: 0 low to 4 fatal.
void HAP_debug_v2(int level, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
