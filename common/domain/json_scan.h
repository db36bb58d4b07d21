/* Scanning of JSON strings and numbers: what the parser (json.c) and the reader of tokens (json_read.c) share.
 *
 * All functions read from text that is followed by JSON_PADDING zero bytes: a zero stops every scan, so no function
 * needs an end. */
#ifndef MUSTER_DOMAIN_JSON_SCAN_H
#define MUSTER_DOMAIN_JSON_SCAN_H

#include "common/domain/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { JSON_PADDING = 32 };

#ifdef __SSE2__

/* The first byte from `at` that is no plain ASCII text: a quote, a backslash, a control character or a byte above 127.
 * Most strings are short and plain, so sixteen bytes are looked at in one step. */
static inline const char *json_skip_plain(const char *at)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(0x20);

    for (;;) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Signed: below 0x20 are the control characters and all bytes above 127. */
        __m128i stop = _mm_or_si128(_mm_cmplt_epi8(bytes, blank),
                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);

        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
}

#else

/* The same eight bytes at a time: a byte of `stop` has its high bit set where the text must stop (or, rarely, in a byte
 * behind such a one, which is harmless: the loop below looks at each). */
static inline const char *json_skip_plain(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);

    for (;;) {
        uint64_t bytes;
        uint64_t quotes;
        uint64_t backslashes;
        uint64_t stop;

        memcpy(&bytes, at, sizeof bytes);
        quotes = bytes ^ (ones * '"');
        backslashes = bytes ^ (ones * '\\');
        stop = (bytes | (bytes - ones * 0x20) | (quotes - ones) | (backslashes - ones)) & highs;
        if (stop != 0) {
            break;
        }
        at += sizeof bytes;
    }
    while ((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

#endif

/* From inside a string, where the plain text has ended, to the closing quote. NULL with *fault and *fault_at set when
 * it is no string. Sets *escaped where there is a backslash (and leaves it alone otherwise). */
const char *json_scan_rest(const char *at, uint8_t *escaped, enum json_fault *fault, const char **fault_at);

/* Behind the escape whose backslash is at `at`, or NULL with *fault. Reads no further than the first byte that does not
 * belong to it. */
const char *json_skip_escape(const char *at, enum json_fault *fault);

/* Whether all of it is UTF-8; the last byte must be below 128. */
bool json_is_utf8(struct slice text);

static inline bool json_is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline bool json_is_digit(char byte)
{
    return (unsigned char)(byte - '0') < 10;
}

/* Behind the number at `at`, or NULL with *fault_at where it is malformed. Reads no further than the first byte that
 * does not belong to it. */
static inline const char *json_skip_number(const char *at, const char **fault_at)
{
    at += *at == '-';
    if (!json_is_digit(*at) || (*at == '0' && json_is_digit(at[1]))) {
        *fault_at = at;
        return NULL;
    }
    while (json_is_digit(*at)) {
        at++;
    }
    if (*at == '.') {
        if (!json_is_digit(*++at)) {
            *fault_at = at;
            return NULL;
        }
        while (json_is_digit(*at)) {
            at++;
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!json_is_digit(*at)) {
            *fault_at = at;
            return NULL;
        }
        while (json_is_digit(*at)) {
            at++;
        }
    }
    return at;
}

enum { JSON_PLAIN_NUMBER_SIZE = 16 };

/* Whether the first `size` bytes are digits, perhaps with a minus and a dot, as a number has them; without a loop,
 * whose varying length would cost more than all else. Sixteen bytes can be read. False where it is something else, or
 * not known. */
static inline bool json_is_plain_number(const char *at, size_t size)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* Signed: digits are above the byte before '0', and not above '9'. */
    __m128i digits =
        _mm_andnot_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('9')), _mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)));
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(digits) & ((1U << (size < JSON_PLAIN_NUMBER_SIZE ? size : 0)) - 1);
    uint32_t minus = *at == '-';
    uint32_t dots = (others & ~minus) >> minus; /* bit 0: the first behind the minus */
    uint32_t last = (uint32_t)size - 1 - minus;

    at += minus;
    if (size >= JSON_PLAIN_NUMBER_SIZE || size == minus || (at[0] == '0' && last > 0 && at[1] != '.')) {
        return false;
    }
    return dots == 0 ||
           ((dots & (dots - 1)) == 0 && (dots & 1) == 0 && dots >> last == 0 && at[__builtin_ctz(dots)] == '.');
#else
    const char *fault_at;

    return size < JSON_PLAIN_NUMBER_SIZE && json_skip_number(at, &fault_at) == at + size;
#endif
}

/* The bytes of an escaped string one after another, unescaped. The string was scanned before, so it is valid. */
struct json_unescape {
    const char *at;
    const char *end;
    unsigned char pending[4]; /* the rest of a character */
    unsigned pending_count;
    unsigned pending_next;
};
void json_unescape_begin(struct json_unescape *reader, struct slice raw);
/* The next byte, or -1 at the end. */
int json_unescape_next(struct json_unescape *reader);

#endif
