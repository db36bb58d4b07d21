/* A message as a row of the event table (schemas/event-table.md), in CSV: texts are always quoted, so that an empty
 * cell is NULL and nothing else. */
#ifndef MUSTER_DOMAIN_EVENT_ROW_H
#define MUSTER_DOMAIN_EVENT_ROW_H

#include "common/domain/event.h"
#include "common/domain/rule_sql.h"

/* The header line. */
void event_row_append_header(struct buffer *out);
/* One line; nothing for consent and delete messages. `arena` is working memory. Numbers that SQL cannot hold are
 * written as the decimals they count as. ERROR_INPUT for a text with U+0000, which PostgreSQL cannot store. */
bool event_row_append(struct buffer *out, enum sql_dialect dialect, const struct event *event, int64_t event_no,
                      struct arena *arena, struct error *err) MUST_CHECK;

#endif
