/* Written states: what is read means the same and is written alike, damage is refused. Random rules and events are the
 * oracle's, any bytes the fuzzer's. */
#include "common/domain/rule_parse.h"
#include "common/domain/user_state_pack_parts.h"
#include "tests/unit/unit.h"

#include <check.h>

Suite *user_state_pack_suite(void);

enum { STATE_SIZE_MAX = 1 << 16, SEGMENTS_MAX = 8 };

static const char definitions[] =
    "[{\"segmentId\":\"bought\",\"criteria\":[{\"event\":\"buy\",\"where\":[{\"property\":\"kind\",\"=\":\"shoe\"}],"
    " \"window\":\"30d\",\"slide\":\"1d\",\"sum\":{\"property\":\"amount\",\">=\":10}}],\"membershipDuration\":\"3d\"},"
    "{\"segmentId\":\"ever\",\"criteria\":[{\"event\":\"*\",\"distinct\":{\"property\":\"kind\",\">=\":2}}]},"
    "{\"segmentId\":\"least\",\"criteria\":[{\"event\":\"buy\",\"min\":{\"property\":\"amount\",\"<\":0}}],"
    " \"exclusionWindow\":\"1d\"},"
    "{\"segmentId\":\"gold\",\"criteria\":[{\"trait\":\"tier\",\"=\":\"gold\"}]},"
    "{\"segmentId\":\"left\",\"criteria\":[{\"event\":\"add\",\"window\":\"30m\",\"condition\":\"no_buy_after\"}]},"
    "{\"segmentId\":\"zoned\",\"criteria\":[{\"event\":\"add\",\"window\":{\"calendar\":\"day\",\"last\":2}}]}]";

/* Ids of all kinds and none, values of all types, events that no rule takes, two that only their bytes tell apart. */
static const char *const messages[] = {
    "{\"type\":\"track\",\"userId\":\"u\",\"messageId\":\"0188f0e4-7a3b-4c21-9f00-aabbccddeeff\",\"timestamp\":"
    "1748000000000,\"event\":\"buy\",\"properties\":{\"kind\":\"shoe\",\"amount\":12.34}}",
    "{\"type\":\"track\",\"userId\":\"u\",\"messageId\":\"0188F0E4-7A3B-4C21-9F00-AABBCCDDEEFF\",\"timestamp\":"
    "1748000000000,\"event\":\"buy\",\"properties\":{\"kind\":\"shoe\",\"amount\":0.000001}}",
    "{\"type\":\"track\",\"userId\":\"u\",\"messageId\":\"order-17\",\"timestamp\":1748000360000,\"event\":\"buy\","
    "\"properties\":{\"kind\":[1,2],\"amount\":-9200000000000}}",
    "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":1748000360000,\"event\":\"add\",\"properties\":{\"kind\":true}"
    "}",
    "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":1748000360000,\"event\":\"add\",\"properties\":{\"kind\":7}}",
    "{\"type\":\"track\",\"userId\":\"u\",\"timestamp\":1748000360000,\"event\":\"add\",\"properties\":{\"kind\":7}}",
    "{\"type\":\"identify\",\"userId\":\"u\",\"messageId\":\"0188f0e4-7a3b-4c21-9f00-aabbccddee00\",\"timestamp\":"
    "1747900000000,\"traits\":{\"tier\":\"gold\"}}",
    "{\"type\":\"identify\",\"userId\":\"u\",\"messageId\":\"00000000-0000-4000-8000-000000000000\",\"timestamp\":"
    "1749000000000,\"traits\":{\"other\":1}}",
    "{\"type\":\"identify\",\"userId\":\"u\",\"messageId\":\"x\",\"timestamp\":1749000000001,\"traits\":{}}",
    "{\"type\":\"identify\",\"userId\":\"u\",\"timestamp\":1749500000000,\"traits\":{\"other\":2}}",
};
enum { MESSAGES = sizeof messages / sizeof messages[0] };

struct world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct user_state *state;
    struct user_state *other;
    struct buffer bytes;
    struct buffer again;
};

