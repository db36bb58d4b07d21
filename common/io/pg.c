/* Text parameters. libpq's text parameters end at the first NUL, silently: "a\0b" would be stored as "a", and two users
 * would become one. So every text parameter is checked and copied behind a NUL of its own; raw bytes go in binary.
 *
 * COMMIT. Of a transaction that has failed, COMMIT "succeeds" with the tag ROLLBACK: a writer that looks only at the
 * status believes that its rows are durable. So pg_commit compares the tag. */
#include "common/io/pg.h"

#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/io/pg_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PG_VALUES_MAX = 64 };

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Copies the first line of `message` to `text`, without libpq's severity and with the secret blotted out. */
static void scrub(const struct pg *pg, const char *message, char *text, size_t size)
{
    size_t used = 0;
    size_t secret_size = pg != NULL && pg->secret != NULL ? strlen(pg->secret) : 0;

    while (*message != '\0' && *message != '\n' && used + 4 < size) {
        if (secret_size > 0 && strncmp(message, pg->secret, secret_size) == 0) {
            memcpy(text + used, "***", 3);
            used += 3;
            message += secret_size;
        } else {
            text[used++] = *message++;
        }
    }
    text[used] = '\0';
}

static bool state_is(const char *state, const char *prefix)
{
    return strncmp(state, prefix, strlen(prefix)) == 0;
}

static bool failure_of_connection(struct pg *pg, const char *message, struct error *err)
{
    char text[512];

    scrub(pg, message, text, sizeof text);
    error_set(err, ERROR_UNREACHABLE, "connection to the store lost: %s", text[0] != '\0' ? text : "no reason given");
    error_action(err, ERROR_RETRY);
    return error_hint(err, "see that PostgreSQL is up and store.conninfo (MUSTER_STORE_CONNINFO) points at it");
}

/* Sets code, action and hint from the SQLSTATE. */
static bool failure_of_statement(const char *state, const char *text, const char *hint, struct error *err)
{
    if (state_is(state, "MU002")) {
        error_set(err, ERROR_USAGE, "%s", text);
    } else if (state_is(state, "MU004")) {
        error_set(err, ERROR_INPUT, "%s", text);
    } else if (state_is(state, "22021")) {
        error_set(err, ERROR_INPUT, "text that is not UTF-8: %s", text);
    } else if (state_is(state, "53100")) {
        error_set(err, ERROR_INTERNAL, "the store's disk is full: %s", text);
    } else if (state_is(state, "42501")) {
        error_set(err, ERROR_USAGE, "the store allows this to another role only: %s", text);
    } else {
        error_set(err, ERROR_INTERNAL, "the store refused a statement: %s [%s]", text, state);
    }
    if (hint != NULL && hint[0] != '\0') {
        error_hint(err, "%s", hint);
    } else if (state_is(state, "3F000") || state_is(state, "42P01") || state_is(state, "42883")) {
        error_hint(err, "run muster-reconcile migrate");
    } else if (state_is(state, "42501")) {
        error_hint(err, "name no user in store.conninfo: then each program takes the role that is its own");
    }
    if (state_is(state, "40") || state_is(state, "55P03")) {
        error_action(err, ERROR_RETRY);
    }
    return false;
}

bool pg_failure(struct pg *pg, const PGresult *result, struct error *err)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char text[512];

    if (message == NULL) {
        message = result == NULL ? PQerrorMessage(pg->connection) : PQresultErrorMessage(result);
    }
    if (PQstatus(pg->connection) != CONNECTION_OK || state == NULL || state_is(state, "08") || state_is(state, "57P")) {
        return failure_of_connection(pg, message, err);
    }
    scrub(pg, message, text, sizeof text);
    return failure_of_statement(state, text, PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), err);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* Takes the password out of the connection string, so that it can be scrubbed. libpq's complaint about a malformed
 * string quotes the string, so it is not passed on. */
static bool secret_take(struct pg *pg, const char *conninfo, const char *password, struct error *err)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &complaint);
    bool ok = true;

    PQfreemem(complaint);
    if (options == NULL) {
        error_set(err, ERROR_USAGE, "store.conninfo is not a valid libpq connection string");
        return error_hint(err, "write it as \"host=... port=... dbname=...\" or postgresql://HOST:PORT/DBNAME");
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "password") == 0 && option->val != NULL && option->val[0] != '\0') {
            password = option->val;
        }
    }
    if (password != NULL && password[0] != '\0') {
        pg->secret = memory_copy_text(slice_from(password));
        ok = pg->secret != NULL || error_no_memory(err, "opening the store");
    }
    PQconninfoFree(options);
    return ok;
}

