#include "common/domain/pile.h"

#include "common/domain/evaluation_parts.h"
#include "common/domain/optimisation.h"
#include "common/domain/pile_fold.h"

#include <stdlib.h>

enum {
    PILE_BITS = 9, /* as many piles as have their ends in the cache while they are written */
    PILE_COUNT = 1 << PILE_BITS,
    CHUNK_SIZE_MIN = 512,
    CHUNK_SIZE_MAX = 1 << 16,
    FACT_COUNT_MAX = 1 << 30, /* of one pile */
    LINE_COUNT_MAX = 1 << 30,
};

#define TEXT_SIZE_MAX ((size_t)1 << 38)

struct chunk {
    struct chunk *newer;
    size_t size; /* bytes in data, but for PACK_SLACK */
    size_t used;
    unsigned char data[];
};

/* The first cache line is all that writing needs, the last chunk's end and message ids that are no UUIDs apart. */
struct pile {
    unsigned char *next;
    unsigned char *end;
    size_t fact_count;
    struct pack_before before;
    struct chunk *oldest;
    struct chunk *newest;
};

/* ---- what a pile is unpacked into; used again for the next ---- */

struct pile_user {
    unsigned char head[PILE_TEXT_HEAD_SIZE]; /* the id's first bytes, zeros behind */
    const char *id;                          /* one that is longer */
    uint32_t id_size;
    uint32_t fact_count;
    uint32_t end; /* of its facts in the table's order */
};

struct table {
    struct arena arena;   /* long ids, and facts whose message id is a text */
    struct packed *facts; /* as they lie in the pile */
    uint32_t *user_of;    /* by fact: its user's index */
    uint32_t *order;      /* the facts' indexes: one user's behind the other's, each in the order of the pile */
    size_t fact_capacity;
    struct pile_user *users;
    size_t user_count;
    size_t user_capacity;
    uint32_t *slots; /* open addressing: user + 1, 0 = empty */
    size_t slot_count;
};

struct piles {
    const struct ruleset *ruleset;
    struct pile piles[PILE_COUNT];
    struct table table;
    struct user_state *state;
    struct pack_facts reading;
    struct pile_fold fold;
    struct pack_room room;
    int64_t *lines; /* of copies with other content */
    size_t line_capacity;
    struct piles_counts counts;
    bool counted; /* by the first visit to all users */
};

bool piles_new(const struct ruleset *ruleset, struct piles **out, struct error *err)
{
    struct piles *piles = memory_allocate_zeroed(1, sizeof *piles);

    if (piles == NULL) {
        return error_no_memory(err, "events");
    }
    piles->ruleset = ruleset;
    arena_init(&piles->table.arena, TEXT_SIZE_MAX);
    piles->room.mask = memory_allocate_zeroed(ruleset->selector_words, sizeof *piles->room.mask);
    piles->room.values = memory_allocate_zeroed(ruleset->column_count, sizeof *piles->room.values);
    if (piles->room.mask == NULL || piles->room.values == NULL || !user_state_new(ruleset, &piles->state, err)) {
        piles_free(piles);
        return error_no_memory(err, "events");
    }
    *out = piles;
    return true;
}

static void empty(struct pile *pile)
{
    for (struct chunk *chunk = pile->oldest; chunk != NULL;) {
        struct chunk *newer = chunk->newer;

        memory_free(chunk);
        chunk = newer;
    }
    *pile = (struct pile){0};
}

static void free_facts(struct table *table)
{
    memory_free(table->facts);
    memory_free(table->user_of);
    memory_free(table->order);
    table->facts = NULL;
    table->user_of = NULL;
    table->order = NULL;
    table->fact_capacity = 0;
}

void piles_free(struct piles *piles)
{
    if (piles == NULL) {
        return;
    }
    for (size_t i = 0; i < PILE_COUNT; i++) {
        empty(&piles->piles[i]);
    }
    arena_clear(&piles->table.arena);
    free_facts(&piles->table);
    memory_free(piles->table.users);
    memory_free(piles->table.slots);
    user_state_free(piles->state);
    memory_free(piles->room.mask);
    memory_free(piles->room.values);
    memory_free(piles->lines);
    memory_free(piles);
}

/* ---- adding ---- */

