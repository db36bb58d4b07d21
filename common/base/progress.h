/* A progress line for people: on a terminal (standard error), rewritten at most ten times a second; nothing elsewhere:
 * "evaluate  41%  1.2 M/s". */
#ifndef MUSTER_BASE_PROGRESS_H
#define MUSTER_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    uint64_t total; /* 0: unknown */
    uint64_t done;
    int64_t begun_ms;
    int64_t shown_ms;
    bool terminal;
};

/* `what` is borrowed. One thread at a time. */
void progress_begin(struct progress *progress, const char *what, uint64_t total);
/* Cheap enough for every thousandth item: it looks at the clock only. */
void progress_update(struct progress *progress, uint64_t done);
/* Wipes the line. */
void progress_end(struct progress *progress);

/* True while a line is shown: the log wipes it before it writes. */
bool progress_shown(void);

#endif
