/* Most users wait for their next event most of the time, and there are millions of them: so they wait packed, in a
 * tenth of the memory and in few cache lines. A message takes its user up: what is announced is unpacked, and, where
 * it is needed, the state; the next message of another user puts it down again. An event in order, which is what comes
 * mostly, is packed behind those that are packed already. */
#include "common/domain/lane_internal.h"

#include "common/base/memory.h"
#include "common/domain/optimisation.h"

#include <string.h>

enum {
    UNPACKED_EVENTS_MIN = 33, /* with so many events a state is kept unpacked ... */
    PACKED_EVENTS_MAX = 16,   /* ... until it has no more than this */
    PACKED_SIZE_MAX = 1 << 30,
    SMALL_SIZE_MAX = 1 << 16, /* packed, beyond this size it is kept unpacked as well */
    REST_STEP = 16,
};

/* What there is to say of an announcement: its first byte. */
enum {
    SAYS_PRESENT = 1,
    SAYS_MEMBER = 2,
    SAYS_CERTAIN = 4,
    SAYS_UNCERTAIN = 8,  /* until when, announced and in truth: two instants */
    SAYS_ENTERED = 16,   /* at another instant than it speaks for */
    SAYS_UNTIL = 32,     /* an instant; otherwise never */
    SAYS_OTHER_END = 64, /* the end known is not valid_until */
    SAYS_DUE = 128,      /* an instant */
};
enum {
    ANNOUNCED_SIZE_MAX = 1 + 8 * PACK_NUMBER_SIZE_MAX,
    TAIL_SIZE_MAX = (4 + LANE_TOPICS_MAX) * PACK_NUMBER_SIZE_MAX
};

static const struct lane_announced nothing = {.uncertain_until = TIMESTAMP_ALWAYS,
                                              .late_until = TIMESTAMP_ALWAYS,
                                              .due = TIMESTAMP_NEVER};

/* ---- instants, as what they differ by from others ---- */

static unsigned char *put_since(unsigned char *out, int64_t since_ms, int64_t at_ms)
{
    return pack_put_number(out, pack_folded((int64_t)((uint64_t)at_ms - (uint64_t)since_ms)));
}

static int64_t take_since(struct pack_reader *reader, int64_t since_ms)
{
    return (int64_t)((uint64_t)pack_unfolded(pack_take_number(reader)) + (uint64_t)since_ms);
}

/* ---- what is announced ---- */

static unsigned says_of(const struct lane_announced *announced)
{
    unsigned says = announced->due != TIMESTAMP_NEVER ? SAYS_DUE : 0;

    says |= announced->uncertain_until != TIMESTAMP_ALWAYS || announced->late_until != TIMESTAMP_ALWAYS ? SAYS_UNCERTAIN
                                                                                                        : 0U;
    if (!announced->present) {
        return says;
    }
    says |= SAYS_PRESENT | (announced->member ? SAYS_MEMBER : 0U) | (announced->certain ? SAYS_CERTAIN : 0U);
    if (announced->member) {
        says |= announced->entered_at != announced->effective_at ? SAYS_ENTERED : 0U;
        says |= announced->valid_until != TIMESTAMP_NEVER ? SAYS_UNTIL : 0U;
        says |= announced->end_known != announced->valid_until ? SAYS_OTHER_END : 0U;
    }
    return says;
}

static unsigned char *put_announced(unsigned char *out, const struct lane_announced *announced, int64_t newest)
{
    unsigned says = says_of(announced);
    int64_t base = (says & SAYS_PRESENT) != 0 ? announced->effective_at : newest;

    *out++ = (unsigned char)says;
    out = (says & SAYS_PRESENT) != 0 ? put_since(out, newest, announced->effective_at) : out;
    if ((says & SAYS_UNCERTAIN) != 0) {
        out = put_since(out, TIMESTAMP_NEVER, announced->uncertain_until);
        out = put_since(out, announced->uncertain_until, announced->late_until);
    }
    out = (says & SAYS_ENTERED) != 0 ? put_since(out, base, announced->entered_at) : out;
    out = (says & SAYS_UNTIL) != 0 ? put_since(out, base, announced->valid_until) : out;
    out = (says & SAYS_OTHER_END) != 0 ? put_since(out, announced->valid_until, announced->end_known) : out;
    if ((says & SAYS_DUE) != 0) {
        out = put_since(out, (says & SAYS_UNTIL) != 0 ? announced->valid_until : base, announced->due);
    }
    return out;
}

