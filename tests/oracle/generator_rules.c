#include "tests/oracle/generator_parts.h"

static const char *const properties[] = {"n", "n", "m", "k", "k", "o.p", "x\\\\.y", "name", "list", NULL};
static const char *const orders[] = {"=", "!=", ">", ">=", "<", "<=", NULL};

static void put_literal(struct generator *generator)
{
    static const char *const literals[] = {"\"x\"", "\"y\"", "\"1\"", "\"\"", "true", "false", "\"gold\"", NULL};

    if (one_in(generator, 2)) {
        put(generator, pick(generator, literals));
    } else {
        put_number(generator, false);
    }
}

/* `"=":1` and the like, one or two of them. */
static void put_value_terms(struct generator *generator)
{
    static const char *const parts[] = {"\"x\"", "\"\"", "\"go\"", "\"d\"", NULL};

    switch (below(generator, 8)) {
    case 0:
        buffer_append_format(&generator->out, "\"exists\":%s", one_in(generator, 2) ? "true" : "false");
        return;
    case 1:
        buffer_append_format(&generator->out, "\"%s\":[", one_in(generator, 2) ? "in" : "notIn");
        put_literal(generator);
        put(generator, ",");
        put_literal(generator);
        put(generator, "]");
        return;
    case 2:
        put(generator, "\"contains\":");
        put_literal(generator);
        return;
    case 3:
        buffer_append_format(&generator->out, "\"%s\":%s", one_in(generator, 2) ? "startsWith" : "endsWith",
                             pick(generator, parts));
        return;
    case 4:
        put(generator, "\">\":");
        put_number(generator, false);
        put(generator, ",\"!=\":");
        put_literal(generator);
        return;
    case 5:
        buffer_append_format(&generator->out, "\"%s\":", one_in(generator, 2) ? "=" : "!=");
        put_literal(generator);
        return;
    default:
        buffer_append_format(&generator->out, "\"%s\":", pick(generator, orders));
        if (one_in(generator, 4)) {
            put(generator, "\"k\"");
        } else {
            put_number(generator, false);
        }
    }
}

static void put_number_terms(struct generator *generator, int top)
{
    static const char *const edges[] = {"0.000001", "1.0000005", "0.1", "0.3", "1.5", "-1", "9.2e12", NULL};
    const char *order = pick(generator, orders);

    buffer_append_format(&generator->out, "\"%s\":", order);
    if (one_in(generator, 6)) {
        put(generator, pick(generator, edges));
    } else {
        buffer_append_format(&generator->out, "%d", below(generator, top));
    }
    if (strcmp(order, "!=") != 0 && one_in(generator, 6)) {
        buffer_append_format(&generator->out, ",\"!=\":%d", below(generator, top));
    }
}

static void put_duration_terms(struct generator *generator, bool years)
{
    const char *order = pick(generator, orders);

    buffer_append_format(&generator->out, "\"%s\":", order);
    if (years && one_in(generator, 3)) {
        buffer_append_format(&generator->out, "\"%dy\"", 1 + below(generator, 4));
    } else {
        put_duration(generator, 16);
    }
    if (strcmp(order, "!=") != 0 && one_in(generator, 5)) {
        put(generator, ",\"!=\":");
        put_duration(generator, 16);
    }
}

static void put_name(struct generator *generator)
{
    static const char *const names[] = {"\"a\"",         "\"a\"",         "\"b\"",      "\"b\"", "\"c\"", "\"page\"",
                                        "[\"a\",\"b\"]", "[\"b\",\"c\"]", "\"screen\"", "\"*\"", NULL};

    put(generator, "\"event\":");
    put(generator, generator->narrow && one_in(generator, 2) ? "\"a\"" : pick(generator, names));
}

static void put_selector(struct generator *generator)
{
    put_name(generator);
    if (one_in(generator, 3)) {
        put(generator, ",\"where\":[");
        for (int count = below(generator, 3); count > 0; count--) {
            buffer_append_format(&generator->out, "{\"property\":\"%s\",", pick(generator, properties));
            put_value_terms(generator);
            put(generator, count > 1 ? "}," : "}");
        }
        put(generator, "]");
    }
}

static void put_zone(struct generator *generator)
{
    if (!one_in(generator, 5)) {
        buffer_append_format(&generator->out, ",\"zone\":\"%s\"",
                             one_in(generator, 5) ? random_zone(generator) : generator->zone);
    }
}

