/* What the tests of the lane share: a ruleset, random messages of a few users, and a journal of the records. */
#ifndef MUSTER_TESTS_LANE_FIXTURE_H
#define MUSTER_TESTS_LANE_FIXTURE_H

#include "common/domain/lane.h"
#include "common/domain/rule_parse.h"
#include "common/domain/watermark.h"

enum {
    LANE_EVENTS = 120,
    LANE_EVENTS_MAX = 150,
    LANE_USERS = 3,
    LANE_RECORDS_MAX = 6000,
    LANE_TEXT_SIZE = 256,
    LANE_MINUTE = 60000,
    LANE_BOUND = 5 * LANE_MINUTE
};

struct lane_message {
    char text[LANE_TEXT_SIZE];
    int64_t time_ms;
};

struct lane_note {
    char user[8];
    struct lane_record record;
};

struct lane_journal {
    struct lane_note notes[LANE_RECORDS_MAX];
    size_t count;
};

struct lane_fixture {
    struct segment_set set;
    struct ruleset *ruleset;
    struct lane_segment segments[16];
    struct json_document document;
    struct arena arena;
    struct lane_message messages[LANE_EVENTS_MAX];
};

/* The generator of random numbers, which starts anew from the seed. */
void lane_fixture_seed(uint64_t seed);
unsigned lane_fixture_random(unsigned count);

/* The definitions of `lane_fixture_definitions`, or others; all segments write records, complete from the beginning. */
extern const char lane_fixture_definitions[];
void lane_fixture_open(struct lane_fixture *fixture);
void lane_fixture_open_with(struct lane_fixture *fixture, const char *definitions);
void lane_fixture_close(struct lane_fixture *fixture);

/* A quarter of the messages come up to so many minutes late; 0: none. */
void lane_fixture_messages(struct lane_fixture *fixture, size_t count, unsigned disorder);
/* Borrowed until the next call. */
struct event lane_fixture_decode(struct lane_fixture *fixture, size_t index);

/* The caller frees it; ruleset and segments are the fixture's. */
struct lane *lane_fixture_lane_of(struct lane_fixture *fixture, struct lane_options options);
struct lane *lane_fixture_lane(struct lane_fixture *fixture, int64_t lateness_ms);
/* LANE_BOUND behind the newest event. */
struct watermark lane_fixture_watermark(void);
/* Feeds messages [begin, end) from topic 0, at their numbers; a step ends after every `step` of them. */
void lane_fixture_feed(struct lane_fixture *fixture, struct lane *lane, struct watermark *watermark, size_t begin,
                       size_t end, size_t step, struct lane_journal *journal);

/* A lane_emit whose context is a journal. */
bool lane_fixture_note(void *context, const struct lane_record *record, struct error *err);
/* Both are sorted by user and segment, each of which keeps its order. Users are not looked at. */
void lane_fixture_assert_same(struct lane_journal *expected, struct lane_journal *actual, const char *what,
                              uint64_t seed, size_t at);

#endif
