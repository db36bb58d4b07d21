/* The parser: one loop over the text with a stack of open containers, no recursion, no allocation per token.
 *
 * Repeated keys must be found without a cost for the many small objects and without quadratic time for a hostile large
 * one. A small object keeps a 256-bit filter of its keys: only a key whose bit is taken is compared with the earlier
 * ones. A large object (more than JSON_SMALL_MEMBERS) is checked by a hash set once it is closed. */
#include "common/domain/json.h"

#include "common/domain/json_keys.h"
#include "common/domain/json_scan.h"

struct frame {
    uint32_t token; /* of the container */
    uint32_t count; /* members or elements so far */
    bool object;
    struct json_key_filter keys;
};

struct parser {
    struct json_document *document;
    const char *base;
    uint32_t depth_max;
    uint32_t depth;
    const char *fault_at;
    enum json_fault fault;
    struct frame frames[JSON_DEPTH_LIMIT];
};

enum { TOKENS_BEGIN = 64 };

const char *json_fault_text(enum json_fault fault)
{
    switch (fault) {
    case JSON_FAULT_NONE:
        return "none";
    case JSON_FAULT_UNEXPECTED:
        return "unexpected character";
    case JSON_FAULT_END:
        return "unexpected end";
    case JSON_FAULT_TRAILING:
        return "text behind the value";
    case JSON_FAULT_LITERAL:
        return "unknown word";
    case JSON_FAULT_NUMBER:
        return "malformed number";
    case JSON_FAULT_CONTROL:
        return "control character in a string";
    case JSON_FAULT_ESCAPE:
        return "unknown escape";
    case JSON_FAULT_SURROGATE:
        return "half of a surrogate pair";
    case JSON_FAULT_UTF8:
        return "invalid UTF-8";
    case JSON_FAULT_REPEATED_KEY:
        return "repeated key";
    case JSON_FAULT_TOO_DEEP:
        return "nested too deep";
    case JSON_FAULT_TOO_LARGE:
        return "too large";
    case JSON_FAULT_NO_MEMORY:
        return "no memory";
    }
    return "unknown";
}

void json_document_init(struct json_document *document)
{
    *document = (struct json_document){0};
    json_skeleton_init(&document->skeleton);
}

void json_document_clear(struct json_document *document)
{
    memory_free(document->own_tokens);
    memory_free(document->padded);
    memory_free(document->slots);
    memory_free(document->found);
    json_index_clear(&document->index);
    json_skeleton_clear(&document->skeleton);
    json_document_init(document);
}

static const char *fail(struct parser *parser, enum json_fault fault, const char *at)
{
    parser->fault = fault;
    parser->fault_at = at;
    return NULL;
}

/* A character that cannot stand here, or the end of the text. */
static const char *fail_unexpected(struct parser *parser, const char *at)
{
    bool end = at >= parser->base + parser->document->text.size;

    return fail(parser, end ? JSON_FAULT_END : JSON_FAULT_UNEXPECTED, at);
}

