/* Reading a mapping file: lines into rules, each rule a chain of choices. */
#include "common/domain/mapping_internal.h"
#include "common/domain/mapping_time.h"

enum { MAPPING_ARENA_MAX = 4 << 20, SCRATCH_MAX = 2 << 20 };

enum lexeme_kind {
    LEXEME_NONE = 0, /* the end of the line */
    LEXEME_WORD,
    LEXEME_TEXT,    /* "text" */
    LEXEME_BRACKET, /* [text] */
    LEXEME_HASH,    /* #word */
    LEXEME_PIPE,
    LEXEME_OPERATOR,
};

struct lexer {
    struct mapping *mapping;
    const char *at;
    const char *end;
    size_t line;
    struct error *err;
    enum lexeme_kind kind; /* of the lexeme at hand */
    struct slice text;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static bool fail(struct lexer *lexer, const char *reason)
{
    return error_set(lexer->err, ERROR_INPUT, "%s:%zu: %s", lexer->mapping->name, lexer->line, reason);
}

/* "text" with \" and \\ inside, from behind the opening quote. */
static bool read_text(struct lexer *lexer)
{
    char *copy = arena_allocate(&lexer->mapping->arena, (size_t)(lexer->end - lexer->at) + 1);
    size_t size = 0;

    if (copy == NULL) {
        return error_no_memory(lexer->err, "a mapping");
    }
    while (lexer->at < lexer->end && *lexer->at != '"') {
        if (*lexer->at == '\\') {
            lexer->at++;
            if (lexer->at == lexer->end || (*lexer->at != '"' && *lexer->at != '\\')) {
                return fail(lexer, "expected \\\" or \\\\ behind a backslash");
            }
        }
        copy[size++] = *lexer->at++;
    }
    if (lexer->at == lexer->end) {
        return fail(lexer, "a quoted text does not end");
    }
    lexer->at++;
    lexer->kind = LEXEME_TEXT;
    lexer->text = slice_of(copy, size);
    return true;
}

static bool read_bracket(struct lexer *lexer)
{
    const char *close = memchr(lexer->at, ']', (size_t)(lexer->end - lexer->at));

    if (close == NULL) {
        return fail(lexer, "expected ] behind the name of a column");
    }
    lexer->kind = LEXEME_BRACKET;
    lexer->text = slice_of(lexer->at, (size_t)(close - lexer->at));
    lexer->at = close + 1;
    return true;
}

static bool is_word(char byte)
{
    return !is_blank(byte) && strchr("|\"[]#=!^$*", byte) == NULL;
}

static bool next(struct lexer *lexer)
{
    while (lexer->at < lexer->end && is_blank(*lexer->at)) {
        lexer->at++;
    }
    lexer->kind = LEXEME_NONE;
    lexer->text = slice_of(lexer->at, 0);
    if (lexer->at == lexer->end) {
        return true;
    }
    switch (*lexer->at) {
    case '"':
        lexer->at++;
        return read_text(lexer);
    case '[':
        lexer->at++;
        return read_bracket(lexer);
    case '|':
        lexer->at++;
        lexer->kind = LEXEME_PIPE;
        return true;
    case '=':
        lexer->kind = LEXEME_OPERATOR;
        lexer->text.size = 1;
        lexer->at++;
        return true;
    case '!':
    case '^':
    case '$':
    case '*':
        if (lexer->at + 1 == lexer->end || lexer->at[1] != '=') {
            return fail(lexer, "expected one of = != ^= $= *=");
        }
        lexer->kind = LEXEME_OPERATOR;
        lexer->text.size = 2;
        lexer->at += 2;
        return true;
    case ']':
        return fail(lexer, "unexpected ]");
    case '#':
        lexer->kind = LEXEME_HASH;
        lexer->at++;
        break;
    default:
        lexer->kind = LEXEME_WORD;
        break;
    }
    lexer->text.data = lexer->at;
    while (lexer->at < lexer->end && is_word(*lexer->at)) {
        lexer->at++;
    }
    lexer->text.size = (size_t)(lexer->at - lexer->text.data);
    return true;
}

static bool is_word_text(const struct lexer *lexer, const char *word)
{
    return lexer->kind == LEXEME_WORD && slice_equal_text(lexer->text, word);
}

static bool parse_value(struct lexer *lexer, const struct mapping_rule *rule, struct mapping_choice *choice)
{
    choice->text = lexer->text;
    choice->literal_allowed = rule->target == MAPPING_TYPE || rule->target == MAPPING_EVENT;
    switch (lexer->kind) {
    case LEXEME_WORD:
        choice->kind = rule->target == MAPPING_CONST ? MAPPING_LITERAL : MAPPING_BARE;
        break;
    case LEXEME_TEXT:
        choice->kind = MAPPING_LITERAL;
        break;
    case LEXEME_BRACKET:
        choice->kind = MAPPING_COLUMN;
        break;
    case LEXEME_HASH:
        if (!slice_equal_text(lexer->text, "line") || rule->target != MAPPING_MESSAGE_ID) {
            return fail(lexer, "expected a column or a quoted text; #line is for messageId only");
        }
        choice->kind = MAPPING_LINE;
        break;
    case LEXEME_NONE:
    case LEXEME_PIPE:
    case LEXEME_OPERATOR:
        return fail(lexer, "expected a column or a quoted text");
    }
    if (rule->target == MAPPING_CONST && choice->kind != MAPPING_LITERAL) {
        return fail(lexer, "expected a quoted text, a number, true or false");
    }
    if (rule->target == MAPPING_CONST && lexer->kind == LEXEME_WORD) {
        choice->as = slice_equal_text(choice->text, "true") || slice_equal_text(choice->text, "false")
                         ? MAPPING_AS_BOOLEAN
                         : MAPPING_AS_NUMBER;
        buffer_reset(&lexer->mapping->scratch);
        if (choice->as == MAPPING_AS_NUMBER && !mapping_number(choice->text, &lexer->mapping->scratch)) {
            return fail(lexer, "expected a quoted text, a number, true or false");
        }
    }
    return next(lexer);
}

/* Behind a '|'. */
static bool parse_filter(struct lexer *lexer, struct mapping_choice *choice)
{
    static const struct {
        const char *name;
        enum mapping_filter_kind kind;
    } names[] = {{"strip", MAPPING_STRIP}, {"trim", MAPPING_TRIM}, {"lower", MAPPING_LOWER}, {"upper", MAPPING_UPPER}};
    struct mapping_filter *filter;

    if (choice->filter_count == MAPPING_FILTER_COUNT_MAX) {
        return fail(lexer, "too many filters");
    }
    filter = &choice->filters[choice->filter_count++];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_word_text(lexer, names[i].name)) {
            filter->kind = names[i].kind;
        }
    }
    if (filter->kind == MAPPING_FILTER_NONE) {
        return fail(lexer, "expected a filter behind |: strip \"x\", trim, lower or upper");
    }
    if (!next(lexer)) {
        return false;
    }
    if (filter->kind == MAPPING_STRIP) {
        if (lexer->kind != LEXEME_TEXT || lexer->text.size == 0) {
            return fail(lexer, "expected a quoted text behind strip");
        }
        filter->text = lexer->text;
        return next(lexer);
    }
    return true;
}

