/* What decoding costs: every line of a file, decoded as a whole and by the envelope with two properties, in turns.
 * Prints the medians in CPU ns per message. */
#include "common/base/file.h"
#include "common/domain/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9, FILE_SIZE_MAX = 1 << 30 };

static struct json_document document;
static struct arena arena;
static struct event_projection projection;

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Returns how many lines there are. */
static size_t decode_all(struct slice text, bool whole)
{
    const char *end = text.data + text.size;
    const char *line_end;
    size_t count = 0;

    for (const char *line = text.data; line < end; line = line_end + 1) {
        enum quarantine_reason reason;
        struct error why = ERROR_INIT;
        struct event event;
        struct slice message;
        bool decoded;

        line_end = memchr(line, '\n', (size_t)(end - line));
        line_end = line_end == NULL ? end : line_end;
        message = slice_of(line, (size_t)(line_end - line));
        arena_reset(&arena);
        decoded = whole ? event_decode(message, &document, &arena, &event, &reason, &why)
                        : event_decode_projected(message, &projection, &document, &arena, &event, &reason, &why);
        if (!decoded) {
            (void)fprintf(stderr, "decode_lines: %s\n", why.message);
            exit(70);
        }
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    const struct slice keys[] = {SLICE_LITERAL("sku"), SLICE_LITERAL("price")};
    double times[2][ROUNDS];
    struct error err = ERROR_INIT;
    struct buffer text;

    buffer_init(&text, FILE_SIZE_MAX);
    if (argc != 2 || !file_read(argv[1], &text, &err) || !event_projection_init(&projection, 2, &err) ||
        !event_projection_add(&projection, &keys[0], 1, 0, &err) ||
        !event_projection_add(&projection, &keys[1], 1, 1, &err)) {
        (void)fprintf(stderr, "usage: decode_lines FILE\n%s\n", err.message);
        return 2;
    }
    json_document_init(&document);
    arena_init(&arena, (size_t)4 * EVENT_SIZE_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        for (int way = 0; way < 2; way++) {
            double begin = cpu_ns();
            size_t count = decode_all(buffer_slice(&text), way == 0);

            times[way][round] = (cpu_ns() - begin) / (double)(count > 0 ? count : 1);
        }
    }
    qsort(times[0], ROUNDS, sizeof times[0][0], compare);
    qsort(times[1], ROUNDS, sizeof times[1][0], compare);
    printf("decoding alone: %.0f ns a message as a whole, %.0f ns by what rules read\n", times[0][ROUNDS / 2],
           times[1][ROUNDS / 2]);
    json_document_clear(&document);
    event_projection_clear(&projection);
    arena_clear(&arena);
    buffer_clear(&text);
    return 0;
}
