/* Ids that were packed one after the other come back byte for byte, whatever stands in them; and values do. */
#include "common/domain/pile_text.h"

#include "common/domain/pile_value.h"
#include "tests/unit/unit.h"

#include <stdio.h>

Suite *pile_text_suite(void);

enum { TEXT_COUNT_MAX = 64, ROOM = 1 << 16 };

/* Puts all texts in a row, and takes them; returns how many bytes they took. */
static size_t pass_through(const struct slice *texts, size_t count, enum pile_text_form *forms)
{
    static unsigned char packed[ROOM];
    struct pile_text_before before = {0};
    struct pile_text_reader reader = {0};
    unsigned char *out = packed;
    const unsigned char *at = packed;

    memset(packed, 0xa5, sizeof packed);
    for (size_t i = 0; i < count; i++) {
        struct pile_text text = pile_text_of(texts[i]);
        unsigned char *begin = out;

        ck_assert_uint_lt((size_t)(out - packed) + EVENT_ID_SIZE_MAX + 64, sizeof packed);
        forms[i] = pile_text_put(&out, &text, &before);
        ck_assert_uint_le((size_t)(out - begin), texts[i].size + PILE_TEXT_EXTRA_SIZE_MAX);
        memset(out, 0xa5, PILE_TEXT_SLACK);
    }
    for (size_t i = 0; i < count; i++) {
        struct pile_text wanted = pile_text_of(texts[i]);
        struct pile_text text;

        at = pile_text_take(forms[i], at, &reader);
        text = pile_text_read(&reader);
        ck_assert_msg(slice_equal(text.text, texts[i]), "text %zu: %.*s", i, (int)text.text.size, text.text.data);
        ck_assert(text.head == wanted.head);
        ck_assert_uint_eq(pile_text_hash(&text, 7), pile_text_hash(&wanted, 7));
    }
    ck_assert_ptr_eq(at, out);
    return (size_t)(out - packed);
}

START_TEST(numbers_are_written_as_numbers)
{
    static const struct {
        const char *first;
        const char *second;
        size_t size; /* of the second */
    } cases[] = {
        {"user-0123456", "user-0000000", 3},
        {"user-0123456", "user-9999999", 3},
        {"00000000", "99999999", 4},
        {"abcdefg1", "abcdefg9", 1},
        {"abcdef12", "abcdef00", 1},
        {"abcde123", "abcde999", 2},
        {"abcd1234", "abcd9999", 2},
        {"abc12345", "abc99999", 3},
        {"ab123456", "ab000001", 3},
        {"0123456789abc007", "0123456789abc999", 2},
        {"1234567800000000", "1234567812345678", 4},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice texts[] = {slice_from(cases[i].first), slice_from(cases[i].second), slice_from(cases[i].first)};
        enum pile_text_form forms[3];
        size_t first_size = pass_through(texts, 1, forms);

        ck_assert_uint_eq(pass_through(texts, 2, forms), first_size + cases[i].size);
        ck_assert_int_eq(forms[0], PILE_TEXT_PLAIN);
        ck_assert_int_eq(forms[1], PILE_TEXT_SERIAL);
        (void)pass_through(texts, 3, forms);
        ck_assert_int_eq(forms[2], PILE_TEXT_SERIAL);
    }
}
END_TEST

START_TEST(hostile_texts_come_back)
{
    static char longest[EVENT_ID_SIZE_MAX];
    const struct slice texts[] = {
        SLICE_LITERAL("user-0123456"),
        SLICE_LITERAL("user-012345:"),
        SLICE_LITERAL("user-012345/"),
        SLICE_LITERAL("user-01\0003456"),
        SLICE_LITERAL("user-0123\xb9\xff\xb0"),
        SLICE_LITERAL("user-01234567"),
        SLICE_LITERAL("user_0123456"),
        SLICE_LITERAL("user_0123457"),
        SLICE_LITERAL("uses_0123457"),
        SLICE_LITERAL("12345678901234567890"),
        SLICE_LITERAL("12345678901234567891"),
        SLICE_LITERAL("1234567890123456"),
        SLICE_LITERAL("1234567990123456"),
        SLICE_LITERAL("00000000"),
        SLICE_LITERAL("0000000\0"),
        SLICE_LITERAL("00000000\0"),
        SLICE_LITERAL("\0"),
        SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        SLICE_LITERAL("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0"),
        SLICE_LITERAL("7"),
        SLICE_LITERAL("0"),
        SLICE_LITERAL("1234567"),
        SLICE_LITERAL("0a1b2c3d-0a1b-4c2d-8e3f-00112233aabb"),
        SLICE_LITERAL("0A1B2C3D-0A1B-4C2D-8E3F-00112233AABB"),
        SLICE_LITERAL("0a1b2c3d-0a1b-4c2d-8e3f-00112233aabB"),
        SLICE_LITERAL("0a1b2c3d-0a1b-4c2d-8e3f_00112233aabb"),
        SLICE_LITERAL("00000000-0000-0000-0000-000000000000"),
        slice_of(longest, sizeof longest),
        slice_of(longest, sizeof longest - 1),
        slice_of(longest + 1, 17),
    };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    enum pile_text_form forms[TEXT_COUNT_MAX];

    memset(longest, '9', sizeof longest);
    longest[100] = '\0';
    /* Each behind each. */
    for (size_t i = 0; i < COUNT; i++) {
        struct slice row[TEXT_COUNT_MAX];

        for (size_t k = 0; k < COUNT; k++) {
            row[k] = texts[(k * (i + 1)) % COUNT];
        }
        (void)pass_through(row, COUNT, forms);
        for (size_t k = 0; k < COUNT; k++) {
            (void)pass_through((struct slice[]){texts[i], texts[k], texts[i]}, 3, forms);
        }
    }
}
END_TEST

