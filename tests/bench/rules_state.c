/* What a user's state takes: feeds a file's events through a lane, in the order of the file, and prints, per user, the
 * bytes of the states written out (header and checksum included) and those of the lane in memory: states at rest, what
 * is announced, ids, tables, timers.
 *
 * usage: rules_state SEGMENTS EVENTS */
#include "common/base/memory.h"
#include "common/domain/lane.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_state_pack.h"
#include "common/io/definition_files.h"
#include "common/io/zone_files.h"
#include "tests/bench/events_file.h"

#include <stdio.h>

enum { STATE_SIZE_MAX = 1 << 26 };

struct bench {
    struct segment_set set;
    struct zone_files zones;
    struct ruleset *ruleset;
    struct lane_segment *segments;
    struct lane *lane;
    struct buffer state;
    int64_t watermark;
    uint64_t record_count;
    uint64_t user_count;
    uint64_t event_count;
    uint64_t written_size;
};

static bool count_record(void *context, const struct lane_record *record, struct error *err)
{
    struct bench *bench = context;

    (void)record;
    (void)err;
    bench->record_count++;
    return true;
}

static bool open_lane(struct bench *bench, struct error *err)
{
    struct lane_options options = {.ruleset = bench->ruleset};

    bench->segments = memory_allocate_zeroed(ruleset_segment_count(bench->ruleset), sizeof *bench->segments);
    if (bench->segments == NULL) {
        return error_no_memory(err, "segments");
    }
    for (size_t i = 0; i < ruleset_segment_count(bench->ruleset); i++) {
        bench->segments[i] = (struct lane_segment){.silent = !ruleset_definition(bench->ruleset, i)->streams,
                                                   .purpose = LANE_NO_PURPOSE,
                                                   .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    options.segments = bench->segments;
    return lane_new(&options, &bench->lane, err);
}

static bool take(void *context, const struct event *event, struct error *err)
{
    struct bench *bench = context;
    const struct lane_sink sink = {.emit = count_record, .context = bench};
    struct lane_user *user = NULL;

    if (event->kind == EVENT_CONSENT || event->kind == EVENT_DELETE) {
        return true;
    }
    if (!lane_add(bench->lane, event->user, &user, err) ||
        !lane_event(bench->lane, user, event, 0, (int64_t)bench->event_count++, bench->watermark, &sink, err)) {
        return false;
    }
    bench->watermark = event->time_ms > bench->watermark ? event->time_ms : bench->watermark;
    return lane_advance(bench->lane, bench->watermark, &sink, err);
}

static bool write_state(void *context, struct lane_user *user, struct error *err)
{
    struct bench *bench = context;
    struct user_state *state = NULL;

    if (!lane_user_state(bench->lane, user, &state, err)) {
        return false;
    }
    buffer_reset(&bench->state);
    user_state_write(bench->ruleset, state, &bench->state);
    bench->written_size += bench->state.size;
    bench->user_count++;
    return buffer_finish(&bench->state, "a state", err);
}

static bool print_sizes(struct bench *bench, struct error *err)
{
    double users;

    if (!lane_each(bench->lane, write_state, bench, err)) {
        return false;
    }
    users = bench->user_count == 0 ? 1 : (double)bench->user_count;
    printf("%.1f events per user: %.0f bytes written out, %.0f in a lane\n", (double)bench->event_count / users,
           (double)bench->written_size / users, (double)lane_counts(bench->lane).size / users);
    return true;
}

int main(int argc, char **argv)
{
    struct ruleset_options options = {.zones = zone_files_find};
    struct bench bench = {.watermark = TIMESTAMP_ALWAYS};
    struct error err = {0};
    bool done;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: rules_state SEGMENTS EVENTS\n");
        return 2;
    }
    options.zones_context = &bench.zones;
    segment_set_init(&bench.set);
    zone_files_init(&bench.zones);
    buffer_init(&bench.state, STATE_SIZE_MAX);
    done = definition_files_read(argv[1], &bench.set, NULL, &err) && segment_set_check(&bench.set, &err) &&
           ruleset_new(&bench.set, &options, &bench.ruleset, &err) && open_lane(&bench, &err) &&
           events_file_read(argv[2], take, &bench, &err) && print_sizes(&bench, &err);
    if (!done) {
        (void)fprintf(stderr, "rules_state: %s\n", err.message);
    }
    lane_free(bench.lane);
    memory_free(bench.segments);
    buffer_clear(&bench.state);
    ruleset_free(bench.ruleset);
    zone_files_clear(&bench.zones);
    segment_set_clear(&bench.set);
    return done ? 0 : 1;
}
