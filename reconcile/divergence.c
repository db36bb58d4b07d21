/* Measuring how far the pipelines disagree about each hybrid segment: raw (the run at its as_of against the stream now)
 * and aligned (both at as_of, from the stream's own records), which is the honest one and is not available until every
 * lane covers the run. Each user about whom they differ gets a cause. */
#include "common/domain/divergence.h"

#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/domain/rule_parse.h"
#include "sql_text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    RECORDS_MAX = 64 << 20,
    REASON_SIZE = 160,
    CAUSES_SIZE_MAX = 16384,
    LIST_SIZE_MAX = 1 << 20,
    EXAMINED_MAX = 20000,
    THRESHOLD_MICROS = 50000, /* defaults of the language */
    PASSES = 3,
    PASSES_MAX = 1000,
};

struct measuring {
    struct reconciler *reconciler;
    const struct pass_world *world;
    const struct pass_segment *segment;
    const struct pass_run *run;
    struct pass_items items;
    struct pass_records records;
    struct divergence_tally raw;
    struct divergence_tally aligned;
    bool comparable; /* aligned */
    bool complete;   /* in every lane */
    char reason[REASON_SIZE];
};

/* Whether the sides can be compared at as_of, and why not. */
static void comparable_check(struct measuring *measuring)
{
    measuring->comparable = true;
    measuring->complete = measuring->segment->build_no != 0;
    measuring->reason[0] = '\0';
    if (!measuring->complete) {
        measuring->comparable = false;
        (void)snprintf(measuring->reason, sizeof measuring->reason, "no build of the stream is in force");
        return;
    }
    for (size_t index = 0; index < measuring->world->lane_count; index++) {
        struct pass_marker marker = align_marker(measuring->world, measuring->segment, index);

        if (!marker.complete) {
            (void)snprintf(measuring->reason, sizeof measuring->reason, "the stream is not complete in lane %zu",
                           index);
            measuring->complete = false;
            measuring->comparable = false;
            return;
        }
        if (measuring->segment->version->complete_from[index] > measuring->run->as_of && measuring->comparable) {
            (void)snprintf(measuring->reason, sizeof measuring->reason,
                           "the stream was not complete yet in lane %zu at the instant of run %" PRId64, index,
                           measuring->run->run_no);
            measuring->comparable = false;
        }
        if (!marker.covered && measuring->comparable) {
            struct merge_run run = align_run(measuring->world, measuring->segment->version, index);

            (void)snprintf(measuring->reason, sizeof measuring->reason,
                           run.loads_folded ? "lane %zu has not passed all that run %" PRId64 " read"
                                            : "lane %zu has not read the files that run %" PRId64 " read",
                           index, measuring->run->run_no);
            measuring->comparable = false;
        }
    }
}

static bool batch_member(const struct measuring *measuring, const struct pass_item *item)
{
    bool subject = measuring->segment->version->purpose_no != 0;

    return item->batch.verdict == BATCH_MEMBER && item->allowed && (!subject || item->b_grant_no == item->grant_no);
}

/* The stream's records of the user under the present grant: whether they say member at the run's as_of. */
static bool member_at_as_of(const struct measuring *measuring, const struct pass_item *item)
{
    bool subject = measuring->segment->version->purpose_no != 0;
    bool member = false;

    for (uint32_t index = item->record_first; index != PASS_NO_RECORD; index = measuring->records.records[index].next) {
        const struct pass_record *record = &measuring->records.records[index];

        if (!subject || record->grant_no == item->grant_no) {
            member = divergence_member_at(member, &record->stream, measuring->run->as_of);
        }
    }
    return member && item->allowed;
}

/* One user about whom a comparison found a difference. */
struct difference {
    size_t item_index;
    bool aligned;
    bool unseen;
};

struct differences {
    struct difference *all;
    size_t count;
    size_t capacity;
};

static bool difference_add(struct differences *differences, size_t item_index, bool aligned, struct error *err)
{
    if (!memory_grow(&differences->all, &differences->capacity, differences->count, SIZE_MAX / 64,
                     sizeof *differences->all, "differences", err)) {
        return false;
    }
    differences->all[differences->count++] = (struct difference){.item_index = item_index, .aligned = aligned};
    return true;
}

/* Counts the users of the lane on both sides and gathers those about whom they differ. */
static bool compare_lane(struct measuring *measuring, size_t lane_index, struct differences *differences,
                         struct error *err)
{
    int64_t watermark = measuring->world->lanes[lane_index].watermark;
    int32_t build_no = measuring->segment->build_no;
    bool subject = measuring->segment->version->purpose_no != 0;

