/* The small modules of base: errors, digests, names, files, slices. */
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/nearest.h"
#include "common/base/sha256.h"
#include "common/base/slice.h"

#include "tests/unit/unit.h"

Suite *base_suite(void);

START_TEST(an_error_is_built_from_below)
{
    struct error err = ERROR_INIT;

    ck_assert(!error_set(&err, ERROR_UNREACHABLE, "could not connect: %s", "refused"));
    ck_assert(!error_context(&err, "lane %d", 3));
    ck_assert(!error_hint(&err, "start %s", "it"));
    ck_assert(!error_action(&err, ERROR_RETRY));
    ck_assert_str_eq(err.message, "lane 3: could not connect: refused");
    ck_assert_str_eq(err.hint, "start it");
    ck_assert_int_eq(err.action, ERROR_RETRY);
    ck_assert(!error_set(&err, ERROR_INPUT, "new"));
    ck_assert_str_eq(err.hint, "");
    ck_assert_int_eq(err.action, ERROR_STOP);
    ck_assert(!error_no_memory(&err, "a list"));
    ck_assert_str_eq(err.message, "no memory for a list");
    ck_assert_int_eq(err.code, ERROR_INTERNAL);
}
END_TEST

START_TEST(an_error_too_long_is_cut)
{
    struct error err = ERROR_INIT;
    char text[3000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)error_set(&err, ERROR_INPUT, "%s", text);
    ck_assert_uint_eq(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
    (void)error_context(&err, "ctx");
    ck_assert_uint_eq(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
    ck_assert(strncmp(err.message, "ctx: xxx", 8) == 0);
    (void)error_hint(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.hint), ERROR_HINT_SIZE - 1);
}
END_TEST

START_TEST(codes_fix_the_exit_status)
{
    static const struct {
        enum error_code code;
        int status;
        const char *name;
    } expected[] = {
        {ERROR_NONE, 0, "none"},
        {ERROR_FOUND, 1, "found"},
        {ERROR_USAGE, 2, "usage"},
        {ERROR_UNREACHABLE, 3, "unreachable"},
        {ERROR_INPUT, 4, "input"},
        {ERROR_INTERNAL, 70, "internal"},
        {ERROR_CLOSED_PIPE, 0, "closed pipe"},
    };

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ck_assert_int_eq(error_exit_status(expected[i].code), expected[i].status);
        ck_assert_str_eq(error_code_name(expected[i].code), expected[i].name);
    }
}
END_TEST

START_TEST(sha256_agrees_with_fips)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct error err = ERROR_INIT;
    unsigned char digest[SHA256_SIZE];
    char text[SHA256_HEX_SIZE];
    struct sha256 sha256;

    ck_assert_ok(sha256_of(slice_of(NULL, 0), digest, &err));
    ck_assert_str_eq(sha256_hex(digest, text), empty);
    ck_assert_ok(sha256_of(SLICE_LITERAL("abc"), digest, &err));
    ck_assert_str_eq(sha256_hex(digest, text), abc);
    ck_assert_ok(sha256_begin(&sha256, &err));
    ck_assert_ok(sha256_add(&sha256, SLICE_LITERAL("a"), &err));
    ck_assert_ok(sha256_add(&sha256, slice_of(NULL, 0), &err));
    ck_assert_ok(sha256_add(&sha256, SLICE_LITERAL("bc"), &err));
    ck_assert_ok(sha256_next(&sha256, digest, &err));
    ck_assert_str_eq(sha256_hex(digest, text), abc);
    ck_assert_ok(sha256_end(&sha256, digest, &err));
    ck_assert_str_eq(sha256_hex(digest, text), empty);
    sha256_clear(&sha256);
    ck_assert_ok(sha256_begin(&sha256, &err));
    sha256_clear(&sha256);
}
END_TEST

static const char *nearest_of(const char *wanted)
{
    static const char *const names[] = {"window", "within", "where", "count", "distinct", "batch", "="};
    struct nearest nearest;

    nearest_begin(&nearest, slice_from(wanted));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        nearest_offer(&nearest, names[i]);
    }
    return nearest.name == NULL ? "" : nearest.name;
}

