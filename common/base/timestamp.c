#include "common/base/timestamp.h"

#include <time.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { DAY_MS = 86400000, DAY_MINUTES = 1440, DAYS_TO_1970 = 719469 /* from 0000-03-01, with itself */ };

int64_t timestamp_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t era;
    int64_t year_of_era;
    int64_t day_of_year;
    int64_t day_of_era;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void timestamp_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t era;
    int64_t day_of_era;
    int64_t year_of_era;
    int64_t day_of_year;
    int64_t shifted_month; /* March is 0 */

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted_month = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (unsigned)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* `count` digits as a number, or -1. */
static int read_digits(const char *text, size_t count)
{
    int number = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9) {
            return -1;
        }
        number = number * 10 + (int)digit;
    }
    return number;
}

/* "YYYY-MM-DD" at `text`, which has at least ten bytes. */
static bool read_date(const char *text, int64_t *out_days)
{
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = read_digits(text, 4);
    int month = read_digits(text + 5, 2);
    int day = read_digits(text + 8, 2);
    int last;

    if (year < 0 || month < 1 || month > 12 || day < 1 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    last = month_days[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last = 29;
    }
    if (day > last) {
        return false;
    }
    *out_days = timestamp_days_from_civil(year, (unsigned)month, (unsigned)day);
    return true;
}

/* The fraction at `*at`, if there is one, in ms. False for a dot without digits. */
static bool read_fraction(struct slice text, size_t *at, int64_t *out_ms)
{
    int64_t scale = 100;
    size_t begin;

    *out_ms = 0;
    if (*at >= text.size || text.data[*at] != '.') {
        return true;
    }
    begin = ++*at;
    while (*at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9') {
        *out_ms += (text.data[*at] - '0') * scale;
        scale /= 10;
        ++*at;
    }
    return *at > begin;
}

/* The zone that must end the text at `at`, as what to subtract. */
static bool read_zone(struct slice text, size_t at, int64_t *out_ms)
{
    int hour;
    int minute;

    if (at + 1 == text.size && (text.data[at] == 'Z' || text.data[at] == 'z')) {
        *out_ms = 0;
        return true;
    }
    if (at + 6 != text.size || (text.data[at] != '+' && text.data[at] != '-') || text.data[at + 3] != ':') {
        return false;
    }
    hour = read_digits(text.data + at + 1, 2);
    minute = read_digits(text.data + at + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return false;
    }
    *out_ms = (hour * 60 + minute) * INT64_C(60000) * (text.data[at] == '-' ? -1 : 1);
    return true;
}

/* What a timestamp says, in the form that nearly all have: "2025-05-31T00:00:01.258Z", perhaps without the fraction. */
struct usual {
    unsigned year;
    unsigned month;  /* up to 19 */
    unsigned day;    /* two digits */
    unsigned minute; /* of the day */
    unsigned ms;     /* of the minute */
};

#ifdef __SSE2__

static inline __m128i load_half(const char *text)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)text);
}

/* Characters less what stands there between digits, or '0'; then what is above the greatest digit there is wrong. Pairs
 * of digits are multiplied by what they count, and added up. False where it is not certainly that form. */
