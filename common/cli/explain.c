/* muster explain: why a user is, or is not, in a segment: the rule, what batch and stream say, consent, and the
 * decision. */
#include "common/base/output.h"
#include "common/base/timestamp.h"
#include "common/cli/commands.h"
#include "common/cli/explain_criteria.h"
#include "common/cli/listing.h"
#include "sql_text.h"

#include <stdio.h>
#include <string.h>

/* Columns of explain.sql. */
enum {
    COLUMN_VERSION,
    COLUMN_BUILD,
    COLUMN_RUN,
    COLUMN_DOCUMENT,
    COLUMN_AUTHOR,
    COLUMN_APPLIED,
    COLUMN_EVALUATION,
    COLUMN_MERGE,
    COLUMN_PURPOSE,
    COLUMN_OBJECTION,
    COLUMN_GRANTED,
    COLUMN_CONSENT_CHANGED,
    COLUMN_GRANT,
    COLUMN_KNOWN,
    COLUMN_MEMBER,
    COLUMN_ENTERED,
    COLUMN_VALID_UNTIL,
    COLUMN_VALID_FROM,
    COLUMN_DECISION,
    COLUMN_LISTED,
    COLUMN_HISTORY,
    COLUMN_AS_OF,
    COLUMN_ACTIVATED,
    COLUMN_BATCH,
    COLUMN_BATCH_MEMBER,
    COLUMN_BATCH_ENTERED,
    COLUMN_BATCH_UNTIL,
    COLUMN_STEP,
    COLUMN_SEQ,
    COLUMN_STREAM_MEMBER,
    COLUMN_STREAM_ENTERED,
    COLUMN_STREAM_EFFECTIVE,
    COLUMN_STREAM_UNTIL,
    COLUMN_CERTAIN,
    COLUMN_UNCERTAIN_UNTIL,
    COLUMN_POSITIONS,
    COLUMN_WRITTEN,
    COLUMN_LANE,
    COLUMN_WATERMARK,
    COLUMN_READY,
    COLUMN_COMPLETE_FROM,
    COLUMN_COVERED,
    COLUMN_COMPLETE,
    COLUMN_CHANGE,
    COLUMN_BLOCK,
    COLUMN_RECORDED,
    COLUMN_NEWEST,
    COLUMN_RETIRED,
};

static const struct {
    const char *name;
    const char *meaning;
} decisions[] = {
    {"stream_only", "no batch run of this version counts for the user (none yet, none since the present grant, or the\n"
                    "  definition asks for the stream alone), and the stream knows the answer by itself"},
    {"awaiting_batch", "no batch run of this version counts for the user (none yet, or none since the present grant),\n"
                       "  and the stream has not read far enough back to know by itself"},
    {"stream_uncertain", "the stream is uncertain about this user for now, so the batch decides"},
    {"stream_covers",
     "the stream has read everything that the batch run read, and more, so it decides, also by its silence"},
    {"stream_update", "the stream has learnt something about this user since the batch run, so it decides"},
    {"batch_new_member", "the stream has nothing newer than the batch run, and the batch found a member"},
    {"batch_absent", "the stream has nothing newer than the batch run, and the batch found no member"},
    {"batch_over_stream", "the stream's record is not newer than the batch run, so the batch decides"},
    {"batch_only", "the definition asks for the batch alone"},
    {"last_writer_stream", "the stream wrote last"},
    {"last_writer_batch", "the batch wrote last"},
    {"union_both", "both say member"},
    {"union_stream", "the stream says member, which is enough under union_with_batch_exclusions"},
    {"union_batch", "the batch says member, which is enough under union_with_batch_exclusions"},
    {"union_neither", "neither says member"},
    {"union_excluded", "the batch found an exclusion"},
    {"consent_withdrawn", "consent was withdrawn, which ends a membership at once, whatever the pipelines say"},
    {"expired", "the membership ended by itself at its valid_until"},
    {"segment_retired", "the segment was taken out of use, which ends its memberships"},
};

