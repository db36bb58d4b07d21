/* What is in force, which run counts, and what each lane has seen: everything the decisions of a pass rest on besides
 * the evidence of single users. */
#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "sql_text.h"

enum { WORLD_SIZE_MAX = 1 << 30 };

void pass_world_init(struct pass_world *world)
{
    *world = (struct pass_world){.lane_count = 0};
    arena_init(&world->arena, WORLD_SIZE_MAX);
}

void pass_world_clear(struct pass_world *world)
{
    arena_clear(&world->arena);
    pass_world_init(world);
}

static void *world_array(struct pass_world *world, size_t count, size_t size, struct error *err)
{
    void *array = arena_allocate_zeroed(&world->arena, count == 0 ? 1 : count, size);

    if (array == NULL) {
        (void)error_no_memory(err, "what a pass has read");
    }
    return array;
}

/* The lane's index, which is its number; SIZE_MAX when there is no such lane. */
static size_t lane_index_of(const struct pass_world *world, int64_t lane)
{
    return lane >= 0 && (size_t)lane < world->lane_count ? (size_t)lane : SIZE_MAX;
}

static bool load_lanes(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;
    bool ok = false;

    if (!pg_query(reconciler->read, sql_reconcile_lanes, NULL, 0, &result, err)) {
        return false;
    }
    world->lane_count = (size_t)PQntuples(result);
    if (world->lane_count > PASS_LANES_MAX) {
        (void)error_set(err, ERROR_INTERNAL, "the store has more than %d lanes", PASS_LANES_MAX);
        goto out;
    }
    world->lanes = world_array(world, world->lane_count, sizeof *world->lanes, err);
    if (world->lanes == NULL) {
        goto out;
    }
    for (size_t index = 0; index < world->lane_count; index++) {
        struct pass_lane *lane = &world->lanes[index];
        int row = (int)index;

        lane->lane = (int32_t)pg_integer_at(result, row, 0, -1);
        lane->epoch = pg_integer_at(result, row, 1, 0);
        lane->step = pg_integer_at(result, row, 2, 0);
        lane->watermark = pg_integer_at(result, row, 3, TIMESTAMP_ALWAYS);
        lane->step_merged = pg_integer_at(result, row, 4, 0);
        lane->watermark_merged = pg_integer_at(result, row, 5, TIMESTAMP_ALWAYS);
        lane->ended_by = merge_ended_by(lane->watermark, reconciler->clock_event ? TIMESTAMP_ALWAYS : world->now_ms,
                                        reconciler->grace_ms);
        if (lane->lane != row) {
            (void)error_set(err, ERROR_INTERNAL, "the store's lanes are not numbered from 0: lane %d is missing", row);
            goto out;
        }
    }
    ok = true;
out:
    PQclear(result);
    return ok;
}

static bool load_progress(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(reconciler->read, "SELECT lane, topic_no, offset_next FROM lane_progress", NULL, 0, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        size_t index = lane_index_of(world, pg_integer_at(result, row, 0, -1));
        int64_t topic = pg_integer_at(result, row, 1, -1);

        if (index != SIZE_MAX && topic >= 0 && topic < PASS_TOPICS) {
            world->lanes[index].offset_next[topic] = pg_integer_at(result, row, 2, 0);
        }
    }
    PQclear(result);
    return true;
}

static enum evaluation_mode evaluation_find(struct slice name)
{
    for (unsigned mode = EVALUATION_HYBRID; mode <= EVALUATION_STREAM; mode++) {
        if (slice_equal_text(name, evaluation_mode_name((enum evaluation_mode)mode))) {
            return (enum evaluation_mode)mode;
        }
    }
    return EVALUATION_HYBRID;
}

static enum merge_strategy strategy_find(struct slice name)
{
    for (unsigned strategy = MERGE_STREAMING_FIRST; strategy <= MERGE_UNION_WITH_BATCH_EXCLUSIONS; strategy++) {
        if (slice_equal_text(name, merge_strategy_name((enum merge_strategy)strategy))) {
            return (enum merge_strategy)strategy;
        }
    }
    return MERGE_STREAMING_FIRST;
}

