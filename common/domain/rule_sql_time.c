/* Calendar periods and timestamps of traits in generated SQL. */
#include "common/base/timestamp.h"
#include "common/domain/rule_sql_parts.h"

#include <inttypes.h>
#include <stdio.h>

void rule_sql_template(struct buffer *out, const char *text, const char *const *words)
{
    for (; *text != '\0'; text++) {
        if (text[0] == '{' && text[1] >= '0' && text[1] <= '9' && text[2] == '}') {
            buffer_append_text(out, words[text[1] - '0']);
            text += 2;
        } else {
            buffer_append_char(out, *text);
        }
    }
}

/* ---- calendars ---- */

const char *rule_sql_calendar(struct rule_sql *sql, const struct criterion *criterion, enum rule_period period,
                              struct slice zone, int32_t ahead)
{
    struct sql_calendar *calendar = NULL;

    for (size_t i = 0; i < sql->calendar_count && calendar == NULL; i++) {
        if (sql->calendars[i].period == period && slice_equal(sql->calendars[i].zone, zone)) {
            calendar = &sql->calendars[i];
        }
    }
    if (calendar == NULL && sql->calendar_count == SQL_CALENDARS_MAX) {
        (void)rule_sql_refuse(sql, criterion, "more than 64 different calendars");
        return "";
    }
    if (calendar == NULL) {
        calendar = &sql->calendars[sql->calendar_count++];
        *calendar = (struct sql_calendar){.period = period, .zone = zone};
        calendar->name = rule_sql_name("k", (unsigned)sql->calendar_count, slice_from(rule_period_name(period)), "s");
    }
    calendar->ahead = ahead > calendar->ahead ? ahead : calendar->ahead;
    return calendar->name.text;
}

/* How many days or months a step is, as an interval times `count`. */
static void step_text(enum rule_period period, int64_t count, char text[32])
{
    switch (period) {
    case RULE_WEEK:
        (void)snprintf(text, 32, "%" PRId64 " days", count * 7);
        return;
    case RULE_MONTH:
        (void)snprintf(text, 32, "%" PRId64 " months", count);
        return;
    case RULE_QUARTER:
        (void)snprintf(text, 32, "%" PRId64 " months", count * 3);
        return;
    case RULE_YEAR:
        (void)snprintf(text, 32, "%" PRId64 " months", count * 12);
        return;
    default:
        (void)snprintf(text, 32, "%" PRId64 " days", count);
        return;
    }
}

/* {0} CTE, {1} period, {2} zone, {3} step, {4} steps ahead. `before` is where midnight is by the offset of the day
 * before, `after` by that of the day after: the earlier one at which the clock shows midnight or later is the first of
 * two midnights, or the instant of a jump over midnight. */
static const char postgres_calendar[] =
    ",\n\n{0} AS (\n"
    "    -- every {1} in {2}, numbered: [starts, ends)\n"
    "    SELECT k, starts, lead(starts) OVER (ORDER BY k) AS ends\n"
    "    FROM (SELECT k, (extract(epoch FROM CASE\n"
    "                  WHEN least(before, after) AT TIME ZONE 'UTC' AT TIME ZONE {2} >= midnight\n"
    "                  THEN least(before, after) ELSE greatest(before, after) END) * 1000)::bigint AS starts\n"
    "          FROM (SELECT row_number() OVER (ORDER BY midnight) AS k, midnight,\n"
    "                       midnight - ((midnight - interval '1 day') AT TIME ZONE 'UTC' AT TIME ZONE {2}\n"
    "                                   - (midnight - interval '1 day')) AS before,\n"
    "                       midnight - ((midnight + interval '1 day') AT TIME ZONE 'UTC' AT TIME ZONE {2}\n"
    "                                   - (midnight + interval '1 day')) AS after\n"
    "                FROM (SELECT generate_series(date_trunc('{1}', first_event) - 2 * interval '{3}',\n"
    "                                             as_of + interval '{4}', interval '{3}') AS midnight\n"
    "                      FROM (SELECT timestamp '1970-01-01' + min(f.event_time) * interval '1 millisecond' AS "
    "first_event,\n"
    "                                   timestamp '1970-01-01' + max(p.as_of) * interval '1 millisecond' AS as_of\n"
    "                            FROM facts f CROSS JOIN parameters p) bounds) midnights) offsets) "
    "instants_of_midnight\n"
    ")";

