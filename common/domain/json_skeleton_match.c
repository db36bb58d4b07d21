/* Finding the form of a text: along the tree of pieces (json_skeleton.h) from its first byte to its last. */
#include "common/domain/json_paths.h"
#include "common/domain/json_scan.h"
#include "common/domain/json_skeleton_parts.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    /* What a piece, and the first look at the value behind it, may read. */
    REACH = PIECE_SIZE_MAX + 2 * STEP,
};

/* Where in a text we are. */
struct view {
    uintptr_t base; /* the address that offset 0 has */
    size_t at;
    size_t limit; /* up to there REACH bytes can be read */
};

/* A copy of the end of a text, with zeros behind it. */
struct tail {
    char bytes[2 * REACH];
};

ALWAYS_INLINE const char *bytes_of(const struct view *view)
{
    return (const char *)(view->base + view->at);
}

static __attribute__((noinline)) void fill_tail(struct tail *tail, struct slice end)
{
    memcpy(tail->bytes, end.data, end.size);
    memset(tail->bytes + end.size, 0, sizeof tail->bytes - end.size);
}

/* Goes on in the copy, where the zeros stop everything. */
ALWAYS_INLINE void enter_tail(struct view *view, struct tail *tail, struct slice text)
{
    size_t size = text.size < REACH ? text.size : REACH;

    fill_tail(tail, slice_of(text.data + (text.size - size), size));
    view->base = (uintptr_t)tail->bytes - (text.size - size);
    view->limit = text.size;
}

/* Sees to it that REACH bytes can be read. False behind the end of the text. */
ALWAYS_INLINE bool look_ahead(struct view *view, struct tail *tail, struct slice text)
{
    if (__builtin_expect(view->at > view->limit, 0)) {
        if (view->at > text.size) {
            return false;
        }
        enter_tail(view, tail, text);
    }
    return true;
}

#ifdef __SSE2__

ALWAYS_INLINE __m128i load(const void *at)
{
    return _mm_loadu_si128((const __m128i *)at);
}

/* The same where it is aligned. */
ALWAYS_INLINE __m128i load_step(const void *at)
{
    return _mm_load_si128((const __m128i *)at);
}

ALWAYS_INLINE uint32_t same_bytes(const char *left, const char *right)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(left), load(right)));
}

ALWAYS_INLINE bool head_fits(const struct skeleton_piece *piece, const char *at)
{
    uint32_t same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(at), load_step(piece->bytes)));

    return (same | piece->behind_mask) == STEP_MASK;
}

ALWAYS_INLINE bool rest_fits(const struct skeleton_piece *piece, const char *at)
{
    uint32_t size = piece->size;
    uint32_t same;

    if (size <= STEP) {
        return true;
    }
    same = same_bytes(piece->bytes + size - STEP, at + size - STEP);
    for (uint32_t begin = STEP; begin + STEP < size; begin += STEP) {
        same &= same_bytes(piece->bytes + begin, at + begin);
    }
    return same == STEP_MASK;
}

/* A bit for each of the next sixteen bytes that cannot stand in a plain string. */
ALWAYS_INLINE uint32_t string_stops(const char *at)
{
    __m128i bytes = load(at);
    /* Signed: below a space are the control characters and all above 127. */
    __m128i stop = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

    return (uint32_t)_mm_movemask_epi8(stop);
}

/* A bit for each of the next sixteen bytes that is no digit. */
ALWAYS_INLINE uint32_t digit_stops(const char *at)
{
    __m128i values = _mm_sub_epi8(load(at), _mm_set1_epi8('0'));

    return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)) & STEP_MASK;
}

/* Notes what does not fit of a step: a bit for each byte. */
ALWAYS_INLINE __m128i look_at_step(const struct run_step *step, const char *at, __m128i wrong)
{
    __m128i bytes = load(at);
    /* Of a value's bytes none must be the quote that the run has there. */
    __m128i differs = _mm_xor_si128(_mm_cmpeq_epi8(bytes, load_step(step->bytes)), load_step(step->pieces));
    __m128i stop = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));

    return _mm_or_si128(wrong, _mm_or_si128(differs, stop));
}

ALWAYS_INLINE bool run_fits(const struct skeleton_run *run, const char *at)
{
    const char *last = at + run->size - STEP;
    const struct run_step *step = run->steps;
    __m128i wrong = _mm_setzero_si128();

    for (; at < last; at += STEP) {
        wrong = look_at_step(step++, at, wrong);
    }
    return _mm_movemask_epi8(look_at_step(step, last, wrong)) == 0;
}