static void put_unit(struct generator *generator)
{
    static const char *const units[] = {"\"day\"", "\"day\"", "\"week\"", "\"month\"", "\"quarter\"", "\"year\"", NULL};

    put(generator, pick(generator, units));
}

/* `,"window":...` with what belongs to it. */
static void put_window(struct generator *generator, bool calendar)
{
    put(generator, ",\"window\":");
    if (calendar && generator->grid_ms >= 60000 && one_in(generator, 3)) {
        put(generator, "{\"calendar\":");
        put_unit(generator);
        if (one_in(generator, 2)) {
            buffer_append_format(&generator->out, ",\"last\":%d", 1 + below(generator, 4));
        }
        if (one_in(generator, 3)) {
            put(generator, ",\"complete\":true");
        }
        put_zone(generator);
        put(generator, "}");
        return;
    }
    put_duration(generator, 20);
    if (one_in(generator, 5)) {
        put(generator, ",\"offset\":");
        put_duration(generator, 8);
    }
    if (one_in(generator, 5)) {
        put(generator, ",\"slide\":");
        put_duration(generator, 6);
    }
}

static void put_property(struct generator *generator)
{
    if (one_in(generator, 6)) {
        put(generator, "\"product\":[\"n\",\"m\"]");
    } else {
        buffer_append_format(&generator->out, "\"property\":\"%s\"", pick(generator, properties));
    }
}

/* A measure of a number, with its comparison or without (`bare`). */
static void put_number_measure(struct generator *generator, bool bare)
{
    static const char *const words[] = {"count", "count", "sum", "sum", "avg", "min", "max", "distinct", NULL};
    bool distinct = (generator->theme == THEME_DISTINCT || generator->theme == THEME_PERIODS) && !one_in(generator, 4);
    const char *word = distinct ? "distinct" : pick(generator, words);
    bool count = strcmp(word, "count") == 0;

    buffer_append_format(&generator->out, ",\"%s\":{", word);
    if (strcmp(word, "distinct") == 0 && (generator->theme == THEME_PERIODS || one_in(generator, 2))) {
        put(generator, "\"period\":");
        put_unit(generator);
        put_zone(generator);
    } else if (!count) {
        put_property(generator);
    }
    if (!bare) {
        put(generator, count ? "" : ",");
        put_number_terms(generator, count || strcmp(word, "distinct") == 0 ? 4 : 12);
    }
    put(generator, "}");
}

static void put_place(struct generator *generator, bool age)
{
    if (age) {
        buffer_append_format(&generator->out, ",\"%s\":{", one_in(generator, 2) ? "first" : "last");
        put_duration_terms(generator, false);
    } else {
        buffer_append_format(&generator->out, ",\"%s\":{", one_in(generator, 2) ? "latest" : "earliest");
        put_property(generator);
        put(generator, ",");
        put_value_terms(generator);
    }
    put(generator, "}");
}

static void put_event_form(struct generator *generator, bool bare)
{
    put_selector(generator);
    if (!one_in(generator, 3)) {
        put_window(generator, true);
    }
    if (bare) {
        put_number_measure(generator, true);
        return;
    }
    if (generator->theme == THEME_VALUE || generator->theme == THEME_AGE) {
        put_place(generator, generator->theme == THEME_AGE);
    } else if (one_in(generator, 4) && generator->theme == THEME_NONE) {
        put_place(generator, one_in(generator, 3));
    } else if (!one_in(generator, 8)) {
        put_number_measure(generator, false);
    }
}

static void put_same(struct generator *generator)
{
    put(generator, one_in(generator, 3) ? ",\"same\":[\"k\",\"n\"]" : ",\"same\":[\"k\"]");
}

static void put_absence(struct generator *generator)
{
    static const char *const conditions[] = {"no_a_after", "no_b_after", "no_page_after", NULL};
    bool same = one_in(generator, 4);
    bool later = one_in(generator, 3);
    bool window = one_in(generator, 2);

    put_selector(generator);
    if (one_in(generator, 3)) {
        put(generator, ",\"window\":");
        put_duration(generator, 8);
        buffer_append_format(&generator->out, ",\"condition\":\"%s\"", pick(generator, conditions));
        later = true;
        window = false;
    } else {
        put(generator, ",\"notFollowedBy\":{");
        put_selector(generator);
        put(generator, "},\"within\":");
        put_duration(generator, 8);
        if (window) {
            put_window(generator, true);
        }
        put(generator, later ? ",\"orLater\":true" : "");
    }
    if (same) {
        put_same(generator);
    }
    generator->needs_batch = generator->needs_batch || (same && later && !window);
}

