/* Users of the lanes: their numbers, their grants, and what the control log says about them. */
#include "stream/stream.h"

#include "common/base/log.h"
#include "common/io/store_control.h"

enum { NUMBERED_MAX = INT32_MAX, QUERY_SIZE = 256 };

static struct slice number_key(const int64_t *user_no)
{
    return slice_of((const char *)user_no, sizeof *user_no);
}

struct stream_numbered *users_by_number(struct stream *stream, int64_t user_no)
{
    uint32_t index;

    return hash_map_find(&stream->by_number, number_key(&user_no), &index) ? &stream->numbered[index] : NULL;
}

bool users_number(struct stream *stream, struct stream_lane *lane, struct lane_user *user, int64_t user_no,
                  struct error *err)
{
    uint32_t index;
    bool added;

    lane_user_number(user, user_no);
    if (!memory_grow(&stream->numbered, &stream->numbered_capacity, stream->numbered_count, NUMBERED_MAX,
                     sizeof *stream->numbered, "users", err) ||
        !hash_map_add(&stream->by_number, &stream->number_keys, number_key(&user_no), (uint32_t)stream->numbered_count,
                      &index, &added, err)) {
        return false;
    }
    if (added) {
        stream->numbered[stream->numbered_count++] = (struct stream_numbered){.lane = lane, .user = user};
    }
    return true;
}

void users_restore_grants(struct stream *stream, struct lane_user *user)
{
    for (size_t i = 0; i < stream->purpose_count; i++) {
        lane_grant_restore(user, (int)i, consent_map_grant(stream->consent, lane_user_no(user), stream->purposes[i]));
    }
}

struct load_target {
    struct stream *stream;
    struct stream_lane *lane;
};

static bool load_user(void *context, const struct slice *cells, size_t cell_count, struct error *err)
{
    const struct load_target *target = context;
    struct lane_user *user = NULL;

    (void)cell_count;
    if (!lane_add(target->lane->lane, cells[1], &user, err) ||
        !users_number(target->stream, target->lane, user, pg_cell_int64(cells[0], 0), err)) {
        return false;
    }
    users_restore_grants(target->stream, user);
    return true;
}

bool users_load_lane(struct stream *stream, struct stream_lane *lane, struct error *err)
{
    struct load_target target = {.stream = stream, .lane = lane};
    struct buffer query; /* COPY takes no parameters; the only value is an integer */
    bool done = false;

    buffer_init(&query, QUERY_SIZE);
    buffer_append_format(
        &query,
        "COPY (SELECT u.user_no, k.user_id FROM users u JOIN user_ids k USING (user_no) WHERE u.lane = %d "
        "ORDER BY u.user_no) TO STDOUT (FORMAT binary)",
        (int)lane->lane_no);
    if (!buffer_finish(&query, "a query", err) ||
        !store_consent_load(stream->pg, lane->lane_no, stream->consent, err)) {
        goto out;
    }
    done = pg_copy_out(stream->pg, buffer_text(&query), load_user, &target, err);
out:
    buffer_clear(&query);
    return done;
}

/* ---- new users ---- */

struct newcomers {
    struct slice *ids;
    int32_t *lane_numbers;
    int64_t *user_nos;
    struct stream_numbered *users;
    size_t count;
};

static bool newcomers_take(struct newcomers *newcomers, struct stream *stream, struct error *err)
{
    if (!store_users_intern(stream->users, stream->pg, newcomers->ids, newcomers->lane_numbers, newcomers->count,
                            newcomers->user_nos, err) ||
        !store_consent_load_users(stream->pg, newcomers->user_nos, newcomers->count, stream->consent, err)) {
        return error_context(err, "naming new users");
    }
    for (size_t i = 0; i < newcomers->count; i++) {
        struct stream_numbered *numbered = &newcomers->users[i];
        if (!users_number(stream, numbered->lane, numbered->user, newcomers->user_nos[i], err)) {
            return false;
        }
        users_restore_grants(stream, numbered->user);
    }
    return true;
}

