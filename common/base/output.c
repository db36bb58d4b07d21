#include "common/base/output.h"

#include "common/base/memory.h"

#include <errno.h>
#include <poll.h>

enum {
    KEPT_ROWS = 200,      /* text rows that are kept to align the columns */
    KEPT_BYTES = 1 << 20, /* and their size */
    CELL_WIDTH_MAX = 60,  /* a wider cell does not widen its column */
    COLUMNS_MAX = 64,
    PENDING_BYTES = 64 << 10, /* written to the file in pieces of this size */
    PENDING_MAX = 256 << 20,  /* one row is never larger */
};

struct output {
    FILE *file;
    enum output_format format;
    const char *const *columns;
    size_t column_count;
    struct buffer pending; /* formatted, not yet written */
    struct buffer kept;    /* text format: cells of the rows kept, each followed by a NUL */
    size_t kept_count;     /* rows */
    bool aligned;          /* widths are fixed, rows stream */
    size_t *widths;
};

bool output_format_parse(const char *text, enum output_format fallback, enum output_format *out, struct error *err)
{
    if (text == NULL) {
        *out = fallback;
    } else if (strcmp(text, "text") == 0) {
        *out = OUTPUT_TEXT;
    } else if (strcmp(text, "csv") == 0) {
        *out = OUTPUT_CSV;
    } else if (strcmp(text, "jsonl") == 0) {
        *out = OUTPUT_JSONL;
    } else {
        return error_set(err, ERROR_USAGE, "the format must be text, csv or jsonl, not \"%.32s\"", text);
    }
    return true;
}

/* Says why a write failed; `number` is its errno, or 0 when that is gone. */
static bool write_failed(FILE *file, int number, struct error *err)
{
    struct pollfd poll_file = {.fd = fileno(file), .events = POLLOUT, .revents = 0};

    /* A pipe without a reader shows. */
    if (number == 0) {
        number = poll(&poll_file, 1, 0) == 1 && (poll_file.revents & POLLERR) != 0 ? EPIPE : EIO;
    }
    if (number == EPIPE) {
        return error_set(err, ERROR_CLOSED_PIPE, "the reader of standard output went away");
    }
    return error_set(err, ERROR_INTERNAL, "could not write standard output: %s", strerror(number));
}

bool output_check(FILE *file, struct error *err)
{
    errno = 0;
    if (fflush(file) == 0 && !ferror(file)) {
        return true;
    }
    return write_failed(file, errno, err);
}

bool output_write(FILE *file, struct slice bytes, struct error *err)
{
    errno = 0;
    if (bytes.size > 0 && fwrite(bytes.data, 1, bytes.size, file) != bytes.size) {
        return write_failed(file, errno, err);
    }
    return true;
}

/* Hands the pending bytes to the file. */
static bool write_pending(struct output *output, struct error *err)
{
    if (!buffer_finish(&output->pending, "a row of the output", err) ||
        !output_write(output->file, buffer_slice(&output->pending), err)) {
        return false;
    }
    buffer_reset(&output->pending);
    return true;
}

/* Places on the screen: code points, which is right but for wide and combining characters. */
static size_t width_of(struct slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.size; i++) {
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return width;
}

/* NUL cannot be in a kept cell for that reason. */
void output_append_visible(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20 || byte == 0x7f) {
            buffer_append_format(out, "\\x%02x", byte);
        } else if (byte == 0xc2 && i + 1 < text.size && (unsigned char)text.data[i + 1] < 0xa0) {
            buffer_append_format(out, "\\u00%02x", (unsigned char)text.data[++i]);
        } else {
            buffer_append_char(out, (char)byte);
        }
    }
}

static void append_aligned(struct output *output, size_t column, struct slice cell)
{
    size_t width = width_of(cell);

    if (column > 0) {
        buffer_append_text(&output->pending, "  ");
    }
    buffer_append_slice(&output->pending, cell);
    if (column + 1 == output->column_count) {
        buffer_append_char(&output->pending, '\n');
        return;
    }
    for (; width < output->widths[column]; width++) {
        buffer_append_char(&output->pending, ' ');
    }
}

