/* What each comparison operator means: for the table of operators. */
#ifndef MUSTER_DOMAIN_COMPARISON_PARTS_H
#define MUSTER_DOMAIN_COMPARISON_PARTS_H

#include "common/domain/rule_operators.h"

operator_holds comparison_never;
operator_holds comparison_equal;
operator_holds comparison_not_equal;
operator_holds comparison_ordered; /* by the row's orders */
operator_holds comparison_in;
operator_holds comparison_not_in;
operator_holds comparison_exists;
operator_holds comparison_contains;
operator_holds comparison_starts_with;
operator_holds comparison_ends_with;

#endif
