/* Criteria have no names, so they are matched: equal ones first, then those of the same form about the same events or
 * trait, in order. What is left was added or removed. */
#include "common/domain/rule_diff.h"

#include "common/base/buffer.h"
#include "common/base/duration.h"
#include "common/domain/criterion_parts.h"
#include "common/domain/decimal.h"
#include "common/domain/rule_describe.h"
#include "common/domain/rule_diff_parts.h"
#include "common/domain/rule_equal.h"

enum { WORDS_SIZE_MAX = 16 << 20 };

struct diff {
    rule_diff_visit *visit;
    void *context;
    struct buffer words;
    struct error *err;
    bool failed; /* err is set */
};

const char *rule_reach_change_name(enum rule_reach_change change)
{
    static const char *const names[] = {"uncertain", "none", "narrower", "wider"};

    return names[(size_t)change < sizeof(names) / sizeof(names[0]) ? change : RULE_CHANGE_UNCERTAIN];
}

/* ---- saying ---- */

/* Says what stands in the buffer. */
static void say(struct diff *diff, struct slice path)
{
    if (!diff->failed) {
        diff->failed = !buffer_finish(&diff->words, "a difference", diff->err) ||
                       !diff->visit(diff->context, path, buffer_slice(&diff->words), diff->err);
    }
    buffer_reset(&diff->words);
}

/* "WHAT changed from A to B", piece by piece: the caller appends A, calls `between`, appends B and says it. */
static void begin(struct diff *diff, const char *what)
{
    buffer_append_format(&diff->words, "%s changed from ", what);
}

static void between(struct diff *diff)
{
    buffer_append_text(&diff->words, " to ");
}

static void say_texts(struct diff *diff, const char *key, struct slice from, struct slice to)
{
    if (slice_equal(from, to)) {
        return;
    }
    buffer_append_format(&diff->words, "\"%s\" changed from \"%.*s\" to \"%.*s\"", key, (int)from.size, from.data,
                         (int)to.size, to.data);
    say(diff, slice_from(key));
}

static void append_duration(struct buffer *out, int64_t ms)
{
    if (ms == 0) {
        buffer_append_text(out, "none");
    } else {
        duration_append(out, ms);
    }
}

static void say_durations(struct diff *diff, const char *key, const char *what, struct slice path, int64_t from,
                          int64_t to)
{
    if (from == to) {
        return;
    }
    begin(diff, what);
    append_duration(&diff->words, from);
    between(diff);
    append_duration(&diff->words, to);
    say(diff, key == NULL ? path : slice_from(key));
}

static void say_words(struct diff *diff, const char *key, const char *from, const char *to)
{
    say_texts(diff, key, slice_from(from), slice_from(to));
}

/* ---- one criterion ---- */

static void say_criteria(struct diff *diff, const struct criterion *from, size_t from_count, const struct criterion *to,
                         size_t to_count, const char *noun);

static void say_selectors(struct diff *diff, struct slice path, const char *what, const struct rule_selector *from,
                          const struct rule_selector *to)
{
    if (!rule_selector_equal(from, to)) {
        begin(diff, what);
        rule_describe_selector(&diff->words, from);
        between(diff);
        rule_describe_selector(&diff->words, to);
        say(diff, path);
    }
}

static void append_comparisons(struct buffer *out, const struct rule_measure *measure)
{
    if (measure->kind == RULE_MEASURE_NONE) {
        buffer_append_text(out, "at least one event");
    } else if (measure->durations.term_count > 0) {
        rule_describe_spans(out, &measure->durations);
    } else {
        rule_describe_comparison(out, &measure->comparison);
    }
}

static void append_measure(struct buffer *out, const struct rule_measure *measure)
{
    if (measure->kind != RULE_MEASURE_NONE) {
        rule_describe_measured(out, measure);
        buffer_append_char(out, ' ');
    }
    append_comparisons(out, measure);
}

