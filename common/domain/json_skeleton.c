#include "common/domain/json_skeleton.h"

#include "common/domain/json_paths.h"
#include "common/domain/json_scan.h"
#include "common/domain/json_skeleton_parts.h"

enum {
    NUMBER_COUNT_MAX = 100000,
    PIECE_COUNT_MAX = 4096,
    CHOICE_COUNT_MAX = 24, /* pieces that can stand in one place: they are tried one by one */
    MISSED_MAX = 65536,
    SKELETON_SIZE_MAX = 8 << 20, /* the half is used: a form needs far less than the other half */
};

struct skeleton_piece skeleton_none = {.behind_mask = STEP_MASK};

void json_skeleton_init(struct json_skeleton *skeleton)
{
    *skeleton = (struct json_skeleton){.first = &skeleton_none, .level = json_index_best()};
    arena_init(&skeleton->arena, SKELETON_SIZE_MAX);
}

void json_skeleton_clear(struct json_skeleton *skeleton)
{
    arena_clear(&skeleton->arena);
    json_skeleton_init(skeleton);
}

static void forget(struct json_skeleton *skeleton, uint64_t paths_id)
{
    arena_reset(&skeleton->arena);
    skeleton->first = &skeleton_none;
    skeleton->piece_count = 0;
    skeleton->missed = 0;
    skeleton->paths_id = paths_id;
}

struct learner {
    struct json_document *document;
    const struct json_lesson *lesson;
    struct json_span spans[1 + JSON_VALUE_COUNT_MAX];
    uint32_t value_count; /* the last number */
};

static bool is_constant(const struct learner *learner, uint32_t begin)
{
    for (uint32_t i = 0; i < learner->lesson->constant_count; i++) {
        if (learner->document->tokens[learner->lesson->constants[i]].begin == begin) {
            return true;
        }
    }
    return false;
}

/* Finds begin and end of all values that are no containers and no constants. False where there are too many. */
static bool find_values(struct learner *learner)
{
    const struct json_index *index = &learner->document->index;
    const char *text = learner->document->text.data;

    learner->spans[0] = (struct json_span){0};
    learner->value_count = 0;
    for (uint32_t i = 0; i + 1 < index->count; i++) {
        uint32_t begin = index->positions[i];
        uint32_t next = index->positions[i + 1];
        bool string = text[begin] == '"';

        if (strchr("{}[],:", text[begin]) != NULL ||
            (string && (text[next] == ':' || is_constant(learner, begin + 1)))) {
            continue;
        }
        if (learner->value_count == JSON_VALUE_COUNT_MAX) {
            return false;
        }
        while (json_is_blank(text[next - 1])) {
            next--;
        }
        learner->spans[++learner->value_count] =
            (struct json_span){.begin = begin + string, .size = next - begin - 2 * string};
    }
    return true;
}

static bool is_full(const struct json_skeleton *skeleton)
{
    return skeleton->piece_count >= PIECE_COUNT_MAX || skeleton->arena.size_used >= SKELETON_SIZE_MAX / 2;
}

static bool is_text(const struct skeleton_piece *piece, struct slice text)
{
    return piece->size == text.size && memcmp(piece->bytes, text.data, text.size) == 0;
}

/* Where among the pieces that can stand in one place that text is, or has to be put; NULL where there are too many. */
static struct skeleton_piece **find_piece(struct skeleton_piece **pieces, struct slice text)
{
    uint32_t count = 0;

    for (const struct skeleton_piece *piece = *pieces; piece->kind != PIECE_NONE; piece = piece->next) {
        count++;
    }
    while ((*pieces)->kind != PIECE_NONE && (*pieces)->size >= text.size && !is_text(*pieces, text)) {
        pieces = &(*pieces)->next;
    }
    return is_text(*pieces, text) || count < CHOICE_COUNT_MAX ? pieces : NULL;
}

/* The piece of that text, made where it is not there. NULL for no memory. */
static struct skeleton_piece *piece_at(struct json_skeleton *skeleton, struct skeleton_piece **place, struct slice text,
                                       enum piece_kind behind, uint32_t value_size)
{
    bool string = behind == PIECE_BEFORE_STRING;
    struct skeleton_piece *piece = *place;

    if (is_text(piece, text)) {
        return piece;
    }
    piece = arena_allocate_zeroed(&skeleton->arena, 1, sizeof *piece);
    if (piece == NULL) {
        return NULL;
    }
    if (string && (piece->room = arena_allocate(&skeleton->arena, sizeof *piece->room)) == NULL) {
        return NULL;
    }
    memcpy(piece->bytes, text.data, text.size);
    piece->size = (uint32_t)text.size;
    piece->behind_mask = text.size < STEP ? STEP_MASK & ~((1U << text.size) - 1) : 0;
    piece->behind = behind;
    piece->string_size = string ? value_size : SIZE_VARIES;
    skeleton_watch(piece, string);
    piece->following = &skeleton_none;
    piece->next = *place;
    *place = piece;
    skeleton->piece_count++;
    return piece;
}

/* The last value that begins at an offset or before. */
static uint32_t value_before(const struct learner *learner, uint32_t offset)
{
    uint32_t value = learner->value_count;

    while (learner->spans[value].begin > offset) {
        value--;
    }
    return value;
}

/* The number of the value that has the token; 0 where it is a key, a container or a constant, which no value begins
 * with. */
