#include "columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void print_ids(const int32_t *ids, size_t count) {
    for (size_t i = 0; i < count; i++) printf(i ? " %d" : "%d", ids[i]);
}

void print_numbers(const float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) printf(i ? " %.9g" : "%.9g", numbers[i]);
}

bool are_ids(const char *column, const int32_t *ids, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *end;
        if (strtol(column, &end, 10) != ids[i] || end == column) return false;
        column = end;
    }
    return *column == '\0';
}

Found compare_numbers(const char *column, const float *numbers, size_t count, double tolerance, double *farthest) {
    for (size_t i = 0; i < count; i++) {
        char *end;
        double far = fabs(strtod(column, &end) - numbers[i]);
        if (end == column) return OTHER_COUNT;
        if (!(far <= *farthest)) *farthest = far;
        if (!(far <= tolerance)) return FAR;
        column = end;
    }
    return *column == '\0' ? SAME : OTHER_COUNT;
}
