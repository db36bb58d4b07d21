/* A case as a text: the definitions on one line, then the seed and the instants asked about, then the events. */
#ifndef MUSTER_TESTS_ORACLE_CASE_H
#define MUSTER_TESTS_ORACLE_CASE_H

#include "tests/oracle/generator.h"

void case_write(const struct oracle_case *test, struct buffer *out);
/* False, with a message, where the file holds no case. */
bool case_read(struct arena *arena, const char *path, struct oracle_case *out) MUST_CHECK;

/* A file, and a text's lines. Where it cannot be read the program ends. */
struct slice case_text(struct arena *arena, const char *path);
struct slice *case_lines(struct arena *arena, struct slice text, size_t *count);

#endif
