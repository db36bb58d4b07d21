/* Whether rules that are well written make sense: those that nothing can ever satisfy, those that every known user
 * satisfies, those that no stream can evaluate. The language allows them, so nothing here refuses a definition; it adds
 * problems to the set's list. What is not certain is not said. */
#ifndef MUSTER_DOMAIN_RULE_SENSE_H
#define MUSTER_DOMAIN_RULE_SENSE_H

#include "common/domain/rule.h"
#include "common/domain/rule_problem.h"

/* Judges all definitions of the set and adds to set->problems (which must be there): what is impossible with that
 * severity, what always holds and what does not stream as warnings. Best after segment_set_check: before it nothing is
 * known of references and streams. ERROR_INTERNAL when there is no memory. */
bool rule_sense_check(const struct segment_set *set, enum rule_severity impossible, struct error *err) MUST_CHECK;

#endif
