#include "tests/equivalence/outcome.h"

#include "common/domain/event.h"
#include "common/domain/lane.h"
#include "common/domain/percentile.h"
#include "common/domain/pile.h"
#include "common/domain/rule_parse.h"
#include "common/domain/user_state_pack.h"

enum { SCRATCH_MAX = 4 << 20, SAID_MAX = 1 << 12, STEP_MAX = 40, PRUNED_MAX = 400 };

#define PART_SIZE_MAX ((size_t)1 << 32)

struct run {
    const struct oracle_case *test;
    struct outcome *out;
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct ranks *ranks;
    struct piles *piles;
    struct lane *lane;
    struct user_state *pruned[PRUNED_MAX]; /* by the lane's number of the user - 1 */
    size_t pruned_count;
    int64_t *finals; /* by line: no event from there on is before */
    struct json_document document;
    struct arena scratch;
    int64_t at; /* the instant that batch is asked about */
    struct error err;
};

const char *outcome_part_name(enum outcome_part part)
{
    static const char *const names[OUTCOME_PARTS] = {"nothing", "records",        "answers",
                                                     "states",  "pruned answers", "pruned states"};

    return names[part];
}

static void append_id(struct buffer *out, struct slice id)
{
    buffer_append_int64(out, (int64_t)id.size);
    buffer_append_slice(out, id);
}

/* ---- a lane ---- */

static bool take_record(void *context, const struct lane_record *record, struct error *err)
{
    struct buffer *out = context;

    (void)err;
    append_id(out, lane_user_id(record->user));
    buffer_append_int64(out, (int64_t)record->segment);
    buffer_append_int64(out, record->member);
    buffer_append_int64(out, record->entered_at);
    buffer_append_int64(out, record->effective_at);
    buffer_append_int64(out, record->valid_until);
    buffer_append_int64(out, record->certain);
    buffer_append_int64(out, record->uncertain_until);
    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        buffer_append_int64(out, record->positions[i]);
    }
    return true;
}

