/* The reader: the caller assigns partitions and offsets, nothing is committed, a gap is an error.
 *
 * Messages are polled one by one: librdkafka's batch calls before 2.1.0 can lose messages around seek, pause and
 * rebalance. A poll that finds one waiting is cheap. */
#include "common/base/command.h"
#include "common/base/memory.h"
#include "common/base/timestamp.h"
#include "common/io/kafka.h"
#include "common/io/kafka_client.h"

#include <stdatomic.h>

struct kafka_reader {
    rd_kafka_t *client;
    const char *const *names;
    size_t name_count;
    rd_kafka_topic_t **topics; /* handles, so that a message's topic is found by comparing pointers */
    atomic_bool brokers_down;  /* set by the error callback */
    int64_t down_since_ms;     /* monotonic; 0: not down */
};

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct kafka_reader *reader = opaque;

    (void)client;
    (void)reason;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        atomic_store(&reader->brokers_down, true);
    }
}

static void prepare(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_error_cb(conf, on_error);
}

bool kafka_reader_open(const struct config *config, const char *program, const char *const *names, size_t name_count,
                       struct kafka_reader **out, struct error *err)
{
    static const struct kafka_setting settings[] = {
        {"group.id", "muster"}, /* never joined: partitions are assigned by hand */
        {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"}, {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"},  {"allow.auto.create.topics", "false"}, {NULL, NULL},
    };
    struct kafka_reader *reader = memory_allocate_zeroed(1, sizeof *reader);

    if (reader == NULL) {
        return error_no_memory(err, "starting the Kafka reader");
    }
    reader->names = names;
    reader->topics = memory_allocate_zeroed(name_count, sizeof *reader->topics);
    if (reader->topics == NULL) {
        error_no_memory(err, "starting the Kafka reader");
        goto out;
    }
    if (!kafka_client_new(config, RD_KAFKA_CONSUMER, program, settings, prepare, reader, &reader->client, err)) {
        goto out;
    }
    rd_kafka_poll_set_consumer(reader->client);
    for (size_t i = 0; i < name_count; i++) {
        reader->topics[i] = rd_kafka_topic_new(reader->client, names[i], NULL);
        if (reader->topics[i] == NULL) {
            kafka_client_error(rd_kafka_last_error(), "open a topic", err);
            goto out;
        }
        reader->name_count = i + 1;
    }
    *out = reader;
    return true;
out:
    kafka_reader_close(reader);
    return false;
}

void kafka_reader_close(struct kafka_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    for (size_t i = 0; i < reader->name_count; i++) {
        rd_kafka_topic_destroy(reader->topics[i]);
    }
    if (reader->client != NULL) {
        rd_kafka_consumer_close(reader->client);
        rd_kafka_destroy(reader->client);
    }
    memory_free(reader->topics);
    memory_free(reader);
}

/* Asks in slices, each longer than the one before, so that a signal to stop need not wait for a server that does not
 * answer, and one that is slow still comes to answer. */
static rd_kafka_resp_err_t ask_offsets(struct kafka_reader *reader, int16_t topic_no, int32_t partition,
                                       int64_t *out_low, int64_t *out_high)
{
    enum { SLICE_MIN_MS = 500 };
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int waited_ms = 0;

    for (int slice_ms = SLICE_MIN_MS; waited_ms < KAFKA_TIMEOUT_MS && !command_stopping(); slice_ms *= 2) {
        code = rd_kafka_query_watermark_offsets(reader->client, reader->names[topic_no], partition, out_low, out_high,
                                                slice_ms);
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT && code != RD_KAFKA_RESP_ERR__TRANSPORT) {
            return code;
        }
        waited_ms += slice_ms;
    }
    return code;
}

bool kafka_reader_offsets(struct kafka_reader *reader, int16_t topic_no, int32_t partition, int64_t *out_low,
                          int64_t *out_high, struct error *err)
{
    rd_kafka_resp_err_t code = ask_offsets(reader, topic_no, partition, out_low, out_high);

    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
        code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return error_set(err, ERROR_INPUT, "there is no partition %d of topic %s", (int)partition,
                         reader->names[topic_no]);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_client_error(code, "ask for a partition's offsets", err);
    }
    return true;
}

/* A gap: the log holds [low, high), the caller wants `offset`. */
static bool check_gap(struct kafka_reader *reader, int16_t topic_no, int32_t partition, int64_t offset,
                      struct error *err)
{
    int64_t low = 0;
    int64_t high = 0;

    if (!kafka_reader_offsets(reader, topic_no, partition, &low, &high, err)) {
        return false;
    }
    if (offset < low) {
        error_set(err, ERROR_INPUT, "topic %s, partition %d: the log no longer holds offsets [%lld, %lld)",
                  reader->names[topic_no], (int)partition, (long long)offset, (long long)low);
        return error_hint(err, "these messages are lost to this reader: rebuild from an archive that holds them, or "
                               "begin a new store");
    }
    if (offset > high) {
        error_set(err, ERROR_INPUT, "topic %s, partition %d: offsets [%lld, %lld) were read before and are gone",
                  reader->names[topic_no], (int)partition, (long long)high, (long long)offset);
        return error_hint(err, "the topic was recreated or another cluster answers: check kafka.bootstrap.servers");
    }
    return true;
}

