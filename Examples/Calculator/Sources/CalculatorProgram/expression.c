// Expressions by recursive descent: sum = product {(+ | -) product}, product = factor {* factor},
// factor = number | (sum) | - factor. There is no division: DSPs have no instruction for it.
#include "expression.h"

typedef struct {
    const char *next;
    // Parentheses and signs around: a DSP thread's stack is small.
    int depth;
} reader;

enum { MAXIMUM_DEPTH = 32 };

static bool sum(reader *text, double *value);

static char peek(reader *text) {
    while (*text->next == ' ') text->next++;
    return *text->next;
}

static bool skip(reader *text, char wanted) {
    if (peek(text) != wanted) return false;
    text->next++;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool number(reader *text, double *value) {
    if (!is_digit(peek(text))) return false;
    *value = 0;
    while (is_digit(*text->next)) *value = *value * 10 + (*text->next++ - '0');
    if (*text->next != '.') return true;
    text->next++;
    for (double unit = 0.1; is_digit(*text->next); unit *= 0.1) *value += unit * (*text->next++ - '0');
    return true;
}

static bool factor(reader *text, double *value) {
    if (++text->depth > MAXIMUM_DEPTH) return false;
    bool is_good;
    if (skip(text, '-')) {
        is_good = factor(text, value);
        *value = -*value;
    } else if (skip(text, '(')) {
        is_good = sum(text, value) && skip(text, ')');
    } else {
        is_good = number(text, value);
    }
    text->depth--;
    return is_good;
}

static bool product(reader *text, double *value) {
    if (!factor(text, value)) return false;
    while (skip(text, '*')) {
        double other;
        if (!factor(text, &other)) return false;
        *value *= other;
    }
    return true;
}

static bool sum(reader *text, double *value) {
    if (!product(text, value)) return false;
    for (;;) {
        bool subtracts = peek(text) == '-';
        if (!subtracts && peek(text) != '+') return true;
        text->next++;
        double other;
        if (!product(text, &other)) return false;
        *value += subtracts ? -other : other;
    }
}

bool expression_value(const char *text, double *value) {
    reader reader = {text, 0};
    *value = 0;
    return sum(&reader, value) && peek(&reader) == 0;
}
