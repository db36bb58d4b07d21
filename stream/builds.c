/* Definitions, and the build that each segment's records belong to. A build is one continuous life of a segment
 * version's state: begun once per (segment, version), ready in a lane when the lane's records of it are in the journal.
 */
#include "stream/stream.h"

#include "common/base/log.h"
#include "common/io/definition_zones.h"
#include "common/io/store_control.h"

#include "sql_text.h"

/* Whether the stream writes records of a definition; where not, why. */
static bool writes_records(const struct definition *definition, const char **why)
{
    struct slice path;

    if (definition->evaluation == EVALUATION_BATCH) {
        *why = "its evaluation is batch";
        return false;
    }
    if (definition->needs_percentile) {
        *why = "it depends on a percentile";
        return false;
    }
    if (!definition->streams) {
        *why = "its state cannot be bounded";
        return false;
    }
    return ruleset_supports(definition, why, &path);
}

/* Loads the newest versions; when some of them cannot be evaluated here, only the others and what they refer to. */
static bool load_set(struct stream *stream, struct error *err)
{
    int32_t *segment_nos = NULL;
    int32_t *versions = NULL;
    size_t count = 0;
    bool done = false;

    segment_set_init(&stream->set);
    if (!store_definitions_load(stream->pg, &stream->set, &stream->stored, err)) {
        return false;
    }
    segment_nos = memory_allocate_zeroed(stream->set.definition_count, sizeof *segment_nos);
    versions = memory_allocate_zeroed(stream->set.definition_count, sizeof *versions);
    if (segment_nos == NULL || versions == NULL) {
        error_no_memory(err, "loading definitions");
        goto out;
    }
    for (size_t i = 0; i < stream->set.definition_count; i++) {
        const struct definition *definition = &stream->set.definitions[i];
        const char *why = "";

        if (writes_records(definition, &why)) {
            segment_nos[count] = stream->stored[i].segment_no;
            versions[count++] = stream->stored[i].version;
        } else {
            log_info("segment %.*s is left to the batch: %s", (int)definition->segment_id.size,
                     definition->segment_id.data, why);
        }
    }
    if (count < stream->set.definition_count) {
        segment_set_clear(&stream->set);
        segment_set_init(&stream->set);
        if (!store_definitions_load_versions(stream->pg, segment_nos, versions, count, &stream->set, &stream->stored,
                                             err)) {
            goto out;
        }
    }
    done = true;
out:
    memory_free(segment_nos);
    memory_free(versions);
    return done;
}

static bool purpose_index(struct stream *stream, int32_t purpose_no, int *out, struct error *err)
{
    for (size_t i = 0; i < stream->purpose_count; i++) {
        if (stream->purposes[i] == purpose_no) {
            *out = (int)i;
            return true;
        }
    }
    if (stream->purpose_count == LANE_PURPOSES_MAX) {
        return error_set(err, ERROR_USAGE, "the definitions name more than %d purposes", LANE_PURPOSES_MAX);
    }
    *out = (int)stream->purpose_count;
    stream->purposes[stream->purpose_count++] = purpose_no;
    return true;
}