    for (size_t index = 0; index < measuring->items.count; index++) {
        const struct pass_item *item = &measuring->items.items[index];
        bool by_batch = batch_member(measuring, item);
        bool by_stream = build_no != 0 && item->s_build_no == build_no && item->stream.member && item->allowed &&
                         (!subject || item->s_grant_no == item->grant_no) && item->stream.valid_until > watermark;

        if (divergence_count(&measuring->raw, by_batch, by_stream) && !difference_add(differences, index, false, err)) {
            return false;
        }
        if (measuring->comparable &&
            divergence_count(&measuring->aligned, by_batch, member_at_as_of(measuring, item)) &&
            !difference_add(differences, index, true, err)) {
            return false;
        }
    }
    return true;
}

/* Marks the differing users of whom the archive now holds events that the run did not read. Examines the first ones
 * only: the causes of so many differences are the same. */
static bool find_unseen(struct measuring *measuring, int32_t lane, struct differences *differences, struct error *err)
{
    size_t count = differences->count < EXAMINED_MAX ? differences->count : EXAMINED_MAX;
    struct pg_value values[4];
    struct pass_items unseen;
    struct buffer list;
    PGresult *result = NULL;
    bool ok;

    if (count == 0 || !measuring->run->has_coverage) {
        return true;
    }
    pass_items_init(&unseen);
    buffer_init(&list, LIST_SIZE_MAX);
    for (size_t index = 0; index < count; index++) {
        buffer_append_char(&list, index == 0 ? '{' : ',');
        buffer_append_integer(&list, measuring->items.items[differences->all[index].item_index].user_no);
    }
    buffer_append_char(&list, '}');
    pg_set_integer(&values[0], measuring->run->run_no);
    pg_set_integer(&values[1], lane);
    values[2] = pg_text(buffer_slice(&list));
    pg_set_integer(&values[3], measuring->run->as_of);
    ok = buffer_finish(&list, "a list of users", err) &&
         pg_query(measuring->reconciler->read, sql_divergence_unseen, values, 4, &result, err);
    for (int row = 0; ok && row < PQntuples(result); row++) {
        struct pass_item *item;

        ok = pass_items_add(&unseen, pg_integer_at(result, row, 0, 0), &item, err);
    }
    for (size_t index = 0; ok && index < count; index++) {
        struct difference *difference = &differences->all[index];

        difference->unseen = pass_items_find(&unseen, measuring->items.items[difference->item_index].user_no) != NULL;
    }
    PQclear(result);
    buffer_clear(&list);
    pass_items_clear(&unseen);
    return ok;
}

static void explain_lane(struct measuring *measuring, size_t lane_index, const struct differences *differences)
{
    const struct pass_version *version = measuring->segment->version;
    struct pass_marker marker = align_marker(measuring->world, measuring->segment, lane_index);
    struct merge_run run = align_run(measuring->world, version, lane_index);
    int64_t watermark = measuring->world->lanes[lane_index].watermark;

    for (size_t index = 0; index < differences->count; index++) {
        const struct difference *difference = &differences->all[index];
        const struct pass_item *item = &measuring->items.items[difference->item_index];
        struct divergence_facts facts = {
            .granted_since = version->purpose_no != 0 && item->grant_control_no > measuring->run->control_no,
            .other_version = item->stored && item->version != version->version,
            .uncertain = item->stream.present && item->stream.uncertain_until > watermark,
            .unseen_by_batch = difference->unseen,
            .stream_behind = !difference->aligned && !marker.covered,
            .expired_since =
                !difference->aligned && batch_member(measuring, item) && item->batch.valid_until <= watermark,
            .newer_record = !difference->aligned && merge_update_since(&item->stream, &run, PASS_TOPICS),
        };

        divergence_explain(difference->aligned ? &measuring->aligned : &measuring->raw, item->user_no,
                           divergence_cause_of(&facts));
    }
}

