/* The product's side: its parser, its decoder, and its evaluator by the ways that the programs take. */
#ifndef MUSTER_TESTS_ORACLE_PRODUCT_H
#define MUSTER_TESTS_ORACLE_PRODUCT_H

#include "common/domain/lane.h"
#include "common/domain/percentile.h"
#include "common/domain/rule_parse.h"
#include "common/io/zone_files.h"
#include "tests/oracle/interpreter.h"

enum { PRODUCT_SEGMENTS_MAX = 16 };

struct product_user {
    struct slice id;
    struct user_state *state;
    struct stays stays[PRODUCT_SEGMENTS_MAX]; /* kept from event to event, as the stream keeps them */
};

struct product {
    struct arena *arena;
    struct segment_set set;
    struct zone_files *zones;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct ranks *ranks;
    struct product_user *users;
    size_t user_count;
    struct json_document document;
    bool projected;        /* events are decoded by what the ruleset reads: good for its own states alone */
    struct arena scratch;  /* of the event in hand */
    size_t restored_every; /* after so many events of all users the state in hand is written and read; 0: never */
    size_t fold_count;
};

/* A product without definitions and a ruleset: for who puts them there. */
void product_begin(struct product *product, struct arena *arena, struct zone_files *zones);
/* False with *err where the definitions are refused. The product must be cleared either way. */
bool product_init(struct product *product, struct arena *arena, struct zone_files *zones, struct slice definitions,
                  struct error *err) MUST_CHECK;
void product_clear(struct product *product);

/* Decodes a line; *accepted: not quarantined. The event is valid until the next call. */
bool product_decode(struct product *product, struct slice line, struct event *event, bool *accepted,
                    struct error *err) MUST_CHECK;
/* Folds it; with `follow` the kept stays are brought up to date from the event's own time, as the stream does. */
bool product_fold(struct product *product, const struct event *event, bool follow, struct error *err) MUST_CHECK;
/* Writes the state and goes on with what is read; false with *err also where the state read is not written alike. */
bool product_restore(const struct product *product, struct product_user *user, struct error *err) MUST_CHECK;
/* NULL where the product knows nothing of the user. */
struct product_user *product_user(struct product *product, struct slice id);

/* Percentiles as of `at`: before anything is asked of a segment that needs them. */
bool product_rank(struct product *product, int64_t at, struct error *err) MUST_CHECK;

#endif