static void take_announced(struct pack_reader *reader, struct lane_announced *out, int64_t newest)
{
    unsigned says = (unsigned)pack_take_bytes(reader, 1)[0];
    int64_t base = newest;

    out->present = (says & SAYS_PRESENT) != 0;
    if (out->present) {
        base = take_since(reader, newest);
        out->effective_at = base;
        out->member = (says & SAYS_MEMBER) != 0;
        out->certain = (says & SAYS_CERTAIN) != 0;
        out->entered_at = out->member ? base : TIMESTAMP_ALWAYS;
        out->valid_until = TIMESTAMP_NEVER;
        out->end_known = TIMESTAMP_NEVER;
    }
    if ((says & SAYS_UNCERTAIN) != 0) {
        out->uncertain_until = take_since(reader, TIMESTAMP_NEVER);
        out->late_until = take_since(reader, out->uncertain_until);
    }
    out->entered_at = (says & SAYS_ENTERED) != 0 ? take_since(reader, base) : out->entered_at;
    out->valid_until = (says & SAYS_UNTIL) != 0 ? take_since(reader, base) : out->valid_until;
    out->end_known = out->member ? out->valid_until : out->end_known;
    out->end_known = (says & SAYS_OTHER_END) != 0 ? take_since(reader, out->valid_until) : out->end_known;
    if ((says & SAYS_DUE) != 0) {
        out->due = take_since(reader, (says & SAYS_UNTIL) != 0 ? out->valid_until : base);
    }
}

struct lane_announced *lane_announced_of(struct lane *lane, size_t segment)
{
    struct lane_hand *hand = &lane->hand;
    struct lane_announced *announced = &hand->announced[segment];
    size_t place = hand->listed_count;

    hand->changed = true;
    if (announced->listed) {
        return announced;
    }
    announced->listed = true;
    while (place > 0 && hand->listed[place - 1] > segment) {
        hand->listed[place] = hand->listed[place - 1];
        place--;
    }
    hand->listed[place] = (uint32_t)segment;
    hand->listed_count++;
    return announced;
}

/* ---- the tail: numbers, positions, announcements ---- */

static void put_tail(struct lane *lane, const struct user_state_head *head)
{
    struct lane_hand *hand = &lane->hand;
    unsigned char *begin =
        buffer_room(&lane->packed, TAIL_SIZE_MAX + hand->listed_count * (PACK_NUMBER_SIZE_MAX + ANNOUNCED_SIZE_MAX));
    unsigned char *at = begin;
    size_t next = 0;

    if (begin == NULL) {
        return;
    }
    at = put_since(at, 0, head->known_since);
    at = put_since(at, head->known_since, head->newest);
    at = pack_put_number(at, head->entry_count);
    at = pack_put_number(at, head->prune_count);
    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        at = pack_put_number(at, (uint64_t)(hand->positions[i] + 1));
    }
    for (size_t i = 0; i < hand->listed_count; i++) {
        uint32_t segment = hand->listed[i];

        if (says_of(&hand->announced[segment]) != 0) {
            at = pack_put_number(at, segment - next);
            at = put_announced(at, &hand->announced[segment], head->newest);
            next = segment + 1;
        }
    }
    buffer_advance(&lane->packed, (size_t)(at - begin));
}