/* A new chunk with at least `size` bytes: twice the one before, so that little is left empty. */
static bool add_chunk(struct piles *piles, struct pile *pile, size_t size, struct error *err)
{
    const size_t around = sizeof(struct chunk) + PACK_SLACK;
    size_t wanted = pile->newest == NULL ? CHUNK_SIZE_MIN : (around + pile->newest->size) * 2;
    struct chunk *chunk;

    wanted = wanted > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : wanted;
    wanted = wanted < around + size ? around + size : wanted;
    chunk = memory_allocate(wanted);
    if (chunk == NULL) {
        return error_no_memory(err, "events");
    }
    chunk->newer = NULL;
    chunk->size = wanted - around;
    chunk->used = 0;
    if (pile->newest == NULL) {
        pile->oldest = chunk;
    } else {
        pile->newest->used = (size_t)(pile->next - pile->newest->data);
        pile->newest->newer = chunk;
    }
    pile->newest = chunk;
    pile->next = chunk->data;
    pile->end = chunk->data + chunk->size;
    piles->counts.size += wanted;
    return true;
}

bool piles_add(struct piles *piles, const struct event *event, int64_t line, struct evaluation *evaluation,
               struct error *err)
{
    const struct ruleset *ruleset = piles->ruleset;
    struct pile_text user = pile_text_of(event->user);
    struct pile *pile = &piles->piles[pile_text_hash(&user, ruleset->seed) >> (64 - PILE_BITS)];
    const struct shape *shape;
    struct fact fact;
    size_t room;

    __builtin_prefetch(pile, 1);
    __builtin_prefetch(&pile->before.user.digit_count, 1);
    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE || event->kind == EVENT_NONE) {
        return true;
    }
    if (!fact_take(ruleset, event, evaluation, &fact, err)) {
        return false;
    }
    shape = &ruleset->shapes[fact.shape];
    room = (size_t)(pile->end - pile->next);
    if (room < pack_rough_bound(shape, event->document->text.size)) {
        size_t bound = pack_bound(shape, event->user, &fact);

        if (room < bound && !add_chunk(piles, pile, bound, err)) {
            return false;
        }
    }
    if (pile->fact_count >= FACT_COUNT_MAX) {
        return error_set(err, ERROR_INTERNAL, "too many events: at most %d for one part of the users", FACT_COUNT_MAX);
    }
    pile->next = pack_write(shape, &user, &fact, line, &pile->before, pile->next);
    pile->fact_count++;
    return true;
}

/* ---- unpacking ---- */

static bool reserve_table(struct table *table, const struct pile *pile, struct error *err)
{
    size_t slot_count = 64;

    while (slot_count < pile->fact_count + pile->fact_count / 2) {
        slot_count *= 2;
    }
    if (pile->fact_count > table->fact_capacity) {
        free_facts(table);
        table->facts = memory_allocate_zeroed(pile->fact_count, sizeof *table->facts);
        table->user_of = memory_allocate_zeroed(pile->fact_count, sizeof *table->user_of);
        table->order = memory_allocate_zeroed(pile->fact_count, sizeof *table->order);
        if (table->facts == NULL || table->user_of == NULL || table->order == NULL) {
            free_facts(table);
            return error_no_memory(err, "events");
        }
        table->fact_capacity = pile->fact_count;
    }
    if (slot_count > table->slot_count) {
        memory_free(table->slots);
        table->slot_count = 0;
        table->slots = memory_allocate(slot_count * sizeof *table->slots);
        if (table->slots == NULL) {
            return error_no_memory(err, "users");
        }
        table->slot_count = slot_count;
    }
    memset(table->slots, 0, table->slot_count * sizeof *table->slots);
    table->user_count = 0;
    arena_reset(&table->arena);
    return true;
}

static struct slice user_id(const struct pile_user *user)
{
    return slice_of(user->id_size > PILE_TEXT_HEAD_SIZE ? user->id : (const char *)user->head, user->id_size);
}

static inline bool is_user(const struct pile_user *user, const struct pile_text *id)
{
    return user->id_size == id->text.size && pile_text_read_head(user->head) == id->head &&
           (user->id_size <= PILE_TEXT_HEAD_SIZE || memcmp(user->id, id->text.data, user->id_size) == 0);
}