static bool parse_time_options(struct lexer *lexer, struct mapping_choice *choice)
{
    struct error reason = ERROR_INIT;

    if (is_word_text(lexer, "format")) {
        if (!next(lexer)) {
            return false;
        }
        if (lexer->kind != LEXEME_TEXT || lexer->text.size == 0) {
            return fail(lexer, "expected a quoted text behind format");
        }
        if (!mapping_time_check(lexer->text, &reason)) {
            return fail(lexer, reason.message);
        }
        choice->format = lexer->text;
        if (!next(lexer)) {
            return false;
        }
    }
    if (is_word_text(lexer, "zone")) {
        if (choice->format.size == 0) {
            return fail(lexer, "zone needs a format: RFC 3339 times carry their own");
        }
        if (!next(lexer)) {
            return false;
        }
        if (lexer->kind != LEXEME_WORD && lexer->kind != LEXEME_TEXT) {
            return fail(lexer, "expected UTC or an offset such as +01:00 behind zone");
        }
        if (!mapping_zone_parse(lexer->text, &choice->zone_minutes, &reason)) {
            (void)fail(lexer, reason.message);
            return error_hint(lexer->err, "%s", reason.hint);
        }
        return next(lexer);
    }
    return true;
}

static bool parse_as(struct lexer *lexer, const struct mapping_rule *rule, struct mapping_choice *choice)
{
    static const char *const names[] = {"string", "number", "boolean"};
    bool typed = rule->target == MAPPING_PROPERTY || rule->target == MAPPING_TRAIT || rule->target == MAPPING_PURPOSE;

    if (rule->target == MAPPING_PURPOSE) {
        choice->as = MAPPING_AS_BOOLEAN;
    }
    if (rule->target == MAPPING_TIME) {
        return parse_time_options(lexer, choice);
    }
    for (size_t as = 0; typed && as < sizeof names / sizeof names[0]; as++) {
        if (is_word_text(lexer, names[as])) {
            choice->as = (enum mapping_as)as;
            if (rule->target == MAPPING_PURPOSE && choice->as != MAPPING_AS_BOOLEAN) {
                return fail(lexer, "a purpose is a boolean");
            }
            return next(lexer);
        }
    }
    return true;
}