static void take_tail(struct lane *lane, const struct lane_user *user)
{
    struct lane_hand *hand = &lane->hand;
    struct pack_reader reader = {.at = user->rest + user->log_size, .end = user->rest + user->rest_size};
    size_t next = 0;

    hand->head = (struct user_state_head){.known_since = TIMESTAMP_NEVER, .newest = TIMESTAMP_ALWAYS};
    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        hand->positions[i] = -1;
    }
    if (reader.at == reader.end) {
        return; /* a new user */
    }
    hand->head.known_since = take_since(&reader, 0);
    hand->head.newest = take_since(&reader, hand->head.known_since);
    hand->head.entry_count = (uint32_t)pack_take_number(&reader);
    hand->head.prune_count = (uint32_t)pack_take_number(&reader);
    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        hand->positions[i] = (int64_t)pack_take_number(&reader) - 1;
    }
    while (reader.at < reader.end) {
        next += pack_take_number(&reader);
        take_announced(&reader, &hand->announced[next], hand->head.newest);
        hand->announced[next].listed = true;
        hand->listed[hand->listed_count++] = (uint32_t)next;
        next++;
    }
}

/* ---- putting down ---- */

/* Writes `packed` behind the first `kept` bytes of what the user has. */
static bool store(struct lane *lane, struct lane_user *user, size_t kept, size_t log_size, struct error *err)
{
    size_t size = kept + lane->packed.size;

    if (size > user->rest_capacity || size + REST_STEP * 4 < user->rest_capacity / 2) {
        size_t capacity = (size + size / 8 + REST_STEP) / REST_STEP * REST_STEP;
        unsigned char *rest = memory_resize(user->rest, capacity, 1);

        if (rest == NULL) {
            return error_no_memory(err, "a user at rest");
        }
        lane->user_size += capacity - user->rest_capacity;
        user->rest = rest;
        user->rest_capacity = (uint32_t)capacity;
    }
    memcpy(user->rest + kept, lane->packed.data, lane->packed.size);
    user->log_size = (uint32_t)log_size;
    user->rest_size = (uint32_t)size;
    return true;
}

/* Whether what is packed needs only what came behind it. */
static bool is_continued(const struct lane_hand *hand, const struct user_state_head *head)
{
    return !hand->reordered && hand->user->log_size > 0 && head->known_since == hand->head.known_since &&
           user_state_final(hand->state) == hand->final_ms && head->entry_count >= hand->head.entry_count;
}

/* The state becomes the user's own, and another one the lane's. */
static bool hand_over(struct lane *lane, struct error *err)
{
    struct lane_hand *hand = &lane->hand;
    struct user_state *spare = NULL;

    if (!user_state_new(lane->ruleset, &spare, err)) {
        return false;
    }
    user_state_transient(hand->spare, false);
    user_state_transient(spare, true);
    hand->user->state = hand->spare;
    hand->spare = spare;
    return true;
}

/* A user whose events come one behind the other is not put down in between, and would never carry anything. */
bool lane_keep_state(struct lane *lane, struct error *err)
{
    struct lane_hand *hand = &lane->hand;

    return hand->user->state != NULL || user_state_event_count(hand->state) < UNPACKED_EVENTS_MIN ||
           hand_over(lane, err);
}

static void count_state(struct lane *lane, struct lane_user *user)
{
    size_t size = user->state == NULL ? 0 : user_state_size(user->state);

    lane->user_size += size - user->state_size;
    user->state_size = (uint32_t)size;
}

/* Packs the state in hand, or the rest of it, in front of the tail. Beyond some size it is kept unpacked. */
static bool put_down_state(struct lane *lane, const struct user_state_head *head, size_t *kept, size_t *log_size,
                           struct error *err)
{
    struct lane_hand *hand = &lane->hand;
    struct lane_user *user = hand->user;
    size_t least = user->state != NULL ? PACKED_EVENTS_MAX + 1 : UNPACKED_EVENTS_MIN;

    *kept = 0;
    *log_size = 0;
    if (head->entry_count >= least || !optimisation_on(OPTIMISATION_REST)) {
        return user->state != NULL || hand_over(lane, err);
    }
    if (user->state == NULL && is_continued(hand, head)) {
        *kept = user->log_size;
        user_state_pack_more(lane->ruleset, hand->state, hand->head.entry_count, &lane->packed);
    } else {
        user_state_pack(lane->ruleset, hand->state, &lane->packed);
    }
    *log_size = *kept + lane->packed.size;
    if (*log_size > SMALL_SIZE_MAX) {
        buffer_reset(&lane->packed);
        *kept = 0;
        *log_size = 0;
        return user->state != NULL || hand_over(lane, err);
    }
    if (user->state != NULL && !lane->packed.failed) {
        user_state_free(user->state);
        user->state = NULL;
    }
    return true;
}

