/* One of several labels, and its probability. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

const char *const COLUMNS = "text, ids, logits, label, probability";
const size_t COLUMN_COUNT = 5;

struct Answerer {
    const Settings *settings;
    Lines labels;
    double *bias; /* of each label */
    int32_t *ids;
    size_t count;
    float *logits;
    size_t best;
    double probability;
};

/* Spread the biases of model.txt over the labels; a label that is not there is said. */
static bool spread_bias(Answerer *a, const char *folder) {
    a->bias = calloc(a->labels.count + 1, sizeof *a->bias);
    if (a->bias == NULL) return false;
    for (size_t i = 0; i < a->settings->bias_count; i++) {
        const Bias *bias = &a->settings->biases[i];
        if (bias->label >= a->labels.count || !isfinite(bias->number)) {
            fprintf(stderr, "%s/model.txt: bias %zu %g: expected a label's place, below %zu, and a finite number\n",
                    folder, bias->label, bias->number, a->labels.count);
            return false;
        }
        a->bias[bias->label] = bias->number;
    }
    return true;
}

Answerer *open_answerer(const char *folder, const Settings *settings) {
    Answerer *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->settings = settings;
    if (settings->temperature <= 0) {
        fprintf(stderr, "%s/model.txt: expected temperature\n", folder);
        return NULL;
    }
    if (!read_lines(folder, "labels.txt", &a->labels) || !spread_bias(a, folder)) return NULL;
    a->ids = malloc((settings->max_tokens + 1) * sizeof *a->ids);
    a->logits = malloc((a->labels.count + 1) * sizeof *a->logits);
    return a->ids != NULL && a->logits != NULL ? a : NULL;
}

/* What labels are compared by: the log probability, less what all of them share, and the bias. */
static double score(const Answerer *a, size_t label) {
    return a->logits[label] / a->settings->temperature + a->bias[label];
}

bool answer(Answerer *a, Tokenizer *tokenizer, Runtime *runtime, const char *text, size_t length) {
    a->count = tokenize(tokenizer, text, length, a->ids);
    if (!run_any(runtime, a->ids, a->count, a->logits, a->labels.count)) return false;
    double sum = 0;
    a->best = 0;
    for (size_t i = 1; i < a->labels.count; i++)
        if (score(a, i) > score(a, a->best)) a->best = i;
    for (size_t i = 0; i < a->labels.count; i++)
        sum += exp(((double)a->logits[i] - a->logits[a->best]) / a->settings->temperature);
    a->probability = 1 / sum;
    return true;
}

void print_answer(const Answerer *a) {
    print_ids(a->ids, a->count);
    printf("\t");
    print_numbers(a->logits, a->labels.count);
    printf("\t%s\t%.9g\n", a->labels.line[a->best], a->probability);
}

const char *compare_answer(const Answerer *a, char **column, double *farthest) {
    if (!are_ids(column[1], a->ids, a->count)) return "token ids";
    Found found = compare_numbers(column[2], a->logits, a->labels.count, a->settings->tolerance, farthest);
    if (found != SAME) return found == FAR ? "logits" : "number of logits";
    if (strcmp(column[3], a->labels.line[a->best]) != 0) return "label";
    if (!(fabs(strtod(column[4], NULL) - a->probability) <= a->settings->tolerance)) return "probability";
    return NULL;
}