static void put_sequence(struct generator *generator)
{
    int count = 2 + (one_in(generator, 3) ? 1 : 0) + (one_in(generator, 9) ? 1 : 0);

    put(generator, "\"sequence\":[");
    for (int i = 0; i < count; i++) {
        put(generator, i > 0 ? ",{" : "{");
        put_selector(generator);
        put(generator, "}");
    }
    put(generator, "],\"within\":");
    put_duration(generator, 12);
    if (one_in(generator, 2)) {
        put_window(generator, true);
    }
    if (one_in(generator, 3)) {
        put_same(generator);
    }
}

static void put_compare(struct generator *generator)
{
    static const char *const times[] = {
        "", ",\"times\":0.5", ",\"times\":3", ",\"times\":1.25", ",\"times\":0.0000015", ",\"times\":9.2e12", NULL};

    put(generator, "\"compare\":{\"left\":{");
    put_event_form(generator, true);
    buffer_append_format(&generator->out, "},\"op\":\"%s\",\"right\":{", pick(generator, orders));
    put_event_form(generator, true);
    put(generator, "}");
    put(generator, pick(generator, times));
    put(generator, "}");
}

static void put_trait(struct generator *generator)
{
    static const char *const traits[] = {"t", "t", "k", "o.p", "x\\\\.y", "since", NULL};

    switch (below(generator, 3)) {
    case 0:
        put(generator, "\"trait\":\"since\",\"age\":{");
        put_duration_terms(generator, true);
        put(generator, "}");
        break;
    case 1:
        put(generator, "\"trait\":\"since\",\"until\":{");
        put_duration_terms(generator, false);
        put(generator, "}");
        break;
    default:
        buffer_append_format(&generator->out, "\"trait\":\"%s\",", pick(generator, traits));
        put_value_terms(generator);
    }
}

static void put_group(struct generator *generator, int depth)
{
    if (one_in(generator, 2)) {
        put(generator, "\"not\":");
        put_criterion(generator, depth + 1);
        return;
    }
    put(generator, one_in(generator, 3) ? "\"all\":[" : "\"any\":[");
    put_criterion(generator, depth + 1);
    put(generator, ",");
    put_criterion(generator, depth + 1);
    put(generator, "]");
}

static void put_percentile(struct generator *generator)
{
    static const char *const percents[] = {"50", "90", "33.333333", "100", "0.1", "25", NULL};

    buffer_append_format(&generator->out, "\"percentile\":%s,\"of\":{", pick(generator, percents));
    put_event_form(generator, true);
    put(generator, one_in(generator, 2) ? "},\"by\":\"t\"" : "}");
}

/* An earlier segment; one that is ranked only from one that may be. */
static bool put_reference(struct generator *generator)
{
    int target = generator->segment == 0 ? 0 : below(generator, generator->segment);

    if (generator->segment == 0 || (generator->ranked[target] && !generator->ranked[generator->segment])) {
        return false;
    }
    buffer_append_format(&generator->out, "\"segment\":\"s%d\"", target);
    return true;
}

void put_criterion(struct generator *generator, int depth)
{
    static const int forms[] = {
        [THEME_ABSENCE] = 6, [THEME_SEQUENCE] = 9, [THEME_COMPARE] = 11, [THEME_TRAIT] = 12, [THEMES] = 0};
    int form = below(generator, depth < 2 ? 20 : 15);

    if (generator->theme != THEME_NONE && one_in(generator, 2)) {
        form = forms[generator->theme];
    }

    put(generator, "{");
    if (generator->ranked[generator->segment] && one_in(generator, 2)) {
        put_percentile(generator);
    } else if (form < 6) {
        put_event_form(generator, false);
    } else if (form < 9) {
        put_absence(generator);
    } else if (form < 11) {
        put_sequence(generator);
    } else if (form < 12) {
        put_compare(generator);
    } else if (form < 14) {
        put_trait(generator);
    } else if (form < 16 || form > 17) {
        if (form > 17 || !put_reference(generator)) {
            if (depth < 2) {
                put_group(generator, depth);
            } else {
                put_trait(generator);
            }
        }
    } else {
        put_group(generator, depth);
    }
    put(generator, "}");
}
