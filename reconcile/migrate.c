/* Brings the store to this program's schema: roles, migrations, lanes, settings, privileges.
 *
 * Forward only: each migration runs once, in a transaction of its own under a lock, and its SHA-256 is kept, so that a
 * changed file or a store from a newer program is refused instead of half understood. Doing it again changes nothing.
 */
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/io/store.h"
#include "reconcile/commands.h"
#include "sql_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct migration_summary {
    int applied;
    bool roles_complete;
    bool database_closed;
};

/* ---- roles ------------------------------------------------------------------------------------------------------- */

static bool query_flag(struct pg *pg, const char *sql, const struct pg_value *values, size_t count, bool *out,
                       struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, sql, values, count, &result, err)) {
        return false;
    }
    *out = PQntuples(result) > 0 && pg_boolean_at(result, 0, 0);
    PQclear(result);
    return true;
}

static bool role_exists(struct pg *pg, const char *role, bool *out, struct error *err)
{
    struct pg_value value = pg_text(slice_from(role));

    return query_flag(pg, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", &value, 1, out, err);
}

/* The password goes into the statement quoted by libpq; the server hashes it. */
static bool role_create(struct pg *pg, const char *role, const char *password, struct error *err)
{
    struct buffer sql;
    char *quoted = NULL;
    bool ok = false;

    buffer_init(&sql, 4096);
    buffer_append_format(&sql, "CREATE ROLE %s LOGIN", role);
    if (password != NULL) {
        quoted = PQescapeLiteral(pg_connection(pg), password, strlen(password));
        if (quoted == NULL) {
            error_set(err, ERROR_USAGE, "the password of role %s is not valid UTF-8", role);
            goto out;
        }
        buffer_append_text(&sql, " PASSWORD ");
        buffer_append_text(&sql, quoted);
    }
    if (!buffer_finish(&sql, "statement", err)) {
        goto out;
    }
    ok = pg_script(pg, buffer_text(&sql), err);

out:
    PQfreemem(quoted);
    buffer_clear(&sql);
    return ok;
}

/* A superuser migrates on behalf of muster_owner, so that the store's functions do not run with its powers. */
static bool owner_become(struct pg *pg, struct error *err)
{
    bool superuser = false;
    bool exists = false;

    if (!query_flag(pg, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", NULL, 0, &superuser, err)) {
        return false;
    }
    if (!superuser) {
        return true;
    }
    if (!role_exists(pg, "muster_owner", &exists, err) ||
        (!exists && !pg_script(pg, "CREATE ROLE muster_owner NOLOGIN", err))) {
        return false;
    }
    return pg_script(pg,
                     "DO $$ BEGIN EXECUTE format('GRANT CREATE, CONNECT, TEMPORARY ON DATABASE %I TO muster_owner', "
                     "current_database()); END $$; SET ROLE muster_owner",
                     err);
}

/* Creates the login roles, or says how. */
static bool roles_ensure(struct pg *pg, bool *complete, struct error *err)
{
    bool may_create = false;

    *complete = true;
    if (!query_flag(pg, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user", NULL, 0,
                    &may_create, err)) {
        return false;
    }
    for (enum store_role role = STORE_ROLE_BATCH; role <= STORE_ROLE_OPERATOR; role++) {
        bool exists = false;

        if (!role_exists(pg, store_role_name(role), &exists, err)) {
            return false;
        }
        if (exists) {
            continue;
        }
        if (may_create) {
            if (!role_create(pg, store_role_name(role), store_role_password(role), err)) {
                return error_context(err, "creating role %s", store_role_name(role));
            }
        } else {
            if (*complete) {
                printf("-- to be run by a role that may create roles; then run muster-reconcile migrate again\n");
            }
            printf("CREATE ROLE %s LOGIN;\n", store_role_name(role));
            *complete = false;
        }
    }
    return true;
}

/* No role may make temporary tables or tables in public: both could stand in front of the store's. */
static bool database_close(struct pg *pg, bool *closed, struct error *err)
{
    if (!pg_script(
            pg,
            "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());"
            "IF to_regnamespace('public') IS NOT NULL THEN REVOKE CREATE ON SCHEMA public FROM PUBLIC; END IF; END $$",
            err)) {
        return false;
    }
    return query_flag(
        pg,
        "SELECT NOT bool_or(has_database_privilege(rolname, current_database(), 'TEMPORARY')) FROM pg_roles "
        "WHERE rolname IN ('muster_batch', 'muster_stream', 'muster_reconcile', 'muster_operator')",
        NULL, 0, closed, err);
}

/* ---- migrations -------------------------------------------------------------------------------------------------- */

static bool migration_digest(const struct sql_migration *migration, unsigned char digest[SHA256_SIZE],
                             struct error *err)
{
    return sha256_of(slice_from(migration->text), digest, err);
}

static bool migrations_prepare(struct pg *pg, struct error *err)
{
    return pg_script(pg,
                     "CREATE SCHEMA IF NOT EXISTS muster; CREATE TABLE IF NOT EXISTS muster.migrations ("
                     "number integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL, "
                     "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
                     err);
}

/* Looks at the row of a migration that was applied before. */
static bool migration_check(struct pg *pg, const struct sql_migration *migration, bool *applied, struct error *err)
{
    unsigned char digest[SHA256_SIZE];
    struct pg_value values[2];
    PGresult *result = NULL;
    bool same;

    if (!migration_digest(migration, digest, err)) {
        return false;
    }
    pg_set_integer(&values[0], migration->number);
    values[1] = pg_bytes(slice_of((const char *)digest, sizeof digest));
    if (!pg_query(pg, "SELECT sha256 = $2::bytea FROM muster.migrations WHERE number = $1::integer", values, 2, &result,
                  err)) {
        return false;
    }
    *applied = PQntuples(result) == 1;
    same = *applied && pg_boolean_at(result, 0, 0);
    PQclear(result);
    if (*applied && !same) {
        error_set(err, ERROR_USAGE, "migration %s differs from the one that was applied to the store", migration->name);
        return error_hint(err, "use the Muster that made the store; an applied migration never changes");
    }
    return true;
}

static bool migration_apply(struct pg *pg, const struct sql_migration *migration, struct error *err)
{
    unsigned char digest[SHA256_SIZE];
    struct pg_value values[3];
    bool ok;

    if (!migration_digest(migration, digest, err)) {
        return false;
    }
    pg_set_integer(&values[0], migration->number);
    values[1] = pg_text(slice_from(migration->name));
    values[2] = pg_bytes(slice_of((const char *)digest, sizeof digest));
    ok = pg_begin(pg, "", err) && pg_script(pg, migration->text, err) &&
         pg_query(pg, "INSERT INTO muster.migrations (number, name, sha256) VALUES ($1::integer, $2, $3::bytea)",
                  values, 3, NULL, err) &&
         pg_commit(pg, err);
    if (!ok) {
        pg_abort(pg);
        return error_context(err, "migration %s", migration->name);
    }
    log_info("applied migration %s", migration->name);
    return true;
}

static bool migrations_run(struct pg *pg, int *applied_count, struct error *err)
{
    PGresult *result = NULL;
    int64_t newest;

    if (!migrations_prepare(pg, err) ||
        !pg_query(pg, "SELECT max(number) FROM muster.migrations", NULL, 0, &result, err)) {
        return false;
    }
    newest = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    if (newest > sql_migrations[sql_migration_count - 1].number) {
        return store_version_check(pg, err);
    }
    for (size_t i = 0; i < sql_migration_count; i++) {
        bool applied = false;

        if (!migration_check(pg, &sql_migrations[i], &applied, err)) {
            return false;
        }
        if (!applied) {
            if (!migration_apply(pg, &sql_migrations[i], err)) {
                return false;
            }
            (*applied_count)++;
        }
    }
    return true;
}

/* ---- settings and lanes ------------------------------------------------------------------------------------------ */

static bool setting_insert(void *context, const char *name, const char *value, struct error *err)
{
    struct pg_value values[2] = {pg_text(slice_from(name)), pg_text(slice_from(value))};

    return pg_query(context, "INSERT INTO settings (name, value) VALUES ($1, $2)", values, 2, NULL, err);
}

/* A purpose that is opt_out is made now, before there are users, so that every user gets its row. */
static bool purposes_make(struct pg *pg, struct error *err)
{
    return pg_query(
        pg, "SELECT purpose_ensure(substr(name, 9), 'consent') FROM settings WHERE name LIKE 'consent.%' ORDER BY name",
        NULL, 0, NULL, err);
}

static bool lanes_make(struct pg *pg, int64_t lane_count, struct error *err)
{
    for (int64_t lane = 0; lane < lane_count; lane++) {
        struct pg_value value;

        pg_set_integer(&value, lane);
        if (!pg_query(pg, "SELECT lane_create($1::integer, 3)", &value, 1, NULL, err)) {
            return false;
        }
    }
    return true;
}

/* The first time: stores the settings. Later: compares them. */
static bool settings_store(struct pg *pg, const struct config *config, struct error *err)
{
    struct pg_value grace;
    bool stored = false;

    if (!query_flag(pg, "SELECT EXISTS (SELECT FROM settings WHERE name = 'time.clock')", NULL, 0, &stored, err)) {
        return false;
    }
    if (stored ? !store_settings_check(pg, config, err) : !store_settings_each(config, setting_insert, pg, err)) {
        return false;
    }
    pg_set_integer(&grace, config_duration_ms(config, "reconcile.grace"));
    return pg_query(pg,
                    "INSERT INTO settings (name, value) VALUES ('reconcile.grace', $1) "
                    "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    &grace, 1, NULL, err) &&
           purposes_make(pg, err) && lanes_make(pg, config_integer(config, "topics.partitions"), err);
}

/* ---- command ----------------------------------------------------------------------------------------------------- */

static bool migrate_locked(struct pg *pg, const struct config *config, struct migration_summary *summary,
                           struct error *err)
{
    if (!roles_ensure(pg, &summary->roles_complete, err) || !database_close(pg, &summary->database_closed, err) ||
        !owner_become(pg, err) || !migrations_run(pg, &summary->applied, err)) {
        return false;
    }
    if (!pg_begin(pg, "", err) || !settings_store(pg, config, err) ||
        (summary->roles_complete && !pg_script(pg, sql_store_grants, err)) || !pg_commit(pg, err)) {
        pg_abort(pg);
        return false;
    }
    return true;
}

static void summary_print(const struct migration_summary *summary)
{
    if (summary->applied == 0) {
        printf("the store is up to date: migration %d\n", sql_migrations[sql_migration_count - 1].number);
    } else {
        printf("applied %d migration%s: the store is at migration %d\n", summary->applied,
               summary->applied == 1 ? "" : "s", sql_migrations[sql_migration_count - 1].number);
    }
    if (summary->roles_complete && !summary->database_closed) {
        log_warning("the roles may still make temporary tables; the database's owner should run: "
                    "REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC");
    }
}

static bool migrate_run(const struct command_line *line, struct error *err)
{
    struct migration_summary summary = {0};
    const struct config *config = NULL;
    struct pg *pg = NULL;
    const char *conninfo;
    const char *user = NULL;
    bool ok;

    if (!command_config(line, &config, err)) {
        return false;
    }
    conninfo = config_text(config, "store.admin_conninfo");
    if (conninfo[0] == '\0') {
        conninfo = config_text(config, "store.conninfo");
        user = "muster_owner";
    }
    if (conninfo[0] == '\0') {
        error_set(err, ERROR_USAGE, "store.admin_conninfo and store.conninfo are not set");
        return error_hint(err, "set one in the configuration or as MUSTER_STORE_ADMIN_CONNINFO");
    }
    if (!pg_open_as(conninfo, "muster_migrate", user, getenv("MUSTER_STORE_PASSWORD_OWNER"), &pg, err)) {
        return false;
    }
    /* The lock lasts until the session ends. */
    ok = pg_script(pg, "SET lock_timeout = '120s'; SELECT pg_advisory_lock(1836413812, 3)", err) &&
         migrate_locked(pg, config, &summary, err);
    pg_close(pg);
    if (ok) {
        summary_print(&summary);
    }
    return ok;
}

const struct command command_migrate = {
    .name = "migrate",
    .arguments = "",
    .summary = "make or upgrade the audience store",
    .help =
        "Connects with store.admin_conninfo, else with store.conninfo (as muster_owner where it names no user). "
        "Creates the\n"
        "login roles muster_batch, muster_stream, muster_reconcile and muster_operator where it may (passwords from\n"
        "MUSTER_STORE_PASSWORD_BATCH, _STREAM, _RECONCILE, _OPERATOR), else prints the statements for somebody who "
        "may.\n"
        "Settings that fix the meaning of what is stored (time.clock, time.dedup, time.future_skew, topics, "
        "partitions, consent\n"
        "defaults) are stored the first time and compared later.",
    .run = migrate_run,
};
