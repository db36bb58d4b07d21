/* plan: what a run reads and computes, fixed in one snapshot: how far the log is archived, which files are loaded, the
 * head of the control log, the definitions, and the instant asked about. Archived rows never change and coverage only
 * grows, so later steps, also those of another process after a crash, read exactly what this snapshot saw. */
#include "batch/batch.h"

#include "common/io/definition_zones.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- which segments ---- */

/* Whether every segment that the criterion refers to is marked in `usable`; `*broken` gets the index of one that is
 * not. */
static bool plan_references_usable(const struct criterion *criterion, const bool *usable, size_t *broken)
{
    if (criterion->kind == CRITERION_SEGMENT && !usable[criterion->segment_index]) {
        *broken = criterion->segment_index;
        return false;
    }
    for (size_t i = 0; i < criterion->child_count; i++) {
        if (!plan_references_usable(&criterion->children[i], usable, broken)) {
            return false;
        }
    }
    return true;
}

static bool plan_definition_usable(const struct segment_set *set, const struct definition *definition,
                                   const bool *usable, char reason[RUN_REASON_SIZE])
{
    const char *what = NULL;
    struct slice path = {.data = NULL, .size = 0};
    size_t broken = 0;

    if (!ruleset_supports(definition, &what, &path)) {
        (void)snprintf(reason, RUN_REASON_SIZE, "not supported in this version: %s (%.*s)", what, (int)path.size,
                       path.size == 0 ? "" : path.data);
        return false;
    }
    for (size_t i = 0; i < definition->criterion_count + definition->exclude_count; i++) {
        const struct criterion *criterion = i < definition->criterion_count
                                                ? &definition->criteria[i]
                                                : &definition->exclude[i - definition->criterion_count];
        if (!plan_references_usable(criterion, usable, &broken)) {
            (void)snprintf(reason, RUN_REASON_SIZE, "refers to %.*s, which failed",
                           (int)set->definitions[broken].segment_id.size, set->definitions[broken].segment_id.data);
            return false;
        }
    }
    return true;
}

/* Whether the comma-separated list holds the id. NULL holds all. */
static bool plan_listed(const char *list, struct slice id)
{
    if (list == NULL) {
        return true;
    }
    for (const char *next = list; *next != '\0';) {
        size_t size = strcspn(next, ",");
        if (slice_equal(slice_of(next, size), id)) {
            return true;
        }
        next += size + (next[size] == ',' ? 1 : 0);
    }
    return false;
}

static bool plan_check_list(const struct segment_set *set, const char *list, struct error *err)
{
    for (const char *next = list; next != NULL && *next != '\0';) {
        size_t size = strcspn(next, ",");
        size_t index = segment_set_find(set, slice_of(next, size));
        if (index == SIZE_MAX) {
            error_set(err, ERROR_INPUT, "--segments: there is no segment \"%.*s\"", (int)size, next);
            return error_hint(err, "'muster segments list' shows what the store has");
        }
        if (set->definitions[index].evaluation == EVALUATION_STREAM) {
            return error_set(err, ERROR_USAGE, "--segments: \"%.*s\" is evaluated by the stream only", (int)size, next);
        }
        next += size + (next[size] == ',' ? 1 : 0);
    }
    return true;
}

static void plan_add_segment(struct run_plan *plan, const struct stored_definition *stored,
                             const struct definition *definition, bool usable, const char *reason)
{
    struct run_segment *segment = &plan->segments[plan->segment_count++];

    *segment = (struct run_segment){.segment_no = stored->segment_no, .version = stored->version, .failed = !usable};
    (void)snprintf(segment->segment_id, sizeof segment->segment_id, "%.*s", (int)definition->segment_id.size,
                   definition->segment_id.data);
    if (!usable) {
        (void)snprintf(segment->reason, sizeof segment->reason, "%s", reason);
    }
}

/* Fills plan->segments from the newest definitions in the store. */
static bool plan_choose_segments(struct batch_run *run, struct run_plan *plan, struct error *err)
{
    struct segment_set set;
    struct stored_definition *stored = NULL;
    bool *usable = NULL;
    bool *zoned = NULL;
    bool done = false;

    segment_set_init(&set);
    if (!store_definitions_load(run->pg, &set, &stored, err) || !plan_check_list(&set, run->request.segments, err)) {
        goto out;
    }
    usable = memory_allocate_zeroed(set.definition_count, sizeof *usable);
    zoned = memory_allocate_zeroed(set.definition_count, sizeof *zoned);
    plan->segments = memory_allocate_zeroed(set.definition_count, sizeof *plan->segments);
    if (usable == NULL || zoned == NULL || plan->segments == NULL) {
        error_no_memory(err, "segments");
        goto out;
    }
    definition_zones_used(&set, &run->zones, zoned);
    if (!zone_version(&run->zones, plan->tz_version, err)) {
        goto out;
    }
    for (size_t i = 0; i < set.definition_count; i++) {
        size_t index = set.evaluation_order[i];
        const struct definition *definition = &set.definitions[index];
        char reason[RUN_REASON_SIZE] = "";
        usable[index] = plan_definition_usable(&set, definition, usable, reason);
        if (definition->evaluation != EVALUATION_STREAM && plan_listed(run->request.segments, definition->segment_id)) {
            plan_add_segment(plan, &stored[index], definition, usable[index], reason);
            plan->zoned = plan->zoned || zoned[index];
        }
    }
    if (plan->segment_count == 0) {
        error_set(err, ERROR_USAGE, "the store has no segment for a batch run");
        error_hint(err, "put the definitions into the store by 'muster segments apply DIR'");
        goto out;
    }
    done = true;
out:
    memory_free(usable);
    memory_free(zoned);
    segment_set_clear(&set);
    return done;
}