static const char duckdb_calendar[] =
    ",\n\n{0} AS (\n"
    "    -- every {1} in {2}, numbered: [starts, ends)\n"
    "    SELECT k, starts, lead(starts) OVER (ORDER BY k) AS ends\n"
    "    FROM (SELECT k, epoch_ms(CASE\n"
    "                  WHEN least(before, after) AT TIME ZONE 'UTC' AT TIME ZONE {2} >= midnight\n"
    "                  THEN least(before, after) ELSE greatest(before, after) END) AS starts\n"
    "          FROM (SELECT row_number() OVER (ORDER BY midnight) AS k, midnight,\n"
    "                       midnight - ((midnight - INTERVAL '1 day') AT TIME ZONE 'UTC' AT TIME ZONE {2}\n"
    "                                   - (midnight - INTERVAL '1 day')) AS before,\n"
    "                       midnight - ((midnight + INTERVAL '1 day') AT TIME ZONE 'UTC' AT TIME ZONE {2}\n"
    "                                   - (midnight + INTERVAL '1 day')) AS after\n"
    "                FROM (SELECT unnest(generate_series(CAST(date_trunc('{1}', first_event) AS TIMESTAMP)\n"
    "                                                    - INTERVAL '{3}' - INTERVAL '{3}',\n"
    "                                                    as_of + INTERVAL '{4}', INTERVAL '{3}')) AS midnight\n"
    "                      FROM (SELECT TIMESTAMP '1970-01-01' + to_milliseconds(min(f.event_time)) AS first_event,\n"
    "                                   TIMESTAMP '1970-01-01' + to_milliseconds(max(p.as_of)) AS as_of\n"
    "                            FROM facts f CROSS JOIN parameters p) bounds) midnights) offsets) "
    "instants_of_midnight\n"
    ")";

/* {5} a day's period, {6} its first day k periods on, {7} days of the shortest period, {8} periods ahead. Times are
 * milliseconds throughout: Spark's timestamps depend on the zone of the session, what these functions make of them does
 * not. */
static const char spark_calendar[] =
    ",\n\n{0} AS (\n"
    "    -- every {1} in {2}, numbered: [starts, ends)\n"
    "    SELECT k, starts, lead(starts) OVER (ORDER BY k) AS ends\n"
    "    FROM (SELECT k, CASE\n"
    "                  WHEN unix_millis(from_utc_timestamp(timestamp_millis(least(before, after)), {2})) >= midnight\n"
    "                  THEN least(before, after) ELSE greatest(before, after) END AS starts\n"
    "          FROM (SELECT k, midnight,\n"
    "                       midnight - (unix_millis(from_utc_timestamp(timestamp_millis(midnight - 86400000), {2}))\n"
    "                                   - (midnight - 86400000)) AS before,\n"
    "                       midnight - (unix_millis(from_utc_timestamp(timestamp_millis(midnight + 86400000), {2}))\n"
    "                                   - (midnight + 86400000)) AS after\n"
    "                FROM (SELECT k, CAST(unix_date({6}) AS BIGINT) * 86400000 AS midnight\n"
    "                      FROM (SELECT first_day, explode(sequence(-2, CAST(days / {7} AS INT) + {8})) AS k\n"
    "                            FROM (SELECT {5} AS first_day, datediff(as_of, first_event) AS days\n"
    "                                  FROM (SELECT date_from_unix_date(CAST(floor(min(f.event_time) / 86400000) AS "
    "INT)) AS first_event,\n"
    "                                               date_from_unix_date(CAST(floor(max(p.as_of) / 86400000) AS INT)) "
    "AS as_of\n"
    "                                        FROM facts f CROSS JOIN parameters p) bounds) numbered) periods) "
    "midnights) offsets)\n"
    "         instants_of_midnight\n"
    ")";

/* What a period is in Spark. */
struct spark_period {
    const char *first_day;
    const char *later;
    const char *days;
};

