/* An order of candidates for a query. A request is one text: the query and its candidates, U+001F between them. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

const char *const COLUMNS = "request, ids, scores, order";
const size_t COLUMN_COUNT = 4;

enum { UNIT = 0x1F };

struct Answerer {
    const Settings *settings;
    size_t width;          /* of what one run gives */
    int32_t *ids;          /* of all runs, each with room for max_tokens */
    size_t *counts;        /* of each run's ids */
    size_t runs, room;     /* runs of the request at hand, and how many there is room for */
    int32_t *whole[2];     /* where the longer of a pair is cut: ids of the query and the candidate */
    size_t whole_room[2];
    float *query, *vector; /* of two towers */
    float *scores;         /* of each candidate */
    size_t *order;         /* places of the candidates, best first */
    size_t candidates;
};

Answerer *open_answerer(const char *folder, const Settings *settings) {
    (void)folder;
    Answerer *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->settings = settings;
    a->width = settings->towers > 0 ? settings->towers : 1;
    a->query = calloc(a->width, sizeof *a->query);
    a->vector = calloc(a->width, sizeof *a->vector);
    return a->query != NULL && a->vector != NULL ? a : NULL;
}

static bool make_room(Answerer *a, size_t runs) {
    if (runs <= a->room) return true;
    int32_t *ids = realloc(a->ids, runs * a->settings->max_tokens * sizeof *ids);
    if (ids != NULL) a->ids = ids;
    size_t *counts = realloc(a->counts, runs * sizeof *counts);
    if (counts != NULL) a->counts = counts;
    float *scores = realloc(a->scores, runs * sizeof *scores);
    if (scores != NULL) a->scores = scores;
    size_t *order = realloc(a->order, runs * sizeof *order);
    if (order != NULL) a->order = order;
    if (ids == NULL || counts == NULL || scores == NULL || order == NULL) return false;
    a->room = runs;
    return true;
}

static size_t copy(int32_t *to, const int32_t *ids, size_t count) {
    memcpy(to, ids, count * sizeof *ids);
    return count;
}

/* Begin the next run; the caller adds ids. */
static int32_t *next_run(Answerer *a) {
    a->counts[a->runs] = 0;
    return a->ids + a->runs++ * a->settings->max_tokens;
}

static size_t cut_whole(Answerer *a, int side, Tokenizer *t, const char *text, size_t length) {
    size_t room = 4 * length + 16; /* more than a text of so many bytes has tokens */
    if (room > a->whole_room[side]) {
        int32_t *more = realloc(a->whole[side], room * sizeof *more);
        if (more == NULL) abort();
        a->whole[side] = more;
        a->whole_room[side] = room;
    }
    return cut(t, text, length, a->whole[side], room);
}

/* A pair of which the longer text is cut, until both fit. */
static void read_longest(Answerer *a, Tokenizer *t, const char *query, size_t asked, const char *text, size_t length) {
    const Settings *s = a->settings;
    size_t first = cut_whole(a, 0, t, query, asked), second = cut_whole(a, 1, t, text, length);
    size_t room = s->max_tokens - s->pair_before_count - s->pair_between_count - s->pair_after_count;
    if (first + second > room) {
        size_t least = first < second ? first : second, shorter = least < room / 2 ? least : room / 2;
        bool is_query_longer = first > second;
        first = is_query_longer ? room - shorter : shorter;
        second = room - first;
    }
    int32_t *ids = next_run(a);
    size_t n = copy(ids, s->pair_before, s->pair_before_count);
    n += copy(ids + n, a->whole[0], first);
    n += copy(ids + n, s->pair_between, s->pair_between_count);
    n += copy(ids + n, a->whole[1], second);
    a->counts[a->runs - 1] = n + copy(ids + n, s->pair_after, s->pair_after_count);
}

/* A pair: a query has at most half of the tokens, a candidate what is left. */
static void read_pair(Answerer *a, Tokenizer *t, const char *query, size_t asked, const char *text, size_t length) {
    const Settings *s = a->settings;
    int32_t *ids = next_run(a);
    size_t n = copy(ids, s->pair_before, s->pair_before_count);
    n += cut(t, query, asked, ids + n, s->max_tokens / 2);
    n += copy(ids + n, s->pair_between, s->pair_between_count);
    n += cut(t, text, length, ids + n, s->max_tokens - n - s->pair_after_count);
    a->counts[a->runs - 1] = n + copy(ids + n, s->pair_after, s->pair_after_count);
}

