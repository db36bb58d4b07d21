/* Segment definitions in the audience store: what the pipelines evaluate. They never read definition files. */
#ifndef MUSTER_IO_STORE_DEFINITIONS_H
#define MUSTER_IO_STORE_DEFINITIONS_H

#include "common/domain/rule_parse.h"
#include "common/io/pg.h"

#include <stdbool.h>
#include <stdint.h>

enum { STORED_SHA256_SIZE = 32 };

/* What the store knows about a definition besides its text. */
struct stored_definition {
    int32_t segment_no;
    int32_t version;
    bool subject_to_consent; /* purpose_no is set: records carry it and the grant they rest on */
    int16_t purpose_no;
    unsigned char sha256[STORED_SHA256_SIZE]; /* of the document's text */
};

/* Loads the newest version of every segment that is not retired into the empty `set`, and checks it. A version fixes
 * the versions of what it refers to, and applying cascades, so the newest versions always fit each other. `*out` is an
 * array parallel to set->definitions, on the set's arena; definition->version is filled, definition->file is
 * "ID@VERSION". An empty store gives an empty set. On false the set must only be cleared. */
bool store_definitions_load(struct pg *pg, struct segment_set *set, struct stored_definition **out,
                            struct error *err) MUST_CHECK;

/* The same for given versions: each (segment_nos[i], versions[i]) and everything they refer to, in the versions they
 * fixed. ERROR_INTERNAL when two of them need different versions of one segment (a set holds one): load them apart. */
bool store_definitions_load_versions(struct pg *pg, const int32_t *segment_nos, const int32_t *versions, size_t count,
                                     struct segment_set *set, struct stored_definition **out,
                                     struct error *err) MUST_CHECK;

#endif