bool pg_open_as(const char *conninfo, const char *program, const char *user, const char *password, struct pg **out,
                struct error *err)
{
    /* What stands before dbname is a default (an empty value is none), what stands behind it overrides the connection
     * string. */
    const char *keywords[] = {"connect_timeout", "tcp_user_timeout", "keepalives_idle", "user", "password",
                              "dbname",          "application_name", "client_encoding", NULL};
    const char *values[] = {
        "10",    "60000", "30", user != NULL ? user : "", password != NULL ? password : "", conninfo,
        program, "UTF8",  NULL};
    struct pg *pg = memory_allocate_zeroed(1, sizeof *pg);
    char text[512];

    if (pg == NULL) {
        return error_no_memory(err, "opening the store");
    }
    buffer_init(&pg->scratch, PG_PARAMETER_SIZE_MAX);
    buffer_init(&pg->outgoing, 4096);
    if (!secret_take(pg, conninfo, password, err)) {
        goto fail;
    }
    pg->connection = PQconnectdbParams(keywords, values, 1);
    if (pg->connection == NULL) {
        error_no_memory(err, "opening the store");
        goto fail;
    }
    if (PQstatus(pg->connection) != CONNECTION_OK) {
        scrub(pg, PQerrorMessage(pg->connection), text, sizeof text);
        error_set(err, ERROR_UNREACHABLE, "could not connect to the store: %s", text);
        error_action(err, ERROR_RETRY);
        error_hint(err, "see that PostgreSQL is up and store.conninfo (MUSTER_STORE_CONNINFO) points at it");
        goto fail;
    }
    PQsetNoticeReceiver(pg->connection, ignore_notice, NULL);
    if (!pg_script(pg,
                   "SET search_path = muster, pg_temp; SET timezone = 'UTC'; SET lock_timeout = '30s'; SET jit = off;"
                   "SET idle_in_transaction_session_timeout = '60s'; SET statement_timeout = '30min'; SET "
                   "intervalstyle = 'postgres';"
                   /* a killed program's locks must not outlive it until its last statement ends */
                   "SET client_connection_check_interval = '500ms'",
                   err)) {
        goto fail;
    }
    *out = pg;
    return true;

fail:
    pg_close(pg);
    return false;
}

bool pg_open(const char *conninfo, const char *program, struct pg **out, struct error *err)
{
    return pg_open_as(conninfo, program, NULL, NULL, out, err);
}

void pg_close(struct pg *pg)
{
    if (pg == NULL) {
        return;
    }
    PQfinish(pg->connection);
    if (pg->secret != NULL) {
        explicit_bzero(pg->secret, strlen(pg->secret));
    }
    memory_free(pg->secret);
    buffer_clear(&pg->scratch);
    buffer_clear(&pg->outgoing);
    memory_free(pg);
}

