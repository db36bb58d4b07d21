/* What is common to Kafka's producer and reader: settings, partitioner, topics. librdkafka's default partitioner
 * (CRC32) is not Java's, so murmur2 is set by name everywhere: producers that disagree would put one user on two
 * partitions. */
#include "common/io/kafka.h"

#include "common/base/command.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/io/kafka_client.h"

#include <librdkafka/rdkafka.h>
#include <syslog.h>

enum { ERRSTR_SIZE = 256 };

int32_t kafka_partition(struct slice key, int32_t count)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.size, count, NULL, NULL);
}

void kafka_topics(const struct config *config, const char *names[KAFKA_TOPIC_COUNT])
{
    names[0] = config_text(config, "topics.events");
    names[1] = config_text(config, "topics.profiles");
    names[2] = config_text(config, "topics.consent");
}

/* Keys that only one kind of client knows; librdkafka would warn about them in the other. */
static bool key_is_for(const char *key, rd_kafka_type_t type)
{
    static const char *const producer_only[] = {"acks",
                                                "linger.ms",
                                                "compression.type",
                                                "compression.codec",
                                                "batch.size",
                                                "batch.num.messages",
                                                "partitioner",
                                                "queue.buffering.max.messages",
                                                "queue.buffering.max.kbytes",
                                                "queue.buffering.max.ms",
                                                "message.timeout.ms",
                                                "delivery.timeout.ms"};
    static const char *const consumer_prefixes[] = {"fetch.",   "queued.",    "group.",
                                                    "session.", "check.crcs", "isolation."};

    for (size_t i = 0; i < sizeof producer_only / sizeof producer_only[0]; i++) {
        if (strcmp(key, producer_only[i]) == 0) {
            return type == RD_KAFKA_PRODUCER;
        }
    }
    for (size_t i = 0; i < sizeof consumer_prefixes / sizeof consumer_prefixes[0]; i++) {
        if (strncmp(key, consumer_prefixes[i], strlen(consumer_prefixes[i])) == 0) {
            return type == RD_KAFKA_CONSUMER;
        }
    }
    return true;
}

struct conf_target {
    rd_kafka_conf_t *conf;
    rd_kafka_type_t type;
};

static bool conf_set(void *context, const char *key, const char *value, struct error *err)
{
    const struct conf_target *target = context;
    char reason[ERRSTR_SIZE];

    if (!key_is_for(key, target->type)) {
        return true;
    }
    /* librdkafka's reason may repeat the value, which may be a secret: only its kind is told. */
    switch (rd_kafka_conf_set(target->conf, key, value, reason, sizeof reason)) {
    case RD_KAFKA_CONF_OK:
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        error_set(err, ERROR_USAGE, "[kafka] %s: librdkafka knows no such setting", key);
        return error_hint(err, "see librdkafka's CONFIGURATION.md for the names");
    case RD_KAFKA_CONF_INVALID:
    default:
        return error_set(err, ERROR_USAGE, "[kafka] %s: librdkafka does not accept the value", key);
    }
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    /* Connection trouble is reported by the calls that suffer from it; the library repeats it every second. */
    if (level <= LOG_CRIT) {
        log_error("kafka: %s: %s", facility, text);
    } else {
        log_debug("kafka: %s: %s", facility, text);
    }
}

bool kafka_client_new(const struct config *config, rd_kafka_type_t type, const char *program,
                      const struct kafka_setting *settings, kafka_client_prepare *prepare, void *opaque,
                      rd_kafka_t **out, struct error *err)
{
    char reason[ERRSTR_SIZE];
    struct conf_target target = {.conf = rd_kafka_conf_new(), .type = type};
    bool done = false;

    if (!config_each(config, "kafka", conf_set, &target, err)) {
        goto out;
    }
    rd_kafka_conf_set_log_cb(target.conf, on_log);
    rd_kafka_conf_set_opaque(target.conf, opaque);
    if (!conf_set(&target, "client.id", program, err)) {
        goto out;
    }
    for (const struct kafka_setting *setting = settings; setting != NULL && setting->key != NULL; setting++) {
        if (rd_kafka_conf_set(target.conf, setting->key, setting->value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
            error_set(err, ERROR_INTERNAL, "cannot set %s of librdkafka: %s", setting->key, reason);
            goto out;
        }
    }
    if (prepare != NULL) {
        prepare(target.conf);
    }
    *out = rd_kafka_new(type, target.conf, reason, sizeof reason);
    if (*out == NULL) {
        error_set(err, ERROR_USAGE, "cannot start the Kafka client: %s", reason);
        goto out;
    }
    target.conf = NULL; /* the client owns it now */
    done = true;
out:
    if (target.conf != NULL) {
        rd_kafka_conf_destroy(target.conf);
    }
    return done;
}

bool kafka_client_error(rd_kafka_resp_err_t code, const char *what, struct error *err)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        error_set(err, ERROR_UNREACHABLE, "could not %s: no Kafka broker answers (%s)", what, rd_kafka_err2str(code));
        error_action(err, ERROR_RETRY);
        return error_hint(err, "check kafka.bootstrap.servers (MUSTER_KAFKA_BOOTSTRAP_SERVERS) and that Kafka runs");
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return error_set(err, ERROR_USAGE, "could not %s: Kafka refuses: %s", what, rd_kafka_err2str(code));
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: /* a name that no topic can have */
        return error_set(err, ERROR_USAGE, "cannot %s: Kafka refuses: %s", what, rd_kafka_err2str(code));
    default:
        return error_set(err, ERROR_INTERNAL, "could not %s: Kafka: %s", what, rd_kafka_err2str(code));
    }
}

