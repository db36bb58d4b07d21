/* What Kafka's retention does, at once: deletes the messages of one partition below an offset (-1: all). */
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 15000 };

static int failed(const char *what, const char *why)
{
    (void)fprintf(stderr, "delete_records: %s: %s\n", what, why);
    return 3;
}

/* Of the one partition that was asked for. */
static int delete_and_wait(rd_kafka_t *client, rd_kafka_DeleteRecords_t *request)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    const rd_kafka_DeleteRecords_result_t *result;
    const rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_event_t *event;
    int status = 0;

    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, WAIT_MS);
    result = event == NULL ? NULL : rd_kafka_event_DeleteRecords_result(event);
    if (result == NULL) {
        status = failed("no answer", event == NULL ? "timed out" : rd_kafka_event_error_string(event));
        goto out;
    }
    offsets = rd_kafka_DeleteRecords_result_offsets(result);
    if (offsets->cnt != 1 || offsets->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = failed("refused", offsets->cnt == 1 ? rd_kafka_err2str(offsets->elems[0].err) : "no partition");
        goto out;
    }
    printf("%lld\n", (long long)offsets->elems[0].offset);
out:
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return status;
}

int main(int argc, char **argv)
{
    char why[512];
    rd_kafka_conf_t *conf;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_DeleteRecords_t *request;
    rd_kafka_t *client;
    int status;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: delete_records BOOTSTRAP TOPIC PARTITION OFFSET\n");
        return 2;
    }
    conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why, sizeof why) != RD_KAFKA_CONF_OK) {
        return failed("configuration", why);
    }
    client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (client == NULL) {
        return failed("client", why);
    }
    list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, argv[2], (int32_t)strtol(argv[3], NULL, 10))->offset =
        strtoll(argv[4], NULL, 10);
    request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    status = delete_and_wait(client, request);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_destroy(client);
    return status;
}
