/* Whom the control log concerns: a user's grant or withdrawal makes every segment of that purpose be decided again.
 * What a withdrawal ends, the store ended in the transaction of the withdrawal; what was under way here is refused by
 * the store, and this is where it is taken up again. */
#include "reconcile/pass.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <limits.h>

enum { CONCERNED_MAX = INT_MAX };

bool consent_concerned(struct reconciler *reconciler, const struct pass_world *world, struct pass_concerned **out,
                       size_t *out_count, struct error *err)
{
    struct pg_value values[2];
    PGresult *result = NULL;
    struct pass_concerned *concerned = NULL;
    size_t count;

    *out = NULL;
    *out_count = 0;
    if (world->control_no == world->control_no_head) {
        return true;
    }
    pg_set_integer(&values[0], world->control_no);
    pg_set_integer(&values[1], world->control_no_head);
    if (!pg_query(reconciler->read,
                  "SELECT c.user_no, c.purpose_no, u.lane FROM control c JOIN users u USING (user_no) "
                  "WHERE c.control_no > $1::bigint AND c.control_no <= $2::bigint AND c.purpose_no IS NOT NULL",
                  values, 2, &result, err)) {
        return false;
    }
    count = (size_t)PQntuples(result);
    concerned = memory_allocate_zeroed(count, sizeof *concerned);
    if (concerned == NULL) {
        PQclear(result);
        return error_no_memory(err, "users of the control log");
    }
    for (size_t index = 0; index < count; index++) {
        concerned[index].user_no = pg_integer_at(result, (int)index, 0, 0);
        concerned[index].purpose_no = (int32_t)pg_integer_at(result, (int)index, 1, 0);
        concerned[index].lane = (int32_t)pg_integer_at(result, (int)index, 2, -1);
    }
    PQclear(result);
    *out = concerned;
    *out_count = count;
    return true;
}

bool consent_sweep(struct reconciler *reconciler, struct error *err)
{
    PGresult *result = NULL;
    int64_t count;

    if (!pg_query(reconciler->write, "SELECT records_sweep()", NULL, 0, &result, err)) {
        return error_context(err, "could not remove the records whose consent has ended");
    }
    count = pg_integer_at(result, 0, 0, 0);
    PQclear(result);
    if (count > 0) {
        log_info("%" PRId64 " records removed whose consent has ended", count);
    }
    return true;
}
