// Turns sums into floats. Standard input: vectors of sums, each followed by one of row exponents and one whose first word
// is the exponent. Standard output: a vector of floats for each.
#include "float_step.h"
#include "standalone.h"

int main(void) {
    HVX_Vector input[3], results;
    while (read_all(input, sizeof input)) {
        int32_t exponent;
        __builtin_memcpy(&exponent, &input[2], sizeof exponent);
        results = float_results(input[0], input[1], exponent);
        write_all(&results, sizeof results);
    }
    return 0;
}
