#include "common/domain/lane_internal.h"

#include "common/base/hash.h"
#include "common/base/memory.h"

#include <string.h>

_Static_assert((int)LANE_TOPICS_MAX < (int)USER_STATE_SOURCES_MAX, "a topic is a source, and files are one more");

enum { SLOTS_MIN = 2048, USERS_MAX = INT32_MAX, WORD_BITS = 64, LINE_SIZE = 64, REST_SIZE_NEAR = 1024 };

/* ---- the lane ---- */

bool lane_new(const struct lane_options *options, struct lane **out, struct error *err)
{
    struct lane *lane = memory_allocate_zeroed(1, sizeof *lane);

    if (lane == NULL) {
        return error_no_memory(err, "starting a lane");
    }
    lane->ruleset = options->ruleset;
    lane->segment_count = ruleset_segment_count(options->ruleset);
    lane->purpose_count = options->purpose_count;
    lane->user_events_max = options->user_events_max;
    lane->lateness_ms = options->lateness_ms;
    lane->touched_words = (lane->segment_count + WORD_BITS - 1) / WORD_BITS;
    lane->slot_count = SLOTS_MIN;
    lane->seed = hash_seed();
    timer_heap_init(&lane->timers);
    lane->segments = memory_allocate_zeroed(lane->segment_count, sizeof *lane->segments);
    lane->touched = memory_allocate_zeroed(lane->touched_words, sizeof *lane->touched);
    lane->slots = memory_allocate_zeroed(lane->slot_count, sizeof *lane->slots);
    if (lane->segments == NULL || lane->touched == NULL || lane->slots == NULL) {
        error_no_memory(err, "starting a lane");
        goto out;
    }
    for (size_t i = 0; i < lane->segment_count; i++) {
        lane->segments[i] = options->segments[i];
    }
    if (!evaluation_new(lane->ruleset, &lane->evaluation, err) || !lane_hand_init(lane, err)) {
        goto out;
    }
    *out = lane;
    return true;
out:
    lane_free(lane);
    return false;
}

void lane_free(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    for (size_t i = 0; i < lane->user_count; i++) {
        lane_user_free(lane->users[i]);
    }
    if (lane->evaluation != NULL) {
        evaluation_free(lane->evaluation);
    }
    timer_heap_clear(&lane->timers);
    lane_hand_clear(lane);
    memory_free(lane->users);
    memory_free(lane->slots);
    memory_free(lane->touched);
    memory_free(lane->segments);
    memory_free(lane);
}

struct lane_counts lane_counts(const struct lane *lane)
{
    struct lane_counts counts = lane->counts;

    counts.users = lane->user_count;
    counts.size = lane->user_size + lane->slot_count * sizeof *lane->slots + lane->user_capacity * sizeof *lane->users +
                  lane->timers.capacity * sizeof *lane->timers.timers;
    return counts;
}

uint64_t lane_late_count(const struct lane *lane)
{
    return lane->counts.late;
}

/* ---- users ---- */

uint64_t lane_hash(const struct lane *lane, struct slice user_id)
{
    uint64_t hash = hash_bytes(user_id, lane->seed);

    __builtin_prefetch(&lane->slots[hash & (lane->slot_count - 1)]);
    return hash;
}

struct lane_user *lane_find_hashed(const struct lane *lane, struct slice user_id, uint64_t hash)
{
    for (size_t i = hash & (lane->slot_count - 1); lane->slots[i].user != NULL; i = (i + 1) & (lane->slot_count - 1)) {
        struct lane_user *user = lane->slots[i].user;

        if (lane->slots[i].hash == hash && slice_equal(user_id, lane_user_id(user))) {
            return user;
        }
    }
    return NULL;
}

struct lane_user *lane_find(const struct lane *lane, struct slice user_id)
{
    return lane_find_hashed(lane, user_id, hash_bytes(user_id, lane->seed));
}

static void put(struct lane_slot *slots, size_t slot_count, struct lane_slot slot)
{
    size_t i = slot.hash & (slot_count - 1);

    while (slots[i].user != NULL) {
        i = (i + 1) & (slot_count - 1);
    }
    slots[i] = slot;
}

