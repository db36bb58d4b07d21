#include "common/domain/pack.h"

#include <check.h>

Suite *pack_suite(void);

static void round_trip(uint64_t number)
{
    unsigned char bytes[PACK_NUMBER_SIZE_MAX];
    unsigned char *end = pack_put_number(bytes, number);
    struct pack_reader reader = {.at = bytes, .end = end};
    uint64_t known;

    ck_assert_int_le(end - bytes, PACK_NUMBER_SIZE_MAX);
    ck_assert_uint_eq(pack_take_number(&reader), number);
    ck_assert(!reader.failed && reader.at == end);
    ck_assert(pack_take_known(bytes, &known) == end && known == number);
    ck_assert_uint_eq(pack_folded(pack_unfolded(number)), number);
    while (end-- > bytes) {
        reader = (struct pack_reader){.at = bytes, .end = end};
        ck_assert_uint_eq(pack_take_number(&reader), 0);
        ck_assert(reader.failed);
    }
}

START_TEST(test_numbers)
{
    static const unsigned char too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    static const unsigned char too_large[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
    struct pack_reader reader = {.at = too_long, .end = too_long + sizeof too_long};

    for (unsigned bit = 0; bit < 64; bit++) {
        round_trip((UINT64_C(1) << bit) - 1);
        round_trip(UINT64_C(1) << bit);
    }
    round_trip(UINT64_MAX);
    ck_assert_uint_eq(pack_take_number(&reader), 0);
    ck_assert(reader.failed);
    reader = (struct pack_reader){.at = too_large, .end = too_large + sizeof too_large};
    ck_assert_uint_eq(pack_take_number(&reader), 0);
    ck_assert(reader.failed);
}
END_TEST

START_TEST(test_values)
{
    const struct value values[] = {
        {.type = VALUE_MISSING},
        {.type = VALUE_BOOLEAN},
        {.type = VALUE_BOOLEAN, .boolean = true},
        {.type = VALUE_NUMBER},
        {.type = VALUE_NUMBER, .micros = 1},
        {.type = VALUE_NUMBER, .micros = -19990000},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MAX},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MIN},
        {.type = VALUE_NUMBER, .micros = DECIMAL_MIN + 1},
        {.type = VALUE_STRING},
        {.type = VALUE_STRING, .text = SLICE_LITERAL("blue")},
        {.type = VALUE_COMPOUND, .text = SLICE_LITERAL("[1,2]")},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        unsigned char bytes[PACK_VALUE_SIZE_MAX + 8];
        unsigned char *end = pack_put_value(bytes, &values[i]);
        struct pack_reader reader = {.at = bytes, .end = end};
        struct value found = pack_take_value(&reader);

        ck_assert(!reader.failed && reader.at == end);
        ck_assert_int_eq(found.type, values[i].type);
        ck_assert_int_eq(value_compare(&found, &values[i]), 0);
        while (end-- > bytes) {
            reader = (struct pack_reader){.at = bytes, .end = end};
            ck_assert_int_eq(pack_take_value(&reader).type, VALUE_MISSING);
            ck_assert(reader.failed);
        }
    }
}
END_TEST

START_TEST(test_values_refused)
{
    /* Types and forms that there are not; a number in micros that has a shorter form; one beyond the range. */
    static const unsigned char bad[][12] = {
        {5},
        {VALUE_MISSING | 1 << 3},
        {VALUE_STRING | 1 << 3, 0},
        {VALUE_BOOLEAN | 2 << 3},
        {VALUE_NUMBER, 0},
        {VALUE_NUMBER, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
        {VALUE_NUMBER | 1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pack_reader reader = {.at = bad[i], .end = bad[i] + sizeof bad[i]};

        ck_assert_int_eq(pack_take_value(&reader).type, VALUE_MISSING);
        ck_assert_msg(reader.failed, "number %zu", i);
    }
}
END_TEST

START_TEST(test_uuids)
{
    static const char *const good[] = {"00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF",
                                       "00000000-0000-0000-0000-000000000000"};
    static const char *const bad[] = {"00112233-4455-6677-8899-aabbccddeefF",
                                      "00112233-4455-6677-8899-aabbccddeef",
                                      "00112233-4455-6677-8899-aabbccddeefff",
                                      "00112233-4455-6677-8899-aabbccddeefg",
                                      "00112233x4455-6677-8899-aabbccddeeff",
                                      "0011223-34455-6677-8899-aabbccddeeff",
                                      "00112233-4455-6677-8899-aabbccddeefo",
                                      "00112233-4455-6677-8899-aabbccddee`f",
                                      "00112233-4455-6677-8899-aabbccdd:eff",
                                      "/0112233-4455-6677-8899-aabbccddeeff",
                                      "00112233-4455-6677-8899-aabbccd\xb0"
                                      "eeff",
                                      "00112233-4455-6677-8899-aabbccd\xe1"
                                      "eeff",
                                      ""};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        unsigned char uuid[PACK_UUID_SIZE];
        char text[PACK_UUID_TEXT_SIZE];
        bool upper;

        ck_assert(pack_uuid(slice_from(good[i]), uuid, &upper));
        ck_assert_int_eq(upper, i == 1);
        pack_uuid_text(uuid, upper, text);
        ck_assert(slice_equal_text(slice_of(text, sizeof text), good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char uuid[PACK_UUID_SIZE];
        bool upper;

        ck_assert_msg(!pack_uuid(slice_from(bad[i]), uuid, &upper), "%s", bad[i]);
    }
}
END_TEST

/* Every byte at every place of one in lower and one in upper case. */
START_TEST(test_uuid_bytes)
{
    static const char *const texts[] = {"a1122334-a455-a677-a899-aabbccddeeff", "A1122334-A455-A677-A899-AABBCCDDEEFF"};
    static const char *const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};

    for (size_t i = 0; i < 2 * (size_t)PACK_UUID_TEXT_SIZE * 256; i++) {
        const char *text = texts[i % 2];
        size_t place = i / 2 % PACK_UUID_TEXT_SIZE;
        char byte = (char)(i / 2 / PACK_UUID_TEXT_SIZE);
        bool is_uuid = text[place] == '-' ? byte == '-' : byte != '\0' && strchr(digits[i % 2], byte) != NULL;
        char changed[PACK_UUID_TEXT_SIZE];
        char again[PACK_UUID_TEXT_SIZE];
        unsigned char uuid[PACK_UUID_SIZE];
        bool upper;

        memcpy(changed, text, sizeof changed);
        changed[place] = byte;
        ck_assert_int_eq(pack_uuid(slice_of(changed, sizeof changed), uuid, &upper), is_uuid);
        if (is_uuid) {
            pack_uuid_text(uuid, upper, again);
            ck_assert_mem_eq(again, changed, sizeof changed);
        }
    }
}
END_TEST

Suite *pack_suite(void)
{
    Suite *suite = suite_create("pack");
    TCase *tests = tcase_create("pack");

    tcase_add_test(tests, test_numbers);
    tcase_add_test(tests, test_values);
    tcase_add_test(tests, test_values_refused);
    tcase_add_test(tests, test_uuids);
    tcase_add_test(tests, test_uuid_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
