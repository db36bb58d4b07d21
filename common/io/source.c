#include "common/io/source.h"

#include "common/base/csv.h"
#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/domain/mapping.h"
#include "common/io/input_file.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    MAPPING_FILE_MAX = 1 << 20,
    ARENA_MAX = 4 << 20,
    MESSAGE_MAX = 8 << 20, /* what a record of 1 MiB can become when all of it is escaped */
    ID_DIGEST_DIGITS = 16,
    ID_SIZE = ID_DIGEST_DIGITS + 24,
};

_Static_assert((int)INPUT_LINE_SPARE >= (int)JSON_SKELETON_REACH, "a line's decoder looks so far behind it");

struct source {
    struct input_file *file;
    struct source_options options;
    struct event_projection envelope;          /* where nothing more is decoded */
    const struct event_projection *projection; /* what is decoded; NULL: everything */
    bool ahead;                                /* a line like one before is decoded without a look for its end */
    int64_t line;                              /* the last one handed out */
    struct mapping *mapping;                   /* NULL: JSON lines */
    unsigned char mapping_digest[SHA256_SIZE];
    bool has_digest;
    unsigned char digest[SHA256_SIZE];
    char digest_text[SHA256_HEX_SIZE];
    struct csv_record record;
    struct buffer joined;  /* a CSV record of several lines */
    struct buffer message; /* text that is not the line itself */
    struct arena arena;
    struct json_document document;
    char id[ID_SIZE];
    struct error why;
};

/* A line or CSV record as it stands in the file. */
struct raw {
    struct input_line line;
    bool open;   /* a quoted field does not end */
    bool is_new; /* like no message decoded before */
};

static void refuse(struct source *source, const struct raw *raw, enum quarantine_reason reason, struct source_item *out)
{
    *out = (struct source_item){
        .kind = SOURCE_REFUSED,
        .line = raw->line.number,
        .text = raw->line.text,
        .reason = reason,
        .detail = source->why.message,
    };
}

/* Zeros in front, so that the bytewise order of ids is the order of the lines. */
static struct slice line_id(struct source *source, int64_t line)
{
    int size = snprintf(source->id, sizeof source->id, "%.*s:%010" PRId64, ID_DIGEST_DIGITS, source->digest_text, line);

    return slice_of(source->id, (size_t)size);
}

static bool read_mapping(struct source *source, struct error *err)
{
    const char *path = source->options.map_path;
    struct buffer text;
    bool good;

    buffer_init(&text, MAPPING_FILE_MAX);
    good = file_read(path, &text, err) && sha256_of(buffer_slice(&text), source->mapping_digest, err) &&
           mapping_new(buffer_slice(&text), path, &source->mapping, err);
    buffer_clear(&text);
    return good;
}

static bool read_digest(struct source *source, struct error *err)
{
    if (!input_file_digest(source->file, source->digest, err)) {
        return false;
    }
    source->has_digest = true;
    (void)sha256_hex(source->digest, source->digest_text);
    return true;
}

/* The next CSV record: one line, or several where a quoted field holds line ends. */
static bool next_record(struct source *source, struct raw *out, bool *more, struct error *err)
{
    enum csv_state state;
    struct input_line line;

    if (!input_file_line(source->file, &line, more, err) || !*more) {
        return !*more;
    }
    *out = (struct raw){.line = line};
    state = line.too_large ? CSV_RECORD_END : csv_scan_line(line.text, CSV_RECORD_END);
    if (state == CSV_RECORD_END) {
        return true;
    }
    buffer_reset(&source->joined);
    buffer_append_slice(&source->joined, line.text);
    while (state == CSV_QUOTED) {
        bool another;

        if (!input_file_line(source->file, &line, &another, err)) {
            return false;
        }
        if (!another) {
            out->open = true;
            break;
        }
        state = csv_scan_line(line.text, state);
        out->line.too_large =
            out->line.too_large || line.too_large || line.text.size >= source->joined.size_max - source->joined.size;
        if (!out->line.too_large) {
            buffer_append_char(&source->joined, '\n');
            buffer_append_slice(&source->joined, line.text);
        }
    }
    out->line.text = buffer_slice(&source->joined);
    return buffer_finish(&source->joined, "a CSV record", err);
}

static bool read_header(struct source *source, struct error *err)
{
    struct raw header;
    bool more;

    if (!next_record(source, &header, &more, err)) {
        return false;
    }
    if (!more || header.line.text.size == 0) {
        return error_set(err, ERROR_INPUT, "%s: expected a header with the names of the columns in line 1",
                         source_name(source));
    }
    if (header.line.too_large || header.open) {
        return error_set(err, ERROR_INPUT, "%s:1: the header is too large, or a quoted name does not end",
                         source_name(source));
    }
    if (!csv_parse(header.line.text, &source->record, &source->arena, err)) {
        return error_context(err, "%s:1", source_name(source));
    }
    return mapping_bind(source->mapping, source->record.fields, source->record.field_count, err) ||
           error_context(err, "%s:1", source_name(source));
}

