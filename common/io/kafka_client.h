/* Inside common/io only: how a librdkafka client is made and how its errors are told. */
#ifndef MUSTER_IO_KAFKA_CLIENT_H
#define MUSTER_IO_KAFKA_CLIENT_H

#include "common/base/config.h"
#include "common/base/error.h"

#include <librdkafka/rdkafka.h>

struct kafka_setting {
    const char *key; /* NULL ends the list */
    const char *value;
};

/* Sets callbacks. */
typedef void kafka_client_prepare(rd_kafka_conf_t *conf);

/* A client with [kafka] of the configuration, then `settings`, which win. `opaque` is given to callbacks. */
bool kafka_client_new(const struct config *config, rd_kafka_type_t type, const char *program,
                      const struct kafka_setting *settings, kafka_client_prepare *prepare, void *opaque,
                      rd_kafka_t **out, struct error *err) MUST_CHECK;

/* "could not WHAT: ..." with the code that fits. Always returns false. */
bool kafka_client_error(rd_kafka_resp_err_t code, const char *what, struct error *err);

#endif
