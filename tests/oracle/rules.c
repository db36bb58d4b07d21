#include "tests/oracle/rules.h"

#include "tests/oracle/exact.h"

static struct rule read_rule(struct arena *arena, const struct tree *tree);

struct answer answer_of(const struct tree *tree)
{
    struct answer answer = {0};

    switch (tree == NULL ? TREE_NULL : tree->kind) {
    case TREE_TRUE:
    case TREE_FALSE:
        answer.kind = ANSWER_BOOLEAN;
        answer.truth = tree->kind == TREE_TRUE;
        break;
    case TREE_NUMBER:
        answer.kind = exact_decimal(tree->text, &answer.micros) ? ANSWER_NUMBER : ANSWER_MISSING;
        break;
    case TREE_STRING:
        answer.kind = ANSWER_STRING;
        answer.text = tree->text;
        break;
    case TREE_ARRAY:
    case TREE_OBJECT:
        answer.kind = ANSWER_OTHER;
        answer.tree = tree;
        break;
    case TREE_NONE:
    case TREE_NULL:
        break;
    }
    return answer;
}

/* ---- comparisons ---- */

static bool equal(const struct answer *a, const struct answer *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case ANSWER_BOOLEAN:
        return a->truth == b->truth;
    case ANSWER_NUMBER:
        return a->micros == b->micros;
    case ANSWER_STRING:
        return slice_equal(a->text, b->text);
    default:
        return false;
    }
}

static bool one_of(const struct term *term, const struct answer *value)
{
    for (size_t i = 0; i < term->operand_count; i++) {
        if (equal(value, &term->operands[i])) {
            return true;
        }
    }
    return false;
}

static bool contains(const struct answer *value, const struct answer *part)
{
    if (value->kind == ANSWER_STRING && part->kind == ANSWER_STRING) {
        for (size_t at = 0; at + part->text.size <= value->text.size; at++) {
            if (part->text.size == 0 || memcmp(value->text.data + at, part->text.data, part->text.size) == 0) {
                return true;
            }
        }
    }
    if (value->kind == ANSWER_OTHER && value->tree->kind == TREE_ARRAY) {
        for (const struct tree *item = value->tree->first; item != NULL; item = item->next) {
            struct answer element = answer_of(item);

            if (equal(&element, part)) {
                return true;
            }
        }
    }
    return false;
}

static bool ordered(struct slice op, const struct answer *value, const struct answer *bound)
{
    int order;

    if (value->kind != bound->kind || (value->kind != ANSWER_NUMBER && value->kind != ANSWER_STRING)) {
        return false;
    }
    order = value->kind == ANSWER_STRING ? slice_compare(value->text, bound->text)
                                         : (value->micros > bound->micros) - (value->micros < bound->micros);
    if (op.data[0] == '>') {
        return order > 0 || (op.size == 2 && order == 0);
    }
    return order < 0 || (op.size == 2 && order == 0);
}

static bool term_holds(const struct term *term, const struct answer *value)
{
    const struct answer *operand = term->operands;
    bool exists = value->kind != ANSWER_MISSING;

    if (slice_equal_text(term->op, "exists")) {
        return exists == term->wanted;
    }
    if (!exists) {
        return false;
    }
    if (slice_equal_text(term->op, "=") || slice_equal_text(term->op, "in")) {
        return one_of(term, value);
    }
    if (slice_equal_text(term->op, "!=") || slice_equal_text(term->op, "notIn")) {
        return !one_of(term, value);
    }
    if (slice_equal_text(term->op, "contains")) {
        return contains(value, operand);
    }
    if (slice_equal_text(term->op, "startsWith")) {
        return value->kind == ANSWER_STRING && operand->kind == ANSWER_STRING &&
               slice_starts_with(value->text, operand->text);
    }
    if (slice_equal_text(term->op, "endsWith")) {
        return value->kind == ANSWER_STRING && operand->kind == ANSWER_STRING &&
               value->text.size >= operand->text.size &&
               slice_equal(slice_of(value->text.data + value->text.size - operand->text.size, operand->text.size),
                           operand->text);
    }
    return ordered(term->op, value, operand);
}

bool terms_hold(const struct terms *terms, const struct answer *value)
{
    for (size_t i = 0; i < terms->count; i++) {
        if (!term_holds(&terms->items[i], value)) {
            return false;
        }
    }
    return true;
}

