/* Events for the rules benchmark: JSON lines of about 260 bytes as a shop's tracker sends them. Deterministic in its
 * arguments. Users come in visits of some minutes; 1 % of the lines are copies, 2 % come late, 3 % are identifies, and
 * event names and products are as unequally common as they are in life.
 *
 * usage: rules_events EVENTS USERS SEED >FILE */
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_SIZE = 512,
    RECENT_LINE_COUNT = 512, /* from which copies are taken */
    VISIT_COUNT_MAX = 65536,
    SKU_COUNT = 5000,
    PER_MILLE = 1000,
    COPIES_PER_MILLE = 10,
    LATE_PER_MILLE = 20,
    RETURNING_PER_MILLE = 700, /* events of users who were there some minutes ago */
    LATE_MAX_MS = 6 * 3600 * 1000,
    VISIT_MS = 20 * 60 * 1000,
};

static const int64_t begin_ms = INT64_C(1772323200000); /* 2026-03-01 */
static const int64_t span_ms = INT64_C(60) * 86400 * 1000;

/* How often each comes, of the sum of all. */
static const struct {
    const char *name;
    uint32_t weight;
} names[] = {
    {"page", 180},
    {"identify", 30},
    {"product_viewed", 200},
    {"product_list_viewed", 90},
    {"products_searched", 70},
    {"add_to_cart", 90},
    {"cart_viewed", 40},
    {"checkout_started", 35},
    {"purchase", 45},
    {"product_clicked", 30},
    {"remove_from_cart", 15},
    {"promotion_viewed", 20},
    {"promotion_clicked", 10},
    {"email_opened", 25},
    {"email_clicked", 12},
    {"wishlist_added", 14},
    {"wishlist_removed", 4},
    {"coupon_entered", 8},
    {"coupon_denied", 3},
    {"payment_entered", 8},
    {"order_refunded", 5},
    {"product_reviewed", 6},
    {"product_shared", 5},
    {"newsletter_subscribed", 6},
    {"newsletter_unsubscribed", 3},
    {"support_ticket_opened", 5},
    {"support_ticket_closed", 4},
    {"app_opened", 40},
    {"app_closed", 20},
    {"push_received", 20},
    {"push_opened", 8},
    {"video_started", 8},
    {"video_finished", 5},
    {"store_located", 4},
    {"plan_changed", 4},
    {"trial_started", 4},
    {"login", 40},
    {"logout", 15},
    {"login_failed", 6},
    {"banner_closed", 8},
};

static const char *const categories[] = {"shoes",  "shirts", "trousers", "jackets", "bags",    "hats",
                                         "sports", "kids",   "home",     "beauty",  "jewelry", "outlet"};
static const char *const channels[] = {"web", "ios", "android", "store"};
static const char *const tiers[] = {"none", "none", "none", "silver", "silver", "gold"};
static const char *const countries[] = {"DE", "DE", "DE", "AT", "CH", "FR", "NL", "GB"};
static const char *const plans[] = {"free", "basic", "pro", "team"};

#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))

struct visit {
    uint32_t user;
    int64_t until_ms;
};

struct generator {
    uint64_t state;
    uint64_t user_count;
    uint64_t turn_count;
    size_t visit_count;
    uint32_t weight_sum;
    struct visit visits[VISIT_COUNT_MAX];
    char recent[RECENT_LINE_COUNT][LINE_SIZE];
};

/* splitmix64 */
static uint64_t next_random(struct generator *generator)
{
    uint64_t bits = generator->state += UINT64_C(0x9e3779b97f4a7c15);

    bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
    return bits ^ bits >> 31;
}

static uint32_t below(struct generator *generator, uint64_t bound)
{
    return (uint32_t)(next_random(generator) % bound);
}

/* Half of the choices fall on the first sixteenth or so. */
static uint32_t below_unequal(struct generator *generator, uint64_t bound)
{
    uint64_t part = (below(generator, 1 << 16) * (uint64_t)below(generator, 1 << 16)) >> 16;

    return (uint32_t)(((part * part) >> 16) * bound >> 16);
}

static uint32_t choose_user(struct generator *generator, int64_t now_ms)
{
    struct visit *visit = &generator->visits[below(generator, generator->visit_count)];

    if (visit->until_ms < now_ms || below(generator, PER_MILLE) >= RETURNING_PER_MILLE) {
        /* Most of the visits go through all users in turn, the others are made by some more than by others. */
        visit->user = below(generator, 4) == 0 ? below(generator, 1 + below(generator, generator->user_count / 4 + 1))
                                               : (uint32_t)(generator->turn_count++ % generator->user_count);
        visit->user = (uint32_t)(visit->user * UINT64_C(1000003) % generator->user_count);
        visit->until_ms = now_ms + VISIT_MS;
    }
    return visit->user;
}

static const char *choose_name(struct generator *generator)
{
    uint32_t left = below(generator, generator->weight_sum);

    for (size_t i = 0;; i++) {
        if (left < names[i].weight) {
            return names[i].name;
        }
        left -= names[i].weight;
    }
}

