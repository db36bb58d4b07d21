/* Definitions in words that a person reads: "count of purchase where category = "shoes" in the last 30d >= 3". The
 * caller finishes the buffer. */
#ifndef MUSTER_DOMAIN_RULE_DESCRIBE_H
#define MUSTER_DOMAIN_RULE_DESCRIBE_H

#include "common/base/buffer.h"
#include "common/domain/rule.h"

/* The whole criterion, with all below it. */
void rule_describe_criterion(struct buffer *out, const struct criterion *criterion);

/* Its parts: "purchase or refund where category = "shoes""; "30d", "the last 7 days of the calendar (UTC)", "no
 * window"; ">= 3 and < 10"; ">= 18y"; "sum of amount". */
void rule_describe_selector(struct buffer *out, const struct rule_selector *selector);
void rule_describe_window(struct buffer *out, const struct rule_window *window);
void rule_describe_comparison(struct buffer *out, const struct rule_comparison *comparison);
void rule_describe_spans(struct buffer *out, const struct rule_span_comparison *spans);
void rule_describe_measured(struct buffer *out, const struct rule_measure *measure);
/* "sku, color" */
void rule_describe_paths(struct buffer *out, const struct rule_path *paths, size_t count);

#endif
