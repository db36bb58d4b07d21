/* redis.url: what is accepted, what is refused, and that no message shows a password. */
#include "common/io/redis.h"

#include <check.h>
#include <string.h>

static struct redis_address parse(const char *url)
{
    struct redis_address address;
    struct error err = ERROR_INIT;

    ck_assert_msg(redis_address_parse(url, &address, &err), "%s: %s", url, err.message);
    return address;
}

START_TEST(test_addresses)
{
    struct redis_address address = parse("redis://localhost");

    ck_assert_str_eq(address.host, "localhost");
    ck_assert_int_eq(address.port, 6379);
    ck_assert_int_eq(address.database, 0);
    ck_assert_str_eq(address.password, "");

    address = parse("redis://:s%40cret@10.0.0.1:7000/3");
    ck_assert_str_eq(address.host, "10.0.0.1");
    ck_assert_int_eq(address.port, 7000);
    ck_assert_int_eq(address.database, 3);
    ck_assert_str_eq(address.user, "");
    ck_assert_str_eq(address.password, "s@cret");

    address = parse("redis://app:pa:ss@redis.example:6380/");
    ck_assert_str_eq(address.user, "app");
    ck_assert_str_eq(address.password, "pa:ss");
    ck_assert_str_eq(address.host, "redis.example");

    address = parse("redis://[::1]:6381");
    ck_assert_str_eq(address.host, "::1");
    ck_assert_int_eq(address.port, 6381);
    address = parse("redis://[::1]");
    ck_assert_str_eq(address.host, "::1");
    ck_assert_int_eq(address.port, 6379);

    address = parse("unix:///run/redis.sock");
    ck_assert_str_eq(address.host, "/run/redis.sock");
    ck_assert_int_eq(address.port, 0);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const urls[] = {
        "",
        "localhost:6379",
        "rediss://localhost",
        "redis://",
        "redis://:secret@",
        "redis://:secret@host:port",
        "redis://:secret@host:0",
        "redis://:secret@host:65536",
        "redis://:secret@host/db",
        "redis://:secret%zz@host",
        "redis://:secret%00@host",
        "unix://",
    };

    for (size_t index = 0; index < sizeof urls / sizeof urls[0]; index++) {
        struct redis_address address;
        struct error err = ERROR_INIT;

        ck_assert_msg(!redis_address_parse(urls[index], &address, &err), "accepted: %s", urls[index]);
        ck_assert_int_eq(err.code, ERROR_USAGE);
        ck_assert_ptr_null(strstr(err.message, "secret"));
        ck_assert_ptr_null(strstr(err.hint, "secret"));
    }
}
END_TEST

START_TEST(test_unreachable)
{
    struct redis *redis = NULL;
    struct error err = ERROR_INIT;

    /* Port 1 of the loopback interface: nothing listens there. */
    ck_assert(!redis_open("redis://:secret@127.0.0.1:1/0", &redis, &err));
    ck_assert_int_eq(err.code, ERROR_UNREACHABLE);
    ck_assert_int_eq(err.action, ERROR_RETRY);
    ck_assert_ptr_null(redis);
    ck_assert_ptr_null(strstr(err.message, "secret"));
}
END_TEST

Suite *redis_suite(void);
Suite *redis_suite(void)
{
    Suite *suite = suite_create("redis");
    TCase *tcase = tcase_create("address");

    tcase_add_test(tcase, test_addresses);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_unreachable);
    suite_add_tcase(suite, tcase);
    return suite;
}