static uint32_t number_of(const struct learner *learner, const struct json_token *token)
{
    uint32_t value = value_before(learner, token->begin);

    return learner->spans[value].begin == token->begin ? value : 0;
}

static struct placing place_of(const struct learner *learner, const struct json_token *token)
{
    uint32_t begin = token->begin;
    uint32_t end = begin + token->size;
    uint32_t before = value_before(learner, begin);
    uint32_t last = value_before(learner, end);

    return (struct placing){
        .begin_value = before,
        .end_value = last,
        .begin = begin - (learner->spans[before].begin + learner->spans[before].size),
        .end = end - (learner->spans[last].begin + learner->spans[last].size),
    };
}

static struct json_form *form_of(const struct learner *learner, struct arena *arena)
{
    const struct json_document *document = learner->document;
    const struct json_lesson *lesson = learner->lesson;
    uint32_t token_count = document->token_count;
    struct json_form *form = arena_allocate_zeroed(arena, 1, sizeof *form);

    if (form == NULL) {
        return NULL;
    }
    form->token_count = token_count;
    form->tokens = arena_allocate_zeroed(arena, token_count, sizeof *form->tokens);
    form->values = arena_allocate(arena, token_count * sizeof *form->values);
    form->others = arena_allocate(arena, token_count * sizeof *form->others);
    form->placings = arena_allocate(arena, token_count * sizeof *form->placings);
    form->numbers = arena_allocate(arena, token_count * sizeof *form->numbers);
    form->whole = arena_allocate(arena, token_count * sizeof *form->whole);
    form->found = arena_allocate(arena, lesson->paths->number_count * sizeof *form->found);
    form->note = arena_allocate_zeroed(arena, 1, lesson->note_size);
    if (form->tokens == NULL || form->values == NULL || form->others == NULL || form->placings == NULL ||
        form->numbers == NULL || form->whole == NULL || form->found == NULL || form->note == NULL) {
        return NULL;
    }
    form->has_lines = memchr(document->text.data, '\n', document->text.size) != NULL ||
                      memchr(document->text.data, '\r', document->text.size) != NULL;
    memcpy(form->whole, document->tokens, token_count * sizeof *form->whole);
    memcpy(form->found, lesson->found, lesson->paths->number_count * sizeof *form->found);
    for (uint32_t i = 0; i < token_count; i++) {
        form->numbers[i] = number_of(learner, &document->tokens[i]);
        form->placings[i] = place_of(learner, &document->tokens[i]);
        form->placings[i].token = &form->tokens[i];
        form->tokens[i].end_token = document->tokens[i].end_token;
    }
    return form;
}

bool json_skeleton_learn(struct json_document *document, const struct json_lesson *lesson, struct json_form **out)
{
    struct json_skeleton *skeleton = &document->skeleton;
    struct skeleton_piece **pieces = &skeleton->first;
    struct learner learner = {.document = document, .lesson = lesson};
    struct slice text = document->text;
    uint32_t end = 0;

    *out = NULL;
    if (skeleton->paths_id != lesson->paths->id || (is_full(skeleton) && ++skeleton->missed > MISSED_MAX)) {
        forget(skeleton, lesson->paths->id);
    }
    if (is_full(skeleton) || document->index.has_backslash || lesson->paths->number_count > NUMBER_COUNT_MAX ||
        !find_values(&learner)) {
        return true;
    }
    for (uint32_t value = 1; value <= learner.value_count + 1; value++) {
        bool last = value > learner.value_count;
        struct json_span span = last ? (struct json_span){.begin = (uint32_t)text.size} : learner.spans[value];
        struct slice bytes = slice_of(text.data + end, span.begin - end);
        struct skeleton_piece *piece;
        enum piece_kind behind = PIECE_LAST;

        if (!last) {
            behind = text.data[span.begin - 1] == '"' ? PIECE_BEFORE_STRING : PIECE_BEFORE_SCALAR;
        }
        pieces = bytes.size > PIECE_SIZE_MAX ? NULL : find_piece(pieces, bytes);
        if (pieces == NULL) {
            return true;
        }
        piece = piece_at(skeleton, pieces, bytes, behind, span.size);
        if (piece == NULL) {
            return false;
        }
        if (last && piece->form == NULL) {
            piece->form = *out = form_of(&learner, &skeleton->arena);
            return *out != NULL;
        }
        end = span.begin + span.size;
        pieces = &piece->following;
    }
    return true;
}

/* ---- forms ---- */

uint32_t json_form_value(const struct json_form *form, int32_t token)
{
    return form->numbers[token];
}

void json_form_need(struct json_form *form, int32_t token)
{
    enum json_type type = (enum json_type)form->whole[token].type;

    form->tokens[token] = form->whole[token];
    if (form->numbers[token] != 0) {
        form->values[form->value_count++] = (struct value_placing){.token = &form->tokens[token],
                                                                   .value = form->numbers[token],
                                                                   .typed = type != JSON_STRING};
    } else {
        form->others[form->other_count++] = form->placings[token];
    }
}

uint32_t json_form_token_count(const struct json_form *form)
{
    return form->token_count;
}

void *json_form_note(struct json_form *form)
{
    return form->note;
}

const void *json_form_note_of(const struct json_form *form)
{
    return form->note;
}

const int32_t *json_form_found(const struct json_form *form)
{
    return form->found;
}