PGconn *pg_connection(struct pg *pg)
{
    return pg->connection;
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

struct pg_value pg_null(void)
{
    return (struct pg_value){.data = NULL};
}

struct pg_value pg_text(struct slice text)
{
    return (struct pg_value){.data = text.data != NULL ? text.data : "", .size = text.size};
}

struct pg_value pg_bytes(struct slice bytes)
{
    return (struct pg_value){.data = bytes.data != NULL ? bytes.data : "", .size = bytes.size, .binary = true};
}

void pg_set_integer(struct pg_value *value, int64_t number)
{
    int size = snprintf(value->number, sizeof value->number, "%lld", (long long)number);

    value->data = value->number;
    value->size = (size_t)size;
    value->binary = false;
}

void pg_set_boolean(struct pg_value *value, bool flag)
{
    *value = pg_text(flag ? SLICE_LITERAL("t") : SLICE_LITERAL("f"));
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

void pg_drain(struct pg *pg)
{
    PGresult *rest;

    while ((rest = PQgetResult(pg->connection)) != NULL) {
        ExecStatusType status = PQresultStatus(rest);

        PQclear(rest);
        if (status == PGRES_COPY_IN) {
            if (PQputCopyEnd(pg->connection, "given up") < 0) {
                return;
            }
        } else if (status == PGRES_COPY_OUT) {
            char *row = NULL;

            while (PQgetCopyData(pg->connection, &row, 0) > 0) {
                PQfreemem(row);
                row = NULL;
            }
        }
        if (PQstatus(pg->connection) != CONNECTION_OK) {
            return;
        }
    }
}

void pg_cancel(struct pg *pg)
{
    char text[256];
    PGcancel *cancel = PQgetCancel(pg->connection);

    if (cancel != NULL && PQtransactionStatus(pg->connection) == PQTRANS_ACTIVE) {
        (void)PQcancel(cancel, text, sizeof text);
    }
    PQfreeCancel(cancel);
    pg_drain(pg);
}

static bool result_ok(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* Copies text values behind a NUL each into pg->scratch and points `texts` at them. */
static bool values_copy(struct pg *pg, const struct pg_value *values, size_t count, const char **texts,
                        struct error *err)
{
    size_t at = 0;

    buffer_reset(&pg->scratch);
    for (size_t i = 0; i < count; i++) {
        if (values[i].data != NULL && !values[i].binary) {
            if (memchr(values[i].data, '\0', values[i].size) != NULL) {
                return error_set(err, ERROR_INPUT, "a text for the store holds U+0000 (parameter %zu)", i + 1);
            }
            buffer_append(&pg->scratch, values[i].data, values[i].size);
            buffer_append_char(&pg->scratch, '\0');
        }
    }
    if (!buffer_finish(&pg->scratch, "statement parameters", err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = values[i].data;
        if (values[i].data != NULL && !values[i].binary) {
            texts[i] = pg->scratch.data + at;
            at += values[i].size + 1;
        }
    }
    return true;
}

/* libpq's parallel arrays of parameters. */
struct parameters {
    const char *texts[PG_VALUES_MAX];
    int sizes[PG_VALUES_MAX];
    int formats[PG_VALUES_MAX];
};

static bool parameters_fill(struct pg *pg, const struct pg_value *values, size_t count, struct parameters *out,
                            struct error *err)
{
    if (count > PG_VALUES_MAX) {
        return error_set(err, ERROR_INTERNAL, "a statement has %zu parameters, the limit is %d", count, PG_VALUES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (values[i].size > PG_PARAMETER_SIZE_MAX) {
            return error_set(err, ERROR_INPUT, "a value for the store is too large (parameter %zu)", i + 1);
        }
        out->sizes[i] = (int)values[i].size;
        out->formats[i] = values[i].binary ? 1 : 0;
    }
    return values_copy(pg, values, count, out->texts, err);
}

bool pg_query(struct pg *pg, const char *sql, const struct pg_value *values, size_t value_count, PGresult **out,
              struct error *err)
{
    struct parameters parameters;
    PGresult *result;

    if (!parameters_fill(pg, values, value_count, &parameters, err)) {
        return false;
    }
    result = PQexecParams(pg->connection, sql, (int)value_count, NULL, parameters.texts, parameters.sizes,
                          parameters.formats, 0);
    if (result == NULL || !result_ok(result)) {
        pg_failure(pg, result, err);
        PQclear(result);
        return false;
    }
    if (out != NULL) {
        *out = result;
    } else {
        PQclear(result);
    }
    return true;
}

bool pg_each(struct pg *pg, const char *sql, const struct pg_value *values, size_t value_count, pg_result_visit *visit,
             void *context, struct error *err)
{
    struct parameters parameters;
    PGresult *result;
    bool ok = true;

    if (!parameters_fill(pg, values, value_count, &parameters, err)) {
        return false;
    }
    if (PQsendQueryParams(pg->connection, sql, (int)value_count, NULL, parameters.texts, parameters.sizes,
                          parameters.formats, 0) != 1 ||
        PQsetSingleRowMode(pg->connection) != 1) {
        return pg_failure(pg, NULL, err);
    }
    while (ok && (result = PQgetResult(pg->connection)) != NULL) {
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
            ok = visit(context, result, err);
        } else if (!result_ok(result)) {
            ok = pg_failure(pg, result, err);
        }
        PQclear(result);
    }
    if (!ok) {
        pg_cancel(pg);
    }
    return ok;
}

PGresult *pg_run(struct pg *pg, const char *sql, struct error *err)
{
    PGresult *result = PQexec(pg->connection, sql);

    if (result == NULL) {
        pg_failure(pg, NULL, err);
    }
    return result;
}

bool pg_script(struct pg *pg, const char *sql, struct error *err)
{
    PGresult *result = pg_run(pg, sql, err);
    bool ok = result != NULL && result_ok(result);

    if (result != NULL && !ok) {
        pg_failure(pg, result, err);
    }
    PQclear(result);
    return ok;
}

bool pg_begin(struct pg *pg, const char *mode, struct error *err)
{
    /* A reader holds no lock that a withdrawal waits for, and may think for long between two statements. */
    const char *patience =
        strstr(mode, "READ ONLY") != NULL ? "; SET LOCAL idle_in_transaction_session_timeout = '60min'" : "";
    char sql[192];
    int size = snprintf(sql, sizeof sql, "BEGIN %s%s", mode, patience);

    if (size < 0 || (size_t)size >= sizeof sql) {
        return error_set(err, ERROR_INTERNAL, "transaction mode too long");
    }
    return pg_script(pg, sql, err);
}

bool pg_commit(struct pg *pg, struct error *err)
{
    PGresult *result = pg_run(pg, "COMMIT", err);
    bool ok = false;

    if (result == NULL) {
        return false;
    }
    if (!result_ok(result)) {
        pg_failure(pg, result, err);
    } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        error_set(err, ERROR_INTERNAL, "the store rolled the transaction back instead of committing it");
        error_action(err, ERROR_RETRY);
    } else {
        ok = true;
    }
    PQclear(result);
    return ok;
}

void pg_abort(struct pg *pg)
{
    if (PQstatus(pg->connection) != CONNECTION_OK) {
        return;
    }
    pg_drain(pg);
    if (PQtransactionStatus(pg->connection) != PQTRANS_IDLE) {
        PQclear(PQexec(pg->connection, "ROLLBACK"));
    }
}

/* ---- notifications ----------------------------------------------------------------------------------------------- */

bool pg_listen(struct pg *pg, const char *channel, struct error *err)
{
    char *quoted = PQescapeIdentifier(pg->connection, channel, strlen(channel));
    char sql[128];
    int size;

    if (quoted == NULL) {
        return error_no_memory(err, "listening to the store");
    }
    size = snprintf(sql, sizeof sql, "LISTEN %s", quoted);
    PQfreemem(quoted);
    if (size < 0 || (size_t)size >= sizeof sql) {
        return error_set(err, ERROR_INTERNAL, "channel name too long");
    }
    return pg_script(pg, sql, err);
}

static bool notifications_take(struct pg *pg)
{
    PGnotify *notification;
    bool any = false;

    while ((notification = PQnotifies(pg->connection)) != NULL) {
        PQfreemem(notification);
        any = true;
    }
    return any;
}

bool pg_wait(struct pg *pg, int64_t timeout_ms, bool *notified, struct error *err)
{
    int64_t until_ms = timestamp_monotonic_ms() + timeout_ms;

    for (;;) {
        struct pollfd wait = {.fd = PQsocket(pg->connection), .events = POLLIN};
        int64_t rest_ms = until_ms - timestamp_monotonic_ms();
        int ready;

        if (PQstatus(pg->connection) != CONNECTION_OK || PQconsumeInput(pg->connection) == 0) {
            return failure_of_connection(pg, PQerrorMessage(pg->connection), err);
        }
        *notified = notifications_take(pg);
        if (*notified || rest_ms <= 0) {
            return true;
        }
        ready = poll(&wait, 1, rest_ms > 60000 ? 60000 : (int)rest_ms);
        if (ready < 0) {
            if (errno == EINTR) {
                return true; /* a signal: the caller looks whether to stop */
            }
            return error_set(err, ERROR_INTERNAL, "could not wait for the store: %s", strerror(errno));
        }
    }
}

/* ---- result cells ------------------------------------------------------------------------------------------------ */

int64_t pg_row_count(const PGresult *result)
{
    const char *text = PQcmdTuples((PGresult *)(uintptr_t)result);
    int64_t count = 0;

    for (; *text >= '0' && *text <= '9'; text++) {
        count = count * 10 + (*text - '0');
    }
    return count;
}

int64_t pg_integer_at(const PGresult *result, int row, int column, int64_t fallback)
{
    const char *text = PQgetvalue(result, row, column);
    char *end = NULL;
    long long number;

    if (text == NULL || PQgetisnull(result, row, column)) {
        return fallback;
    }
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno != 0 || end == text || *end != '\0' ? fallback : (int64_t)number;
}

bool pg_boolean_at(const PGresult *result, int row, int column)
{
    const char *text = PQgetvalue(result, row, column);

    return text != NULL && text[0] == 't';
}

struct slice pg_text_at(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        return (struct slice){.data = NULL, .size = 0};
    }
    return slice_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}
