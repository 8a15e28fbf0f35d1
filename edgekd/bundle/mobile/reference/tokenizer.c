#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line of characters.txt: what becomes of the code points first to last. */
typedef struct { uint32_t first, last; const char *kind; } Range;

struct Tokenizer {
    const Settings *settings;
    Lines vocabulary;
    int32_t *slots; /* ids by the hash of their token; -1 is free */
    size_t mask;    /* one less than the number of slots, a power of two */
    Range *ranges;
    size_t range_count;
    char *word;     /* the word that is being read, in UTF-8, with room for the prefix before it */
    size_t word_length, word_room, word_characters, prefix_length;
    int32_t *ids;   /* where the ids of the text at hand go */
    size_t count, room;
};

static size_t hash(const char *bytes, size_t length) {
    uint64_t value = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) value = (value ^ (unsigned char)bytes[i]) * 1099511628211u;
    return (size_t)(value ^ value >> 32);
}

static int32_t look_up(const Tokenizer *t, const char *bytes, size_t length) {
    for (size_t at = hash(bytes, length);; at++) {
        int32_t id = t->slots[at & t->mask];
        if (id < 0) return -1;
        if (t->vocabulary.length[id] == length && !memcmp(t->vocabulary.line[id], bytes, length)) return id;
    }
}

static bool read_vocabulary(Tokenizer *t, const char *folder) {
    if (!read_lines(folder, "vocab.txt", &t->vocabulary)) return false;
    size_t slots = 16;
    while (slots < 2 * t->vocabulary.count) slots *= 2;
    t->mask = slots - 1;
    t->slots = malloc(slots * sizeof *t->slots);
    if (t->slots == NULL) return false;
    for (size_t i = 0; i < slots; i++) t->slots[i] = -1;
    for (size_t id = 0; id < t->vocabulary.count; id++) {
        size_t at = hash(t->vocabulary.line[id], t->vocabulary.length[id]);
        while (t->slots[at & t->mask] >= 0) at++;
        t->slots[at & t->mask] = (int32_t)id;
    }
    return true;
}

static bool read_characters(Tokenizer *t, const char *folder) {
    Lines lines;
    if (!read_lines(folder, "characters.txt", &lines)) return false;
    t->ranges = malloc((lines.count + 1) * sizeof *t->ranges);
    if (t->ranges == NULL) return false;
    for (size_t i = 0; i < lines.count; i++) {
        char *rest;
        Range *range = &t->ranges[t->range_count++];
        range->first = (uint32_t)strtoul(lines.line[i], &rest, 16);
        range->last = (uint32_t)strtoul(rest, &rest, 16);
        range->kind = rest + (*rest == ' ');
    }
    return true;
}

Tokenizer *open_tokenizer(const char *folder, const Settings *settings) {
    Tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->settings = settings;
    t->prefix_length = strlen(settings->prefix);
    t->word_room = 256 + t->prefix_length;
    t->word = malloc(t->word_room);
    if (t->word == NULL || !read_vocabulary(t, folder) || !read_characters(t, folder)) return NULL;
    return t;
}

static void add(Tokenizer *t, int32_t id) {
    if (t->count < t->room) t->ids[t->count++] = id;
}

/* Cut the word into the longest known pieces from the left; one unknown makes all of it unknown. */
static void end_word(Tokenizer *t) {
    char *word = t->word + t->prefix_length;
    size_t length = t->word_length, start = 0, before = t->count;
    size_t characters = t->word_characters;
    t->word_length = t->word_characters = 0;
    if (length == 0) return;
    int32_t whole = look_up(t, word, length);
    if (whole >= 0 || characters > t->settings->longest_word) {
        add(t, whole >= 0 ? whole : t->settings->unknown);
        return;
    }
    while (start < length) {
        int32_t piece = -1;
        size_t end = length, head = start > 0 ? t->prefix_length : 0;
        /* The prefix goes over bytes that were read already, or before the word. */
        if (start > 0) memcpy(word + start - head, t->settings->prefix, head);
        while (end > start) {
            piece = look_up(t, word + start - head, end - start + head);
            if (piece >= 0) break;
            do end--; while (end > start && ((unsigned char)word[end] & 0xC0) == 0x80);
        }
        if (piece < 0) {
            t->count = before;
            add(t, t->settings->unknown);
            break;
        }
        add(t, piece);
        start = end;
    }
}

