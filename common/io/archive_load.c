#include "common/io/archive_load.h"

#include "sql_text.h"

#include <inttypes.h>

static bool archive_load_find(struct pg *pg, const struct pg_value *digests, struct archive_load *out, bool *found,
                              struct error *err)
{
    PGresult *result = NULL;

    if (!pg_query(pg, sql_loads_find, digests, 2, &result, err)) {
        return false;
    }
    *found = PQntuples(result) == 1;
    if (*found) {
        out->load_no = (int32_t)pg_integer_at(result, 0, 0, 0);
        out->completed = pg_boolean_at(result, 0, 1);
        out->line_next = pg_integer_at(result, 0, 2, 1);
        out->events = pg_integer_at(result, 0, 3, 0);
        out->quarantined = pg_integer_at(result, 0, 4, 0);
    }
    PQclear(result);
    return true;
}

bool archive_load_begin(struct pg *pg, const char *source, const unsigned char sha256[SHA256_SIZE],
                        const unsigned char *mapping, struct archive_load *out, struct error *err)
{
    struct pg_value values[3];
    bool found = false;

    values[0] = pg_bytes(slice_of((const char *)sha256, SHA256_SIZE));
    values[1] = mapping == NULL ? pg_null() : pg_bytes(slice_of((const char *)mapping, SHA256_SIZE));
    values[2] = pg_text(slice_from(source));
    if (!archive_load_find(pg, values, out, &found, err)) {
        return error_context(err, "load");
    }
    if (!found && !archive_load_allowed(pg, err)) {
        return false; /* a load that may not be leaves no trace */
    }
    if (!found &&
        (!pg_query(pg, sql_loads_begin, values, 3, NULL, err) || !archive_load_find(pg, values, out, &found, err))) {
        return error_context(err, "load");
    }
    return found ? true : error_set(err, ERROR_INTERNAL, "load: it was begun, but is not there");
}

bool archive_load_advance(struct pg *pg, struct archive_load *load, const struct archive_load_step *step,
                          struct error *err)
{
    struct pg_value values[7];
    PGresult *result = NULL;
    bool advanced;

    pg_set_integer(&values[0], load->load_no);
    pg_set_integer(&values[1], load->line_next);
    pg_set_integer(&values[2], step->line_next);
    pg_set_integer(&values[3], step->events);
    pg_set_integer(&values[4], step->quarantined);
    values[5] = pg_null();
    if (step->event_time_max_ms != TIMESTAMP_ALWAYS) {
        pg_set_integer(&values[5], step->event_time_max_ms);
    }
    pg_set_boolean(&values[6], step->completed);
    if (!pg_query(pg, sql_loads_advance, values, 7, &result, err)) {
        return error_context(err, "load %" PRId32, load->load_no);
    }
    advanced = PQntuples(result) == 1;
    PQclear(result);
    if (!advanced) {
        error_set(err, ERROR_FOUND, "load %" PRId32 ": another process loads the same file", load->load_no);
        return error_hint(err, "nothing of this step was written; run one load of a file at a time");
    }
    load->line_next = step->line_next;
    load->events += step->events;
    load->quarantined += step->quarantined;
    load->completed = step->completed;
    return true;
}

bool archive_load_allowed(struct pg *pg, struct error *err)
{
    PGresult *result = NULL;
    bool begun;

    if (!pg_query(pg, "SELECT EXISTS (SELECT FROM builds)", NULL, 0, &result, err)) {
        return error_context(err, "builds");
    }
    begun = pg_boolean_at(result, 0, 0);
    PQclear(result);
    if (begun) {
        error_set(err, ERROR_USAGE, "the stream has begun already, and files are loaded before that in this version");
        return error_hint(err, "put the events into Kafka instead: 'muster produce --topic TOPIC FILE'");
    }
    return true;
}