static bool fold(struct world *world, const char *text, struct error *err)
{
    enum quarantine_reason reason = QUARANTINE_NONE;
    enum fold_result result = FOLD_NONE;
    struct json_document document;
    struct arena arena;
    struct event event;
    bool done;

    json_document_init(&document);
    arena_init(&arena, 1 << 16);
    done = event_decode(slice_from(text), &document, &arena, &event, &reason, err) &&
           user_state_fold(world->ruleset, world->state, &event, world->evaluation, &result, NULL, err);
    ck_assert(!done || result == FOLD_APPLIED);
    json_document_clear(&document);
    arena_clear(&arena);
    return done;
}

/* The state of a base that sums up a past, as far as the reader can tell. */
static bool add_base(struct world *world, struct error *err)
{
    struct user_base *base = user_base_new(world->ruleset, INT64_C(1747999999999));

    if (base == NULL) {
        return error_no_memory(err, "a base");
    }
    ck_assert_uint_gt(world->ruleset->base_count, 0);
    base->summaries[world->ruleset->base_count - 1] =
        (struct base_summary){.sum = -(int128)DECIMAL_MAX * 3, .count = 3, .last_ms = INT64_C(1747990000000)};
    base->carries[0] = (struct carry){.qualified_at = INT64_C(1747990000000),
                                      .entered_at = INT64_C(1747980000000),
                                      .blocked_until = INT64_MIN};
    base->carries[2].blocked_until = INT64_C(1748080000000);
    world->state->base = base;
    return true;
}

static bool world_init(struct world *world, struct error *err)
{
    *world = (struct world){0};
    segment_set_init(&world->set);
    buffer_init(&world->bytes, STATE_SIZE_MAX);
    buffer_init(&world->again, STATE_SIZE_MAX);
    return segment_set_add(&world->set, SLICE_LITERAL("test.json"), slice_from(definitions), 0, err) &&
           segment_set_check(&world->set, err) && ruleset_new(&world->set, NULL, &world->ruleset, err) &&
           evaluation_new(world->ruleset, &world->evaluation, err) &&
           user_state_new(world->ruleset, &world->state, err) && user_state_new(world->ruleset, &world->other, err);
}

static void world_clear(struct world *world)
{
    user_state_free(world->state);
    user_state_free(world->other);
    evaluation_free(world->evaluation);
    ruleset_free(world->ruleset);
    segment_set_clear(&world->set);
    buffer_clear(&world->bytes);
    buffer_clear(&world->again);
}

/* Writes the state; what is read of it is written alike. */
static bool pass_through(struct world *world, struct error *err)
{
    buffer_reset(&world->bytes);
    buffer_reset(&world->again);
    user_state_write(world->ruleset, world->state, &world->bytes);
    if (!buffer_finish(&world->bytes, "a state", err) ||
        !user_state_read(world->ruleset, buffer_slice(&world->bytes), world->other, err)) {
        return false;
    }
    user_state_write(world->ruleset, world->other, &world->again);
    if (!buffer_finish(&world->again, "a state", err)) {
        return false;
    }
    ck_assert(slice_equal(buffer_slice(&world->bytes), buffer_slice(&world->again)));
    return true;
}

static void fold_all(struct world *world, bool backwards)
{
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < MESSAGES; i++) {
        ck_assert_ok(fold(world, messages[backwards ? MESSAGES - 1 - i : i], &err));
    }
}

START_TEST(what_is_read_means_the_same)
{
    struct error err = ERROR_INIT;
    struct world world;

    ck_assert_ok(world_init(&world, &err));
    ck_assert_ok(pass_through(&world, &err));
    for (size_t i = 0; i < MESSAGES; i++) {
        struct membership before[SEGMENTS_MAX];
        struct membership after[SEGMENTS_MAX];

        ck_assert_ok(fold(&world, messages[i], &err));
        ck_assert_ok(pass_through(&world, &err));
        ck_assert_int_eq(user_state_known_since(world.state), user_state_known_since(world.other));
        ck_assert_int_eq(user_state_newest(world.state), user_state_newest(world.other));
        for (int64_t at = INT64_C(1747800000000); at < INT64_C(1752000000000); at += 86400000) {
            ck_assert_ok(user_state_memberships(world.ruleset, world.state, at, world.evaluation, before, &err));
            ck_assert_ok(user_state_memberships(world.ruleset, world.other, at, world.evaluation, after, &err));
            for (size_t k = 0; k < world.set.definition_count; k++) {
                ck_assert_int_eq(before[k].member, after[k].member);
                ck_assert(!before[k].member || (before[k].entered_at == after[k].entered_at &&
                                                before[k].valid_until == after[k].valid_until));
            }
        }
    }
    world_clear(&world);
}
END_TEST

