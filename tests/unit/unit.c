#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ALLOCATIONS_MAX = 100000, PATH_SIZE = 4096 };

void unit_fail_each_allocation(unit_scenario *scenario, void *context)
{
    for (size_t k = 1; k < ALLOCATIONS_MAX; k++) {
        struct error err = ERROR_INIT;
        size_t asked;
        bool worked;

        (void)memory_fail_at(k);
        worked = scenario(context, &err);
        asked = memory_fail_at(0);
        if (worked) {
            ck_assert_msg(asked < k, "the scenario worked although its allocation %zu failed", k);
            ck_assert_msg(k > 1, "the scenario allocates nothing");
            return;
        }
        ck_assert_msg(asked >= k, "the scenario failed with all allocations it asked for (%zu): %s", asked,
                      err.message);
        ck_assert_msg(err.code != ERROR_NONE && err.message[0] != '\0', "no error was set when allocation %zu failed",
                      k);
    }
    ck_abort_msg("the scenario needs more than %d allocations", ALLOCATIONS_MAX);
}

char *unit_folder_make(void)
{
    char *folder = memory_copy_text(SLICE_LITERAL("/var/tmp/muster-unit.XXXXXX"));

    ck_assert_ptr_nonnull(folder);
    ck_assert_msg(mkdtemp(folder) != NULL, "could not make a folder under /var/tmp");
    return folder;
}

void unit_folder_remove(char *folder)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    char path[PATH_SIZE];

    ck_assert_ptr_nonnull(entries);
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            (void)unlink(path);
        }
    }
    (void)closedir(entries);
    ck_assert_int_eq(rmdir(folder), 0);
    memory_free(folder);
}

char *unit_file_write(const char *folder, const char *name, struct slice content)
{
    char path[PATH_SIZE];
    char *copy;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content.data, 1, content.size, file), content.size);
    ck_assert_int_eq(fclose(file), 0);
    copy = memory_copy_text(slice_from(path));
    ck_assert_ptr_nonnull(copy);
    return copy;
}

void unit_capture_begin(struct unit_capture *capture, int descriptor)
{
    char path[] = "/var/tmp/muster-capture.XXXXXX";

    (void)fflush(NULL);
    capture->descriptor = descriptor;
    capture->saved = dup(descriptor);
    capture->file = mkstemp(path);
    ck_assert_int_ge(capture->saved, 0);
    ck_assert_int_ge(capture->file, 0);
    (void)unlink(path);
    ck_assert_int_ge(dup2(capture->file, descriptor), 0);
}

char *unit_capture_end(struct unit_capture *capture)
{
    off_t end;
    char *text;

    (void)fflush(NULL);
    (void)dup2(capture->saved, capture->descriptor);
    end = lseek(capture->file, 0, SEEK_END);
    ck_assert_int_ge(end, 0);
    text = memory_allocate((size_t)end + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(capture->file, text, (size_t)end, 0), end);
    text[end] = '\0';
    (void)close(capture->file);
    (void)close(capture->saved);
    return text;
}