bool source_open(const char *path, const struct source_options *options, struct source **out, struct error *err)
{
    struct source *source = memory_allocate_zeroed(1, sizeof *source);

    if (source == NULL) {
        return error_no_memory(err, "an input file");
    }
    source->options = *options;
    source->options.decode = options->decode || options->message_ids;
    source->projection = options->envelope ? &source->envelope : options->projection;
    source->ahead = options->map_path == NULL && source->options.decode && source->projection != NULL;
    csv_record_init(&source->record);
    buffer_init(&source->joined, INPUT_LINE_SIZE_MAX);
    buffer_init(&source->message, MESSAGE_MAX);
    arena_init(&source->arena, ARENA_MAX);
    json_document_init(&source->document);
    source->document.readable = options->map_path == NULL ? INPUT_LINE_SPARE : 0;
    if (options->envelope && !event_projection_init(&source->envelope, 0, err)) {
        goto failure;
    }
    if ((options->map_path != NULL && !read_mapping(source, err)) || !input_file_open(path, &source->file, err)) {
        goto failure;
    }
    if ((options->message_ids || source->mapping != NULL) && !read_digest(source, err)) {
        goto failure;
    }
    if (source->mapping != NULL && !read_header(source, err)) {
        goto failure;
    }
    *out = source;
    return true;

failure:
    source_close(source);
    return false;
}

void source_close(struct source *source)
{
    if (source == NULL) {
        return;
    }
    input_file_close(source->file);
    mapping_free(source->mapping);
    event_projection_clear(&source->envelope);
    csv_record_clear(&source->record);
    buffer_clear(&source->joined);
    buffer_clear(&source->message);
    arena_clear(&source->arena);
    json_document_clear(&source->document);
    memory_free(source);
}

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

/* By halves: what was just written in halves is slow to be read as a whole. */
static inline void copy_slice(struct slice *out, const struct slice *from)
{
    out->data = from->data;
    out->size = from->size;
}

/* The next line or record that is to be looked at. */
static inline bool next_raw(struct source *source, struct raw *out, bool *more, struct error *err)
{
    do {
        if (source->mapping == NULL) {
            if (!input_file_line(source->file, &out->line, more, err)) {
                return false;
            }
        } else if (!next_record(source, out, more, err)) {
            return false;
        }
    } while (*more && (out->line.number < source->options.line_begin || is_blank(out->line.text)));
    return true;
}

/* CSV to JSON in source->message. *refused: the item says why. */
static bool map(struct source *source, const struct raw *raw, struct source_item *out, bool *refused, struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_MAPPING;
    bool good;

    *refused = true;
    if (raw->open) {
        (void)error_set(&source->why, ERROR_INPUT, "a quoted field does not end");
    } else if (csv_parse(raw->line.text, &source->record, &source->arena, &source->why)) {
        buffer_reset(&source->message);
        good = mapping_apply(source->mapping, source->record.fields, source->record.field_count,
                             line_id(source, raw->line.number), &source->message, &reason, &source->why);
        if (!good) {
            *err = source->why;
            return false;
        }
        *refused = reason != QUARANTINE_NONE;
    } else if (source->why.code != ERROR_INPUT) {
        *err = source->why;
        return false;
    }
    if (*refused) {
        refuse(source, raw, reason, out);
    }
    return true;
}

static bool lacks_message_id(const struct event *event)
{
    switch (event->kind) {
    case EVENT_TRACK:
    case EVENT_PAGE:
    case EVENT_SCREEN:
    case EVENT_IDENTIFY:
        return !event->has_message_id;
    default:
        return false;
    }
}

/* Puts the id into the text: behind the opening brace, or in the place of a null. */
static bool give_message_id(struct source *source, const struct raw *raw, struct source_item *item, struct error *err)
{
    const struct json_document *document = &source->document;
    int32_t token = json_member(document, 0, SLICE_LITERAL("messageId"));
    struct slice text = item->text;
    struct slice id = line_id(source, item->line);
    /* The mapped text stands in source->message itself, so the new one is put together in the arena. */
    size_t begin = token == JSON_ABSENT ? document->tokens[0].begin + 1 : document->tokens[token].begin;
    size_t end = token == JSON_ABSENT ? begin : begin + document->tokens[token].size;
    struct slice before = token == JSON_ABSENT ? SLICE_LITERAL("\"messageId\":\"") : SLICE_LITERAL("\"");
    struct slice behind = token == JSON_ABSENT ? SLICE_LITERAL("\",") : SLICE_LITERAL("\"");
    const struct slice pieces[] = {slice_of(text.data, begin), before, id, behind,
                                   slice_of(text.data + end, text.size - end)};
    size_t size = 0;
    char *joined = arena_allocate(&source->arena, text.size + before.size + id.size + behind.size);

    if (joined == NULL) {
        return error_no_memory(err, "a message");
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (pieces[i].size > 0) {
            memcpy(joined + size, pieces[i].data, pieces[i].size);
            size += pieces[i].size;
        }
    }
    if (size > EVENT_SIZE_MAX) {
        (void)error_set(&source->why, ERROR_INPUT, "larger than %d bytes with its message id", EVENT_SIZE_MAX);
        refuse(source, raw, QUARANTINE_TOO_LARGE, item);
        return true;
    }
    item->text = slice_of(joined, size);
    item->event.has_message_id = true;
    item->event.message_id = id;
    return true;
}