START_TEST(order_of_arrival_does_not_show)
{
    struct error err = ERROR_INIT;
    struct world world;
    struct world backwards;

    ck_assert_ok(world_init(&world, &err));
    ck_assert_ok(world_init(&backwards, &err));
    fold_all(&world, false);
    fold_all(&backwards, true);
    ck_assert_ok(pass_through(&world, &err));
    ck_assert_ok(pass_through(&backwards, &err));
    ck_assert(slice_equal(buffer_slice(&world.bytes), buffer_slice(&backwards.bytes)));
    world_clear(&world);
    world_clear(&backwards);
}
END_TEST

START_TEST(a_copy_is_known_again)
{
    static const char different[] =
        "{\"type\":\"track\",\"userId\":\"u\",\"messageId\":\"0188f0e4-7a3b-4c21-9f00-aabbccddeeff\",\"timestamp\":"
        "1748000000000,\"event\":\"buy\",\"properties\":{\"kind\":\"shoe\",\"amount\":12.35}}";
    struct error err = ERROR_INIT;
    struct json_document document;
    struct arena arena;
    struct world world;

    json_document_init(&document);
    arena_init(&arena, 1 << 16);
    ck_assert_ok(world_init(&world, &err));
    fold_all(&world, false);
    ck_assert_ok(pass_through(&world, &err));
    for (size_t i = 0; i <= MESSAGES; i++) {
        const char *text = i < MESSAGES ? messages[i] : different;
        enum quarantine_reason reason = QUARANTINE_NONE;
        enum fold_result result = FOLD_NONE;
        struct event event;

        ck_assert(event_decode(slice_from(text), &document, &arena, &event, &reason, &err));
        ck_assert_ok(user_state_fold(world.ruleset, world.other, &event, world.evaluation, &result, NULL, &err));
        ck_assert_int_eq(result, i == MESSAGES ? FOLD_COPY_DIFFERENT : event.has_message_id ? FOLD_COPY : FOLD_APPLIED);
    }
    json_document_clear(&document);
    arena_clear(&arena);
    world_clear(&world);
}
END_TEST

START_TEST(a_base_is_kept)
{
    struct error err = ERROR_INIT;
    struct world world;
    const struct user_base *base;

    ck_assert_ok(world_init(&world, &err));
    fold_all(&world, false);
    ck_assert_ok(add_base(&world, &err));
    ck_assert_ok(pass_through(&world, &err));
    base = world.other->base;
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(base->at_ms, INT64_C(1747999999999));
    for (size_t i = 0; i < world.ruleset->base_count; i++) {
        const struct base_summary *wanted = &world.state->base->summaries[i];

        ck_assert(base->summaries[i].sum == wanted->sum);
        ck_assert_int_eq(base->summaries[i].count, wanted->count);
        ck_assert_int_eq(base->summaries[i].last_ms, wanted->last_ms);
    }
    for (size_t i = 0; i < world.set.definition_count; i++) {
        ck_assert_mem_eq(&base->carries[i], &world.state->base->carries[i], sizeof(struct carry));
    }
    world_clear(&world);
}
END_TEST

/* The state is read or refused; what is read is written so that it is read again. */
static void take_any(struct world *world, struct slice bytes)
{
    struct error err = ERROR_INIT;

    if (!user_state_read(world->ruleset, bytes, world->other, &err)) {
        ck_assert_int_eq(err.code, ERROR_INPUT);
        ck_assert_uint_eq(user_state_event_count(world->other), 0);
        ck_assert_int_eq(user_state_known_since(world->other), TIMESTAMP_NEVER);
        return;
    }
    buffer_reset(&world->again);
    user_state_write(world->ruleset, world->other, &world->again);
    ck_assert_msg(user_state_read(world->ruleset, buffer_slice(&world->again), world->other, &err), "%s", err.message);
}

