/* Finding repeated keys of an object while it is parsed. */
#ifndef MUSTER_DOMAIN_JSON_KEYS_H
#define MUSTER_DOMAIN_JSON_KEYS_H

#include "common/domain/json.h"

/* Up to so many members keys are checked one by one as they come, beyond it all at once when the object is closed. */
enum { JSON_SMALL_MEMBERS = 24 };

struct json_key_filter {
    uint64_t bits[4];
};

static inline void json_key_filter_reset(struct json_key_filter *filter)
{
    *filter = (struct json_key_filter){.bits = {0}};
}

/* Notes the key (its hash goes into the token's unused count). True when the object has it already. `base` is the text with zeros
 * behind it. */
bool json_key_filter_add(struct json_key_filter *filter, struct json_document *document, const char *base,
                         uint32_t object, uint32_t key);

/* Checks all keys of a closed object: JSON_FAULT_NONE, JSON_FAULT_REPEATED_KEY with *fault_at, or JSON_FAULT_NO_MEMORY. */
enum json_fault json_keys_check(struct json_document *document, const char *base, uint32_t object,
                                const char **fault_at);

#endif