static void widen(struct output *output, size_t column, struct slice cell)
{
    size_t width = width_of(cell);

    if (width > output->widths[column] && width <= CELL_WIDTH_MAX) {
        output->widths[column] = width;
    }
}

/* Writes header and kept rows with the widths known by now. */
static bool align(struct output *output, struct error *err)
{
    struct slice kept = buffer_slice(&output->kept);
    size_t column = 0;

    output->aligned = true;
    if (!buffer_finish(&output->kept, "the output", err)) {
        return false;
    }
    for (size_t i = 0; i < output->column_count; i++) {
        append_aligned(output, i, slice_from(output->columns[i]));
    }
    while (kept.size > 0) {
        struct slice cell = slice_from(kept.data);

        append_aligned(output, column, cell);
        column = (column + 1) % output->column_count;
        kept = slice_of(kept.data + cell.size + 1, kept.size - cell.size - 1);
    }
    buffer_clear(&output->kept);
    return write_pending(output, err);
}

static bool text_row(struct output *output, const struct slice *cells, struct error *err)
{
    for (size_t i = 0; i < output->column_count; i++) {
        struct slice cell = cells[i].data == NULL ? SLICE_LITERAL("-") : cells[i];

        if (output->aligned) {
            struct buffer visible;

            buffer_init(&visible, PENDING_MAX);
            output_append_visible(&visible, cell);
            append_aligned(output, i, buffer_slice(&visible));
            output->pending.failed = output->pending.failed || visible.failed;
            buffer_clear(&visible);
        } else {
            size_t begin = output->kept.size;

            output_append_visible(&output->kept, cell);
            if (!output->kept.failed) {
                widen(output, i, slice_of(output->kept.data + begin, output->kept.size - begin));
            }
            buffer_append_char(&output->kept, '\0');
        }
    }
    if (!output->aligned && (++output->kept_count >= KEPT_ROWS || output->kept.size >= KEPT_BYTES)) {
        return align(output, err);
    }
    return true;
}

static void csv_row(struct output *output, const struct slice *cells)
{
    for (size_t i = 0; i < output->column_count; i++) {
        if (i > 0) {
            buffer_append_char(&output->pending, ',');
        }
        output_append_csv(&output->pending, cells[i]);
    }
    buffer_append_char(&output->pending, '\n');
}

static void jsonl_row(struct output *output, const struct slice *cells)
{
    for (size_t i = 0; i < output->column_count; i++) {
        buffer_append_char(&output->pending, i == 0 ? '{' : ',');
        output_append_json(&output->pending, slice_from(output->columns[i]));
        buffer_append_char(&output->pending, ':');
        if (cells[i].data == NULL) {
            buffer_append_text(&output->pending, "null");
        } else {
            output_append_json(&output->pending, cells[i]);
        }
    }
    buffer_append_text(&output->pending, "}\n");
}

static void free_output(struct output *output)
{
    buffer_clear(&output->pending);
    buffer_clear(&output->kept);
    memory_free(output->widths);
    memory_free(output);
}

bool output_begin(FILE *file, enum output_format format, const char *const *columns, size_t column_count,
                  struct output **out, struct error *err)
{
    struct output *output = memory_allocate_zeroed(1, sizeof *output);

    if (output == NULL) {
        return error_no_memory(err, "the output");
    }
    *output = (struct output){.file = file, .format = format, .columns = columns, .column_count = column_count};
    buffer_init(&output->pending, PENDING_MAX);
    buffer_init(&output->kept, PENDING_MAX);
    output->widths = memory_allocate_zeroed(column_count, sizeof *output->widths);
    if (output->widths == NULL) {
        free_output(output);
        return error_no_memory(err, "the output");
    }
    for (size_t i = 0; i < column_count; i++) {
        output->widths[i] = width_of(slice_from(columns[i]));
        if (format == OUTPUT_CSV) {
            buffer_append_text(&output->pending, i > 0 ? "," : "");
            output_append_csv(&output->pending, slice_from(columns[i]));
        }
    }
    if (format == OUTPUT_CSV) {
        buffer_append_char(&output->pending, '\n');
    }
    *out = output;
    return true;
}