/* ---- reading ---- */

static bool is_operator(struct slice key)
{
    static const char *const words[] = {"=",  "!=",    ">",      ">=",       "<",          "<=",
                                        "in", "notIn", "exists", "contains", "startsWith", "endsWith"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_equal_text(key, words[i])) {
            return true;
        }
    }
    return false;
}

static void read_span(struct term *term, struct slice text)
{
    if (text.size > 1 && text.data[text.size - 1] == 'y') {
        for (size_t i = 0; i + 1 < text.size; i++) {
            term->years = term->years * 10 + (text.data[i] - '0');
        }
    } else {
        term->ms = calendar_duration(text);
    }
}

static struct terms read_terms(struct arena *arena, const struct tree *object, bool durations)
{
    struct terms terms = {.items = take(arena, tree_count(object), sizeof *terms.items)};

    for (const struct tree *member = object->first; member != NULL; member = member->next) {
        struct term *term = &terms.items[terms.count];

        if (!is_operator(member->key)) {
            continue;
        }
        terms.count++;
        term->op = member->key;
        term->wanted = member->kind == TREE_TRUE;
        if (durations) {
            read_span(term, member->text);
        } else if (member->kind == TREE_ARRAY) {
            term->operands = take(arena, tree_count(member), sizeof *term->operands);
            for (const struct tree *item = member->first; item != NULL; item = item->next) {
                term->operands[term->operand_count++] = answer_of(item);
            }
        } else {
            term->operands = take(arena, 1, sizeof *term->operands);
            term->operands[0] = answer_of(member);
            term->operand_count = 1;
        }
    }
    return terms;
}

static struct path read_path(struct arena *arena, const struct tree *tree)
{
    struct path path = {0};
    char *key;

    if (tree == NULL) {
        return path;
    }
    path.keys = take(arena, tree->text.size + 1, sizeof *path.keys);
    key = take(arena, tree->text.size + 1, 1);
    path.keys[0] = slice_of(key, 0);
    path.count = 1;
    for (size_t i = 0; i < tree->text.size; i++) {
        char c = tree->text.data[i];

        if (c == '.') {
            path.keys[path.count++] = slice_of(key, 0);
            continue;
        }
        if (c == '\\' && i + 1 < tree->text.size) {
            c = tree->text.data[++i];
        }
        *key++ = c;
        path.keys[path.count - 1].size++;
    }
    return path;
}

static struct slice text_of(const struct tree *object, const char *key)
{
    const struct tree *member = tree_member(object, key);

    return member == NULL ? slice_of("", 0) : member->text;
}

static int64_t duration_of(const struct tree *object, const char *key)
{
    const struct tree *member = tree_member(object, key);

    return member == NULL ? 0 : calendar_duration(member->text);
}

static struct selector read_selector(struct arena *arena, const struct tree *tree)
{
    const struct tree *event = tree_member(tree, "event");
    const struct tree *where = tree_member(tree, "where");
    struct selector selector = {.names = take(arena, tree_count(event) + 1, sizeof *selector.names),
                                .where = take(arena, tree_count(where), sizeof *selector.where)};

    if (event->kind == TREE_STRING) {
        selector.names[selector.name_count++] = event->text;
    }
    for (const struct tree *name = event->first; name != NULL; name = name->next) {
        selector.names[selector.name_count++] = name->text;
    }
    for (const struct tree *item = where == NULL ? NULL : where->first; item != NULL; item = item->next) {
        selector.where[selector.where_count++] =
            (struct predicate){.path = read_path(arena, tree_member(item, "property")),
                               .terms = read_terms(arena, item, false)};
    }
    return selector;
}

static struct counting read_window(const struct tree *tree)
{
    const struct tree *window = tree_member(tree, "window");
    const struct tree *last = tree_member(window, "last");
    struct counting counting = {.last = 1};

    if (window == NULL) {
        return counting;
    }
    counting.limited = true;
    counting.offset_ms = duration_of(tree, "offset");
    counting.slide_ms = duration_of(tree, "slide");
    if (window->kind == TREE_STRING) {
        counting.length_ms = calendar_duration(window->text);
        return counting;
    }
    counting.unit = calendar_unit_from(text_of(window, "calendar"));
    counting.zone = text_of(window, "zone");
    counting.complete = tree_member(window, "complete") != NULL && tree_member(window, "complete")->kind == TREE_TRUE;
    if (last != NULL) {
        (void)exact_integer(last->text, &counting.last);
    }
    return counting;
}