static bool newcomers_reserve(struct newcomers *newcomers, size_t most, struct error *err)
{
    if (newcomers->ids != NULL) {
        return true;
    }
    newcomers->ids = memory_allocate_zeroed(most, sizeof *newcomers->ids);
    newcomers->lane_numbers = memory_allocate_zeroed(most, sizeof *newcomers->lane_numbers);
    newcomers->user_nos = memory_allocate_zeroed(most, sizeof *newcomers->user_nos);
    newcomers->users = memory_allocate_zeroed(most, sizeof *newcomers->users);
    if (newcomers->ids == NULL || newcomers->lane_numbers == NULL || newcomers->user_nos == NULL ||
        newcomers->users == NULL) {
        return error_no_memory(err, "looking for new users");
    }
    return true;
}

/* Finds the user of a message by its key; one that the lane does not know is added where the message is a good one. */
static bool newcomers_look(struct newcomers *newcomers, struct stream *stream, size_t index, uint64_t hash,
                           struct error *err)
{
    const struct kafka_item *item = &stream->items[index];
    struct stream_lane *lane = stream->lane_of[item->partition];
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct error why = ERROR_INIT;
    struct event event;

    stream->item_users[index] = NULL;
    if (item->kind != KAFKA_MESSAGE || item->key.data == NULL) {
        return true;
    }
    stream->item_users[index] = lane_find_hashed(lane->lane, item->key, hash);
    if (stream->item_users[index] != NULL) {
        return true;
    }
    if (!decode_item(stream, item, &event, &reason, &why, err)) {
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        return true;
    }
    if (!newcomers_reserve(newcomers, stream->item_count - stream->item_next, err) ||
        !lane_add(lane->lane, event.user, &stream->item_users[index], err)) {
        return false;
    }
    newcomers->ids[newcomers->count] = lane_user_id(stream->item_users[index]);
    newcomers->lane_numbers[newcomers->count] = lane->lane_no;
    newcomers->users[newcomers->count++] = (struct stream_numbered){.lane = lane, .user = stream->item_users[index]};
    return true;
}

static uint64_t hash_key(const struct stream *stream, size_t index)
{
    const struct kafka_item *item = &stream->items[index];

    return item->key.data == NULL ? 0 : lane_hash(stream->lane_of[item->partition]->lane, item->key);
}

bool users_intern_new(struct stream *stream, struct error *err)
{
    enum { AHEAD = 16 };
    struct newcomers newcomers = {.count = 0};
    uint64_t hashes[AHEAD]; /* of the next items, so that their slots are on their way */
    bool done = false;

    if (stream->item_next == stream->item_count || stream->items_known) {
        return true;
    }
    for (size_t i = stream->item_next; i < stream->item_count && i < stream->item_next + AHEAD; i++) {
        hashes[i % AHEAD] = hash_key(stream, i);
    }
    for (size_t i = stream->item_next; i < stream->item_count; i++) {
        if (!newcomers_look(&newcomers, stream, i, hashes[i % AHEAD], err)) {
            goto out;
        }
        if (i + AHEAD < stream->item_count) {
            hashes[i % AHEAD] = hash_key(stream, i + AHEAD);
        }
    }
    if (newcomers.count > 0 && !newcomers_take(&newcomers, stream, err)) {
        goto out;
    }
    stream->items_known = true;
    done = true;
out:
    memory_free(newcomers.ids);
    memory_free(newcomers.lane_numbers);
    memory_free(newcomers.user_nos);
    memory_free(newcomers.users);
    return done;
}

/* ---- the control log ---- */

/* Whether the user's lane had taken the line in before this process began. Lanes that ran apart may differ: what one of
 * them announced is not announced again because another has not come as far. */
static bool is_followed(const struct stream_numbered *numbered, const struct control_line *line)
{
    return numbered != NULL && !numbered->lane->fresh && line->control_no <= numbered->lane->control_no;
}

