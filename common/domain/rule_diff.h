/* What changed between two versions of a definition, in words, and, where it is certain, whether fewer or more users
 * can be members. */
#ifndef MUSTER_DOMAIN_RULE_DIFF_H
#define MUSTER_DOMAIN_RULE_DIFF_H

#include "common/base/error.h"
#include "common/domain/rule.h"

enum rule_reach_change {
    RULE_CHANGE_UNCERTAIN = 0, /* both ways, or not known */
    RULE_CHANGE_NONE,          /* the same users at every instant */
    RULE_CHANGE_NARROWER,      /* whoever is a member now was one before, at every instant, from the same events */
    RULE_CHANGE_WIDER,
};
/* "uncertain", "none", "narrower", "wider" */
const char *rule_reach_change_name(enum rule_reach_change change);

/* One change: where it stands (in the new text where it is there, else in the old), and what it is. Borrowed. */
typedef bool rule_diff_visit(void *context, struct slice path, struct slice words, struct error *err);

/* Visits every change from `from` to `to`, in the order of the document; stops and returns false where `visit` does.
 * *change is what they all mean together for who may be a member; consent is not looked at. ERROR_INTERNAL when there
 * is no memory. References are taken as they are named: what they refer to is not compared. */
bool rule_diff(const struct definition *from, const struct definition *to, rule_diff_visit *visit, void *context,
               enum rule_reach_change *change, struct error *err) MUST_CHECK;

#endif
