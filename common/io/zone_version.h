/* Which version of the time zone database this machine has. Calendar windows depend on it: it is recorded with every
 * run, so that two that differ can be told apart. */
#ifndef MUSTER_IO_ZONE_VERSION_H
#define MUSTER_IO_ZONE_VERSION_H

#include "common/base/error.h"
#include "common/io/zone_files.h"

enum { ZONE_VERSION_SIZE = 32 };

/* What the database says of itself (tzdata.zi, else +VERSION): "2025b". Where it says nothing, "sha256:" and the
 * beginning of a digest of the zones read so far; empty where none is read. */
bool zone_version(const struct zone_files *files, char out[ZONE_VERSION_SIZE], struct error *err) MUST_CHECK;

#endif