/* Judges the message and gives it its id. */
static bool decode(struct source *source, const struct raw *raw, struct source_item *item, struct error *err)
{
    enum quarantine_reason reason;
    bool decoded;

    if (source->projection == NULL) {
        decoded = event_decode(item->text, &source->document, &source->arena, &item->event, &reason, &source->why);
    } else {
        decoded = (raw->is_new ? event_decode_anew : event_decode_projected)(item->text, source->projection,
                                                                             &source->document, &source->arena,
                                                                             &item->event, &reason, &source->why);
    }
    if (!decoded) {
        *err = source->why;
        return false;
    }
    if (reason != QUARANTINE_NONE) {
        refuse(source, raw, reason, item);
        return true;
    }
    if (source->options.message_ids && lacks_message_id(&item->event)) {
        return give_message_id(source, raw, item, err);
    }
    return true;
}

/* source_next step by step. `tried`: a line that begins there is like none before. */
static __attribute__((noinline)) bool next_judged(struct source *source, const char *tried, struct source_item *out,
                                                  struct error *err)
{
    struct raw raw;
    bool more;

    if (!next_raw(source, &raw, &more, err)) {
        return false;
    }
    if (!more) {
        *out = (struct source_item){.kind = SOURCE_END};
        return true;
    }
    source->line = raw.line.number;
    raw.is_new = raw.line.text.data == tried;
    if (raw.line.too_large) {
        (void)error_set(&source->why, ERROR_INPUT, "larger than %d bytes%s", INPUT_LINE_SIZE_MAX,
                        source->mapping != NULL ? " (perhaps a quote that is not closed)" : "");
        refuse(source, &raw, QUARANTINE_TOO_LARGE, out);
        return true;
    }
    out->kind = SOURCE_MESSAGE;
    out->line = raw.line.number;
    copy_slice(&out->text, &raw.line.text);
    out->reason = QUARANTINE_NONE;
    out->detail = "";
    if (source->mapping != NULL) {
        bool refused;

        if (!map(source, &raw, out, &refused, err)) {
            return false;
        }
        if (refused) {
            return true;
        }
        out->text = buffer_slice(&source->message);
    }
    return source->options.decode ? decode(source, &raw, out, err) : true;
}

/* Of a line that was decoded ahead. */
static __attribute__((noinline)) bool give_line_id(struct source *source, struct source_item *item, struct error *err)
{
    const struct raw raw = {.line = {.number = item->line, .text = item->text}};

    return give_message_id(source, &raw, item, err);
}

bool source_next(struct source *source, struct source_item *out, struct error *err)
{
    struct slice lines;

    arena_reset(&source->arena);
    if (!source->ahead || source->line + 1 < source->options.line_begin) {
        return next_judged(source, NULL, out, err);
    }
    lines = input_file_ahead(source->file);
    if (!event_decode_line(lines, source->projection, &source->document, &source->arena, &out->event)) {
        return next_judged(source, lines.size > 0 ? lines.data : NULL, out, err);
    }
    source->line = input_file_take(source->file, source->document.text.size);
    out->kind = SOURCE_MESSAGE;
    out->line = source->line;
    copy_slice(&out->text, &source->document.text);
    out->reason = QUARANTINE_NONE;
    out->detail = "";
    return !source->options.message_ids || !lacks_message_id(&out->event) || give_line_id(source, out, err);
}

bool source_digest(struct source *source, unsigned char digest[SHA256_SIZE], struct error *err)
{
    if (!source->has_digest && !read_digest(source, err)) {
        return false;
    }
    memcpy(digest, source->digest, SHA256_SIZE);
    return true;
}

bool source_mapping_digest(const struct source *source, unsigned char digest[SHA256_SIZE])
{
    if (source->mapping == NULL) {
        return false;
    }
    memcpy(digest, source->mapping_digest, SHA256_SIZE);
    return true;
}

const char *source_name(const struct source *source)
{
    return input_file_name(source->file);
}

uint64_t source_size(const struct source *source)
{
    return input_file_size(source->file);
}

uint64_t source_offset(const struct source *source)
{
    return input_file_offset(source->file);
}
