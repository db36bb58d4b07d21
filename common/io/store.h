/* The audience store: opening it, and the settings that fix the meaning of what it holds.
 *
 * The schema's version and those settings (clock, partitions, topics, duplicate interval, skew, consent defaults) were
 * stored by `muster-reconcile migrate`; a program whose own differ must not read or write, since what it would write
 * means something else. */
#ifndef MUSTER_IO_STORE_H
#define MUSTER_IO_STORE_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/io/pg.h"

enum store_role {
    STORE_ROLE_NONE = 0,
    STORE_ROLE_BATCH,
    STORE_ROLE_STREAM,
    STORE_ROLE_RECONCILE,
    STORE_ROLE_OPERATOR,
};
/* The login role: "muster_batch", ... */
const char *store_role_name(enum store_role role);

/* Advisory locks: pg_advisory_lock(STORE_LOCK_CLASS, ...). */
enum {
    STORE_LOCK_CLASS = 1836413812,
    STORE_LOCK_HISTORY = 1,
    STORE_LOCK_USERS = 2,
    STORE_LOCK_MIGRATE = 3,
    STORE_LOCK_PASS = 4,        /* one reconciler pass at a time */
    STORE_LOCK_RUN = 5,         /* held by the process of a running batch run */
    STORE_LOCK_DEFINITIONS = 6, /* one application of definitions at a time */
};

/* Connects with store.conninfo (user: the role, where it names none; password: where it names none, from
 * MUSTER_STORE_PASSWORD_BATCH, _STREAM, _RECONCILE or _OPERATOR) and checks version and settings. ERROR_USAGE when the
 * store is not migrated, newer or older than the program, or a setting differs; ERROR_UNREACHABLE. The caller closes
 * with pg_close. */
bool store_open(const struct config *config, enum store_role role, struct pg **out, struct error *err) MUST_CHECK;

/* The value of MUSTER_STORE_PASSWORD_..., or NULL where it is not set. Never to be printed. */
const char *store_role_password(enum store_role role);

/* Checks that the schema is the one this program was built with. */
bool store_version_check(struct pg *pg, struct error *err) MUST_CHECK;

/* Visits the settings of `config` that `migrate` stores, as (name, value) in a fixed order; with false from visit it
 * stops and returns false. Used by store_open and migrate. */
typedef bool store_setting_visit(void *context, const char *name, const char *value, struct error *err);
bool store_settings_each(const struct config *config, store_setting_visit *visit, void *context,
                         struct error *err) MUST_CHECK;
/* Compares them with the stored ones; ERROR_USAGE names the first setting that differs and both values. */
bool store_settings_check(struct pg *pg, const struct config *config, struct error *err) MUST_CHECK;

#endif
