/* muster consent: what a user has agreed to, and changing it. */
#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/cli/commands.h"
#include "common/cli/listing.h"
#include "common/io/kafka.h"
#include "common/io/serving.h"
#include "common/io/store_consent.h"
#include "common/io/store_users.h"
#include "sql_text.h"

#include <stdio.h>
#include <string.h>

static bool consent_get_run(const struct command_line *line, struct error *err)
{
    static const struct listing_column columns[] = {
        {"purpose", false}, {"state", false}, {"changed_at", true}, {"grant", false}, {"source", false}};
    struct pg_value value;
    struct pg *pg = NULL;
    int64_t user_no;
    bool ok = false;

    if (!listing_open(line, &pg, err)) {
        return false;
    }
    if (listing_user(pg, command_argument(line, 0), &user_no, err)) {
        pg_set_integer(&value, user_no);
        ok = listing_print(line, pg, sql_consent_list, &value, 1, columns, sizeof columns / sizeof columns[0], NULL,
                           err);
    }
    pg_close(pg);
    return ok;
}

static bool visit_instant(void *context, const PGresult *row, struct error *err)
{
    (void)err;
    *(int64_t *)context = pg_integer_at(row, 0, 0, TIMESTAMP_ALWAYS);
    return true;
}

/* "Now": the wall clock, or with clock = event the newest watermark. */
static bool instant_now(const struct config *config, struct pg *pg, int64_t *out_ms, struct error *err)
{
    *out_ms = timestamp_now();
    if (strcmp(config_text(config, "time.clock"), "event") != 0) {
        return true;
    }
    *out_ms = TIMESTAMP_ALWAYS;
    if (!pg_each(pg, "SELECT max(watermark) FROM lanes", NULL, 0, visit_instant, out_ms, err)) {
        return false;
    }
    if (*out_ms == TIMESTAMP_ALWAYS) {
        error_set(err, ERROR_USAGE, "with time.clock = event there is no \"now\" before the stream has run");
        return error_hint(err, "say when with --at T");
    }
    return true;
}

/* A user may withdraw before any event came: the user is made. */
static bool user_make(const struct config *config, struct pg *pg, const char *user_id, int64_t *user_no,
                      struct error *err)
{
    struct store_users *users = NULL;
    struct slice id = slice_from(user_id);
    int32_t lane = kafka_partition(id, (int32_t)config_integer(config, "topics.partitions"));
    bool ok;

    if (id.size == 0 || id.size > 256) {
        return error_set(err, ERROR_INPUT, "a user id has 1 to 256 bytes");
    }
    if (!store_users_new(&users, err)) {
        return false;
    }
    ok = store_users_intern(users, pg, &id, &lane, 1, user_no, err);
    store_users_free(users);
    return ok;
}

static void outcome_print(const struct consent_change *change, const char *purpose)
{
    switch (change->outcome) {
    case CONSENT_CHANGED:
        printf("%s %s\n", purpose, change->granted ? "granted" : "withdrawn");
        break;
    case CONSENT_UNCHANGED:
        printf("%s was %s already\n", purpose, change->granted ? "granted" : "not granted");
        break;
    case CONSENT_OLDER:
        printf("%s not changed: a newer change is known (recorded all the same)\n", purpose);
        break;
    case CONSENT_NONE:
    case CONSENT_FUTURE:
    case CONSENT_REFUSED:
        break;
    }
}

/* Takes the user out of Redis before the command returns; the queue that the withdrawal filled remains, so that a Redis
 * which is down is told later. */
static void serving_remove(const struct config *config, struct pg *pg, int64_t user_no)
{
    struct error err = ERROR_INIT;
    struct redis_written written = {0};
    struct redis *redis = NULL;
    int64_t rebuild_no = 0;

    if (redis_open(config_text(config, "redis.url"), &redis, &err) && redis_rebuild_number(redis, &rebuild_no, &err)) {
        if (rebuild_no == 0) {
            printf("memberships for it ended in the store; Redis serves no audience yet\n");
            goto out;
        }
        if (serving_publish(pg, redis, rebuild_no, &user_no, 1, &written, &err) && written.foreign == 0) {
            printf("memberships for it ended in the store and in Redis\n");
            goto out;
        }
    }
    printf("memberships for it ended in the store; the removal from Redis is queued\n");
    if (err.code != ERROR_NONE) {
        log_warning("%s", err.message);
    }

out:
    redis_close(redis);
}

