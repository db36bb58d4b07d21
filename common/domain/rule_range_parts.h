/* What each comparison operator leaves of the strings: for the table of operators. */
#ifndef MUSTER_DOMAIN_RULE_RANGE_PARTS_H
#define MUSTER_DOMAIN_RULE_RANGE_PARTS_H

#include "common/domain/rule_operators.h"

operator_texts rule_range_texts_above;
operator_texts rule_range_texts_below;
operator_texts rule_range_texts_existing;
operator_texts rule_range_texts_containing;
operator_texts rule_range_texts_beginning;
operator_texts rule_range_texts_ending;

#endif