static bool grow_slots(struct lane *lane, struct error *err)
{
    size_t count = lane->slot_count * 2;
    struct lane_slot *slots = memory_allocate_zeroed(count, sizeof *slots);

    if (slots == NULL) {
        return error_no_memory(err, "growing the table of users");
    }
    for (size_t i = 0; i < lane->slot_count; i++) {
        if (lane->slots[i].user != NULL) {
            put(slots, count, lane->slots[i]);
        }
    }
    memory_free(lane->slots);
    lane->slots = slots;
    lane->slot_count = count;
    return true;
}

bool lane_add(struct lane *lane, struct slice user_id, struct lane_user **out, struct error *err)
{
    uint64_t hash = hash_bytes(user_id, lane->seed);
    struct lane_user *user = lane_find_hashed(lane, user_id, hash);

    if (user != NULL) {
        *out = user;
        return true;
    }
    if (!memory_grow(&lane->users, &lane->user_capacity, lane->user_count, USERS_MAX, sizeof(struct lane_user *),
                     "users", err) ||
        (lane->user_count * 2 >= lane->slot_count && !grow_slots(lane, err))) {
        return false;
    }
    user = lane_user_new(lane, user_id);
    if (user == NULL) {
        return error_no_memory(err, "adding a user");
    }
    put(lane->slots, lane->slot_count, (struct lane_slot){.hash = hash, .user = user});
    lane->users[lane->user_count++] = user;
    *out = user;
    return true;
}

static void prefetch(const void *memory, size_t size)
{
    for (size_t i = 0; i < size; i += LINE_SIZE) {
        __builtin_prefetch((const char *)memory + i, 1);
    }
}

void lane_prefetch(const struct lane *lane, const struct lane_user *user, enum lane_nearness nearness)
{
    switch (nearness) {
    case LANE_FAR:
        prefetch(user, sizeof *user + LINE_SIZE);
        return;
    case LANE_NEAR:
        prefetch(user->rest, user->rest_size < REST_SIZE_NEAR ? user->rest_size : REST_SIZE_NEAR);
        if (user->state != NULL) {
            prefetch(user->state, LINE_SIZE * 2);
        }
        return;
    case LANE_NEXT:
        if (user->state != NULL) {
            user_state_prefetch(lane->ruleset, user->state);
        }
        return;
    case LANE_NEARNESS_NONE:
    default:
        return;
    }
}

struct slice lane_user_id(const struct lane_user *user)
{
    return slice_of((const char *)&user->grants[user->purpose_count], user->id_size);
}

int64_t lane_user_no(const struct lane_user *user)
{
    return user->user_no;
}

void lane_user_number(struct lane_user *user, int64_t user_no)
{
    user->user_no = user_no;
}

bool lane_user_state(struct lane *lane, struct lane_user *user, struct user_state **out, struct error *err)
{
    if (!lane_take(lane, user, err) || !lane_take_state(lane, err)) {
        return false;
    }
    *out = lane->hand.state;
    return true;
}

bool lane_each(const struct lane *lane, lane_visit *visit, void *context, struct error *err)
{
    for (size_t i = 0; i < lane->user_count; i++) {
        if (!visit(context, lane->users[i], err)) {
            return false;
        }
    }
    return true;
}

/* ---- timers ---- */

/* Sees to it that the heap knows an instant at or before the user's next one. */
static bool arm(struct lane *lane, struct lane_user *user, struct error *err)
{
    if (user->due >= user->in_heap || user->held) {
        return true; /* a timer that moved on is re-armed when its old entry comes up */
    }
    user->in_heap = user->due;
    return timer_heap_push(&lane->timers, user->due, user, err);
}

/* Recomputes the next instant of the user in hand. */
static void find_due(struct lane *lane)
{
    const struct lane_hand *hand = &lane->hand;
    int64_t due = TIMESTAMP_NEVER;

    for (size_t i = 0; i < hand->listed_count; i++) {
        const struct lane_announced *announced = &hand->announced[hand->listed[i]];

        due = announced->due < due ? announced->due : due;
    }
    hand->user->due = due;
}

