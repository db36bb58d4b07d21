#include "tests/oracle/properties.h"

#include "tests/oracle/product.h"

#include <stdlib.h>

enum { COPIES_MAX = 2, ORDERS = 2, ENDED_EVERY = 4 };

struct check {
    struct arena *arena;
    struct zone_files *zones;
    const struct oracle_case *test;
    struct buffer *said;
    struct slice *lines; /* of the case, without copies with other content */
    int64_t *times;      /* of each line; INT64_MIN where it is no event for the rules */
    size_t line_count;
    uint64_t random;
    enum compare_result result;
    struct error err;
};

static bool refuse(struct check *check, const char *what)
{
    check->result = COMPARE_REFUSED;
    buffer_append_format(check->said, "%s: %s\n", what, check->err.message);
    return false;
}

/* ---- lines ---- */

/* The first line with that user and id decides. */
static bool is_other_copy(const struct message *messages, const struct slice *lines, size_t count,
                          const struct message *message, struct slice line)
{
    for (size_t i = 0; message->has_id && i < count; i++) {
        if (messages[i].has_id && slice_equal(messages[i].id, message->id) &&
            slice_equal(messages[i].user, message->user)) {
            return !slice_equal(lines[i], line);
        }
    }
    return false;
}

static void take_lines(struct check *check)
{
    const struct oracle_case *test = check->test;
    struct message *messages = take(check->arena, test->line_count, sizeof *messages);

    check->lines = take(check->arena, test->line_count, sizeof *check->lines);
    check->times = take(check->arena, test->line_count, sizeof *check->times);
    for (size_t i = 0; i < test->line_count; i++) {
        struct message message = {0};
        bool accepted = message_read(check->arena, test->lines[i], &message);

        if (accepted && is_other_copy(messages, check->lines, check->line_count, &message, test->lines[i])) {
            continue;
        }
        messages[check->line_count] = accepted ? message : (struct message){0};
        check->lines[check->line_count] = test->lines[i];
        check->times[check->line_count++] =
            accepted && (message.happening || message.identify) ? message.time : INT64_MIN;
    }
}

/* Another order, and lines with an id more than once. */
static struct slice *scatter(struct check *check, size_t *count)
{
    struct slice *lines = take(check->arena, check->line_count * (1 + COPIES_MAX), sizeof *lines);

    *count = 0;
    for (size_t i = 0; i < check->line_count; i++) {
        struct message message;
        size_t copies = 1;

        if (message_read(check->arena, check->lines[i], &message) && message.has_id) {
            copies += (size_t)(random_next(&check->random) % (1 + COPIES_MAX));
        }
        for (; copies > 0; copies--) {
            lines[(*count)++] = check->lines[i];
        }
    }
    for (size_t i = *count; i > 1; i--) {
        size_t k = (size_t)(random_next(&check->random) % i);
        struct slice line = lines[k];

        lines[k] = lines[i - 1];
        lines[i - 1] = line;
    }
    return lines;
}

/* ---- answers ---- */

static bool fold(struct check *check, struct product *product, struct slice line, bool follow)
{
    struct event event;
    bool accepted = false;

    if (!product_decode(product, line, &event, &accepted, &check->err) ||
        (accepted && !product_fold(product, &event, follow, &check->err))) {
        return refuse(check, "fold");
    }
    return true;
}

static bool membership_of_user(struct check *check, struct product *product, const struct product_user *user,
                               size_t segment, int64_t at, struct membership *out)
{
    *out = (struct membership){0};
    return user == NULL ||
           user_state_membership(product->ruleset, user->state, segment, at, product->evaluation, out, &check->err) ||
           refuse(check, "membership");
}

static bool history_of_user(struct check *check, struct product *product, const struct product_user *user,
                            size_t segment, int64_t at, struct stays *out)
{
    const struct interval *intervals = NULL;
    size_t count = 0;

    *out = (struct stays){0};
    if (user == NULL || product->set.definitions[segment].needs_percentile) {
        return true;
    }
    if (!user_state_history(product->ruleset, user->state, segment, at, product->evaluation, &intervals, &count,
                            &check->err)) {
        return refuse(check, "history");
    }
    out->items = take(check->arena, count, sizeof *out->items);
    for (size_t i = 0; i < count; i++) {
        out->items[out->count++] = (struct stay){.entered = intervals[i].entered_at, .left = intervals[i].left_at};
    }
    return true;
}

