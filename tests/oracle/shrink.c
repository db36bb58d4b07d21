#include "tests/oracle/shrink.h"

enum { WORK_SIZE_MAX = 1 << 30, SAID_SIZE_MAX = 1 << 20, TRIES_MAX = 20000 };

struct shrinking {
    struct arena *arena;
    struct arena work;
    struct zone_files *zones;
    struct oracle_case *test;
    enum compare_result result;
    int tries;
};

static bool still_differs(struct shrinking *shrinking)
{
    struct buffer said;
    enum compare_result result;

    if (shrinking->tries++ > TRIES_MAX) {
        return false;
    }
    buffer_init(&said, SAID_SIZE_MAX);
    arena_reset(&shrinking->work);
    result = compare_case(&shrinking->work, shrinking->zones, shrinking->test, &said);
    buffer_clear(&said);
    return result == shrinking->result;
}

static bool drop_lines(struct shrinking *shrinking)
{
    struct oracle_case *test = shrinking->test;
    bool better = false;

    for (size_t i = 0; i < test->line_count;) {
        struct slice line = test->lines[i];

        memmove(&test->lines[i], &test->lines[i + 1], (test->line_count - i - 1) * sizeof line);
        test->line_count--;
        if (still_differs(shrinking)) {
            better = true;
            continue;
        }
        memmove(&test->lines[i + 1], &test->lines[i], (test->line_count - i) * sizeof line);
        test->lines[i++] = line;
        test->line_count++;
    }
    return better;
}

/* ---- edits of a JSON text ---- */

/* Each node offers some edits; the one whose number `countdown` reaches is made. */
static bool turn(int *countdown)
{
    return (*countdown)-- == 0;
}

static bool edit_scalar(struct tree *tree, int *countdown)
{
    if (tree->kind == TREE_NUMBER && !slice_equal_text(tree->text, "0") && !slice_equal_text(tree->text, "1")) {
        if (tree->text.size < 6 && (turn(countdown) || turn(countdown))) {
            tree->text = slice_from(*countdown == -1 ? "1" : "0");
            return true;
        }
    }
    return false;
}

static bool edit(struct tree *tree, int *countdown)
{
    bool container = tree->kind == TREE_OBJECT || tree->kind == TREE_ARRAY;

    for (struct tree **link = &tree->first; container && *link != NULL; link = &(*link)->next) {
        if (turn(countdown)) {
            *link = (*link)->next;
            return true;
        }
    }
    /* {"not": X}, {"any": [X, Y]}: X alone */
    for (struct tree *child = tree->first; tree->kind == TREE_OBJECT && child != NULL; child = child->next) {
        for (struct tree *part = child->kind == TREE_ARRAY ? child->first : child; part != NULL; part = part->next) {
            if (part->kind == TREE_OBJECT && turn(countdown)) {
                tree->first = part->first;
                return true;
            }
            if (part == child) {
                break;
            }
        }
    }
    if (edit_scalar(tree, countdown)) {
        return true;
    }
    for (struct tree *child = tree->first; child != NULL; child = child->next) {
        if (edit(child, countdown)) {
            return true;
        }
    }
    return false;
}

/* Tries all edits of a text that is part of the case. */
static bool shrink_text(struct shrinking *shrinking, struct slice *text)
{
    bool better = false;

    for (int number = 0;; number++) {
        struct slice before = *text;
        struct tree *tree = tree_parse(shrinking->arena, before);
        struct buffer out;
        int countdown = number;

        if (tree == NULL || !edit(tree, &countdown)) {
            return better;
        }
        buffer_init(&out, SAID_SIZE_MAX);
        tree_write(tree, &out);
        if (arena_copy(shrinking->arena, buffer_slice(&out), text) && still_differs(shrinking)) {
            better = true;
            number--;
        } else {
            *text = before;
        }
        buffer_clear(&out);
    }
}

void shrink_case(struct arena *arena, struct zone_files *zones, struct oracle_case *test, enum compare_result result)
{
    struct shrinking shrinking = {.arena = arena, .zones = zones, .test = test, .result = result};
    bool better = true;

    arena_init(&shrinking.work, WORK_SIZE_MAX);
    while (better && shrinking.tries < TRIES_MAX) {
        better = drop_lines(&shrinking);
        better = shrink_text(&shrinking, &test->definitions) || better;
        for (size_t i = 0; i < test->line_count; i++) {
            better = shrink_text(&shrinking, &test->lines[i]) || better;
        }
    }
    arena_clear(&shrinking.work);
}
