#include "tests/unit/lane_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

const char lane_fixture_definitions[] =
    "[{\"segmentId\":\"recent\",\"criteria\":[{\"event\":\"a\",\"window\":\"30m\"}]},"
    "{\"segmentId\":\"often\",\"criteria\":[{\"event\":\"a\",\"window\":\"1h\",\"count\":{\">=\":3}}]},"
    "{\"segmentId\":\"abandoned\",\"criteria\":[{\"event\":\"a\",\"window\":\"20m\",\"condition\":\"no_b_after\"}],"
    "\"membershipDuration\":\"2h\"},"
    "{\"segmentId\":\"sum\",\"criteria\":[{\"event\":[\"a\",\"b\"],\"window\":\"2h\",\"sum\":{\"property\":\"v\",\">\":"
    "10}}],"
    "\"exclude\":[{\"event\":\"c\",\"window\":\"10m\"}]},"
    "{\"segmentId\":\"silent\",\"criteria\":[{\"not\":{\"event\":\"*\",\"window\":\"40m\"}}]},"
    "{\"segmentId\":\"not_recent\",\"criteria\":[{\"not\":{\"segment\":\"recent\"}}],\"exclusionWindow\":\"15m\"},"
    "{\"segmentId\":\"trait\",\"criteria\":[{\"trait\":\"tier\",\"=\":\"gold\"}]}]";

static uint64_t random_state;

void lane_fixture_seed(uint64_t seed)
{
    random_state = seed;
}

unsigned lane_fixture_random(unsigned count)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % count;
}

void lane_fixture_messages(struct lane_fixture *fixture, size_t count, unsigned disorder)
{
    static const char *const names[] = {"a", "a", "b", "c", "d"};
    int64_t now_ms = 1000 * LANE_MINUTE;

    for (size_t i = 0; i < count; i++) {
        struct lane_message *message = &fixture->messages[i];
        unsigned user = lane_fixture_random(LANE_USERS);

        now_ms += (int64_t)lane_fixture_random(9) * LANE_MINUTE;
        message->time_ms =
            now_ms -
            (disorder > 0 && lane_fixture_random(4) == 0 ? (int64_t)lane_fixture_random(disorder) * LANE_MINUTE : 0);
        if (lane_fixture_random(8) == 0) {
            snprintf(message->text, LANE_TEXT_SIZE,
                     "{\"type\":\"identify\",\"messageId\":\"m%zu\",\"userId\":\"u%u\",\"timestamp\":%lld,\"traits\":{"
                     "\"tier\":\"%s\"}}",
                     i, user, (long long)message->time_ms, lane_fixture_random(2) == 0 ? "gold" : "tin");
        } else {
            snprintf(
                message->text, LANE_TEXT_SIZE,
                "{\"type\":\"track\",\"messageId\":\"m%zu\",\"userId\":\"u%u\",\"timestamp\":%lld,\"event\":\"%s\","
                "\"properties\":{\"v\":%u}}",
                i, user, (long long)message->time_ms, names[lane_fixture_random(5)], lane_fixture_random(9));
        }
    }
}

void lane_fixture_open(struct lane_fixture *fixture)
{
    lane_fixture_open_with(fixture, lane_fixture_definitions);
}

void lane_fixture_open_with(struct lane_fixture *fixture, const char *definitions)
{
    struct ruleset_options options = {.dedup_ms = 24 * 60 * LANE_MINUTE};
    struct error err = ERROR_INIT;

    segment_set_init(&fixture->set);
    json_document_init(&fixture->document);
    arena_init(&fixture->arena, 1 << 20);
    ck_assert_msg(segment_set_add(&fixture->set, slice_from("test.json"), slice_from(definitions), 0, &err), "%s",
                  err.message);
    ck_assert_msg(segment_set_check(&fixture->set, &err), "%s", err.message);
    ck_assert_msg(ruleset_new(&fixture->set, &options, &fixture->ruleset, &err), "%s", err.message);
    for (size_t i = 0; i < fixture->set.definition_count; i++) {
        fixture->segments[i] = (struct lane_segment){.purpose = LANE_NO_PURPOSE, .complete_from_ms = TIMESTAMP_ALWAYS};
    }
}

void lane_fixture_close(struct lane_fixture *fixture)
{
    ruleset_free(fixture->ruleset);
    segment_set_clear(&fixture->set);
    json_document_clear(&fixture->document);
    arena_clear(&fixture->arena);
}

struct lane *lane_fixture_lane_of(struct lane_fixture *fixture, struct lane_options options)
{
    struct error err = ERROR_INIT;
    struct lane *lane = NULL;

    options.ruleset = fixture->ruleset;
    options.segments = fixture->segments;
    ck_assert_msg(lane_new(&options, &lane, &err), "%s", err.message);
    return lane;
}

struct lane *lane_fixture_lane(struct lane_fixture *fixture, int64_t lateness_ms)
{
    return lane_fixture_lane_of(fixture, (struct lane_options){.lateness_ms = lateness_ms});
}

