/* Alerts: one open row per (kind, subject), a line in the log and in alerts.log, sent once per change of state. */
#include "reconcile/pass.h"

#include "common/base/log.h"
#include "common/base/output.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE_MAX = 8192 };

/* Appends one JSON line to alerts.log. A file that cannot be written is said, and stops nothing: the table has the
 * alert. */
static void alert_file(const struct reconciler *reconciler, const char *state, const char *kind, const char *subject,
                       const char *message)
{
    const char *path = config_text(reconciler->config, "alerts.log");
    struct buffer line;
    char now[TIMESTAMP_TEXT_SIZE];
    struct error err = ERROR_INIT;
    FILE *file;
    bool ok = false;

    if (path[0] == '\0') {
        return;
    }
    buffer_init(&line, LINE_SIZE_MAX);
    buffer_append_format(&line, "{\"at\":\"%s\",\"state\":\"%s\",\"kind\":", timestamp_text(timestamp_now(), now),
                         state);
    output_append_json(&line, slice_from(kind));
    buffer_append_text(&line, ",\"subject\":");
    output_append_json(&line, slice_from(subject));
    buffer_append_text(&line, ",\"message\":");
    output_append_json(&line, slice_from(message));
    buffer_append_text(&line, "}\n");
    file = fopen(path, "a");
    if (file != NULL && buffer_finish(&line, "an alert", &err)) {
        ok = fwrite(line.data, 1, line.size, file) == line.size;
    }
    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    if (!ok) {
        log_warning("could not write to alerts.log: %s", errno != 0 ? strerror(errno) : err.message);
    }
    buffer_clear(&line);
}

/* Runs a statement that returns a row where the state changed. */
static bool alert_change(struct reconciler *reconciler, const char *sql, const char *kind, const char *subject,
                         const char *message, bool *out_changed, struct error *err)
{
    struct pg_value values[3] = {pg_text(slice_from(kind)), pg_text(slice_from(subject)), pg_text(slice_from(message))};
    PGresult *result = NULL;

    if (!pg_query(reconciler->write, sql, values, 3, &result, err)) {
        return error_context(err, "could not store an alert");
    }
    *out_changed = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

bool alert_raise(struct reconciler *reconciler, const char *kind, const char *subject, const char *message,
                 struct error *err)
{
    bool changed = false;

    if (!alert_change(reconciler,
                      "INSERT INTO alerts (kind, subject, state, message) VALUES ($1, $2, 'raised', $3) "
                      "ON CONFLICT (kind, subject) WHERE state = 'raised' DO NOTHING RETURNING alert_no",
                      kind, subject, message, &changed, err)) {
        return false;
    }
    if (changed) {
        log_warning("alert %s %s: %s", kind, subject, message);
        alert_file(reconciler, "raised", kind, subject, message);
    }
    return true;
}

bool alert_resolve(struct reconciler *reconciler, const char *kind, const char *subject, const char *message,
                   struct error *err)
{
    bool changed = false;

    if (!alert_change(
            reconciler,
            "UPDATE alerts SET state = 'resolved', resolved_at = clock_timestamp() "
            "WHERE kind = $1 AND subject = $2 AND state = 'raised' AND $3::text IS NOT NULL RETURNING alert_no",
            kind, subject, message, &changed, err)) {
        return false;
    }
    if (changed) {
        log_info("alert %s %s is over: %s", kind, subject, message);
        alert_file(reconciler, "resolved", kind, subject, message);
    }
    return true;
}

/* A lane that stands still is an alarm of its own: a silent stream must never look like one that agrees. */
bool freshness_check(struct reconciler *reconciler, struct error *err)
{
    PGresult *result = NULL;
    bool ok = true;

    if (!pg_query(reconciler->write,
                  "SELECT l.lane, (extract(epoch FROM clock_timestamp() - l.updated_at) * 1000)::bigint, a.alert_no IS "
                  "NOT NULL "
                  "FROM lanes l LEFT JOIN alerts a ON a.kind = 'freshness' AND a.subject = 'lane ' || l.lane AND "
                  "a.state = 'raised' "
                  "WHERE l.epoch > 0 ORDER BY l.lane",
                  NULL, 0, &result, err)) {
        return false;
    }
    for (int row = 0; ok && row < PQntuples(result); row++) {
        int64_t age_ms = pg_integer_at(result, row, 1, 0);
        char subject[32];
        char message[128];

        (void)snprintf(subject, sizeof subject, "lane %" PRId64, pg_integer_at(result, row, 0, 0));
        if (age_ms > reconciler->freshness_ms) {
            (void)snprintf(message, sizeof message,
                           "the stream has not moved for %" PRId64 " s: is muster-stream running?", age_ms / 1000);
            ok = alert_raise(reconciler, "freshness", subject, message, err);
        } else if (pg_boolean_at(result, row, 2)) {
            ok = alert_resolve(reconciler, "freshness", subject, "the stream moves again", err);
        }
    }
    PQclear(result);
    return ok;
}
