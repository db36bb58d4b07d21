#include "common/domain/rule_problem.h"

#include "common/base/buffer.h"
#include "common/domain/json.h"
#include "common/domain/rule.h"

#include <stdlib.h>

enum { PROBLEMS_SIZE_MAX = 64 << 20, PATH_DEPTH_MAX = JSON_DEPTH_LIMIT };

void rule_problems_init(struct rule_problems *problems)
{
    *problems = (struct rule_problems){0};
    arena_init(&problems->arena, PROBLEMS_SIZE_MAX);
}

void rule_problems_clear(struct rule_problems *problems)
{
    memory_free(problems->items);
    arena_clear(&problems->arena);
    rule_problems_init(problems);
}

bool rule_problems_add(struct rule_problems *problems, const struct rule_problem *problem, struct error *err)
{
    struct rule_problem copy = *problem;

    if (problem->severity == RULE_ERROR) {
        problems->error_count++;
    } else {
        problems->warning_count++;
    }
    if (problems->count >= RULE_PROBLEMS_MAX) {
        return true;
    }
    if (!memory_grow(&problems->items, &problems->capacity, problems->count, RULE_PROBLEMS_MAX,
                     sizeof(*problems->items), "problems of definitions", err)) {
        return false;
    }
    if (!arena_copy(&problems->arena, problem->file, &copy.file) ||
        !arena_copy(&problems->arena, problem->path, &copy.path) ||
        !arena_copy(&problems->arena, problem->message, &copy.message) ||
        !arena_copy(&problems->arena, problem->suggestion, &copy.suggestion)) {
        return error_no_memory(err, "problems of definitions");
    }
    problems->items[problems->count++] = copy;
    return true;
}

/* ---- lines ---- */

/* The token at a path such as "criteria[0].any[1].count": keys of the language have neither dots nor brackets. Where it
 * leads nowhere, the innermost value on the way. */
static int32_t walk(const struct json_document *document, struct slice path)
{
    int32_t token = 0;
    size_t i = 0;

    while (i < path.size) {
        int32_t next = JSON_ABSENT;

        if (path.data[i] == '[') {
            size_t index = 0;

            for (i++; i < path.size && path.data[i] != ']'; i++) {
                index = index * 10 + (size_t)(path.data[i] - '0');
            }
            i++;
            if (document->tokens[token].type == JSON_ARRAY && index < document->tokens[token].count) {
                next = token + 1;
                while (index-- > 0) {
                    next = (int32_t)document->tokens[next].end_token;
                }
            }
        } else {
            size_t begin = path.data[i] == '.' ? i + 1 : i;

            for (i = begin; i < path.size && path.data[i] != '.' && path.data[i] != '['; i++) {
            }
            next = json_member(document, token, slice_of(path.data + begin, i - begin));
        }
        if (next == JSON_ABSENT) {
            break;
        }
        token = next;
    }
    return token;
}

static size_t line_of(const struct definition *definition, struct slice path)
{
    const struct json_limits limits = {.depth_max = PATH_DEPTH_MAX, .size_max = UINT32_MAX - 1};
    struct error ignored = ERROR_INIT;
    struct json_document document;
    const char *at = definition->text.data;
    size_t line = 1;

    json_document_init(&document);
    if (path.size > 0 && json_parse(&document, definition->text, &limits, &ignored)) {
        at += document.tokens[walk(&document, path)].begin;
    }
    json_document_clear(&document);
    for (const char *byte = definition->source.data; byte < at; byte++) {
        line += *byte == '\n' ? 1 : 0;
    }
    return line;
}

bool rule_problems_add_at(struct rule_problems *problems, enum rule_severity severity, enum rule_problem_kind kind,
                          const struct definition *definition, struct slice path, const char *message,
                          const char *suggestion, struct error *err)
{
    struct rule_problem problem = {
        .severity = severity,
        .kind = kind,
        .file = definition->file,
        .message = slice_from(message),
        .suggestion = slice_from(suggestion == NULL ? "" : suggestion),
    };
    struct buffer whole;
    bool done;

    buffer_init(&whole, PROBLEMS_SIZE_MAX);
    buffer_append_slice(&whole, definition->json_path);
    if (path.size > 0) {
        buffer_append_char(&whole, '.');
        buffer_append_slice(&whole, path);
    }
    problem.path = buffer_slice(&whole);
    problem.line = problems->count < RULE_PROBLEMS_MAX ? line_of(definition, path) : 1;
    done = buffer_finish(&whole, "a path in a definition", err) && rule_problems_add(problems, &problem, err);
    buffer_clear(&whole);
    return done;
}

/* ---- order, names ---- */

static int compare_problems(const void *left, const void *right)
{
    const struct rule_problem *a = left;
    const struct rule_problem *b = right;
    int order = slice_compare(a->file, b->file);

    if (order == 0) {
        order = (a->line > b->line) - (a->line < b->line);
    }
    order = order != 0 ? order : slice_compare(a->path, b->path);
    return order != 0 ? order : slice_compare(a->message, b->message);
}

void rule_problems_sort(struct rule_problems *problems)
{
    if (problems->count > 1) {
        qsort(problems->items, problems->count, sizeof(*problems->items), compare_problems);
    }
}

const char *rule_severity_name(enum rule_severity severity)
{
    return severity == RULE_ERROR ? "error" : severity == RULE_WARNING ? "warning" : "none";
}

const char *rule_problem_kind_name(enum rule_problem_kind kind)
{
    static const char *const names[] = {
        [RULE_PROBLEM_NONE] = "none",     [RULE_PROBLEM_SYNTAX] = "syntax",
        [RULE_PROBLEM_FORM] = "form",     [RULE_PROBLEM_REFERENCE] = "reference",
        [RULE_PROBLEM_ZONE] = "zone",     [RULE_PROBLEM_IMPOSSIBLE] = "impossible",
        [RULE_PROBLEM_ALWAYS] = "always", [RULE_PROBLEM_STREAM] = "stream",
    };

    return names[(size_t)kind < sizeof(names) / sizeof(names[0]) ? kind : RULE_PROBLEM_NONE];
}
