/* What unit tests share. tests/unit/test_NAME.c defines `Suite *NAME_suite(void)`; the build finds it by its name. */
#ifndef MUSTER_TESTS_UNIT_H
#define MUSTER_TESTS_UNIT_H

#include "common/base/error.h"
#include "common/base/memory.h"

#include <check.h>

struct unit_suite {
    const char *name;
    Suite *(*make)(void);
};

/* Generated: ends with a zeroed element. */
extern const struct unit_suite unit_suites[];

/* `call` is a fallible function with `&err` as its last argument, `struct error err` in scope. */
#define ck_assert_ok(call) ck_assert_msg((call), "%s failed: %s", #call, err.message)
#define ck_assert_fails(call, wanted_code, part)                                                                       \
    do {                                                                                                               \
        ck_assert_msg(!(call), "%s did not fail", #call);                                                              \
        ck_assert_msg(err.code == (wanted_code), "%s: code %s: %s", #call, error_code_name(err.code), err.message);    \
        ck_assert_msg(strstr(err.message, (part)) != NULL, "%s: \"%s\" is not in: %s", #call, (part), err.message);    \
    } while (0)

/* A scenario that must end cleanly whatever allocation fails: true when all of it worked. */
typedef bool unit_scenario(void *context, struct error *err);

/* Runs the scenario with its first, second, ... k-th allocation (and every later one) failing, until it needs no more
 * than it gets. Each failure must set an error; leaks show under the address sanitizer. Fails the test when the
 * scenario never works, or when it allocates nothing. */
void unit_fail_each_allocation(unit_scenario *scenario, void *context);

/* A folder of its own under /var/tmp, removed by unit_folder_remove. The text is owned by the caller (memory_free). */
char *unit_folder_make(void);
void unit_folder_remove(char *folder);
/* Writes folder/name and returns its path, owned by the caller. */
char *unit_file_write(const char *folder, const char *name, struct slice content);

/* What the process prints to a descriptor (STDOUT_FILENO, STDERR_FILENO) from begin to end; the text is owned by the
 * caller (memory_free). */
struct unit_capture {
    int descriptor;
    int saved;
    int file;
};
void unit_capture_begin(struct unit_capture *capture, int descriptor);
char *unit_capture_end(struct unit_capture *capture);

#endif
