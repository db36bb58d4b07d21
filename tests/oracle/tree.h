/* JSON as a tree, for the oracle alone: number text kept, repeated keys, bad UTF-8 and trailing text refused. Written
 * apart from the product's scanner, so that a mistake in one is not a mistake in both. */
#ifndef MUSTER_TESTS_ORACLE_TREE_H
#define MUSTER_TESTS_ORACLE_TREE_H

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/base/slice.h"

enum tree_kind {
    TREE_NONE = 0,
    TREE_NULL,
    TREE_FALSE,
    TREE_TRUE,
    TREE_NUMBER,
    TREE_STRING,
    TREE_ARRAY,
    TREE_OBJECT,
};

struct tree {
    enum tree_kind kind;
    struct slice key;  /* inside an object */
    struct slice text; /* a number as written, a string decoded */
    struct tree *first;
    struct tree *next;
};

/* Memory that cannot fail: ends the program instead. Zeroed. */
void *take(struct arena *arena, size_t count, size_t size);

/* NULL where the text is not JSON, nests deeper than 64, or repeats a key. */
struct tree *tree_parse(struct arena *arena, struct slice text);
/* The member of an object, or NULL (also where `tree` is NULL or no object). */
struct tree *tree_member(const struct tree *tree, const char *key);
struct tree *tree_member_slice(const struct tree *tree, struct slice key);
size_t tree_count(const struct tree *tree);
void tree_write(const struct tree *tree, struct buffer *out);
/* A JSON string with its quotes. */
void tree_write_string(struct slice text, struct buffer *out);

#endif
