#include "common/io/kafka.h"

#include <check.h>

Suite *kafka_suite(void);

/* Vectors of Apache Kafka's UtilsTest.testMurmur2 (hash as a signed 32-bit number). */
static const struct {
    const char *key;
    int32_t hash;
} vectors[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

START_TEST(partition_is_javas)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        for (int32_t count = 1; count <= 64; count++) {
            int32_t expected = (vectors[i].hash & 0x7fffffff) % count;
            ck_assert_int_eq(kafka_partition(slice_from(vectors[i].key), count), expected);
        }
    }
}
END_TEST

Suite *kafka_suite(void)
{
    Suite *suite = suite_create("kafka");
    TCase *tcase = tcase_create("partition");

    tcase_add_test(tcase, partition_is_javas);
    suite_add_tcase(suite, tcase);
    return suite;
}