static const char *decision_meaning(struct slice name)
{
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        if (slice_equal_text(name, decisions[i].name)) {
            return decisions[i].meaning;
        }
    }
    return "see the documentation of the decision";
}

static bool present(const PGresult *row, int column)
{
    return pg_text_at(row, 0, column).data != NULL;
}

/* "LABEL 2026-05-01T10:00:00.000Z", or nothing where the cell is empty. */
static void append_instant(struct buffer *out, const char *label, const PGresult *row, int column)
{
    if (present(row, column)) {
        buffer_append_text(out, label);
        timestamp_append(out, pg_integer_at(row, 0, column, TIMESTAMP_NEVER));
    }
}

static void append_cell(struct buffer *out, const PGresult *row, int column)
{
    buffer_append_slice(out, pg_text_at(row, 0, column));
}

static void explain_answer(struct buffer *out, const PGresult *row, const char *segment, const char *user)
{
    struct slice decision = pg_text_at(row, 0, COLUMN_DECISION);
    bool listed = pg_boolean_at(row, 0, COLUMN_LISTED);

    buffer_append_format(out, "%s is %sa member of %s", user, listed ? "" : "not ", segment);
    if (listed) {
        append_instant(out, " since ", row, COLUMN_ENTERED);
        append_instant(out, ", until ", row, COLUMN_VALID_UNTIL);
        buffer_append_text(out, present(row, COLUMN_VALID_UNTIL) ? " if nothing happens" : ", open-ended");
    } else if (pg_boolean_at(row, 0, COLUMN_MEMBER)) {
        append_instant(out, ": the membership ended by itself at ", row, COLUMN_VALID_UNTIL);
    }
    buffer_append_text(out, "\n\nDecision\n  ");
    if (decision.data == NULL) {
        buffer_append_text(out, "none was needed: neither pipeline has ever said anything about this user here\n");
        return;
    }
    buffer_append_slice(out, decision);
    buffer_append_format(out, ": %s\n", decision_meaning(decision));
    append_instant(out, "  it holds from ", row, COLUMN_VALID_FROM);
    if (present(row, COLUMN_HISTORY)) {
        buffer_append_text(out, "\n  history row ");
        append_cell(out, row, COLUMN_HISTORY);
        buffer_append_text(out, " (");
        append_cell(out, row, COLUMN_CHANGE);
        if (present(row, COLUMN_BLOCK)) {
            buffer_append_text(out, "), sealed in block ");
            append_cell(out, row, COLUMN_BLOCK);
            append_instant(out, " at ", row, COLUMN_RECORDED);
        } else {
            buffer_append_text(out, "), not sealed yet");
        }
    }
    buffer_append_char(out, '\n');
}

static void explain_batch(struct buffer *out, const PGresult *row)
{
    buffer_append_text(out, "\nBatch\n  ");
    if (!present(row, COLUMN_RUN)) {
        buffer_append_text(out, "no run of this version is activated\n");
        return;
    }
    buffer_append_text(out, "run ");
    append_cell(out, row, COLUMN_RUN);
    append_instant(out, ", as of ", row, COLUMN_AS_OF);
    append_instant(out, ", activated ", row, COLUMN_ACTIVATED);
    if (!pg_boolean_at(row, 0, COLUMN_BATCH)) {
        buffer_append_text(out, "\n  it has no readable record of the user: not a member as of then\n");
    } else if (pg_boolean_at(row, 0, COLUMN_BATCH_MEMBER)) {
        append_instant(out, "\n  member since ", row, COLUMN_BATCH_ENTERED);
        append_instant(out, ", until ", row, COLUMN_BATCH_UNTIL);
        buffer_append_char(out, '\n');
    } else {
        buffer_append_text(out, "\n  excluded: the criteria hold, and so does an exclusion\n");
    }
}

