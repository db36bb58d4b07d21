#include "tests/oracle/shrink.h"

enum { WORK_SIZE_MAX = 1 << 30, SAID_SIZE_MAX = 1 << 20, TRIES_MAX = 20000 };

struct shrinking {
    struct arena *arena;
    struct arena work;
    struct oracle_case *test;
    shrink_shows *shows;
    void *context;
    int tries;
};

static bool still_shows(struct shrinking *shrinking)
{
    if (shrinking->tries++ > TRIES_MAX) {
        return false;
    }
    arena_reset(&shrinking->work);
    return shrinking->shows(shrinking->context, &shrinking->work, shrinking->test);
}

/* Leaves out `count` lines at a time. */
static bool drop_some(struct shrinking *shrinking, size_t count)
{
    struct oracle_case *test = shrinking->test;
    struct slice *lines = take(shrinking->arena, test->line_count, sizeof *lines);
    bool better = false;

    for (size_t i = 0; i < test->line_count;) {
        size_t line_count = test->line_count;
        size_t dropped = count < line_count - i ? count : line_count - i;

        memcpy(lines, test->lines, line_count * sizeof *lines);
        memmove(&test->lines[i], &test->lines[i + dropped], (line_count - i - dropped) * sizeof *lines);
        test->line_count -= dropped;
        if (still_shows(shrinking)) {
            better = true;
            continue;
        }
        memcpy(test->lines, lines, line_count * sizeof *lines);
        test->line_count = line_count;
        i += dropped;
    }
    return better;
}

static bool drop_lines(struct shrinking *shrinking)
{
    bool better = false;

    for (size_t count = (shrinking->test->line_count + 1) / 2; count > 0; count /= 2) {
        better = drop_some(shrinking, count) || better;
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
        struct tree *tree;
        struct buffer out;
        int countdown = number;

        arena_reset(&shrinking->work);
        tree = tree_parse(&shrinking->work, before);
        if (tree == NULL || !edit(tree, &countdown)) {
            return better;
        }
        buffer_init(&out, SAID_SIZE_MAX);
        tree_write(tree, &out);
        if (arena_copy(shrinking->arena, buffer_slice(&out), text) && still_shows(shrinking)) {
            better = true;
            number--;
        } else {
            *text = before;
        }
        buffer_clear(&out);
    }
}

void shrink_case(struct arena *arena, struct oracle_case *test, shrink_shows *shows, void *context)
{
    struct shrinking shrinking = {.arena = arena, .test = test, .shows = shows, .context = context};
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