/* Every byte changed and every end cut off: without a right checksum nothing passes; with one nothing breaks. */
START_TEST(damage_is_refused)
{
    struct error err = ERROR_INIT;
    char copy[STATE_SIZE_MAX];
    struct world world;
    size_t size;

    ck_assert_ok(world_init(&world, &err));
    fold_all(&world, false);
    ck_assert_ok(add_base(&world, &err));
    ck_assert_ok(pass_through(&world, &err));
    size = world.bytes.size;
    for (size_t i = 0; i < size; i++) {
        for (unsigned change = 1; change < 256; change++) {
            uint32_t checksum;

            memcpy(copy, world.bytes.data, size);
            copy[i] = (char)(copy[i] ^ (char)change);
            ck_assert(!user_state_read(world.ruleset, slice_of(copy, size), world.other, &err));
            ck_assert_int_eq(err.code, ERROR_INPUT);
            checksum = user_state_checksum(slice_of(copy, size - CHECKSUM_SIZE));
            memcpy(copy + size - CHECKSUM_SIZE, &checksum, sizeof checksum);
            take_any(&world, slice_of(copy, size));
        }
    }
    for (size_t cut = 0; cut < size; cut++) {
        uint32_t checksum;

        memcpy(copy, world.bytes.data, size);
        ck_assert(!user_state_read(world.ruleset, slice_of(copy, cut), world.other, &err));
        if (cut > CHECKSUM_SIZE) {
            checksum = user_state_checksum(slice_of(copy, cut - CHECKSUM_SIZE));
            memcpy(copy + cut - CHECKSUM_SIZE, &checksum, sizeof checksum);
            ck_assert(!user_state_read(world.ruleset, slice_of(copy, cut), world.other, &err));
        }
    }
    world_clear(&world);
}
END_TEST

/* The state as it is now is written, but not read. */
static void ask_refused(struct world *world, const char *what)
{
    struct error err = ERROR_INIT;

    buffer_reset(&world->bytes);
    user_state_write(world->ruleset, world->state, &world->bytes);
    ck_assert_ok(buffer_finish(&world->bytes, "a state", &err));
    ck_assert_msg(!user_state_read(world->ruleset, buffer_slice(&world->bytes), world->other, &err), "%s", what);
    ck_assert_int_eq(err.code, ERROR_INPUT);
}

/* What no sequence of events leaves, although each part could be: to go on with it is not safe. */
START_TEST(contradictions_are_refused)
{
    const int64_t final_ms = INT64_C(1748000400000);
    struct error err = ERROR_INIT;
    struct world world;
    struct user_base *base;
    size_t summary = 0;

    ck_assert_ok(world_init(&world, &err));
    fold_all(&world, false);
    ck_assert_ok(user_state_prune(world.ruleset, world.state, final_ms, world.evaluation, &err));
    ck_assert_ok(pass_through(&world, &err));
    base = world.state->base;

    /* A pane of events that the base says nothing of. */
    base->at_ms = INT64_C(1747999999999);
    ask_refused(&world, "a pane behind the base");
    base->at_ms = world.state->known_since - 1;
    ask_refused(&world, "a base before the first event");
    base->at_ms = final_ms;
    base->carries[0].entered_at = final_ms + 1;
    ask_refused(&world, "an entry behind the base");
    base->carries[0].entered_at = INT64_MIN;
    base->carries[0].qualified_at = final_ms + 1;
    ask_refused(&world, "a qualifying instant behind the base");
    base->carries[0].qualified_at = INT64_MIN;
    while (base->summaries[summary].last_ms == 0 && summary + 1 < world.ruleset->base_count) {
        summary++;
    }
    base->summaries[summary].last_ms = final_ms + 1;
    ask_refused(&world, "a last event behind the base");
    base->summaries[summary].last_ms = 0;
    world.state->newest = final_ms;
    ask_refused(&world, "an event newer than the newest");

    /* Panes without any base. */
    world.state->base = NULL;
    world.state->newest = INT64_C(1749500000000);
    ask_refused(&world, "a pane without a base");
    world.state->base = base;
    ck_assert_ok(pass_through(&world, &err));
    world_clear(&world);
}
END_TEST

