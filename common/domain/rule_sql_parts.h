/* What the files rule_sql*.c share. */
#ifndef MUSTER_DOMAIN_RULE_SQL_PARTS_H
#define MUSTER_DOMAIN_RULE_SQL_PARTS_H

#include "common/domain/json.h"
#include "common/domain/rule_operators.h"
#include "common/domain/rule_sql.h"

enum { SQL_NAME_SIZE = 64, SQL_PATHS_MAX = 500, SQL_CALENDARS_MAX = 64, SQL_NOTE_SIZE_MAX = 1000 };

struct sql_name {
    char text[SQL_NAME_SIZE];
};

/* A property or trait that the query reads; the CTE "facts" has its columns: NAME as stored, NAME_type, NAME_number,
 * NAME_text, NAME_boolean, and for traits NAME_set. */
struct sql_path {
    const struct rule_path *path;
    bool trait;
    struct sql_name name;
};

/* What the query needs of a segment. Without a history its CTE has the (user_id, t) of members at as_of; with one it
 * has the stays (user_id, entered_at, left_at), left_at NULL where no end is known, right from as_of - since_ms on.
 * Stays do not overlap, but may touch. */
struct sql_segment {
    bool needed;
    bool history;
    bool whole; /* the history from the beginning: since_ms does not count */
    int64_t since_ms;
    struct sql_name members;
};

/* Periods of a kind in a zone: a CTE with k, starts and ends. */
struct sql_calendar {
    enum rule_period period;
    struct slice zone;
    int32_t ahead; /* periods behind the one of as_of */
    struct sql_name name;
};

struct rule_sql {
    const struct segment_set *set;
    const struct rule_sql_options *options;
    enum sql_dialect dialect;
    struct error *err;
    bool refused;          /* err is set */
    struct buffer body;    /* the CTEs of the segments that are done */
    struct buffer events;  /* of the present segment: CTEs of events, one per selector */
    struct buffer changes; /* SELECTs of instants at which something may change; only with `history` */
    struct buffer marks;   /* SELECTs of instants that requalify */
    struct buffer truth;   /* CTEs of (user_id, t) where something holds */
    struct buffer scratch;
    bool history;                        /* the present segment is looked at over time */
    struct sql_name instants;            /* the CTE of the (user_id, t) at which it is looked at */
    bool walks;                          /* some CTE is recursive */
    bool turned;                         /* under an odd number of nots: nothing requalifies */
    unsigned number;                     /* of the criterion written last */
    const struct definition *definition; /* the present one */
    unsigned segment_number;
    struct json_document document; /* of the present definition, for notes */
    struct arena arena;
    struct sql_path paths[SQL_PATHS_MAX];
    size_t path_count;
    struct sql_calendar calendars[SQL_CALENDARS_MAX];
    size_t calendar_count;
    size_t target;
    struct sql_segment *segments; /* by index into the set */
};

/* Remembers the first reason why the definition cannot be SQL. Always returns false. */
bool rule_sql_refuse(struct rule_sql *sql, const struct criterion *criterion, const char *what);

/* "PREFIX_slug" of at most 63 bytes of [a-z0-9_]; slug may be empty. */
struct sql_name rule_sql_name(const char *prefix, unsigned number, struct slice slug, const char *suffix);
void rule_sql_literal(struct rule_sql *sql, struct buffer *out, struct slice text);
/* A comment line that quotes the rule at the path. */
void rule_sql_note(struct rule_sql *sql, struct buffer *out, const char *indent, struct slice json_path);
/* One that quotes a member of what stands at the path, if it has one. */
void rule_sql_note_key(struct rule_sql *sql, struct buffer *out, const char *indent, struct slice json_path,
                       const char *key);
const char *rule_sql_operator(enum rule_operator op);
/* The name of the dialect's type. */
const char *rule_sql_bigint(const struct rule_sql *sql);
const char *rule_sql_text_type(const struct rule_sql *sql);
/* " COLLATE "C"" where strings do not compare bytewise by themselves. */
const char *rule_sql_bytewise(const struct rule_sql *sql);

/* ---- rule_sql_value.c: properties and comparisons ---- */

/* The columns' name for that path; registers it. */
const char *rule_sql_path(struct rule_sql *sql, const struct rule_path *path, bool trait);
/* CTE "facts" over the event table; of the registered paths it has the columns that `body` names. */
void rule_sql_facts(struct rule_sql *sql, struct buffer *out);
/* "NAME_type = ... AND ..." for the value whose columns begin with `value`. */
void rule_sql_comparison(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion, const char *value,
                         const struct rule_comparison *comparison);