/* The user with that id, added where it is new; NULL where there is no room. */
static struct pile_user *find_user(struct table *table, const struct pile_text *id, uint64_t hash, struct error *err)
{
    struct pile_user *user;
    struct slice kept = {0};
    size_t slot = (size_t)hash & (table->slot_count - 1);

    for (; table->slots[slot] != 0; slot = (slot + 1) & (table->slot_count - 1)) {
        user = &table->users[table->slots[slot] - 1];
        if (is_user(user, id)) {
            return user;
        }
    }
    if (!memory_grow(&table->users, &table->user_capacity, table->user_count, FACT_COUNT_MAX, sizeof *table->users,
                     "users", err)) {
        return NULL;
    }
    if (id->text.size > PILE_TEXT_HEAD_SIZE && !arena_copy(&table->arena, id->text, &kept)) {
        (void)error_no_memory(err, "users");
        return NULL;
    }
    user = &table->users[table->user_count];
    *user = (struct pile_user){.id = kept.data, .id_size = (uint32_t)id->text.size};
    pile_text_write_head(user->head, id->head);
    table->slots[slot] = (uint32_t)++table->user_count;
    return user;
}

/* Brings the id, where it is a text, and the rest of the fact together. */
static bool keep_id(struct table *table, struct pile_text_reader *id, struct packed *fact, struct error *err)
{
    char *kept;

    if (fact->id_form != PILE_TEXT_PLAIN) {
        return true; /* none, or in the pile */
    }
    kept = arena_allocate(&table->arena, fact->id_size + fact->rest_size + PACK_SLACK);
    if (kept == NULL) {
        return error_no_memory(err, "message ids");
    }
    memcpy(kept, pile_text_read(id).text.data, fact->id_size);
    memcpy(kept + fact->id_size, fact->id, fact->rest_size);
    fact->id = kept;
    return true;
}

static bool unpack_chunk(struct piles *piles, const struct chunk *chunk, uint32_t *index, struct error *err)
{
    struct table *table = &piles->table;
    const unsigned char *end = chunk->data + chunk->used;

    for (const unsigned char *at = chunk->data; at < end;) {
        struct packed *fact = &table->facts[*index];
        struct pile_user *user;
        struct pile_text id;

        at = pack_read(at, &piles->reading, fact);
        id = pile_text_read(&piles->reading.user);
        user = find_user(table, &id, pile_text_hash(&id, piles->ruleset->seed), err);
        if (user == NULL || !keep_id(table, &piles->reading.id, fact, err)) {
            return false;
        }
        table->user_of[*index] = (uint32_t)(user - table->users);
        user->fact_count++;
        ++*index;
    }
    return true;
}

/* Not by links from fact to fact: what lies apart is then asked for at once. */
static void order_facts(struct table *table, size_t fact_count)
{
    uint32_t end = 0;

    for (size_t i = 0; i < table->user_count; i++) {
        table->users[i].end = end;
        end += table->users[i].fact_count;
    }
    for (size_t i = 0; i < fact_count; i++) {
        table->order[table->users[table->user_of[i]].end++] = (uint32_t)i;
    }
}

static bool unpack(struct piles *piles, struct pile *pile, struct error *err)
{
    uint32_t index = 0;

    if (pile->newest != NULL) {
        pile->newest->used = (size_t)(pile->next - pile->newest->data);
    }
    if (!reserve_table(&piles->table, pile, err)) {
        return false;
    }
    piles->reading = (struct pack_facts){0};
    for (const struct chunk *chunk = pile->oldest; chunk != NULL; chunk = chunk->newer) {
        if (!unpack_chunk(piles, chunk, &index, err)) {
            return false;
        }
    }
    order_facts(&piles->table, pile->fact_count);
    return true;
}

/* ---- visiting ---- */

/* The indexes of the user's facts. */
static const uint32_t *facts_of(const struct table *table, const struct pile_user *user)
{
    return table->order + user->end - user->fact_count;
}

static bool count_copy(struct piles *piles, enum fold_result result, int64_t line, struct error *err)
{
    if (piles->counted || (result != FOLD_COPY && result != FOLD_COPY_DIFFERENT)) {
        return true;
    }
    piles->counts.copy_count++;
    if (result == FOLD_COPY) {
        return true;
    }
    if (!memory_grow(&piles->lines, &piles->line_capacity, piles->counts.copy_different_count, LINE_COUNT_MAX,
                     sizeof *piles->lines, "copies with other content", err)) {
        return false;
    }
    piles->lines[piles->counts.copy_different_count++] = line;
    return true;
}

