#include "common/base/csv.h"

enum csv_state csv_scan_line(struct slice line, enum csv_state state)
{
    bool quoted = state == CSV_QUOTED;
    bool field_begin = !quoted;

    for (size_t i = 0; i < line.size; i++) {
        if (quoted) {
            const char *quote = memchr(line.data + i, '"', line.size - i);

            if (quote == NULL) {
                return CSV_QUOTED;
            }
            i = (size_t)(quote - line.data);
            if (i + 1 < line.size && line.data[i + 1] == '"') {
                i++;
            } else {
                quoted = false;
            }
            field_begin = false;
        } else if (line.data[i] == ',') {
            field_begin = true;
        } else {
            quoted = field_begin && line.data[i] == '"';
            field_begin = false;
        }
    }
    return quoted ? CSV_QUOTED : CSV_RECORD_END;
}

void csv_record_init(struct csv_record *record)
{
    *record = (struct csv_record){0};
}

void csv_record_clear(struct csv_record *record)
{
    memory_free(record->fields);
    csv_record_init(record);
}

/* The quoted field whose opening quote is at `at`; *next is behind its closing quote. */
static bool parse_quoted(struct slice text, size_t at, struct arena *arena, struct slice *out, size_t *next,
                         struct error *err)
{
    size_t begin = at + 1;
    size_t end = begin;
    size_t doubled = 0;
    char *copy;
    size_t size = 0;

    for (;;) {
        const char *quote = end < text.size ? memchr(text.data + end, '"', text.size - end) : NULL;

        if (quote == NULL) {
            return error_set(err, ERROR_INPUT, "a quoted field does not end");
        }
        end = (size_t)(quote - text.data);
        if (end + 1 >= text.size || text.data[end + 1] != '"') {
            break;
        }
        doubled++;
        end += 2;
    }
    *next = end + 1;
    *out = slice_of(text.data + begin, end - begin);
    if (doubled == 0) {
        return true;
    }
    copy = arena_allocate(arena, end - begin - doubled);
    if (copy == NULL) {
        return error_no_memory(err, "a CSV record");
    }
    for (size_t i = begin; i < end; i++) {
        copy[size++] = text.data[i];
        i += text.data[i] == '"';
    }
    *out = slice_of(copy, size);
    return true;
}

bool csv_parse(struct slice text, struct csv_record *record, struct arena *arena, struct error *err)
{
    size_t at = 0;

    record->field_count = 0;
    if (text.size == 0) {
        text = SLICE_LITERAL(""); /* its data may be NULL, with which no pointer can be computed */
    }
    for (;;) {
        struct slice field;

        if (at < text.size && text.data[at] == '"') {
            if (!parse_quoted(text, at, arena, &field, &at, err)) {
                return false;
            }
            if (at < text.size && text.data[at] != ',') {
                return error_set(err, ERROR_INPUT, "text follows the closing quote of field %zu",
                                 record->field_count + 1);
            }
        } else {
            const char *comma = at < text.size ? memchr(text.data + at, ',', text.size - at) : NULL;
            size_t end = comma == NULL ? text.size : (size_t)(comma - text.data);

            field = slice_of(text.data + at, end - at);
            at = end;
        }
        if (record->field_count == CSV_FIELD_COUNT_MAX) {
            return error_set(err, ERROR_INPUT, "more than %d fields", CSV_FIELD_COUNT_MAX);
        }
        if (!memory_grow(&record->fields, &record->field_capacity, record->field_count, CSV_FIELD_COUNT_MAX,
                         sizeof *record->fields, "CSV fields", err)) {
            return false;
        }
        record->fields[record->field_count++] = field;
        if (at >= text.size) {
            return true;
        }
        at++; /* the comma */
    }
}
