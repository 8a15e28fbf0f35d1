/* Columns of an answer that several heads share: token ids and logits, numbers with a space between. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void print_ids(const int32_t *ids, size_t count);
void print_numbers(const float *numbers, size_t count);

/* Say whether a column holds these ids and no others. */
bool are_ids(const char *column, const int32_t *ids, size_t count);

typedef enum { SAME, OTHER_COUNT, FAR } Found;

/* Hold numbers against a column's; *farthest grows to the largest distance that was met. */
Found compare_numbers(const char *column, const float *numbers, size_t count, double tolerance, double *farthest);

#endif