bool lane_fixture_note(void *context, const struct lane_record *record, struct error *err)
{
    struct lane_journal *journal = context;
    struct lane_note *note = &journal->notes[journal->count];
    struct slice id = lane_user_id(record->user);

    (void)err;
    ck_assert_uint_lt(journal->count, LANE_RECORDS_MAX);
    journal->count++;
    memset(note, 0, sizeof *note);
    memcpy(note->user, id.data, id.size);
    note->record = *record;
    note->record.user = NULL;
    return true;
}

struct event lane_fixture_decode(struct lane_fixture *fixture, size_t index)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    arena_reset(&fixture->arena);
    ck_assert(event_decode(slice_from(fixture->messages[index].text), &fixture->document, &fixture->arena, &event,
                           &reason, &why));
    ck_assert_msg(reason == QUARANTINE_NONE, "%s", why.message);
    return event;
}

void lane_fixture_feed(struct lane_fixture *fixture, struct lane *lane, struct watermark *watermark, size_t begin,
                       size_t end, size_t step, struct lane_journal *journal)
{
    struct lane_sink sink = {.emit = lane_fixture_note, .context = journal};
    struct error err = ERROR_INIT;

    for (size_t i = begin; i < end; i++) {
        struct event event = lane_fixture_decode(fixture, i);
        struct lane_user *user = NULL;

        ck_assert(lane_add(lane, event.user, &user, &err));
        ck_assert_msg(lane_event(lane, user, &event, 0, (int64_t)i, watermark->value_ms, &sink, &err), "%s",
                      err.message);
        watermark_event(watermark, 0, event.time_ms);
        if ((i + 1) % step == 0) {
            ck_assert(lane_advance(lane, watermark->value_ms, &sink, &err));
        }
    }
}

struct watermark lane_fixture_watermark(void)
{
    struct watermark watermark;

    watermark_init(&watermark, 1, LANE_BOUND, TIMESTAMP_ALWAYS);
    return watermark;
}

static int compare_notes(const void *a, const void *b)
{
    const struct lane_note *left = a;
    const struct lane_note *right = b;
    int order = strcmp(left->user, right->user);

    if (order == 0) {
        order = (left->record.segment > right->record.segment) - (left->record.segment < right->record.segment);
    }
    return order;
}

/* Sorted by user and segment, keeping the order of each. */
static void sort_journal(struct lane_journal *journal)
{
    for (size_t i = 1; i < journal->count; i++) {
        struct lane_note note = journal->notes[i];
        size_t at = i;
        for (; at > 0 && compare_notes(&journal->notes[at - 1], &note) > 0; at--) {
            journal->notes[at] = journal->notes[at - 1];
        }
        journal->notes[at] = note;
    }
}

static bool same_record(const struct lane_record *a, const struct lane_record *b)
{
    bool same = a->segment == b->segment && a->member == b->member && a->entered_at == b->entered_at &&
                a->effective_at == b->effective_at && a->valid_until == b->valid_until && a->certain == b->certain &&
                a->uncertain_until == b->uncertain_until && a->grant_no == b->grant_no;

    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        same = same && a->positions[i] == b->positions[i];
    }
    return same;
}

/* Instants in minutes. */
static void describe(const struct lane_journal *journal, size_t index, char *text, size_t size)
{
    const struct lane_note *note = &journal->notes[index];
    const struct lane_record *record = &note->record;

    if (index >= journal->count) {
        (void)snprintf(text, size, "none");
        return;
    }
    (void)snprintf(text, size,
                   "%s segment %zu %s entered %lld effective %lld until %lld at %lld%s uncertain %lld grant %lld",
                   note->user, record->segment, record->member ? "member" : "exit",
                   (long long)record->entered_at / LANE_MINUTE, (long long)record->effective_at / LANE_MINUTE,
                   (long long)record->valid_until / LANE_MINUTE, (long long)record->positions[0],
                   record->certain ? "" : " not certain", (long long)record->uncertain_until / LANE_MINUTE,
                   (long long)record->grant_no);
}

void lane_fixture_assert_same(struct lane_journal *expected, struct lane_journal *actual, const char *what,
                              uint64_t seed, size_t at)
{
    enum { SHOWN_SIZE = 256 };
    char wanted[SHOWN_SIZE];
    char found[SHOWN_SIZE];
    size_t i = 0;

    sort_journal(expected);
    sort_journal(actual);
    while (i < expected->count && i < actual->count && strcmp(expected->notes[i].user, actual->notes[i].user) == 0 &&
           same_record(&expected->notes[i].record, &actual->notes[i].record)) {
        i++;
    }
    describe(expected, i, wanted, sizeof wanted);
    describe(actual, i, found, sizeof found);
    ck_assert_msg(i == expected->count && i == actual->count,
                  "%s, seed %llu, at %zu: record %zu of %zu, expected %zu\nexpected %s\nfound    %s", what,
                  (unsigned long long)seed, at, i, actual->count, expected->count, wanted, found);
}
