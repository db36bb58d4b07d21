/* When a stream record is written. What is announced (A) is compared with the truth (the intervals of M) in one pass:
 *
 *   F, the frontier: transitions at or before it are settled. W before the event (for a timer: just before its
 * instant), or the instant A speaks for, if that is later. L, the limit: transitions up to it are written now. At least
 * W; T when M holds at T in a membership that is not the announced one; the end of the announced membership when the
 * event brought that end about.
 *
 * What lies beyond L becomes a timer. */
#include "common/domain/lane_internal.h"

struct lane_pass {
    struct lane *lane;
    struct lane_user *user;
    size_t segment;
    struct lane_announced *announced;
    const struct lane_judgement *judgement;
    const struct lane_sink *sink;
    int64_t instant;  /* T */
    int64_t frontier; /* F */
    int64_t limit;    /* L */
    bool asked_again; /* the intervals asked for first are gone */
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether records of the segment may be written for the user. */
static bool is_allowed(const struct lane *lane, const struct lane_user *user, size_t segment)
{
    const struct lane_segment *options = &lane->segments[segment];

    return !options->silent && (options->purpose == LANE_NO_PURPOSE || user->grants[options->purpose] != 0);
}

static bool is_complete(const struct lane_pass *pass)
{
    return pass->lane->segments[pass->segment].complete_from_ms <= pass->judgement->watermark;
}

/* Until when a late event, or the cap, leaves the segment uncertain, as of now. */
static int64_t uncertain_until(const struct lane_pass *pass)
{
    if (pass->user->capped) {
        return TIMESTAMP_NEVER;
    }
    return pass->announced->late_until > pass->judgement->watermark ? pass->announced->late_until : TIMESTAMP_ALWAYS;
}

/* Writes a record and makes it what is announced. */
static bool write_record(struct lane_pass *pass, bool member, int64_t entered_at, int64_t effective_at,
                         int64_t valid_until, struct error *err)
{
    const struct lane_segment *options = &pass->lane->segments[pass->segment];
    struct lane_announced *announced = pass->announced;
    struct lane_record record = {
        .user = pass->user,
        .segment = pass->segment,
        .member = member,
        .entered_at = member ? entered_at : TIMESTAMP_ALWAYS,
        .effective_at = effective_at,
        .valid_until = member ? valid_until : TIMESTAMP_NEVER,
        .certain = is_complete(pass),
        .uncertain_until = uncertain_until(pass),
        .grant_no = options->purpose == LANE_NO_PURPOSE ? 0 : pass->user->grants[options->purpose],
    };

    for (size_t i = 0; i < LANE_TOPICS_MAX; i++) {
        record.positions[i] = pass->lane->hand.positions[i];
    }
    announced->present = true;
    announced->member = member;
    announced->certain = record.certain;
    announced->entered_at = record.entered_at;
    announced->effective_at = effective_at;
    announced->valid_until = record.valid_until;
    announced->uncertain_until = record.uncertain_until;
    return pass->sink->emit(pass->sink->context, &record, err);
}

/* The instant at which half of the announced validity has passed. */
static int64_t half_point(const struct lane_announced *announced)
{
    if (announced->valid_until <= announced->effective_at) {
        return announced->effective_at;
    }
    return announced->effective_at +
           (int64_t)(((uint64_t)announced->valid_until - (uint64_t)announced->effective_at) / 2);
}

/* Whether the membership that holds is the announced one. */
static bool is_announced(const struct lane_announced *announced, const struct interval *interval)
{
    return announced->member && announced->entered_at == interval->entered_at;
}

/* The announced membership holds at the limit: an earlier end, a renewal, certainty. */
static bool confirm(struct lane_pass *pass, const struct interval *interval, struct error *err)
{
    const struct lane_announced *announced = pass->announced;
    /* After catching up only what time brought about is looked for: an event of the user that did not touch the segment
     * has not renewed it before the restart either. */
    bool ahead = pass->judgement->occasion < LANE_START && interval->left_at > pass->instant;
    int64_t speaking = ahead ? pass->instant : pass->limit;
    bool shorter = interval->left_at < announced->valid_until;
    bool renewed = interval->left_at > announced->valid_until &&
                   (speaking >= half_point(announced) || pass->judgement->occasion == LANE_END);
    bool certain = !announced->certain && is_complete(pass);

    if (!shorter && !renewed && !certain) {
        return true;
    }
    return write_record(pass, true, interval->entered_at, speaking, interval->left_at, err);
}

static void find_limit(struct lane_pass *pass, const struct interval *intervals, size_t count)
{
    const struct lane_announced *announced = pass->announced;

    enum lane_occasion occasion = pass->judgement->occasion;

    for (size_t i = 0; (occasion == LANE_EVENT || occasion == LANE_ANNOUNCE) && i < count; i++) {
        const struct interval *interval = &intervals[i];
        bool announced_one = is_announced(announced, interval);

        if (!announced_one && interval->entered_at <= pass->instant && pass->instant < interval->left_at) {
            pass->limit = pass->instant;
        } else if (announced_one && interval->left_at <= pass->instant &&
                   (interval->left_at == pass->judgement->event_time || interval->left_at != announced->end_known)) {
            pass->limit = later(pass->limit, interval->left_at);
        }
    }
    if (occasion == LANE_ANNOUNCE) {
        pass->frontier = pass->limit; /* what was before is not announced again */
    }
}

/* The announced membership is not among the intervals that end after the frontier, and nothing holds: it ended in the
 * past, or never was. */
static bool end_vanished(struct lane_pass *pass, struct error *err)
{
    const struct interval *intervals = NULL;
    size_t count = 0;
    int64_t ended_at = pass->announced->entered_at;

    pass->asked_again = true;
    if (!user_state_intervals(pass->lane->ruleset, pass->lane->hand.state, pass->segment, TIMESTAMP_ALWAYS,
                              pass->lane->evaluation, &intervals, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count && intervals[i].left_at <= pass->limit; i++) {
        ended_at = later(ended_at, intervals[i].left_at);
    }
    return write_record(pass, false, 0, ended_at, 0, err);
}

static bool write_up_to_limit(struct lane_pass *pass, const struct interval *intervals, size_t count, struct error *err)
{
    struct lane_announced *announced = pass->announced;
    bool settled = !announced->member;

    for (size_t i = 0; i < count && intervals[i].entered_at <= pass->limit; i++) {
        const struct interval *interval = &intervals[i];
        bool holds = interval->left_at > pass->limit;

        if (is_announced(announced, interval)) {
            settled = true;
            if (holds ? !confirm(pass, interval, err) : !write_record(pass, false, 0, interval->left_at, 0, err)) {
                return false;
            }
        } else if (holds) {
            /* What is announced again speaks for now; otherwise the record speaks for the entry. */
            settled = true;
            if (!write_record(pass, true, interval->entered_at,
                              pass->judgement->occasion == LANE_ANNOUNCE ? pass->limit : interval->entered_at,
                              interval->left_at, err)) {
                return false;
            }
        } else if (interval->entered_at > pass->frontier) {
            settled = true;
            if (!write_record(pass, true, interval->entered_at, interval->entered_at, interval->left_at, err) ||
                !write_record(pass, false, 0, interval->left_at, 0, err)) {
                return false;
            }
        }
    }
    return settled || end_vanished(pass, err);
}

/* Says that the segment has become uncertain, for longer, or certain again, where no other record has said so. */
static bool confirm_certainty(struct lane_pass *pass, struct error *err)
{
    const struct lane_announced announced = *pass->announced;

    if (announced.late_until <= pass->judgement->watermark) {
        pass->announced->late_until = TIMESTAMP_ALWAYS;
    }
    if (announced.uncertain_until == uncertain_until(pass)) {
        return true;
    }
    return write_record(pass, announced.member, announced.entered_at, pass->limit, announced.valid_until, err);
}

static void set_due(struct lane_pass *pass, const struct interval *intervals, size_t count)
{
    struct lane_announced *announced = pass->announced;
    int64_t complete_from = pass->lane->segments[pass->segment].complete_from_ms;
    int64_t due = TIMESTAMP_NEVER;

    announced->end_known = TIMESTAMP_NEVER;
    for (size_t i = 0; i < count; i++) {
        const struct interval *interval = &intervals[i];

        if (is_announced(announced, interval)) {
            announced->end_known = interval->left_at;
            if (interval->left_at > announced->valid_until && half_point(announced) > pass->limit) {
                due = sooner(due, half_point(announced));
            }
        }
        if (interval->entered_at > pass->limit) {
            due = sooner(due, interval->entered_at);
        }
        if (interval->left_at > pass->limit) {
            due = sooner(due, interval->left_at);
            break;
        }
    }
    if (announced->member && !announced->certain && complete_from > pass->judgement->watermark) {
        due = sooner(due, complete_from);
    }
    if (announced->uncertain_until > pass->judgement->watermark) {
        due = sooner(due, announced->uncertain_until);
    }
    announced->due = due;
}

/* W: transitions at or before it are settled. */
static int64_t settled_until(const struct lane_judgement *judgement)
{
    return judgement->watermark - (judgement->occasion == LANE_TIMER);
}

static struct lane_pass begin_pass(struct lane *lane, size_t segment, const struct lane_judgement *judgement,
                                   const struct lane_sink *sink)
{
    struct lane_announced *announced = lane_announced_of(lane, segment);
    int64_t speaks_for = announced->present ? announced->effective_at : TIMESTAMP_ALWAYS;
    struct lane_pass pass = {
        .lane = lane,
        .user = lane->hand.user,
        .segment = segment,
        .announced = announced,
        .judgement = judgement,
        .sink = sink,
        .instant = later(lane_newest(lane), judgement->watermark),
        .frontier = later(settled_until(judgement), speaks_for),
        .limit = later(judgement->watermark, speaks_for),
    };

    return pass;
}

/* Whether no membership is announced, nothing is waited for, and nothing can begin to hold by time alone: nothing would
 * be written, and nothing set. So it is for most segments that an event touches. */
static bool is_quiet(const struct lane *lane, size_t segment, const struct lane_judgement *judgement)
{
    const struct lane_announced *announced = &lane->hand.announced[segment];

    return !announced->member && announced->due == TIMESTAMP_NEVER && announced->uncertain_until == TIMESTAMP_ALWAYS &&
           announced->late_until == TIMESTAMP_ALWAYS &&
           !user_state_may_hold(lane->hand.state, segment, settled_until(judgement), lane->evaluation);
}

bool lane_judge(struct lane *lane, size_t segment, const struct lane_judgement *judgement, const struct lane_sink *sink,
                struct error *err)
{
    const struct lane_user *user = lane->hand.user;
    const struct interval *intervals = NULL;
    struct lane_pass pass;
    size_t count = 0;

    if (user->capped || !is_allowed(lane, user, segment)) {
        if (lane->hand.announced[segment].due != TIMESTAMP_NEVER) {
            lane_announced_of(lane, segment)->due = TIMESTAMP_NEVER;
        }
        return true;
    }
    if (!lane_take_state(lane, err)) {
        return false;
    }
    if (is_quiet(lane, segment, judgement)) {
        return true;
    }
    pass = begin_pass(lane, segment, judgement, sink);
    if (!user_state_intervals(lane->ruleset, lane->hand.state, segment, pass.frontier, lane->evaluation, &intervals,
                              &count, err)) {
        return false;
    }
    find_limit(&pass, intervals, count);
    if (!write_up_to_limit(&pass, intervals, count, err) || !confirm_certainty(&pass, err)) {
        return false;
    }
    if (pass.asked_again && !user_state_intervals(lane->ruleset, lane->hand.state, segment, pass.frontier,
                                                  lane->evaluation, &intervals, &count, err)) {
        return false;
    }
    set_due(&pass, intervals, count);
    return true;
}

bool lane_judge_capped(struct lane *lane, size_t segment, const struct lane_judgement *judgement,
                       const struct lane_sink *sink, struct error *err)
{
    struct lane_pass pass = begin_pass(lane, segment, judgement, sink);
    const struct lane_announced before = *pass.announced;

    pass.announced->due = TIMESTAMP_NEVER;
    if (!is_allowed(lane, pass.user, segment) || (before.present && before.uncertain_until == TIMESTAMP_NEVER)) {
        return true;
    }
    return write_record(&pass, before.member, before.entered_at, pass.instant, before.valid_until, err);
}