bool builds_load(struct stream *stream, struct error *err)
{
    struct ruleset_options options = {
        .dedup_ms = config_duration_ms(stream->config, "time.dedup"),
        .zones = zone_files_find,
        .zones_context = &stream->zones,
    };

    stream->purpose_count = 0;
    if (!load_set(stream, err)) {
        return false;
    }
    if (!ruleset_new(&stream->set, &options, &stream->ruleset, err)) {
        return false;
    }
    stream->segment_count = stream->set.definition_count;
    stream->segments = memory_allocate_zeroed(stream->segment_count, sizeof *stream->segments);
    stream->builds = memory_allocate_zeroed(stream->segment_count, sizeof *stream->builds);
    stream->zoned = memory_allocate_zeroed(stream->segment_count, sizeof *stream->zoned);
    if (stream->segments == NULL || stream->builds == NULL || stream->zoned == NULL) {
        return error_no_memory(err, "loading definitions");
    }
    definition_zones_used(&stream->set, &stream->zones, stream->zoned);
    if (!zone_version(&stream->zones, stream->tz_version, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->segment_count; i++) {
        const char *why = "";

        stream->segments[i] = (struct lane_segment){
            .silent = !writes_records(&stream->set.definitions[i], &why),
            .purpose = LANE_NO_PURPOSE,
            .complete_from_ms = TIMESTAMP_NEVER,
        };
        if (stream->stored[i].subject_to_consent &&
            !purpose_index(stream, stream->stored[i].purpose_no, &stream->segments[i].purpose, err)) {
            return false;
        }
    }
    return true;
}

/* *found: the version has a build; it becomes the segment's. */
static bool find_build(struct stream *stream, size_t segment, bool *found, struct error *err)
{
    struct stream_build *build = &stream->builds[segment];
    struct pg_value values[2];
    PGresult *result = NULL;

    pg_set_integer(&values[0], stream->stored[segment].segment_no);
    pg_set_integer(&values[1], stream->stored[segment].version);
    if (!pg_query(stream->pg, sql_stream_build_find, values, 2, &result, err)) {
        return false;
    }
    *found = PQntuples(result) == 1;
    if (*found) {
        *build = (struct stream_build){.build_no = (int32_t)pg_integer_at(result, 0, 0, 0),
                                       .life = (int32_t)pg_integer_at(result, 0, 1, 0),
                                       .archive = slice_equal_text(pg_text_at(result, 0, 2), "archive")};
    }
    PQclear(result);
    return true;
}

bool builds_begin_next(struct stream *stream, size_t segment, struct error *err)
{
    const struct stored_definition *stored = &stream->stored[segment];
    struct control_line line = CONTROL_LINE_INIT;
    struct pg_value values[4];
    PGresult *result = NULL;
    bool found = false;

    pg_set_integer(&values[0], stored->segment_no);
    pg_set_integer(&values[1], stored->version);
    pg_set_integer(&values[2], (int64_t)stream->builds[segment].life + 1);
    values[3] = pg_text(slice_from(stream->history_archive ? "archive" : "log"));
    if (!pg_query(stream->pg, sql_stream_build_begin, values, 4, &result, err)) {
        return false;
    }
    if (PQntuples(result) == 1) {
        line.kind = CONTROL_BUILD_BEGUN;
        line.segment_no = stored->segment_no;
        line.version = stored->version;
        line.build_no = (int32_t)pg_integer_at(result, 0, 0, 0);
    }
    PQclear(result);
    if (line.kind != CONTROL_NONE && !store_control_append(stream->pg, &line, NULL, err)) {
        return false;
    }
    if (!find_build(stream, segment, &found, err)) {
        return false;
    }
    return found || error_set(err, ERROR_INTERNAL, "the build of a segment is neither there nor can it be made");
}

static bool ensure_build(struct stream *stream, size_t segment, struct error *err)
{
    bool found = false;

    return find_build(stream, segment, &found, err) && (found || builds_begin_next(stream, segment, err));
}

bool builds_ensure(struct stream *stream, struct error *err)
{
    if (!pg_begin(stream->pg, "", err)) {
        return false;
    }
    for (size_t i = 0; i < stream->segment_count; i++) {
        if (!stream->segments[i].silent && !ensure_build(stream, i, err)) {
            pg_abort(stream->pg);
            return false;
        }
    }
    if (!pg_commit(stream->pg, err)) {
        pg_abort(stream->pg);
        return false;
    }
    return true;
}

/* Calendar periods are where the present database puts them: what that changes is announced as a correction. */
static void say_zones(const struct stream *stream, const struct stream_lane *lane, size_t segment, struct slice before)
{
    struct slice id = stream->set.definitions[segment].segment_id;

    if (stream->zoned[segment] && before.size > 0 && !slice_equal_text(before, stream->tz_version)) {
        log_warning("lane %d: segment %.*s was evaluated with version \"%.*s\" of the time zone database, now with "
                    "\"%s\": members change where its calendar periods do",
                    (int)lane->lane_no, (int)id.size, id.data, (int)before.size, before.data, stream->tz_version);
    }
}

bool builds_load_lane(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct pg_value value;
    PGresult *result = NULL;

    for (size_t i = 0; i < stream->segment_count; i++) {
        lane->ready[i] = false;
        lane->complete_from[i] = TIMESTAMP_NEVER;
    }
    pg_set_integer(&value, lane->lane_no);
    if (!pg_query(stream->pg, sql_stream_build_lanes, &value, 1, &result, err)) {
        return false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < stream->segment_count; i++) {
            if (!stream->segments[i].silent && stream->builds[i].build_no == pg_integer_at(result, row, 0, 0)) {
                lane->ready[i] = true;
                lane->complete_from[i] = pg_integer_at(result, row, 1, TIMESTAMP_ALWAYS);
                say_zones(stream, lane, i, pg_text_at(result, row, 5));
                for (int topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
                    lane->history_begin[i * KAFKA_TOPIC_COUNT + (size_t)topic] =
                        pg_integer_at(result, row, 2 + topic, 0);
                }
            }
        }
    }
    PQclear(result);
    return true;
}

