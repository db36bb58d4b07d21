#include "common/io/store.h"

#include "sql_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *role;
    const char *password_variable;
} store_roles[] = {
    [STORE_ROLE_NONE] = {"", ""},
    [STORE_ROLE_BATCH] = {"muster_batch", "MUSTER_STORE_PASSWORD_BATCH"},
    [STORE_ROLE_STREAM] = {"muster_stream", "MUSTER_STORE_PASSWORD_STREAM"},
    [STORE_ROLE_RECONCILE] = {"muster_reconcile", "MUSTER_STORE_PASSWORD_RECONCILE"},
    [STORE_ROLE_OPERATOR] = {"muster_operator", "MUSTER_STORE_PASSWORD_OPERATOR"},
};

const char *store_role_name(enum store_role role)
{
    return store_roles[role].role;
}

const char *store_role_password(enum store_role role)
{
    const char *password = getenv(store_roles[role].password_variable);

    return password != NULL && password[0] != '\0' ? password : NULL;
}

/* ---- version ----------------------------------------------------------------------------------------------------- */

bool store_version_check(struct pg *pg, struct error *err)
{
    PGresult *result = NULL;
    int64_t newest;
    int ours = sql_migrations[sql_migration_count - 1].number;

    if (!pg_query(pg, "SELECT to_regclass('muster.migrations') IS NOT NULL", NULL, 0, &result, err)) {
        return false;
    }
    newest = pg_boolean_at(result, 0, 0) ? 0 : -1;
    PQclear(result);
    if (newest == 0) {
        if (!pg_query(pg, "SELECT max(number) FROM migrations", NULL, 0, &result, err)) {
            return false;
        }
        newest = pg_integer_at(result, 0, 0, 0);
        PQclear(result);
    }
    if (newest <= 0) {
        error_set(err, ERROR_USAGE, "the store holds no tables of Muster");
    } else if (newest > ours) {
        error_set(err, ERROR_USAGE, "the store is at migration %lld, newer than this program (%d)", (long long)newest,
                  ours);
        return error_hint(err, "use the newer version of Muster that migrated it");
    } else if (newest < ours) {
        error_set(err, ERROR_USAGE, "the store is at migration %lld, this program needs %d", (long long)newest, ours);
    } else {
        return true;
    }
    return error_hint(err, "run muster-reconcile migrate");
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static const char *const topic_settings[] = {"topics.events", "topics.profiles", "topics.consent"};

struct consent_visit {
    store_setting_visit *visit;
    void *context;
};

/* opt_in is what an absent purpose means as well, so only the others are stored. */
static bool visit_consent(void *context, const char *key, const char *value, struct error *err)
{
    struct consent_visit *consent = context;
    char name[320];
    int size;

    if (strcmp(value, "opt_in") == 0) {
        return true;
    }
    size = snprintf(name, sizeof name, "consent.%s", key);
    if (size < 0 || (size_t)size >= sizeof name) {
        return error_set(err, ERROR_USAGE, "name of a purpose in [consent] is too long");
    }
    return consent->visit(consent->context, name, value, err);
}

bool store_settings_each(const struct config *config, store_setting_visit *visit, void *context, struct error *err)
{
    static const char *const durations[] = {"time.dedup", "time.future_skew"};
    struct consent_visit consent = {.visit = visit, .context = context};
    char number[24];

    if (!visit(context, "time.clock", config_text(config, "time.clock"), err)) {
        return false;
    }
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        snprintf(number, sizeof number, "%lld", (long long)config_duration_ms(config, durations[i]));
        if (!visit(context, durations[i], number, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof topic_settings / sizeof topic_settings[0]; i++) {
        if (!visit(context, topic_settings[i], config_text(config, topic_settings[i]), err)) {
            return false;
        }
    }
    snprintf(number, sizeof number, "%lld", (long long)config_integer(config, "topics.partitions"));
    return visit(context, "topics.partitions", number, err) &&
           config_each(config, "consent", visit_consent, &consent, err);
}

static bool setting_differs(const char *name, const char *stored, const char *configured, struct error *err)
{
    error_set(err, ERROR_USAGE, "setting %s is \"%s\", but the store was made with \"%s\"", name, configured, stored);
    return error_hint(err, "it fixes the meaning of what is stored: set it back, or use another store");
}

static bool check_setting(void *context, const char *name, const char *value, struct error *err)
{
    const PGresult *stored = context;

    for (int row = 0; row < PQntuples(stored); row++) {
        if (slice_equal_text(pg_text_at(stored, row, 0), name)) {
            return slice_equal_text(pg_text_at(stored, row, 1), value) ||
                   setting_differs(name, PQgetvalue(stored, row, 1), value, err);
        }
    }
    return setting_differs(name, strncmp(name, "consent.", 8) == 0 ? "opt_in" : "", value, err);
}

struct setting_search {
    const char *name;
    bool found;
};

static bool search_setting(void *context, const char *name, const char *value, struct error *err)
{
    struct setting_search *search = context;

    (void)value;
    (void)err;
    search->found = search->found || strcmp(search->name, name) == 0;
    return true;
}

/* The other way round: what is stored as opt_out and absent from the configuration. */
static bool check_stored(const PGresult *stored, const struct config *config, struct error *err)
{
    for (int row = 0; row < PQntuples(stored); row++) {
        struct setting_search search = {.name = PQgetvalue(stored, row, 0)};

        if (!store_settings_each(config, search_setting, &search, err)) {
            return false;
        }
        if (!search.found) {
            return setting_differs(search.name, PQgetvalue(stored, row, 1),
                                   strncmp(search.name, "consent.", 8) == 0 ? "opt_in" : "", err);
        }
    }
    return true;
}

bool store_settings_check(struct pg *pg, const struct config *config, struct error *err)
{
    PGresult *stored = NULL;
    bool ok;

    if (!pg_query(pg, "SELECT name, value FROM settings WHERE name <> 'reconcile.grace' ORDER BY name", NULL, 0,
                  &stored, err)) {
        return false;
    }
    ok = store_settings_each(config, check_setting, stored, err) && check_stored(stored, config, err);
    PQclear(stored);
    return ok;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* A store that was never migrated lacks even the role to log in with. */
static void role_missing(const char *role, struct error *err)
{
    char phrase[96];

    snprintf(phrase, sizeof phrase, "role \"%s\" does not exist", role);
    if (err->code != ERROR_UNREACHABLE || strstr(err->message, phrase) == NULL) {
        return;
    }
    error_set(err, ERROR_USAGE, "the store has no role %s", role);
    error_hint(err, "run muster-reconcile migrate");
}

bool store_open(const struct config *config, enum store_role role, struct pg **out, struct error *err)
{
    const char *conninfo = config_text(config, "store.conninfo");
    struct pg *pg = NULL;

    if (conninfo[0] == '\0') {
        error_set(err, ERROR_USAGE, "store.conninfo is not set");
        return error_hint(err, "set it in the configuration or as MUSTER_STORE_CONNINFO");
    }
    if (!pg_open_as(conninfo, store_role_name(role), store_role_name(role), store_role_password(role), &pg, err)) {
        role_missing(store_role_name(role), err);
        return false;
    }
    if (!store_version_check(pg, err) || !store_settings_check(pg, config, err)) {
        pg_close(pg);
        return false;
    }
    *out = pg;
    return true;
}
