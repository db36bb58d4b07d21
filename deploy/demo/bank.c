/* A retail bank in JSON lines: the demo's, the kill tests' and the benchmark's input.
 *
 * Customers with traits and consent, card transactions, logins, carts and purchases, over 30 days that end at a fixed
 * instant. Activity is heavy-tailed (a few customers do most), follows the hours of the day, and reaches the bank as it
 * does in life: 2 % of the lines come twice, 5 % out of order, one in a thousand a day late. The same seed gives the
 * same bytes on every machine: only integers are used. Four customers act out the demo's scenes: anna, ben, clara,
 * dave. */
#include "common/base/buffer.h"
#include "common/base/command.h"
#include "common/base/memory.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define END_MS INT64_C(1751241600000) /* 2025-06-30T00:00:00Z */
#define START_MS (END_MS - 30 * DAY_MS)
#define LIVE_MS (END_MS - DAY_MS / 2) /* what arrives from here on is streamed */

enum { LINE_SIZE_MAX = 512 };

struct line {
    int64_t arrival_ms;
    uint32_t number; /* keeps lines of one arrival in the order made */
    char *text;
};

struct bank {
    uint64_t random[4];
    uint32_t *weights; /* running sum of the customers' activity */
    uint32_t customer_count;
    struct line *lines;
    size_t line_count;
    size_t line_capacity;
    size_t line_max;
    struct buffer text;
    uint32_t message_number;
};

/* xoshiro256** (Blackman and Vigna), seeded by splitmix64. */
static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t draw(struct bank *bank)
{
    uint64_t *s = bank->random;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seed_random(struct bank *bank, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9E3779B97F4A7C15));

        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        bank->random[i] = z ^ (z >> 31);
    }
}

/* 0 .. limit - 1 */
static uint32_t pick(struct bank *bank, uint32_t limit)
{
    return (uint32_t)(draw(bank) % limit);
}

static bool chance(struct bank *bank, uint32_t per_thousand)
{
    return pick(bank, 1000) < per_thousand;
}

static int64_t between(struct bank *bank, int64_t from_ms, int64_t to_ms)
{
    return from_ms + (int64_t)(draw(bank) % (uint64_t)(to_ms - from_ms));
}

/* When a message made at `time_ms` reaches the bank. */
static int64_t arrival(struct bank *bank, int64_t time_ms)
{
    if (chance(bank, 1)) {
        return time_ms + DAY_MS;
    }
    if (chance(bank, 50)) {
        return time_ms + between(bank, 5000, 2 * MINUTE_MS);
    }
    return time_ms + between(bank, 0, 1000);
}

/* Keeps the text in bank->text as a line that arrives then. */
static bool add_line(struct bank *bank, int64_t arrival_ms, struct error *err)
{
    char *text;

    if (!buffer_finish(&bank->text, "line", err) || !memory_grow(&bank->lines, &bank->line_capacity, bank->line_count,
                                                                 bank->line_max, sizeof *bank->lines, "lines", err)) {
        return false;
    }
    text = memory_copy_text(buffer_slice(&bank->text));
    if (text == NULL) {
        return error_no_memory(err, "a line");
    }
    if (arrival_ms >= END_MS) {
        arrival_ms = END_MS - 1;
    }
    bank->lines[bank->line_count] =
        (struct line){.arrival_ms = arrival_ms, .number = (uint32_t)bank->line_count, .text = text};
    bank->line_count++;
    return true;
}

static void begin_message(struct bank *bank, const char *type, const char *user, int64_t time_ms)
{
    char instant[TIMESTAMP_TEXT_SIZE];

    buffer_reset(&bank->text);
    buffer_append_format(&bank->text,
                         "{\"type\":\"%s\",\"messageId\":\"m-%08" PRIu32 "\",\"userId\":\"%s\",\"timestamp\":\"%s\"",
                         type, bank->message_number++, user, timestamp_text(time_ms, instant));
}

