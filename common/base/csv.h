/* CSV records (RFC 4180): fields in quotes may hold commas, doubled quotes and line ends. Works on lines that the
 * caller reads: it appends lines to a record for as long as a quoted field is open, then parses the record once. */
#ifndef MUSTER_BASE_CSV_H
#define MUSTER_BASE_CSV_H

#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/base/slice.h"

/* Where a line leaves the record. */
enum csv_state {
    CSV_RECORD_END = 0, /* the record is complete; also the state to begin with */
    CSV_QUOTED,         /* inside a quoted field: the record goes on in the next line */
};

/* Scans one line (without its line end) of a record. */
enum csv_state csv_scan_line(struct slice line, enum csv_state state);

enum { CSV_FIELD_COUNT_MAX = 10000 };

struct csv_record {
    struct slice *fields; /* unquoted; borrowed from the text and the arena given to csv_parse */
    size_t field_count;
    size_t field_capacity;
};

void csv_record_init(struct csv_record *record);
void csv_record_clear(struct csv_record *record);

/* Splits a complete record (lines joined by LF, no line end behind the last). ERROR_INPUT where text follows a closing
 * quote, a quote is not closed or there are too many fields; ERROR_INTERNAL for no memory. */
bool csv_parse(struct slice text, struct csv_record *record, struct arena *arena, struct error *err) MUST_CHECK;

#endif
