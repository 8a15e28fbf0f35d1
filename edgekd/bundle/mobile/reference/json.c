#include "json.h"

#include <stdint.h>
#include <string.h>

static char *put_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(lead[more] | point >> 6 * more);
    while (more-- > 0) *to++ = (char)(0x80 | (point >> 6 * more & 0x3F));
    return to;
}

/* Read four hexadecimal digits; returns a number beyond all code points if there are none. */
static uint32_t read_unit(const char *at, const char *end) {
    uint32_t unit = 0;
    if (end - at < 4) return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *found = at[i] == '\0' ? NULL : strchr(digits, at[i]);
        if (found == NULL) return UINT32_MAX;
        unit = unit << 4 | ((uint32_t)(found - digits) & 15);
    }
    return unit;
}

static bool is_utf8(const char *text, size_t length) {
    for (size_t i = 0; i < length;) {
        unsigned char lead = (unsigned char)text[i];
        size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        if (size == 0 || size > length - i) return false;
        uint32_t point = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        for (size_t k = 1; k < size; k++) {
            if (((unsigned char)text[i + k] & 0xC0) != 0x80) return false;
            point = point << 6 | ((unsigned char)text[i + k] & 0x3F);
        }
        if ((size == 3 && point < 0x800) || (size == 4 && (point < 0x10000 || point > 0x10FFFF)) ||
            (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += size;
    }
    return true;
}

bool read_json_string(char *text, size_t *length) {
    if (*length < 2 || text[0] != '"' || text[*length - 1] != '"') return false;
    const char *at = text + 1, *end = text + *length - 1;
    char *to = text; /* an escape is never shorter than what it stands for */
    while (at < end) {
        if (*at == '"') return false;
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        if (++at == end) return false;
        static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const char *name = *at == '\0' ? NULL : strchr(names, *at);
        if (name != NULL) {
            *to++ = meant[name - names];
            at++;
            continue;
        }
        if (*at != 'u') return false;
        uint32_t point = read_unit(++at, end);
        at += 4;
        if (point >= 0xD800 && point <= 0xDBFF && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            uint32_t low = read_unit(at + 2, end);
            if (low < 0xDC00 || low > 0xDFFF) return false;
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
        if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
        to = put_utf8(to, point);
    }
    *length = (size_t)(to - text);
    return is_utf8(text, *length);
}