static bool measure_lane(struct measuring *measuring, size_t lane_index, struct error *err)
{
    const struct pass_lane *lane = &measuring->world->lanes[lane_index];
    struct differences differences = {.all = NULL};
    bool ok = true;

    pass_items_reset(&measuring->items);
    if (measuring->comparable) {
        ok = journal_read(measuring->reconciler->read, lane->lane, -1, lane->step, measuring->segment->segment_no,
                          measuring->segment->build_no, RECORDS_MAX, &measuring->records, err) &&
             journal_chain(&measuring->records, measuring->segment->segment_no, measuring->segment->build_no,
                           &measuring->items, err);
    }
    ok = ok &&
         evidence_load(measuring->reconciler, measuring->world, measuring->segment, lane_index, true, &measuring->items,
                       err) &&
         compare_lane(measuring, lane_index, &differences, err) &&
         find_unseen(measuring, lane->lane, &differences, err);
    if (ok) {
        explain_lane(measuring, lane_index, &differences);
    }
    memory_free(differences.all);
    return ok;
}

static bool store_measurement(struct measuring *measuring, bool aligned, struct error *err)
{
    const struct divergence_tally *tally = aligned ? &measuring->aligned : &measuring->raw;
    const char *reason = measuring->complete && !aligned ? "" : measuring->reason;
    int64_t now = measuring->run->as_of;
    struct pg_value values[12];
    struct buffer causes;
    bool ok;

    for (size_t index = 0; !aligned && index < measuring->world->lane_count; index++) {
        int64_t watermark = measuring->world->lanes[index].watermark;

        now = index == 0 || watermark < now ? watermark : now;
    }
    buffer_init(&causes, CAUSES_SIZE_MAX);
    divergence_causes_append(&causes, tally);
    pg_set_integer(&values[0], measuring->segment->segment_no);
    pg_set_integer(&values[1], measuring->run->run_no);
    values[2] = pg_text(slice_from(aligned ? "aligned" : "raw"));
    pg_set_boolean(&values[3], aligned ? measuring->comparable : measuring->complete);
    values[4] = pg_text(slice_from(reason));
    pg_set_integer(&values[5], now);
    pg_set_integer(&values[6], tally->batch_members);
    pg_set_integer(&values[7], tally->stream_members);
    pg_set_integer(&values[8], tally->only_batch);
    pg_set_integer(&values[9], tally->only_stream);
    pg_set_integer(&values[10], divergence_jaccard_micros(tally));
    values[11] = pg_text(buffer_slice(&causes));
    ok = buffer_finish(&causes, "causes", err) &&
         pg_query(measuring->reconciler->write, sql_divergence_store, values, 12, NULL, err);
    buffer_clear(&causes);
    return ok;
}

/* ---- the alert --------------------------------------------------------------------------------------------------- */

/* Threshold and number of measurements of the definition; the language's defaults where it cannot be read any more. */
static void limits_read(const struct pass_version *version, int64_t *out_threshold, size_t *out_passes)
{
    struct segment_set set;
    struct error err = ERROR_INIT;

    *out_threshold = THRESHOLD_MICROS;
    *out_passes = PASSES;
    segment_set_init(&set);
    if (segment_set_add(&set, version->segment_id, version->document, version->version, &err) &&
        set.definition_count > 0) {
        *out_threshold = set.definitions[0].divergence_threshold_micros;
        *out_passes = (size_t)set.definitions[0].divergence_passes;
    } else {
        log_warning("cannot read the limits of divergence: %s", err.message);
    }
    segment_set_clear(&set);
}

/* The newest shares of one kind: the gap of the counts for raw, the users on one side only for aligned. */
static bool shares_read(struct measuring *measuring, bool aligned, size_t passes, int64_t *shares, size_t *out_count,
                        struct error *err)
{
    struct pg_value values[3];
    PGresult *result = NULL;

    pg_set_integer(&values[0], measuring->segment->segment_no);
    values[1] = pg_text(slice_from(aligned ? "aligned" : "raw"));
    pg_set_integer(&values[2], (int64_t)passes);
    if (!pg_query(measuring->reconciler->write, sql_divergence_recent, values, 3, &result, err)) {
        return false;
    }
    *out_count = 0;
    for (int row = 0; row < PQntuples(result) && *out_count < passes; row++) {
        int64_t batch_members = pg_integer_at(result, row, 0, 0);

        shares[(*out_count)++] = aligned ? divergence_difference_micros(batch_members, pg_integer_at(result, row, 2, 0),
                                                                        pg_integer_at(result, row, 3, 0))
                                         : divergence_gap_micros(batch_members, pg_integer_at(result, row, 1, 0));
    }
    PQclear(result);
    return true;
}

