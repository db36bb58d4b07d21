/* The second step of reading a message of which only some members are wanted: a walk over the joints of its text
 * (json_index.h) that checks the whole grammar, and makes tokens of what is wanted.
 *
 * It only ever says yes. Whatever it does not know to be well formed, and the little that it leaves out (escapes in
 * keys, very wide objects), goes to json_parse, so that there is one place that says what is wrong with a text, and no
 * text is taken by one and refused by the other. */
#include "common/domain/json_paths.h"
#include "common/domain/json_scan.h"

enum { HASHES_MAX = 256, HASH_BITS = 32, FILTER_BITS = 6 };

/* The walk is one loop, whose position and counts stay in registers only if nothing takes its address. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define NO_TOKEN UINT32_MAX

/* A key of an object that is open. */
struct open_key {
    uint32_t hash;
    uint32_t begin;
};

struct frame {
    const struct json_path_node *node; /* NULL: nothing below is wanted */
    uint32_t token;                    /* NO_TOKEN */
    uint32_t count;
    uint32_t key_begin; /* the first of its keys in walker->keys */
    bool object;
    uint64_t filter; /* of the hashes of its keys */
};

struct walker {
    struct json_token *tokens;
    uint32_t token_count;
    const uint32_t *joint;
    struct slice text;
    bool has_backslash;
    int32_t *found;
    uint32_t depth;
    uint32_t depth_max;
    uint32_t key_count;
    struct open_key *keys;
    struct frame *frames;
};

/* Of what is inside of something that is wanted as a whole. */
static struct json_path_node *no_slots[1];
static const struct json_path_node below_whole = {
    .number = JSON_PATHS_NO_NUMBER,
    .whole = true,
    .slots = no_slots,
};

ALWAYS_INLINE char byte_at(const struct walker *walker, uint32_t position)
{
    return walker->text.data[position];
}

/* The last byte before a joint, not the first one, that is no blank. */
ALWAYS_INLINE uint32_t last_before(const struct walker *walker, uint32_t joint)
{
    do {
        joint--;
    } while (__builtin_expect(json_is_blank(byte_at(walker, joint)), 0));
    return joint;
}

ALWAYS_INLINE uint32_t add_token(struct walker *walker, enum json_type type, uint32_t begin, uint32_t size)
{
    uint32_t token = walker->token_count++;

    walker->tokens[token] =
        (struct json_token){.type = (uint8_t)type, .begin = begin, .size = size, .end_token = token + 1};
    return token;
}

ALWAYS_INLINE void find(struct walker *walker, const struct json_path_node *node, uint32_t token)
{
    if (node->number != JSON_PATHS_NO_NUMBER) {
        walker->found[node->number] = (int32_t)token;
    }
}

/* ---- keys ---- */

static __attribute__((noinline)) bool key_repeats(const char *text, const struct open_key *keys, size_t key_count,
                                                  struct slice key, uint32_t hash)
{
    for (size_t i = 0; i < key_count; i++) {
        if (__builtin_expect(keys[i].hash == hash, 0) && text[keys[i].begin + key.size] == '"' &&
            memcmp(text + keys[i].begin, key.data, key.size) == 0) {
            return true;
        }
    }
    return false;
}

ALWAYS_INLINE bool note_key(struct walker *walker, struct frame *frame, struct slice key, uint32_t hash)
{
    uint64_t bit = UINT64_C(1) << (hash >> (HASH_BITS - FILTER_BITS));

    if ((frame->filter & bit) != 0 && key_repeats(walker->text.data, walker->keys + frame->key_begin,
                                                  walker->key_count - frame->key_begin, key, hash)) {
        return false;
    }
    if (walker->key_count == HASHES_MAX) {
        return false;
    }
    frame->filter |= bit;
    walker->keys[walker->key_count++] =
        (struct open_key){.hash = hash, .begin = (uint32_t)(key.data - walker->text.data)};
    return true;
}

