#include "common/cli/explain_format.h"

bool explain_format_parse(const char *text, enum explain_format *out, struct error *err)
{
    static const char *const names[] = {
        [EXPLAIN_NONE] = "none", [EXPLAIN_TEXT] = "text", [EXPLAIN_JSONL] = "jsonl", [EXPLAIN_JSON] = "json"};

    *out = text == NULL ? EXPLAIN_TEXT : EXPLAIN_NONE;
    for (int format = EXPLAIN_TEXT; text != NULL && format <= EXPLAIN_JSON; format++) {
        if (strcmp(text, names[format]) == 0) {
            *out = (enum explain_format)format;
        }
    }
    return *out != EXPLAIN_NONE ||
           error_set(err, ERROR_USAGE, "--format: expected text, jsonl or json, got \"%s\"", text);
}

void explain_format_append(struct buffer *out, enum explain_format format, struct slice user,
                           const struct explanation_segment *segment, bool first, bool last)
{
    switch (format) {
    case EXPLAIN_JSONL:
        explanation_append_json(out, user, segment);
        buffer_append_char(out, '\n');
        return;
    case EXPLAIN_JSON:
        buffer_append_text(out, first ? "[" : ",\n");
        explanation_append_json(out, user, segment);
        buffer_append_text(out, last ? "]\n" : "");
        return;
    case EXPLAIN_TEXT:
    case EXPLAIN_NONE:
    default:
        buffer_append_text(out, first ? "" : "\n");
        explanation_append_text(out, user, segment);
        return;
    }
}
