/* A lane fed with the messages of a world. */
#include "tests/fuzz/fuzz.h"

#include "common/domain/watermark.h"

enum { SEGMENTS_MAX = 64, NOTES_MAX = 20000, MINUTE = 60000 };

struct note {
    struct slice user; /* borrowed from the lane */
    struct lane_record record;
};

struct journal {
    struct note *notes;
    size_t count;
    size_t capacity;
};

static bool note_record(void *context, const struct lane_record *record, struct error *err)
{
    struct journal *journal = context;

    fuzz_check(!record->member || record->entered_at < record->valid_until, "a record of an empty membership");
    if (!memory_grow(&journal->notes, &journal->capacity, journal->count, NOTES_MAX, sizeof *journal->notes, "records",
                     err)) {
        return false;
    }
    journal->notes[journal->count++] = (struct note){.user = lane_user_id(record->user), .record = *record};
    return true;
}

static bool make_lane(struct fuzz_world *world, struct lane **out, struct error *err)
{
    struct lane_segment segments[SEGMENTS_MAX];
    struct lane_options options = {.ruleset = world->ruleset, .segments = segments};

    for (size_t i = 0; i < ruleset_segment_count(world->ruleset); i++) {
        segments[i] = (struct lane_segment){.silent = ruleset_definition(world->ruleset, i)->needs_percentile,
                                            .purpose = LANE_NO_PURPOSE,
                                            .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    return lane_new(&options, out, err);
}

/* Messages [begin, end) live. */
static bool feed(struct fuzz_world *world, struct lane *lane, struct watermark *watermark, size_t begin, size_t end,
                 size_t step, struct journal *journal, struct error *err)
{
    struct lane_sink sink = {.emit = note_record, .context = journal};

    for (size_t i = begin; i < end; i++) {
        struct lane_user *user = NULL;
        struct event event;

        if (!fuzz_world_event(world, i, &event, err) || !lane_add(lane, event.user, &user, err) ||
            !lane_event(lane, user, &event, 0, (int64_t)i, watermark->value_ms, &sink, err)) {
            return false;
        }
        watermark_event(watermark, 0, event.time_ms);
        if ((i + 1) % step == 0 && !lane_advance(lane, watermark->value_ms, &sink, err)) {
            return false;
        }
    }
    return true;
}

/* What a new owner of the lane does: folds what was read, and takes what was announced from the journal. */
static bool restore(struct fuzz_world *world, struct lane *lane, size_t count, const struct journal *journal,
                    int64_t watermark_ms, struct journal *into, struct error *err)
{
    struct lane_sink sink = {.emit = note_record, .context = into};

    for (size_t i = 0; i < count; i++) {
        struct lane_user *user = NULL;
        struct event event;

        if (!fuzz_world_event(world, i, &event, err) || !lane_add(lane, event.user, &user, err) ||
            !lane_fold(lane, user, &event, 0, (int64_t)i, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < journal->count; i++) {
        if (!lane_announced_set(lane, lane_find(lane, journal->notes[i].user), &journal->notes[i].record, err)) {
            return false;
        }
    }
    if (!lane_start(lane, watermark_ms, &sink, err)) {
        return false;
    }
    fuzz_check(into->count == 0, "a restart wrote %zu records (segment %zu)", into->count,
               into->notes[0].record.segment);
    return true;
}

/* The newest record of each user and segment says what is true at `at`. */
struct truth {
    struct fuzz_world *world;
    struct lane *lane;
    const struct journal *journal;
    int64_t at;
};

static bool expect_truth(void *context, struct lane_user *user, struct error *err)
{
    const struct truth *truth = context;
    struct fuzz_world *world = truth->world;

    for (size_t segment = 0; segment < ruleset_segment_count(world->ruleset); segment++) {
        const char *id = ruleset_definition(world->ruleset, segment)->segment_id.data;
        const struct lane_record *newest = NULL;
        struct user_state *state = NULL;
        struct membership found;

        if (ruleset_definition(world->ruleset, segment)->needs_percentile) {
            continue;
        }
        for (size_t i = 0; i < truth->journal->count; i++) {
            const struct note *note = &truth->journal->notes[i];

            if (note->record.segment == segment && slice_equal(note->user, lane_user_id(user))) {
                newest = &note->record;
            }
        }
        if (!lane_user_state(truth->lane, user, &state, err) ||
            !user_state_membership(world->ruleset, state, segment, truth->at, world->evaluation, &found, err)) {
            return false;
        }
        fuzz_check((newest != NULL && newest->member) == found.member, "%s at %lld: announced %d, true %d", id,
                   (long long)truth->at, newest != NULL && newest->member, found.member);
        fuzz_check(!found.member || newest->entered_at == found.entered_at,
                   "%s at %lld: announced since %lld, true since %lld", id, (long long)truth->at,
                   (long long)(newest == NULL ? 0 : newest->entered_at), (long long)found.entered_at);
        fuzz_check(!found.member || newest->valid_until <= found.valid_until,
                   "%s at %lld: announced until %lld, true until %lld", id, (long long)truth->at,
                   (long long)(newest == NULL ? 0 : newest->valid_until), (long long)found.valid_until);
    }
    return true;
}

static int compare_notes(const struct note *a, const struct note *b)
{
    int order = slice_compare(a->user, b->user);

    return order != 0 ? order : (a->record.segment > b->record.segment) - (a->record.segment < b->record.segment);
}

/* By user and segment, keeping the order of each. */
static void sort_notes(struct note *notes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct note note = notes[i];
        size_t at = i;

        for (; at > 0 && compare_notes(&notes[at - 1], &note) > 0; at--) {
            notes[at] = notes[at - 1];
        }
        notes[at] = note;
    }
}

static void expect_same(struct note *a, size_t a_count, struct note *b, size_t b_count, const char *what)
{
    sort_notes(a, a_count);
    sort_notes(b, b_count);
    for (size_t i = 0; i < a_count && i < b_count; i++) {
        const struct lane_record *x = &a[i].record;
        const struct lane_record *y = &b[i].record;

        fuzz_check(compare_notes(&a[i], &b[i]) == 0 && x->member == y->member && x->entered_at == y->entered_at &&
                       x->effective_at == y->effective_at && x->valid_until == y->valid_until &&
                       x->certain == y->certain && memcmp(x->positions, y->positions, sizeof x->positions) == 0,
                   "%s: record %zu (segment %zu, member %d, effective %lld, until %lld) is now (segment %zu, member "
                   "%d, effective %lld, until %lld)",
                   what, i, x->segment, x->member, (long long)x->effective_at, (long long)x->valid_until, y->segment,
                   y->member, (long long)y->effective_at, (long long)y->valid_until);
    }
    fuzz_check(a_count == b_count, "%s: %zu records, then %zu", what, a_count, b_count);
}

bool fuzz_world_lane(struct fuzz_world *world, size_t step, int64_t bound_ms, struct error *err)
{
    struct lane *lanes[3] = {NULL, NULL, NULL}; /* undisturbed; with other steps; restarted half way */
    struct journal journals[3] = {0};
    struct watermark watermarks[3];
    size_t half = world->message_count / 2;
    size_t written;
    bool done = false;

    if (ruleset_segment_count(world->ruleset) > SEGMENTS_MAX) {
        return true;
    }
    watermark_init(&watermarks[0], 1, bound_ms, TIMESTAMP_ALWAYS);
    watermarks[1] = watermarks[0];
    for (size_t i = 0; i < 3; i++) {
        if (!make_lane(world, &lanes[i], err)) {
            goto out;
        }
    }
    if (!feed(world, lanes[0], &watermarks[0], 0, half, 1, &journals[0], err)) {
        goto out;
    }
    watermarks[2] = watermarks[0];
    written = journals[0].count;
    if (!restore(world, lanes[2], half, &journals[0], watermarks[2].value_ms, &journals[2], err) ||
        !feed(world, lanes[0], &watermarks[0], half, world->message_count, 1, &journals[0], err) ||
        !feed(world, lanes[1], &watermarks[1], 0, world->message_count, step, &journals[1], err) ||
        !feed(world, lanes[2], &watermarks[2], half, world->message_count, step, &journals[2], err)) {
        goto out;
    }
    for (size_t i = 0; i < 3; i++) {
        struct lane_sink sink = {.emit = note_record, .context = &journals[i]};
        struct truth truth = {.world = world, .lane = lanes[i], .journal = &journals[i]};

        truth.at = watermarks[i].value_ms == TIMESTAMP_ALWAYS ? 0 : watermarks[i].value_ms + bound_ms + 3 * MINUTE;
        if (!lane_advance(lanes[i], truth.at, &sink, err) ||
            (i < 2 && !lane_each(lanes[i], expect_truth, &truth, err))) { /* the third has the second half only */
            goto out;
        }
    }
    if (journals[0].count > 0) {
        expect_same(journals[0].notes + written, journals[0].count - written, journals[2].notes, journals[2].count,
                    "restarted");
        expect_same(journals[0].notes, journals[0].count, journals[1].notes, journals[1].count, "other steps");
    }
    done = true;
out:
    for (size_t i = 0; i < 3; i++) {
        lane_free(lanes[i]);
        memory_free(journals[i].notes);
    }
    return done;
}