START_TEST(nearest_finds_a_misspelling)
{
    ck_assert_str_eq(nearest_of("windw"), "window");
    ck_assert_str_eq(nearest_of("widnow"), "window");
    ck_assert_str_eq(nearest_of("withn"), "within");
    ck_assert_str_eq(nearest_of("wher"), "where");
    ck_assert_str_eq(nearest_of("distnict"), "distinct");
    ck_assert_str_eq(nearest_of("btach"), "batch");
    ck_assert_str_eq(nearest_of("=="), "=");
    ck_assert_str_eq(nearest_of("both"), "");
    ck_assert_str_eq(nearest_of("x"), "");
    ck_assert_str_eq(nearest_of("percentile"), "");
    ck_assert_str_eq(nearest_of(""), "");
    ck_assert_str_eq(nearest_of("a word that is far too long to be compared with anything at all, really"), "");
}
END_TEST

START_TEST(slices_compare_bytewise)
{
    ck_assert_int_lt(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("ab")), 0);
    ck_assert_int_gt(slice_compare(SLICE_LITERAL("b"), SLICE_LITERAL("ab")), 0);
    ck_assert_int_gt(slice_compare(SLICE_LITERAL("\xc3\xbc"), SLICE_LITERAL("z")), 0);
    ck_assert_int_eq(slice_compare(slice_of(NULL, 0), SLICE_LITERAL("")), 0);
    ck_assert(slice_equal(slice_of(NULL, 0), SLICE_LITERAL("")));
    ck_assert(!slice_equal(SLICE_LITERAL("a\0"), SLICE_LITERAL("a")));
    ck_assert(slice_starts_with(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
    ck_assert(slice_starts_with(SLICE_LITERAL("abc"), slice_of(NULL, 0)));
    ck_assert(!slice_starts_with(SLICE_LITERAL("ab"), SLICE_LITERAL("abc")));
}
END_TEST

START_TEST(files_are_read_whole)
{
    struct error err = ERROR_INIT;
    struct buffer content;
    char *folder = unit_folder_make();
    char *path = unit_file_write(folder, "a", SLICE_LITERAL("one\0two\n"));

    buffer_init(&content, 8);
    ck_assert_ok(file_read(path, &content, &err));
    ck_assert(slice_equal(buffer_slice(&content), SLICE_LITERAL("one\0two\n")));
    buffer_reset(&content);
    content.size_max = 7;
    ck_assert_fails(file_read(path, &content, &err), ERROR_INPUT, "larger than 7 bytes");
    ck_assert_fails(file_read(folder, &content, &err), ERROR_UNREACHABLE, "could not read: Is a directory");
    ck_assert_fails(file_read("/nonexistent", &content, &err), ERROR_UNREACHABLE, "could not open: No such file");
    buffer_clear(&content);
    memory_free(path);
    unit_folder_remove(folder);
}
END_TEST

/* Of every size: one byte that differs, wherever it stands, is seen, and so is another size. */
START_TEST(every_byte_tells_slices_apart)
{
    char a[48];
    char b[48];

    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    for (size_t size = 0; size <= sizeof a; size++) {
        ck_assert(slice_equal(slice_of(a, size), slice_of(b, size)));
        for (size_t other = 0; other < size; other++) {
            ck_assert(!slice_equal(slice_of(a, size), slice_of(b, other)));
            b[other] = 'b';
            ck_assert_msg(!slice_equal(slice_of(a, size), slice_of(b, size)), "size %zu, byte %zu", size, other);
            b[other] = 'a';
        }
    }
    ck_assert(slice_equal(slice_of(NULL, 0), slice_of(a, 0)));
}
END_TEST

Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");

    tcase_add_test(tests, every_byte_tells_slices_apart);
    tcase_add_test(tests, an_error_is_built_from_below);
    tcase_add_test(tests, an_error_too_long_is_cut);
    tcase_add_test(tests, codes_fix_the_exit_status);
    tcase_add_test(tests, sha256_agrees_with_fips);
    tcase_add_test(tests, nearest_finds_a_misspelling);
    tcase_add_test(tests, slices_compare_bytewise);
    tcase_add_test(tests, files_are_read_whole);
    suite_add_tcase(suite, tests);
    return suite;
}
