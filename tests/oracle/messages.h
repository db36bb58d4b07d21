/* The oracle's own reading of messages (segment-language, section 2): quarantine, shapes, copies, users. */
#ifndef MUSTER_TESTS_ORACLE_MESSAGES_H
#define MUSTER_TESTS_ORACLE_MESSAGES_H

#include "tests/oracle/rules.h"

struct message {
    struct slice user;
    bool has_id;
    struct slice id;
    int64_t time;
    bool happening; /* track, page, screen, CloudEvents: has a name */
    bool identify;
    struct slice name;
    const struct tree *content; /* properties or traits; NULL for {} */
    const struct tree *page_name;
};

/* False: quarantined. Consent and delete are neither happening nor identify. */
bool message_read(struct arena *arena, struct slice line, struct message *out);

/* A user's messages, copies removed, in the order of section 2. */
struct person {
    struct slice id;
    struct message *messages;
    size_t count;
};

/* Reads the lines in the order of the log. */
struct person *people_read(struct arena *arena, const struct slice *lines, size_t line_count, size_t *count);

/* The value of a property; MISSING where there is none. */
struct answer message_property(const struct message *message, const struct path *path);
/* What a selector asks. */
bool message_matches(const struct message *message, const struct selector *selector);

#endif