bool output_row(struct output *output, const struct slice *cells, struct error *err)
{
    switch (output->format) {
    case OUTPUT_CSV:
        csv_row(output, cells);
        break;
    case OUTPUT_JSONL:
        jsonl_row(output, cells);
        break;
    case OUTPUT_TEXT:
    case OUTPUT_NONE:
        if (!text_row(output, cells, err)) {
            return false;
        }
        break;
    }
    if (output->pending.size >= PENDING_BYTES || output->pending.failed) {
        return write_pending(output, err);
    }
    return true;
}

bool output_end(struct output *output, struct error *err)
{
    bool done = output->format == OUTPUT_CSV || output->format == OUTPUT_JSONL || output->aligned || align(output, err);

    done = done && write_pending(output, err) && output_check(output->file, err);
    free_output(output);
    return done;
}

void output_abort(struct output *output)
{
    if (output != NULL) {
        free_output(output);
    }
}

/* Whatever needs quotes lies below '-', as little else does that ids and instants are made of: eight bytes at a time
 * are asked whether one of them does, up to the first that is. */
static bool needs_quotes(struct slice text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= text.size; i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, text.data + i, sizeof word);
        if (((word - ones * '-') & ~word & ones * 0x80) != 0) {
            break;
        }
    }
    for (; i < text.size; i++) {
        char byte = text.data[i];

        if (byte == ',' || byte == '"' || byte == '\r' || byte == '\n') {
            return true;
        }
    }
    return false;
}

void output_append_csv(struct buffer *out, struct slice text)
{
    if (!needs_quotes(text)) {
        buffer_append_slice(out, text);
        return;
    }
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            buffer_append_char(out, '"');
        }
        buffer_append_char(out, text.data[i]);
    }
    buffer_append_char(out, '"');
}

/* Bytes of the UTF-8 sequence at `at`, or 0 when there is none (overlong, surrogate, beyond U+10FFFF, cut). */
static size_t utf8_size(const unsigned char *at, size_t size)
{
    size_t count;
    unsigned point;
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (at[0] < 0x80) {
        return 1;
    }
    count = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || size < count) {
        return 0;
    }
    point = at[0] & (0x7fU >> count);
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fU);
    }
    if (point < least[count] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return 0;
    }
    return count;
}

static void append_json_byte(struct buffer *out, unsigned char byte)
{
    switch (byte) {
    case '"':
        buffer_append_text(out, "\\\"");
        return;
    case '\\':
        buffer_append_text(out, "\\\\");
        return;
    case '\n':
        buffer_append_text(out, "\\n");
        return;
    case '\r':
        buffer_append_text(out, "\\r");
        return;
    case '\t':
        buffer_append_text(out, "\\t");
        return;
    default:
        buffer_append_format(out, "\\u%04x", byte);
    }
}

void output_append_json(struct buffer *out, struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t plain = 0; /* begin of the run that is copied as it is */

    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size;) {
        size_t size = 1;

        if (bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\' && bytes[i] != 0x7f &&
            (size = utf8_size(bytes + i, text.size - i)) > 0) {
            i += size;
            continue;
        }
        buffer_append(out, text.data + plain, i - plain);
        if (size == 0) {
            buffer_append_text(out, "\xef\xbf\xbd");
        } else {
            append_json_byte(out, bytes[i]);
        }
        plain = ++i;
    }
    if (plain < text.size) {
        buffer_append(out, text.data + plain, text.size - plain);
    }
    buffer_append_char(out, '"');
}