/* The operators' conditions, for the table of operators. */
operator_sql rule_sql_equal;
operator_sql rule_sql_in;
operator_sql rule_sql_not_in;
operator_sql rule_sql_ordered;
operator_sql rule_sql_exists;
operator_sql rule_sql_contains;
operator_sql rule_sql_starts_with;
operator_sql rule_sql_ends_with;
/* The conditions of a selector on facts f. */
void rule_sql_selector(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion,
                       const struct rule_selector *selector);
/* "NAME AS value, NAME_type AS value_type, ..." */
void rule_sql_value_columns(struct buffer *out, const char *prefix, const char *name);
/* An expression equal for equal values; NULL for missing ones, arrays and objects. */
void rule_sql_key(struct rule_sql *sql, struct buffer *out, const char *value);
/* The order in which the greater value comes first. */
void rule_sql_greatest_first(struct rule_sql *sql, struct buffer *out, const char *value);
/* The exact product, rounded half-even, of `a` and `b` (numbers); NULL outside the range. */
void rule_sql_product(struct rule_sql *sql, struct buffer *out, const char *product);
void rule_sql_factors(struct rule_sql *sql, struct buffer *out, const char *a, const char *b);

/* ---- rule_sql_time.c: calendars, timestamps in traits ---- */

/* Replaces {0} to {9} by the words. */
void rule_sql_template(struct buffer *out, const char *text, const char *const *words);
/* The CTE's name; registers it. It reaches `ahead` periods beyond that of as_of. */
const char *rule_sql_calendar(struct rule_sql *sql, const struct criterion *criterion, enum rule_period period,
                              struct slice zone, int32_t ahead);
void rule_sql_calendars(struct rule_sql *sql, struct buffer *out);
/* Milliseconds of the timestamp in the value's columns, NULL where it is none. */
void rule_sql_instant(struct rule_sql *sql, struct buffer *out, const char *value);
/* `instant` plus years. */
void rule_sql_anniversary(struct rule_sql *sql, struct buffer *out, const char *instant, int32_t years);

/* ---- rule_sql_segment.c: lifetimes ---- */

/* Writes the CTEs of the segment at `index` to `body`; those it refers to are there already. */
bool rule_sql_segment(struct rule_sql *sql, size_t index);
/* The condition that the stay `stays`, or the row of (user_id, t), is at `instant`; as " AND ..." or " ON ...". */
void rule_sql_during(struct buffer *out, const struct sql_segment *segment, const char *stays, const char *instant);

/* ---- rule_sql_criterion.c ---- */

/* Writes the CTEs of the criterion; *out is the one of (user_id, t) at which it holds. `marked`: it requalifies. */
bool rule_sql_criterion(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out);
/* The same by form. */
criterion_sql rule_sql_compare;
criterion_sql rule_sql_absence;
criterion_sql rule_sql_sequence;
criterion_sql rule_sql_trait;
criterion_sql rule_sql_reference;
criterion_sql rule_sql_all;
criterion_sql rule_sql_any;
criterion_sql rule_sql_not;
criterion_sql rule_sql_percentile;
criterion_sql rule_sql_nothing;
/* Writes a CTE that combines those of `count` criteria by INTERSECT or UNION. */
bool rule_sql_criteria(struct rule_sql *sql, const struct criterion *criteria, size_t count, const char *join,
                       bool marked, struct sql_name name);

/* ---- rule_sql_events.c: CTEs of events, measures over them ---- */

/* A CTE of the events of a selector: event_no, user_id, event_time, message_id, begins, ends where the window ends, and
 * `columns` (", expression AS name" on facts f). `window` may be NULL: no begins, no ends. */
bool rule_sql_events(struct rule_sql *sql, const struct criterion *criterion, const struct rule_selector *selector,
                     const struct rule_window *window, const char *columns, const char *from, struct sql_name name);
/* " AND e.begins <= i.t AND i.t < e.ends" */
void rule_sql_counting(struct buffer *out, const struct rule_window *window, const char *events, const char *instants);
/* ", f.p1 AS same_1 ..." and its conditions. */
void rule_sql_same(struct rule_sql *sql, struct buffer *out, const struct criterion *criterion);
criterion_sql rule_sql_event;
/* A CTE with user_id, t, total, parts (value = total / parts) and events (how many count). */
bool rule_sql_measure(struct rule_sql *sql, const struct criterion *criterion, bool marked, struct sql_name *out);
/* The SELECTs at which the events' windows begin and end go to `changes`, the begins to `marks` as well. */
void rule_sql_window_changes(struct rule_sql *sql, const struct sql_name *events, const struct rule_window *window,
                             bool marked);

#endif