/* A key and its colon. *node: what is wanted of its value, NULL for nothing. */
ALWAYS_INLINE bool take_key(struct walker *walker, struct frame *frame, const struct json_path_node **node)
{
    uint32_t begin = walker->joint[0] + 1;
    uint32_t colon = walker->joint[1];
    struct json_key_ends ends;
    struct slice key;
    uint32_t hash;

    if (byte_at(walker, begin - 1) != '"' || byte_at(walker, colon) != ':') {
        return false;
    }
    walker->joint += 2;
    key = slice_of(walker->text.data + begin, last_before(walker, colon) - begin);
    if (__builtin_expect(walker->has_backslash, 0) && memchr(key.data, '\\', key.size) != NULL) {
        return false;
    }
    ends = __builtin_expect(walker->text.size - begin >= sizeof ends.first, 1)
               ? json_key_ends_padded(key.data, key.size)
               : json_key_ends(key);
    hash = json_key_mix(ends, key.size);
    if (!note_key(walker, frame, key, hash)) {
        return false;
    }
    *node = NULL;
    if (frame->node != NULL) {
        *node = frame->node->whole ? &below_whole : json_paths_child(frame->node, key, ends, hash);
        if (*node != NULL) {
            (void)add_token(walker, JSON_STRING, begin, (uint32_t)key.size);
        }
    }
    return true;
}

/* ---- values ---- */

/* Whether all escapes are good. */
static bool check_escapes(struct slice string, bool *has_escape)
{
    const char *end = string.data + string.size;
    const char *at = memchr(string.data, '\\', string.size);
    enum json_fault fault;

    *has_escape = at != NULL;
    while (at != NULL) {
        at = json_skip_escape(at, &fault);
        if (at == NULL) {
            return false;
        }
        at = memchr(at, '\\', (size_t)(end - at));
    }
    return true;
}

ALWAYS_INLINE bool take_string(struct walker *walker, uint32_t begin, const struct json_path_node *node)
{
    uint32_t size = last_before(walker, walker->joint[0]) - begin;
    bool has_escape = false;
    uint32_t token;

    if (__builtin_expect(walker->has_backslash, 0) &&
        !check_escapes(slice_of(walker->text.data + begin, size), &has_escape)) {
        return false;
    }
    if (node != NULL) {
        token = add_token(walker, JSON_STRING, begin, size);
        walker->tokens[token].escaped = has_escape;
        find(walker, node, token);
    }
    return true;
}

/* A number or word; nothing else that is no string or opening bracket is a value. */
ALWAYS_INLINE bool take_scalar(struct walker *walker, uint32_t begin, const struct json_path_node *node)
{
    const char *at = walker->text.data + begin;
    enum json_type type = JSON_NUMBER;
    const char *fault_at;
    uint32_t size;

    if (json_is_digit(*at) || *at == '-') {
        size = last_before(walker, walker->joint[0]) + 1 - begin;
        if (!(walker->text.size - begin >= JSON_PLAIN_NUMBER_SIZE && json_is_plain_number(at, size)) &&
            json_skip_number(at, &fault_at) != at + size) {
            return false;
        }
    } else if (*at == 't' || *at == 'f' || *at == 'n') {
        size = last_before(walker, walker->joint[0]) + 1 - begin;
        if (size == 4 && memcmp(at, "true", 4) == 0) {
            type = JSON_TRUE;
        } else if (size == 5 && memcmp(at, "false", 5) == 0) {
            type = JSON_FALSE;
        } else if (size == 4 && memcmp(at, "null", 4) == 0) {
            type = JSON_NULL;
        } else {
            return false;
        }
    } else {
        return false;
    }
    if (node != NULL) {
        find(walker, node, add_token(walker, type, begin, size));
    }
    return true;
}

ALWAYS_INLINE bool open_container(struct walker *walker, uint32_t begin, const struct json_path_node *node)
{
    struct frame *frame;

    if (walker->depth == walker->depth_max) {
        return false;
    }
    frame = &walker->frames[walker->depth++];
    frame->object = byte_at(walker, begin) == '{';
    frame->node = node;
    frame->token = NO_TOKEN;
    frame->count = 0;
    frame->key_begin = walker->key_count;
    frame->filter = 0;
    if (node != NULL) {
        frame->token = add_token(walker, frame->object ? JSON_OBJECT : JSON_ARRAY, begin, 1);
        find(walker, node, frame->token);
        /* What paths lead through is an object. */
        frame->node = frame->object || node->whole ? node : NULL;
    }
    return true;
}

/* The bracket at `end` closes the innermost container. */
ALWAYS_INLINE void close_container(struct walker *walker, uint32_t end)
{
    const struct frame *frame = &walker->frames[--walker->depth];

    walker->key_count = frame->key_begin;
    if (frame->token != NO_TOKEN) {
        struct json_token *token = &walker->tokens[frame->token];

        token->count = frame->count;
        token->size = end + 1 - token->begin;
        token->end_token = walker->token_count;
    }
}