static inline bool read_usual(struct slice text, struct usual *out)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i date = load_half(text.data); /* 0000-00- */
    __m128i time;                        /* 00T00:00:00.000Z */
    __m128i wrong;
    __m128i low;
    __m128i high;
    __m128i sums;
    unsigned first;

    if (text.size == 24) {
        time = _mm_loadu_si128((const __m128i *)(const void *)(text.data + 8));
        time = _mm_sub_epi8(time, _mm_setr_epi8('0', '0', 'T', '0', '0', ':', '0', '0', ':', '0', '0', '.', '0', '0',
                                                '0', 'Z'));
    } else {
        time = _mm_srli_si128(_mm_loadu_si128((const __m128i *)(const void *)(text.data + 4)), 4);
        time =
            _mm_sub_epi8(time, _mm_setr_epi8('0', '0', 'T', '0', '0', ':', '0', '0', ':', '0', '0', 'Z', 0, 0, 0, 0));
    }
    date = _mm_sub_epi8(date, _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', 0, 0, 0, 0, 0, 0, 0, 0));
    wrong = _mm_or_si128(_mm_subs_epu8(date, _mm_setr_epi8(9, 9, 9, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
                         _mm_subs_epu8(time, _mm_setr_epi8(3, 9, 0, 2, 9, 0, 5, 9, 0, 5, 9, 0, 9, 9, 9, 0)));
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(wrong, zero)) != 0xffff) {
        return false;
    }
    date = _mm_madd_epi16(_mm_unpacklo_epi8(date, zero), _mm_setr_epi16(1000, 100, 10, 1, 0, 10, 1, 0));
    date = _mm_add_epi32(date, _mm_srli_epi64(date, 32));
    out->year = (unsigned)_mm_cvtsi128_si32(date);
    out->month = (unsigned)_mm_extract_epi16(date, 4);
    low = _mm_madd_epi16(_mm_unpacklo_epi8(time, zero), _mm_setr_epi16(10, 1, 0, 600, 60, 0, 10, 1));
    high = _mm_madd_epi16(_mm_unpackhi_epi8(time, zero), _mm_setr_epi16(0, 10000, 1000, 0, 100, 10, 1, 0));
    first = (unsigned)_mm_cvtsi128_si32(low);
    sums = _mm_add_epi32(_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high));
    sums = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
    out->day = first;
    out->minute = (unsigned)_mm_cvtsi128_si32(sums) - first;
    out->ms = (unsigned)_mm_cvtsi128_si32(_mm_srli_epi64(sums, 32));
    return out->minute < DAY_MINUTES;
}

#else

