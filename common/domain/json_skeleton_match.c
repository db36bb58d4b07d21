/* Finding the form of a text: along the tree of pieces (json_skeleton.h) from its first byte to its last. */
#include "common/domain/json_paths.h"
#include "common/domain/json_scan.h"
#include "common/domain/json_skeleton_parts.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    /* What a piece, and the first look at the value behind it, may read. */
    REACH = PIECE_SIZE_MAX + 2 * STEP,
};

_Static_assert((int)REACH == (int)JSON_SKELETON_REACH, "json_skeleton.h tells how far");

/* Where in a text we are. */
struct view {
    uintptr_t base; /* the address that offset 0 has */
    uint32_t at;
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

/* Sees to it that REACH bytes can be read. False behind the end of the text. `tail`: NULL where they always can. */
ALWAYS_INLINE bool look_ahead(struct view *view, struct tail *tail, struct slice text)
{
    if (__builtin_expect(view->at > view->limit, 0)) {
        if (tail == NULL || view->at > text.size) {
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

/* The highest bits of those that are no plain ASCII: signed, below a space are the control characters and all above
 * 127, and what saturates keeps its sign. */
ALWAYS_INLINE __m128i no_text(__m128i bytes)
{
    return _mm_subs_epi8(bytes, _mm_set1_epi8(' '));
}

/* A bit for each of the next sixteen bytes that cannot stand in a plain string. */
ALWAYS_INLINE uint32_t string_stops(const char *at)
{
    __m128i bytes = load(at);
    __m128i stop = _mm_or_si128(no_text(bytes), _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

    return (uint32_t)_mm_movemask_epi8(stop);
}

/* A bit for each of the next sixteen bytes that is no digit: what is above 9 gets its highest bit set, and keeps it. */
ALWAYS_INLINE uint32_t digit_stops(const char *at)
{
    __m128i values = _mm_sub_epi8(load(at), _mm_set1_epi8('0'));

    return (uint32_t)_mm_movemask_epi8(_mm_adds_epu8(values, _mm_set1_epi8(INT8_MAX - 9)));
}

/* What does not fit of sixteen bytes of a run: the highest bit of each. */
ALWAYS_INLINE __m128i look_at_step(const struct skeleton_run *run, const char *text, uint32_t at)
{
    __m128i bytes = load(text + at);
    /* Of a value's bytes none must be the quote that the run has there. */
    __m128i differs = _mm_xor_si128(_mm_cmpeq_epi8(bytes, load(run->bytes + at)), load(run->pieces + at));

    return _mm_or_si128(differs, _mm_or_si128(no_text(bytes), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}

/* The last step overlaps the one before. */
static bool run_fits_steps(const struct skeleton_run *run, const char *text)
{
    uint32_t last = run->size - STEP;
    __m128i wrong = look_at_step(run, text, last);

    for (uint32_t at = 0; at < last; at += STEP) {
        wrong = _mm_or_si128(wrong, look_at_step(run, text, at));
    }
    return _mm_movemask_epi8(wrong) == 0;
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

static bool run_fits_steps(const struct skeleton_run *run, const char *text)
{
    for (uint32_t i = 0; i < run->size; i++) {
        if (run->pieces[i] == 0 ? !is_plain(text[i]) : (unsigned char)text[i] != run->bytes[i]) {
            return false;
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

#ifdef __x86_64__

#define TARGET_AVX2 __attribute__((target("avx2")))

enum { WIDE_STEP = 32 };

TARGET_AVX2 static inline __m256i load_wide(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

TARGET_AVX2 static inline __m256i look_at_wide_step(const struct skeleton_run *run, const char *text, uint32_t at)
{
    __m256i bytes = load_wide(text + at);
    __m256i differs =
        _mm256_xor_si256(_mm256_cmpeq_epi8(bytes, load_wide(run->bytes + at)), load_wide(run->pieces + at));
    __m256i stop = _mm256_or_si256(_mm256_subs_epi8(bytes, _mm256_set1_epi8(' ')),
                                   _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));

    return _mm256_or_si256(differs, stop);
}

/* run_fits_steps, for runs of at least WIDE_STEP bytes. */
TARGET_AVX2 static bool run_fits_wide_steps(const struct skeleton_run *run, const char *text)
{
    uint32_t last = run->size - WIDE_STEP;
    __m256i wrong = look_at_wide_step(run, text, last);

    for (uint32_t at = 0; at < last; at += WIDE_STEP) {
        wrong = _mm256_or_si256(wrong, look_at_wide_step(run, text, at));
    }
    return _mm256_movemask_epi8(wrong) == 0;
}

#endif

static bool run_fits(const struct skeleton_run *run, const char *text, enum json_index_level level)
{
#ifdef __x86_64__
    if (level >= JSON_INDEX_AVX2 && run->size >= WIDE_STEP) {
        return run_fits_wide_steps(run, text);
    }
#endif
    (void)level;
    return run_fits_steps(run, text);
}

/* ---- values ---- */

/* How many bytes to the end of a string of more than STEP plain ones, where zeros stop everything. */
static __attribute__((noinline)) uint32_t pass_long_string(uintptr_t base, uint32_t at)
{
    return (uint32_t)((uintptr_t)json_skip_plain((const char *)(base + at) + STEP) - base);
}

/* To the end of a plain string, or to what makes it none. False behind the end of the text. */
ALWAYS_INLINE bool pass_string(struct view *view, struct tail *tail, struct slice text, bool line)
{
    uint32_t stops = string_stops(bytes_of(view));

    while (__builtin_expect(stops == 0, 0)) {
        if (line) {
            view->at = pass_long_string(view->base, view->at);
            return true;
        }
        view->at += STEP;
        if (!look_ahead(view, tail, text)) {
            return false;
        }
        stops = string_stops(bytes_of(view));
    }
    view->at += (uint32_t)__builtin_ctz(stops);
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

/* A number below 0, or what is no scalar. */
static __attribute__((noinline)) struct scalar other_scalar_at(const char *at)
{
    uint32_t size = 1;

    while (size < STEP && (json_is_digit(at[size]) || at[size] == '.')) {
        size++;
    }
    return (struct scalar){json_is_plain_number(at, size) ? JSON_NUMBER : JSON_NONE, size};
}

ALWAYS_INLINE struct scalar word_at(const char *at)
{
    if (memcmp(at, "true", 4) == 0) {
        return (struct scalar){JSON_TRUE, 4};
    }
    if (memcmp(at, "false", 5) == 0) {
        return (struct scalar){JSON_FALSE, 5};
    }
    return memcmp(at, "null", 4) == 0 ? (struct scalar){JSON_NULL, 4} : other_scalar_at(at);
}

/* The piece behind it sees to it that it ends there. */
ALWAYS_INLINE struct scalar scalar_at(const char *at)
{
    uint32_t stops = digit_stops(at) | 3U << STEP;
    uint32_t size = (unsigned)__builtin_ctz(stops);

    if (size == 0) {
        return word_at(at);
    }
    if (at[size] == '.') {
        uint32_t end = (unsigned)__builtin_ctz(stops & (stops - 1));

        return (struct scalar){end > size + 1 && (*at != '0' || size == 1) ? JSON_NUMBER : JSON_NONE, end};
    }
    return (struct scalar){*at != '0' || size == 1 ? JSON_NUMBER : JSON_NONE, size};
}

/* ---- */

/* Whether the text, what is left of one from `offset` on, has the run that the piece begins. */
static __attribute__((noinline)) bool match_run(struct skeleton_piece *piece, struct slice text, uint32_t offset,
                                                enum json_index_level level, struct json_span *spans)
{
    struct skeleton_run *run = piece->run;

    if (run->size > text.size || !run_fits(run, text.data, level)) {
        skeleton_note_miss(piece);
        return false;
    }
    copy_spans(spans, run, offset);
    run->doubt -= run->doubt > 0;
    return true;
}

/* The form of the text, or of the first of some lines, that ends there: of both the last piece tells it. */
ALWAYS_INLINE const struct json_form *form_at(const struct json_form *form, const struct view *view, struct slice text,
                                              bool line, struct json_values *values)
{
    const char *at = bytes_of(view);

    values->end = view->at;
    if (!line) {
        return view->at == text.size ? form : NULL;
    }
    return form != NULL && !form->has_lines && (at[0] == '\n' || (at[0] == '\r' && at[1] == '\n')) ? form : NULL;
}

/* The first of the pieces that is there. */
ALWAYS_INLINE struct skeleton_piece *fitting(struct skeleton_piece *piece, const char *at)
{
    while (!head_fits(piece, at) || (piece->kind == PIECE_OTHER && !rest_fits(piece, at))) {
        piece = piece->next;
    }
    return piece;
}

/* Along the tree. `tail`: NULL where all that may be looked at can be read. `line`: it is the first of some lines,
 * behind which zeros stop everything, else all of the text. */
ALWAYS_INLINE const struct json_form *walk(struct json_skeleton *skeleton, struct view view, struct tail *tail,
                                           struct slice text, bool line)
{
    struct json_values *values = &skeleton->values;
    struct skeleton_piece *piece = skeleton->first;
    const struct skeleton_piece *last = &skeleton_none;
    size_t i = 1;

    values->spans[0] = (struct json_span){0};
    while (line || look_ahead(&view, tail, text)) {
        enum piece_kind kind;
        uint32_t begin;

        piece = fitting(piece, bytes_of(&view));
        kind = piece->kind;
        if (kind == PIECE_OTHER) {
            struct skeleton_run *run = piece->run;

            if (run != NULL && match_run(piece, slice_of(bytes_of(&view), text.size - view.at), view.at,
                                         skeleton->level, values->spans + i)) {
                view.at += run->size;
                i += run->value_count;
                piece = run->last;
                if (!line && !look_ahead(&view, tail, text)) {
                    return NULL;
                }
            } else {
                view.at += piece->size;
            }
            kind = piece->behind;
        } else {
            view.at += piece->size;
        }
        begin = view.at;
        if (kind == PIECE_BEFORE_STRING) {
            if (!pass_string(&view, tail, text, line)) {
                return NULL;
            }
            if (__builtin_expect(piece->watched, 0)) {
                skeleton_note_size(piece, view.at - begin);
            }
        } else if (kind == PIECE_BEFORE_SCALAR) {
            struct scalar scalar = scalar_at(bytes_of(&view));

            if (scalar.type == JSON_NONE) {
                return NULL;
            }
            values->types[i] = (uint8_t)scalar.type;
            view.at += scalar.size;
        } else if (kind == PIECE_LAST) {
            return form_at(piece->form, &view, text, line, values);
        } else {
            size_t size = last->behind != PIECE_BEFORE_STRING
                              ? 0
                              : skip_characters(slice_of(bytes_of(&view), text.size - view.at));

            if (size == 0) {
                return NULL;
            }
            view.at += (uint32_t)size;
            values->spans[i - 1].size += (uint32_t)size;
            piece = last->following;
            continue;
        }
        values->spans[i++] = (struct json_span){.begin = begin, .size = view.at - begin};
        last = piece;
        piece = piece->following;
    }
    return NULL;
}

/* Where less than REACH bytes can be read behind the text. */
static __attribute__((noinline)) const struct json_form *walk_with_tail(struct json_skeleton *skeleton,
                                                                        struct slice text)
{
    struct view view = {.base = (uintptr_t)text.data};
    struct tail tail;

    if (text.size < REACH) {
        enter_tail(&view, &tail, text);
    } else {
        view.limit = text.size - REACH;
    }
    return walk(skeleton, view, &tail, text, false);
}

static inline bool can_match(const struct json_skeleton *skeleton, struct slice text, const struct json_paths *paths)
{
    return skeleton->paths_id == paths->id && text.size >= STEP && text.size < UINT32_MAX - 1024;
}

const struct json_form *json_skeleton_match(struct json_skeleton *skeleton, struct slice text, size_t readable,
                                            const struct json_paths *paths)
{
    struct view view = {.base = (uintptr_t)text.data, .limit = text.size};

    if (!can_match(skeleton, text, paths)) {
        return NULL;
    }
    return readable < REACH ? walk_with_tail(skeleton, text) : walk(skeleton, view, NULL, text, false);
}

const struct json_form *json_skeleton_match_line(struct json_skeleton *skeleton, struct slice lines,
                                                 const struct json_paths *paths)
{
    struct view view = {.base = (uintptr_t)lines.data};

    return can_match(skeleton, lines, paths) ? walk(skeleton, view, NULL, lines, true) : NULL;
}

ALWAYS_INLINE uint32_t end_of(struct json_span span)
{
    return span.begin + span.size;
}

void json_form_place(const struct json_form *form, struct slice text, struct json_document *document)
{
    const struct json_values *values = &document->skeleton.values;

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
