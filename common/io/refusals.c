#include "common/io/refusals.h"

#include "common/base/progress.h"

#include <inttypes.h>
#include <stdio.h>

void refusals_init(struct refusals *refusals, uint64_t shown_max)
{
    *refusals = (struct refusals){.shown_max = shown_max};
}

static const char *clear_progress(void)
{
    return progress_shown() ? "\r\033[K" : "";
}

void refusals_add(struct refusals *refusals, const char *file, const struct source_item *item)
{
    refusals->counts[item->reason]++;
    refusals->total++;
    if (refusals->total <= refusals->shown_max) {
        (void)fprintf(stderr, "%s%s:%" PRId64 ": quarantined: %s: %s\n", clear_progress(), file, item->line,
                      quarantine_reason_name(item->reason), item->detail);
    } else if (refusals->total == refusals->shown_max + 1 && refusals->shown_max > 0) {
        (void)fprintf(stderr, "%s%s: further quarantined lines are only counted\n", clear_progress(), file);
    }
}

void refusals_report(const struct refusals *refusals, const char *file)
{
    const char *separator = ":";

    if (refusals->total == 0) {
        return;
    }
    (void)fprintf(stderr, "%s%s: %" PRIu64 " line%s quarantined", clear_progress(), file, refusals->total,
                  refusals->total == 1 ? "" : "s");
    for (enum quarantine_reason reason = QUARANTINE_NONE; reason < QUARANTINE_COUNT; reason++) {
        if (refusals->counts[reason] > 0) {
            (void)fprintf(stderr, "%s %" PRIu64 " %s", separator, refusals->counts[reason],
                          quarantine_reason_name(reason));
            separator = ",";
        }
    }
    (void)fputc('\n', stderr);
}