/* ---- topics ---- */

/* Asks in slices, so that a signal ends the wait for a broker that does not answer. */
static rd_kafka_resp_err_t metadata_ask(rd_kafka_t *client, rd_kafka_topic_t *topic,
                                        const struct rd_kafka_metadata **metadata)
{
    enum { SLICE_MS = 500 };
    int64_t begun_ms = timestamp_monotonic_ms();
    rd_kafka_resp_err_t code;

    do {
        code = rd_kafka_metadata(client, 0, topic, metadata, SLICE_MS);
    } while ((code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT) && !command_stopping() &&
             timestamp_monotonic_ms() - begun_ms < KAFKA_TIMEOUT_MS);
    return code;
}

static bool topic_check_one(rd_kafka_t *client, const char *name, int32_t partitions, bool *missing, struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t code;
    bool done = false;

    *missing = false;
    if (topic == NULL) {
        return kafka_client_error(rd_kafka_last_error(), "look up a topic", err);
    }
    code = metadata_ask(client, topic, &metadata);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_error(code, "look up a topic", err);
        goto out;
    }
    if (metadata->topic_cnt != 1 || metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        metadata->topics[0].err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || metadata->topics[0].partition_cnt == 0) {
        *missing = true;
    } else if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_error(metadata->topics[0].err, "look up a topic", err);
        goto out;
    } else if (metadata->topics[0].partition_cnt != partitions) {
        error_set(err, ERROR_USAGE, "topic %s has %d partitions, topics.partitions says %d", name,
                  metadata->topics[0].partition_cnt, (int)partitions);
        error_hint(err, "users would move between lanes: use the count that the topic and the store were made with");
        goto out;
    }
    done = true;
out:
    if (metadata != NULL) {
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return done;
}

/* A consumer in both cases: asking about a topic as a producer may create it with the broker's default count. */
static const struct kafka_setting no_creation[] = {{"allow.auto.create.topics", "false"}, {NULL, NULL}};

static bool topic_create(rd_kafka_t *client, const char *name, int32_t partitions, struct error *err)
{
    char reason[ERRSTR_SIZE];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, -1, reason, sizeof reason);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_CreateTopics_result_t *result;
    size_t count = 0;
    bool done = false;

    if (topic == NULL) {
        error_set(err, ERROR_USAGE, "cannot create topic %s: %s", name, reason);
        goto out;
    }
    if (rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_TIMEOUT_MS, reason, sizeof reason) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_TIMEOUT_MS, reason, sizeof reason) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        error_set(err, ERROR_INTERNAL, "cannot create topic %s: %s", name, reason);
        goto out;
    }
    rd_kafka_CreateTopics(client, &topic, 1, options, queue);
    event = rd_kafka_queue_poll(queue, KAFKA_TIMEOUT_MS + 1000);
    if (event == NULL) {
        kafka_client_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "create a topic", err);
        goto out;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_error(rd_kafka_event_error(event), "create a topic", err);
        goto out;
    }
    result = rd_kafka_event_CreateTopics_result(event);
    if (result != NULL) {
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
        rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            kafka_client_error(code, "create a topic", err);
            error_context(err, "topic %s", name);
            goto out;
        }
    }
    done = true;
out:
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    if (topic != NULL) {
        rd_kafka_NewTopic_destroy(topic);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return done;
}

bool kafka_topics_ensure(const struct config *config, const char *const *names, size_t name_count, int32_t partitions,
                         struct error *err)
{
    enum { TRIES_MAX = 100, PAUSE_MS = 100 };
    rd_kafka_t *client = NULL;
    bool done = false;

    if (!kafka_client_new(config, RD_KAFKA_CONSUMER, "muster-topics", no_creation, NULL, NULL, &client, err)) {
        return false;
    }
    for (size_t i = 0; i < name_count; i++) {
        bool missing = false;
        bool created = false;
        for (int tries = 0;; tries++) {
            if (!topic_check_one(client, names[i], partitions, &missing, err)) {
                goto out;
            }
            if (!missing) {
                break;
            }
            if (tries == TRIES_MAX) {
                error_set(err, ERROR_UNREACHABLE, "topic %s was created but does not appear", names[i]);
                goto out;
            }
            if (!created && !topic_create(client, names[i], partitions, err)) {
                goto out;
            }
            created = true;
            rd_kafka_poll(client, PAUSE_MS);
        }
    }
    done = true;
out:
    rd_kafka_destroy(client);
    return done;
}