/* Up to which instant events are final at this watermark; TIMESTAMP_ALWAYS: none are. */
static int64_t final_at(const struct lane *lane, int64_t watermark)
{
    int64_t final_ms;

    return lane->lateness_ms == 0 || __builtin_sub_overflow(watermark, lane->lateness_ms, &final_ms) ? TIMESTAMP_ALWAYS
                                                                                                     : final_ms;
}

static bool prune_now(struct lane *lane, int64_t final_ms, struct error *err)
{
    struct lane_hand *hand = &lane->hand;

    hand->changed = true;
    hand->reordered = true;
    return user_state_prune(lane->ruleset, hand->state, final_ms, lane->evaluation, err);
}

/* Prunes the state of the user in hand, if it was looked at and it is worth it. What is due must have fired: it is
 * looked for where the state knows it. */
static bool prune(struct lane *lane, int64_t watermark, struct error *err)
{
    const struct lane_hand *hand = &lane->hand;
    int64_t final_ms = final_at(lane, watermark);

    return final_ms == TIMESTAMP_ALWAYS || hand->state == NULL || hand->user->due <= watermark ||
           !user_state_prune_due(lane->ruleset, hand->state, final_ms) || prune_now(lane, final_ms, err);
}

/* Fires what is due, each at its own instant, in order. What can be pruned is, as of that instant too: which events are
 * late must not depend on how far the caller advances at once. */
static bool fire(struct lane *lane, struct lane_user *user, int64_t watermark, const struct lane_sink *sink,
                 struct error *err)
{
    const struct lane_hand *hand = &lane->hand;

    while (user->due <= watermark && user->due != TIMESTAMP_NEVER) {
        const struct lane_judgement judgement = {.occasion = LANE_TIMER, .watermark = user->due};

        if (!lane_take(lane, user, err)) {
            return false;
        }
        for (size_t i = 0; i < hand->listed_count; i++) {
            uint32_t segment = hand->listed[i];

            if (hand->announced[segment].due == judgement.watermark &&
                !lane_judge(lane, segment, &judgement, sink, err)) {
                return false;
            }
        }
        lane->counts.timers_fired++;
        find_due(lane);
        if (!prune(lane, judgement.watermark, err)) {
            return false;
        }
    }
    return true;
}

bool lane_advance(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err)
{
    struct timer timer;

    while (timer_heap_pop(&lane->timers, watermark, &timer)) {
        struct lane_user *user = timer.owner;

        if (timer.at_ms != user->in_heap) {
            continue; /* an entry that an earlier one has replaced */
        }
        user->in_heap = TIMESTAMP_NEVER;
        if (user->held) {
            continue; /* lane_release arms it again */
        }
        if (!fire(lane, user, watermark, sink, err) || !arm(lane, user, err)) {
            return false;
        }
    }
    return true;
}

/* ---- events ---- */

/* The instant from which on an event can no longer matter to the segment. */
static int64_t matters_until(const struct lane *lane, size_t segment, int64_t time_ms)
{
    int64_t reach_ms = ruleset_reach_ms(lane->ruleset, segment);
    int64_t until;

    return reach_ms == TIMESTAMP_NEVER || __builtin_add_overflow(time_ms, reach_ms, &until) ? TIMESTAMP_NEVER : until;
}

/* The touched segments are uncertain: for as long as a late event can matter, and where the wrong one of two copies is
 * held until the state has been rebuilt. */
static void note_uncertain(struct lane *lane, enum fold_result result, int64_t time_ms)
{
    for (size_t i = 0; i < lane->segment_count; i++) {
        struct lane_announced *announced;
        int64_t until;

        if ((lane->touched[i / WORD_BITS] >> i % WORD_BITS & 1) == 0) {
            continue;
        }
        until = result == FOLD_LATE ? matters_until(lane, i, time_ms) : TIMESTAMP_NEVER;
        announced = lane_announced_of(lane, i);
        announced->late_until = until > announced->late_until ? until : announced->late_until;
    }
}

/* Whether the user in hand, whose state was looked at, has so many events. */
static bool has_events(const struct lane *lane, size_t count)
{
    return lane->user_events_max > 0 && !lane->hand.user->capped && user_state_event_count(lane->hand.state) >= count;
}

static void set_capped(struct lane *lane)
{
    lane->hand.user->capped = true;
    lane->counts.users_capped++;
}