ALWAYS_INLINE void copy_spans(struct json_span *spans, const struct skeleton_run *run, uint32_t offset)
{
    __m128i offsets = _mm_set_epi32(0, (int)offset, 0, (int)offset);

    for (uint32_t i = 0; i < run->value_count; i += 2) {
        _mm_storeu_si128((__m128i *)(void *)(spans + i), _mm_add_epi32(load(run->spans + i), offsets));
    }
}

#else

static bool head_fits(const struct skeleton_piece *piece, const char *at)
{
    return memcmp(piece->bytes, at, piece->size) == 0;
}

static bool rest_fits(const struct skeleton_piece *piece, const char *at)
{
    (void)piece;
    (void)at;
    return true;
}

static bool is_plain(char byte)
{
    return (signed char)byte >= ' ' && byte != '"' && byte != '\\';
}

static uint32_t string_stops(const char *at)
{
    uint32_t stops = 0;

    for (unsigned i = 0; i < STEP; i++) {
        stops |= (uint32_t)!is_plain(at[i]) << i;
    }
    return stops;
}

static uint32_t digit_stops(const char *at)
{
    uint32_t stops = 0;

    for (unsigned i = 0; i < STEP; i++) {
        stops |= (uint32_t)!json_is_digit(at[i]) << i;
    }
    return stops;
}

static bool run_fits(const struct skeleton_run *run, const char *at)
{
    for (uint32_t begin = 0, i = 0; begin < run->size; begin += STEP, i++) {
        uint32_t offset = begin < run->size - STEP ? begin : run->size - STEP;

        for (unsigned k = 0; k < STEP; k++) {
            char byte = at[offset + k];

            if (run->steps[i].pieces[k] == 0 ? !is_plain(byte) : (unsigned char)byte != run->steps[i].bytes[k]) {
                return false;
            }
        }
    }
    return true;
}

static void copy_spans(struct json_span *spans, const struct skeleton_run *run, uint32_t offset)
{
    for (uint32_t i = 0; i < run->value_count; i++) {
        spans[i] = run->spans[i];
        spans[i].begin += offset;
    }
}

#endif

/* ---- values ---- */

/* To the end of a plain string, or to what makes it none. False behind the end of the text. */
ALWAYS_INLINE bool skip_string(struct view *view, struct tail *tail, struct slice text)
{
    uint32_t stops = string_stops(bytes_of(view));

    while (__builtin_expect(stops == 0, 0)) {
        view->at += STEP;
        if (!look_ahead(view, tail, text)) {
            return false;
        }
        stops = string_stops(bytes_of(view));
    }
    view->at += (unsigned)__builtin_ctz(stops);
    return true;
}

/* How many bytes to the end of a string whose plain part has ended, where what is left is UTF-8 without escapes; else
 * 0. */
static __attribute__((noinline)) size_t skip_characters(struct slice text)
{
    const char *quote = text.size == 0 ? NULL : memchr(text.data, '"', text.size);

    for (const char *byte = text.data; quote != NULL && byte < quote; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == '\\') {
            return 0;
        }
    }
    return quote != NULL && json_is_utf8(slice_of(text.data, (size_t)(quote + 1 - text.data)))
               ? (size_t)(quote - text.data)
               : 0;
}

/* A number or word as it stands in a text. */
struct scalar {
    enum json_type type; /* JSON_NONE where it is not plain */
    uint32_t size;
};

/* Words, and numbers below 0. */
static __attribute__((noinline)) struct scalar other_scalar_at(const char *at)
{
    uint32_t size = 1;

    if (*at == '-') {
        while (size < STEP && (json_is_digit(at[size]) || at[size] == '.')) {
            size++;
        }
        return (struct scalar){json_is_plain_number(at, size) ? JSON_NUMBER : JSON_NONE, size};
    }
    if (memcmp(at, "true", 4) == 0) {
        return (struct scalar){JSON_TRUE, 4};
    }
    if (memcmp(at, "null", 4) == 0) {
        return (struct scalar){JSON_NULL, 4};
    }
    return (struct scalar){memcmp(at, "false", 5) == 0 ? JSON_FALSE : JSON_NONE, 5};
}

/* The piece behind it sees to it that it ends there. */
ALWAYS_INLINE struct scalar scalar_at(const char *at)
{
    uint32_t stops = digit_stops(at) | 1U << STEP;
    uint32_t size = (unsigned)__builtin_ctz(stops);

    if (size == 0) {
        return other_scalar_at(at);
    }
    if (*at == '0' && size > 1) {
        return (struct scalar){JSON_NONE, 0};
    }
    if (size < STEP && at[size] == '.') {
        uint32_t end = (unsigned)__builtin_ctz(stops & (stops - 1));

        return (struct scalar){end > size + 1 ? JSON_NUMBER : JSON_NONE, end};
    }
    return (struct scalar){JSON_NUMBER, size};
}

