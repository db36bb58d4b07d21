#include "common/domain/json_skeleton.h"

#include "common/domain/json_paths.h"
#include "common/domain/json_scan.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    PIECE_SIZE_MAX = 64,
    VALUE_COUNT_MAX = 64,
    NUMBER_COUNT_MAX = 100000,
    PIECE_COUNT_MAX = 4096,
    CHOICE_COUNT_MAX = 24, /* pieces that can stand in one place: they are tried one by one */
    MISSED_MAX = 65536,
    STEP = 16,
    STEP_MASK = 0xffff,
    SKELETON_SIZE_MAX = 8 << 20, /* the half is used: a form needs far less than the other half */
};

#define SIZE_VARIES UINT32_MAX

/* Offsets in a text: its beginning, then begin and end of each value. */
enum { MARK_COUNT_MAX = 1 + 2 * VALUE_COUNT_MAX };

/* Where a token begins and ends, from marks on. */
struct placing {
    uint16_t begin_mark;
    uint16_t end_mark;
    uint32_t begin;
    uint32_t end;
    bool typed; /* a number or word: its type is that of the value that begins at begin_mark */
};

/* What messages of one form have in common. */
struct form {
    uint32_t token_count;
    struct json_token *tokens;
    struct placing *placings;
    int32_t *found;
};

struct skeleton_piece {
    char bytes[PIECE_SIZE_MAX]; /* with zeros behind them */
    uint32_t size;
    uint32_t first_mask; /* a bit for each of the first STEP bytes that are there */
    bool before_string;
    uint32_t string_size;        /* of the string behind it while all of them have had the same, else SIZE_VARIES */
    struct skeleton_piece *next; /* another that can stand in its place; no longer than this one, so that the first that
                                  * fits is the right one */
    struct skeleton_piece *following;
    struct form *form; /* of a message that ends with it */
};

void json_skeleton_init(struct json_skeleton *skeleton)
{
    *skeleton = (struct json_skeleton){0};
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
    skeleton->first = NULL;
    skeleton->piece_count = 0;
    skeleton->missed = 0;
    skeleton->paths_id = paths_id;
}

/* ---- matching ---- */

/* A text that can be read beyond its end. */
struct reader {
    struct slice text;
    size_t tail_begin;
    char tail[2 * PIECE_SIZE_MAX]; /* its last bytes, and zeros */
};

/* At least PIECE_SIZE_MAX bytes from `at` on, which may be the end. */
ALWAYS_INLINE const char *bytes_from(const struct reader *reader, size_t at)
{
    return __builtin_expect(at <= reader->tail_begin, 1) ? reader->text.data + at
                                                         : reader->tail + (at - reader->tail_begin);
}

#ifdef __SSE2__

ALWAYS_INLINE uint32_t same_bytes(const char *left, const char *right)
{
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)left);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)right);

    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}

ALWAYS_INLINE bool piece_fits(const struct skeleton_piece *piece, const char *at)
{
    uint32_t size = piece->size;
    uint32_t same = same_bytes(piece->bytes, at) | ~piece->first_mask;

    for (uint32_t begin = STEP; begin < size; begin += STEP) {
        uint32_t last = size - STEP; /* the last step overlaps the one before */
        uint32_t offset = begin < last ? begin : last;

        same &= same_bytes(piece->bytes + offset, at + offset) | ~(uint32_t)STEP_MASK;
    }
    return same == UINT32_MAX;
}

/* A bit for each of the next sixteen bytes that cannot stand in a plain string. */
ALWAYS_INLINE uint32_t string_stops(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* Signed: below a space are the control characters and all above 127. */
    __m128i stop = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

    return (uint32_t)_mm_movemask_epi8(stop);
}

/* A bit for each of the next sixteen bytes that cannot stand in a plain number: one without an exponent. */
ALWAYS_INLINE uint32_t number_stops(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i digits =
        _mm_andnot_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('9')), _mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)));
    __m128i others = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));

    return ~(uint32_t)_mm_movemask_epi8(_mm_or_si128(digits, others)) & 0xffff;
}

#else

static bool piece_fits(const struct skeleton_piece *piece, const char *at)
{
    return memcmp(piece->bytes, at, piece->size) == 0;
}