static bool consent_apply_one(struct pg *pg, struct consent_change *change, struct error *err)
{
    if (!pg_begin(pg, "", err)) {
        return false;
    }
    if (!store_consent_apply(pg, change, 1, "operator", err) || !pg_commit(pg, err)) {
        pg_abort(pg);
        return false;
    }
    if (change->outcome == CONSENT_FUTURE) {
        error_set(err, ERROR_INPUT, "the change is dated further ahead than time.future_skew allows");
        return error_hint(err, "give an instant that is not in the future with --at T");
    }
    if (change->outcome == CONSENT_REFUSED) {
        return error_set(err, ERROR_INPUT, "the store knows no such purpose, and has too many to take a new one");
    }
    return true;
}

/* A misspelt purpose must not pass for a withdrawal: only what the configuration, a definition or a message has named
 * is taken. */
static bool purpose_check(struct pg *pg, const char *purpose, struct error *err)
{
    PGresult *result = NULL;
    struct pg_value value = pg_text(slice_from(purpose));
    bool known;

    if (!pg_query(pg, sql_purpose_known, &value, 1, &result, err)) {
        return false;
    }
    known = PQgetvalue(result, 0, 0)[0] == 't';
    if (!known) {
        error_set(err, ERROR_USAGE, "nothing names the purpose \"%.64s\"", purpose);
        error_hint(err,
                   "there are: %s; a definition or a message names one, or [consent] as opt_out when the store is made",
                   PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return known;
}

/* A change that is dated ahead would outlast every true one until then, whatever the clock of the store is. */
static bool instant_check(const struct config *config, int64_t at_ms, struct error *err)
{
    if (at_ms <= timestamp_now() + config_duration_ms(config, "time.future_skew")) {
        return true;
    }
    error_set(err, ERROR_USAGE, "--at lies in the future, further than time.future_skew allows");
    return error_hint(err, "say when it was said; without --at it is now");
}

static bool consent_set_run(const struct command_line *line, struct error *err)
{
    const char *purpose = command_argument(line, 1);
    const char *state = command_argument(line, 2);
    const struct config *config = NULL;
    struct consent_change change = {.purpose = slice_from(purpose), .received_at_ms = TIMESTAMP_ALWAYS};
    struct pg *pg = NULL;
    bool ok = false;

    if (strcmp(state, "granted") != 0 && strcmp(state, "withdrawn") != 0) {
        return error_set(err, ERROR_USAGE, "expected granted or withdrawn, got \"%s\"", state);
    }
    if (purpose[0] == '\0' || strlen(purpose) > 256) {
        return error_set(err, ERROR_USAGE, "a purpose has 1 to 256 bytes");
    }
    change.granted = strcmp(state, "granted") == 0;
    if (!command_config(line, &config, err) || !listing_open(line, &pg, err)) {
        return false;
    }
    if (!command_has(line, "at") ? !instant_now(config, pg, &change.changed_at_ms, err) : false) {
        goto out;
    }
    change.changed_at_ms = command_instant(line, "at", change.changed_at_ms);
    if (command_has(line, "at") && !instant_check(config, change.changed_at_ms, err)) {
        goto out;
    }
    if (!purpose_check(pg, purpose, err) || !user_make(config, pg, command_argument(line, 0), &change.user_no, err) ||
        !consent_apply_one(pg, &change, err)) {
        goto out;
    }
    outcome_print(&change, purpose);
    if (change.outcome == CONSENT_CHANGED && !change.granted) {
        serving_remove(config, pg, change.user_no);
    }
    ok = true;

out:
    pg_close(pg);
    return ok;
}

static const struct option get_options[] = {LISTING_OPTION_FORMAT, {0}};
static const struct option set_options[] = {
    {.name = "at", .kind = OPTION_INSTANT, .value = "T", .help = "when it was said (default: now)"},
    {0},
};

static const struct command consent_commands[] = {
    {.name = "get",
     .arguments = "USER",
     .summary = "list what a user has agreed to",
     .options = get_options,
     .argument_min = 1,
     .argument_max = 1,
     .run = consent_get_run},
    {.name = "set",
     .arguments = "USER PURPOSE granted|withdrawn",
     .summary = "record that a user granted or withdrew consent for a purpose",
     .help = "A withdrawal ends the user's memberships for the purpose in the same transaction. Changes count by their "
             "own date: one\n"
             "that is older than what is known is recorded and changes nothing.",
     .options = set_options,
     .argument_min = 3,
     .argument_max = 3,
     .run = consent_set_run},
    {0},
};

const struct command command_consent = {
    .name = "consent",
    .arguments = "",
    .summary = "show or change what a user has agreed to",
    .subcommands = consent_commands,
};
