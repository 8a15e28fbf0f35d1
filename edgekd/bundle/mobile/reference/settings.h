/* What model.txt says: lines of a key, one space, and a value. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_ADDED = 256, MOST_SIGNATURES = 64, MOST_SPECIAL = 16, MOST_BIASES = 1024 };

typedef struct { int32_t id; const char *text; size_t length; } Added;
typedef struct { int32_t tokens; size_t index; const char *name; } Signature;
typedef struct { size_t label; double number; } Bias;

typedef struct {
    const char *model;       /* the model's file */
    const char *input;       /* name of the token ids' tensor */
    const char *mask;        /* name of the mask's tensor, or NULL */
    const char *output;      /* name of the logits' tensor */
    const char *kernels;     /* LiteRT: xnnpack or builtin, as the golden answers were made */
    Signature signatures[MOST_SIGNATURES]; /* LiteRT: one a length, shortest first */
    size_t signature_count;
    int32_t before[MOST_SPECIAL], after[MOST_SPECIAL];
    size_t before_count, after_count;
    /* Of a model that ranks pairs: the ids before the query, between it and the candidate, and after that. */
    int32_t pair_before[MOST_SPECIAL], pair_between[MOST_SPECIAL], pair_after[MOST_SPECIAL];
    size_t pair_before_count, pair_between_count, pair_after_count;
    bool is_longest_cut;     /* what is too long for a pair is cut off the longer of both; else the query has half */
    size_t towers;           /* numbers of a vector, of a model that ranks by the product of two; 0 of pairs */
    int32_t separator;       /* what such a candidate begins with */
    Added added[MOST_ADDED]; /* tokens that stand for themselves in a text, longest first */
    size_t added_count;
    const char *prefix;      /* of a piece inside a word */
    int32_t unknown;         /* id of a word that has no pieces */
    size_t longest_word;     /* in characters; a longer one is unknown */
    size_t max_tokens;       /* of a text, special tokens included */
    double temperature;      /* logits are divided by it before softmax; 0 where there are no labels */
    Bias biases[MOST_BIASES]; /* added to logit / temperature of a label (its place in labels.txt) to choose one */
    size_t bias_count;
    double tolerance;        /* how far a logit may lie from the golden one */
} Settings;

/* Lines of a file, without their line feeds. The texts lie in one block that is never freed. */
typedef struct { const char **line; size_t *length; size_t count; } Lines;

bool read_lines(const char *folder, const char *name, Lines *lines);
bool read_settings(const char *folder, Settings *settings);

/* Join a folder and a name; the caller frees it. */
char *join_path(const char *folder, const char *name);

#endif
