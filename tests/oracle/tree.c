#include "tests/oracle/tree.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64 };

struct reader {
    struct arena *arena;
    const unsigned char *at;
    const unsigned char *end;
    int depth;
};

static struct tree *read_value(struct reader *reader);

void *take(struct arena *arena, size_t count, size_t size)
{
    void *block = arena_allocate_zeroed(arena, count == 0 ? 1 : count, size);

    if (block == NULL) {
        fputs("oracle: no memory\n", stderr);
        exit(70);
    }
    return block;
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r')) {
        reader->at++;
    }
}

static bool accept(struct reader *reader, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

/* Bytes of the UTF-8 sequence at `at`, 0 where it is none (RFC 3629). */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;

    if (size == 0 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
        (at[0] == 0xF4 && at[1] > 0x8F)) {
        return 0;
    }
    return size;
}

static bool hex4(struct reader *reader, uint32_t *out)
{
    *out = 0;
    if (reader->end - reader->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        unsigned char c = *reader->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 99;

        if (digit == 99) {
            return false;
        }
        *out = *out * 16 + digit;
    }
    return true;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* What follows a backslash. 0 bytes: an error. */
static size_t read_escape(struct reader *reader, char *out)
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    uint32_t code;
    uint32_t low;

    if (reader->at == reader->end) {
        return 0;
    }
    for (size_t i = 0; i + 1 < sizeof letters - 1; i += 2) {
        if (*reader->at == (unsigned char)letters[i]) {
            reader->at++;
            *out = letters[i + 1];
            return 1;
        }
    }
    if (*reader->at++ != 'u' || !hex4(reader, &code)) {
        return 0;
    }
    if (code >= 0xD800 && code < 0xDC00) {
        if (!accept(reader, "\\u") || !hex4(reader, &low) || low < 0xDC00 || low > 0xDFFF) {
            return 0;
        }
        return put_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
    }
    return code >= 0xDC00 && code < 0xE000 ? 0 : put_utf8(out, code);
}

static bool read_string(struct reader *reader, struct slice *out)
{
    char *text;
    size_t size = 0;

    if (!accept(reader, "\"")) {
        return false;
    }
    text = take(reader->arena, (size_t)(reader->end - reader->at) + 1, 1);
    while (reader->at < reader->end && *reader->at != '"') {
        size_t bytes;

        if (*reader->at == '\\') {
            reader->at++;
            bytes = read_escape(reader, text + size);
        } else {
            bytes = *reader->at < 0x20 ? 0 : utf8_size(reader->at, (size_t)(reader->end - reader->at));
            memcpy(text + size, reader->at, bytes);
            reader->at += bytes;
        }
        if (bytes == 0) {
            return false;
        }
        size += bytes;
    }
    *out = slice_of(text, size);
    return accept(reader, "\"");
}

static size_t skip_digits(struct reader *reader)
{
    const unsigned char *begin = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        reader->at++;
    }
    return (size_t)(reader->at - begin);
}

static bool read_number(struct reader *reader, struct slice *out)
{
    const char *begin = (const char *)reader->at;

    (void)accept(reader, "-");
    if (!accept(reader, "0") && skip_digits(reader) == 0) {
        return false;
    }
    if (accept(reader, ".") && skip_digits(reader) == 0) {
        return false;
    }
    if (accept(reader, "e") || accept(reader, "E")) {
        if (!accept(reader, "+")) {
            (void)accept(reader, "-");
        }
        if (skip_digits(reader) == 0) {
            return false;
        }
    }
    *out = slice_of(begin, (size_t)((const char *)reader->at - begin));
    return true;
}

