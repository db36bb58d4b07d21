#include "common/base/progress.h"

#include "common/base/int128.h"
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_MS = 100 };

static atomic_bool shown;

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    const char *terminal = getenv("TERM");

    *progress = (struct progress){.what = what, .total = total};
    progress->terminal = isatty(STDERR_FILENO) == 1 && terminal != NULL && strcmp(terminal, "dumb") != 0;
    progress->begun_ms = timestamp_monotonic_ms();
    progress->shown_ms = progress->begun_ms;
}

/* Items per second with one digit behind the point, "1.2 M/s": integers only, it is a display. */
static void append_rate(char *text, size_t size, uint64_t rate)
{
    if (rate >= 1000000) {
        (void)snprintf(text, size, "%" PRIu64 ".%" PRIu64 " M/s", rate / 1000000, rate / 100000 % 10);
    } else if (rate >= 1000) {
        (void)snprintf(text, size, "%" PRIu64 ".%" PRIu64 " k/s", rate / 1000, rate / 100 % 10);
    } else {
        (void)snprintf(text, size, "%" PRIu64 " /s", rate);
    }
}

void progress_update(struct progress *progress, uint64_t done)
{
    int64_t now_ms;
    uint64_t elapsed_ms;
    char rate[32];

    progress->done = done;
    if (!progress->terminal) {
        return;
    }
    now_ms = timestamp_monotonic_ms();
    if (now_ms - progress->shown_ms < PAUSE_MS) {
        return;
    }
    progress->shown_ms = now_ms;
    elapsed_ms = (uint64_t)(now_ms - progress->begun_ms);
    append_rate(rate, sizeof rate, done > UINT64_MAX / 1000 ? 0 : done * 1000 / elapsed_ms);
    if (progress->total > 0) {
        uint64_t percent = done >= progress->total ? 100 : (uint64_t)((uint128)done * 100 / progress->total);

        (void)fprintf(stderr, "\r\033[K%s  %" PRIu64 "%%  %s", progress->what, percent, rate);
    } else {
        (void)fprintf(stderr, "\r\033[K%s  %" PRIu64 "  %s", progress->what, done, rate);
    }
    (void)fflush(stderr);
    atomic_store(&shown, true);
}

void progress_end(struct progress *progress)
{
    if (progress->terminal && atomic_exchange(&shown, false)) {
        (void)fputs("\r\033[K", stderr);
    }
}

bool progress_shown(void)
{
    return atomic_load_explicit(&shown, memory_order_relaxed);
}
