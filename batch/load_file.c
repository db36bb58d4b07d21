/* A file into the archive. */
#include "batch/load.h"

#include "common/io/archive_load.h"
#include "common/io/kafka.h"
#include "common/io/source.h"
#include "common/io/store_control.h"

#include <inttypes.h>
#include <stdio.h>

struct file_loader {
    struct loader loader;
    struct source *source;
    struct archive_load load;
    int64_t line_next; /* read so far; load.line_next is what is durable */
    bool end;
};

/* Finds out whether the file was loaded already, and from which line on to read. */
static bool file_loader_begin(struct file_loader *file, const char *path, const char *map_path, struct error *err)
{
    struct source_options options = {.map_path = map_path, .decode = true, .envelope = true, .message_ids = true};
    unsigned char digest[SHA256_SIZE];
    unsigned char mapping[SHA256_SIZE];
    bool has_mapping;

    if (!source_open(path, &options, &file->source, err) || !source_digest(file->source, digest, err)) {
        return false;
    }
    has_mapping = source_mapping_digest(file->source, mapping);
    if (!archive_load_begin(file->loader.pg, source_name(file->source), digest, has_mapping ? mapping : NULL,
                            &file->load, err)) {
        return false;
    }
    file->line_next = file->load.line_next;
    if (!file->load.completed && file->load.line_next > 1) {
        log_info("load %" PRId32 ": goes on at line %" PRId64, file->load.load_no, file->load.line_next);
    }
    return true;
}

static bool file_loader_take(struct file_loader *file, const struct source_item *item, struct error *err)
{
    struct archive_source source = {.topic_no = -1, .load_no = file->load.load_no, .position = item->line};
    struct quarantine_row refused = {.topic_no = -1, .lane = -1};

    if (item->line < file->load.line_next) {
        return true; /* durable since an earlier attempt */
    }
    file->line_next = item->line + 1;
    if (item->kind == SOURCE_MESSAGE) {
        int32_t lane = kafka_partition(item->event.user, file->loader.lane_count);
        return loader_add(&file->loader, &item->event, item->text, source, lane, TIMESTAMP_ALWAYS, err);
    }
    refused.load_no = file->load.load_no;
    refused.line = item->line;
    refused.message = item->text;
    return loader_refuse(&file->loader, &refused, item->reason, item->detail, err);
}

static bool file_loader_advance(void *context, struct error *err)
{
    struct file_loader *file = context;
    struct archive_load_step step = {.line_next = file->line_next,
                                     .events = (int64_t)file->loader.batch.row_count,
                                     .quarantined = (int64_t)file->loader.refused_count,
                                     .event_time_max_ms = file->loader.event_time_max_ms,
                                     .completed = file->end};

    return archive_load_allowed(file->loader.pg, err) && archive_load_advance(file->loader.pg, &file->load, &step, err);
}

static bool file_loader_announce(void *context, struct error *err)
{
    struct file_loader *file = context;
    struct control_line line = CONTROL_LINE_INIT;

    line.kind = CONTROL_LOAD_COMPLETED;
    line.load_no = file->load.load_no;
    return store_control_append(file->loader.pg, &line, NULL, err);
}

static bool file_loader_work(struct file_loader *file, struct error *err)
{
    struct source_item item;
    struct progress progress;
    bool done = false;

    progress_begin(&progress, "load", source_size(file->source));
    while (!file->end && !command_stopping()) {
        if (!source_next(file->source, &item, err)) {
            goto out;
        }
        file->end = item.kind == SOURCE_END;
        if (!file->end && !file_loader_take(file, &item, err)) {
            goto out;
        }
        if ((file->end || loader_full(&file->loader)) &&
            !loader_write(&file->loader, file_loader_advance, file->end ? file_loader_announce : NULL, file, err)) {
            goto out;
        }
        progress_update(&progress, source_offset(file->source));
    }
    done = true;
out:
    progress_end(&progress);
    return done ? true : error_context(err, "%s", source_name(file->source));
}

bool load_file(const struct config *config, const char *path, const char *map_path, struct error *err)
{
    struct file_loader file = {.source = NULL};
    bool done = false;

    if (!loader_open(&file.loader, config, "load", err) || !file_loader_begin(&file, path, map_path, err)) {
        goto out;
    }
    if (file.load.completed) {
        printf("%s: already loaded as load %" PRId32 ": nothing to do\n", source_name(file.source), file.load.load_no);
        done = true;
        goto out;
    }
    if (!archive_load_allowed(file.loader.pg, err) || !file_loader_work(&file, err)) {
        goto out;
    }
    if (file.load.completed) {
        printf("%s: load %" PRId32 ": %" PRId64 " events archived, %" PRId64 " quarantined\n", source_name(file.source),
               file.load.load_no, file.load.events, file.load.quarantined);
    } else {
        log_info("load %" PRId32 ": stopped at line %" PRId64 "; the same command goes on there", file.load.load_no,
                 file.load.line_next);
    }
    done = true;
out:
    source_close(file.source);
    loader_close(&file.loader);
    return done;
}