/* Of two towers a candidate alone, after its separator. */
static void read_candidate(Answerer *a, Tokenizer *t, const char *text, size_t length) {
    int32_t *ids = next_run(a);
    ids[0] = a->settings->separator;
    size_t room = a->settings->max_tokens - a->settings->max_tokens / 2 - 1;
    a->counts[a->runs - 1] = 1 + cut(t, text, length, ids + 1, room);
}

static bool run_last(Answerer *a, Runtime *runtime, float *to) {
    const int32_t *ids = a->ids + (a->runs - 1) * a->settings->max_tokens;
    return run_any(runtime, ids, a->counts[a->runs - 1], to, a->width);
}

static void put_in_order(Answerer *a) {
    for (size_t i = 0; i < a->candidates; i++) { /* equal ones stay as they came */
        size_t at = i;
        for (; at > 0 && a->scores[a->order[at - 1]] < a->scores[i]; at--) a->order[at] = a->order[at - 1];
        a->order[at] = i;
    }
}

bool answer(Answerer *a, Tokenizer *t, Runtime *runtime, const char *text, size_t length) {
    size_t parts = 1;
    for (size_t i = 0; i < length; i++) parts += text[i] == UNIT;
    if (!make_room(a, parts)) return false;
    const char *end = text + length, *at = memchr(text, UNIT, length);
    size_t asked = (size_t)((at == NULL ? end : at) - text);
    a->runs = a->candidates = 0;
    if (a->settings->towers > 0) {
        int32_t *ids = next_run(a);
        a->counts[0] = cut(t, text, asked, ids, a->settings->max_tokens / 2);
        if (a->counts[0] == 0) ids[a->counts[0]++] = 0;
        if (!run_last(a, runtime, a->query)) return false;
    }
    while (at != NULL) {
        const char *start = at + 1;
        at = memchr(start, UNIT, (size_t)(end - start));
        size_t size = (size_t)((at == NULL ? end : at) - start);
        float *score = a->scores + a->candidates++;
        if (a->settings->towers == 0) {
            (a->settings->is_longest_cut ? read_longest : read_pair)(a, t, text, asked, start, size);
            if (!run_last(a, runtime, score)) return false;
            continue;
        }
        read_candidate(a, t, start, size);
        if (!run_last(a, runtime, a->vector)) return false;
        *score = 0;
        for (size_t i = 0; i < a->width; i++) *score += a->vector[i] * a->query[i];
    }
    put_in_order(a);
    return true;
}

void print_answer(const Answerer *a) {
    for (size_t run = 0; run < a->runs; run++) {
        if (run > 0) printf("|");
        print_ids(a->ids + run * a->settings->max_tokens, a->counts[run]);
    }
    printf("\t");
    print_numbers(a->scores, a->candidates);
    printf("\t");
    for (size_t i = 0; i < a->candidates; i++) printf(i ? " %zu" : "%zu", a->order[i]);
    printf("\n");
}

static bool are_runs(const Answerer *a, char *column) {
    for (size_t run = 0; run < a->runs; run++) {
        char *end = column == NULL ? NULL : strchr(column, '|');
        if (end != NULL) *end = '\0';
        if (column == NULL || !are_ids(column, a->ids + run * a->settings->max_tokens, a->counts[run])) return false;
        column = end == NULL ? NULL : end + 1;
    }
    return column == NULL || (a->runs == 0 && *column == '\0');
}

/* Candidates may change places where their golden scores differ, but not by more than rounding moves two. */
static bool is_order(const Answerer *a, const double *golden, const char *column) {
    for (size_t i = 0; i < a->candidates; i++) {
        char *end;
        size_t wanted = strtoul(column, &end, 10), own = a->order[i];
        if (end == column || wanted >= a->candidates) return false;
        column = end;
        double apart = fabs(golden[wanted] - golden[own]);
        if (wanted != own && !(apart > 0 && apart <= 2 * a->settings->tolerance)) return false;
    }
    return *column == '\0';
}

const char *compare_answer(const Answerer *a, char **column, double *farthest) {
    if (!are_runs(a, column[1])) return "token ids";
    Found found = compare_numbers(column[2], a->scores, a->candidates, a->settings->tolerance, farthest);
    if (found != SAME) return found == FAR ? "scores" : "number of scores";
    double *golden = malloc((a->candidates + 1) * sizeof *golden);
    char *at = column[2];
    if (golden == NULL) return "memory";
    for (size_t i = 0; i < a->candidates; i++) golden[i] = strtod(at, &at);
    bool is_same = is_order(a, golden, column[3]);
    free(golden);
    return is_same ? NULL : "order";
}
