#include "text.h"

#include <stdint.h>

bool text_is_equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

typedef struct {
    char *room;
    size_t size, count;
} writer;

static void put(writer *out, char c) {
    if (out->count + 1 < out->size) out->room[out->count++] = c;
}

typedef struct layout {
    int width;
    bool is_left, has_zeros;
} layout;

static void put_padded(writer *out, layout layout, const char *sign, const char *digits, int count) {
    int length = count;
    for (const char *s = sign; *s; s++) length++;
    if (!layout.is_left && !layout.has_zeros)
        for (int i = length; i < layout.width; i++) put(out, ' ');
    while (*sign) put(out, *sign++);
    if (!layout.is_left && layout.has_zeros)
        for (int i = length; i < layout.width; i++) put(out, '0');
    for (int i = 0; i < count; i++) put(out, digits[i]);
    if (layout.is_left)
        for (int i = length; i < layout.width; i++) put(out, ' ');
}

static void put_number(writer *out, layout layout, const char *sign, uint64_t value, unsigned base, char a) {
    char digits[24];
    int count = 0;
    do {
        unsigned digit = (unsigned)(value % base);
        digits[sizeof digits - 1 - (size_t)count++] = (char)(digit < 10 ? '0' + digit : a + digit - 10);
        value /= base;
    } while (value);
    put_padded(out, layout, sign, digits + sizeof digits - count, count);
}

static void put_double(writer *out, layout layout, double value) {
    const char *sign = value < 0 ? "-" : "";
    if (value < 0) value = -value;
    if (!(value < 1e18)) {
        put_padded(out, layout, sign, value == value ? "large" : "nan", value == value ? 5 : 3);
        return;
    }
    const uint64_t whole = (uint64_t)value, millionths = (uint64_t)((value - (double)whole) * 1e6);
    put_number(out, layout, sign, whole, 10, 'a');
    put(out, '.');
    put_number(out, (struct layout){6, false, true}, "", millionths, 10, 'a');
}

static uint64_t unsigned_argument(va_list *arguments, int longs) {
    return longs > 1 ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned);
}

static void put_argument(writer *out, layout layout, char kind, int longs, va_list *arguments) {
    switch (kind) {
    case 'd':
    case 'i': {
        int64_t value = longs > 1 ? va_arg(*arguments, long long) : va_arg(*arguments, int);
        put_number(out, layout, value < 0 ? "-" : "", value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 'a');
        break;
    }
    case 'u': put_number(out, layout, "", unsigned_argument(arguments, longs), 10, 'a'); break;
    case 'x': put_number(out, layout, "", unsigned_argument(arguments, longs), 16, 'a'); break;
    case 'X': put_number(out, layout, "", unsigned_argument(arguments, longs), 16, 'A'); break;
    case 'p': put_number(out, layout, "0x", (uintptr_t)va_arg(*arguments, void *), 16, 'a'); break;
    case 'c': put(out, (char)va_arg(*arguments, int)); break;
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        if (!text) text = "(null)";
        int count = 0;
        while (text[count]) count++;
        layout.has_zeros = false;
        put_padded(out, layout, "", text, count);
        break;
    }
    case 'f':
    case 'e':
    case 'g': put_double(out, layout, va_arg(*arguments, double)); break;
    default: put(out, kind);
    }
}

size_t text_format_list(char *room, size_t size, const char *format, va_list arguments) {
    writer out = {room, size, 0};
    va_list list;
    va_copy(list, arguments);
    for (; *format; format++) {
        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        layout layout = {0, false, false};
        int longs = 0;
        for (format++; *format == '-' || *format == '0' || *format == '#' || *format == '+'; format++) {
            if (*format == '-') layout.is_left = true;
            if (*format == '0') layout.has_zeros = true;
        }
        for (; *format >= '0' && *format <= '9'; format++)
            if (layout.width < 100) layout.width = layout.width * 10 + *format - '0';
        if (*format == '.')
            for (format++; *format >= '0' && *format <= '9';) format++;
        for (; *format == 'l' || *format == 'h' || *format == 'z'; format++)
            if (*format == 'l') longs++;
        if (!*format) break;
        put_argument(&out, layout, *format, longs, &list);
    }
    va_end(list);
    if (size > 0) room[out.count] = 0;
    return out.count;
}

size_t text_format(char *room, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t count = text_format_list(room, size, format, arguments);
    va_end(arguments);
    return count;
}

unsigned text_number(const char *text) {
    unsigned value = 0, base = 10;
    if (!text) return 0;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text >= 'a' ? *text - 'a' + 10 : *text - '0');
        if (digit >= base) break;
        value = value * base + digit;
    }
    return value;
}