static bool load_version(struct pass_world *world, const PGresult *result, int row, struct pass_version *version,
                         struct error *err)
{
    version->segment_no = (int32_t)pg_integer_at(result, row, 0, 0);
    version->version = (int32_t)pg_integer_at(result, row, 1, 0);
    version->build_no = (int32_t)pg_integer_at(result, row, 2, 0);
    version->evaluation = evaluation_find(pg_text_at(result, row, 3));
    version->strategy = strategy_find(pg_text_at(result, row, 4));
    version->purpose_no = (int32_t)pg_integer_at(result, row, 5, 0);
    version->retired = pg_boolean_at(result, row, 8);
    version->run_index = SIZE_MAX;
    version->ready = world_array(world, world->lane_count, sizeof *version->ready, err);
    version->complete_from = world_array(world, world->lane_count, sizeof *version->complete_from, err);
    version->offsets_ready = world_array(world, world->lane_count * PASS_TOPICS, sizeof *version->offsets_ready, err);
    if (version->ready == NULL || version->complete_from == NULL || version->offsets_ready == NULL ||
        !arena_copy(&world->arena, pg_text_at(result, row, 6), &version->segment_id) ||
        !arena_copy(&world->arena, pg_text_at(result, row, 7), &version->document)) {
        return error_no_memory(err, "the definitions");
    }
    for (size_t lane = 0; lane < world->lane_count; lane++) {
        version->complete_from[lane] = TIMESTAMP_NEVER;
    }
    return true;
}

static bool load_versions(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;
    bool ok = false;

    if (!pg_query(reconciler->read, sql_reconcile_versions, NULL, 0, &result, err)) {
        return false;
    }
    world->version_count = (size_t)PQntuples(result);
    world->versions = world_array(world, world->version_count, sizeof *world->versions, err);
    world->segments = world_array(world, world->version_count, sizeof *world->segments, err);
    if (world->versions == NULL || world->segments == NULL) {
        goto out;
    }
    for (size_t index = 0; index < world->version_count; index++) {
        struct pass_version *version = &world->versions[index];

        if (!load_version(world, result, (int)index, version, err)) {
            goto out;
        }
        if (index == 0 || version->segment_no != world->versions[index - 1].segment_no) {
            struct pass_segment *segment = &world->segments[world->segment_count++];

            segment->segment_no = version->segment_no;
            segment->markers = world_array(world, world->lane_count, sizeof *segment->markers, err);
            if (segment->markers == NULL) {
                goto out;
            }
            for (size_t lane = 0; lane < world->lane_count; lane++) {
                segment->markers[lane].run_no = -1;
            }
        }
    }
    ok = true;
out:
    PQclear(result);
    return ok;
}

/* Where the version's first row is; its builds follow. version_count: there is no such version. */
static size_t version_first(const struct pass_world *world, int64_t segment_no, int64_t version)
{
    for (size_t index = 0; index < world->version_count; index++) {
        if (world->versions[index].segment_no == segment_no && world->versions[index].version == version) {
            return index;
        }
    }
    return world->version_count;
}

static bool version_is(const struct pass_version *version, int64_t segment_no, int64_t number)
{
    return version->segment_no == segment_no && version->version == number;
}

static struct pass_version *version_find(struct pass_world *world, int64_t segment_no, int64_t version,
                                         int64_t build_no)
{
    for (size_t index = version_first(world, segment_no, version);
         index < world->version_count && version_is(&world->versions[index], segment_no, version); index++) {
        if (world->versions[index].build_no == build_no) {
            return &world->versions[index];
        }
    }
    return NULL;
}

static struct pass_segment *segment_find(struct pass_world *world, int64_t segment_no)
{
    for (size_t index = 0; index < world->segment_count; index++) {
        if (world->segments[index].segment_no == segment_no) {
            return &world->segments[index];
        }
    }
    return NULL;
}

static bool load_builds(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(reconciler->read, sql_reconcile_builds, NULL, 0, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct pass_version *version = version_find(world, pg_integer_at(result, row, 0, 0),
                                                    pg_integer_at(result, row, 1, 0), pg_integer_at(result, row, 2, 0));
        size_t lane = lane_index_of(world, pg_integer_at(result, row, 3, -1));
        int64_t ready_us = pg_integer_at(result, row, 6, 0);

        if (version == NULL || lane == SIZE_MAX) {
            continue;
        }
        version->ready[lane] = pg_boolean_at(result, row, 4);
        version->complete_from[lane] = pg_integer_at(result, row, 5, TIMESTAMP_ALWAYS);
        version->ready_us = ready_us > version->ready_us ? ready_us : version->ready_us;
        for (int topic = 0; topic < PASS_TOPICS; topic++) {
            version->offsets_ready[lane * PASS_TOPICS + (size_t)topic] = pg_integer_at(result, row, 7 + topic, 0);
        }
    }
    PQclear(result);
    return true;
}