static void explain_stream(struct buffer *out, const PGresult *row)
{
    buffer_append_text(out, "\nStream\n  lane ");
    append_cell(out, row, COLUMN_LANE);
    append_instant(out, ", watermark ", row, COLUMN_WATERMARK);
    if (!present(row, COLUMN_BUILD)) {
        buffer_append_text(out, "\n  no build of this version is in force\n");
        return;
    }
    buffer_append_text(out, "\n  build ");
    append_cell(out, row, COLUMN_BUILD);
    buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_READY) ? ", ready" : ", not ready");
    buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_COMPLETE) ? ", complete" : ", not complete");
    if (present(row, COLUMN_RUN)) {
        buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_COVERED) ? ", has read all that the run read"
                                                                      : ", has not read all that the run read");
    }
    if (!present(row, COLUMN_STEP)) {
        buffer_append_text(out, "\n  no record of the user since the present grant\n");
        return;
    }
    buffer_append_text(out, "\n  newest record: step ");
    append_cell(out, row, COLUMN_STEP);
    buffer_append_text(out, " seq ");
    append_cell(out, row, COLUMN_SEQ);
    buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_STREAM_MEMBER) ? ", member" : ", not a member");
    append_instant(out, " since ", row, COLUMN_STREAM_ENTERED);
    append_instant(out, ", until ", row, COLUMN_STREAM_UNTIL);
    append_instant(out, "\n  it speaks of ", row, COLUMN_STREAM_EFFECTIVE);
    buffer_append_text(out, ", offsets read ");
    append_cell(out, row, COLUMN_POSITIONS);
    append_instant(out, ", written ", row, COLUMN_WRITTEN);
    buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_CERTAIN)
                                ? "\n  certain"
                                : "\n  not certain: it has not seen all that may matter");
    if (present(row, COLUMN_UNCERTAIN_UNTIL)) {
        buffer_append_text(out, ", uncertain");
        append_instant(out, " until ", row, COLUMN_UNCERTAIN_UNTIL);
    }
    buffer_append_char(out, '\n');
}

static void explain_consent(struct buffer *out, const PGresult *row)
{
    buffer_append_text(out, "\nConsent\n  ");
    if (!present(row, COLUMN_PURPOSE)) {
        buffer_append_text(out, "this definition needs none\n");
        return;
    }
    append_cell(out, row, COLUMN_PURPOSE);
    if (pg_boolean_at(row, 0, COLUMN_GRANTED)) {
        buffer_append_text(out, pg_boolean_at(row, 0, COLUMN_OBJECTION) ? ": no objection" : ": granted");
        append_instant(out, " at ", row, COLUMN_CONSENT_CHANGED);
        buffer_append_text(out, present(row, COLUMN_CONSENT_CHANGED) ? " (grant " : " by default (grant ");
        append_cell(out, row, COLUMN_GRANT);
        buffer_append_text(out, ")\n");
    } else if (present(row, COLUMN_CONSENT_CHANGED)) {
        append_instant(out, ": withdrawn at ", row, COLUMN_CONSENT_CHANGED);
        buffer_append_char(out, '\n');
    } else {
        buffer_append_text(out, ": never granted\n");
    }
}

