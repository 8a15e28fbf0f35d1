/* From a text in UTF-8 to token ids: BERT's WordPiece, over the bundle's own tables. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"

typedef struct Tokenizer Tokenizer;

/* Read vocab.txt and characters.txt of a bundle's folder; says what is wrong and returns NULL. */
Tokenizer *open_tokenizer(const char *folder, const Settings *settings);

/* Write the ids of a text, at most settings->max_tokens; returns how many. The text may hold NUL. */
size_t tokenize(Tokenizer *tokenizer, const char *text, size_t length, int32_t *ids);

/* Write the ids of a text without any around them, at most `room`; returns how many. */
size_t cut(Tokenizer *tokenizer, const char *text, size_t length, int32_t *ids, size_t room);

#endif