static bool add_identify(struct bank *bank, const char *user, int64_t time_ms, struct error *err)
{
    static const char *const countries[] = {"DE", "DE", "DE", "FR", "NL", "AT", "PL"};
    const char *tier = chance(bank, 50) ? "gold" : chance(bank, 200) ? "silver" : "basic";
    char signup[TIMESTAMP_TEXT_SIZE];
    int64_t signup_ms = time_ms > START_MS + DAY_MS ? time_ms : time_ms - between(bank, DAY_MS, 2000 * DAY_MS);

    begin_message(bank, "identify", user, time_ms);
    buffer_append_format(&bank->text,
                         ",\"traits\":{\"tier\":\"%s\",\"country\":\"%s\",\"age\":%" PRIu32 ",\"signup_at\":\"%s\"}}",
                         tier, countries[pick(bank, 7)], 18 + pick(bank, 70), timestamp_text(signup_ms, signup));
    return add_line(bank, arrival(bank, time_ms), err);
}

static bool add_consent(struct bank *bank, const char *user, int64_t time_ms, bool granted, struct error *err)
{
    char instant[TIMESTAMP_TEXT_SIZE];

    buffer_reset(&bank->text);
    buffer_append_format(
        &bank->text, "{\"type\":\"consent\",\"userId\":\"%s\",\"timestamp\":\"%s\",\"purposes\":{\"marketing\":%s}}",
        user, timestamp_text(time_ms, instant), granted ? "true" : "false");
    return add_line(bank, time_ms, err);
}

static bool add_track(struct bank *bank, const char *user, const char *event, int64_t time_ms, const char *properties,
                      struct error *err)
{
    begin_message(bank, "track", user, time_ms);
    buffer_append_format(&bank->text, ",\"event\":\"%s\",\"properties\":{%s}}", event, properties);
    if (!add_line(bank, arrival(bank, time_ms), err)) {
        return false;
    }
    if (chance(bank, 20)) { /* the same message once more */
        return add_line(bank, time_ms + between(bank, 1000, 10 * MINUTE_MS), err);
    }
    return true;
}

static bool add_transaction(struct bank *bank, const char *user, int64_t time_ms, struct error *err)
{
    static const char *const merchants[] = {"grocery", "fuel", "travel", "online", "restaurant", "cash"};
    char properties[LINE_SIZE_MAX];
    uint32_t cents = 200 + pick(bank, 8000);

    if (chance(bank, 40)) {
        cents += pick(bank, 300000);
    }
    (void)snprintf(properties, sizeof properties,
                   "\"amount\":%" PRIu32 ".%02" PRIu32
                   ",\"currency\":\"EUR\",\"merchant\":\"%s\",\"abroad\":%s,\"declined\":%s,\"card\":\"c%" PRIu32 "\"",
                   cents / 100, cents % 100, merchants[pick(bank, 6)], chance(bank, 60) ? "true" : "false",
                   chance(bank, 15) ? "true" : "false", pick(bank, 2));
    return add_track(bank, user, "card_transaction", time_ms, properties, err);
}

static bool add_cart(struct bank *bank, const char *user, int64_t time_ms, struct error *err)
{
    char properties[LINE_SIZE_MAX];
    uint32_t price = 500 + pick(bank, 40000);
    uint32_t sku = pick(bank, 400);
    int64_t bought_ms = time_ms + between(bank, 2 * MINUTE_MS, 50 * MINUTE_MS);

    (void)snprintf(properties, sizeof properties, "\"sku\":\"s-%03" PRIu32 "\",\"price\":%" PRIu32 ".%02" PRIu32, sku,
                   price / 100, price % 100);
    if (!add_track(bank, user, "add_to_cart", time_ms, properties, err)) {
        return false;
    }
    if (!chance(bank, 600) || bought_ms >= END_MS) {
        return true;
    }
    return add_track(bank, user, "purchase", bought_ms, properties, err);
}

/* A time of some day by the day's rhythm: few at night, most at noon and in the evening. */
static int64_t activity_time(struct bank *bank)
{
    static const uint8_t hours[24] = {1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 8, 9, 10, 9, 7, 7, 8, 9, 10, 10, 8, 6, 4, 2};
    uint32_t sum = 0;
    uint32_t drawn;
    int64_t hour = 0;

    for (size_t i = 0; i < 24; i++) {
        sum += hours[i];
    }
    drawn = pick(bank, sum);
    while (drawn >= hours[hour]) {
        drawn -= hours[hour++];
    }
    return START_MS + (int64_t)pick(bank, 30) * DAY_MS + hour * HOUR_MS + (int64_t)pick(bank, (uint32_t)HOUR_MS);
}

