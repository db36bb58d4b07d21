/* The producer: idempotent, acks from all replicas, bounded queue with back pressure. */
#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/io/kafka.h"
#include "common/io/kafka_client.h"

struct kafka_producer {
    rd_kafka_t *client;
    uint64_t delivered;
    uint64_t failed;
    rd_kafka_resp_err_t failure; /* of the first message that could not be delivered */
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;

    (void)client;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->delivered++;
        return;
    }
    producer->failed++;
    if (producer->failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->failure = message->err;
    }
}

static void prepare(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
}

bool kafka_producer_open(const struct config *config, struct kafka_producer **out, struct error *err)
{
    static const struct kafka_setting settings[] = {
        {"enable.idempotence", "true"},  {"acks", "all"}, {"partitioner", "murmur2_random"},
        {"message.timeout.ms", "60000"}, {NULL, NULL},
    };
    struct kafka_producer *producer = memory_allocate_zeroed(1, sizeof *producer);

    if (producer == NULL) {
        return error_no_memory(err, "starting the Kafka producer");
    }
    if (!kafka_client_new(config, RD_KAFKA_PRODUCER, "muster-produce", settings, prepare, producer, &producer->client,
                          err)) {
        memory_free(producer);
        return false;
    }
    *out = producer;
    return true;
}

static bool check_failure(const struct kafka_producer *producer, struct error *err)
{
    if (producer->failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return true;
    }
    kafka_client_error(producer->failure, "deliver a message", err);
    return error_context(err, "%llu messages not delivered", (unsigned long long)producer->failed);
}

bool kafka_producer_send(struct kafka_producer *producer, const char *topic, struct slice key, struct slice value,
                         int64_t time_ms, struct error *err)
{
    return kafka_producer_send_with(producer, topic, key, value, time_ms, NULL, 0, err);
}

/* The client owns what this gives once it has taken the message. NULL where there are none. */
static rd_kafka_headers_t *make_headers(const struct kafka_header *headers, size_t count)
{
    rd_kafka_headers_t *made = count == 0 ? NULL : rd_kafka_headers_new(count);

    for (size_t i = 0; made != NULL && i < count; i++) {
        if (rd_kafka_header_add(made, headers[i].name, -1, headers[i].value.data, (ssize_t)headers[i].value.size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(made);
            return NULL;
        }
    }
    return made;
}

bool kafka_producer_send_with(struct kafka_producer *producer, const char *topic, struct slice key, struct slice value,
                              int64_t time_ms, const struct kafka_header *headers, size_t header_count,
                              struct error *err)
{
    enum { PAUSE_MS = 100 };

    for (;;) {
        rd_kafka_headers_t *made = NULL;
        rd_kafka_resp_err_t code;

        if (!check_failure(producer, err)) {
            return false;
        }
        made = make_headers(headers, header_count);
        if (made == NULL && header_count > 0) {
            return error_no_memory(err, "a message's headers");
        }
        code = rd_kafka_producev(producer->client, RD_KAFKA_V_TOPIC(topic),
                                 RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size),
                                 RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.size), RD_KAFKA_V_TIMESTAMP(time_ms),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(made), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_poll(producer->client, 0);
            return true;
        }
        if (made != NULL) {
            rd_kafka_headers_destroy(made);
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return kafka_client_error(code, "send a message", err);
        }
        /* Full: wait for deliveries. Messages time out by themselves, so this ends. */
        rd_kafka_poll(producer->client, PAUSE_MS);
    }
}

bool kafka_producer_flush(struct kafka_producer *producer, int64_t timeout_ms, struct error *err)
{
    enum { PAUSE_MS = 100 };
    int64_t progress_ms = timestamp_monotonic_ms();
    uint64_t settled = producer->delivered + producer->failed;

    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_flush(producer->client, PAUSE_MS);

        if (!check_failure(producer, err)) {
            return false;
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return true;
        }
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT) {
            return kafka_client_error(code, "flush messages", err);
        }
        if (producer->delivered + producer->failed != settled) {
            settled = producer->delivered + producer->failed;
            progress_ms = timestamp_monotonic_ms();
        }
        if (timestamp_monotonic_ms() - progress_ms > timeout_ms) {
            return kafka_client_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "deliver all messages", err);
        }
    }
}

uint64_t kafka_producer_delivered(const struct kafka_producer *producer)
{
    return producer->delivered;
}

void kafka_producer_close(struct kafka_producer *producer)
{
    if (producer == NULL) {
        return;
    }
    rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer->client, 0);
    rd_kafka_destroy(producer->client);
    memory_free(producer);
}