static uint32_t string_stops(const char *at)
{
    uint32_t stops = 0;

    for (unsigned i = 0; i < STEP; i++) {
        unsigned char byte = (unsigned char)at[i];

        stops |= (uint32_t)(byte < ' ' || byte > 127 || byte == '"' || byte == '\\') << i;
    }
    return stops;
}

static uint32_t number_stops(const char *at)
{
    uint32_t stops = 0;

    for (unsigned i = 0; i < STEP; i++) {
        stops |= (uint32_t)(!json_is_digit(at[i]) && at[i] != '.' && at[i] != '-') << i;
    }
    return stops;
}

#endif

/* Whether a plain string of that size begins there. */
ALWAYS_INLINE bool string_has_size(const struct reader *reader, size_t at, uint32_t size)
{
    uint32_t stops = string_stops(bytes_from(reader, at));

    for (; size >= STEP && stops == 0; size -= STEP) {
        at += STEP;
        stops = string_stops(bytes_from(reader, at));
    }
    return size < STEP && (stops & ((2U << size) - 1)) == 1U << size && bytes_from(reader, at)[size] == '"';
}

/* The end of the string whose content begins at `at`; false where it is not plain. */
ALWAYS_INLINE bool skip_string(const struct reader *reader, size_t *at)
{
    uint32_t stops;

    while ((stops = string_stops(bytes_from(reader, *at))) == 0) {
        *at += STEP; /* the zeros behind the text stop it */
    }
    *at += (unsigned)__builtin_ctz(stops);
    return *at < reader->text.size && *bytes_from(reader, *at) == '"';
}

/* The same behind that piece. Where a string ends is known only some time after its bytes are, and what comes next
 * waits for it. Ids and timestamps have the same size in each message: with these the processor goes on at once, while
 * it still looks whether the size is right. */
ALWAYS_INLINE bool pass_string(const struct reader *reader, struct skeleton_piece *piece, size_t *at)
{
    if (piece->string_size != SIZE_VARIES) {
        if (__builtin_expect(string_has_size(reader, *at, piece->string_size), 1)) {
            *at += piece->string_size;
            return true;
        }
        piece->string_size = SIZE_VARIES;
    }
    return skip_string(reader, at);
}

static enum json_type word_type(const char *at, size_t *size)
{
    *size = 4;
    if (memcmp(at, "true", 4) == 0) {
        return JSON_TRUE;
    }
    if (memcmp(at, "null", 4) == 0) {
        return JSON_NULL;
    }
    *size = 5;
    return memcmp(at, "false", 5) == 0 ? JSON_FALSE : JSON_NONE;
}

/* The end of the number or word at `at`, and which it is; JSON_NONE where it is not plain. The piece behind it sees to
 * it that it ends there. */
ALWAYS_INLINE enum json_type skip_scalar(const struct reader *reader, size_t *at)
{
    const char *bytes = bytes_from(reader, *at);
    uint32_t stops = number_stops(bytes);
    enum json_type type = JSON_NUMBER;
    size_t size;

    if (__builtin_expect((stops & 1) != 0, 0)) {
        type = word_type(bytes, &size);
    } else {
        size = stops == 0 ? STEP : (unsigned)__builtin_ctz(stops);
        type = json_is_plain_number(bytes, size) ? JSON_NUMBER : JSON_NONE;
    }
    *at += size;
    return type;
}

static void place_tokens(struct json_document *document, const struct form *form, const uint32_t *marks,
                         const uint8_t *types)
{
    for (uint32_t i = 0; i < form->token_count; i++) {
        const struct placing *placing = &form->placings[i];
        struct json_token *token = &document->tokens[i];

        *token = form->tokens[i];
        token->begin = marks[placing->begin_mark] + placing->begin;
        token->size = marks[placing->end_mark] + placing->end - token->begin;
        if (placing->typed) {
            token->type = types[placing->begin_mark];
        }
    }
    document->token_count = form->token_count;
}

