/* What the pieces of the generator share. */
#ifndef MUSTER_TESTS_ORACLE_GENERATOR_PARTS_H
#define MUSTER_TESTS_ORACLE_GENERATOR_PARTS_H

#include "tests/oracle/generator.h"

/* What most criteria of a case are; half the cases have no theme. */
enum theme {
    THEME_NONE = 0,
    THEME_COUNT, /* and all that are taken like it */
    THEME_DISTINCT,
    THEME_PERIODS,
    THEME_VALUE,
    THEME_AGE,
    THEME_ABSENCE,
    THEME_SEQUENCE,
    THEME_COMPARE,
    THEME_TRAIT,
    THEMES,
};

struct generator {
    struct arena *arena;
    struct buffer out;
    uint64_t random;
    int64_t base_ms;
    int64_t grid_ms;
    int steps;
    int user_count;
    enum theme theme;
    bool narrow; /* few names of events */
    int segment; /* being written */
    bool needs_batch;
    bool ranked[GENERATOR_SEGMENTS_MAX];
    int message_number;
    const char *zone;    /* most calendars of the case are of this one */
    int64_t previous_ms; /* of the message whose id may come again */
    int previous_number;
};

int below(struct generator *generator, int bound);
bool one_in(struct generator *generator, int n);
/* One of a list that ends with NULL. */
const char *pick(struct generator *generator, const char *const *words);
void put(struct generator *generator, const char *text);
/* A JSON number; `odd`: also huge, tiny and half-even ones, which definitions would refuse. */
void put_number(struct generator *generator, bool odd);
/* A duration in quotes of up to so many steps of the grid. */
void put_duration(struct generator *generator, int units);
int64_t random_instant(struct generator *generator);
const char *random_zone(struct generator *generator);

/* generator_rules.c, generator_messages.c */
void put_criterion(struct generator *generator, int depth);
void put_message(struct generator *generator);

#endif