/* Eight characters, the first in the lowest byte. */
static inline uint64_t load_word(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* In each byte ten times the digit there and the one behind it. */
static inline uint64_t join_digits(uint64_t digits)
{
    return digits * 10 + (digits >> 8);
}

static inline unsigned byte_of(uint64_t word, unsigned index)
{
    return (unsigned)(word >> 8 * index) & 0xff;
}

/* The same in three words, each compared with its pattern by exclusive or: what stands between digits becomes 0, a
 * digit its value. Then what is added to each byte sets the highest bit of one that is too large. */
static inline bool read_usual(struct slice text, struct usual *out)
{
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t date = load_word(text.data) ^ UINT64_C(0x2d30302d30303030);      /* 0000-00- */
    uint64_t hours = load_word(text.data + 8) ^ UINT64_C(0x30303a3030543030); /* 00T00:00 */
    uint64_t seconds;
    uint64_t wrong;

    if (text.size == 24) {
        seconds = load_word(text.data + 16) ^ UINT64_C(0x5a3030302e30303a); /* :00.000Z */
    } else {
        seconds = (load_word(text.data + 12) >> 32) ^ UINT64_C(0x5a30303a); /* :00Z */
    }
    wrong = date | (date + UINT64_C(0x7f76767f76767676)); /* digits up to 9 */
    wrong |= hours | (hours + UINT64_C(0x76767f76767f7676));
    wrong |= seconds | (seconds + UINT64_C(0x7f7676767f76767f));
    out->ms = byte_of(seconds, 6);
    date = join_digits(date);
    hours = join_digits(hours);
    seconds = join_digits(seconds);
    wrong |= date + UINT64_C(0x0000730000000000);  /* 12 */
    wrong |= hours + UINT64_C(0x0044000068000000); /* 23, 59 */
    wrong |= seconds + UINT64_C(0x0000000000004400);
    out->year = byte_of(date, 0) * 100 + byte_of(date, 2);
    out->month = byte_of(date, 5);
    out->day = byte_of(hours, 0);
    out->minute = byte_of(hours, 3) * 60 + byte_of(hours, 6);
    out->ms += byte_of(seconds, 4) * 10 + byte_of(seconds, 1) * 1000;
    return (wrong & highs) == 0;
}

#endif

/* The days of a month, but for a leap day, and those of the year before it, which begins in March. 0 is no month. */
struct usual_month {
    unsigned short days;
    unsigned short before;
};

/* False where it is not certainly the usual form and a date: a leap second, say, or the 29th of February. */
static inline bool parse_usual(struct slice text, int64_t *out_ms)
{
    static const struct usual_month months[20] = {
        {0, 0},    {31, 306}, {28, 337}, {31, 0},   {30, 31},  {31, 61},  {30, 92},
        {31, 122}, {31, 153}, {30, 184}, {31, 214}, {30, 245}, {31, 275},
    };
    struct usual usual;
    unsigned year;
    unsigned days;

    if ((text.size != 24 && text.size != 20) || !read_usual(text, &usual) || usual.year == 0 ||
        usual.day - 1 >= months[usual.month].days) {
        return false;
    }
    year = usual.year - (usual.month <= 2);
    days = year * 365 + year / 4 - year / 100 + year / 400 + months[usual.month].before + usual.day;
    *out_ms = ((int64_t)days - DAYS_TO_1970) * DAY_MS + usual.minute * 60000 + usual.ms;
    return true;
}

static __attribute__((noinline)) bool parse_any(struct slice text, int64_t *out_ms)
{
    int64_t days;
    int64_t fraction_ms;
    int64_t zone_ms;
    int64_t ms;
    size_t at = 19;
    int hour;
    int minute;
    int second;

    if (text.size < 20 || !read_date(text.data, &days) || (text.data[10] != 'T' && text.data[10] != 't') ||
        text.data[13] != ':' || text.data[16] != ':') {
        return false;
    }
    hour = read_digits(text.data + 11, 2);
    minute = read_digits(text.data + 14, 2);
    second = read_digits(text.data + 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    if (!read_fraction(text, &at, &fraction_ms) || !read_zone(text, at, &zone_ms)) {
        return false;
    }
    ms = days * DAY_MS + (hour * 3600 + minute * 60 + second) * INT64_C(1000) + fraction_ms - zone_ms;
    if (ms < TIMESTAMP_MIN || ms > TIMESTAMP_MAX) {
        return false;
    }
    *out_ms = ms;
    return true;
}

bool timestamp_parse(struct slice text, int64_t *out_ms)
{
    return parse_usual(text, out_ms) || parse_any(text, out_ms);
}

bool timestamp_parse_date(struct slice text, int64_t *out_ms)
{
    int64_t days;

    if (text.size != 10 || !read_date(text.data, &days) || days * DAY_MS < TIMESTAMP_MIN) {
        return false;
    }
    *out_ms = days * DAY_MS;
    return true;
}

bool timestamp_parse_argument(struct slice text, int64_t *out_ms)
{
    size_t at = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    int64_t ms = 0;

    if (timestamp_parse(text, out_ms) || timestamp_parse_date(text, out_ms)) {
        return true;
    }
    if (at == text.size || text.size - at > 15) {
        return false;
    }
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') {
            return false;
        }
        ms = ms * 10 + (text.data[at] - '0');
    }
    ms = text.data[0] == '-' ? -ms : ms;
    if (ms < TIMESTAMP_MIN || ms > TIMESTAMP_MAX) {
        return false;
    }
    *out_ms = ms;
    return true;
}

static char *put_digits(char *at, int64_t number, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + count;
}

const char *timestamp_text(int64_t ms, char text[TIMESTAMP_TEXT_SIZE])
{
    int64_t days;
    int64_t rest;
    int64_t year;
    unsigned month;
    unsigned day;
    char *at = text;

    if (ms < TIMESTAMP_MIN || ms > TIMESTAMP_MAX) {
        text[0] = '\0';
        return text;
    }
    days = (ms >= 0 ? ms : ms - (DAY_MS - 1)) / DAY_MS;
    rest = ms - days * DAY_MS;
    timestamp_civil_from_days(days, &year, &month, &day);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, rest / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, rest / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, rest / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, rest % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    return text;
}

void timestamp_append(struct buffer *out, int64_t ms)
{
    char text[TIMESTAMP_TEXT_SIZE];

    buffer_append_text(out, timestamp_text(ms, text));
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    /* Only a wrong clock id can make it fail. */
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t timestamp_now(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

int64_t timestamp_monotonic_ms(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t timestamp_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
