#include "stream/stream.h"

#include "common/base/output.h"
#include "common/io/store.h"

#include "sql_text.h"

#include <stdio.h>

enum { COLUMN_COUNT = 8, CELL_SIZE = 256 };

static bool print_row(struct output *output, struct kafka_reader *reader, const char *const *topics,
                      const PGresult *result, int row, struct error *err)
{
    char texts[COLUMN_COUNT][CELL_SIZE];
    char watermark[TIMESTAMP_TEXT_SIZE];
    struct slice cells[COLUMN_COUNT];
    int64_t lane_no = pg_integer_at(result, row, 0, 0);
    int64_t topic = pg_integer_at(result, row, 1, -1);
    int64_t offset_next = pg_integer_at(result, row, 2, 0);
    int64_t low = 0;
    int64_t high = 0;

    if (topic >= KAFKA_TOPIC_COUNT) {
        return error_set(err, ERROR_INTERNAL, "the store names a topic that is not configured");
    }
    if (topic >= 0 && !kafka_reader_offsets(reader, (int16_t)topic, (int32_t)lane_no, &low, &high, err)) {
        return false;
    }
    snprintf(texts[0], CELL_SIZE, "%lld", (long long)lane_no);
    snprintf(texts[1], CELL_SIZE, "%s", topic < 0 ? "" : topics[topic]);
    snprintf(texts[2], CELL_SIZE, "%lld", (long long)low);
    snprintf(texts[3], CELL_SIZE, "%lld", (long long)high);
    snprintf(texts[4], CELL_SIZE, "%lld", (long long)offset_next);
    snprintf(texts[5], CELL_SIZE, "%lld", (long long)(high - offset_next));
    snprintf(texts[6], CELL_SIZE, "%s", timestamp_text(pg_integer_at(result, row, 3, TIMESTAMP_ALWAYS), watermark));
    snprintf(texts[7], CELL_SIZE, "%lld", (long long)pg_integer_at(result, row, 4, 0));
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        cells[i] = slice_from(texts[i]);
    }
    if (topic < 0) { /* a lane that was never run */
        for (size_t i = 1; i <= 5; i++) {
            cells[i] = slice_of(NULL, 0);
        }
    }
    return output_row(output, cells, err);
}

bool lag_print(const struct config *config, const char *format_text, struct error *err)
{
    static const char *const columns[COLUMN_COUNT] = {"lane", "topic", "low",       "end",
                                                      "next", "lag",   "watermark", "age_ms"};
    const char *topics[KAFKA_TOPIC_COUNT];
    enum output_format format = OUTPUT_NONE;
    struct kafka_reader *reader = NULL;
    struct output *output = NULL;
    struct pg *pg = NULL;
    PGresult *result = NULL;
    bool done = false;

    kafka_topics(config, topics);
    if (!output_format_parse(format_text, OUTPUT_TEXT, &format, err) ||
        !store_open(config, STORE_ROLE_STREAM, &pg, err) ||
        !kafka_reader_open(config, "muster-stream-lag", topics, KAFKA_TOPIC_COUNT, &reader, err) ||
        !pg_query(pg, sql_stream_lag, NULL, 0, &result, err) ||
        !output_begin(stdout, format, columns, COLUMN_COUNT, &output, err)) {
        goto out;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (!print_row(output, reader, topics, result, row, err)) {
            goto out;
        }
    }
    done = true;
out:
    if (output != NULL) {
        struct error ignored = ERROR_INIT;
        done = output_end(output, done ? err : &ignored) && done;
    }
    PQclear(result);
    kafka_reader_close(reader);
    if (pg != NULL) {
        pg_close(pg);
    }
    return done;
}
