/* What is answered to a text, as the kind of model has it; answer.c of the bundle's kind is beside it. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime.h"
#include "settings.h"
#include "tokenizer.h"

typedef struct Answerer Answerer;

/* What golden.tsv has in a row, by names, and how many of them. */
extern const char *const COLUMNS;
extern const size_t COLUMN_COUNT;

/* Open what answers need of the folder, before the model is opened; says what is wrong and returns NULL. */
Answerer *open_answerer(const char *folder, const Settings *settings);

/* Answer a text, which is kept for the two functions below; false if the model cannot. */
bool answer(Answerer *answerer, Tokenizer *tokenizer, Runtime *runtime, const char *text, size_t length);

/* Print the columns of the answer, less the first, which is the text. */
void print_answer(const Answerer *answerer);

/* Hold the answer against a row's columns; returns what differs, or NULL. *farthest is of logits. */
const char *compare_answer(const Answerer *answerer, char **column, double *farthest);

#endif