static bool rewind_line(void *context, const struct control_line *line, struct error *err)
{
    struct stream *stream = context;
    struct stream_numbered *numbered = users_by_number(stream, line->user_no);

    if (line->kind != CONTROL_CONSENT_GRANTED || is_followed(numbered, line)) {
        return true;
    }
    if (!consent_map_set(stream->consent, line->user_no, line->purpose_no, 0, err)) {
        return false;
    }
    if (numbered != NULL) {
        users_restore_grants(stream, numbered->user);
    }
    return true;
}

bool users_rewind_control(struct stream *stream, struct error *err)
{
    bool any = false;

    if (!store_control_head(stream->pg, &stream->definitions_no, err)) {
        return false;
    }
    stream->control_no = stream->definitions_no;
    for (size_t i = 0; i < stream->lane_count; i++) {
        if (!stream->lanes[i].fresh && (!any || stream->lanes[i].control_no < stream->control_no)) {
            stream->control_no = stream->lanes[i].control_no;
            any = true;
        }
    }
    return store_control_read(stream->pg, stream->control_no, rewind_line, stream, err);
}

static bool follow_consent(struct stream *stream, const struct control_line *line, struct error *err)
{
    int64_t grant_no = line->kind == CONTROL_CONSENT_GRANTED ? line->grant_no : 0;
    struct stream_numbered *numbered = users_by_number(stream, line->user_no);

    if (is_followed(numbered, line)) {
        return true;
    }
    if (!consent_map_set(stream->consent, line->user_no, line->purpose_no, grant_no, err)) {
        return false;
    }
    for (size_t i = 0; numbered != NULL && i < stream->purpose_count; i++) {
        struct lane_sink sink = publish_sink(stream, numbered->lane);

        if (stream->purposes[i] == line->purpose_no &&
            !lane_grant_set(numbered->lane->lane, numbered->user, (int)i, grant_no, numbered->lane->watermark.value_ms,
                            &sink, err)) {
            return false;
        }
    }
    return true;
}

/* Whether another process began a build of what is evaluated here after this one had looked for builds. */
static bool is_new_build(const struct stream *stream, const struct control_line *line)
{
    for (size_t i = 0; i < stream->segment_count; i++) {
        if (!stream->segments[i].silent && stream->stored[i].segment_no == line->segment_no &&
            stream->stored[i].version == line->version) {
            return line->build_no > stream->builds[i].build_no;
        }
    }
    return false;
}

static bool follow_line(void *context, const struct control_line *line, struct error *err)
{
    struct stream *stream = context;

    switch (line->kind) {
    case CONTROL_CONSENT_GRANTED:
    case CONTROL_CONSENT_WITHDRAWN:
        if (!follow_consent(stream, line, err)) {
            return false;
        }
        break;
    case CONTROL_DEFINITION_APPLIED:
    case CONTROL_DEFINITION_RETIRED:
    case CONTROL_REBUILD_REQUESTED:
        stream->must_restart = stream->must_restart || line->control_no > stream->definitions_no;
        break;
    case CONTROL_BUILD_BEGUN:
        stream->must_restart = stream->must_restart || is_new_build(stream, line);
        break;
    case CONTROL_LOAD_COMPLETED:
        log_warning("load %d was completed after the builds began: its rows are not in the stream", (int)line->load_no);
        break;
    default:
        break;
    }
    stream->control_no = line->control_no;
    stream->moved = true;
    /* The next lines are asked for on the same connection, which a COPY would hold. */
    return !stream->copying || publish_end(stream, err);
}

bool users_follow_control(struct stream *stream, struct error *err)
{
    if (!store_control_read(stream->pg, stream->control_no, follow_line, stream, err)) {
        return false;
    }
    for (size_t i = 0; i < stream->released_count; i++) {
        if (!lane_release(stream->changed_users[i].lane->lane, stream->changed_users[i].user, err)) {
            return false;
        }
    }
    stream->released_count = 0;
    return true;
}