static bool say(struct check *check, enum compare_result how, const struct product *product, size_t segment,
                struct slice user, int64_t at)
{
    char text[40];
    struct slice id = product->set.definitions[segment].segment_id;

    check->result = how;
    buffer_append_format(check->said, "%s: segment %.*s, user %.*s, as of %s\n", compare_result_name(how), (int)id.size,
                         id.data, (int)user.size, user.data,
                         at == TIMESTAMP_NEVER ? "the end" : calendar_text(at, text));
    return false;
}

static bool equal_stays(const struct stays *a, const struct stays *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++) {
        equal = a->items[i].entered == b->items[i].entered && a->items[i].left == b->items[i].left;
    }
    return equal;
}

static bool equal_memberships(const struct membership *a, const struct membership *b)
{
    return a->member == b->member && a->excluded == b->excluded &&
           (!a->member || (a->entered_at == b->entered_at && a->valid_until == b->valid_until));
}

/* Both say the same of all users of `a` at `at`, and over time until then. */
static bool same_answers(struct check *check, enum compare_result how, struct product *a, struct product *b, int64_t at)
{
    if (at != TIMESTAMP_NEVER && (!product_rank(a, at, &check->err) || !product_rank(b, at, &check->err))) {
        return refuse(check, "ranks");
    }
    for (size_t i = 0; i < a->user_count; i++) {
        const struct product_user *user = &a->users[i];
        const struct product_user *other = product_user(b, user->id);

        for (size_t segment = 0; segment < a->set.definition_count; segment++) {
            struct membership memberships[2] = {0};
            struct stays stays[2];

            if (!history_of_user(check, a, user, segment, at, &stays[0]) ||
                !history_of_user(check, b, other, segment, at, &stays[1]) ||
                (at != TIMESTAMP_NEVER && (!membership_of_user(check, a, user, segment, at, &memberships[0]) ||
                                           !membership_of_user(check, b, other, segment, at, &memberships[1])))) {
                return false;
            }
            if (!equal_stays(&stays[0], &stays[1]) || !equal_memberships(&memberships[0], &memberships[1])) {
                return say(check, how, a, segment, user->id, at);
            }
        }
    }
    return true;
}

/* ---- order and repetition; the future ---- */

static bool check_orders(struct check *check, struct product *plain)
{
    bool same = true;

    for (int order = 0; same && order < ORDERS; order++) {
        struct product other;
        size_t count;
        struct slice *lines = scatter(check, &count);

        same = product_init(&other, check->arena, check->zones, check->test->definitions, &check->err) ||
               refuse(check, "definitions");
        for (size_t i = 0; same && i < count; i++) {
            same = fold(check, &other, lines[i], false);
        }
        same = same && same_answers(check, COMPARE_ORDER, plain, &other, TIMESTAMP_NEVER);
        for (size_t i = 0; same && i < CASE_INSTANTS; i++) {
            same = same_answers(check, COMPARE_ORDER, plain, &other, check->test->instants[i]);
        }
        product_clear(&other);
    }
    return same;
}

/* What is known at T, against what all events say of T. */
static bool check_future(struct check *check, struct product *plain, int64_t at)
{
    struct product other;
    bool same = product_init(&other, check->arena, check->zones, check->test->definitions, &check->err) ||
                refuse(check, "definitions");

    for (size_t i = 0; same && i < check->line_count; i++) {
        same = check->times[i] > at || fold(check, &other, check->lines[i], false);
    }
    same = same && same_answers(check, COMPARE_FUTURE, plain, &other, at);
    product_clear(&other);
    return same;
}

static bool check_answers(struct check *check)
{
    struct product plain;
    bool same = product_init(&plain, check->arena, check->zones, check->test->definitions, &check->err) ||
                refuse(check, "definitions");

    for (size_t i = 0; same && i < check->line_count; i++) {
        same = fold(check, &plain, check->lines[i], false);
    }
    same = same && check_orders(check, &plain);
    for (size_t i = 0; same && i < CASE_INSTANTS; i++) {
        same = check_future(check, &plain, check->test->instants[i]);
    }
    if (same && check->line_count > 0) {
        int64_t at = check->times[random_next(&check->random) % check->line_count];

        same = at == INT64_MIN || (check_future(check, &plain, at) && check_future(check, &plain, at - 1));
    }
    product_clear(&plain);
    return same;
}

/* ---- stream ---- */