static void explain_rule(struct buffer *out, const PGresult *row)
{
    struct slice document = pg_text_at(row, 0, COLUMN_DOCUMENT);

    buffer_append_text(out, "\nRule\n  ");
    if (!present(row, COLUMN_VERSION)) {
        buffer_append_text(out, "no version of it is in force yet\n");
        return;
    }
    buffer_append_text(out, "version ");
    append_cell(out, row, COLUMN_VERSION);
    buffer_append_text(out, ", evaluation ");
    append_cell(out, row, COLUMN_EVALUATION);
    buffer_append_text(out, ", merge ");
    append_cell(out, row, COLUMN_MERGE);
    buffer_append_text(out, ", by ");
    append_cell(out, row, COLUMN_AUTHOR);
    append_instant(out, ", applied ", row, COLUMN_APPLIED);
    if (pg_integer_at(row, 0, COLUMN_NEWEST, 0) > pg_integer_at(row, 0, COLUMN_VERSION, 0)) {
        buffer_append_text(out, "\n  version ");
        append_cell(out, row, COLUMN_NEWEST);
        buffer_append_text(out, " is pending");
    }
    append_instant(out, "\n  retired, which ends all its memberships, at ", row, COLUMN_RETIRED);
    buffer_append_text(out, "\n  ");
    for (size_t i = 0; i < document.size; i++) {
        buffer_append_char(out, document.data[i]);
        if (document.data[i] == '\n' && i + 1 < document.size) {
            buffer_append_text(out, "  ");
        }
    }
    buffer_append_char(out, '\n');
}

struct explanation {
    const char *segment;
    const char *user;
    bool member;
    struct buffer text;
};

static bool visit_facts(void *context, const PGresult *row, struct error *err)
{
    struct explanation *explanation = context;

    explanation->member = pg_boolean_at(row, 0, COLUMN_LISTED);
    explain_answer(&explanation->text, row, explanation->segment, explanation->user);
    explain_batch(&explanation->text, row);
    explain_stream(&explanation->text, row);
    explain_consent(&explanation->text, row);
    explain_rule(&explanation->text, row);
    return buffer_finish(&explanation->text, "the explanation", err);
}

static bool explain_run(const struct command_line *line, struct error *err)
{
    struct explanation explanation = {.segment = command_argument(line, 0), .user = command_argument(line, 1)};
    struct pg_value values[2];
    struct pg *pg = NULL;
    int32_t segment_no;
    int64_t user_no;
    bool ok = false;

    buffer_init(&explanation.text, 4 << 20);
    if (!listing_open(line, &pg, err) || !listing_segment(pg, explanation.segment, &segment_no, err) ||
        !listing_user(pg, explanation.user, &user_no, err)) {
        goto out;
    }
    pg_set_integer(&values[0], segment_no);
    pg_set_integer(&values[1], user_no);
    if (command_has(line, "at")) {
        ok = explain_criteria(line, pg, segment_no, user_no, &explanation.member, err) &&
             (explanation.member || error_set(err, ERROR_FOUND, "%s", ""));
        goto out;
    }
    if (command_has(line, "format")) {
        error_set(err, ERROR_USAGE, "--format goes with --at");
        goto out;
    }
    if (!pg_each(pg, sql_explain, values, 2, visit_facts, &explanation, err) ||
        !output_write(stdout, buffer_slice(&explanation.text), err)) {
        goto out;
    }
    /* The text has said so: only the exit status is left to tell. */
    ok = explanation.member || error_set(err, ERROR_FOUND, "%s", "");

out:
    buffer_clear(&explanation.text);
    pg_close(pg);
    return ok;
}

static const struct option explain_options[] = {
    {"at", OPTION_INSTANT, "T", "instead: what each criterion finds in the user's archived events as of T", false},
    {"format", OPTION_TEXT, "NAME", "with --at: text (default), jsonl or json", false},
    {0},
};

const struct command command_explain = {
    .name = "explain",
    .arguments = "SEGMENT USER",
    .summary = "say why a user is, or is not, in a segment; exit status 1 when not",
    .argument_min = 2,
    .argument_max = 2,
    .help =
        "Prints what batch and stream say, consent, the decision and the rule. With --at it reads the user's archived\n"
        "events (so the whole lane is searched) and prints the criteria one by one, with what they found, the events\n"
        "that decided it and what would change it, by the version in force. Of a percentile the events of all users "
        "are\n"
        "read. It does not look at consent, nor at what Kafka holds and nobody has archived yet, of which it warns.\n"
        "Exit status 1 when not a member.\n",
    .options = explain_options,
    .run = explain_run,
};