/* Of every size, with digits in every place. */
START_TEST(digits_stand_anywhere)
{
    static const char letters[] = "0123456789/:ax";
    enum pile_text_form forms[TEXT_COUNT_MAX];
    char bytes[TEXT_COUNT_MAX][32];
    struct slice texts[TEXT_COUNT_MAX];
    size_t serial_count = 0;
    uint64_t random = 1;

    for (int round = 0; round < 2000; round++) {
        size_t size = 1 + (size_t)round % 24;
        size_t front = (size_t)(round / 24) % (size + 1);

        for (size_t i = 0; i < TEXT_COUNT_MAX; i++) {
            for (size_t k = 0; k < size; k++) {
                random = hash_mix(random ^ HASH_SECRET_0, HASH_SECRET_1);
                bytes[i][k] = k < front ? 'f' : letters[random % (random >> 32 & 31 ? 10 : sizeof letters - 1)];
            }
            texts[i] = slice_of(bytes[i], size);
        }
        (void)pass_through(texts, TEXT_COUNT_MAX, forms);
        for (size_t i = 0; i < TEXT_COUNT_MAX; i++) {
            serial_count += forms[i] == PILE_TEXT_SERIAL;
        }
    }
    ck_assert_uint_gt(serial_count, 1000);
}
END_TEST

START_TEST(values_come_back)
{
    static char text[1000];
    struct value values[160] = {
        {.type = VALUE_MISSING},
        {.type = VALUE_BOOLEAN, .boolean = true},
        {.type = VALUE_BOOLEAN},
        {.type = VALUE_STRING, .text = SLICE_LITERAL("")},
        {.type = VALUE_STRING, .text = SLICE_LITERAL("a\0b")},
        {.type = VALUE_STRING, .text = slice_of(text, 254)},
        {.type = VALUE_STRING, .text = slice_of(text, 255)},
        {.type = VALUE_COMPOUND, .text = slice_of(text, 256)},
        {.type = VALUE_COMPOUND, .text = slice_of(text, sizeof text)},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MAX},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MIN},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MAX - 1},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MIN + 1},
    };
    static unsigned char packed[ROOM];
    size_t count = 13;

    memset(text, 'v', sizeof text);
    for (int shift = 0; shift <= 56; shift++) {
        int64_t micros = (INT64_C(1) << shift) - 1;

        values[count++] = (struct value){.type = VALUE_NUMBER, .micros = micros};
        values[count++] = (struct value){.type = VALUE_NUMBER, .micros = -(micros % 400000000000000) * 10000};
        ck_assert_uint_lt(count, sizeof values / sizeof values[0] - 1);
    }
    for (size_t first = 0; first < count; first++) {
        struct pile_values reading;
        unsigned char *end = pile_values_put(packed, values + first, count - first);

        memset(end, 0xa5, 8);
        reading = pile_values_of(packed, count - first);
        for (size_t i = first; i < count; i++) {
            struct value value = pile_values_take(&reading);

            ck_assert_int_eq(value.type, values[i].type);
            ck_assert(value.type == VALUE_MISSING || value_equal(&value, &values[i]));
        }
        ck_assert_ptr_eq(reading.at, end);
    }
}
END_TEST

Suite *pile_text_suite(void)
{
    Suite *suite = suite_create("pile_text");
    TCase *tcase = tcase_create("pile_text");

    tcase_add_test(tcase, numbers_are_written_as_numbers);
    tcase_add_test(tcase, hostile_texts_come_back);
    tcase_add_test(tcase, digits_stand_anywhere);
    tcase_add_test(tcase, values_come_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