/* A lane beside a product that has absorbed the same. */
struct streaming {
    struct check *check;
    struct product *product;
    struct lane *lane;
    struct lane_record (*announced)[PRODUCT_SEGMENTS_MAX]; /* by user of the product */
    bool (*present)[PRODUCT_SEGMENTS_MAX];
    int64_t watermark;
    int64_t lateness_ms;
};

enum { STREAMED_USERS_MAX = 64 };

static bool take_record(void *context, const struct lane_record *record, struct error *err)
{
    struct streaming *streaming = context;
    struct product_user *user = product_user(streaming->product, lane_user_id(record->user));
    size_t index;

    if (user == NULL) {
        return error_set(err, ERROR_INTERNAL, "a record of an unknown user");
    }
    index = (size_t)(user - streaming->product->users);
    streaming->announced[index][record->segment] = *record;
    streaming->present[index][record->segment] = true;
    return true;
}

static bool streaming_begin(struct streaming *streaming, struct check *check, struct product *product,
                            int64_t lateness_ms)
{
    struct lane_segment segments[PRODUCT_SEGMENTS_MAX] = {0};
    const struct lane_options options = {.ruleset = product->ruleset, .segments = segments};

    *streaming = (struct streaming){.check = check,
                                    .product = product,
                                    .watermark = TIMESTAMP_ALWAYS,
                                    .lateness_ms = lateness_ms};
    streaming->announced = take(check->arena, STREAMED_USERS_MAX, sizeof *streaming->announced);
    streaming->present = take(check->arena, STREAMED_USERS_MAX, sizeof *streaming->present);
    for (size_t i = 0; i < product->set.definition_count; i++) {
        segments[i] = (struct lane_segment){.silent = !product->set.definitions[i].streams,
                                            .purpose = LANE_NO_PURPOSE,
                                            .complete_from_ms = TIMESTAMP_ALWAYS};
    }
    return lane_new(&options, &streaming->lane, &check->err) || refuse(check, "lane");
}

/* What is announced at the watermark is what batch says of it, for users without an event beyond. A renewal may wait
 * for half of what was announced; at the end (`ended`) it does not. */
static bool check_announced(struct streaming *streaming, int64_t at, bool ended)
{
    struct product *product = streaming->product;

    for (size_t i = 0; i < product->user_count; i++) {
        struct product_user *user = &product->users[i];

        for (size_t segment = 0; user_state_newest(user->state) <= at && segment < product->set.definition_count;
             segment++) {
            const struct lane_record *record = &streaming->announced[i][segment];
            bool member = streaming->present[i][segment] && record->member;
            struct membership truth;

            if (!product->set.definitions[segment].streams) {
                continue;
            }
            if (!membership_of_user(streaming->check, product, user, segment, at, &truth)) {
                return false;
            }
            if (member != truth.member ||
                (member &&
                 (record->entered_at != truth.entered_at || record->valid_until <= at ||
                  record->valid_until > truth.valid_until || (ended && record->valid_until != truth.valid_until)))) {
                return say(streaming->check, COMPARE_INSTANT, product, segment, user->id, at);
            }
        }
    }
    return true;
}

