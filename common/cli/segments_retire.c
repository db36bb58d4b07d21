/* `muster segments retire`. */
#include "common/cli/authorship.h"
#include "common/cli/segments.h"
#include "common/io/store.h"
#include "common/io/store_retire.h"

#include <stdio.h>

bool segments_retire(const struct command_line *line, struct error *err)
{
    struct slice segment_id = slice_from(command_argument(line, 0));
    const struct config *config;
    struct authorship authorship;
    struct pg *pg = NULL;
    int32_t version = 0;
    bool done = false;

    if (!command_config(line, &config, err) || !authorship_choose(line, ".", &authorship, err)) {
        return false;
    }
    done = store_open(config, STORE_ROLE_OPERATOR, &pg, err) &&
           store_retire(pg, segment_id, slice_from(authorship.author), &version, err);
    pg_close(pg);
    if (done) {
        (void)printf("%.*s@%d is retired; its memberships end with the reconciler's next pass\n", (int)segment_id.size,
                     segment_id.data, (int)version);
    }
    return done;
}