/* Take one character after its treatment: a space ends a word, any other goes on with it. */
static void put(Tokenizer *t, uint32_t point) {
    if (point == ' ') {
        end_word(t);
        return;
    }
    if (t->prefix_length + t->word_length + 4 > t->word_room) {
        char *more = realloc(t->word, t->word_room * 2);
        if (more == NULL) abort();
        t->word = more;
        t->word_room *= 2;
    }
    unsigned char *to = (unsigned char *)t->word + t->prefix_length + t->word_length;
    t->word_characters++;
    if (point < 0x80) {
        to[0] = (unsigned char)point;
        t->word_length += 1;
    } else if (point < 0x800) {
        to[0] = (unsigned char)(0xC0 | point >> 6);
        to[1] = (unsigned char)(0x80 | (point & 0x3F));
        t->word_length += 2;
    } else if (point < 0x10000) {
        to[0] = (unsigned char)(0xE0 | point >> 12);
        to[1] = (unsigned char)(0x80 | (point >> 6 & 0x3F));
        to[2] = (unsigned char)(0x80 | (point & 0x3F));
        t->word_length += 3;
    } else {
        to[0] = (unsigned char)(0xF0 | point >> 18);
        to[1] = (unsigned char)(0x80 | (point >> 12 & 0x3F));
        to[2] = (unsigned char)(0x80 | (point >> 6 & 0x3F));
        to[3] = (unsigned char)(0x80 | (point & 0x3F));
        t->word_length += 4;
    }
}

/* Treat a character as its line of characters.txt says; without a line it stays as it is. */
static void take_character(Tokenizer *t, uint32_t point) {
    size_t low = 0, high = t->range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->ranges[middle].first <= point) low = middle + 1;
        else high = middle;
    }
    if (low == 0 || point > t->ranges[low - 1].last) {
        put(t, point);
        return;
    }
    const char *kind = t->ranges[low - 1].kind;
    if (!strcmp(kind, "drop")) return;
    if (!strcmp(kind, "space")) put(t, ' ');
    else if (!strcmp(kind, "alone")) {
        put(t, ' ');
        put(t, point);
        put(t, ' ');
    } else if (!strncmp(kind, "add ", 4)) {
        put(t, (uint32_t)((long)point + strtol(kind + 4, NULL, 10)));
    } else if (!strcmp(kind, "hangul")) { /* Unicode Standard, 3.12 */
        uint32_t place = point - 0xAC00;
        put(t, 0x1100 + place / 588);
        put(t, 0x1161 + place % 588 / 28);
        if (place % 28 > 0) put(t, 0x11A7 + place % 28);
    } else { /* = and code points */
        for (char *rest = (char *)kind + 1; *rest != '\0';) put(t, (uint32_t)strtoul(rest, &rest, 16));
    }
}

static const Added *find_added(const Settings *settings, const char *text, size_t length) {
    for (size_t i = 0; i < settings->added_count; i++) {
        const Added *token = &settings->added[i];
        if (token->length <= length && !memcmp(token->text, text, token->length)) return token;
    }
    return NULL;
}

size_t cut(Tokenizer *t, const char *text, size_t length, int32_t *ids, size_t room) {
    t->ids = ids;
    t->count = 0;
    t->room = room;
    for (size_t at = 0; at < length && t->count < t->room;) {
        const Added *token = find_added(t->settings, text + at, length - at);
        if (token != NULL) {
            end_word(t);
            add(t, token->id);
            at += token->length;
            continue;
        }
        unsigned char lead = (unsigned char)text[at];
        size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        uint32_t point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        for (size_t i = 1; i < size; i++) point = point << 6 | ((unsigned char)text[at + i] & 0x3F);
        take_character(t, point);
        at += size;
    }
    end_word(t);
    t->word_length = t->word_characters = 0;
    return t->count;
}

size_t tokenize(Tokenizer *t, const char *text, size_t length, int32_t *ids) {
    const Settings *settings = t->settings;
    size_t before = settings->before_count, special = before + settings->after_count;
    memcpy(ids, settings->before, before * sizeof *ids);
    size_t count = cut(t, text, length, ids + before, settings->max_tokens > special ? settings->max_tokens - special : 0);
    memcpy(ids + before + count, settings->after, settings->after_count * sizeof *ids);
    return count + special;
}
