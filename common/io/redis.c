#include "common/io/redis.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    CONNECT_SECONDS = 2,
    ANSWER_SECONDS = 5,
    QUEUE_MAX = 256,
    MEMBERSHIPS_MAX = 100000,
    NUMBER_SIZE = 24,
    SCAN_COUNT = 1000
};

struct redis {
    redisContext *context;
    char script[64]; /* SHA-1 of the script, as the server names it */
    size_t queued;
    struct redis_written written;
    const char **arguments; /* working memory of one command */
    size_t *sizes;
    size_t argument_capacity;
    struct buffer numbers; /* texts of valid_until */
};

/* KEYS: the user's hash, the user's version, the rebuild number, the number of a rebuild under way.
 * ARGV: version, rebuild, user, then segment and valid_until in turns. 1: done, 0: a newer version is there, -1:
 * another rebuild. The segments' sets follow in the same step, so that no reader sees one without the other. */
static const char script_text[] = "local under_way = redis.call('GET', KEYS[4])\n"
                                  "local number = under_way or redis.call('GET', KEYS[3])\n"
                                  "if number ~= ARGV[2] then return -1 end\n"
                                  "local known = redis.call('GET', KEYS[2])\n"
                                  "if known and tonumber(known) > tonumber(ARGV[1]) then return 0 end\n"
                                  "local before = redis.call('HKEYS', KEYS[1])\n"
                                  "redis.call('DEL', KEYS[1])\n"
                                  "local now = {}\n"
                                  "for i = 4, #ARGV, 2 do\n"
                                  "  now[ARGV[i]] = true\n"
                                  "  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])\n"
                                  "  redis.call('SADD', 'muster:s:' .. ARGV[i], ARGV[3])\n"
                                  "end\n"
                                  "for _, segment in ipairs(before) do\n"
                                  "  if not now[segment] then redis.call('SREM', 'muster:s:' .. segment, ARGV[3]) end\n"
                                  "end\n"
                                  "redis.call('SET', KEYS[2], ARGV[1])\n"
                                  "return 1\n";

static bool broken(const struct redis *redis, struct error *err)
{
    if (redis->context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        (void)error_set(err, ERROR_UNREACHABLE, "Redis did not answer within %d s", (int)ANSWER_SECONDS);
    } else {
        (void)error_set(err, ERROR_UNREACHABLE, "the connection to Redis broke: %s",
                        redis->context->err != 0 ? redis->context->errstr : "no answer");
    }
    (void)error_hint(err, "is it running, and is redis.url (MUSTER_REDIS_URL) right?");
    return error_action(err, ERROR_RETRY);
}

