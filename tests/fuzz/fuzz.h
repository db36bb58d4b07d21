/* Fuzzing: targets that take any bytes, and what they share. A target must neither crash, leak, nor break one of the
 * properties it checks; fuzz_check aborts where it does, which libFuzzer and replay both report with the input.
 *
 * `make fuzz` runs each target under libFuzzer (libfuzzer.c); tests/fuzz/run replays the corpus in a build without
 * clang (replay.c). */
#ifndef MUSTER_TESTS_FUZZ_H
#define MUSTER_TESTS_FUZZ_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/memory.h"
#include "common/domain/event.h"
#include "common/domain/lane.h"
#include "common/domain/ruleset.h"
#include "common/domain/user_state.h"

#include <stddef.h>
#include <stdint.h>

typedef void fuzz_run(struct slice input);

struct fuzz_target {
    const char *name; /* also of its folder in the corpus */
    fuzz_run *run;
};

/* Ends with a zeroed element. */
extern const struct fuzz_target fuzz_targets[];
/* NULL where there is none of that name. */
const struct fuzz_target *fuzz_find(const char *name);

fuzz_run fuzz_definition;
fuzz_run fuzz_event;
fuzz_run fuzz_mapping;
fuzz_run fuzz_rules;
fuzz_run fuzz_state;

/* Says what is wrong and aborts. */
_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
#define fuzz_check(condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fuzz_fail(__FILE__, __LINE__, __VA_ARGS__);                                                                \
        }                                                                                                              \
    } while (0)

/* A JSON string, with quotes. The bytes are not checked. */
void fuzz_append_string(struct buffer *out, struct slice text);

/* ---- definitions, compiled, with the messages to evaluate over ---- */

enum { FUZZ_MESSAGES_MAX = 40, FUZZ_USERS_MAX = 3 };

struct fuzz_world {
    struct segment_set set;
    struct ruleset *ruleset;
    struct evaluation *evaluation;
    struct json_document document;
    struct arena arena;
    struct buffer texts; /* of the messages, one behind the other */
    struct {
        size_t begin;
        size_t size;
    } messages[FUZZ_MESSAGES_MAX];
    size_t message_count;
};

/* Parses, checks and compiles; false where the definitions are refused. Always to be cleared. Zones are invented: each
 * name has one, with a midnight that does not exist and one that comes twice near FUZZ_EPOCH_MS. */
#define FUZZ_EPOCH_MS INT64_C(1772323190000)
bool fuzz_world_init(struct fuzz_world *world, struct slice definitions, struct error *err) MUST_CHECK;
void fuzz_world_clear(struct fuzz_world *world);
/* Adds what was appended to world->texts since the last message as one message; false when there are enough. */
bool fuzz_world_message(struct fuzz_world *world);
/* Decodes a message, which must be well formed; borrowed until the next one. False for no memory. */
bool fuzz_world_event(struct fuzz_world *world, size_t message, struct event *out, struct error *err) MUST_CHECK;

/* All the ways to ask for memberships agree: event by event (only segments that the event touched asked anew) and from
 * the beginning; at an instant and over time; in the order given and backwards, where there are no copies. False for no
 * memory. */
bool fuzz_world_compare(struct fuzz_world *world, struct error *err) MUST_CHECK;
/* A lane fed with the messages ends with records that say the truth; one that was restarted half way writes the same.
 * `step`: messages between two looks at the timers. False for no memory. */
bool fuzz_world_lane(struct fuzz_world *world, size_t step, int64_t bound_ms, struct error *err) MUST_CHECK;

#endif