static bool alert_is_raised(struct measuring *measuring, const char *subject, bool *out, struct error *err)
{
    struct pg_value values[1] = {pg_text(slice_from(subject))};
    PGresult *result = NULL;

    if (!pg_query(measuring->reconciler->write,
                  "SELECT 1 FROM alerts WHERE kind = 'divergence' AND subject = $1 AND state = 'raised'", values, 1,
                  &result, err)) {
        return false;
    }
    *out = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

static bool alert_check(struct measuring *measuring, struct error *err)
{
    const struct pass_version *version = measuring->segment->version;
    int64_t shares[2][PASSES_MAX];
    size_t counts[2] = {0, 0};
    enum divergence_move moves[2];
    int64_t threshold = 0;
    size_t passes = 0;
    char subject[300];
    char message[400];
    bool raised = false;

    (void)snprintf(subject, sizeof subject, "%.*s", (int)version->segment_id.size, version->segment_id.data);
    limits_read(version, &threshold, &passes);
    if (!alert_is_raised(measuring, subject, &raised, err)) {
        return false;
    }
    passes = passes > PASSES_MAX ? PASSES_MAX : passes;
    for (int aligned = 0; aligned < 2; aligned++) {
        if (!shares_read(measuring, aligned == 1, passes, shares[aligned], &counts[aligned], err)) {
            return false;
        }
        moves[aligned] = divergence_alert(raised, shares[aligned], counts[aligned], passes, threshold);
    }
    if (moves[0] == MOVE_RAISE || moves[1] == MOVE_RAISE) {
        int which = moves[1] == MOVE_RAISE ? 1 : 0;

        (void)snprintf(message, sizeof message,
                       "%s differs by %" PRId64 ".%02" PRId64 "%% of its members (limit %" PRId64 ".%02" PRId64
                       "%%), %zu times in a row: %" PRId64 " only by batch, %" PRId64 " only by stream",
                       which == 1 ? "the membership at the run's instant" : "the number of members",
                       shares[which][0] / 10000, shares[which][0] / 100 % 100, threshold / 10000, threshold / 100 % 100,
                       passes, which == 1 ? measuring->aligned.only_batch : measuring->raw.only_batch,
                       which == 1 ? measuring->aligned.only_stream : measuring->raw.only_stream);
        return alert_raise(measuring->reconciler, "divergence", subject, message, err);
    }
    if (raised && (counts[0] == 0 || moves[0] == MOVE_RESOLVE) && (counts[1] == 0 || moves[1] == MOVE_RESOLVE) &&
        counts[0] + counts[1] > 0) {
        return alert_resolve(measuring->reconciler, "divergence", subject, "both sides agree again", err);
    }
    return true;
}

/* ---- */

static bool measure_segment(struct measuring *measuring, struct error *err)
{
    comparable_check(measuring);
    for (size_t index = 0; index < measuring->world->lane_count; index++) {
        if (!measure_lane(measuring, index, err)) {
            return false;
        }
        publish_tick(measuring->reconciler);
    }
    return store_measurement(measuring, false, err) && store_measurement(measuring, true, err) &&
           alert_check(measuring, err);
}

/* What was said of a segment while it was in use is over. */
static bool end_retired(struct reconciler *reconciler, const struct pass_version *version, struct error *err)
{
    char subject[64];

    (void)snprintf(subject, sizeof subject, "%.*s", (int)version->segment_id.size, version->segment_id.data);
    return alert_resolve(reconciler, "divergence", subject, "the segment is retired", err);
}

bool divergence_measure(struct reconciler *reconciler, const struct pass_world *world, struct error *err)
{
    bool ok = true;

    for (size_t index = 0; ok && index < world->segment_count; index++) {
        const struct pass_segment *segment = &world->segments[index];
        struct measuring measuring = {.reconciler = reconciler, .world = world, .segment = segment};

        if (segment->version != NULL && segment->version->retired) {
            ok = end_retired(reconciler, segment->version, err);
            continue;
        }
        if (segment->version == NULL || segment->version->evaluation != EVALUATION_HYBRID || segment->run_no == 0 ||
            world->runs[segment->version->run_index].run_no != segment->run_no) {
            continue; /* nothing to compare, or a run that the next pass puts in force */
        }
        measuring.run = &world->runs[segment->version->run_index];
        pass_items_init(&measuring.items);
        ok = measure_segment(&measuring, err);
        if (!ok) {
            (void)error_context(err, "divergence of %.*s", (int)segment->version->segment_id.size,
                                segment->version->segment_id.data);
        }
        pass_items_clear(&measuring.items);
        memory_free(measuring.records.records);
    }
    return ok;
}
