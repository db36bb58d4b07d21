/* Scanning of JSON strings and numbers: what the parser (json.c) and the reader of tokens (json_read.c) share.
 *
 * All functions read from text that is followed by JSON_PADDING zero bytes: a zero stops every scan, so no function needs an end. */
#ifndef MUSTER_DOMAIN_JSON_SCAN_H
#define MUSTER_DOMAIN_JSON_SCAN_H

#include "common/domain/json.h"

enum { JSON_PADDING = 32 };

/* From behind the opening quote to the closing one. NULL with *fault and *fault_at set when it is no string. Sets *escaped
 * where there is a backslash (and leaves it alone otherwise). */
const char *json_scan_string(const char *at, uint8_t *escaped, enum json_fault *fault, const char **fault_at);

/* The bytes of an escaped string one after another, unescaped. The string was scanned before, so it is valid. */
struct json_unescape {
    const char *at;
    const char *end;
    unsigned char pending[4]; /* the rest of a character */
    unsigned pending_count;
    unsigned pending_next;
};
void json_unescape_begin(struct json_unescape *reader, struct slice raw);
/* The next byte, or -1 at the end. */
int json_unescape_next(struct json_unescape *reader);

#endif