static void read_measure(struct arena *arena, const struct tree *tree, struct rule *rule)
{
    static const char *const words[] = {"count",    "sum",   "avg",  "min",    "max",
                                        "distinct", "first", "last", "latest", "earliest"};
    const struct tree *product;
    const struct tree *measure = NULL;

    rule->form = FORM_MEASURE;
    rule->selector = read_selector(arena, tree);
    rule->window = read_window(tree);
    for (size_t i = 0; i < sizeof words / sizeof words[0] && measure == NULL; i++) {
        measure = tree_member(tree, words[i]);
        rule->measure = slice_from(words[i]);
    }
    if (measure == NULL) {
        static const char at_least_one[] = "{\">=\":1}";

        rule->measure = slice_from("count");
        measure = tree_parse(arena, slice_from(at_least_one));
    }
    product = tree_member(measure, "product");
    rule->product = product != NULL;
    rule->property = read_path(arena, rule->product ? product->first : tree_member(measure, "property"));
    rule->factor = read_path(arena, rule->product ? product->first->next : NULL);
    rule->period = calendar_unit_from(text_of(measure, "period"));
    rule->zone = text_of(measure, "zone");
    rule->terms =
        read_terms(arena, measure, slice_equal_text(rule->measure, "first") || slice_equal_text(rule->measure, "last"));
}

static void read_same(struct arena *arena, const struct tree *tree, struct rule *rule)
{
    const struct tree *same = tree_member(tree, "same");

    rule->same = take(arena, tree_count(same), sizeof *rule->same);
    for (const struct tree *item = same == NULL ? NULL : same->first; item != NULL; item = item->next) {
        rule->same[rule->same_count++] = read_path(arena, item);
    }
}

static void read_absence(struct arena *arena, const struct tree *tree, struct rule *rule)
{
    const struct tree *condition = tree_member(tree, "condition");

    rule->form = FORM_ABSENCE;
    rule->selector = read_selector(arena, tree);
    read_same(arena, tree, rule);
    if (condition != NULL) {
        rule->within_ms = duration_of(tree, "window");
        rule->or_later = true;
        rule->ender.names = take(arena, 1, sizeof *rule->ender.names);
        rule->ender.names[0] = slice_of(condition->text.data + 3, condition->text.size - 9);
        rule->ender.name_count = 1;
        return;
    }
    rule->window = read_window(tree);
    rule->within_ms = duration_of(tree, "within");
    rule->or_later = tree_member(tree, "orLater") != NULL && tree_member(tree, "orLater")->kind == TREE_TRUE;
    rule->ender = read_selector(arena, tree_member(tree, "notFollowedBy"));
}

static void read_sequence(struct arena *arena, const struct tree *tree, struct rule *rule)
{
    const struct tree *steps = tree_member(tree, "sequence");

    rule->form = FORM_SEQUENCE;
    rule->window = read_window(tree);
    rule->within_ms = duration_of(tree, "within");
    rule->steps = take(arena, tree_count(steps), sizeof *rule->steps);
    for (const struct tree *step = steps->first; step != NULL; step = step->next) {
        rule->steps[rule->step_count++] = read_selector(arena, step);
    }
    read_same(arena, tree, rule);
}

static struct rule *read_rules(struct arena *arena, const struct tree *list, size_t *count)
{
    struct rule *rules = take(arena, tree_count(list), sizeof *rules);

    *count = 0;
    for (const struct tree *item = list == NULL ? NULL : list->first; item != NULL; item = item->next) {
        rules[(*count)++] = read_rule(arena, item);
    }
    return rules;
}

static void read_compare(struct arena *arena, const struct tree *compare, struct rule *rule)
{
    const struct tree *times = tree_member(compare, "times");

    rule->form = FORM_COMPARE;
    rule->children = take(arena, 2, sizeof *rule->children);
    rule->child_count = 2;
    rule->children[0] = read_rule(arena, tree_member(compare, "left"));
    rule->children[1] = read_rule(arena, tree_member(compare, "right"));
    rule->op = text_of(compare, "op");
    rule->times_micros = 1000000;
    if (times != NULL) {
        (void)exact_decimal(times->text, &rule->times_micros);
    }
}

