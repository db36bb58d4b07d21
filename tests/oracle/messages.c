#include "tests/oracle/messages.h"

#include "tests/oracle/exact.h"

#include <stdlib.h>

enum { ID_SIZE_MAX = 256 };

static bool absent(const struct tree *tree)
{
    return tree == NULL || tree->kind == TREE_NULL;
}

static bool is_id(const struct tree *tree)
{
    return tree != NULL && tree->kind == TREE_STRING && tree->text.size > 0 && tree->text.size <= ID_SIZE_MAX &&
           memchr(tree->text.data, 0, tree->text.size) == NULL;
}

static bool read_time(const struct tree *tree, int64_t *ms)
{
    if (tree == NULL) {
        return false;
    }
    if (tree->kind == TREE_NUMBER) {
        return exact_integer(tree->text, ms) && calendar_possible(*ms);
    }
    return tree->kind == TREE_STRING && calendar_instant(tree->text, ms);
}

static bool read_content(const struct tree *tree, struct message *out)
{
    out->content = absent(tree) ? NULL : tree;
    return absent(tree) || tree->kind == TREE_OBJECT;
}

static bool read_id(const struct tree *tree, struct message *out)
{
    if (absent(tree)) {
        return true;
    }
    out->has_id = true;
    out->id = tree->text;
    return is_id(tree);
}

static bool read_envelope(struct arena *arena, const struct tree *tree, struct message *out)
{
    const struct tree *source = tree_member(tree, "source");
    const struct tree *id = tree_member(tree, "id");
    const struct tree *user = tree_member(tree, "subject");
    const struct tree *name = tree_member(tree, "type");
    char *both;

    if (!is_id(source) || !is_id(id) || !is_id(user) || !is_id(name) || tree_member(tree, "data_base64") != NULL ||
        source->text.size + 1 + id->text.size > ID_SIZE_MAX) {
        return false;
    }
    both = take(arena, source->text.size + 1 + id->text.size, 1);
    memcpy(both, source->text.data, source->text.size);
    both[source->text.size] = ' ';
    memcpy(both + source->text.size + 1, id->text.data, id->text.size);
    out->has_id = true;
    out->id = slice_of(both, source->text.size + 1 + id->text.size);
    out->user = user->text;
    out->name = name->text;
    out->happening = true;
    return read_time(tree_member(tree, "time"), &out->time) && read_content(tree_member(tree, "data"), out);
}

static bool read_purposes(const struct tree *purposes)
{
    if (purposes == NULL || purposes->kind != TREE_OBJECT) {
        return false;
    }
    for (const struct tree *purpose = purposes->first; purpose != NULL; purpose = purpose->next) {
        if (purpose->kind != TREE_TRUE && purpose->kind != TREE_FALSE) {
            return false;
        }
    }
    return true;
}

static bool read_by_type(const struct tree *tree, struct slice type, struct message *out)
{
    const struct tree *name = tree_member(tree, "event");

    if (slice_equal_text(type, "track")) {
        out->happening = true;
        if (name == NULL || name->kind != TREE_STRING) {
            return false;
        }
        out->name = name->text;
        return read_content(tree_member(tree, "properties"), out);
    }
    if (slice_equal_text(type, "page") || slice_equal_text(type, "screen")) {
        out->happening = true;
        out->name = type;
        out->page_name = tree_member(tree, "name");
        return read_content(tree_member(tree, "properties"), out);
    }
    if (slice_equal_text(type, "identify")) {
        out->identify = true;
        return read_content(tree_member(tree, "traits"), out);
    }
    if (slice_equal_text(type, "consent")) {
        return read_purposes(tree_member(tree, "purposes"));
    }
    return slice_equal_text(type, "delete");
}

bool message_read(struct arena *arena, struct slice line, struct message *out)
{
    const struct tree *tree = tree_parse(arena, line);
    const struct tree *version = tree_member(tree, "specversion");
    const struct tree *type = tree_member(tree, "type");
    const struct tree *user = tree_member(tree, "userId");

    *out = (struct message){0};
    if (tree == NULL || tree->kind != TREE_OBJECT) {
        return false;
    }
    if (version != NULL && version->kind == TREE_STRING && slice_equal_text(version->text, "1.0")) {
        return read_envelope(arena, tree, out);
    }
    if (type == NULL || type->kind != TREE_STRING || !read_by_type(tree, type->text, out)) {
        return false;
    }
    if (absent(user) && (out->happening || out->identify)) {
        user = tree_member(tree, "anonymousId");
    }
    if (!is_id(user) || !read_time(tree_member(tree, "timestamp"), &out->time)) {
        return false;
    }
    out->user = user->text;
    return (!out->happening && !out->identify) || read_id(tree_member(tree, "messageId"), out);
}

/* ---- what a message says ---- */

struct answer message_property(const struct message *message, const struct path *path)
{
    const struct tree *tree = message->content;

    if (path->count == 0) {
        return (struct answer){0};
    }
    for (size_t i = 0; i < path->count; i++) {
        tree = tree_member_slice(tree, path->keys[i]);
        if (i == 0 && absent(tree) && slice_equal_text(path->keys[0], "name") && message->page_name != NULL) {
            tree = message->page_name;
        }
    }
    return answer_of(tree);
}

bool message_matches(const struct message *message, const struct selector *selector)
{
    bool named = false;

    for (size_t i = 0; message->happening && i < selector->name_count; i++) {
        named = named || slice_equal_text(selector->names[i], "*") || slice_equal(selector->names[i], message->name);
    }
    for (size_t i = 0; named && i < selector->where_count; i++) {
        struct answer value = message_property(message, &selector->where[i].path);

        named = terms_hold(&selector->where[i].terms, &value);
    }
    return named;
}

/* ---- people ---- */

static bool is_copy(const struct person *person, const struct message *message)
{
    for (size_t i = 0; message->has_id && i < person->count; i++) {
        const struct message *kept = &person->messages[i];
        int64_t apart = kept->time - message->time;

        if (kept->has_id && slice_equal(kept->id, message->id) && apart <= CALENDAR_DAY && apart >= -CALENDAR_DAY) {
            return true;
        }
    }
    return false;
}

static bool comes_after(const struct message *a, const struct message *b)
{
    if (a->time != b->time) {
        return a->time > b->time;
    }
    if (a->has_id != b->has_id) {
        return a->has_id;
    }
    return a->has_id && slice_compare(a->id, b->id) > 0;
}

static void sort_messages(struct person *person)
{
    for (size_t i = 1; i < person->count; i++) {
        struct message message = person->messages[i];
        size_t at = i;

        for (; at > 0 && comes_after(&person->messages[at - 1], &message); at--) {
            person->messages[at] = person->messages[at - 1];
        }
        person->messages[at] = message;
    }
}

struct person *people_read(struct arena *arena, const struct slice *lines, size_t line_count, size_t *count)
{
    struct person *people = take(arena, line_count, sizeof *people);

    *count = 0;
    for (size_t i = 0; i < line_count; i++) {
        struct message message;
        size_t at = 0;

        if (!message_read(arena, lines[i], &message) || (!message.happening && !message.identify)) {
            continue;
        }
        while (at < *count && !slice_equal(people[at].id, message.user)) {
            at++;
        }
        if (at == *count) {
            people[(*count)++] =
                (struct person){.id = message.user, .messages = take(arena, line_count, sizeof message)};
        }
        if (!is_copy(&people[at], &message)) {
            people[at].messages[people[at].count++] = message;
        }
    }
    for (size_t i = 0; i < *count; i++) {
        sort_messages(&people[i]);
    }
    return people;
}