static bool load_run_lanes(struct reconciler *reconciler, struct pass_world *world, struct pass_run *run,
                           struct error *err)
{
    struct pg_value values[1];
    PGresult *result = NULL;

    run->coverage = world_array(world, world->lane_count * PASS_TOPICS, sizeof *run->coverage, err);
    run->loads_folded = world_array(world, world->lane_count, sizeof *run->loads_folded, err);
    if (run->coverage == NULL || run->loads_folded == NULL) {
        return false;
    }
    for (size_t index = 0; index < world->lane_count * PASS_TOPICS; index++) {
        run->coverage[index] = -1;
    }
    pg_set_integer(&values[0], run->run_no);
    if (!pg_query(reconciler->read, sql_reconcile_run_lanes, values, 1, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        size_t lane = lane_index_of(world, pg_integer_at(result, row, 0, -1));
        int64_t topic = pg_integer_at(result, row, 1, -1);

        if (lane == SIZE_MAX) {
            continue;
        }
        run->loads_folded[lane] = pg_boolean_at(result, row, 3);
        if (topic >= 0 && topic < PASS_TOPICS) {
            run->coverage[lane * PASS_TOPICS + (size_t)topic] = pg_integer_at(result, row, 2, -1);
        }
    }
    PQclear(result);
    return true;
}

/* The run's index, loading it where it is new. */
static bool run_take(struct reconciler *reconciler, struct pass_world *world, const PGresult *result, int row,
                     size_t *out_index, struct error *err)
{
    int64_t run_no = pg_integer_at(result, row, 2, 0);
    struct pass_run *run;

    for (size_t index = 0; index < world->run_count; index++) {
        if (world->runs[index].run_no == run_no) {
            *out_index = index;
            return true;
        }
    }
    run = &world->runs[world->run_count];
    run->run_no = run_no;
    run->as_of = pg_integer_at(result, row, 3, 0);
    run->control_no = pg_integer_at(result, row, 4, 0);
    run->snapshot_us = pg_integer_at(result, row, 5, 0);
    run->activated_us = pg_integer_at(result, row, 6, 0);
    run->has_coverage = pg_boolean_at(result, row, 7);
    if (!load_run_lanes(reconciler, world, run, err)) {
        return false;
    }
    *out_index = world->run_count++;
    return true;
}

static bool load_runs(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;
    bool ok = false;

    if (!pg_query(reconciler->read, sql_reconcile_runs, NULL, 0, &result, err)) {
        return false;
    }
    world->runs = world_array(world, (size_t)PQntuples(result), sizeof *world->runs, err);
    if (world->runs == NULL) {
        goto out;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t segment_no = pg_integer_at(result, row, 0, 0);
        int64_t number = pg_integer_at(result, row, 1, 0);

        for (size_t index = version_first(world, segment_no, number);
             index < world->version_count && version_is(&world->versions[index], segment_no, number); index++) {
            if (!run_take(reconciler, world, result, row, &world->versions[index].run_index, err)) {
                goto out;
            }
        }
    }
    ok = true;
out:
    PQclear(result);
    return ok;
}

static bool load_state(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;
    bool found;

    if (!pg_query(reconciler->read,
                  "SELECT s.pass_no, s.control_no, h.control_no FROM reconcile_state s CROSS JOIN control_head h", NULL,
                  0, &result, err)) {
        return false;
    }
    found = PQntuples(result) == 1;
    if (found) {
        world->pass_no = pg_integer_at(result, 0, 0, 0);
        world->control_no = pg_integer_at(result, 0, 1, 0);
        world->control_no_head = pg_integer_at(result, 0, 2, 0);
    }
    PQclear(result);
    if (!found) {
        return error_set(err, ERROR_INTERNAL, "the store has no reconcile_state row");
    }
    return true;
}

static bool load_in_force(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(reconciler->read,
                  "SELECT segment_no, version, coalesce(build_no, 0), coalesce(run_no, 0) FROM in_force", NULL, 0,
                  &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct pass_segment *segment = segment_find(world, pg_integer_at(result, row, 0, 0));
        struct pass_version *version = version_find(world, pg_integer_at(result, row, 0, 0),
                                                    pg_integer_at(result, row, 1, 0), pg_integer_at(result, row, 2, 0));

        if (segment != NULL && version != NULL) {
            segment->version = version;
            segment->build_no = (int32_t)pg_integer_at(result, row, 2, 0);
            segment->run_no = pg_integer_at(result, row, 3, 0);
        }
    }
    PQclear(result);
    return true;
}

static bool load_markers(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(reconciler->read,
                  "SELECT segment_no, lane, coalesce(run_no, 0), coalesce(build_no, 0), complete, covered FROM "
                  "reconcile_covered",
                  NULL, 0, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        struct pass_segment *segment = segment_find(world, pg_integer_at(result, row, 0, 0));
        size_t lane = lane_index_of(world, pg_integer_at(result, row, 1, -1));

        if (segment != NULL && lane != SIZE_MAX) {
            segment->markers[lane].run_no = pg_integer_at(result, row, 2, 0);
            segment->markers[lane].build_no = (int32_t)pg_integer_at(result, row, 3, 0);
            segment->markers[lane].complete = pg_boolean_at(result, row, 4);
            segment->markers[lane].covered = pg_boolean_at(result, row, 5);
        }
    }
    PQclear(result);
    return true;
}

/* The stream feeds the newest build alone. Once a newer one has begun beside the build in force, the lanes' progress is
 * no longer that build's: it keeps what it had come to cover, and comes to cover nothing more. */
static void hold_superseded(struct pass_world *world)
{
    for (size_t index = 0; index < world->version_count; index++) {
        const struct pass_version *newer = &world->versions[index];
        struct pass_segment *segment = segment_find(world, newer->segment_no);
        const struct pass_version *version = segment == NULL ? NULL : segment->version;

        if (version == NULL || newer->build_no == 0 || newer >= version) {
            continue;
        }
        for (size_t lane = 0; lane < world->lane_count; lane++) {
            const struct pass_marker *marker = &segment->markers[lane];
            bool held = version->run_index == SIZE_MAX ? marker->complete : marker->covered;

            if (marker->build_no != segment->build_no || !held) {
                version->complete_from[lane] = TIMESTAMP_NEVER;
            }
        }
    }
}

bool align_load(struct reconciler *reconciler, struct pass_world *world, struct error *err)
{
    world->now_ms = timestamp_now();
    if (!load_lanes(reconciler, world, err) || !load_progress(reconciler, world, err) ||
        !load_versions(reconciler, world, err) || !load_builds(reconciler, world, err) ||
        !load_runs(reconciler, world, err) || !load_state(reconciler, world, err) ||
        !load_in_force(reconciler, world, err) || !load_markers(reconciler, world, err)) {
        return false;
    }
    hold_superseded(world);
    return true;
}

/* ---- what a lane has seen ---------------------------------------------------------------------------------------- */

struct merge_lane align_lane(const struct pass_world *world, const struct pass_version *version, size_t lane_index)
{
    const struct pass_lane *lane = &world->lanes[lane_index];
    struct merge_lane out = {
        .ready = version->ready[lane_index],
        .complete_from = version->complete_from[lane_index],
        .watermark = lane->watermark,
    };