static bool make_lane(struct run *run)
{
    struct lane_segment segments[GENERATOR_SEGMENTS_MAX] = {0};
    const struct lane_options options = {.ruleset = run->ruleset, .segments = segments};

    for (size_t i = 0; i < run->set.definition_count; i++) {
        segments[i] = (struct lane_segment){.silent = !run->set.definitions[i].streams,
                                            .purpose = LANE_NO_PURPOSE,
                                            .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    return lane_new(&options, &run->lane, &run->err);
}

/* The event at a line, if it is one for the rules. */
static bool decode(struct run *run, size_t line, struct event *event, bool *accepted)
{
    enum quarantine_reason reason = QUARANTINE_NONE;

    arena_reset(&run->scratch);
    if (!event_decode_projected(run->test->lines[line], ruleset_projection(run->ruleset), &run->document, &run->scratch,
                                event, &reason, &run->err)) {
        return false;
    }
    *accepted = reason == QUARANTINE_NONE && event->kind != EVENT_CONSENT && event->kind != EVENT_DELETE;
    return true;
}

/* By line the instant before which no event comes from there on. */
static bool find_finals(struct run *run)
{
    size_t count = run->test->line_count;

    run->finals = memory_allocate_zeroed(count + 1, sizeof *run->finals);
    if (run->finals == NULL) {
        return error_no_memory(&run->err, "instants");
    }
    run->finals[count] = TIMESTAMP_MAX;
    for (size_t i = count; i-- > 0;) {
        struct event event;
        bool accepted;

        if (!decode(run, i, &event, &accepted)) {
            return false;
        }
        run->finals[i] = accepted && event.time_ms < run->finals[i + 1] ? event.time_ms : run->finals[i + 1];
    }
    return true;
}

/* The state beside the lane's that is pruned. */
static bool pruned_state(struct run *run, struct lane_user *user, struct user_state **out)
{
    size_t number = (size_t)lane_user_no(user);

    if (number == 0) {
        if (run->pruned_count == PRUNED_MAX) {
            return error_set(&run->err, ERROR_INTERNAL, "more than %d users", PRUNED_MAX);
        }
        if (!user_state_new(run->ruleset, &run->pruned[run->pruned_count], &run->err)) {
            return false;
        }
        number = ++run->pruned_count;
        lane_user_number(user, (int64_t)number);
    }
    *out = run->pruned[number - 1];
    return true;
}

/* No later event is at or before `final_ms`. */
static bool prune_and_ask(struct run *run, struct user_state *state, const struct event *event, int64_t final_ms,
                          uint64_t random)
{
    struct buffer *out = &run->out->parts[OUTCOME_PRUNED];
    enum fold_result result = FOLD_NONE;

    if (!user_state_fold(run->ruleset, state, event, run->evaluation, &result, NULL, &run->err) ||
        (random % 3 == 0 && !user_state_prune(run->ruleset, state, final_ms, run->evaluation, &run->err))) {
        return false;
    }
    buffer_append_int64(out, result);
    for (size_t i = 0; random % 4 == 0 && i < run->set.definition_count; i++) {
        const struct interval *intervals = NULL;
        size_t count = 0;

        if (!user_state_intervals(run->ruleset, state, i, final_ms, run->evaluation, &intervals, &count, &run->err)) {
            return false;
        }
        buffer_append_int64(out, (int64_t)count);
        for (size_t k = 0; k < count; k++) {
            buffer_append_int64(out, intervals[k].entered_at);
            buffer_append_int64(out, intervals[k].left_at);
        }
    }
    return true;
}

/* Feeds lane, piles and the states that are pruned alike. Late by up to four grades of lateness, and timers looked at
 * at the seed's choice. */
static bool feed(struct run *run, int64_t *newest)
{
    static const int64_t latenesses[] = {0, 5000, 3600000, 86400000};
    const struct lane_sink sink = {.emit = take_record, .context = &run->out->parts[OUTCOME_RECORDS]};
    uint64_t random = run->test->seed;
    int64_t lateness = latenesses[random_next(&random) % (sizeof latenesses / sizeof latenesses[0])];
    uint64_t step = random_next(&random) % 2 == 0 ? 1 : 1 + random_next(&random) % STEP_MAX;
    int64_t watermark = TIMESTAMP_ALWAYS;

    *newest = TIMESTAMP_MIN;
    for (size_t i = 0; i < run->test->line_count; i++) {
        struct user_state *pruned = NULL;
        struct lane_user *user = NULL;
        struct event event;
        bool accepted;

        if (!decode(run, i, &event, &accepted)) {
            return false;
        }
        if (!accepted) {
            continue;
        }
        run->out->event_count++;
        *newest = event.time_ms > *newest ? event.time_ms : *newest;
        if (!piles_add(run->piles, &event, (int64_t)i, run->evaluation, &run->err) ||
            !lane_add(run->lane, event.user, &user, &run->err) ||
            !lane_event(run->lane, user, &event, 0, (int64_t)i, watermark, &sink, &run->err) ||
            !pruned_state(run, user, &pruned) ||
            !prune_and_ask(run, pruned, &event, run->finals[i + 1] - 1, random_next(&random))) {
            return false;
        }
        watermark = event.time_ms - lateness > watermark ? event.time_ms - lateness : watermark;
        if (i % step == 0 && !lane_advance(run->lane, watermark, &sink, &run->err)) {
            return false;
        }
    }
    return lane_end(run->lane, *newest > watermark ? *newest : watermark, &sink, &run->err);
}

/* ---- states ---- */

static bool append_state(void *context, struct lane_user *user, struct error *err)
{
    struct run *run = context;
    struct buffer *states = &run->out->parts[OUTCOME_STATES];
    struct buffer *kept = &run->out->parts[OUTCOME_KEPT];
    struct user_state *state = NULL;

    if (!lane_user_state(run->lane, user, &state, err)) {
        return false;
    }
    append_id(states, lane_user_id(user));
    user_state_write(run->ruleset, state, states);
    append_id(kept, lane_user_id(user));
    user_state_write(run->ruleset, run->pruned[lane_user_no(user) - 1], kept);
    return buffer_finish(states, "states", err) && buffer_finish(kept, "states", err);
}

/* ---- batch ---- */

static bool rank_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct run *run = context;

    (void)user;
    return ranks_add(run->ranks, state, run->at, run->evaluation, err);
}

/* Of those that the tour leaves out nothing would be written here. */
static bool standing_of_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct run *run = context;
    struct buffer *out = &run->out->parts[OUTCOME_ANSWERS];
    const struct segment_membership *found;
    size_t count;

    if (!user_state_standing(run->ruleset, state, run->at, run->evaluation, &found, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct membership *membership = &found[i].membership;

        append_id(out, user);
        buffer_append_int64(out, (int64_t)found[i].segment);
        buffer_append_int64(out, membership->member);
        buffer_append_int64(out, membership->excluded);
        buffer_append_int64(out, membership->member ? membership->entered_at : 0);
        buffer_append_int64(out, membership->member ? membership->valid_until : 0);
    }
    return true;
}

static bool history_of_user(void *context, struct slice user, struct user_state *state, struct error *err)
{
    struct run *run = context;
    struct buffer *out = &run->out->parts[OUTCOME_ANSWERS];

    append_id(out, user);
    for (size_t i = 0; i < run->set.definition_count; i++) {
        const struct interval *intervals = NULL;
        size_t count = 0;

        if (!user_state_history(run->ruleset, state, i, run->at, run->evaluation, &intervals, &count, err)) {
            return false;
        }
        buffer_append_int64(out, (int64_t)count);
        for (size_t k = 0; k < count; k++) {
            buffer_append_int64(out, intervals[k].entered_at);
            buffer_append_int64(out, intervals[k].left_at);
        }
    }
    return true;
}

static bool answer(struct run *run, int64_t at)
{
    const struct piles_tour ranking = {.visit = rank_user, .context = run};
    const struct piles_tour standings = {.visit = standing_of_user,
                                         .context = run,
                                         .standing = run->evaluation,
                                         .at = at};
    const struct piles_tour histories = {.visit = history_of_user, .context = run};
    bool done = true;

    run->at = at;
    if (ruleset_percentile_count(run->ruleset) > 0) {
        done = ranks_new(run->ruleset, &run->ranks, &run->err) && piles_each(run->piles, &ranking, &run->err) &&
               ranks_finish(run->ranks, &run->err);
        evaluation_ranks(run->evaluation, run->ranks);
    }
    done = done && piles_each(run->piles, &standings, &run->err) && piles_each(run->piles, &histories, &run->err);
    evaluation_ranks(run->evaluation, NULL);
    ranks_free(run->ranks);
    run->ranks = NULL;
    return done;
}

/* ---- a case ---- */

static bool make(struct run *run, struct zone_files *zones)
{
    const struct ruleset_options options = {.zones = zone_files_find, .zones_context = zones};

    if (!segment_set_add(&run->set, SLICE_LITERAL("case"), run->test->definitions, 0, &run->err) ||
        !segment_set_check(&run->set, &run->err) || !ruleset_new(&run->set, &options, &run->ruleset, &run->err) ||
        !evaluation_new(run->ruleset, &run->evaluation, &run->err) ||
        !piles_new(run->ruleset, &run->piles, &run->err) || !make_lane(run)) {
        return false;
    }
    return true;
}

void outcome_run(struct zone_files *zones, const struct oracle_case *test, struct outcome *out)
{
    struct run run = {.test = test, .out = out};
    int64_t newest;

    *out = (struct outcome){0};
    buffer_init(&out->said, SAID_MAX);
    for (int i = 0; i < OUTCOME_PARTS; i++) {
        buffer_init(&out->parts[i], PART_SIZE_MAX);
    }
    segment_set_init(&run.set);
    json_document_init(&run.document);
    arena_init(&run.scratch, SCRATCH_MAX);
    out->refused = !make(&run, zones) || !find_finals(&run) || !feed(&run, &newest) ||
                   !lane_each(run.lane, append_state, &run, &run.err);
    for (int i = 0; !out->refused && i <= CASE_INSTANTS; i++) {
        out->refused = !answer(&run, i < CASE_INSTANTS ? test->instants[i] : newest);
    }
    if (out->refused) {
        buffer_append_text(&out->said, run.err.message);
    }
    for (size_t i = 0; i < run.pruned_count; i++) {
        user_state_free(run.pruned[i]);
    }
    memory_free(run.finals);
    piles_free(run.piles);
    lane_free(run.lane);
    evaluation_free(run.evaluation);
    ruleset_free(run.ruleset);
    arena_clear(&run.scratch);
    json_document_clear(&run.document);
    segment_set_clear(&run.set);
}

void outcome_clear(struct outcome *outcome)
{
    for (int i = 0; i < OUTCOME_PARTS; i++) {
        buffer_clear(&outcome->parts[i]);
    }
    buffer_clear(&outcome->said);
}

enum outcome_part outcome_difference(const struct outcome *a, const struct outcome *b, enum outcome_part last)
{
    for (int i = OUTCOME_NONE + 1; i <= (int)last; i++) {
        if (!slice_equal(buffer_slice(&a->parts[i]), buffer_slice(&b->parts[i]))) {
            return (enum outcome_part)i;
        }
    }
    return OUTCOME_NONE;
}