static const struct spark_period spark_periods[] = {
    [RULE_DAY] = {"first_event", "date_add(first_day, k)", "1"},
    [RULE_WEEK] = {"trunc(first_event, 'WEEK')", "date_add(first_day, k * 7)", "7"},
    [RULE_MONTH] = {"trunc(first_event, 'MONTH')", "add_months(first_day, k)", "28"},
    [RULE_QUARTER] = {"trunc(first_event, 'QUARTER')", "add_months(first_day, k * 3)", "90"},
    [RULE_YEAR] = {"trunc(first_event, 'YEAR')", "add_months(first_day, k * 12)", "365"},
};

void rule_sql_calendars(struct rule_sql *sql, struct buffer *out)
{
    static const char *const calendars[] = {NULL, postgres_calendar, duckdb_calendar, spark_calendar};

    for (size_t i = 0; i < sql->calendar_count; i++) {
        const struct sql_calendar *calendar = &sql->calendars[i];
        const struct spark_period *spark = &spark_periods[calendar->period];
        struct buffer *zone = &sql->scratch;
        char step[32];
        char ahead[32];
        char periods[16];

        buffer_reset(zone);
        rule_sql_literal(sql, zone, calendar->zone);
        step_text(calendar->period, 1, step);
        step_text(calendar->period, (int64_t)calendar->ahead + 3, ahead);
        (void)snprintf(periods, sizeof periods, "%" PRId64, (int64_t)calendar->ahead + 3);
        rule_sql_template(out, calendars[sql->dialect],
                          (const char *const[]){calendar->name.text, rule_period_name(calendar->period),
                                                buffer_text(zone), step, ahead, spark->first_day, spark->later,
                                                spark->days, periods});
    }
}

/* ---- timestamps in traits ---- */