    for (size_t topic = 0; topic < PASS_TOPICS; topic++) {
        out.offset_next[topic] = lane->offset_next[topic];
    }
    return out;
}

struct merge_run align_run(const struct pass_world *world, const struct pass_version *version, size_t lane_index)
{
    struct merge_run out = {.present = false};

    if (version->run_index != SIZE_MAX) {
        const struct pass_run *run = &world->runs[version->run_index];

        out.present = true;
        out.has_coverage = run->has_coverage;
        out.loads_folded = run->loads_folded[lane_index];
        out.as_of = run->as_of;
        out.snapshot_us = run->snapshot_us;
        out.written_us = run->activated_us;
        for (size_t topic = 0; topic < PASS_TOPICS; topic++) {
            out.coverage[topic] = run->coverage[lane_index * PASS_TOPICS + topic];
        }
    }
    return out;
}

struct pass_marker align_marker(const struct pass_world *world, const struct pass_segment *segment, size_t lane_index)
{
    const struct pass_version *version = segment->version;
    struct merge_lane lane = align_lane(world, version, lane_index);
    struct merge_run run = align_run(world, version, lane_index);

    if (version->retired) {
        return (struct pass_marker){.run_no = 0}; /* what lanes and runs say no longer matters */
    }
    return (struct pass_marker){
        .run_no = run.present ? world->runs[version->run_index].run_no : 0,
        .build_no = segment->build_no,
        .complete = merge_complete(&lane),
        .covered = merge_covers(&lane, &run, PASS_TOPICS),
    };
}

/* ---- in force ---------------------------------------------------------------------------------------------------- */

static bool build_everywhere(const struct pass_world *world, const struct pass_version *version, bool complete)
{
    if (version->build_no == 0 || world->lane_count == 0) {
        return false;
    }
    for (size_t index = 0; index < world->lane_count; index++) {
        struct merge_lane lane = align_lane(world, version, index);

        if (complete ? !merge_complete(&lane) : !lane.ready) {
            return false;
        }
    }
    return true;
}

/* Whether R has read all that the lanes had read when the build became ready. What a build that is not complete had
 * read by then it announces only as far as it makes members: who had left since an earlier run would come back with it.
 */
static bool run_reaches_build(const struct pass_world *world, const struct pass_version *version)
{
    const struct pass_run *run = &world->runs[version->run_index];

    for (size_t index = 0; run->has_coverage && index < world->lane_count * PASS_TOPICS; index++) {
        if (run->coverage[index] + 1 < version->offsets_ready[index]) {
            return false;
        }
    }
    return run->has_coverage || run->snapshot_us > version->ready_us;
}

/* Whether the version's build may take over from what is in force. `any_build`: some build of the segment was ever
 * begun. */
static bool may_take_over(const struct pass_world *world, const struct pass_version *version,
                          const struct pass_version *in_force, bool any_build)
{
    bool has_run = version->run_index != SIZE_MAX;

    if (version->evaluation == EVALUATION_BATCH || (!any_build && version->evaluation != EVALUATION_STREAM)) {
        return has_run;
    }
    if (!build_everywhere(world, version, false)) {
        return false;
    }
    if (in_force != NULL && in_force->version == version->version && in_force->build_no != version->build_no &&
        in_force->build_no != 0) {
        has_run = has_run && run_reaches_build(world, version);
    }
    return has_run || build_everywhere(world, version, true);
}

/* The newest build of the newest version that may take over, if it is newer than what is in force. Nothing switches
 * back. */
static void segment_choose(const struct pass_world *world, struct pass_segment *segment)
{
    const struct pass_version *in_force = segment->version;
    bool any_build = false;

    for (size_t index = 0; index < world->version_count; index++) {
        any_build = any_build ||
                    (world->versions[index].segment_no == segment->segment_no && world->versions[index].build_no != 0);
    }
    for (size_t index = 0; index < world->version_count; index++) {
        const struct pass_version *version = &world->versions[index];

        if (version->segment_no != segment->segment_no) {
            continue;
        }
        if (version == in_force) {
            break;
        }
        if (!version->retired && may_take_over(world, version, in_force, any_build)) {
            segment->version = version;
            segment->build_no = version->build_no;
            break;
        }
    }
}

static bool store_in_force(struct reconciler *reconciler, const struct pass_segment *segment, struct error *err)
{
    struct pg_value values[4];

    pg_set_integer(&values[0], segment->segment_no);
    pg_set_integer(&values[1], segment->version->version);
    pg_set_integer(&values[2], segment->build_no);
    pg_set_integer(&values[3], segment->run_no);
    return pg_query(reconciler->write, sql_reconcile_in_force, values, 4, NULL, err);
}

bool align_switch(struct reconciler *reconciler, struct pass_world *world, struct pass_counts *counts,
                  struct error *err)
{
    for (size_t index = 0; index < world->segment_count; index++) {
        struct pass_segment *segment = &world->segments[index];
        const struct pass_version *version_before = segment->version;
        int32_t build_before = segment->build_no;
        int64_t run_before = segment->run_no;

        segment_choose(world, segment);
        if (segment->version == NULL) {
            continue;
        }
        segment->run_no = segment->version->run_index == SIZE_MAX || segment->version->retired
                              ? 0
                              : world->runs[segment->version->run_index].run_no;
        if (segment->version == version_before && segment->build_no == build_before && segment->run_no == run_before) {
            continue;
        }
        if (!store_in_force(reconciler, segment, err)) {
            return error_context(err, "could not put %.*s@%d in force", (int)segment->version->segment_id.size,
                                 segment->version->segment_id.data, segment->version->version);
        }
        if (segment->version != version_before || segment->build_no != build_before) {
            counts->switched++;
            if (segment->build_no > 0) {
                log_info("%.*s@%d is in force, build %d", (int)segment->version->segment_id.size,
                         segment->version->segment_id.data, segment->version->version, segment->build_no);
            } else {
                log_info("%.*s@%d is in force, without a build of the stream", (int)segment->version->segment_id.size,
                         segment->version->segment_id.data, segment->version->version);
            }
        }
        counts->new_run = counts->new_run || segment->run_no != run_before;
    }
    return true;
}