/* Behind `if`. */
static bool parse_condition(struct lexer *lexer, struct mapping_choice *choice)
{
    static const struct {
        const char *text;
        enum mapping_operator op;
    } operators[] = {{"=", MAPPING_EQUAL},
                     {"!=", MAPPING_NOT_EQUAL},
                     {"^=", MAPPING_BEGINS},
                     {"$=", MAPPING_ENDS},
                     {"*=", MAPPING_CONTAINS}};

    if (lexer->kind != LEXEME_WORD && lexer->kind != LEXEME_BRACKET) {
        return fail(lexer, "expected a column behind if");
    }
    choice->condition_column = lexer->text;
    if (!next(lexer)) {
        return false;
    }
    for (size_t i = 0; lexer->kind == LEXEME_OPERATOR && i < sizeof operators / sizeof operators[0]; i++) {
        if (slice_equal_text(lexer->text, operators[i].text)) {
            choice->condition = operators[i].op;
        }
    }
    if (choice->condition == MAPPING_OPERATOR_NONE) {
        return fail(lexer, "expected one of = != ^= $= *=");
    }
    if (!next(lexer)) {
        return false;
    }
    if (lexer->kind != LEXEME_TEXT) {
        return fail(lexer, "expected a quoted text to compare with");
    }
    choice->condition_text = lexer->text;
    return next(lexer);
}

static bool parse_choice(struct lexer *lexer, const struct mapping_rule *rule, struct mapping_choice *choice)
{
    if (!parse_value(lexer, rule, choice)) {
        return false;
    }
    while (lexer->kind == LEXEME_PIPE) {
        if (!next(lexer) || !parse_filter(lexer, choice)) {
            return false;
        }
    }
    if (!parse_as(lexer, rule, choice)) {
        return false;
    }
    if (is_word_text(lexer, "if")) {
        return next(lexer) && parse_condition(lexer, choice);
    }
    return true;
}

static bool parse_expression(struct lexer *lexer, struct mapping_rule *rule)
{
    struct mapping_choice **link = &rule->first;

    for (size_t count = 0; count < MAPPING_CHOICE_COUNT_MAX; count++) {
        struct mapping_choice *choice = arena_allocate_zeroed(&lexer->mapping->arena, 1, sizeof *choice);

        if (choice == NULL) {
            return error_no_memory(lexer->err, "a mapping");
        }
        *link = choice;
        link = &choice->next;
        if (!parse_choice(lexer, rule, choice)) {
            return false;
        }
        if (lexer->kind == LEXEME_NONE) {
            /* A fixed event name without any condition is written in quotes: a bare word there is a column. */
            if (count == 0 && choice->condition == MAPPING_OPERATOR_NONE && rule->target == MAPPING_EVENT) {
                choice->literal_allowed = false;
            }
            return true;
        }
        if (!is_word_text(lexer, "else") || choice->condition == MAPPING_OPERATOR_NONE) {
            return fail(lexer,
                        rule->target == MAPPING_TIME
                            ? "expected format \"...\", zone, |, if or the end of the line"
                            : "expected |, number, boolean, if, else behind a condition, or the end of the line");
        }
        if (!next(lexer)) {
            return false;
        }
    }
    return fail(lexer, "too many alternatives");
}

static bool parse_target(struct lexer *lexer, struct slice name, struct mapping_rule *rule)
{
    static const struct {
        const char *name;
        enum mapping_target target;
    } plain[] =
        {
            {"type", MAPPING_TYPE}, {"messageId", MAPPING_MESSAGE_ID},
            {"user", MAPPING_USER}, {"anonymousId", MAPPING_ANONYMOUS},
            {"time", MAPPING_TIME}, {"event", MAPPING_EVENT},
            {"name", MAPPING_NAME},
        },
      keyed[] = {
          {"property.", MAPPING_PROPERTY},
          {"trait.", MAPPING_TRAIT},
          {"purpose.", MAPPING_PURPOSE},
          {"const.", MAPPING_CONST},
      };

    *rule = (struct mapping_rule){.name = name, .line = lexer->line};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (slice_equal_text(name, plain[i].name)) {
            rule->target = plain[i].target;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof keyed / sizeof keyed[0]; i++) {
        struct slice prefix = slice_from(keyed[i].name);

        if (slice_starts_with(name, prefix)) {
            rule->target = keyed[i].target;
            rule->key = slice_of(name.data + prefix.size, name.size - prefix.size);
        }
    }
    if (rule->target == MAPPING_TARGET_NONE) {
        return fail(lexer,
                    "unknown target; expected user, anonymousId, time, messageId, type, event, name, property.X, "
                    "trait.X, purpose.X or const.X");
    }
    if (rule->key.size == 0 || memchr(rule->key.data, '.', rule->key.size) != NULL) {
        return fail(lexer, "expected a name without dots behind the first dot");
    }
    return true;
}