/* The server's answer to one command: NULL, with an error, where there is none or it is a refusal. */
static redisReply *answer(struct redis *redis, redisReply *reply, const char *what, struct error *err)
{
    if (reply == NULL) {
        (void)broken(redis, err);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        bool loading = strncmp(reply->str, "LOADING", 7) == 0 || strncmp(reply->str, "MASTERDOWN", 10) == 0;

        (void)error_set(err, loading ? ERROR_UNREACHABLE : ERROR_INTERNAL, "Redis refused %s: %.200s", what,
                        reply->str);
        (void)error_action(err, loading ? ERROR_RETRY : ERROR_STOP);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static redisReply *command(struct redis *redis, const char *what, struct error *err, int count, const char **arguments)
{
    return answer(redis, redisCommandArgv(redis->context, count, arguments, NULL), what, err);
}

static bool command_done(struct redis *redis, const char *what, struct error *err, int count, const char **arguments)
{
    redisReply *reply = command(redis, what, err, count, arguments);

    freeReplyObject(reply);
    return reply != NULL;
}

static bool authenticate(struct redis *redis, const struct redis_address *address, struct error *err)
{
    if (address->password[0] != '\0') {
        const char *both[] = {"AUTH", address->user, address->password};
        const char *one[] = {"AUTH", address->password};
        bool ok = address->user[0] != '\0' ? command_done(redis, "the password", err, 3, both)
                                           : command_done(redis, "the password", err, 2, one);

        if (!ok) {
            if (err->code == ERROR_INTERNAL) {
                err->code = ERROR_USAGE;
                (void)error_hint(err, "check the user and password of redis.url");
            }
            return false;
        }
    }
    if (address->database != 0) {
        char number[NUMBER_SIZE];
        const char *arguments[] = {"SELECT", number};

        (void)snprintf(number, sizeof number, "%d", address->database);
        return command_done(redis, "the database", err, 2, arguments);
    }
    return true;
}

static bool load_script(struct redis *redis, struct error *err)
{
    const char *arguments[] = {"SCRIPT", "LOAD", script_text};
    redisReply *reply = command(redis, "the script", err, 3, arguments);

    if (reply == NULL) {
        return false;
    }
    (void)snprintf(redis->script, sizeof redis->script, "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    return true;
}

bool redis_open(const char *url, struct redis **out, struct error *err)
{
    struct timeval connect_timeout = {.tv_sec = CONNECT_SECONDS};
    struct timeval answer_timeout = {.tv_sec = ANSWER_SECONDS};
    struct redis_address address;
    struct redis *redis;

    *out = NULL;
    if (!redis_address_parse(url, &address, err)) {
        return false;
    }
    redis = memory_allocate_zeroed(1, sizeof *redis);
    if (redis == NULL) {
        return error_no_memory(err, "the connection to Redis");
    }
    buffer_init(&redis->numbers, MEMBERSHIPS_MAX * NUMBER_SIZE);
    redis->context = address.port == 0 ? redisConnectUnixWithTimeout(address.host, connect_timeout)
                                       : redisConnectWithTimeout(address.host, address.port, connect_timeout);
    if (redis->context == NULL || redis->context->err != 0) {
        (void)error_set(err, ERROR_UNREACHABLE, "could not connect to Redis: %s",
                        redis->context == NULL ? "no memory" : redis->context->errstr);
        (void)error_hint(err, "is it running, and is redis.url (MUSTER_REDIS_URL) right?");
        (void)error_action(err, ERROR_RETRY);
        goto failed;
    }
    (void)redisEnableKeepAlive(redis->context);
    if (redisSetTimeout(redis->context, answer_timeout) != REDIS_OK) {
        (void)broken(redis, err);
        goto failed;
    }
    if (!authenticate(redis, &address, err) || !load_script(redis, err)) {
        goto failed;
    }
    explicit_bzero(&address, sizeof address);
    *out = redis;
    return true;
failed:
    explicit_bzero(&address, sizeof address);
    redis_close(redis);
    return false;
}

void redis_close(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    if (redis->context != NULL) {
        redisFree(redis->context);
    }
    buffer_clear(&redis->numbers);
    memory_free(redis->arguments);
    memory_free(redis->sizes);
    memory_free(redis);
}

bool redis_rebuild_number(struct redis *redis, int64_t *out, struct error *err)
{
    const char *arguments[] = {"GET", "muster:rebuild"};
    redisReply *reply = command(redis, "a read", err, 2, arguments);

    if (reply == NULL) {
        return false;
    }
    *out = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return true;
}

/* ---- a user's membership ----------------------------------------------------------------------------------------- */

/* Takes one answer of the pipeline. */
static bool take_answer(struct redis *redis, struct error *err)
{
    void *raw = NULL;
    redisReply *reply;

    if (redisGetReply(redis->context, &raw) != REDIS_OK) {
        return broken(redis, err);
    }
    redis->queued--;
    reply = answer(redis, raw, "a membership", err);
    if (reply == NULL) {
        return false;
    }
    redis->written.applied += reply->integer == 1;
    redis->written.stale += reply->integer == 0;
    redis->written.foreign += reply->integer == -1;
    freeReplyObject(reply);
    return true;
}

static bool take_answers(struct redis *redis, struct error *err)
{
    struct error later = ERROR_INIT;
    bool ok = true;

    while (redis->queued > 0) {
        /* Every answer is taken, so that the connection stays in step; the first refusal is reported. */
        if (!take_answer(redis, ok ? err : &later)) {
            ok = false;
            if (redis->context->err != 0) {
                return false;
            }
        }
    }
    return ok;
}

static bool arguments_reserve(struct redis *redis, size_t count, struct error *err)
{
    size_t capacity = redis->argument_capacity == 0 ? 64 : redis->argument_capacity;
    const char **arguments;
    size_t *sizes;

    while (capacity < count) {
        capacity *= 2;
    }
    if (capacity == redis->argument_capacity) {
        return true;
    }
    arguments = memory_resize(redis->arguments, capacity, sizeof *arguments);
    if (arguments == NULL) {
        return error_no_memory(err, "a command for Redis");
    }
    redis->arguments = arguments;
    sizes = memory_resize(redis->sizes, capacity, sizeof *sizes);
    if (sizes == NULL) {
        return error_no_memory(err, "a command for Redis");
    }
    redis->sizes = sizes;
    redis->argument_capacity = capacity;
    return true;
}

static void argument_set(struct redis *redis, size_t index, struct slice text)
{
    redis->arguments[index] = text.data;
    redis->sizes[index] = text.size;
}

bool redis_put_user(struct redis *redis, struct slice user_id, int64_t version, int64_t rebuild_no,
                    const struct redis_membership *memberships, size_t count, struct error *err)
{
    char hash_key[320];
    char version_key[320];
    char version_text[NUMBER_SIZE];
    char rebuild_text[NUMBER_SIZE];
    size_t argument_count = 10 + 2 * count;
    size_t offset = 0;

    if (count > MEMBERSHIPS_MAX || user_id.size > 256) {
        return error_set(err, ERROR_INTERNAL, "a user with %zu memberships is too large for Redis", count);
    }
    if (!arguments_reserve(redis, argument_count, err)) {
        return false;
    }
    memcpy(hash_key, "muster:u:", 9);
    memcpy(version_key, "muster:v:", 9);
    memcpy(hash_key + 9, user_id.data, user_id.size);
    memcpy(version_key + 9, user_id.data, user_id.size);
    (void)snprintf(version_text, sizeof version_text, "%lld", (long long)version);
    (void)snprintf(rebuild_text, sizeof rebuild_text, "%lld", (long long)rebuild_no);
    argument_set(redis, 0, SLICE_LITERAL("EVALSHA"));
    argument_set(redis, 1, slice_from(redis->script));
    argument_set(redis, 2, SLICE_LITERAL("4"));
    argument_set(redis, 3, slice_of(hash_key, user_id.size + 9));
    argument_set(redis, 4, slice_of(version_key, user_id.size + 9));
    argument_set(redis, 5, SLICE_LITERAL("muster:rebuild"));
    argument_set(redis, 6, SLICE_LITERAL("muster:rebuilding"));
    argument_set(redis, 7, slice_from(version_text));
    argument_set(redis, 8, slice_from(rebuild_text));
    argument_set(redis, 9, user_id);
    buffer_reset(&redis->numbers);
    for (size_t index = 0; index < count; index++) {
        if (memberships[index].valid_until != TIMESTAMP_NEVER) {
            buffer_append_integer(&redis->numbers, memberships[index].valid_until);
        }
        buffer_append_char(&redis->numbers, '\0');
    }
    if (!buffer_finish(&redis->numbers, "a command for Redis", err)) {
        return false;
    }
    for (size_t index = 0; index < count; index++) {
        struct slice number = slice_from(redis->numbers.data + offset);

        argument_set(redis, 10 + 2 * index, memberships[index].segment_id);
        argument_set(redis, 11 + 2 * index, number);
        offset += number.size + 1;
    }
    if (redisAppendCommandArgv(redis->context, (int)argument_count, redis->arguments, redis->sizes) != REDIS_OK) {
        return broken(redis, err);
    }
    redis->queued++;
    return redis->queued < QUEUE_MAX || take_answers(redis, err);
}

bool redis_flush(struct redis *redis, struct redis_written *out, struct error *err)
{
    bool ok = take_answers(redis, err);

    *out = redis->written;
    redis->written = (struct redis_written){.applied = 0};
    return ok;
}

/* ---- rebuild ----------------------------------------------------------------------------------------------------- */

/* Removes the keys of one piece of a SCAN. */
static bool unlink_keys(struct redis *redis, const redisReply *keys, struct error *err)
{
    redisReply *reply;

    if (keys->elements == 0) {
        return true;
    }
    if (!arguments_reserve(redis, keys->elements + 1, err)) {
        return false;
    }
    argument_set(redis, 0, SLICE_LITERAL("UNLINK"));
    for (size_t index = 0; index < keys->elements; index++) {
        argument_set(redis, index + 1, slice_of(keys->element[index]->str, (size_t)keys->element[index]->len));
    }
    reply = answer(redis, redisCommandArgv(redis->context, (int)keys->elements + 1, redis->arguments, redis->sizes),
                   "a removal", err);
    freeReplyObject(reply);
    return reply != NULL;
}

static bool remove_layout(struct redis *redis, struct error *err)
{
    char cursor[NUMBER_SIZE] = "0";

    do {
        char count[NUMBER_SIZE];
        const char *arguments[] = {"SCAN", cursor, "MATCH", "muster:[usv]:*", "COUNT", count};
        redisReply *reply;
        bool ok;

        (void)snprintf(count, sizeof count, "%d", SCAN_COUNT);
        reply = command(redis, "a scan", err, 6, arguments);
        if (reply == NULL) {
            return false;
        }
        ok = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->str != NULL;
        if (ok) {
            (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
            ok = unlink_keys(redis, reply->element[1], err);
        } else {
            (void)error_set(err, ERROR_INTERNAL, "Redis answered a scan with something else");
        }
        freeReplyObject(reply);
        if (!ok) {
            return false;
        }
    } while (strcmp(cursor, "0") != 0);
    return true;
}

bool redis_rebuild_begin(struct redis *redis, int64_t rebuild_no, struct error *err)
{
    char number[NUMBER_SIZE];
    const char *begin[] = {"SET", "muster:rebuilding", number};
    const char *hide[] = {"DEL", "muster:rebuild"};

    (void)snprintf(number, sizeof number, "%lld", (long long)rebuild_no);
    return command_done(redis, "the rebuild", err, 3, begin) && command_done(redis, "the rebuild", err, 2, hide) &&
           remove_layout(redis, err);
}

bool redis_rebuild_end(struct redis *redis, int64_t rebuild_no, struct error *err)
{
    static const char end_text[] = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n"
                                   "redis.call('SET', KEYS[1], ARGV[1])\n"
                                   "redis.call('DEL', KEYS[2])\n"
                                   "return 1\n";
    char number[NUMBER_SIZE];
    const char *arguments[] = {"EVAL", end_text, "2", "muster:rebuild", "muster:rebuilding", number};
    redisReply *reply;
    bool done;

    (void)snprintf(number, sizeof number, "%lld", (long long)rebuild_no);
    reply = command(redis, "the end of the rebuild", err, 6, arguments);
    if (reply == NULL) {
        return false;
    }
    done = reply->integer == 1;
    freeReplyObject(reply);
    return done || error_set(err, ERROR_INTERNAL, "another rebuild of Redis has begun: rebuild %lld is given up",
                             (long long)rebuild_no);
}