/* Ends reading what is assigned. */
static bool unassign(struct kafka_reader *reader, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->client, NULL);

    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? true : kafka_client_error(code, "assign partitions", err);
}

bool kafka_reader_assign(struct kafka_reader *reader, const struct kafka_position *positions, size_t count,
                         struct error *err)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code;

    /* Without this each question below would wait behind a fetch that waits for new messages. */
    if (!unassign(reader, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_gap(reader, positions[i].topic_no, positions[i].partition, positions[i].offset_next, err)) {
            return false;
        }
    }
    if (count == 0) {
        return true;
    }
    list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, reader->names[positions[i].topic_no], positions[i].partition)->offset =
            positions[i].offset_next;
    }
    code = rd_kafka_assign(reader->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_client_error(code, "assign partitions", err);
    }
    return true;
}

static int16_t topic_no_of(const struct kafka_reader *reader, const rd_kafka_topic_t *topic)
{
    for (size_t i = 0; i < reader->name_count; i++) {
        if (reader->topics[i] == topic) {
            return (int16_t)i;
        }
    }
    for (size_t i = 0; i < reader->name_count; i++) {
        if (strcmp(reader->names[i], rd_kafka_topic_name(topic)) == 0) {
            return (int16_t)i;
        }
    }
    return -1;
}

/* Turns a polled message into an item, or an error. *taken says whether the item now owns the message. */
static bool take_message(struct kafka_reader *reader, rd_kafka_message_t *message, struct kafka_item *item, bool *taken,
                         struct error *err)
{
    int16_t topic_no = message->rkt == NULL ? -1 : topic_no_of(reader, message->rkt);

    *taken = false;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        bool is_end = message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        if (topic_no < 0) {
            return error_set(err, ERROR_INTERNAL, "got a message of a topic that was not asked for");
        }
        rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        *item = (struct kafka_item){
            .kind = is_end ? KAFKA_END : KAFKA_MESSAGE,
            .topic_no = topic_no,
            .partition = message->partition,
            .offset = message->offset,
            .time_ms = is_end ? -1 : rd_kafka_message_timestamp(message, &kind),
            .key = is_end ? slice_of(NULL, 0) : slice_of(message->key, message->key_len),
            .value = is_end ? slice_of(NULL, 0) : slice_of(message->payload, message->len),
            .handle = message,
        };
        *taken = true;
        reader->down_since_ms = 0;
        return true;
    }
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (topic_no >= 0 && check_gap(reader, topic_no, message->partition, message->offset, err)) {
            error_set(err, ERROR_INPUT, "topic %s, partition %d: the log does not hold the offset asked for",
                      reader->names[topic_no], (int)message->partition);
        }
        return false;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        atomic_store(&reader->brokers_down, true);
        return true;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return true; /* librdkafka tries again by itself; check_brokers says when it has been too long */
    default:
        return kafka_client_error(message->err, "read messages", err);
    }
}

/* When all brokers have been down for the time-out, asks once more, and gives up. */
static bool check_brokers(struct kafka_reader *reader, struct error *err)
{
    enum { ASK_MS = 5000 };
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t now_ms = timestamp_monotonic_ms();
    rd_kafka_resp_err_t code;

    if (!atomic_exchange(&reader->brokers_down, false) && reader->down_since_ms == 0) {
        return true;
    }
    if (reader->down_since_ms == 0) {
        reader->down_since_ms = now_ms;
    }
    if (now_ms - reader->down_since_ms < KAFKA_TIMEOUT_MS) {
        return true;
    }
    code = rd_kafka_metadata(reader->client, 0, NULL, &metadata, ASK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_client_error(code, "read messages", err);
    }
    rd_kafka_metadata_destroy(metadata);
    reader->down_since_ms = 0;
    return true;
}

bool kafka_reader_read(struct kafka_reader *reader, int64_t timeout_ms, struct kafka_item *items, size_t max,
                       size_t *out_count, struct error *err)
{
    int wait_ms = (int)(timeout_ms > 60000 ? 60000 : timeout_ms);
    size_t count = 0;
    size_t size = 0;

    *out_count = 0;
    if (!check_brokers(reader, err)) {
        return false;
    }
    while (count < max && size < KAFKA_READ_SIZE_MAX) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->client, wait_ms);
        bool taken = false;
        bool fine;

        if (message == NULL) {
            break;
        }
        fine = take_message(reader, message, &items[count], &taken, err);
        if (!taken) {
            rd_kafka_message_destroy(message);
        }
        if (!fine) {
            kafka_reader_release(items, count);
            return false;
        }
        size += taken ? items[count].key.size + items[count].value.size : 0;
        count += taken;
        wait_ms = 0;
    }
    *out_count = count;
    return true;
}

void kafka_reader_release(struct kafka_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(items[i].handle);
        items[i].handle = NULL;
    }
}