static void customer_name(uint32_t customer, char name[16])
{
    (void)snprintf(name, 16, "cust-%06" PRIu32, customer % 1000000);
}

/* A customer by activity: the weights are 1/u^0.8-like, made of doublings. */
static bool weigh_customers(struct bank *bank, struct error *err)
{
    uint32_t sum = 0;

    bank->weights = memory_allocate(bank->customer_count * sizeof *bank->weights);
    if (bank->weights == NULL) {
        return error_no_memory(err, "customers");
    }
    for (uint32_t i = 0; i < bank->customer_count; i++) {
        uint32_t weight = 1;

        while (weight < 512 && chance(bank, 430)) {
            weight *= 2;
        }
        sum += weight;
        bank->weights[i] = sum;
    }
    return true;
}

static uint32_t active_customer(struct bank *bank)
{
    uint32_t drawn = pick(bank, bank->weights[bank->customer_count - 1]);
    uint32_t low = 0;
    uint32_t high = bank->customer_count - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (bank->weights[middle] > drawn) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool add_customers(struct bank *bank, struct error *err)
{
    for (uint32_t i = 0; i < bank->customer_count; i++) {
        char name[16];
        bool is_new = chance(bank, 80);
        int64_t known_ms = is_new ? activity_time(bank) : START_MS + (int64_t)pick(bank, (uint32_t)(6 * HOUR_MS));

        customer_name(i, name);
        if (!add_identify(bank, name, known_ms, err)) {
            return false;
        }
        if (chance(bank, 850) && !add_consent(bank, name, known_ms + 1000, true, err)) {
            return false;
        }
        if (chance(bank, 20) && !add_consent(bank, name, between(bank, known_ms, END_MS), false, err)) {
            return false;
        }
    }
    return true;
}

/* The four customers whom the demo follows. */
static bool add_scenes(struct bank *bank, struct error *err)
{
    static const char *const names[] = {"anna", "ben", "clara", "dave"};
    static const char *const large = "\"amount\":2400.00,\"currency\":\"EUR\",\"merchant\":\"travel\",\"abroad\":false,"
                                     "\"declined\":false,\"card\":\"c0\"";
    static const char *const small = "\"amount\":49.90,\"currency\":\"EUR\",\"merchant\":\"online\",\"abroad\":false,"
                                     "\"declined\":false,\"card\":\"c0\"";
    static const char *const declined = "\"amount\":310.00,\"currency\":\"EUR\",\"merchant\":\"cash\",\"abroad\":true,"
                                        "\"declined\":true,\"card\":\"c0\"";

    for (size_t i = 0; i < 4; i++) {
        if (!add_identify(bank, names[i], START_MS + HOUR_MS, err) ||
            !add_consent(bank, names[i], START_MS + HOUR_MS, true, err)) {
            return false;
        }
    }
    /* clara and dave spend much, long before the stream's part begins: only the batch can know. */
    for (int64_t day = 6; day <= 18; day += 4) {
        if (!add_track(bank, "clara", "card_transaction", START_MS + day * DAY_MS, large, err) ||
            !add_track(bank, "dave", "card_transaction", START_MS + day * DAY_MS + HOUR_MS, large, err)) {
            return false;
        }
    }
    /* ben pays twice in the evening and is declined two minutes before midnight, behind the night batch's back. */
    return add_track(bank, "anna", "add_to_cart", LIVE_MS + 6 * HOUR_MS, "\"sku\":\"s-042\",\"price\":89.00", err) &&
           add_track(bank, "ben", "card_transaction", END_MS - 3 * HOUR_MS, small, err) &&
           add_track(bank, "ben", "card_transaction", END_MS - 2 * HOUR_MS, small, err) &&
           add_track(bank, "ben", "card_transaction", END_MS - 2 * MINUTE_MS, declined, err);
}

static bool add_activity(struct bank *bank, struct error *err)
{
    while (bank->line_count < bank->line_max - 4) {
        char name[16];
        int64_t time_ms = activity_time(bank);
        uint32_t kind = pick(bank, 100);
        bool added;

        customer_name(active_customer(bank), name);
        if (kind < 50) {
            added = add_transaction(bank, name, time_ms, err);
        } else if (kind < 80) {
            added = add_track(bank, name, "login", time_ms,
                              chance(bank, 700) ? "\"device\":\"phone\"" : "\"device\":\"web\"", err);
        } else {
            added = add_cart(bank, name, time_ms, err);
        }
        if (!added) {
            return false;
        }
    }
    return true;
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *left = a;
    const struct line *right = b;

    if (left->arrival_ms != right->arrival_ms) {
        return left->arrival_ms < right->arrival_ms ? -1 : 1;
    }
    return left->number < right->number ? -1 : 1;
}

/* Writes the lines with from_ms <= arrival < to_ms to DIRECTORY/name. */
static bool write_lines(const struct bank *bank, const char *directory, const char *name, int64_t from_ms,
                        int64_t to_ms, struct error *err)
{
    char path[4096];
    FILE *file;
    size_t count = 0;
    bool written;

    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        return error_set(err, ERROR_USAGE, "the path of the directory is too long");
    }
    file = fopen(path, "w");
    if (file == NULL) {
        return error_set(err, ERROR_UNREACHABLE, "could not open %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; i < bank->line_count; i++) {
        const struct line *line = &bank->lines[i];

        if (line->arrival_ms >= from_ms && line->arrival_ms < to_ms) {
            (void)fputs(line->text, file);
            (void)fputc('\n', file);
            count++;
        }
    }
    written = ferror(file) == 0;
    if (fclose(file) != 0 || !written) {
        return error_set(err, ERROR_INTERNAL, "could not write %s: %s", path, strerror(errno));
    }
    printf("%s: %zu lines\n", path, count);
    return true;
}

static bool run_bank(const struct command_line *line, struct error *err)
{
    struct bank bank = {0};
    const char *directory = command_argument(line, 0);
    int64_t customers = command_integer(line, "customers", 20000);
    int64_t events = command_integer(line, "events", 300000);
    bool done = false;

    if (customers < 1 || customers > 1000000 || events < 3 * customers || events > 20000000) {
        return error_set(err, ERROR_USAGE,
                         "--customers must be 1 to 1000000 and --events 3 to 20000000 / customers times that");
    }
    bank.customer_count = (uint32_t)customers;
    bank.line_max = (size_t)events + 4; /* the last activity may add up to four lines */
    buffer_init(&bank.text, LINE_SIZE_MAX * 2);
    seed_random(&bank, (uint64_t)command_integer(line, "seed", 42));
    if (!weigh_customers(&bank, err) || !add_customers(&bank, err) || !add_scenes(&bank, err) ||
        !add_activity(&bank, err)) {
        goto out;
    }
    qsort(bank.lines, bank.line_count, sizeof *bank.lines, compare_lines);
    done = write_lines(&bank, directory, "history.jsonl", TIMESTAMP_MIN, LIVE_MS, err) &&
           write_lines(&bank, directory, "live-1.jsonl", LIVE_MS, END_MS - 2 * MINUTE_MS, err) &&
           write_lines(&bank, directory, "live-2.jsonl", END_MS - 2 * MINUTE_MS, END_MS, err);
out:
    for (size_t i = 0; i < bank.line_count; i++) {
        memory_free(bank.lines[i].text);
    }
    memory_free(bank.lines);
    memory_free(bank.weights);
    buffer_clear(&bank.text);
    return done;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", OPTION_INTEGER, "N", "seed of the random numbers (42)", false},
        {"customers", OPTION_INTEGER, "N", "how many customers (20000)", false},
        {"events", OPTION_INTEGER, "N", "how many lines (300000)", false},
        {0},
    };
    static const struct command root = {
        .name = "muster-bank",
        .arguments = "DIRECTORY",
        .summary = "makes a retail bank's messages: history.jsonl, then live-1.jsonl and live-2.jsonl as they arrive",
        .options = options,
        .argument_min = 1,
        .argument_max = 1,
        .run = run_bank,
    };

    return command_main(&root, argc, argv);
}
