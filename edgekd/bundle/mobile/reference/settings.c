#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *join_path(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    size_t room = 1 << 16;
    char *content = malloc(room + 1);
    *size = 0;
    while (content != NULL) {
        size_t got = fread(content + *size, 1, room - *size, file);
        *size += got;
        if (*size < room) break; /* the end, or an error */
        char *more = realloc(content, (room *= 2) + 1);
        if (more == NULL) free(content);
        content = more;
    }
    if (content != NULL) content[*size] = '\0';
    if (ferror(file)) {
        free(content);
        content = NULL;
    }
    fclose(file);
    return content;
}

bool read_lines(const char *folder, const char *name, Lines *lines) {
    size_t size = 0, room = 1;
    char *path = join_path(folder, name);
    char *content = path == NULL ? NULL : read_file(path, &size);
    if (content == NULL) {
        fprintf(stderr, "%s/%s: cannot be read\n", folder, name);
        free(path);
        return false;
    }
    free(path);
    for (size_t i = 0; i < size; i++) room += content[i] == '\n';
    lines->line = malloc(room * sizeof *lines->line);
    lines->length = malloc(room * sizeof *lines->length);
    lines->count = 0;
    if (lines->line == NULL || lines->length == NULL) return false;
    /* A line ends at a line feed alone: a token may hold any other character. */
    for (char *start = content, *end; start < content + size; start = end + 1) {
        end = memchr(start, '\n', (size_t)(content + size - start));
        if (end == NULL) end = content + size;
        *end = '\0';
        lines->line[lines->count] = start;
        lines->length[lines->count++] = (size_t)(end - start);
    }
    return true;
}

static bool add_special(int32_t *ids, size_t *count, const char *value) {
    if (*count == MOST_SPECIAL) return false;
    ids[(*count)++] = (int32_t)strtol(value, NULL, 10);
    return true;
}

/* Take one line; false if it cannot be kept. A key that is not known here is of no matter. */
static bool take(Settings *into, const char *key, const char *value) {
    char *rest = NULL;
    long number = strtol(value, &rest, 10);
    if (*rest == ' ') rest++;
    if (!strcmp(key, "model")) into->model = value;
    else if (!strcmp(key, "input")) into->input = value;
    else if (!strcmp(key, "mask")) into->mask = value;
    else if (!strcmp(key, "output")) into->output = value;
    else if (!strcmp(key, "kernels")) into->kernels = value;
    else if (!strcmp(key, "prefix")) into->prefix = value;
    else if (!strcmp(key, "before")) return add_special(into->before, &into->before_count, value);
    else if (!strcmp(key, "after")) return add_special(into->after, &into->after_count, value);
    else if (!strcmp(key, "pair_before")) return add_special(into->pair_before, &into->pair_before_count, value);
    else if (!strcmp(key, "pair_between")) return add_special(into->pair_between, &into->pair_between_count, value);
    else if (!strcmp(key, "pair_after")) return add_special(into->pair_after, &into->pair_after_count, value);
    else if (!strcmp(key, "cut")) into->is_longest_cut = !strcmp(value, "longest");
    else if (!strcmp(key, "towers")) into->towers = (size_t)number;
    else if (!strcmp(key, "separator")) into->separator = (int32_t)number;
    else if (!strcmp(key, "unknown")) into->unknown = (int32_t)number;
    else if (!strcmp(key, "longest_word")) into->longest_word = (size_t)number;
    else if (!strcmp(key, "max_tokens")) into->max_tokens = (size_t)number;
    else if (!strcmp(key, "temperature")) into->temperature = strtod(value, NULL);
    else if (!strcmp(key, "tolerance")) into->tolerance = strtod(value, NULL);
    else if (!strcmp(key, "signature")) {
        if (into->signature_count == MOST_SIGNATURES) return false;
        Signature *signature = &into->signatures[into->signature_count++];
        signature->tokens = (int32_t)number;
        signature->index = strtoul(rest, &rest, 10);
        signature->name = *rest == ' ' ? rest + 1 : rest;
    } else if (!strcmp(key, "bias")) {
        if (into->bias_count == MOST_BIASES) return false;
        into->biases[into->bias_count++] = (Bias){(size_t)number, strtod(rest, NULL)};
    } else if (!strcmp(key, "added")) {
        if (into->added_count == MOST_ADDED) return false;
        into->added[into->added_count++] = (Added){(int32_t)number, rest, strlen(rest)};
    }
    return true;
}

bool read_settings(const char *folder, Settings *settings) {
    Lines lines;
    memset(settings, 0, sizeof *settings);
    settings->prefix = "";
    if (!read_lines(folder, "model.txt", &lines)) return false;
    for (size_t i = 0; i < lines.count; i++) {
        char *key = (char *)lines.line[i], *space = strchr(key, ' ');
        if (space == NULL) continue;
        *space = '\0';
        if (!take(settings, key, space + 1)) {
            fprintf(stderr, "%s/model.txt: more lines of %s than this program holds\n", folder, key);
            return false;
        }
    }
    if (settings->model == NULL || settings->input == NULL || settings->output == NULL ||
        settings->max_tokens < 1) {
        fprintf(stderr, "%s/model.txt: expected model, input, output, max_tokens\n", folder);
        return false;
    }
    return true;
}