static void say_measures(struct diff *diff, struct slice path, const struct rule_measure *from,
                         const struct rule_measure *to)
{
    if (!rule_measured_equal(from, to)) {
        begin(diff, "the measure");
        append_measure(&diff->words, from);
        between(diff);
        append_measure(&diff->words, to);
        say(diff, path);
    } else if (!rule_comparison_equal(&from->comparison, &to->comparison) ||
               !rule_spans_equal(&from->durations, &to->durations)) {
        begin(diff, "the comparison");
        append_comparisons(&diff->words, from);
        between(diff);
        append_comparisons(&diff->words, to);
        say(diff, path);
    }
}

static void say_windows(struct diff *diff, struct slice path, const struct rule_window *from,
                        const struct rule_window *to)
{
    if (!rule_window_equal(from, to)) {
        begin(diff, "the window");
        rule_describe_window(&diff->words, from);
        between(diff);
        rule_describe_window(&diff->words, to);
        say(diff, path);
    }
}

/* Says whatever differs as a whole where no single part is worth naming. */
static void say_whole(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    if (criterion_equal(from, to)) {
        return;
    }
    begin(diff, "the criterion");
    rule_describe_criterion(&diff->words, from);
    between(diff);
    rule_describe_criterion(&diff->words, to);
    say(diff, to->json_path);
}

/* Two criteria of one form. */
static void say_criterion(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    criterion_diff *row = criterion_operator(to)->diff;

    if (row == NULL) {
        say_whole(diff, from, to);
    } else {
        row(diff, from, to);
    }
}

void diff_event(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    say_selectors(diff, to->json_path, "the events", &from->selector, &to->selector);
    say_windows(diff, to->json_path, &from->window, &to->window);
    say_measures(diff, to->json_path, &from->measure, &to->measure);
}

void diff_absence(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    if (from->or_later != to->or_later ||
        rule_diff_paths_differ(from->same, from->same_count, to->same, to->same_count)) {
        say_whole(diff, from, to);
        return;
    }
    say_selectors(diff, to->json_path, "the events", &from->selector, &to->selector);
    say_selectors(diff, to->json_path, "what must not follow", &from->followed_by, &to->followed_by);
    say_durations(diff, NULL, "\"within\"", to->json_path, from->within_ms, to->within_ms);
    say_windows(diff, to->json_path, &from->window, &to->window);
}

void diff_all(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    say_criteria(diff, from->children, from->child_count, to->children, to->child_count, "a criterion of \"all\"");
}

void diff_any(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    say_criteria(diff, from->children, from->child_count, to->children, to->child_count, "an alternative");
}

void diff_not(struct diff *diff, const struct criterion *from, const struct criterion *to)
{
    if (from->children[0].kind == to->children[0].kind) {
        say_criterion(diff, &from->children[0], &to->children[0]);
    } else {
        say_whole(diff, from, to);
    }
}

static void say_one(struct diff *diff, const char *noun, const char *what, const struct criterion *criterion)
{
    buffer_append_format(&diff->words, "%s was %s: ", noun, what);
    rule_describe_criterion(&diff->words, criterion);
    say(diff, criterion->json_path);
}

static void say_criteria(struct diff *diff, const struct criterion *from, size_t from_count, const struct criterion *to,
                         size_t to_count, const char *noun)
{
    size_t *match = memory_allocate_zeroed(from_count + to_count, sizeof(*match));

    if (match == NULL) {
        diff->failed = diff->failed || !error_no_memory(diff->err, "comparing definitions");
        return;
    }
    rule_diff_match(from, from_count, to, to_count, match);
    for (size_t i = 0; i < from_count; i++) {
        if (match[i] == SIZE_MAX) {
            say_one(diff, noun, "removed", &from[i]);
        }
    }
    for (size_t i = 0; i < to_count; i++) {
        if (match[from_count + i] == SIZE_MAX) {
            say_one(diff, noun, "added", &to[i]);
        } else {
            say_criterion(diff, &from[match[from_count + i]], &to[i]);
        }
    }
    memory_free(match);
}

/* ---- the document ---- */

