/* Users' states as bytes from anywhere. The first byte of an input says whether the rest is taken as it is (0) or is a
 * body that gets the right header and checksum, so that what is fuzzed is not the checksum. What is refused leaves an
 * empty state; what is read is written so that it is read again and written alike, and can be asked, added to and
 * pruned. */
#include "tests/fuzz/fuzz.h"

#include "common/domain/user_state_pack_parts.h"

enum { SIZE_MAX_BYTES = 1 << 22, SEGMENTS_MAX = 32, HOUR = 3600000 };

static const char definitions[] =
    "[{\"segmentId\":\"count\",\"criteria\":[{\"event\":\"a\",\"window\":\"7d\",\"count\":{\">=\":3}}],"
    " \"membershipDuration\":\"3d\",\"exclusionWindow\":\"2d\"},"
    "{\"segmentId\":\"ever\",\"criteria\":[{\"event\":\"a\",\"count\":{\"<\":9}}],\"membershipDuration\":\"9d\"},"
    "{\"segmentId\":\"slide\",\"criteria\":[{\"event\":\"*\",\"window\":\"9d\",\"slide\":\"1d\",\"sum\":{\"property\":"
    " \"n\",\">\":4}}],\"membershipMode\":\"sticky\",\"membershipDuration\":\"1h\"},"
    "{\"segmentId\":\"average\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":{\"calendar\":\"month\",\"last\":2,"
    " \"zone\":\"Europe/Berlin\"},\"avg\":{\"product\":[\"n\",\"m\"],\">=\":1.5}}]},"
    "{\"segmentId\":\"average_ever\",\"criteria\":[{\"event\":\"b\",\"avg\":{\"property\":\"n\",\"<\":1}}]},"
    "{\"segmentId\":\"least\",\"criteria\":[{\"event\":\"a\",\"window\":\"3d\",\"min\":{\"property\":\"n\",\"<=\":1}}]"
    "},"
    "{\"segmentId\":\"most_ever\",\"criteria\":[{\"event\":\"*\",\"max\":{\"property\":\"n\",\">\":3}}]},"
    "{\"segmentId\":\"kinds\",\"criteria\":[{\"event\":\"*\",\"window\":\"8d\",\"distinct\":{\"property\":\"k\","
    " \">=\":2}}]},"
    "{\"segmentId\":\"kinds_ever\",\"criteria\":[{\"event\":\"b\",\"distinct\":{\"property\":\"k\",\"=\":2}}]},"
    "{\"segmentId\":\"days\",\"criteria\":[{\"event\":\"*\",\"distinct\":{\"period\":\"day\",\">=\":2}}]},"
    "{\"segmentId\":\"first\",\"criteria\":[{\"event\":\"a\",\"first\":{\">\":\"3d\"}}]},"
    "{\"segmentId\":\"last\",\"criteria\":[{\"event\":\"b\",\"window\":\"9d\",\"last\":{\">=\":\"4h\"}}]},"
    "{\"segmentId\":\"latest\",\"criteria\":[{\"event\":\"*\",\"latest\":{\"property\":\"k\",\"contains\":1}}]},"
    "{\"segmentId\":\"earliest\",\"criteria\":[{\"event\":\"a\",\"earliest\":{\"property\":\"k\",\"!=\":\"x\"}}]},"
    "{\"segmentId\":\"compare\",\"criteria\":[{\"compare\":{\"left\":{\"event\":\"a\",\"window\":\"9d\",\"sum\":"
    " {\"property\":\"n\"}},\"op\":\">\",\"right\":{\"event\":\"b\",\"count\":{}},\"times\":0.5}}]},"
    "{\"segmentId\":\"absent\",\"criteria\":[{\"event\":\"a\",\"window\":\"2d\",\"condition\":\"no_b_after\"}]},"
    "{\"segmentId\":\"absent_same\",\"criteria\":[{\"event\":\"a\",\"notFollowedBy\":{\"event\":\"b\"},\"within\":"
    " \"2h\",\"same\":[\"k\"]}],\"membershipDuration\":\"3h\"},"
    "{\"segmentId\":\"sequence\",\"criteria\":[{\"sequence\":[{\"event\":\"a\"},{\"event\":\"b\"},{\"event\":\"c\"}],"
    " \"within\":\"9d\",\"same\":[\"k\"]}]},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"t\",\"in\":[1,\"x\"]}],\"exclude\":[{\"event\":\"c\"}]},"
    "{\"segmentId\":\"age\",\"criteria\":[{\"trait\":\"since\",\"age\":{\">=\":\"18y\"}}]},"
    "{\"segmentId\":\"mixed\",\"criteria\":[{\"any\":[{\"segment\":\"absent\"},{\"not\":{\"segment\":\"count\"}}]}]}]";

struct work {
    struct fuzz_world world;
    struct user_state *state;
    struct buffer input;
    struct buffer written;
    struct buffer again;
    bool ready;
};

/* Made once: what it costs would be most of a run. */
static struct work *work_of(void)
{
    static struct work work;
    struct error err = ERROR_INIT;

    if (!work.ready) {
        fuzz_check(fuzz_world_init(&work.world, slice_from(definitions), &err), "definitions: %s", err.message);
        fuzz_check(user_state_new(work.world.ruleset, &work.state, &err), "%s", err.message);
        buffer_init(&work.input, SIZE_MAX_BYTES);
        buffer_init(&work.written, SIZE_MAX_BYTES);
        buffer_init(&work.again, SIZE_MAX_BYTES);
        work.ready = true;
    }
    return &work;
}

static void frame(struct work *work, struct slice body)
{
    const uint64_t fingerprint = ruleset_fingerprint(work->world.ruleset);
    uint32_t checksum;

    buffer_append_text(&work->input, "MUS");
    buffer_append_char(&work->input, USER_STATE_VERSION);
    buffer_append(&work->input, &fingerprint, sizeof fingerprint);
    buffer_append_slice(&work->input, body);
    checksum = user_state_checksum(buffer_slice(&work->input));
    buffer_append(&work->input, &checksum, sizeof checksum);
}

static void write_into(struct work *work, struct buffer *out)
{
    struct error err = ERROR_INIT;

    buffer_reset(out);
    user_state_write(work->world.ruleset, work->state, out);
    fuzz_check(buffer_finish(out, "a state", &err), "%s", err.message);
}

/* Written, read, and written alike. Counts and sums that the input has put at the reader's bounds are beyond them once
 * panes were taken together (`pruned`): then nothing is left to compare. */
static bool pass_through(struct work *work, bool pruned)
{
    struct error err = ERROR_INIT;

    write_into(work, &work->written);
    if (!user_state_read(work->world.ruleset, buffer_slice(&work->written), work->state, &err)) {
        fuzz_check(pruned && err.code == ERROR_INPUT, "what was written is refused: %s", err.message);
        return false;
    }
    write_into(work, &work->again);
    fuzz_check(slice_equal(buffer_slice(&work->written), buffer_slice(&work->again)), "written in another way");
    return true;
}

static void ask(struct work *work)
{
    int64_t final_ms = user_state_final(work->state);
    int64_t newest = user_state_newest(work->state);
    int64_t first = newest > final_ms ? newest : final_ms;
    struct membership memberships[SEGMENTS_MAX];
    struct error err = ERROR_INIT;

    for (int64_t at = first; first != TIMESTAMP_ALWAYS && at <= first + 400 * HOUR; at += 99 * HOUR) {
        fuzz_check(user_state_memberships(work->world.ruleset, work->state, at, work->world.evaluation, memberships,
                                          &err),
                   "%s", err.message);
    }
    for (size_t i = 0; i < ruleset_segment_count(work->world.ruleset); i++) {
        const struct interval *intervals;
        size_t count;

        fuzz_check(user_state_intervals(work->world.ruleset, work->state, i, final_ms, work->world.evaluation,
                                        &intervals, &count, &err),
                   "%s", err.message);
    }
}

static void add_event(struct work *work, int64_t time_ms)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    enum fold_result result = FOLD_NONE;
    struct error err = ERROR_INIT;
    struct event event;
    struct buffer text;

    buffer_init(&text, 1 << 12);
    buffer_append_format(
        &text,
        "{\"type\":\"track\",\"userId\":\"u\",\"messageId\":\"new\",\"timestamp\":%lld,\"event\":\"a\","
        "\"properties\":{\"n\":2,\"m\":3,\"k\":\"x\"}}",
        (long long)time_ms);
    arena_reset(&work->world.arena);
    fuzz_check(event_decode(buffer_slice(&text), &work->world.document, &work->world.arena, &event, &reason, &err) &&
                   reason == QUARANTINE_NONE,
               "%s", err.message);
    fuzz_check(user_state_fold(work->world.ruleset, work->state, &event, work->world.evaluation, &result, NULL, &err),
               "%s", err.message);
    buffer_clear(&text);
}