START_TEST(others_are_told_by_name)
{
    struct error err = ERROR_INIT;
    struct ruleset_options options = {.dedup_ms = 1000};
    struct ruleset *other = NULL;
    struct world world;
    uint32_t checksum;

    ck_assert_ok(world_init(&world, &err));
    fold_all(&world, false);
    ck_assert_ok(pass_through(&world, &err));
    ck_assert_ok(ruleset_new(&world.set, &options, &other, &err));
    ck_assert_ptr_nonnull(other);
    ck_assert(!user_state_read(other, buffer_slice(&world.bytes), world.other, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "of other definitions: fingerprint "));
    ruleset_free(other);
    world.bytes.data[3] = 2;
    checksum = user_state_checksum(slice_of(world.bytes.data, world.bytes.size - CHECKSUM_SIZE));
    memcpy(world.bytes.data + world.bytes.size - CHECKSUM_SIZE, &checksum, sizeof checksum);
    ck_assert(!user_state_read(world.ruleset, buffer_slice(&world.bytes), world.other, &err));
    ck_assert_str_eq(err.message, "a user's state of version 2; this program reads version 1");
    ck_assert(!user_state_read(world.ruleset, SLICE_LITERAL("{\"user\": \"a state in JSON\"}"), world.other, &err));
    ck_assert_str_eq(err.message, "not a user's state: 27 bytes without its beginning");
    world_clear(&world);
}
END_TEST

static bool fingerprint_of(const char *text, uint64_t *out)
{
    struct error err = ERROR_INIT;
    struct ruleset *ruleset = NULL;
    struct segment_set set;
    bool done;

    segment_set_init(&set);
    done = segment_set_add(&set, SLICE_LITERAL("test.json"), slice_from(text), 0, &err) &&
           segment_set_check(&set, &err) && ruleset_new(&set, NULL, &ruleset, &err);
    *out = done ? ruleset_fingerprint(ruleset) : 0;
    ruleset_free(ruleset);
    segment_set_clear(&set);
    return done;
}

START_TEST(fingerprints_are_of_the_meaning)
{
    static const char base[] = "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"1d\"}]}";
    static const char *const same[] = {
        "{ \"criteria\" : [{\"window\":\"1d\",\"event\":\"a\"}], \"segmentId\":\"s\", \"description\":\"x\"}",
        "{\"owner\":\"me\",\"segmentId\":\"s\",\"tags\":[\"t\"],\"criteria\":[{\"event\":\"a\",\"window\":\"1d\"}]}",
    };
    static const char *const others[] = {
        "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"2d\"}]}",
        "{\"segmentId\":\"t\",\"criteria\":[{\"event\":\"a\",\"window\":\"1d\"}]}",
        "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\",\"window\":\"1d\"}],\"exclude\":[{\"event\":\"b\"}]}",
        "{\"segmentId\":\"s\",\"criteria\":[{\"event\":\"a\"},{\"event\":\"a\",\"window\":\"1d\"}]}",
    };
    uint64_t wanted;
    uint64_t found;

    ck_assert(fingerprint_of(base, &wanted));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        ck_assert(fingerprint_of(same[i], &found));
        ck_assert_uint_eq(found, wanted);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert(fingerprint_of(others[i], &found));
        ck_assert_uint_ne(found, wanted);
    }
}
END_TEST

static bool scenario(void *context, struct error *err)
{
    struct world world;
    bool done;

    (void)context;
    done = world_init(&world, err);
    for (size_t i = 0; done && i < MESSAGES; i++) {
        done = fold(&world, messages[i], err);
    }
    done = done && add_base(&world, err) && pass_through(&world, err);
    world_clear(&world);
    return done;
}

START_TEST(each_failed_allocation_is_reported)
{
    unit_fail_each_allocation(scenario, NULL);
}
END_TEST

Suite *user_state_pack_suite(void)
{
    Suite *suite = suite_create("user_state_pack");
    TCase *tests = tcase_create("user_state_pack");

    tcase_add_test(tests, what_is_read_means_the_same);
    tcase_add_test(tests, order_of_arrival_does_not_show);
    tcase_add_test(tests, a_copy_is_known_again);
    tcase_add_test(tests, a_base_is_kept);
    tcase_add_test(tests, damage_is_refused);
    tcase_add_test(tests, contradictions_are_refused);
    tcase_add_test(tests, others_are_told_by_name);
    tcase_add_test(tests, fingerprints_are_of_the_meaning);
    tcase_add_test(tests, each_failed_allocation_is_reported);
    suite_add_tcase(suite, tests);
    return suite;
}
