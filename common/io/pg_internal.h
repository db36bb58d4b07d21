/* What pg.c and pg_copy.c share. */
#ifndef MUSTER_IO_PG_INTERNAL_H
#define MUSTER_IO_PG_INTERNAL_H

#include "common/io/pg.h"

enum { PG_PARAMETER_SIZE_MAX = 1 << 29 };

struct pg {
    PGconn *connection;
    char *secret;           /* password of the connection string, to be scrubbed from messages; may be NULL */
    struct buffer scratch;  /* NUL-terminated copies of text parameters */
    struct buffer outgoing; /* COPY header and trailer */
};

/* Sets `err` from a failed result (NULL: from the connection). Always returns false. */
bool pg_failure(struct pg *pg, const PGresult *result, struct error *err);
/* Runs one statement without parameters and returns its result, whatever its status; never NULL without `err` set. */
PGresult *pg_run(struct pg *pg, const char *sql, struct error *err);
/* Reads and clears what is left of the statement under way, so that the connection can be used again. */
void pg_drain(struct pg *pg);

/* Asks the server to give up the statement under way, and drains. */
void pg_cancel(struct pg *pg);

#endif