/* Prunes a user with as many events as there may be, whose timers that are due have fired. Where that does not leave
 * room for an eighth of them, the user is capped: each event would be pruned for otherwise. */
static bool find_room(struct lane *lane, int64_t watermark, bool *capped_now, struct error *err)
{
    int64_t final_ms = final_at(lane, watermark);

    *capped_now = false;
    if (lane->user_events_max == 0 || lane->hand.user->capped) {
        return true;
    }
    if (!lane_take_state(lane, err)) {
        return false;
    }
    if (!has_events(lane, lane->user_events_max)) {
        return true;
    }
    if (final_ms != TIMESTAMP_ALWAYS && !prune_now(lane, final_ms, err)) {
        return false;
    }
    if (has_events(lane, lane->user_events_max - lane->user_events_max / 8)) {
        set_capped(lane);
        *capped_now = true;
    }
    return true;
}

/* Into the user in hand. Leaves in lane->touched what the event can have changed. */
static bool absorb(struct lane *lane, const struct event *event, int16_t topic_no, int64_t offset, struct error *err)
{
    struct lane_hand *hand = &lane->hand;
    enum fold_result result = FOLD_NONE;

    memset(lane->touched, 0, lane->touched_words * sizeof *lane->touched);
    if (topic_no >= 0 && offset > hand->positions[topic_no]) {
        hand->positions[topic_no] = offset;
        hand->changed = true;
    }
    if (hand->user->capped) {
        return true;
    }
    if (!lane_take_state(lane, err) || !lane_keep_state(lane, err)) {
        return false;
    }
    hand->reordered = hand->reordered || event->time_ms <= user_state_newest(hand->state);
    hand->changed = true;
    if (!user_state_fold_from(lane->ruleset, hand->state, event, (unsigned)(topic_no + 1), lane->evaluation, &result,
                              lane->touched, err)) {
        return false;
    }
    if (result == FOLD_LATE || result == FOLD_COPY_EARLIER) {
        note_uncertain(lane, result, event->time_ms);
    }
    lane->counts.folded++;
    lane->counts.late += result == FOLD_LATE;
    lane->counts.copies += result == FOLD_COPY || result == FOLD_COPY_DIFFERENT || result == FOLD_COPY_EARLIER;
    lane->counts.copies_different += result == FOLD_COPY_DIFFERENT || result == FOLD_COPY_EARLIER;
    return true;
}

bool lane_fold(struct lane *lane, struct lane_user *user, const struct event *event, int16_t topic_no, int64_t offset,
               struct error *err)
{
    if (!lane_take(lane, user, err) || !absorb(lane, event, topic_no, offset, err)) {
        return false;
    }
    /* Only when all events are there can it be pruned, and the user be found to have too many. */
    if (!user->capped && has_events(lane, lane->user_events_max * LANE_CATCH_UP_TIMES)) {
        set_capped(lane);
    }
    return true;
}

bool lane_announced_set(struct lane *lane, struct lane_user *user, const struct lane_record *record, struct error *err)
{
    struct lane_announced *announced;

    if (!lane_take(lane, user, err)) {
        return false;
    }
    announced = lane_announced_of(lane, record->segment);
    announced->present = true;
    announced->member = record->member;
    announced->certain = record->certain;
    announced->entered_at = record->entered_at;
    announced->effective_at = record->effective_at;
    announced->valid_until = record->valid_until;
    announced->uncertain_until = record->uncertain_until;
    return true;
}

void lane_grant_restore(struct lane_user *user, int purpose, int64_t grant_no)
{
    user->grants[purpose] = grant_no;
}

void lane_build(struct lane *lane, size_t segment, bool is_new, int64_t complete_from_ms)
{
    lane->segments[segment].is_new = is_new;
    lane->segments[segment].complete_from_ms = complete_from_ms;
}

static bool cap(struct lane *lane, const struct lane_judgement *judgement, const struct lane_sink *sink,
                struct error *err)
{
    for (size_t i = 0; i < lane->segment_count; i++) {
        if (!lane_judge_capped(lane, i, judgement, sink, err)) {
            return false;
        }
    }
    return true;
}