static bool write_ready(struct stream *stream, struct stream_lane *lane, size_t segment, struct error *err)
{
    struct control_line line = CONTROL_LINE_INIT;
    struct pg_value values[4 + 2 * KAFKA_TOPIC_COUNT];

    pg_set_integer(&values[0], stream->builds[segment].build_no);
    pg_set_integer(&values[1], lane->lane_no);
    for (size_t topic = 0; topic < KAFKA_TOPIC_COUNT; topic++) {
        pg_set_integer(&values[3 + topic], catch_up_begin(lane, topic));
        pg_set_integer(&values[3 + KAFKA_TOPIC_COUNT + topic], lane->offset_next[topic]);
    }
    values[3 + 2 * KAFKA_TOPIC_COUNT] = pg_text(slice_from(stream->tz_version));
    if (lane->complete_from[segment] == TIMESTAMP_ALWAYS) {
        values[2] = pg_null();
    } else {
        pg_set_integer(&values[2], lane->complete_from[segment]);
    }
    if (!pg_query(stream->pg, sql_stream_build_ready, values, 4 + 2 * KAFKA_TOPIC_COUNT, NULL, err)) {
        return false;
    }
    line.kind = CONTROL_BUILD_READY;
    line.segment_no = stream->stored[segment].segment_no;
    line.version = stream->stored[segment].version;
    line.build_no = stream->builds[segment].build_no;
    line.lane = lane->lane_no;
    return store_control_append(stream->pg, &line, NULL, err);
}

bool builds_write_zones(struct stream *stream, struct error *err)
{
    struct pg_value values[3];

    values[2] = pg_text(slice_from(stream->tz_version));
    for (size_t i = 0; i < stream->lane_count; i++) {
        for (size_t segment = 0; segment < stream->segment_count; segment++) {
            if (stream->segments[segment].silent || !stream->lanes[i].ready[segment]) {
                continue;
            }
            pg_set_integer(&values[0], stream->builds[segment].build_no);
            pg_set_integer(&values[1], stream->lanes[i].lane_no);
            if (!pg_query(stream->pg, sql_stream_build_zones, values, 3, NULL, err)) {
                return false;
            }
        }
    }
    return true;
}

bool builds_write_ready(struct stream *stream, struct error *err)
{
    for (size_t i = 0; i < stream->lane_count; i++) {
        for (size_t segment = 0; segment < stream->segment_count; segment++) {
            if (!stream->segments[segment].silent && !stream->lanes[i].ready[segment]) {
                if (!write_ready(stream, &stream->lanes[i], segment, err)) {
                    return false;
                }
                stream->lanes[i].ready[segment] = true;
            }
        }
    }
    return true;
}