/* ---- compiling ---- */

void plan_forget_rules(struct batch_rules *rules)
{
    ruleset_free(rules->ruleset);
    memory_free(rules->plan_index);
    segment_set_clear(&rules->set);
    *rules = (struct batch_rules){.ruleset = NULL};
    segment_set_init(&rules->set);
}

/* Loads the chosen planned segments with what they refer to. An empty choice leaves the set empty. */
static bool plan_load_rules(struct batch_run *run, const bool *chosen, struct batch_rules *rules, struct error *err)
{
    const struct run_plan *plan = &run->plan;
    int32_t *numbers = memory_allocate_zeroed(plan->segment_count * 2, sizeof *numbers);
    int32_t *versions = numbers + plan->segment_count;
    size_t count = 0;
    bool done;

    plan_forget_rules(rules);
    if (numbers == NULL) {
        return error_no_memory(err, "segments");
    }
    for (size_t i = 0; i < plan->segment_count; i++) {
        if (chosen[i] && !plan->segments[i].failed) {
            numbers[count] = plan->segments[i].segment_no;
            versions[count++] = plan->segments[i].version;
        }
    }
    done = count == 0 ||
           store_definitions_load_versions(run->pg, numbers, versions, count, &rules->set, &rules->stored, err);
    memory_free(numbers);
    return done;
}