static void read_trait(struct arena *arena, const struct tree *tree, struct rule *rule)
{
    const struct tree *age = tree_member(tree, "age");
    const struct tree *until = tree_member(tree, "until");

    rule->form = age != NULL ? FORM_AGE : until != NULL ? FORM_UNTIL : FORM_TRAIT;
    rule->trait = read_path(arena, tree_member(tree, "trait"));
    rule->terms = read_terms(arena, age != NULL ? age : until != NULL ? until : tree, age != NULL || until != NULL);
}

static struct rule read_rule(struct arena *arena, const struct tree *tree)
{
    struct rule rule = {0};

    if (tree_member(tree, "sequence") != NULL) {
        read_sequence(arena, tree, &rule);
    } else if (tree_member(tree, "notFollowedBy") != NULL || tree_member(tree, "condition") != NULL) {
        read_absence(arena, tree, &rule);
    } else if (tree_member(tree, "event") != NULL) {
        read_measure(arena, tree, &rule);
    } else if (tree_member(tree, "compare") != NULL) {
        read_compare(arena, tree_member(tree, "compare"), &rule);
    } else if (tree_member(tree, "trait") != NULL) {
        read_trait(arena, tree, &rule);
    } else if (tree_member(tree, "segment") != NULL) {
        rule.form = FORM_SEGMENT;
        rule.segment = text_of(tree, "segment");
    } else if (tree_member(tree, "percentile") != NULL) {
        rule.form = FORM_PERCENTILE;
        (void)exact_decimal(tree_member(tree, "percentile")->text, &rule.percent_micros);
        rule.children = take(arena, 1, sizeof *rule.children);
        rule.children[0] = read_rule(arena, tree_member(tree, "of"));
        rule.child_count = 1;
        rule.trait = read_path(arena, tree_member(tree, "by"));
    } else if (tree_member(tree, "not") != NULL) {
        rule.form = FORM_NOT;
        rule.children = take(arena, 1, sizeof *rule.children);
        rule.children[0] = read_rule(arena, tree_member(tree, "not"));
        rule.child_count = 1;
    } else {
        const struct tree *all = tree_member(tree, "all");

        rule.form = all != NULL ? FORM_ALL : FORM_ANY;
        rule.children = read_rules(arena, all != NULL ? all : tree_member(tree, "any"), &rule.child_count);
    }
    return rule;
}

/* ---- segments ---- */

static bool refers_to_ranked(const struct rule *rules, size_t count, const struct segment *segments,
                             size_t segment_count)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].form == FORM_PERCENTILE ||
            refers_to_ranked(rules[i].children, rules[i].child_count, segments, segment_count)) {
            return true;
        }
        for (size_t k = 0; rules[i].form == FORM_SEGMENT && k < segment_count; k++) {
            if (segments[k].ranked && slice_equal(segments[k].id, rules[i].segment)) {
                return true;
            }
        }
    }
    return false;
}

static struct segment read_segment(struct arena *arena, const struct tree *document)
{
    struct segment segment = {.id = text_of(document, "segmentId")};

    segment.criteria = read_rules(arena, tree_member(document, "criteria"), &segment.criterion_count);
    segment.exclude = read_rules(arena, tree_member(document, "exclude"), &segment.exclude_count);
    segment.duration_ms = duration_of(document, "membershipDuration");
    segment.sticky = slice_equal_text(text_of(document, "membershipMode"), "sticky");
    segment.exclusion_ms = duration_of(document, "exclusionWindow");
    return segment;
}

struct segment *rules_read(struct arena *arena, const struct tree *document, size_t *count)
{
    struct segment *segments = take(arena, tree_count(document) + 1, sizeof *segments);

    *count = 0;
    if (document->kind == TREE_OBJECT) {
        segments[(*count)++] = read_segment(arena, document);
    }
    for (const struct tree *item = document->kind == TREE_ARRAY ? document->first : NULL; item; item = item->next) {
        segments[(*count)++] = read_segment(arena, item);
    }
    for (size_t round = 0; round < *count; round++) {
        for (size_t i = 0; i < *count; i++) {
            struct segment *segment = &segments[i];

            segment->ranked = segment->ranked ||
                              refers_to_ranked(segment->criteria, segment->criterion_count, segments, *count) ||
                              refers_to_ranked(segment->exclude, segment->exclude_count, segments, *count);
        }
    }
    return segments;
}
