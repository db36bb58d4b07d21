/* The floor of the stream: a bare librdkafka consume loop over all partitions of a topic, from the beginning to the
 * ends, that looks at no message. Prints the number of messages. */
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *what, const char *why)
{
    (void)fprintf(stderr, "floor_consume: %s: %s\n", what, why);
    return 3;
}

int main(int argc, char **argv)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
    rd_kafka_t *client;
    int partitions;
    int at_end = 0;
    unsigned long messages = 0;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: floor_consume BOOTSTRAP TOPIC PARTITIONS\n");
        return 2;
    }
    partitions = (int)strtol(argv[3], NULL, 10);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why, sizeof why) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "group.id", "floor", why, sizeof why) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof why) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof why) != RD_KAFKA_CONF_OK) {
        return failed("configuration", why);
    }
    client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (client == NULL) {
        return failed("client", why);
    }
    (void)rd_kafka_poll_set_consumer(client);
    for (int32_t p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(list, argv[2], p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    if (rd_kafka_assign(client, list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed("assign", "refused");
    }
    while (at_end < partitions) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 10000);

        if (message == NULL) {
            return failed("consume", "no message for 10 s");
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            at_end++;
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return failed("consume", rd_kafka_message_errstr(message));
        } else {
            messages++;
        }
        rd_kafka_message_destroy(message);
    }
    printf("%lu\n", messages);
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