static bool put_down(struct lane *lane, struct error *err)
{
    struct lane_hand *hand = &lane->hand;
    struct lane_user *user = hand->user;
    struct user_state_head head = hand->head;
    size_t kept = user == NULL ? 0 : user->log_size;
    size_t log_size = kept;

    if (user == NULL) {
        return true;
    }
    if (hand->changed) {
        buffer_reset(&lane->packed);
        if (hand->state != NULL) {
            head = user_state_head(hand->state);
            if (!put_down_state(lane, &head, &kept, &log_size, err)) {
                return false;
            }
        }
        put_tail(lane, &head);
        if (!buffer_finish(&lane->packed, "a user at rest", err) || !store(lane, user, kept, log_size, err)) {
            return false;
        }
    }
    count_state(lane, user);
    for (size_t i = 0; i < hand->listed_count; i++) {
        hand->announced[hand->listed[i]] = nothing;
    }
    hand->listed_count = 0;
    hand->user = NULL;
    hand->state = NULL;
    return true;
}

/* ---- taking up ---- */

bool lane_take(struct lane *lane, struct lane_user *user, struct error *err)
{
    struct lane_hand *hand = &lane->hand;

    if (hand->user == user) {
        return true;
    }
    if (!put_down(lane, err)) {
        return false;
    }
    hand->user = user;
    hand->state = user->state;
    hand->changed = false;
    hand->reordered = false;
    take_tail(lane, user);
    return true;
}

bool lane_take_state(struct lane *lane, struct error *err)
{
    struct lane_hand *hand = &lane->hand;

    if (hand->state != NULL) {
        return true;
    }
    if (hand->user->log_size == 0) {
        user_state_clear(lane->ruleset, hand->spare);
    } else if (!user_state_unpack(lane->ruleset, &hand->head,
                                  slice_of((const char *)hand->user->rest, hand->user->log_size), hand->spare, err)) {
        return false;
    }
    hand->state = hand->spare;
    hand->final_ms = user_state_final(hand->state);
    return true;
}

int64_t lane_newest(const struct lane *lane)
{
    return lane->hand.state != NULL ? user_state_newest(lane->hand.state) : lane->hand.head.newest;
}

/* ---- users ---- */

struct lane_user *lane_user_new(struct lane *lane, struct slice id)
{
    size_t size = sizeof(struct lane_user) + lane->purpose_count * sizeof(int64_t) + id.size;
    struct lane_user *user = memory_allocate_zeroed(1, size);

    if (user != NULL) {
        memcpy(&user->grants[lane->purpose_count], id.data, id.size);
        user->id_size = (uint16_t)id.size;
        user->purpose_count = (uint16_t)lane->purpose_count;
        user->due = TIMESTAMP_NEVER;
        user->in_heap = TIMESTAMP_NEVER;
        lane->user_size += size;
    }
    return user;
}

void lane_user_free(struct lane_user *user)
{
    user_state_free(user->state);
    memory_free(user->rest);
    memory_free(user);
}

bool lane_hand_init(struct lane *lane, struct error *err)
{
    struct lane_hand *hand = &lane->hand;

    buffer_init(&lane->packed, PACKED_SIZE_MAX);
    hand->announced = memory_allocate_zeroed(lane->segment_count, sizeof *hand->announced);
    hand->listed = memory_allocate_zeroed(lane->segment_count, sizeof *hand->listed);
    if (hand->announced == NULL || hand->listed == NULL) {
        return error_no_memory(err, "starting a lane");
    }
    for (size_t i = 0; i < lane->segment_count; i++) {
        hand->announced[i] = nothing;
    }
    if (!user_state_new(lane->ruleset, &hand->spare, err)) {
        return false;
    }
    user_state_transient(hand->spare, true);
    return true;
}

void lane_hand_clear(struct lane *lane)
{
    user_state_free(lane->hand.spare);
    memory_free(lane->hand.announced);
    memory_free(lane->hand.listed);
    buffer_clear(&lane->packed);
}
