#include "common/io/store_retire.h"

#include "common/io/store_apply.h"
#include "common/io/store_control.h"

#include "sql_text.h"

enum { FOUND_SEGMENT_NO = 0, FOUND_VERSION, FOUND_RETIRED, FOUND_REFERRERS };

/* Finds the segment and sees that it may be retired. */
static bool find(struct pg *pg, struct slice segment_id, struct control_line *line, struct error *err)
{
    struct pg_value value = pg_text(segment_id);
    struct slice referrers;
    PGresult *result = NULL;
    bool done = false;

    if (!pg_query(pg, sql_retire_find, &value, 1, &result, err)) {
        return false;
    }
    if (PQntuples(result) != 1) {
        error_set(err, ERROR_INPUT, "no segment \"%.*s\" in the store", (int)segment_id.size, segment_id.data);
        error_hint(err, "muster segments list shows them");
        goto out;
    }
    referrers = pg_text_at(result, 0, FOUND_REFERRERS);
    line->segment_no = (int32_t)pg_integer_at(result, 0, FOUND_SEGMENT_NO, 0);
    line->version = (int32_t)pg_integer_at(result, 0, FOUND_VERSION, 0);
    if (pg_boolean_at(result, 0, FOUND_RETIRED)) {
        error_set(err, ERROR_USAGE, "%.*s is retired already", (int)segment_id.size, segment_id.data);
        goto out;
    }
    if (referrers.size > 0) {
        error_set(err, ERROR_USAGE, "%.*s is still referred to by %.*s", (int)segment_id.size, segment_id.data,
                  (int)referrers.size, referrers.data);
        error_hint(err, "retire these first, or apply versions of them without the reference");
        goto out;
    }
    done = true;
out:
    PQclear(result);
    return done;
}

bool store_retire(struct pg *pg, struct slice segment_id, struct slice author, int32_t *out_version, struct error *err)
{
    struct control_line line = CONTROL_LINE_INIT;
    struct pg_value value;

    line.kind = CONTROL_DEFINITION_RETIRED;
    line.detail = author;
    if (!pg_begin(pg, "", err)) {
        return false;
    }
    if (!store_apply_lock(pg, err) || !find(pg, segment_id, &line, err)) {
        goto out;
    }
    pg_set_integer(&value, line.segment_no);
    if (!pg_query(
            pg,
            "UPDATE definitions SET retired_at = clock_timestamp() WHERE segment_no = $1::integer AND retired_at IS "
            "NULL",
            &value, 1, NULL, err) ||
        !store_control_append(pg, &line, NULL, err) || !pg_commit(pg, err)) {
        goto out;
    }
    *out_version = line.version;
    return true;
out:
    pg_abort(pg);
    return false;
}