/* Behind a complete value: closes what ends here, up to a comma or the end of the root. */
ALWAYS_INLINE bool after_value(struct walker *walker)
{
    while (walker->depth > 0) {
        struct frame *frame = &walker->frames[walker->depth - 1];
        uint32_t position = *walker->joint++;
        char byte = byte_at(walker, position);

        frame->count++;
        if (byte == ',') {
            return true;
        }
        if (byte != (frame->object ? '}' : ']')) {
            return false;
        }
        close_container(walker, position);
    }
    return true;
}

/* A member or element with all that follows it up to the next one. */
ALWAYS_INLINE bool take_item(struct walker *walker)
{
    struct frame *frame = &walker->frames[walker->depth - 1];
    const struct json_path_node *node = frame->node != NULL && frame->node->whole ? &below_whole : NULL;
    uint32_t begin;
    char byte;

    if (frame->object && !take_key(walker, frame, &node)) {
        return false;
    }
    begin = *walker->joint++;
    byte = byte_at(walker, begin);
    if (byte == '"') {
        if (!take_string(walker, begin + 1, node)) {
            return false;
        }
    } else if (byte != '{' && byte != '[') {
        if (!take_scalar(walker, begin, node)) {
            return false;
        }
    } else {
        if (!open_container(walker, begin, node)) {
            return false;
        }
        if (byte_at(walker, *walker->joint) != (byte == '{' ? '}' : ']')) {
            return true;
        }
        close_container(walker, *walker->joint++);
    }
    return after_value(walker);
}

/* The index begins with the root's opening brace and ends with a closing one, so that whatever is read of the text up
 * to a joint, or to the end of a number or word, is inside of it. Behind the last joint stands an opening brace: no
 * comma, colon, key or end, so that the walk stops. */
ALWAYS_INLINE bool walk(struct walker *walker, const struct json_index *index, const struct json_path_node *root)
{
    walker->joint = index->positions + 1;
    if (!open_container(walker, index->positions[0], root)) {
        return false;
    }
    if (byte_at(walker, walker->joint[0]) == '}') {
        close_container(walker, *walker->joint++);
    }
    while (walker->depth > 0) {
        if (!take_item(walker)) {
            return false;
        }
    }
    return walker->joint == index->positions + index->count;
}

/* ---- */

/* A token has a joint of its own. */
static bool make_room(struct json_document *document, const struct json_paths *paths)
{
    if (document->token_capacity < document->index.count) {
        uint32_t capacity = (document->index.count + 63) / 64 * 64;
        struct json_token *tokens = memory_resize(document->own_tokens, capacity, sizeof *tokens);

        if (tokens == NULL) {
            return false;
        }
        document->own_tokens = tokens;
        document->token_capacity = capacity;
    }
    if (document->found == NULL || document->found_capacity < paths->number_count) {
        int32_t *found = memory_resize(document->found, paths->number_count, sizeof *found);

        if (found == NULL) {
            return false;
        }
        document->found = found;
        document->found_capacity = paths->number_count;
    }
    return true;
}

/* False where json_parse must judge the text, or for no memory, which it then says as well. */
static bool project(struct json_document *document, struct slice text, const struct json_limits *limits,
                    const struct json_paths *paths)
{
    struct open_key keys[HASHES_MAX];
    struct frame frames[JSON_DEPTH_LIMIT];
    struct walker walker;

    if (json_index_find(&document->index, text, json_index_best()) != JSON_INDEX_DONE || !make_room(document, paths)) {
        return false;
    }
    document->tokens = document->own_tokens;
    memset(document->found, 0xff, paths->number_count * sizeof *document->found);
    walker.tokens = document->tokens;
    walker.token_count = 0;
    walker.text = text;
    walker.has_backslash = document->index.has_backslash;
    walker.found = document->found;
    walker.depth = 0;
    walker.depth_max = limits->depth_max < JSON_DEPTH_LIMIT ? limits->depth_max : JSON_DEPTH_LIMIT;
    walker.key_count = 0;
    walker.keys = keys;
    walker.frames = frames;
    if (!walk(&walker, &document->index, &paths->root)) {
        return false;
    }
    document->text = text;
    document->token_count = walker.token_count;
    document->fault = JSON_FAULT_NONE;
    return true;
}

bool json_parse_paths(struct json_document *document, struct slice text, const struct json_limits *limits,
                      const struct json_paths *paths, const int32_t **out_found, struct error *err)
{
    *out_found = NULL;
    if (text.size > limits->size_max || text.size >= UINT32_MAX - 1024) {
        return json_parse(document, text, limits, err);
    }
    if (!project(document, text, limits, paths)) {
        return json_parse(document, text, limits, err);
    }
    *out_found = document->found;
    return true;
}