static bool same_place(const struct mapping_rule *a, const struct mapping_rule *b)
{
    bool a_property = a->target == MAPPING_PROPERTY || a->target == MAPPING_TRAIT;
    bool b_property = b->target == MAPPING_PROPERTY || b->target == MAPPING_TRAIT;

    if (a->target == b->target) {
        return slice_equal(a->key, b->key);
    }
    return ((a->target == MAPPING_CONST && b_property) || (b->target == MAPPING_CONST && a_property)) &&
           slice_equal(a->key, b->key);
}

static bool parse_line(struct lexer *lexer, struct slice line)
{
    struct mapping *mapping = lexer->mapping;
    const char *equal = memchr(line.data, '=', line.size);
    struct mapping_rule rule;
    struct slice kept;

    if (equal == NULL) {
        return fail(lexer, "expected target = expression");
    }
    if (!arena_copy(&mapping->arena, line, &kept)) {
        return error_no_memory(lexer->err, "a mapping");
    }
    lexer->at = kept.data + (equal - line.data) + 1;
    lexer->end = kept.data + kept.size;
    if (!parse_target(lexer, trim(slice_of(kept.data, (size_t)(equal - line.data))), &rule)) {
        return false;
    }
    for (size_t i = 0; i < mapping->rule_count; i++) {
        if (same_place(&rule, &mapping->rules[i])) {
            return error_set(lexer->err, ERROR_INPUT, "%s:%zu: %.*s is set already in line %zu", mapping->name,
                             lexer->line, (int)rule.name.size, rule.name.data, mapping->rules[i].line);
        }
    }
    if (!next(lexer) || !parse_expression(lexer, &rule)) {
        return false;
    }
    if (mapping->rule_count == MAPPING_RULE_COUNT_MAX) {
        return fail(lexer, "too many lines");
    }
    if (!memory_grow(&mapping->rules, &mapping->rule_capacity, mapping->rule_count, MAPPING_RULE_COUNT_MAX,
                     sizeof *mapping->rules, "mapping lines", lexer->err)) {
        return false;
    }
    mapping->rules[mapping->rule_count++] = rule;
    return true;
}

static bool has_target(const struct mapping *mapping, enum mapping_target target)
{
    for (size_t i = 0; i < mapping->rule_count; i++) {
        if (mapping->rules[i].target == target) {
            return true;
        }
    }
    return false;
}

static bool check_complete(const struct mapping *mapping, struct error *err)
{
    const char *missing = NULL;

    if (!has_target(mapping, MAPPING_USER) && !has_target(mapping, MAPPING_ANONYMOUS)) {
        missing = "user = COLUMN";
    } else if (!has_target(mapping, MAPPING_TIME)) {
        missing = "time = COLUMN format \"...\"";
    } else if (!has_target(mapping, MAPPING_EVENT) && !has_target(mapping, MAPPING_TYPE)) {
        missing = "event = COLUMN or event = \"name\"";
    }
    if (missing != NULL) {
        return error_set(err, ERROR_INPUT, "%s: expected a line %s", mapping->name, missing);
    }
    return true;
}

static bool parse_lines(struct mapping *mapping, struct slice text, struct error *err)
{
    struct lexer lexer = {.mapping = mapping, .err = err};
    size_t at = 0;

    while (at < text.size) {
        const char *end = memchr(text.data + at, '\n', text.size - at);
        size_t line_size = end == NULL ? text.size - at : (size_t)(end - (text.data + at));
        struct slice line = trim(slice_of(text.data + at, line_size));

        at += line_size + 1;
        lexer.line++;
        if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';' || slice_equal_text(line, "[mapping]")) {
            continue;
        }
        if (!parse_line(&lexer, line)) {
            return false;
        }
    }
    return check_complete(mapping, err);
}

bool mapping_new(struct slice text, const char *name, struct mapping **out, struct error *err)
{
    struct mapping *mapping = memory_allocate_zeroed(1, sizeof *mapping);

    if (mapping == NULL) {
        return error_no_memory(err, "a mapping");
    }
    arena_init(&mapping->arena, MAPPING_ARENA_MAX);
    buffer_init(&mapping->scratch, SCRATCH_MAX);
    mapping->name = memory_copy_text(slice_from(name));
    if (mapping->name == NULL) {
        (void)error_no_memory(err, "a mapping");
        goto failure;
    }
    if (!parse_lines(mapping, text, err)) {
        goto failure;
    }
    *out = mapping;
    return true;

failure:
    mapping_free(mapping);
    return false;
}

void mapping_free(struct mapping *mapping)
{
    if (mapping == NULL) {
        return;
    }
    arena_clear(&mapping->arena);
    buffer_clear(&mapping->scratch);
    memory_free(mapping->rules);
    memory_free(mapping->name);
    memory_free(mapping);
}
