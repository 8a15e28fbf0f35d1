/* Texts travel as JSON strings: any character, on one line. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Turn a JSON string, quotes included, into its UTF-8 in place; false if it is none, or not Unicode. */
bool read_json_string(char *text, size_t *length);

#endif