void fuzz_state(struct slice input)
{
    struct work *work = work_of();
    struct error err = ERROR_INIT;
    int64_t newest;

    if (input.size == 0) {
        return;
    }
    buffer_reset(&work->input);
    if (input.data[0] == 0) {
        buffer_append(&work->input, input.data + 1, input.size - 1);
    } else {
        frame(work, slice_of(input.data + 1, input.size - 1));
    }
    if (!user_state_read(work->world.ruleset, buffer_slice(&work->input), work->state, &err)) {
        fuzz_check(err.code == ERROR_INPUT, "%s", err.message);
        fuzz_check(user_state_event_count(work->state) == 0 && user_state_newest(work->state) == TIMESTAMP_ALWAYS,
                   "something is left of a refused state");
        return;
    }
    (void)pass_through(work, false);
    ask(work);
    newest = user_state_newest(work->state);
    if (newest == TIMESTAMP_ALWAYS || newest > TIMESTAMP_MAX - HOUR) {
        return;
    }
    add_event(work, newest + 1);
    ask(work);
    (void)pass_through(work, false);
    fuzz_check(user_state_prune(work->world.ruleset, work->state, newest - HOUR, work->world.evaluation, &err), "%s",
               err.message);
    if (pass_through(work, true)) {
        ask(work);
    }
}