static int compare_instants(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* The instants in (from, until] at which a membership begins or ends, by what batch says now, and the one before each;
 * and those at which an announced one would lapse. */
static bool find_changes(struct streaming *streaming, int64_t from, int64_t until, int64_t **out, size_t *out_count)
{
    struct check *check = streaming->check;
    struct product *product = streaming->product;
    size_t capacity = product->user_count * product->set.definition_count;

    *out_count = 0;
    for (int pass = 0; pass < 2; pass++) {
        *out = pass == 0 ? NULL : take(check->arena, capacity + 1, sizeof **out);
        for (size_t i = 0; i < product->user_count * product->set.definition_count; i++) {
            struct stays stays;

            if (!history_of_user(check, product, &product->users[i / product->set.definition_count],
                                 i % product->set.definition_count, TIMESTAMP_NEVER, &stays)) {
                return false;
            }
            for (size_t k = 0; k < 4 * stays.count; k++) {
                const struct stay *stay = &stays.items[k / 4];
                int64_t at = (k % 4 < 2 ? stay->entered : stay->left) - (int64_t)(k % 2);

                if (at > from && at <= until && pass == 0) {
                    capacity++;
                } else if (at > from && at <= until) {
                    (*out)[(*out_count)++] = at;
                }
            }
        }
    }
    for (size_t i = 0; i < product->user_count * product->set.definition_count; i++) {
        size_t segment = i % product->set.definition_count;
        int64_t lapses = streaming->announced[i / product->set.definition_count][segment].valid_until;

        if (lapses > from && lapses <= until) {
            (*out)[(*out_count)++] = lapses;
        }
    }
    qsort(*out, *out_count, sizeof **out, compare_instants);
    return true;
}

/* The watermark moves on, and stops at every change point on its way. */
static bool advance(struct streaming *streaming, int64_t watermark)
{
    struct lane_sink sink = {.emit = take_record, .context = streaming};
    int64_t *instants;
    size_t count;

    if (!find_changes(streaming, streaming->watermark, watermark, &instants, &count)) {
        return false;
    }
    instants[count] = watermark;
    for (size_t i = 0; i <= count; i++) {
        if (i > 0 && instants[i] == instants[i - 1]) {
            continue;
        }
        if (!lane_advance(streaming->lane, instants[i], &sink, &streaming->check->err)) {
            return refuse(streaming->check, "lane");
        }
        if (!check_announced(streaming, instants[i], false)) {
            return false;
        }
    }
    streaming->watermark = watermark;
    return true;
}

/* What a membership is at an instant, by intervals. */
static bool holds_at(const struct stays *stays, int64_t at, int64_t *entered)
{
    for (size_t i = 0; i < stays->count; i++) {
        if (stays->items[i].entered <= at && at < stays->items[i].left) {
            *entered = stays->items[i].entered;
            return true;
        }
    }
    *entered = INT64_MIN;
    return false;
}

static void say_instant(struct buffer *said, int64_t ms)
{
    char text[40];

    buffer_append_text(said, ms == TIMESTAMP_NEVER    ? "open"
                             : ms == TIMESTAMP_ALWAYS ? "ever"
                                                      : calendar_text(ms, text));
}

static void say_stays(struct buffer *said, const char *who, const struct stays *stays)
{
    buffer_append_format(said, "  %-12s", who);
    for (size_t i = 0; i < stays->count; i++) {
        buffer_append_text(said, " [");
        say_instant(said, stays->items[i].entered);
        buffer_append_text(said, ", ");
        say_instant(said, stays->items[i].left);
        buffer_append_text(said, ")");
    }
    buffer_append_text(said, stays->count == 0 ? " nothing\n" : "\n");
}

/* `announced`: NULL where no membership is. */
static void say_change(const struct streaming *streaming, const struct lane_record *announced,
                       const struct stays *before, const struct stays *after)
{
    struct buffer *said = streaming->check->said;
    struct stay stay = {0};
    struct stays stays = {.items = &stay, .count = announced != NULL};

    if (announced != NULL) {
        stay = (struct stay){.entered = announced->entered_at, .left = announced->valid_until};
    }
    buffer_append_text(said, "  watermark    ");
    say_instant(said, streaming->watermark);
    buffer_append_text(said, "\n");
    say_stays(said, "announced", &stays);
    say_stays(said, "before", before);
    say_stays(said, "after", after);
}

/* Where the event changed what holds at the user's instant, this is announced at once: by an exit, or by an end that
 * lies no later. `before`: by segment, from the
 * events before. */
static bool check_at_once(struct streaming *streaming, const struct product_user *user, const struct stays *before)
{
    struct product *product = streaming->product;
    size_t index = (size_t)(user - product->users);
    int64_t newest = user_state_newest(user->state);
    int64_t at = newest > streaming->watermark ? newest : streaming->watermark;

    for (size_t segment = 0; segment < product->set.definition_count; segment++) {
        const struct lane_record *record = &streaming->announced[index][segment];
        bool announced = streaming->present[index][segment] && record->member && at < record->valid_until;
        int64_t entered_before;
        int64_t entered;
        bool held = holds_at(&before[segment], at, &entered_before);
        bool holds = holds_at(&user->stays[segment], at, &entered);

        if (product->set.definitions[segment].streams && (held != holds || entered_before != entered) &&
            (announced != holds || (holds && record->entered_at != entered))) {
            (void)say(streaming->check, COMPARE_INSTANT, product, segment, user->id, at);
            say_change(streaming, announced ? record : NULL, &before[segment], &user->stays[segment]);
            return false;
        }
    }
    return true;
}

/* Gives a line to product and lane. *time: of its event; INT64_MIN where it is none. */
static bool stream_line(struct streaming *streaming, struct slice line, int64_t offset, bool follow, int64_t *time)
{
    struct lane_sink sink = {.emit = take_record, .context = streaming};
    struct check *check = streaming->check;
    struct product *product = streaming->product;
    struct stays before[PRODUCT_SEGMENTS_MAX] = {0};
    struct product_user *known;
    struct lane_user *user = NULL;
    struct event event;
    bool accepted = false;

    *time = INT64_MIN;
    if (!product_decode(product, line, &event, &accepted, &check->err)) {
        return refuse(check, "decode");
    }
    if (!accepted || event.kind == EVENT_CONSENT || event.kind == EVENT_DELETE) {
        return true;
    }
    *time = event.time_ms;
    known = product_user(product, event.user);
    if (known != NULL) {
        memcpy(before, known->stays, sizeof before);
    }
    if (!product_fold(product, &event, follow, &check->err) || product->user_count > STREAMED_USERS_MAX ||
        !lane_add(streaming->lane, event.user, &user, &check->err) ||
        !lane_event(streaming->lane, user, &event, 0, offset, streaming->watermark, &sink, &check->err)) {
        return refuse(check, "lane");
    }
    return !follow || check_at_once(streaming, product_user(product, lane_user_id(user)), before);
}

/* The intervals kept from event to event are those found from the beginning, after each event. */
static bool check_kept(struct check *check, struct product *product)
{
    for (size_t i = 0; i < product->user_count; i++) {
        for (size_t segment = 0; segment < product->set.definition_count; segment++) {
            struct stays found;

            if (!history_of_user(check, product, &product->users[i], segment, TIMESTAMP_NEVER, &found)) {
                return false;
            }
            if (!product->set.definitions[segment].needs_percentile &&
                !equal_stays(&found, &product->users[i].stays[segment])) {
                return say(check, COMPARE_INSTANT, product, segment, product->users[i].id, TIMESTAMP_NEVER);
            }
        }
    }
    return true;
}

/* A stream that ends after some of the lines announces what batch says of them. */
static bool check_ended(struct check *check, const struct slice *lines, size_t count, int64_t lateness_ms)
{
    struct product product;
    struct streaming streaming = {0};
    int64_t newest = INT64_MIN;
    bool same = (product_init(&product, check->arena, check->zones, check->test->definitions, &check->err) ||
                 refuse(check, "definitions")) &&
                streaming_begin(&streaming, check, &product, lateness_ms);
    struct lane_sink sink = {.emit = take_record, .context = &streaming};

    for (size_t i = 0; same && i < count; i++) {
        int64_t time;

        same = stream_line(&streaming, lines[i], (int64_t)i, false, &time);
        newest = time > newest ? time : newest;
        if (newest != INT64_MIN && newest - lateness_ms > streaming.watermark) {
            streaming.watermark = newest - lateness_ms;
        }
        same = same && (lane_advance(streaming.lane, streaming.watermark, &sink, &check->err) || refuse(check, "lane"));
    }
    if (same && newest != INT64_MIN) {
        same = (lane_end(streaming.lane, newest, &sink, &check->err) || refuse(check, "lane")) &&
               check_announced(&streaming, newest, true);
    }
    lane_free(streaming.lane);
    product_clear(&product);
    return same;
}

static bool check_stream(struct check *check)
{
    static const int64_t latenesses[] = {0, 1, 5000, 3600000};
    int64_t lateness_ms = latenesses[random_next(&check->random) % (sizeof latenesses / sizeof latenesses[0])];
    size_t count;
    struct slice *lines = scatter(check, &count);
    struct product product;
    struct streaming streaming = {0};
    bool same = (product_init(&product, check->arena, check->zones, check->test->definitions, &check->err) ||
                 refuse(check, "definitions")) &&
                streaming_begin(&streaming, check, &product, lateness_ms);

    for (size_t i = 0; same && i < count; i++) {
        int64_t time;

        same = stream_line(&streaming, lines[i], (int64_t)i, true, &time) && check_kept(check, &product);
        if (same && time != INT64_MIN && time - lateness_ms > streaming.watermark) {
            same = advance(&streaming, time - lateness_ms);
        }
        if (same && random_next(&check->random) % ENDED_EVERY == 0) {
            same = check_ended(check, lines, i + 1, lateness_ms);
        }
    }
    lane_free(streaming.lane);
    product_clear(&product);
    return same;
}

enum compare_result properties_check(struct arena *arena, struct zone_files *zones, const struct oracle_case *test,
                                     struct buffer *said)
{
    struct check check = {.arena = arena, .zones = zones, .test = test, .said = said, .random = test->seed};

    take_lines(&check);
    if (check_answers(&check)) {
        (void)check_stream(&check);
    }
    return check.result;
}