/* Judges everything anew. */
static bool judge_all(struct lane *lane, enum lane_occasion occasion, int64_t watermark, const struct lane_sink *sink,
                      struct error *err)
{
    const struct lane_judgement judgement = {.occasion = occasion, .watermark = watermark};
    const struct lane_judgement announce = {.occasion = LANE_ANNOUNCE, .watermark = watermark};

    for (size_t k = 0; k < lane->user_count; k++) {
        struct lane_user *user = lane->users[k];
        bool capped_now;

        if (!lane_take(lane, user, err) || (occasion == LANE_START && !find_room(lane, watermark, &capped_now, err)) ||
            (user->capped && !cap(lane, &judgement, sink, err))) {
            return false;
        }
        for (size_t i = 0; i < lane->segment_count; i++) {
            bool is_new = occasion == LANE_START && lane->segments[i].is_new;
            if (!lane_judge(lane, i, is_new ? &announce : &judgement, sink, err)) {
                return false;
            }
        }
        find_due(lane);
        if (!arm(lane, user, err) || !prune(lane, watermark, err)) {
            return false;
        }
    }
    return true;
}

bool lane_start(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err)
{
    return judge_all(lane, LANE_START, watermark, sink, err);
}

bool lane_end(struct lane *lane, int64_t watermark, const struct lane_sink *sink, struct error *err)
{
    return lane_advance(lane, watermark, sink, err) && judge_all(lane, LANE_END, watermark, sink, err);
}

bool lane_event(struct lane *lane, struct lane_user *user, const struct event *event, int16_t topic_no, int64_t offset,
                int64_t watermark, const struct lane_sink *sink, struct error *err)
{
    const struct lane_judgement judgement = {.occasion = LANE_EVENT,
                                             .watermark = watermark,
                                             .event_time = event->time_ms};
    bool capped_now;

    if (!fire(lane, user, watermark, sink, err) || !lane_take(lane, user, err)) {
        return false;
    }
    if (!find_room(lane, watermark, &capped_now, err) || !absorb(lane, event, topic_no, offset, err)) {
        return false;
    }
    if (capped_now && !cap(lane, &judgement, sink, err)) {
        return false;
    }
    for (size_t word = 0; word < lane->touched_words; word++) {
        uint64_t bits = lane->touched[word];
        while (bits != 0) {
            size_t segment = word * WORD_BITS + (size_t)__builtin_ctzll(bits);
            bits &= bits - 1;
            if (!lane_judge(lane, segment, &judgement, sink, err)) {
                return false;
            }
        }
    }
    find_due(lane);
    return arm(lane, user, err) && prune(lane, watermark, err);
}

/* ---- consent ---- */

bool lane_hold(struct lane *lane, struct lane_user *user, int64_t watermark, const struct lane_sink *sink,
               struct error *err)
{
    if (user->held) {
        return true;
    }
    if (!fire(lane, user, watermark, sink, err)) {
        return false;
    }
    user->held = true;
    return true;
}

bool lane_release(struct lane *lane, struct lane_user *user, struct error *err)
{
    user->held = false;
    return arm(lane, user, err);
}

bool lane_held(const struct lane_user *user)
{
    return user->held;
}

bool lane_grant_set(struct lane *lane, struct lane_user *user, int purpose, int64_t grant_no, int64_t watermark,
                    const struct lane_sink *sink, struct error *err)
{
    const struct lane_judgement judgement = {.occasion = LANE_ANNOUNCE, .watermark = watermark};

    if (user->grants[purpose] == grant_no) {
        return true;
    }
    if (!lane_take(lane, user, err)) {
        return false;
    }
    user->grants[purpose] = grant_no;
    for (size_t i = 0; i < lane->segment_count; i++) {
        struct lane_announced *announced;

        if (lane->segments[i].purpose != purpose) {
            continue;
        }
        announced = lane_announced_of(lane, i);
        announced->present = false;
        announced->member = false;
        announced->uncertain_until = TIMESTAMP_ALWAYS;
        announced->due = TIMESTAMP_NEVER;
        if (user->capped ? !lane_judge_capped(lane, i, &judgement, sink, err)
                         : !lane_judge(lane, i, &judgement, sink, err)) {
            return false;
        }
    }
    find_due(lane);
    return arm(lane, user, err);
}
