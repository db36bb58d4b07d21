/* Where a JSON text has its joints: the first of the two steps in which a message is read (json_project.c is the
 * other).
 *
 * A joint is a bracket, comma or colon outside strings, the opening quote of a string, or the first character of
 * anything else that is no blank: of a number or word, or of something that does not belong there. They are found 64
 * bytes at a time with whatever the processor offers; every level finds the same. */
#ifndef MUSTER_DOMAIN_JSON_INDEX_H
#define MUSTER_DOMAIN_JSON_INDEX_H

#include "common/base/memory.h"

#include <stdint.h>

enum json_index_level {
    JSON_INDEX_NONE = 0,
    JSON_INDEX_PORTABLE,
    JSON_INDEX_SSE2,
    JSON_INDEX_AVX2,
    JSON_INDEX_AVX512,
    JSON_INDEX_LEVEL_COUNT,
};
const char *json_index_level_name(enum json_index_level level);
/* Whether this processor (and this build) can. */
bool json_index_supports(enum json_index_level level);
/* The fastest that it can. */
enum json_index_level json_index_best(void);

struct json_index {
    uint32_t *positions; /* ascending; behind the last one stand JSON_INDEX_SENTINELS times the first */
    uint32_t count;
    size_t capacity;
    bool has_backslash;
};

enum { JSON_INDEX_SENTINELS = 2 };

void json_index_init(struct json_index *index);
void json_index_clear(struct json_index *index);

enum json_index_result {
    JSON_INDEX_NO_MEMORY = 0,
    JSON_INDEX_DONE,
    /* Not one object, or a control character in a string, a string that does not end, or invalid UTF-8: json_parse
     * says which. */
    JSON_INDEX_WRONG,
};

/* Finds the joints of a text of less than 4 GiB - 1 KiB that should be one object; memory is reused from call to call.
 * Reads no byte outside of the text. */
enum json_index_result json_index_find(struct json_index *index, struct slice text,
                                       enum json_index_level level) MUST_CHECK;

#endif
