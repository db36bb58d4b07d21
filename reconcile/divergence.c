#include "reconcile/pass.h"
bool divergence_measure(struct reconciler *reconciler, const struct pass_world *world, struct error *err)
{
    (void)reconciler; (void)world; (void)err;
    return true;
}
