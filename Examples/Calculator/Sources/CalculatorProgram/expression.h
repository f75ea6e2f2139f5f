#ifndef EXPRESSION_H
#define EXPRESSION_H

#include <stdbool.h>

// The value of an expression; false where the text is none.
bool expression_value(const char *text, double *value);

#endif
