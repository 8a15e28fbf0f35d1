/* The model on its runtime; onnxruntime.c or litert.c is in the bundle. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"

typedef struct Runtime Runtime;

/* Open the runtime's shared library and the folder's model; says what is wrong and returns NULL. */
Runtime *open_runtime(const char *library, const char *folder, const Settings *settings);

/* Write the logits of one text's ids; false if the model gives another number of them. */
bool run(Runtime *runtime, const int32_t *ids, size_t count, float *logits, size_t labels);

/* The same of a text that may have no ids at all: it gets the answer of token 0. */
static inline bool run_any(Runtime *runtime, const int32_t *ids, size_t count, float *logits, size_t labels) {
    static const int32_t nothing[] = {0};
    return count > 0 ? run(runtime, ids, count, logits, labels) : run(runtime, nothing, 1, logits, labels);
}

#endif
