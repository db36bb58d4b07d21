#include "common/io/redis.h"

#include <stdlib.h>
#include <string.h>

enum { REDIS_PORT = 6379, PORT_MAX = 65535, DATABASE_MAX = 1 << 20 };

static bool refuse(struct error *err, const char *what)
{
    (void)error_set(err, ERROR_USAGE, "redis.url: %s", what);
    return error_hint(err, "expected redis://[:password@]host[:port][/db] or unix:///path");
}

static bool digit_value(char digit, unsigned *out)
{
    if (digit >= '0' && digit <= '9') {
        *out = (unsigned)(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
        *out = (unsigned)(digit - 'a') + 10;
    } else if (digit >= 'A' && digit <= 'F') {
        *out = (unsigned)(digit - 'A') + 10;
    } else {
        return false;
    }
    return true;
}

/* Copies with %XX decoded. */
static bool copy_decoded(struct slice text, char *out, size_t size)
{
    size_t used = 0;

    for (size_t index = 0; index < text.size; index++) {
        char byte = text.data[index];
        unsigned high;
        unsigned low;

        if (byte == '%') {
            if (text.size - index < 3 || !digit_value(text.data[index + 1], &high) ||
                !digit_value(text.data[index + 2], &low) || high + low == 0) {
                return false;
            }
            byte = (char)(high * 16 + low);
            index += 2;
        }
        if (used + 1 >= size) {
            return false;
        }
        out[used++] = byte;
    }
    out[used] = '\0';
    return true;
}

static bool parse_number(struct slice text, int max, int *out)
{
    int number = 0;

    if (text.size == 0 || text.size > 8) {
        return false;
    }
    for (size_t index = 0; index < text.size; index++) {
        if (text.data[index] < '0' || text.data[index] > '9') {
            return false;
        }
        number = number * 10 + (text.data[index] - '0');
    }
    *out = number;
    return number <= max;
}

/* "user:password" before the @. */
static bool parse_credentials(struct slice text, struct redis_address *out)
{
    const char *colon = memchr(text.data, ':', text.size);
    size_t user_size = colon == NULL ? 0 : (size_t)(colon - text.data);
    struct slice password = colon == NULL ? text : slice_of(colon + 1, text.size - user_size - 1);

    return copy_decoded(slice_of(text.data, user_size), out->user, sizeof out->user) &&
           copy_decoded(password, out->password, sizeof out->password);
}

bool redis_address_parse(const char *url, struct redis_address *out, struct error *err)
{
    struct slice text = slice_from(url);
    const char *end;
    const char *at;
    const char *colon;
    struct slice host;

    *out = (struct redis_address){.port = REDIS_PORT};
    if (slice_starts_with(text, SLICE_LITERAL("unix://"))) {
        out->port = 0;
        text = slice_of(text.data + 7, text.size - 7);
        return (text.size > 0 && copy_decoded(text, out->host, sizeof out->host)) || refuse(err, "no path of a socket");
    }
    if (!slice_starts_with(text, SLICE_LITERAL("redis://"))) {
        return refuse(err, "it does not begin with redis:// or unix://");
    }
    text = slice_of(text.data + 8, text.size - 8);
    at = memrchr(text.data, '@', text.size);
    if (at != NULL) {
        struct slice credentials = slice_of(text.data, (size_t)(at - text.data));

        if (!parse_credentials(credentials, out)) {
            return refuse(err, "the part before @ cannot be read");
        }
        text = slice_of(at + 1, text.size - credentials.size - 1);
    }
    end = memchr(text.data, '/', text.size);
    host = end == NULL ? text : slice_of(text.data, (size_t)(end - text.data));
    if (end != NULL) {
        struct slice database = slice_of(end + 1, text.size - host.size - 1);

        if (database.size > 0 && !parse_number(database, DATABASE_MAX, &out->database)) {
            return refuse(err, "the database must be a number");
        }
    }
    colon = memrchr(host.data, ':', host.size);
    if (colon != NULL && memchr(colon, ']', (size_t)(host.data + host.size - colon)) == NULL) {
        struct slice port = slice_of(colon + 1, (size_t)(host.data + host.size - colon) - 1);

        if (!parse_number(port, PORT_MAX, &out->port) || out->port == 0) {
            return refuse(err, "the port must be a number from 1 to 65535");
        }
        host = slice_of(host.data, (size_t)(colon - host.data));
    }
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = slice_of(host.data + 1, host.size - 2);
    }
    return (host.size > 0 && copy_decoded(host, out->host, sizeof out->host)) || refuse(err, "no host");
}
