#include "common/io/definition_files.h"

#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_SIZE_MAX = 16 << 20, FILES_MAX = 100000, NAMES_SIZE_MAX = 64 << 20, PATH_TEXT_SIZE_MAX = 8192 };

static bool add_file(const char *path, struct buffer *text, struct segment_set *set, struct error *err)
{
    buffer_reset(text);
    return file_read(path, text, err) && segment_set_add(set, slice_from(path), buffer_slice(text), 0, err);
}

/* The names of the folder's definition files, on the arena. */
struct folder {
    struct arena arena;
    const char **names;
    size_t count;
    size_t capacity;
};

static bool is_definition_name(const char *name)
{
    size_t size = strlen(name);

    return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static bool list_folder(const char *path, struct folder *folder, struct error *err)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool done = false;

    if (directory == NULL) {
        return error_set(err, ERROR_UNREACHABLE, "could not read folder %s: %s", path, strerror(errno));
    }
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        struct slice name;

        if (!is_definition_name(entry->d_name)) {
            continue;
        }
        if (!memory_grow(&folder->names, &folder->capacity, folder->count, FILES_MAX, sizeof(*folder->names),
                         "files in the folder of definitions", err)) {
            goto out;
        }
        if (!arena_copy(&folder->arena, slice_from(entry->d_name), &name)) {
            (void)error_no_memory(err, "listing a folder of definitions");
            goto out;
        }
        folder->names[folder->count++] = name.data;
    }
    done = errno == 0 || error_set(err, ERROR_UNREACHABLE, "could not read folder %s: %s", path, strerror(errno));
out:
    (void)closedir(directory);
    return done;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool add_folder(const char *path, struct buffer *text, struct segment_set *set, size_t *file_count,
                       struct error *err)
{
    struct folder folder = {.count = 0};
    struct buffer name;
    size_t size = strlen(path);
    bool done = false;

    arena_init(&folder.arena, NAMES_SIZE_MAX);
    buffer_init(&name, PATH_TEXT_SIZE_MAX);
    if (!list_folder(path, &folder, err)) {
        goto out;
    }
    if (folder.count == 0) {
        (void)error_set(err, ERROR_INPUT, "%s: no *.json in this folder", path);
        goto out;
    }
    qsort(folder.names, folder.count, sizeof(*folder.names), compare_names);
    for (size_t i = 0; i < folder.count; i++) {
        buffer_reset(&name);
        buffer_append_format(&name, "%s%s%s", path, size > 0 && path[size - 1] == '/' ? "" : "/", folder.names[i]);
        if (!buffer_finish(&name, "the path of a definition", err) || !add_file(buffer_text(&name), text, set, err)) {
            goto out;
        }
    }
    *file_count = folder.count;
    done = true;
out:
    buffer_clear(&name);
    memory_free(folder.names);
    arena_clear(&folder.arena);
    return done;
}

bool definition_files_read(const char *path, struct segment_set *set, size_t *file_count, struct error *err)
{
    struct stat status;
    struct buffer text;
    size_t count = 1;
    bool done;

    if (stat(path, &status) != 0) {
        return error_set(err, ERROR_UNREACHABLE, "could not open %s: %s", path, strerror(errno));
    }
    buffer_init(&text, FILE_SIZE_MAX);
    done = S_ISDIR(status.st_mode) ? add_folder(path, &text, set, &count, err) : add_file(path, &text, set, err);
    buffer_clear(&text);
    if (done && file_count != NULL) {
        *file_count = count;
    }
    return done;
}
