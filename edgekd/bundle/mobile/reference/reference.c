/* Answers texts with the bundle's model, without Python: what a port must do, and proof of the golden file.

     cd reference && cc -std=gnu11 -O2 *.c -o run-reference -ldl -lm
     ./run-reference LIBRARY FOLDER --golden     checks FOLDER/golden.tsv; exit code 1 if a row differs
     ./run-reference LIBRARY FOLDER              answers texts from stdin, one JSON string a line

   LIBRARY is the runtime's shared library, FOLDER the bundle's. An answer is a line of golden.tsv's columns, less
   the text, with tabs between. --tolerance NUMBER takes the place of model.txt's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "json.h"
#include "runtime.h"
#include "settings.h"
#include "tokenizer.h"

enum { MOST_COLUMNS = 8 };

typedef struct {
    Settings settings;
    Answerer *answerer;
    Tokenizer *tokenizer;
    Runtime *runtime;
} Model;

static bool open_model(Model *m, const char *library, const char *folder) {
    if (!read_settings(folder, &m->settings)) return false;
    m->answerer = open_answerer(folder, &m->settings);
    m->tokenizer = m->answerer == NULL ? NULL : open_tokenizer(folder, &m->settings);
    m->runtime = m->tokenizer == NULL ? NULL : open_runtime(library, folder, &m->settings);
    return m->runtime != NULL;
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
        if (!answer(m->answerer, m->tokenizer, m->runtime, line, length)) return 1;
        print_answer(m->answerer);
    }
    free(line);
    return 0;
}

static int check_golden(Model *m, const char *folder) {
    Lines rows;
    size_t passed = 0;
    double farthest = 0;
    if (!read_lines(folder, "golden.tsv", &rows)) return 2;
    for (size_t row = 1; row < rows.count; row++) { /* the first line names the columns */
        char *column[MOST_COLUMNS] = {(char *)rows.line[row]};
        for (size_t i = 1; i < COLUMN_COUNT; i++) {
            column[i] = strchr(column[i - 1], '\t');
            if (column[i] == NULL) break;
            *column[i]++ = '\0';
        }
        size_t length = strlen(column[0]);
        if (column[COLUMN_COUNT - 1] == NULL || !read_json_string(column[0], &length)) {
            fprintf(stderr, "golden.tsv:%zu: expected %s\n", row + 1, COLUMNS);
            return 2;
        }
        if (!answer(m->answerer, m->tokenizer, m->runtime, column[0], length)) return 1;
        const char *differs = compare_answer(m->answerer, column, &farthest);
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
