/* JSON, read strictly: our own scanner, because what it reads decides memberships.
 *
 * Number text is kept (never through binary), UTF-8 is checked, and repeated keys, leading zeros, trailing text, and
 * nesting beyond a limit are refused. cJSON 1.7.15 turned 9007199254740993 into ...992, cut a string at U+0000 and took
 * invalid UTF-8. One pass builds a flat array of tokens in document order; a container knows where it ends, so skipping
 * it is one step. The text must outlive the document. */
#ifndef MUSTER_DOMAIN_JSON_H
#define MUSTER_DOMAIN_JSON_H

#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/domain/json_index.h"
#include "common/domain/json_skeleton.h"
#include "common/domain/value.h"

#include <stdint.h>

enum json_type {
    JSON_NONE = 0,
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

enum { JSON_DEPTH_LIMIT = 128 };
enum { JSON_ABSENT = -1 }; /* as a token index: no such value */

struct json_token {
    uint8_t type;       /* enum json_type */
    uint8_t escaped;    /* a string or key with a backslash in it */
    uint32_t begin;     /* byte offset in the text; of a string: behind the opening quote */
    uint32_t size;      /* bytes; of a string: without its quotes; of a container: with its brackets */
    uint32_t end_token; /* index of the first token behind this value */
    uint32_t count;     /* elements of an array, members of an object, whether they have tokens or not */
};

/* What made a text no JSON, for callers that must tell kinds apart. */
enum json_fault {
    JSON_FAULT_NONE = 0,
    JSON_FAULT_UNEXPECTED, /* a character that cannot stand there */
    JSON_FAULT_END,        /* the text ends too early */
    JSON_FAULT_TRAILING,   /* something behind the value */
    JSON_FAULT_LITERAL,    /* neither true, false nor null */
    JSON_FAULT_NUMBER,     /* leading zero, no digit where one must be */
    JSON_FAULT_CONTROL,    /* a raw control character in a string */
    JSON_FAULT_ESCAPE,     /* an unknown escape, or not four hex digits */
    JSON_FAULT_SURROGATE,  /* half of a surrogate pair */
    JSON_FAULT_UTF8,
    JSON_FAULT_REPEATED_KEY,
    JSON_FAULT_TOO_DEEP,
    JSON_FAULT_TOO_LARGE,
    JSON_FAULT_NO_MEMORY,
};
const char *json_fault_text(enum json_fault fault);

/* Tokens: an object is followed by key, value, key, value ... where a key is a JSON_STRING token. After
 * json_parse_paths only the members that are wanted have tokens. */
struct json_document {
    struct slice text;
    struct json_token *tokens; /* tokens[0] is the root */
    uint32_t token_count;
    enum json_fault fault; /* why the last json_parse failed */
    uint32_t fault_offset; /* and where: byte offset in the text */
    size_t readable;       /* bytes behind each text that may be read: 0 where nobody else has set it */
    /* Private, kept over json_parse calls. */
    struct json_token *own_tokens; /* tokens are these, or a form's (json_skeleton.h) */
    uint32_t token_capacity;
    char *padded; /* a copy of the text with zeros behind it, so that the scanner needs no bound checks */
    size_t padded_capacity;
    uint32_t *slots; /* hash table for the keys of a large object */
    size_t slot_capacity;
    struct json_index index;
    struct json_skeleton skeleton;
    int32_t *found; /* by number of a path */
    size_t found_capacity;
};

struct json_limits {
    uint32_t depth_max; /* containers inside containers, the root counts: 64 for events and definitions, at most
                         * JSON_DEPTH_LIMIT */
    size_t size_max;    /* bytes of text, < 4 GiB */
};

/* An empty document, whose memory json_parse reuses from call to call. */
void json_document_init(struct json_document *document);
void json_document_clear(struct json_document *document);

/* Parses exactly one JSON value with blanks around it. False with ERROR_INPUT and "not JSON: REASON at byte N" (also
 * for repeated keys, invalid UTF-8, too deep, too large), or ERROR_INTERNAL for no memory. */
bool json_parse(struct json_document *document, struct slice text, const struct json_limits *limits,
                struct error *err) MUST_CHECK;

struct json_paths;

/* The same for a message of which only some members are wanted: the same verdict on the whole text, but tokens only for
 * these. *out_found: by number of a path the token of its value or JSON_ABSENT, borrowed until the next call; NULL
 * where the text was unusual (an escape in a key, say, or no object) and all of it has tokens. */
bool json_parse_paths(struct json_document *document, struct slice text, const struct json_limits *limits,
                      const struct json_paths *paths, const int32_t **out_found, struct error *err) MUST_CHECK;

/* Index of the value of that key in the object at `object`, or JSON_ABSENT (also when `object` is no object or is
 * JSON_ABSENT). The key is compared unescaped. */
int32_t json_member(const struct json_document *document, int32_t object, struct slice key);

/* The token's bytes as written (a string without quotes, still escaped). */
struct slice json_raw(const struct json_document *document, int32_t token);

/* A string token's content, unescaped: borrowed from the text where nothing is escaped, else copied into the arena.
 * False when there is no memory. */
bool json_string(const struct json_document *document, int32_t token, struct arena *arena,
                 struct slice *out) MUST_CHECK;

/* The token as a value: null and JSON_ABSENT are missing, a number outside the decimal range is missing (and sets
 * *out_of_range where that is not NULL). Strings as in json_string. False when there is no memory. */
bool json_value(const struct json_document *document, int32_t token, struct arena *arena, struct value *out,
                bool *out_of_range) MUST_CHECK;

/* Whether a string token's content, unescaped, equals `text`. */
bool json_equal(const struct json_document *document, int32_t token, struct slice text);

/* Walks keys through nested objects from `object`; JSON_ABSENT where a step is missing or no object. */
int32_t json_path(const struct json_document *document, int32_t object, const struct slice *keys, size_t key_count);

/* Line (from 1) of a byte offset, for messages. */
size_t json_line(const struct json_document *document, uint32_t offset);

#endif