/* The form of a timestamp. In Spark "$" matches before a newline that ends the text, too. */
#define FORM(end)                                                                                                      \
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(" end "|[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:"                    \
    "([0-5][0-9]|60)([.][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])" end ")"

/* {0} the value's columns, {1} whether the text has that form, {2} days since 1970, NULL for a date that does not
 * exist, {3} up to three digits of the fraction. Casts stand where CASE lets only what can be cast pass. */
static const char instant_of[] =
    "CASE WHEN {0}_number % 1 = 0 THEN CAST({0}_number AS BIGINT)\n"
    "                WHEN {1}\n"
    "                THEN {2} * 86400000\n"
    "                     + CASE WHEN length({0}_text) = 10 THEN 0 ELSE\n"
    "                           CAST(substr({0}_text, 12, 2) AS BIGINT) * 3600000\n"
    "                           + CAST(substr({0}_text, 15, 2) AS BIGINT) * 60000\n"
    "                           + CAST(substr({0}_text, 18, 2) AS BIGINT) * 1000\n"
    "                           + CASE WHEN substr({0}_text, 20, 1) = '.' THEN CAST(rpad({3}, 3, '0') AS BIGINT) ELSE "
    "0 END\n"
    "                           - CASE WHEN right({0}_text, 1) IN ('Z', 'z') THEN 0 ELSE\n"
    "                                 CASE WHEN substr({0}_text, length({0}_text) - 5, 1) = '-' THEN -1 ELSE 1 END\n"
    "                                 * (CAST(substr({0}_text, length({0}_text) - 4, 2) AS BIGINT) * 60\n"
    "                                    + CAST(right({0}_text, 2) AS BIGINT)) * 60000 END END END";

/* PostgreSQL 15 has no cast that gives NULL: the day is compared with the length of its month first. */
static const char postgres_days[] =
    "CASE WHEN substr({0}_text, 1, 4) = '0000' THEN NULL\n"
    "                     WHEN substr({0}_text, 9, 2)::int >\n"
    "                         extract(day FROM make_date(substr({0}_text, 1, 4)::int, substr({0}_text, 6, 2)::int, 1)\n"
    "                                          + interval '1 month' - interval '1 day') THEN NULL\n"
    "                     ELSE (make_date(substr({0}_text, 1, 4)::int, substr({0}_text, 6, 2)::int,\n"
    "                                     substr({0}_text, 9, 2)::int) - date '1970-01-01')::bigint END";

void rule_sql_instant(struct rule_sql *sql, struct buffer *out, const char *value)
{
    static const char *const tests[] = {NULL, "{0}_text ~ '{1}'", "regexp_matches({0}_text, '{1}')",
                                        "{0}_text RLIKE '{1}'"};
    static const char *const days[] = {NULL, postgres_days,
                                       "(try_cast(substr({0}_text, 1, 10) AS DATE) - DATE '1970-01-01')",
                                       "CAST(datediff(try_cast(substr({0}_text, 1, 10) AS DATE), DATE '1970-01-01') AS "
                                       "BIGINT)"};
    static const char *const fractions[] = {NULL, "substring({0}_text FROM '[.]([0-9]{1,3})')",
                                            "regexp_extract({0}_text, '[.]([0-9]{1,3})', 1)",
                                            "regexp_extract({0}_text, '[.]([0-9]{1,3})', 1)"};
    const char *const *texts[] = {tests, days, fractions};
    struct buffer parts[3];

    for (size_t i = 0; i < 3; i++) {
        buffer_init(&parts[i], 1 << 14);
        rule_sql_template(&parts[i], texts[i][sql->dialect],
                          (const char *const[]){value, sql->dialect == SQL_SPARK ? FORM("\\\\z") : FORM("$")});
        sql->events.failed = sql->events.failed || parts[i].failed;
    }
    rule_sql_template(out, instant_of,
                      (const char *const[]){value, buffer_text(&parts[0]), buffer_text(&parts[1]),
                                            buffer_text(&parts[2])});
    for (size_t i = 0; i < 3; i++) {
        buffer_clear(&parts[i]);
    }
}

/* {0} instant, {1} years, {2} months. The engines turn 29 February into the 28th; the language wants 1 March. */
void rule_sql_anniversary(struct rule_sql *sql, struct buffer *out, const char *instant, int32_t years)
{
    static const char postgres[] =
        "(((date '1970-01-01' + floor({0} / 86400000.0)::int + interval '{1} years')::date - date '1970-01-01'\n"
        "                + CASE WHEN extract(day FROM date '1970-01-01' + floor({0} / 86400000.0)::int) <>\n"
        "                            extract(day FROM date '1970-01-01' + floor({0} / 86400000.0)::int + interval '{1} "
        "years')\n"
        "                       THEN 1 ELSE 0 END) * 86400000::bigint + {0} - floor({0} / 86400000.0)::bigint * "
        "86400000)";
    static const char duckdb[] =
        "(CAST(CAST(DATE '1970-01-01' + CAST(floor({0} / 86400000) AS INTEGER) + INTERVAL '{1} years' AS DATE) - DATE "
        "'1970-01-01'\n"
        "                + CASE WHEN day(DATE '1970-01-01' + CAST(floor({0} / 86400000) AS INTEGER)) <>\n"
        "                            day(DATE '1970-01-01' + CAST(floor({0} / 86400000) AS INTEGER) + INTERVAL '{1} "
        "years')\n"
        "                       THEN 1 ELSE 0 END AS BIGINT) * 86400000 + {0} - CAST(floor({0} / 86400000) AS BIGINT) "
        "* 86400000)";
    static const char spark[] =
        "(CAST(datediff(add_months(date_add(DATE '1970-01-01', CAST(floor({0} / 86400000) AS INT)), {2}), DATE "
        "'1970-01-01')\n"
        "                + CASE WHEN day(date_add(DATE '1970-01-01', CAST(floor({0} / 86400000) AS INT))) <>\n"
        "                            day(add_months(date_add(DATE '1970-01-01', CAST(floor({0} / 86400000) AS INT)), "
        "{2}))\n"
        "                       THEN 1 ELSE 0 END AS BIGINT) * 86400000 + {0} - CAST(floor({0} / 86400000) AS BIGINT) "
        "* 86400000)";
    char text[16];
    char months[24];

    (void)snprintf(text, sizeof text, "%" PRId32, years);
    (void)snprintf(months, sizeof months, "%" PRId64, (int64_t)years * 12);
    rule_sql_template(out,
                      sql->dialect == SQL_POSTGRES ? postgres
                      : sql->dialect == SQL_DUCKDB ? duckdb
                                                   : spark,
                      (const char *const[]){instant, text, months});
}
