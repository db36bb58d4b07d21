/* Reading a file of events, for the benchmarks that feed them to something. */
#ifndef MUSTER_BENCH_EVENTS_FILE_H
#define MUSTER_BENCH_EVENTS_FILE_H

#include "common/io/source.h"

/* Takes one event, borrowed; false stops and fails the reading. */
typedef bool take_event(void *context, const struct event *event, struct error *err);

/* Gives every event of the file to `take`, in its order. False with the error of the source or of `take`. */
static inline bool events_file_read(const char *path, take_event *take, void *context, struct error *err)
{
    const struct source_options options = {.decode = true};
    struct source *source = NULL;
    struct source_item item;
    bool done = false;

    if (!source_open(path, &options, &source, err)) {
        return false;
    }
    while ((done = source_next(source, &item, err)) && item.kind != SOURCE_END) {
        if (item.kind == SOURCE_MESSAGE && !take(context, &item.event, err)) {
            done = false;
            break;
        }
    }
    source_close(source);
    return done;
}

#endif
