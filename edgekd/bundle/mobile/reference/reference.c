/* Answers texts with the bundle's model, without Python: what a port must do, and proof of the golden file.

     cd reference && cc -std=gnu11 -O2 *.c -o run-reference -ldl -lm
     ./run-reference LIBRARY FOLDER --golden     checks FOLDER/golden.tsv; exit code 1 if a row differs
     ./run-reference LIBRARY FOLDER              answers texts from stdin, one JSON string a line

   LIBRARY is the runtime's shared library, FOLDER the bundle's. An answer is a line of four columns with tabs
   between: token ids, logits, label, probability. --tolerance NUMBER takes the place of model.txt's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "runtime.h"
#include "settings.h"
#include "tokenizer.h"

typedef struct {
    Settings settings;
    Tokenizer *tokenizer;
    Runtime *runtime;
    Lines labels;
    double *bias; /* of each label */
    int32_t *ids;
    size_t count;
    float *logits;
    size_t best;
    double probability;
} Model;

/* Spread the biases of model.txt over the labels; a label that is not there is said. */
static bool spread_bias(Model *m, const char *folder) {
    m->bias = calloc(m->labels.count + 1, sizeof *m->bias);
    if (m->bias == NULL) return false;
    for (size_t i = 0; i < m->settings.bias_count; i++) {
        const Bias *bias = &m->settings.biases[i];
        if (bias->label >= m->labels.count || !isfinite(bias->number)) {
            fprintf(stderr, "%s/model.txt: bias %zu %g: expected a label's place, below %zu, and a finite number\n",
                    folder, bias->label, bias->number, m->labels.count);
            return false;
        }
        m->bias[bias->label] = bias->number;
    }
    return true;
}

static bool open_model(Model *m, const char *library, const char *folder) {
    if (!read_settings(folder, &m->settings) || !read_lines(folder, "labels.txt", &m->labels) ||
        !spread_bias(m, folder))
        return false;
    m->ids = malloc((m->settings.max_tokens + 1) * sizeof *m->ids);
    m->logits = malloc((m->labels.count + 1) * sizeof *m->logits);
    m->tokenizer = open_tokenizer(folder, &m->settings);
    m->runtime = m->tokenizer == NULL ? NULL : open_runtime(library, folder, &m->settings);
    return m->ids != NULL && m->logits != NULL && m->runtime != NULL;
}

/* What labels are compared by: the log probability, less what all of them share, and the bias. */
static double score(const Model *m, size_t label) {
    return m->logits[label] / m->settings.temperature + m->bias[label];
}

static bool answer(Model *m, const char *text, size_t length) {
    static const int32_t nothing[] = {0}; /* a text without any token gets the answer of token 0 */
    m->count = tokenize(m->tokenizer, text, length, m->ids);
    const int32_t *ids = m->count > 0 ? m->ids : nothing;
    if (!run(m->runtime, ids, m->count > 0 ? m->count : 1, m->logits, m->labels.count)) return false;
    double sum = 0;
    m->best = 0;
    for (size_t i = 1; i < m->labels.count; i++)
        if (score(m, i) > score(m, m->best)) m->best = i;
    for (size_t i = 0; i < m->labels.count; i++)
        sum += exp(((double)m->logits[i] - m->logits[m->best]) / m->settings.temperature);
    m->probability = 1 / sum;
    return true;
}

static int answer_stdin(Model *m) {
    char *line = NULL;
    size_t room = 0;
    for (ssize_t size; (size = getline(&line, &room, stdin)) >= 0;) {
        size_t length = (size_t)size - (size > 0 && line[size - 1] == '\n');
        if (!read_json_string(line, &length)) {
            fprintf(stderr, "stdin: expected one JSON string a line, in UTF-8\n");
            return 2;
        }
        if (!answer(m, line, length)) return 1;
        for (size_t i = 0; i < m->count; i++) printf(i ? " %d" : "%d", m->ids[i]);
        for (size_t i = 0; i < m->labels.count; i++) printf(i ? " %.9g" : "\t%.9g", m->logits[i]);
        printf("\t%s\t%.9g\n", m->labels.line[m->best], m->probability);
    }
    free(line);
    return 0;
}

/* Hold an answer against the row's ids, logits, label and probability; returns what differs, or NULL. */
static const char *compare(const Model *m, char **column, double *farthest) {
    char *at = column[1];
    for (size_t i = 0; i < m->count; i++) {
        char *end;
        if (strtol(at, &end, 10) != m->ids[i] || end == at) return "token ids";
        at = end;
    }
    if (*at != '\0') return "token ids";
    at = column[2];
    for (size_t i = 0; i < m->labels.count; i++) {
        char *end;
        double far = fabs(strtod(at, &end) - m->logits[i]);
        if (end == at) return "number of logits";
        if (!(far <= *farthest)) *farthest = far;
        if (!(far <= m->settings.tolerance)) return "logits";
        at = end;
    }
    if (*at != '\0') return "number of logits";
    if (strcmp(column[3], m->labels.line[m->best]) != 0) return "label";
    if (!(fabs(strtod(column[4], NULL) - m->probability) <= m->settings.tolerance)) return "probability";
    return NULL;
}

static int check_golden(Model *m, const char *folder) {
    Lines rows;
    size_t passed = 0;
    double farthest = 0;
    if (!read_lines(folder, "golden.tsv", &rows)) return 2;
    for (size_t row = 1; row < rows.count; row++) { /* the first line names the columns */
        char *column[5] = {(char *)rows.line[row]};
        for (size_t i = 1; i < 5; i++) {
            column[i] = strchr(column[i - 1], '\t');
            if (column[i] == NULL) break;
            *column[i]++ = '\0';
        }
        size_t length = strlen(column[0]);
        if (column[4] == NULL || !read_json_string(column[0], &length)) {
            fprintf(stderr, "golden.tsv:%zu: expected text, ids, logits, label, probability\n", row + 1);
            return 2;
        }
        if (!answer(m, column[0], length)) return 1;
        const char *differs = compare(m, column, &farthest);
        if (differs == NULL) passed++;
        else printf("golden.tsv:%zu: %s differ\n", row + 1, differs);
    }
    size_t count = rows.count > 0 ? rows.count - 1 : 0;
    printf("%zu of %zu, farthest logit %.2g\n", passed, count, farthest);
    return passed == count && count > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    Model model = {0};
    bool golden = false;
    double tolerance = -1;
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--golden")) golden = true;
        else if (!strcmp(argv[i], "--tolerance") && i + 1 < argc) tolerance = strtod(argv[++i], NULL);
        else argc = 0;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: run-reference LIBRARY FOLDER [--golden] [--tolerance NUMBER]\n");
        return 2;
    }
    if (!open_model(&model, argv[1], argv[2])) return 2;
    if (tolerance >= 0) model.settings.tolerance = tolerance;
    return golden ? check_golden(&model, argv[2]) : answer_stdin(&model);
}
