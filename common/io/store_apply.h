/* Putting authored definitions into the store: all of them or none, in one transaction.
 *
 * The store keeps every version for ever. Text that has not changed (SHA-256) makes no new version; a new version of a
 * segment makes one of every segment that refers to it, directly or not, because a version fixes the versions it refers
 * to. Segments of the store that the caller does not bring stay as they are (and follow what they refer to). */
#ifndef MUSTER_IO_STORE_APPLY_H
#define MUSTER_IO_STORE_APPLY_H

#include "common/domain/rule_parse.h"
#include "common/io/pg.h"

enum apply_change {
    APPLY_NONE = 0,
    APPLY_NEW,       /* the segment was not in the store (or retired) */
    APPLY_CHANGED,   /* its text is another one */
    APPLY_FOLLOWS,   /* a segment that it refers to has a new version */
    APPLY_UNCHANGED, /* no new version */
};
const char *apply_change_name(enum apply_change change);

struct apply_result {
    enum apply_change change;
    int32_t segment_no;
    int32_t version; /* the newest now */
    bool authored;   /* the caller brought it; else it is the store's */
};

struct apply_options {
    struct slice author;
    struct slice commit_id; /* empty: none known */
    bool dry_run;           /* decides everything, then takes it back */
};

/* Applies the definitions added to `set` (not yet checked). The store's other segments are added to the set, which is
 * then checked as a whole; what this version cannot evaluate, or a stream cannot bound though the definition wants
 * one, is refused (ERROR_INPUT). `*results` is parallel to set->definitions, on the set's arena. Writes one control
 * line definition_applied per new version. On false nothing is stored and the set must only be cleared. */
bool store_apply(struct pg *pg, struct segment_set *set, const struct apply_options *options,
                 struct apply_result **results, struct error *err) MUST_CHECK;

/* In the open transaction: nobody else changes what is defined until it ends. */
bool store_apply_lock(struct pg *pg, struct error *err) MUST_CHECK;

/* Why the definition cannot be applied though it is right: sets ERROR_INPUT with file and path. Its set must be
 * checked. */
bool store_apply_accepts(const struct definition *definition, struct error *err) MUST_CHECK;

#endif