static inline const char *skip_blank(const char *at)
{
    while ((unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

static const char *skip_number(struct parser *parser, const char *at)
{
    const char *end = json_skip_number(at, &parser->fault_at);

    return end != NULL ? end : fail(parser, JSON_FAULT_NUMBER, parser->fault_at);
}

/* Room for two more tokens. */
static bool grow_tokens(struct json_document *document)
{
    uint32_t capacity = document->token_capacity == 0 ? TOKENS_BEGIN : document->token_capacity;
    struct json_token *grown;

    if (document->token_capacity > 0 && __builtin_mul_overflow(capacity, 2, &capacity)) {
        return false;
    }
    grown = memory_resize(document->own_tokens, capacity, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    document->own_tokens = document->tokens = grown;
    document->token_capacity = capacity;
    return true;
}

static inline const char *add_string(struct parser *parser, const char *at)
{
    struct json_document *document = parser->document;
    const char *begin = at + 1;
    uint8_t escaped = 0;
    const char *end = json_skip_plain(begin);

    if (__builtin_expect(*end != '"', 0)) {
        end = json_scan_rest(end, &escaped, &parser->fault, &parser->fault_at);
    }
    if (end == NULL) {
        if (parser->fault_at >= parser->base + document->text.size) {
            parser->fault = JSON_FAULT_END;
        }
        return NULL;
    }
    document->tokens[document->token_count] = (struct json_token){
        .type = JSON_STRING,
        .escaped = escaped,
        .begin = (uint32_t)(begin - parser->base),
        .size = (uint32_t)(end - begin),
        .end_token = document->token_count + 1,
    };
    document->token_count++;
    return end + 1;
}

static inline const char *add_scalar(struct parser *parser, enum json_type type, const char *begin, const char *end)
{
    struct json_document *document = parser->document;

    if (end != NULL) {
        document->tokens[document->token_count] = (struct json_token){
            .type = (uint8_t)type,
            .begin = (uint32_t)(begin - parser->base),
            .size = (uint32_t)(end - begin),
            .end_token = document->token_count + 1,
        };
        document->token_count++;
    }
    return end;
}

static inline const char *add_word(struct parser *parser, enum json_type type, const char *at, struct slice word)
{
    if (memcmp(at, word.data, word.size) != 0) {
        return fail(parser, JSON_FAULT_LITERAL, at);
    }
    return add_scalar(parser, type, at, at + word.size);
}

static inline const char *open_container(struct parser *parser, const char *at)
{
    struct json_document *document = parser->document;
    struct frame *frame;

    if (parser->depth == parser->depth_max) {
        return fail(parser, JSON_FAULT_TOO_DEEP, at);
    }
    frame = &parser->frames[parser->depth++];
    frame->token = document->token_count;
    frame->count = 0;
    frame->object = *at == '{';
    json_key_filter_reset(&frame->keys);
    return add_scalar(parser, frame->object ? JSON_OBJECT : JSON_ARRAY, at, at + 1);
}

/* The bracket at `at` closes the innermost container. */
static inline const char *close_container(struct parser *parser, const char *at)
{
    struct json_document *document = parser->document;
    const struct frame *frame = &parser->frames[--parser->depth];
    struct json_token *token = &document->tokens[frame->token];

    token->count = frame->count;
    token->size = (uint32_t)(at + 1 - parser->base) - token->begin;
    token->end_token = document->token_count;
    if (frame->object && frame->count > JSON_SMALL_MEMBERS) {
        enum json_fault fault = json_keys_check(document, parser->base, frame->token, &parser->fault_at);

        if (fault != JSON_FAULT_NONE) {
            parser->fault = fault;
            return NULL;
        }
    }
    return at + 1;
}

/* A key and its colon; `at` is where the key must begin. Returns where the value begins. */
static inline const char *add_key(struct parser *parser, struct frame *frame, const char *at)
{
    struct json_document *document = parser->document;
    const char *begin = at;

    if (*at != '"') {
        return fail_unexpected(parser, at);
    }
    at = add_string(parser, at);
    if (at == NULL) {
        return NULL;
    }
    if (frame->count < JSON_SMALL_MEMBERS &&
        json_key_filter_add(&frame->keys, document, parser->base, frame->token, document->token_count - 1)) {
        return fail(parser, JSON_FAULT_REPEATED_KEY, begin);
    }
    at = skip_blank(at);
    if (*at != ':') {
        return fail_unexpected(parser, at);
    }
    return skip_blank(at + 1);
}

/* A scalar, or the opening of a container. */
static inline const char *add_value(struct parser *parser, const char *at)
{
    switch (*at) {
    case '"':
        return add_string(parser, at);
    case '{':
    case '[':
        return open_container(parser, at);
    case 't':
        return add_word(parser, JSON_TRUE, at, SLICE_LITERAL("true"));
    case 'f':
        return add_word(parser, JSON_FALSE, at, SLICE_LITERAL("false"));
    case 'n':
        return add_word(parser, JSON_NULL, at, SLICE_LITERAL("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return add_scalar(parser, JSON_NUMBER, at, skip_number(parser, at));
    default:
        return fail_unexpected(parser, at);
    }
}

/* Behind a complete value: closes containers as long as they end here, then goes behind a comma. Sets *done when the
 * root is complete. */
static inline const char *after_value(struct parser *parser, const char *at, bool *done)
{
    while (parser->depth > 0) {
        struct frame *frame = &parser->frames[parser->depth - 1];

        frame->count++;
        at = skip_blank(at);
        if (*at == ',') {
            return skip_blank(at + 1);
        }
        if (*at != (frame->object ? '}' : ']')) {
            return fail_unexpected(parser, at);
        }
        at = close_container(parser, at);
        if (at == NULL) {
            return NULL;
        }
    }
    *done = true;
    return at;
}

static bool parse(struct parser *parser)
{
    struct json_document *document = parser->document;
    const char *at = skip_blank(parser->base);
    bool done = false;

    while (!done) {
        struct frame *frame = parser->depth > 0 ? &parser->frames[parser->depth - 1] : NULL;
        uint32_t depth = parser->depth;

        if (document->token_count + 2 > document->token_capacity && !grow_tokens(document)) {
            (void)fail(parser, JSON_FAULT_NO_MEMORY, at);
            return false;
        }
        if (frame != NULL && frame->object) {
            at = add_key(parser, frame, at);
        }
        at = at == NULL ? NULL : add_value(parser, at);
        if (at != NULL && parser->depth > depth) {
            frame = &parser->frames[depth];
            at = skip_blank(at);
            if (*at != (frame->object ? '}' : ']')) {
                continue;
            }
            at = close_container(parser, at);
        }
        at = at == NULL ? NULL : after_value(parser, at, &done);
        if (at == NULL) {
            return false;
        }
    }
    at = skip_blank(at);
    if (at < parser->base + document->text.size) {
        (void)fail(parser, JSON_FAULT_TRAILING, at);
        return false;
    }
    return true;
}

static bool copy_padded(struct json_document *document, struct slice text)
{
    if (document->padded_capacity < text.size + JSON_PADDING) {
        size_t capacity = (text.size + JSON_PADDING + 1023) / 1024 * 1024;
        char *padded = memory_resize(document->padded, capacity, 1);

        if (padded == NULL) {
            return false;
        }
        document->padded = padded;
        document->padded_capacity = capacity;
    }
    if (text.size > 0) {
        memcpy(document->padded, text.data, text.size);
    }
    memset(document->padded + text.size, 0, JSON_PADDING);
    return true;
}

static bool report(struct json_document *document, enum json_fault fault, size_t offset, struct error *err)
{
    document->token_count = 0;
    document->fault = fault;
    document->fault_offset = (uint32_t)offset;
    if (fault == JSON_FAULT_NO_MEMORY) {
        return error_no_memory(err, "a JSON document");
    }
    return error_set(err, ERROR_INPUT, "not JSON: %s at byte %zu", json_fault_text(fault), offset);
}

bool json_parse(struct json_document *document, struct slice text, const struct json_limits *limits, struct error *err)
{
    struct parser parser;

    document->text = text;
    document->tokens = document->own_tokens;
    document->token_count = 0;
    if (text.size > limits->size_max || text.size >= UINT32_MAX - JSON_PADDING) {
        return report(document, JSON_FAULT_TOO_LARGE, limits->size_max, err);
    }
    if (!copy_padded(document, text)) {
        return report(document, JSON_FAULT_NO_MEMORY, 0, err);
    }
    parser.document = document;
    parser.base = document->padded;
    parser.depth = 0;
    parser.depth_max = limits->depth_max < JSON_DEPTH_LIMIT ? limits->depth_max : JSON_DEPTH_LIMIT;
    if (!parse(&parser)) {
        return report(document, parser.fault, (size_t)(parser.fault_at - parser.base), err);
    }
    document->fault = JSON_FAULT_NONE;
    return true;
}
