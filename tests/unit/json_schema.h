/* What the tests need of JSON Schema (2020-12) to check documents against the schemas that are published. A keyword it
 * does not know fails the test: a rule that nobody checks would read as one that holds. */
#ifndef MUSTER_TESTS_JSON_SCHEMA_H
#define MUSTER_TESTS_JSON_SCHEMA_H

#include "common/base/buffer.h"
#include "common/domain/json.h"

struct json_schema {
    struct buffer text;
    struct json_document document;
    struct arena arena;
    char why[256]; /* of the last document that did not conform: where, and which keyword */
};

/* Reads the file; fails the test where it cannot. */
void json_schema_open(struct json_schema *schema, const char *path);
void json_schema_close(struct json_schema *schema);

/* Whether the document conforms to the schema: to $defs/NAME of it, or with NULL to the whole. */
bool json_schema_takes(struct json_schema *schema, const char *name, const struct json_document *document);

#endif
