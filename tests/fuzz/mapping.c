/* A mapping file, a NUL, and a CSV file. What the mapping makes of a record must be a message that reads as JSON; the
 * same record gives the same message. */
#include "tests/fuzz/fuzz.h"

#include "common/base/csv.h"
#include "common/domain/mapping.h"

enum { RECORDS_MAX = 50, RECORD_SIZE_MAX = 1 << 20 };

struct file {
    struct slice rest;
    struct buffer text; /* of the record */
};

/* The next record's lines, joined; false at the end. */
static bool next_record(struct file *file)
{
    enum csv_state state = CSV_RECORD_END;

    buffer_reset(&file->text);
    while (file->rest.size > 0) {
        const char *end = memchr(file->rest.data, '\n', file->rest.size);
        size_t size = end == NULL ? file->rest.size : (size_t)(end - file->rest.data);
        struct slice line = slice_of(file->rest.data, size);

        file->rest = slice_of(file->rest.data + size + (end != NULL), file->rest.size - size - (end != NULL));
        if (state == CSV_QUOTED) {
            buffer_append_char(&file->text, '\n');
        }
        buffer_append_slice(&file->text, line);
        state = csv_scan_line(line, state);
        if (state == CSV_RECORD_END) {
            return !file->text.failed;
        }
    }
    return false;
}

/* Bytes that are text in any case: then the message must be JSON. */
static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static void check_message(struct slice message, bool ascii)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    struct json_document document;
    struct error why = ERROR_INIT;
    struct arena arena;
    struct event event;

    json_document_init(&document);
    arena_init(&arena, 4 * EVENT_SIZE_MAX);
    fuzz_check(event_decode(message, &document, &arena, &event, &reason, &why), "no memory for a message");
    fuzz_check(reason != QUARANTINE_NOT_OBJECT && reason != QUARANTINE_PROPERTIES, "%.*s: %s", (int)message.size,
               message.data, why.message);
    fuzz_check(!ascii || reason != QUARANTINE_NOT_JSON, "%.*s: %s", (int)message.size, message.data, why.message);
    json_document_clear(&document);
    arena_clear(&arena);
}

static void apply(struct mapping *mapping, const struct csv_record *record, bool ascii)
{
    enum quarantine_reason reasons[2] = {QUARANTINE_NONE, QUARANTINE_NONE};
    struct error why = ERROR_INIT;
    struct buffer messages[2];

    for (size_t i = 0; i < 2; i++) {
        buffer_init(&messages[i], 64 << 20);
        fuzz_check(mapping_apply(mapping, record->fields, record->field_count, SLICE_LITERAL("abc:7"), &messages[i],
                                 &reasons[i], &why),
                   "no memory for a record");
    }
    fuzz_check(reasons[0] == reasons[1] && (reasons[0] == QUARANTINE_NONE || reasons[0] == QUARANTINE_MAPPING),
               "mapped twice: %d and %d", (int)reasons[0], (int)reasons[1]);
    fuzz_check(reasons[0] != QUARANTINE_NONE || slice_equal(buffer_slice(&messages[0]), buffer_slice(&messages[1])),
               "mapped twice with different results");
    if (reasons[0] == QUARANTINE_NONE && !messages[0].failed) {
        check_message(buffer_slice(&messages[0]), ascii);
    }
    buffer_clear(&messages[0]);
    buffer_clear(&messages[1]);
}

void fuzz_mapping(struct slice input)
{
    const char *split = input.size == 0 ? NULL : memchr(input.data, '\0', input.size);
    struct slice text = slice_of(input.data, split == NULL ? input.size : (size_t)(split - input.data));
    struct file file = {.rest = {NULL, 0}};
    struct mapping *mapping = NULL;
    struct error err = ERROR_INIT;
    struct csv_record record;
    struct arena arena;

    csv_record_init(&record);
    arena_init(&arena, 8 * RECORD_SIZE_MAX);
    buffer_init(&file.text, RECORD_SIZE_MAX);
    if (split != NULL) {
        file.rest = slice_of(split + 1, input.size - text.size - 1);
    }
    if (!mapping_new(text, "fuzz.map", &mapping, &err)) {
        fuzz_check(err.code == ERROR_INPUT, "a mapping is refused for another reason: %s", err.message);
        goto out;
    }
    if (!next_record(&file) || !csv_parse(buffer_slice(&file.text), &record, &arena, &err) ||
        !mapping_bind(mapping, record.fields, record.field_count, &err)) {
        goto out;
    }
    for (size_t i = 0; i < RECORDS_MAX && next_record(&file); i++) {
        arena_reset(&arena);
        if (csv_parse(buffer_slice(&file.text), &record, &arena, &err)) {
            apply(mapping, &record, is_ascii(input));
        }
    }
out:
    mapping_free(mapping);
    csv_record_clear(&record);
    buffer_clear(&file.text);
    arena_clear(&arena);
}
