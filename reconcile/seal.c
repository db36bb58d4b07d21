/* Closing the rows of history that a pass (or a withdrawal since) wrote with a block of the ledger. Only sealed rows
 * are published. */
#include "reconcile/pass.h"

#include "common/io/store_ledger.h"

bool seal_history(struct reconciler *reconciler, struct pass_counts *counts, struct error *err)
{
    struct ledger_block block;

    if (!store_ledger_seal(reconciler->write, &block, err)) {
        return error_context(err, "could not seal the history");
    }
    counts->block_no = block.row_count > 0 ? block.block_no : 0;
    return true;
}