static void write_traits(struct generator *generator, char *line, int used)
{
    char ends[TIMESTAMP_TEXT_SIZE];

    (void)timestamp_text(begin_ms + (int64_t)below(generator, 120) * 86400 * 1000, ends);
    (void)snprintf(line + used, LINE_SIZE - (size_t)used,
                   "\"traits\":{\"tier\":\"%s\",\"country\":\"%s\",\"trial_ends\":\"%.10s\",\"newsletter\":%s,"
                   "\"email\":\"%06" PRIx32 "@example.com\"}}\n",
                   tiers[below(generator, COUNT_OF(tiers))], countries[below(generator, COUNT_OF(countries))], ends,
                   below(generator, 2) == 0 ? "true" : "false", below(generator, 1 << 24));
}

static void write_properties(struct generator *generator, const char *name, char *line, int used)
{
    uint32_t sku = below_unequal(generator, SKU_COUNT);
    uint32_t cents = 500 + below_unequal(generator, 40000);

    if (strcmp(name, "page") == 0) {
        (void)snprintf(line + used, LINE_SIZE - (size_t)used,
                       "\"name\":\"%s\",\"properties\":{\"path\":\"/%s/%" PRIu32
                       "\",\"referrer\":\"https://www.example.com/search\",\"channel\":\"%s\"}}\n",
                       categories[sku % COUNT_OF(categories)], categories[sku % COUNT_OF(categories)], sku,
                       channels[below(generator, COUNT_OF(channels))]);
    } else if (strcmp(name, "plan_changed") == 0) {
        (void)snprintf(line + used, LINE_SIZE - (size_t)used,
                       "\"event\":\"%s\",\"properties\":{\"plan\":\"%s\",\"channel\":\"%s\"}}\n", name,
                       plans[below(generator, COUNT_OF(plans))], channels[below(generator, COUNT_OF(channels))]);
    } else {
        (void)snprintf(line + used, LINE_SIZE - (size_t)used,
                       "\"event\":\"%s\",\"properties\":{\"sku\":\"sku-%05" PRIu32
                       "\",\"category\":\"%s\",\"price\":%" PRIu32 ".%02" PRIu32 ",\"quantity\":%" PRIu32
                       ",\"discounted\":%s,\"channel\":\"%s\"}}\n",
                       name, sku, categories[sku % COUNT_OF(categories)], cents / 100, cents % 100,
                       1 + below_unequal(generator, 4), below(generator, 4) == 0 ? "true" : "false",
                       channels[below(generator, COUNT_OF(channels))]);
    }
}

static void write_line(struct generator *generator, int64_t now_ms, char *line)
{
    uint64_t high = next_random(generator);
    uint64_t low = next_random(generator);
    uint32_t user = choose_user(generator, now_ms);
    const char *name = choose_name(generator);
    const char *type = strcmp(name, "page") == 0 || strcmp(name, "identify") == 0 ? name : "track";
    int64_t late_ms = below(generator, PER_MILLE) < LATE_PER_MILLE ? below(generator, LATE_MAX_MS) : 0;
    char time[TIMESTAMP_TEXT_SIZE];
    int used;

    used = snprintf(line, LINE_SIZE,
                    "{\"type\":\"%s\",\"messageId\":\"%08" PRIx32 "-%04x-4%03x-%04x-%012" PRIx64
                    "\",\"userId\":\"user-%07" PRIu32 "\",\"timestamp\":\"%s\",",
                    type, (uint32_t)(high >> 32), (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
                    (unsigned)(0x8000 | (low >> 48 & 0x3fff)), low & UINT64_C(0xffffffffffff), user,
                    timestamp_text(now_ms - late_ms, time));
    if (strcmp(name, "identify") == 0) {
        write_traits(generator, line, used);
    } else {
        write_properties(generator, name, line, used);
    }
}

static uint64_t argument(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (*end != '\0' || number < min || number > max) {
        (void)fprintf(stderr, "rules_events: expected a number from %" PRIu64 " to %" PRIu64 ", got %s\n", min, max,
                      text);
        exit(2);
    }
    return number;
}

int main(int argc, char **argv)
{
    static struct generator generator;
    uint64_t event_count;
    uint64_t visit_count;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: rules_events EVENTS USERS SEED\n");
        return 2;
    }
    event_count = argument(argv[1], 1, 100000000);
    generator.user_count = argument(argv[2], 1, 10000000);
    generator.state = argument(argv[3], 0, UINT64_MAX);
    /* So many are there at once that each looks at a page every minute. */
    visit_count = event_count * 60 * 1000 / (uint64_t)span_ms + 1;
    generator.visit_count = visit_count < VISIT_COUNT_MAX ? visit_count : VISIT_COUNT_MAX;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        generator.weight_sum += names[i].weight;
    }
    for (uint64_t i = 0; i < event_count; i++) {
        char *line = generator.recent[i % RECENT_LINE_COUNT];

        if (i > RECENT_LINE_COUNT && below(&generator, PER_MILLE) < COPIES_PER_MILLE) {
            const char *earlier =
                generator.recent[(i + 1 + below(&generator, RECENT_LINE_COUNT - 1)) % RECENT_LINE_COUNT];

            memcpy(line, earlier, LINE_SIZE);
        } else {
            write_line(&generator, begin_ms + (int64_t)(i * (uint64_t)span_ms / event_count), line);
        }
        if (fputs(line, stdout) == EOF) {
            perror("rules_events");
            return 1;
        }
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