static void append_tags(struct buffer *out, const struct definition *definition)
{
    buffer_append_text(out, definition->tag_count == 0 ? "none" : "");
    for (size_t i = 0; i < definition->tag_count; i++) {
        buffer_append_text(out, i > 0 ? ", " : "");
        buffer_append_slice(out, definition->tags[i]);
    }
}

static void say_tags(struct diff *diff, const struct definition *from, const struct definition *to)
{
    bool same = from->tag_count == to->tag_count;

    for (size_t i = 0; same && i < to->tag_count; i++) {
        same = slice_equal(from->tags[i], to->tags[i]);
    }
    if (!same) {
        begin(diff, "the tags");
        append_tags(&diff->words, from);
        between(diff);
        append_tags(&diff->words, to);
        say(diff, SLICE_LITERAL("tags"));
    }
}

static void append_number(struct buffer *out, int64_t number)
{
    if (number < 0) {
        buffer_append_text(out, "none");
    } else {
        buffer_append_integer(out, number);
    }
}

static void say_numbers(struct diff *diff, const char *key, int64_t from, int64_t to)
{
    if (from != to) {
        buffer_append_format(&diff->words, "\"%s\" changed from ", key);
        append_number(&diff->words, from);
        between(diff);
        append_number(&diff->words, to);
        say(diff, slice_from(key));
    }
}

static void say_shares(struct diff *diff, const char *key, int64_t from, int64_t to)
{
    if (from != to) {
        buffer_append_format(&diff->words, "\"%s\" changed from ", key);
        decimal_append(&diff->words, from);
        between(diff);
        decimal_append(&diff->words, to);
        say(diff, slice_from(key));
    }
}

static void say_settings(struct diff *diff, const struct definition *from, const struct definition *to)
{
    say_durations(diff, "membershipDuration", "\"membershipDuration\"", SLICE_LITERAL(""), from->duration_ms,
                  to->duration_ms);
    say_words(diff, "membershipMode", membership_mode_name(from->mode), membership_mode_name(to->mode));
    say_durations(diff, "exclusionWindow", "\"exclusionWindow\"", SLICE_LITERAL(""), from->exclusion_window_ms,
                  to->exclusion_window_ms);
    say_words(diff, "evaluation", evaluation_mode_name(from->evaluation), evaluation_mode_name(to->evaluation));
    say_words(diff, "merge", merge_strategy_name(from->merge), merge_strategy_name(to->merge));
    say_shares(diff, "divergence.threshold", from->divergence_threshold_micros, to->divergence_threshold_micros);
    say_numbers(diff, "divergence.passes", from->divergence_passes, to->divergence_passes);
    say_numbers(diff, "expectedSize.min", from->expected_min, to->expected_min);
    say_numbers(diff, "expectedSize.max", from->expected_max, to->expected_max);
    say_shares(diff, "expectedSize.maxDrop", from->expected_max_drop_micros, to->expected_max_drop_micros);
}

bool rule_diff(const struct definition *from, const struct definition *to, rule_diff_visit *visit, void *context,
               enum rule_reach_change *change, struct error *err)
{
    struct diff diff = {.visit = visit, .context = context, .err = err};

    buffer_init(&diff.words, WORDS_SIZE_MAX);
    say_texts(&diff, "segmentId", from->segment_id, to->segment_id);
    say_texts(&diff, "description", from->description, to->description);
    say_texts(&diff, "owner", from->owner, to->owner);
    say_tags(&diff, from, to);
    say_texts(&diff, "purpose", from->purpose, to->purpose);
    say_words(&diff, "lawfulBasis", lawful_basis_name(from->basis), lawful_basis_name(to->basis));
    say_criteria(&diff, from->criteria, from->criterion_count, to->criteria, to->criterion_count, "a criterion");
    say_criteria(&diff, from->exclude, from->exclude_count, to->exclude, to->exclude_count, "an exclusion");
    say_settings(&diff, from, to);
    buffer_clear(&diff.words);
    return !diff.failed && rule_diff_change(from, to, change, err);
}