static size_t plan_find(const struct run_plan *plan, const bool *chosen, int32_t segment_no)
{
    for (size_t i = 0; i < plan->segment_count; i++) {
        if (chosen[i] && !plan->segments[i].failed && plan->segments[i].segment_no == segment_no) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool plan_compile_rules(struct batch_run *run, const bool *chosen, struct batch_rules *rules, struct error *err)
{
    struct ruleset_options options = {.dedup_ms = config_duration_ms(run->config, "time.dedup"),
                                      .zones = zone_files_find,
                                      .zones_context = &run->zones};

    if (!plan_load_rules(run, chosen, rules, err)) {
        return false;
    }
    if (rules->set.definition_count == 0) {
        return true;
    }
    rules->plan_index = memory_allocate_zeroed(rules->set.definition_count, sizeof *rules->plan_index);
    if (rules->plan_index == NULL) {
        return error_no_memory(err, "segments");
    }
    for (size_t i = 0; i < rules->set.definition_count; i++) {
        rules->plan_index[i] = plan_find(&run->plan, chosen, rules->stored[i].segment_no);
    }
    return ruleset_new(&rules->set, &options, &rules->ruleset, err);
}

/* Compiles each segment by itself: one whose rules do not compile (a time zone that this machine does not have) fails
 * alone. Marks in `ranked` those that need a percentile. */
static bool plan_sort_segments(struct batch_run *run, bool *chosen, bool *ranked, struct error *err)
{
    struct batch_rules rules = {.ruleset = NULL};
    bool done = true;

    segment_set_init(&rules.set);
    for (size_t i = 0; done && i < run->plan.segment_count; i++) {
        struct run_segment *segment = &run->plan.segments[i];
        if (segment->failed) {
            continue;
        }
        chosen[i] = true;
        if (plan_compile_rules(run, chosen, &rules, err)) {
            size_t index = segment_set_find(&rules.set, slice_from(segment->segment_id));
            ranked[i] = index != SIZE_MAX && rules.set.definitions[index].needs_percentile;
        } else if (err->code == ERROR_INPUT) {
            segment->failed = true;
            (void)snprintf(segment->reason, sizeof segment->reason, "%.*s", RUN_REASON_SIZE - 1, err->message);
        } else {
            done = false;
        }
        chosen[i] = false;
    }
    plan_forget_rules(&rules);
    return done;
}

static bool plan_compile(struct batch_run *run, struct error *err)
{
    size_t count = run->plan.segment_count;
    bool *chosen = memory_allocate_zeroed(count, sizeof *chosen);
    bool *ranked = memory_allocate_zeroed(count, sizeof *ranked);
    bool done = false;

    run->segment_failed = memory_allocate_zeroed(count, sizeof *run->segment_failed);
    if (chosen == NULL || ranked == NULL || run->segment_failed == NULL) {
        error_no_memory(err, "segments");
        goto out;
    }
    if (!plan_sort_segments(run, chosen, ranked, err) || !plan_compile_rules(run, ranked, &run->ranked, err)) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        chosen[i] = !ranked[i];
    }
    done = plan_compile_rules(run, chosen, &run->plain, err);
out:
    memory_free(chosen);
    memory_free(ranked);
    return done;
}

/* ---- new or resumed ---- */

static bool plan_decide_as_of(const struct batch_run *run, struct run_plan *plan, struct error *err)
{
    plan->as_of_ms = run->request.as_of_ms;
    if (plan->as_of_ms == TIMESTAMP_NEVER) {
        plan->as_of_ms = run_plan_as_of(plan, strcmp(config_text(run->config, "time.clock"), "wall") == 0,
                                        config_duration_ms(run->config, "time.watermark_bound"));
    }
    if (plan->as_of_ms == TIMESTAMP_ALWAYS) {
        error_set(err, ERROR_USAGE, "nothing is archived yet, so there is no instant to ask about");
        return error_hint(err, "load events first: 'muster-batch load FILE' or 'muster-batch load --kafka'");
    }
    return true;
}

/* Whether calendar periods are the same for both. */
static bool plan_same_zones(const struct run_plan *old, const struct run_plan *new)
{
    if (!new->zoned || strcmp(old->tz_version, new->tz_version) == 0) {
        return true;
    }
    log_warning("run %" PRId64 " began with version \"%s\" of the time zone database, this machine has \"%s\"",
                old->run_no, old->tz_version, new->tz_version);
    return false;
}

/* Whether the run a crash left computes what was asked for now. */
static bool plan_resumable(const struct batch_run *run, const struct run_plan *old, const struct run_plan *new)
{
    bool same_as_of = run->request.as_of_ms == TIMESTAMP_NEVER || run->request.as_of_ms == old->as_of_ms;
    struct run_plan input = *old;

    if (run->request.resume) { /* what was archived since is left to the next run */
        input.coverage = new->coverage;
        input.coverage_count = new->coverage_count;
        input.load_numbers = new->load_numbers;
        input.load_count = new->load_count;
    }
    return same_as_of && run_plan_same(&input, new) && plan_same_zones(old, new);
}

/* In a transaction with one snapshot. *crashed: the run a crash left, or 0; *resume: it is the one to continue. */
static bool plan_in_snapshot(struct batch_run *run, int64_t *crashed, bool *resume, struct error *err)
{
    struct run_plan plan = {.run_no = 0};
    struct run_plan old = {.run_no = 0};
    bool done = false;

    if (!store_runs_crashed(run->pg, crashed, err) || !store_runs_input(run->pg, &plan, err) ||
        !plan_choose_segments(run, &plan, err) || !plan_decide_as_of(run, &plan, err)) {
        goto out;
    }
    if (*crashed > 0) {
        if (!store_runs_load(run->pg, *crashed, &old, err)) {
            goto out;
        }
        *resume = plan_resumable(run, &old, &plan);
    }
    if (*resume) {
        run->plan = old;
        old = (struct run_plan){.run_no = 0};
    } else if (run->request.resume) {
        error_set(err, ERROR_USAGE, "%s",
                  *crashed > 0 ? "the run a crash left computed something else" : "there is no run to resume");
        error_hint(err, "begin a new one: 'muster-batch run'");
        goto out;
    } else {
        if ((*crashed > 0 && !store_runs_end(run->pg, *crashed, "abandoned", err)) ||
            !store_runs_begin(run->pg, &plan, err)) {
            goto out;
        }
        run->plan = plan;
        plan = (struct run_plan){.run_no = 0};
    }
    done = true;
out:
    run_plan_clear(&plan);
    run_plan_clear(&old);
    return done;
}

bool plan_make(struct batch_run *run, struct error *err)
{
    int64_t crashed = 0;
    bool done = false;

    if (!pg_begin(run->pg, "ISOLATION LEVEL REPEATABLE READ", err)) {
        return false;
    }
    if (!plan_in_snapshot(run, &crashed, &run->resumed, err) ||
        (!run->resumed &&
         (!store_runs_step_begin(run->pg, run->plan.run_no, RUN_STEP_PLAN, RUN_LANE_WHOLE, &done, err) ||
          !store_runs_step_end(run->pg, run->plan.run_no, RUN_STEP_PLAN, RUN_LANE_WHOLE, false,
                               (int64_t)run->plan.segment_count, "", err))) ||
        !pg_commit(run->pg, err)) {
        pg_abort(run->pg);
        return error_context(err, "plan");
    }
    if (crashed > 0 && !run->resumed) {
        log_warning("run %" PRId64 " did not end and computes something else by now: abandoned", crashed);
    }
    return plan_compile(run, err) ? true : error_context(err, "plan");
}
