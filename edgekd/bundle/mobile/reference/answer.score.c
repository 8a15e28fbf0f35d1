/* A number from 0 to 1: the sigmoid of the model's one output. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "columns.h"

const char *const COLUMNS = "text, ids, logit, score";
const size_t COLUMN_COUNT = 4;

struct Answerer {
    const Settings *settings;
    int32_t *ids;
    size_t count;
    float logit;
    double score;
};

Answerer *open_answerer(const char *folder, const Settings *settings) {
    (void)folder;
    Answerer *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->settings = settings;
    a->ids = malloc((settings->max_tokens + 1) * sizeof *a->ids);
    return a->ids != NULL ? a : NULL;
}

bool answer(Answerer *a, Tokenizer *tokenizer, Runtime *runtime, const char *text, size_t length) {
    a->count = tokenize(tokenizer, text, length, a->ids);
    if (!run_any(runtime, a->ids, a->count, &a->logit, 1)) return false;
    a->score = 1 / (1 + exp(-(double)a->logit));
    return true;
}

void print_answer(const Answerer *a) {
    print_ids(a->ids, a->count);
    printf("\t%.9g\t%.9g\n", a->logit, a->score);
}

const char *compare_answer(const Answerer *a, char **column, double *farthest) {
    if (!are_ids(column[1], a->ids, a->count)) return "token ids";
    Found found = compare_numbers(column[2], &a->logit, 1, a->settings->tolerance, farthest);
    if (found != SAME) return found == FAR ? "logits" : "number of logits";
    if (!(fabs(strtod(column[3], NULL) - a->score) <= a->settings->tolerance)) return "score";
    return NULL;
}