bool json_skeleton_match(struct json_document *document, struct slice text, const struct json_paths *paths,
                         const int32_t **out_found)
{
    const struct json_skeleton *skeleton = &document->skeleton;
    struct skeleton_piece *piece = skeleton->first;
    uint32_t marks[MARK_COUNT_MAX];
    uint8_t types[MARK_COUNT_MAX];
    struct reader reader;
    uint32_t mark_count = 1;
    size_t at = 0;

    if (text.size < PIECE_SIZE_MAX || skeleton->paths_id != paths->id) {
        return false;
    }
    reader.text = text;
    reader.tail_begin = text.size - PIECE_SIZE_MAX;
    memcpy(reader.tail, text.data + reader.tail_begin, PIECE_SIZE_MAX);
    memset(reader.tail + PIECE_SIZE_MAX, 0, PIECE_SIZE_MAX);
    marks[0] = 0;
    for (;;) {
        const char *bytes = bytes_from(&reader, at);

        while (piece != NULL && !piece_fits(piece, bytes)) {
            piece = piece->next;
        }
        if (piece == NULL) {
            return false;
        }
        at += piece->size;
        if (piece->form != NULL) {
            break;
        }
        marks[mark_count] = (uint32_t)at;
        if (piece->before_string) {
            if (!pass_string(&reader, piece, &at)) {
                return false;
            }
        } else {
            types[mark_count] = (uint8_t)skip_scalar(&reader, &at);
            if (types[mark_count] == JSON_NONE) {
                return false;
            }
        }
        marks[mark_count + 1] = (uint32_t)at;
        mark_count += 2;
        piece = piece->following;
    }
    if (at != text.size) {
        return false;
    }
    place_tokens(document, piece->form, marks, types);
    *out_found = piece->form->found;
    return true;
}

/* ---- learning ---- */

struct lesson {
    struct json_document *document;
    uint32_t marks[MARK_COUNT_MAX];
    uint32_t mark_count;
};

/* Finds begin and end of all values that are no containers. False where there are too many. */
static bool find_values(struct lesson *lesson)
{
    const struct json_index *index = &lesson->document->index;
    const char *text = lesson->document->text.data;

    lesson->marks[0] = 0;
    lesson->mark_count = 1;
    for (uint32_t i = 0; i + 1 < index->count; i++) {
        uint32_t begin = index->positions[i];
        uint32_t next = index->positions[i + 1];
        bool string = text[begin] == '"';

        if (strchr("{}[],:", text[begin]) != NULL || (string && text[next] == ':')) {
            continue;
        }
        if (lesson->mark_count == MARK_COUNT_MAX) {
            return false;
        }
        while (json_is_blank(text[next - 1])) {
            next--;
        }
        lesson->marks[lesson->mark_count++] = begin + string;
        lesson->marks[lesson->mark_count++] = next - string;
    }
    return true;
}

static bool is_full(const struct json_skeleton *skeleton)
{
    return skeleton->piece_count >= PIECE_COUNT_MAX || skeleton->arena.size_used >= SKELETON_SIZE_MAX / 2;
}

/* Where among the pieces that can stand in one place that text is, or has to be put; NULL where there are too many. */
static struct skeleton_piece **find_piece(struct skeleton_piece **pieces, struct slice text)
{
    uint32_t count = 0;

    for (const struct skeleton_piece *piece = *pieces; piece != NULL; piece = piece->next) {
        count++;
    }
    while (*pieces != NULL && ((*pieces)->size > text.size ||
                               ((*pieces)->size == text.size && memcmp((*pieces)->bytes, text.data, text.size) != 0))) {
        pieces = &(*pieces)->next;
    }
    return (*pieces != NULL && (*pieces)->size == text.size) || count < CHOICE_COUNT_MAX ? pieces : NULL;
}

/* The piece of that text, made where it is not there. NULL for no memory. */
static struct skeleton_piece *piece_at(struct json_skeleton *skeleton, struct skeleton_piece **place, struct slice text,
                                       bool before_string, uint32_t value_size)
{
    struct skeleton_piece *piece = *place;

    if (piece != NULL && piece->size == text.size) {
        return piece;
    }
    piece = arena_allocate_zeroed(&skeleton->arena, 1, sizeof *piece);
    if (piece == NULL) {
        return NULL;
    }
    memcpy(piece->bytes, text.data, text.size);
    piece->size = (uint32_t)text.size;
    piece->first_mask = text.size < STEP ? (1U << text.size) - 1 : STEP_MASK;
    piece->before_string = before_string;
    piece->string_size = value_size;
    piece->next = *place;
    *place = piece;
    skeleton->piece_count++;
    return piece;
}

