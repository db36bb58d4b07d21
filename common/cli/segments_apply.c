#include "common/base/output.h"
#include "common/cli/authorship.h"
#include "common/cli/segments.h"
#include "common/domain/rule_sense.h"
#include "common/io/definition_files.h"
#include "common/io/store.h"
#include "common/io/store_apply.h"

#include <stdio.h>

static bool print_results(const struct segment_set *set, const struct apply_result *results, enum output_format format,
                          struct error *err)
{
    static const char *const columns[] = {"segment", "version", "change", "file"};
    struct output *output = NULL;

    if (!output_begin(stdout, format, columns, 4, &output, err)) {
        return false;
    }
    for (size_t i = 0; i < set->definition_count; i++) {
        const struct definition *definition = &set->definitions[i];
        char version[16];
        struct slice cells[4] = {definition->segment_id,
                                 {.data = version, .size = 0},
                                 slice_from(apply_change_name(results[i].change)),
                                 definition->file};

        if (!results[i].authored && results[i].change == APPLY_UNCHANGED) {
            continue;
        }
        if (!results[i].authored) {
            cells[3] = (struct slice){.data = NULL, .size = 0};
        }
        (void)snprintf(version, sizeof(version), "%d", (int)results[i].version);
        cells[1] = slice_from(version);
        if (!output_row(output, cells, err)) {
            output_abort(output);
            return false;
        }
    }
    return output_end(output, err);
}

/* The last lines, for people. */
static void print_summary(const struct segment_set *set, const struct apply_result *results, bool dry_run)
{
    size_t counts[APPLY_UNCHANGED + 1] = {0};
    size_t made = 0;
    size_t kept = 0;

    for (size_t i = 0; i < set->definition_count; i++) {
        if (results[i].authored || results[i].change != APPLY_UNCHANGED) {
            counts[results[i].change]++;
        }
        made += results[i].change != APPLY_UNCHANGED ? 1 : 0;
        kept += results[i].authored ? 0 : 1;
    }
    (void)printf("%s%zu new version%s (%zu new, %zu changed, %zu following a reference), %zu unchanged\n",
                 dry_run ? "would make " : "", made, made == 1 ? "" : "s", counts[APPLY_NEW], counts[APPLY_CHANGED],
                 counts[APPLY_FOLLOWS], counts[APPLY_UNCHANGED]);
    if (kept > 0) {
        (void)printf("%zu stored segment%s without a file here stay%s in the store (removing a file retires nothing):",
                     kept, kept == 1 ? "" : "s", kept == 1 ? "s" : "");
        for (size_t i = 0; i < set->definition_count; i++) {
            if (!results[i].authored) {
                (void)printf(" %.*s", (int)set->definitions[i].segment_id.size, set->definitions[i].segment_id.data);
            }
        }
        (void)printf("\n");
    }
}

/* Reads all, says all that is wrong (standard error) and refuses it. What only the store's segments can tell, the store
 * tells afterwards. */
static bool read_definitions(const char *path, bool allow_impossible, struct segment_set *set, struct error *err)
{
    struct rule_problems problems;
    bool done = false;

    rule_problems_init(&problems);
    set->problems = &problems;
    if (!definition_files_read(path, set, NULL, err) ||
        !rule_sense_check(set, allow_impossible ? RULE_WARNING : RULE_ERROR, err) ||
        !segments_print_problems(stderr, OUTPUT_TEXT, &problems, err)) {
        goto out;
    }
    done = problems.error_count == 0;
    if (!done) {
        (void)error_set(err, ERROR_INPUT, "%zu problem%s in the definitions: nothing is applied", problems.error_count,
                        problems.error_count == 1 ? "" : "s");
    }
out:
    set->problems = NULL;
    rule_problems_clear(&problems);
    return done;
}

bool segments_apply(const struct command_line *line, struct error *err)
{
    const char *path = command_argument(line, 0);
    const struct config *config;
    enum output_format format;
    struct authorship authorship;
    struct apply_options options = {.dry_run = command_has(line, "dry-run")};
    struct apply_result *results = NULL;
    struct segment_set set;
    struct pg *pg = NULL;
    bool done = false;

    if (!output_format_parse(command_text(line, "format"), OUTPUT_TEXT, &format, err) ||
        !command_config(line, &config, err)) {
        return false;
    }
    segment_set_init(&set);
    if (!read_definitions(path, command_has(line, "allow-impossible"), &set, err)) {
        goto out;
    }
    if (!authorship_choose(line, path, &authorship, err)) {
        goto out;
    }
    options.author = slice_from(authorship.author);
    options.commit_id = slice_from(authorship.commit_id);
    if (!store_open(config, STORE_ROLE_OPERATOR, &pg, err) || !store_apply(pg, &set, &options, &results, err) ||
        !print_results(&set, results, format, err)) {
        goto out;
    }
    if (format == OUTPUT_TEXT) {
        print_summary(&set, results, options.dry_run);
    }
    done = true;
out:
    pg_close(pg);
    segment_set_clear(&set);
    return done;
}