/* ---- */

/* Whether the text has the run that the piece begins. `left`: its bytes from `at` on. */
static __attribute__((noinline)) bool match_run(struct skeleton_piece *piece, const char *at, size_t left,
                                                uint32_t offset, struct json_span *spans)
{
    struct skeleton_run *run = piece->run;

    if (run->size > left || !run_fits(run, at)) {
        skeleton_note_miss(piece);
        return false;
    }
    copy_spans(spans, run, offset);
    run->doubt -= run->doubt > 0;
    return true;
}

ALWAYS_INLINE bool piece_fits(const struct skeleton_piece *piece, const char *at)
{
    return head_fits(piece, at) && rest_fits(piece, at);
}

ALWAYS_INLINE struct view view_of(struct slice text, size_t readable, struct tail *tail)
{
    struct view view = {.base = (uintptr_t)text.data, .at = 0, .limit = text.size};

    if (readable < REACH) {
        if (text.size < REACH) {
            enter_tail(&view, tail, text);
        } else {
            view.limit = text.size - REACH;
        }
    }
    return view;
}

const struct json_form *json_skeleton_match(struct json_skeleton *skeleton, struct slice text, size_t readable,
                                            const struct json_paths *paths, struct json_values *values)
{
    struct skeleton_piece *piece = skeleton->first;
    struct skeleton_piece *last = NULL;
    struct json_span *span = values->spans;
    struct scalar scalar;
    struct tail tail;
    struct view view;

    if (skeleton->paths_id != paths->id || text.size < STEP || text.size >= UINT32_MAX - 1024) {
        return NULL;
    }
    view = view_of(text, readable, &tail);
    *span++ = (struct json_span){0};
    while (look_ahead(&view, &tail, text)) {
        while (piece != NULL && !piece_fits(piece, bytes_of(&view))) {
            piece = piece->next;
        }
        if (__builtin_expect(piece == NULL, 0)) {
            size_t size = last == NULL || last->kind != PIECE_BEFORE_STRING
                              ? 0
                              : skip_characters(slice_of(bytes_of(&view), text.size - view.at));

            if (size == 0) {
                return NULL;
            }
            view.at += size;
            span[-1].size += (uint32_t)size;
            piece = last->following;
            continue;
        }
        if (piece->run != NULL && match_run(piece, bytes_of(&view), text.size - view.at, (uint32_t)view.at, span)) {
            view.at += piece->run->size;
            span += piece->run->value_count;
            piece = piece->run->last;
            if (!look_ahead(&view, &tail, text)) {
                return NULL;
            }
        } else {
            view.at += piece->size;
        }
        span->begin = (uint32_t)view.at;
        if (piece->kind == PIECE_BEFORE_STRING) {
            if (!skip_string(&view, &tail, text)) {
                return NULL;
            }
            if (piece->watched) {
                skeleton_note_size(piece, (uint32_t)view.at - span->begin);
            }
        } else if (piece->kind == PIECE_BEFORE_SCALAR) {
            scalar = scalar_at(bytes_of(&view));
            if (scalar.type == JSON_NONE) {
                return NULL;
            }
            values->types[span - values->spans] = (uint8_t)scalar.type;
            view.at += scalar.size;
        } else {
            return view.at == text.size ? piece->form : NULL;
        }
        span->size = (uint32_t)view.at - span->begin;
        span++;
        last = piece;
        piece = piece->following;
    }
    return NULL;
}

ALWAYS_INLINE uint32_t end_of(struct json_span span)
{
    return span.begin + span.size;
}

void json_form_place(const struct json_form *form, struct slice text, const struct json_values *values,
                     struct json_document *document)
{
    for (uint32_t i = 0; i < form->value_count; i++) {
        const struct value_placing *placing = &form->values[i];
        struct json_token *token = placing->token;
        struct json_span span = values->spans[placing->value];

        token->begin = span.begin;
        token->size = span.size;
        if (placing->typed) {
            token->type = values->types[placing->value];
        }
    }
    for (uint32_t i = 0; i < form->other_count; i++) {
        const struct placing *placing = &form->others[i];
        uint32_t begin = end_of(values->spans[placing->begin_value]) + placing->begin;
        uint32_t end = end_of(values->spans[placing->end_value]) + placing->end;

        placing->token->begin = begin;
        placing->token->size = end - begin;
    }
    document->text = text;
    document->fault = JSON_FAULT_NONE;
    document->tokens = form->tokens;
    document->token_count = form->token_count;
}