/* The inside of an object or array, its opening bracket read. */
static bool read_children(struct reader *reader, struct tree *parent)
{
    bool object = parent->kind == TREE_OBJECT;
    const char *closing = object ? "}" : "]";
    struct tree **link = &parent->first;

    if (++reader->depth > DEPTH_MAX) {
        return false;
    }
    skip_blanks(reader);
    if (accept(reader, closing)) {
        reader->depth--;
        return true;
    }
    do {
        struct slice key = {0};

        skip_blanks(reader);
        if (object) {
            if (!read_string(reader, &key) || tree_member_slice(parent, key) != NULL) {
                return false;
            }
            skip_blanks(reader);
            if (!accept(reader, ":")) {
                return false;
            }
        }
        *link = read_value(reader);
        if (*link == NULL) {
            return false;
        }
        (*link)->key = key;
        link = &(*link)->next;
        skip_blanks(reader);
    } while (accept(reader, ","));
    reader->depth--;
    return accept(reader, closing);
}

static struct tree *read_value(struct reader *reader)
{
    struct tree *tree = take(reader->arena, 1, sizeof *tree);

    skip_blanks(reader);
    if (reader->at == reader->end) {
        return NULL;
    }
    switch (*reader->at) {
    case '{':
    case '[':
        tree->kind = *reader->at == '{' ? TREE_OBJECT : TREE_ARRAY;
        reader->at++;
        return read_children(reader, tree) ? tree : NULL;
    case '"':
        tree->kind = TREE_STRING;
        return read_string(reader, &tree->text) ? tree : NULL;
    case 't':
        tree->kind = TREE_TRUE;
        return accept(reader, "true") ? tree : NULL;
    case 'f':
        tree->kind = TREE_FALSE;
        return accept(reader, "false") ? tree : NULL;
    case 'n':
        tree->kind = TREE_NULL;
        return accept(reader, "null") ? tree : NULL;
    default:
        tree->kind = TREE_NUMBER;
        return read_number(reader, &tree->text) ? tree : NULL;
    }
}

struct tree *tree_parse(struct arena *arena, struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    struct reader reader = {.arena = arena, .at = bytes, .end = bytes + text.size};
    struct tree *tree = read_value(&reader);

    skip_blanks(&reader);
    return reader.at == reader.end ? tree : NULL;
}

struct tree *tree_member_slice(const struct tree *tree, struct slice key)
{
    if (tree == NULL || tree->kind != TREE_OBJECT) {
        return NULL;
    }
    for (struct tree *child = tree->first; child != NULL; child = child->next) {
        if (slice_equal(child->key, key)) {
            return child;
        }
    }
    return NULL;
}

struct tree *tree_member(const struct tree *tree, const char *key)
{
    return tree_member_slice(tree, slice_from(key));
}

size_t tree_count(const struct tree *tree)
{
    size_t count = 0;

    for (const struct tree *child = tree == NULL ? NULL : tree->first; child != NULL; child = child->next) {
        count++;
    }
    return count;
}

void tree_write_string(struct slice text, struct buffer *out)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)c);
        } else if (c < 0x20) {
            buffer_append_format(out, "\\u%04x", c);
        } else {
            buffer_append_char(out, (char)c);
        }
    }
    buffer_append_char(out, '"');
}

void tree_write(const struct tree *tree, struct buffer *out)
{
    switch (tree->kind) {
    case TREE_TRUE:
        buffer_append_text(out, "true");
        break;
    case TREE_FALSE:
        buffer_append_text(out, "false");
        break;
    case TREE_NUMBER:
        buffer_append_slice(out, tree->text);
        break;
    case TREE_STRING:
        tree_write_string(tree->text, out);
        break;
    case TREE_ARRAY:
    case TREE_OBJECT:
        buffer_append_char(out, tree->kind == TREE_OBJECT ? '{' : '[');
        for (const struct tree *child = tree->first; child != NULL; child = child->next) {
            if (tree->kind == TREE_OBJECT) {
                tree_write_string(child->key, out);
                buffer_append_char(out, ':');
            }
            tree_write(child, out);
            if (child->next != NULL) {
                buffer_append_char(out, ',');
            }
        }
        buffer_append_char(out, tree->kind == TREE_OBJECT ? '}' : ']');
        break;
    case TREE_NONE:
    case TREE_NULL:
        buffer_append_text(out, "null");
        break;
    }
}
