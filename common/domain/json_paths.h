/* Which members of a message are wanted: a tree of keys, for json_parse_paths. */
#ifndef MUSTER_DOMAIN_JSON_PATHS_H
#define MUSTER_DOMAIN_JSON_PATHS_H

#include "common/base/memory.h"
#include "common/domain/json_keys.h"

#include <stdint.h>

#define JSON_PATHS_NO_NUMBER UINT32_MAX

/* One key of a path. The root stands for the message itself. */
struct json_path_node {
    struct slice key;
    struct json_key_ends ends;
    uint32_t hash;
    uint32_t number;               /* under which the value is found; JSON_PATHS_NO_NUMBER */
    bool whole;                    /* everything below is wanted */
    struct json_path_node **slots; /* the children by hash, open addressing; NULL: free */
    uint32_t slot_mask;
    uint32_t slot_shift; /* chosen so that few children, as nearly all have, never meet in a slot */
    uint32_t child_count;
};

struct json_paths {
    struct arena arena;
    struct json_path_node root;
    uint32_t number_count; /* all are below */
    uint64_t id;           /* another one after every change, and of all others */
};

void json_paths_init(struct json_paths *paths, uint32_t number_count);
void json_paths_clear(struct json_paths *paths);

/* Wants what stands at that path, and all keys on the way. `number`: under which the value is found, or
 * JSON_PATHS_NO_NUMBER (the last one given counts); `whole`: with everything below. The keys are borrowed. False when
 * there is no memory. */
bool json_paths_add(struct json_paths *paths, const struct slice *keys, size_t key_count, uint32_t number,
                    bool whole) MUST_CHECK;

/* The child of that key (unescaped), or NULL. */
static inline const struct json_path_node *json_paths_child(const struct json_path_node *node, struct slice key,
                                                            struct json_key_ends ends, uint32_t hash)
{
    const struct json_path_node *child;

    for (uint32_t slot = hash >> node->slot_shift & node->slot_mask; (child = node->slots[slot]) != NULL;
         slot = (slot + 1) & node->slot_mask) {
        if (child->key.size == key.size && child->ends.first == ends.first && child->ends.last == ends.last &&
            (key.size <= 2 * sizeof ends.first || memcmp(child->key.data, key.data, key.size) == 0)) {
            return child;
        }
    }
    return NULL;
}

#endif