/* The last mark at or before an offset. */
static uint16_t mark_before(const struct lesson *lesson, uint32_t offset)
{
    uint32_t mark = lesson->mark_count - 1;

    while (lesson->marks[mark] > offset) {
        mark--;
    }
    return (uint16_t)mark;
}

/* A value that is no container lies from an odd mark to the next; everything else lies outside of these. */
static struct placing place_of(const struct lesson *lesson, const struct json_token *token)
{
    uint16_t begin_mark = mark_before(lesson, token->begin);
    uint16_t end_mark = mark_before(lesson, token->begin + token->size);
    bool value = begin_mark % 2 == 1;

    /* Of an empty value the end is the last mark there. */
    if (!value && begin_mark > 0 && lesson->marks[begin_mark] == token->begin && token->size == 0 &&
        lesson->marks[begin_mark - 1] == token->begin) {
        begin_mark--;
        value = true;
    }
    if (value) {
        end_mark = (uint16_t)(begin_mark + 1);
    }
    return (struct placing){
        .begin_mark = begin_mark,
        .end_mark = end_mark,
        .begin = token->begin - lesson->marks[begin_mark],
        .end = token->begin + token->size - lesson->marks[end_mark],
        .typed = value && token->type != JSON_STRING,
    };
}

static struct form *form_of(const struct lesson *lesson, struct arena *arena, const int32_t *found,
                            uint32_t number_count)
{
    const struct json_document *document = lesson->document;
    struct form *form = arena_allocate(arena, sizeof *form);

    if (form == NULL) {
        return NULL;
    }
    form->token_count = document->token_count;
    form->tokens = arena_allocate(arena, form->token_count * sizeof *form->tokens);
    form->placings = arena_allocate(arena, form->token_count * sizeof *form->placings);
    form->found = arena_allocate(arena, number_count * sizeof *form->found);
    if (form->tokens == NULL || form->placings == NULL || form->found == NULL) {
        return NULL;
    }
    memcpy(form->tokens, document->tokens, form->token_count * sizeof *form->tokens);
    memcpy(form->found, found, number_count * sizeof *form->found);
    for (uint32_t i = 0; i < form->token_count; i++) {
        form->placings[i] = place_of(lesson, &form->tokens[i]);
    }
    return form;
}

bool json_skeleton_learn(struct json_document *document, const struct json_paths *paths, const int32_t *found)
{
    struct json_skeleton *skeleton = &document->skeleton;
    struct skeleton_piece **pieces = &skeleton->first;
    struct slice text = document->text;
    struct lesson lesson;
    uint32_t end = 0;

    if (skeleton->paths_id != paths->id || (is_full(skeleton) && ++skeleton->missed > MISSED_MAX)) {
        forget(skeleton, paths->id);
    }
    lesson.document = document;
    if (is_full(skeleton) || text.size < PIECE_SIZE_MAX || document->index.has_backslash ||
        paths->number_count > NUMBER_COUNT_MAX || !find_values(&lesson)) {
        return true;
    }
    for (uint32_t mark = 1; mark <= lesson.mark_count; mark += 2) {
        bool last = mark == lesson.mark_count;
        uint32_t begin = last ? (uint32_t)text.size : lesson.marks[mark];
        struct slice bytes = slice_of(text.data + end, begin - end);
        struct skeleton_piece *piece;

        pieces = bytes.size > PIECE_SIZE_MAX ? NULL : find_piece(pieces, bytes);
        if (pieces == NULL) {
            return true;
        }
        piece = piece_at(skeleton, pieces, bytes, !last && text.data[begin - 1] == '"',
                         last ? 0 : lesson.marks[mark + 1] - begin);
        if (piece == NULL) {
            return false;
        }
        if (last && piece->form == NULL) {
            piece->form = form_of(&lesson, &skeleton->arena, found, paths->number_count);
            return piece->form != NULL;
        }
        end = last ? end : lesson.marks[mark + 1];
        pieces = &piece->following;
    }
    return true;
}
