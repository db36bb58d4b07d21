#include "common/domain/json_paths.h"

enum { PATHS_SIZE_MAX = 256 << 20, SLOTS_BEGIN = 16, FEW_CHILDREN = 64, HASH_BITS = 32 };

/* Of a node without children: always free. */
static struct json_path_node *no_slots[1];

static void node_init(struct json_path_node *node, struct slice key)
{
    struct json_key_ends ends = json_key_ends(key);

    *node = (struct json_path_node){
        .key = key,
        .ends = ends,
        .hash = json_key_mix(ends, key.size),
        .number = JSON_PATHS_NO_NUMBER,
        .slots = no_slots,
    };
}

static uint64_t new_id(void)
{
    static _Atomic uint64_t last;

    return ++last;
}

void json_paths_init(struct json_paths *paths, uint32_t number_count)
{
    arena_init(&paths->arena, PATHS_SIZE_MAX);
    node_init(&paths->root, SLICE_LITERAL(""));
    paths->number_count = number_count;
    paths->id = new_id();
}

void json_paths_clear(struct json_paths *paths)
{
    arena_clear(&paths->arena);
    json_paths_init(paths, 0);
}

/* Whether its place was free. */
static bool put_child(struct json_path_node *node, struct json_path_node *child)
{
    uint32_t slot = child->hash >> node->slot_shift & node->slot_mask;
    bool alone = node->slots[slot] == NULL;

    while (node->slots[slot] != NULL) {
        slot = (slot + 1) & node->slot_mask;
    }
    node->slots[slot] = child;
    return alone;
}

/* Puts the children into slots of their own as far as can be. */
static void put_children(struct json_path_node *node, struct json_path_node *const *children, uint32_t count)
{
    uint32_t shift_max =
        node->child_count <= FEW_CHILDREN ? HASH_BITS - (uint32_t)__builtin_ctz(node->slot_mask + 1) : 0;

    node->slot_shift = 0;
    for (;;) {
        bool alone = true;

        memset(node->slots, 0, (node->slot_mask + 1) * sizeof(struct json_path_node *));
        for (uint32_t i = 0; i < count; i++) {
            if (children[i] != NULL) {
                alone = put_child(node, children[i]) && alone;
            }
        }
        if (alone || node->slot_shift == shift_max) {
            return;
        }
        node->slot_shift++;
    }
}

/* Sparse, so that a key that is not wanted mostly meets a free slot. */
static bool make_room(struct json_paths *paths, struct json_path_node *node)
{
    struct json_path_node **slots = node->slots;
    uint32_t capacity = node->slot_mask + 1;
    uint32_t doubled = capacity < SLOTS_BEGIN ? SLOTS_BEGIN : 2 * capacity;

    if (node->child_count < capacity / 8) {
        return true;
    }
    node->slots = arena_allocate_zeroed(&paths->arena, doubled, sizeof(struct json_path_node *));
    if (node->slots == NULL) {
        node->slots = slots;
        return false;
    }
    node->slot_mask = doubled - 1;
    put_children(node, slots, capacity);
    return true;
}

static bool add_child(struct json_paths *paths, struct json_path_node *node, struct json_path_node *child)
{
    struct json_path_node **slots;

    if (!make_room(paths, node)) {
        return false;
    }
    node->child_count++;
    if (put_child(node, child) || node->child_count > FEW_CHILDREN) {
        return true;
    }
    slots = arena_allocate(&paths->arena, (node->slot_mask + 1) * sizeof(struct json_path_node *));
    if (slots == NULL) {
        return false;
    }
    memcpy(slots, node->slots, (node->slot_mask + 1) * sizeof(struct json_path_node *));
    put_children(node, slots, node->slot_mask + 1);
    return true;
}

static struct json_path_node *child_of(struct json_paths *paths, struct json_path_node *node, struct slice key)
{
    struct json_path_node *child;

    for (uint32_t slot = json_key_mix(json_key_ends(key), key.size) >> node->slot_shift & node->slot_mask;
         node->slots[slot] != NULL; slot = (slot + 1) & node->slot_mask) {
        if (slice_equal(node->slots[slot]->key, key)) {
            return node->slots[slot];
        }
    }
    child = arena_allocate(&paths->arena, sizeof *child);
    if (child == NULL) {
        return NULL;
    }
    node_init(child, key);
    return add_child(paths, node, child) ? child : NULL;
}

bool json_paths_add(struct json_paths *paths, const struct slice *keys, size_t key_count, uint32_t number, bool whole)
{
    struct json_path_node *node = &paths->root;

    paths->id = new_id();
    for (size_t i = 0; i < key_count; i++) {
        node = child_of(paths, node, keys[i]);
        if (node == NULL) {
            return false;
        }
    }
    node->whole = node->whole || whole;
    if (number != JSON_PATHS_NO_NUMBER) {
        node->number = number;
    }
    return true;
}
