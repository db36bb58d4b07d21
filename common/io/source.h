/* Messages from a file: JSON lines, or CSV through a mapping. One iterator for all who read files, so that a line gets
 * the same message id and the same verdict everywhere.
 *
 *     if (!source_open(path, &options, &source, err)) ...
 *     while (source_next(source, &item, err) && item.kind != SOURCE_END) ...
 */
#ifndef MUSTER_IO_SOURCE_H
#define MUSTER_IO_SOURCE_H

#include "common/base/error.h"
#include "common/base/sha256.h"
#include "common/base/slice.h"
#include "common/domain/event.h"

#include <stdint.h>

struct source;

struct source_options {
    const char *map_path; /* mapping file: the input is CSV. NULL: JSON lines */
    /* Decode each message (item.event). Without it JSON lines are handed out as they are; only what the mapping refuses
     * or is too large is SOURCE_REFUSED. */
    bool decode;
    bool envelope; /* decode no properties and traits */
    /* Of properties and traits decode what this names (borrowed); NULL: everything. */
    const struct event_projection *projection;
    /* track, page, screen and identify messages without a message id get "<16 hex of the file's SHA-256>:<line, 10
     * digits>". Implies decode. */
    bool message_ids;
    int64_t line_begin; /* lines before this one are read over (0, 1: none): to resume */
};

enum source_kind {
    SOURCE_NONE = 0,
    SOURCE_END,     /* nothing more */
    SOURCE_MESSAGE, /* text, and event where decoding was asked for */
    SOURCE_REFUSED, /* quarantined: reason and detail say why, text is the line as it stands in the file */
};

/* Borrowed until the next call. */
struct source_item {
    enum source_kind kind;
    int64_t line;       /* from 1, in the file; of a CSV record its first one */
    struct slice text;  /* JSON of the message, with the message id that it got */
    struct event event; /* its message_id is the one that it got */
    enum quarantine_reason reason;
    const char *detail; /* in words */
};

/* Opens the file ("-": standard input) and the mapping. ERROR_UNREACHABLE where one cannot be opened; ERROR_INPUT for a
 * mapping that is broken or names a column that is not there. */
bool source_open(const char *path, const struct source_options *options, struct source **out,
                 struct error *err) MUST_CHECK;
void source_close(struct source *source); /* NULL is fine */

/* The next message or refused line; blank lines are skipped. */
bool source_next(struct source *source, struct source_item *out, struct error *err) MUST_CHECK;

/* SHA-256 of the whole file; read on first use, so ask before the first source_next. */
bool source_digest(struct source *source, unsigned char digest[SHA256_SIZE], struct error *err) MUST_CHECK;
/* SHA-256 of the mapping file; false where there is none. */
bool source_mapping_digest(const struct source *source, unsigned char digest[SHA256_SIZE]);

/* For messages ("standard input" for "-") and progress (size 0: unknown). */
const char *source_name(const struct source *source);
uint64_t source_size(const struct source *source);
uint64_t source_offset(const struct source *source);

#endif