static bool fold_one_by_one(struct piles *piles, const struct pile_user *user, struct error *err)
{
    const uint32_t *order = facts_of(&piles->table, user);

    for (size_t i = 0; i < user->fact_count; i++) {
        const struct packed *packed = &piles->table.facts[order[i]];
        enum fold_result result = FOLD_NONE;
        struct fact fact;

        pack_read_fact(piles->ruleset, packed, &piles->room, &fact);
        if (!user_state_absorb(piles->ruleset, piles->state, &fact, &result, err) ||
            !count_copy(piles, result, packed->line, err)) {
            return false;
        }
    }
    return true;
}

/* Where the tour asks, `leave` says whether the user is left out. */
static bool fold_together(struct piles *piles, const struct pile_user *user, const struct piles_tour *tour, bool *leave,
                          struct error *err)
{
    struct pile_fold *fold = &piles->fold;

    if (!pile_fold(piles->ruleset, fold, piles->table.facts, facts_of(&piles->table, user), user->fact_count,
                   tour->standing, tour->at, piles->state, err)) {
        return false;
    }
    for (size_t i = 0; i < fold->copy_count; i++) {
        if (!count_copy(piles, fold->copies[i].different ? FOLD_COPY_DIFFERENT : FOLD_COPY, fold->copies[i].line,
                        err)) {
            return false;
        }
    }
    *leave = tour->standing != NULL && !evaluation_may_stand(tour->standing, piles->state, tour->at);
    return *leave || pile_fold_values(piles->ruleset, fold, tour->ids, piles->state, err);
}

static bool visit_user(struct piles *piles, const struct pile_user *user, const struct piles_tour *tour,
                       struct error *err)
{
    bool leave = false;

    piles->counts.user_count += !piles->counted;
    user_state_clear(piles->ruleset, piles->state);
    if (user->fact_count > PILE_FOLD_MAX || !optimisation_on(OPTIMISATION_FOLD)) {
        if (!fold_one_by_one(piles, user, err)) {
            return false;
        }
    } else if (!fold_together(piles, user, tour, &leave, err)) {
        return false;
    }
    return leave || tour->visit(tour->context, user_id(user), piles->state, err);
}

/* A user's facts lie anywhere in the pile, many across two cache lines: they are asked for some facts ahead. */
static void fetch_facts(const struct table *table, const struct pile_user *user, size_t fact_count)
{
    enum { FACT_AHEAD = 24, TEXT_AHEAD = 12 };

    for (size_t i = user->end - user->fact_count; i < user->end && i + FACT_AHEAD < fact_count; i++) {
        const struct packed *next = &table->facts[table->order[i + TEXT_AHEAD]];

        __builtin_prefetch(&table->facts[table->order[i + FACT_AHEAD]]);
        __builtin_prefetch(next->id);
        __builtin_prefetch(next->id + next->id_size + next->rest_size);
    }
}

static int compare_lines(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

bool piles_each(struct piles *piles, const struct piles_tour *tour, struct error *err)
{
    for (size_t i = 0; i < PILE_COUNT; i++) {
        if (piles->piles[i].fact_count == 0) {
            continue;
        }
        if (!unpack(piles, &piles->piles[i], err)) {
            return false;
        }
        for (size_t k = 0; k < piles->table.user_count; k++) {
            fetch_facts(&piles->table, &piles->table.users[k], piles->piles[i].fact_count);
            if (!visit_user(piles, &piles->table.users[k], tour, err)) {
                return false;
            }
        }
        if (tour->last) {
            empty(&piles->piles[i]);
        }
    }
    if (piles->counts.copy_different_count > 1) {
        qsort(piles->lines, piles->counts.copy_different_count, sizeof *piles->lines, compare_lines);
    }
    piles->counted = true;
    return true;
}

struct piles_counts piles_counts(const struct piles *piles)
{
    struct piles_counts counts = piles->counts;

    counts.lines_different = piles->lines;
    return counts;
}
