/* Times in CSV cells, read by a format like strptime's, but strict and without a locale. */
#ifndef MUSTER_DOMAIN_MAPPING_TIME_H
#define MUSTER_DOMAIN_MAPPING_TIME_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <stdint.h>

/* Whether the format is one that mapping_time_parse reads and gives a whole date. ERROR_INPUT with the reason. */
bool mapping_time_check(struct slice format, struct error *err) MUST_CHECK;
/* "UTC", "Z", or +hh:mm / -hh:mm, in minutes east. ERROR_INPUT for others. */
bool mapping_zone_parse(struct slice text, int32_t *out_minutes, struct error *err) MUST_CHECK;
/* Reads `text` by a checked format; zone_minutes holds where the text has no zone. False when it does not match or is
 * no instant. Second 60 is the following second; digits after the third of a fraction are dropped. */
bool mapping_time_parse(struct slice format, struct slice text, int32_t zone_minutes, int64_t *out_ms) MUST_CHECK;

#endif
