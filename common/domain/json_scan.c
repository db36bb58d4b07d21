#include "common/domain/json_scan.h"

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

/* Four hex digits, or -1. */
static int32_t hex_four(const char *at)
{
    int32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

const char *json_skip_escape(const char *at, enum json_fault *fault)
{
    int32_t unit;

    *fault = JSON_FAULT_ESCAPE;
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        break;
    default:
        return NULL;
    }
    unit = hex_four(at + 2);
    if (unit < 0) {
        return NULL;
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        return at + 6;
    }
    *fault = JSON_FAULT_SURROGATE;
    if (unit > 0xdbff || at[6] != '\\' || at[7] != 'u') {
        return NULL;
    }
    unit = hex_four(at + 8);
    return unit >= 0xdc00 && unit <= 0xdfff ? at + 12 : NULL;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Behind the UTF-8 character at `at` (its first byte is above 127), or NULL: no overlong form, no surrogate, nothing
 * beyond U+10FFFF (Unicode, table 3-7). */
static const char *skip_character(const char *at)
{
    unsigned char lead = (unsigned char)at[0];
    unsigned char second = (unsigned char)at[1];

    if (lead < 0xc2 || !is_continuation(at[1])) {
        return NULL;
    }
    if (lead < 0xe0) {
        return at + 2;
    }
    if (!is_continuation(at[2])) {
        return NULL;
    }
    if (lead < 0xf0) {
        bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f);

        return wrong ? NULL : at + 3;
    }
    if (lead > 0xf4 || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) || !is_continuation(at[3])) {
        return NULL;
    }
    return at + 4;
}

bool json_is_utf8(struct slice text)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    uint64_t bytes;

    while (at != NULL && at < end) {
        if ((size_t)(end - at) >= sizeof bytes) {
            memcpy(&bytes, at, sizeof bytes);
            if ((bytes & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof bytes;
                continue;
            }
        }
        at = (unsigned char)*at < 0x80 ? at + 1 : skip_character(at);
    }
    return at != NULL;
}

const char *json_scan_rest(const char *at, uint8_t *escaped, enum json_fault *fault, const char **fault_at)
{
    for (;;) {
        const char *next;

        if (*at == '"') {
            return at;
        }
        *fault_at = at;
        if (*at == '\\') {
            *escaped = 1;
            next = json_skip_escape(at, fault);
        } else if ((unsigned char)*at >= 0x80) {
            *fault = JSON_FAULT_UTF8;
            next = skip_character(at);
        } else {
            *fault = JSON_FAULT_CONTROL;
            next = NULL;
        }
        if (next == NULL) {
            return NULL;
        }
        at = json_skip_plain(next);
    }
}

void json_unescape_begin(struct json_unescape *reader, struct slice raw)
{
    *reader = (struct json_unescape){.at = raw.data, .end = raw.data + raw.size};
}

static void put_character(struct json_unescape *reader, uint32_t character)
{
    unsigned char *bytes = reader->pending;

    reader->pending_next = 0;
    if (character < 0x80) {
        bytes[0] = (unsigned char)character;
        reader->pending_count = 1;
    } else if (character < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | character >> 6);
        bytes[1] = (unsigned char)(0x80 | (character & 0x3f));
        reader->pending_count = 2;
    } else if (character < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | character >> 12);
        bytes[1] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (character & 0x3f));
        reader->pending_count = 3;
    } else {
        bytes[0] = (unsigned char)(0xf0 | character >> 18);
        bytes[1] = (unsigned char)(0x80 | (character >> 12 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        bytes[3] = (unsigned char)(0x80 | (character & 0x3f));
        reader->pending_count = 4;
    }
}

/* The escape at reader->at, which is behind its backslash. */
static uint32_t take_escape(struct json_unescape *reader)
{
    char kind = *reader->at++;
    uint32_t unit;

    switch (kind) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        break;
    default:
        return (unsigned char)kind;
    }
    unit = (uint32_t)hex_four(reader->at);
    reader->at += 4;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        uint32_t low = (uint32_t)hex_four(reader->at + 2);

        reader->at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return unit;
}

int json_unescape_next(struct json_unescape *reader)
{
    if (reader->pending_next < reader->pending_count) {
        return reader->pending[reader->pending_next++];
    }
    if (reader->at == reader->end) {
        return -1;
    }
    if (*reader->at != '\\') {
        return (unsigned char)*reader->at++;
    }
    reader->at++;
    put_character(reader, take_escape(reader));
    return reader->pending[reader->pending_next++];
}
