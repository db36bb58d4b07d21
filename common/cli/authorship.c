#include "common/cli/authorship.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FOLDER_SIZE = 4096 };

/* Reads what the child writes up to its end, keeps what fits, and waits for it. True when it exits with 0. */
static bool read_child(int output, pid_t child, char *text, size_t size)
{
    char rest[512];
    size_t used = 0;
    int status = 0;

    for (;;) {
        bool room = used + 1 < size;
        ssize_t got = read(output, room ? text + used : rest, room ? size - used - 1 : sizeof(rest));

        if (got <= 0) {
            break;
        }
        used += room ? (size_t)got : 0;
    }
    text[used] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs git without a shell, input or messages; the first line it prints goes to `text` ("" when it fails). */
static bool run_git(char *const arguments[], char *text, size_t size)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child;
    bool started;

    text[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return false;
    }
    started = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
              posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawnp(&child, "git", &actions, NULL, arguments, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    if (started && !read_child(ends[0], child, text, size)) {
        started = false;
        text[0] = '\0';
    }
    (void)close(ends[0]);
    return started;
}

/* The folder of the definitions (`path` itself, or the one its file is in), and their name within it, borrowed. */
static const char *find_folder(const char *path, char folder[FOLDER_SIZE])
{
    struct stat status;
    char *slash;

    (void)snprintf(folder, FOLDER_SIZE, "%s", path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return ".";
    }
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        (void)snprintf(folder, FOLDER_SIZE, ".");
        return path;
    }
    path += slash - folder + 1;
    slash[slash == folder ? 1 : 0] = '\0';
    return path;
}

static void find_user(char author[AUTHORSHIP_TEXT_SIZE])
{
    const char *name = getenv("USER");
    const struct passwd *entry = name == NULL || name[0] == '\0' ? getpwuid(geteuid()) : NULL;

    if (entry != NULL) {
        name = entry->pw_name;
    }
    if (name == NULL || name[0] == '\0') {
        (void)snprintf(author, AUTHORSHIP_TEXT_SIZE, "uid %ld", (long)geteuid());
    } else {
        (void)snprintf(author, AUTHORSHIP_TEXT_SIZE, "%s", name);
    }
}

void authorship_find(const char *path, struct authorship *out)
{
    char folder[FOLDER_SIZE];
    char name[FOLDER_SIZE];
    char changes[AUTHORSHIP_TEXT_SIZE];

    out->commit_id[0] = '\0';
    (void)snprintf(name, sizeof(name), "%s", find_folder(path, folder));
    /* A repository may name programs to run in its configuration: none is. */
    char *head[] = {"git", "-C", folder, "rev-parse", "--verify", "--quiet", "HEAD", NULL};
    char *user[] = {"git", "-C", folder, "config", "user.name", NULL};
    char *status[] = {"git",       "--literal-pathspecs",   "-C",     folder,
                      "-c",        "core.fsmonitor=false",  "status", "--porcelain",
                      "--ignored", "--untracked-files=all", "--",     name,
                      NULL};

    if (!run_git(head, out->commit_id, sizeof(out->commit_id) - sizeof("+changes")) || out->commit_id[0] == '\0') {
        out->commit_id[0] = '\0';
        find_user(out->author);
        return;
    }
    if (!run_git(status, changes, sizeof(changes)) || changes[0] != '\0') {
        size_t size = strlen(out->commit_id);

        (void)snprintf(out->commit_id + size, sizeof(out->commit_id) - size, "+changes");
    }
    if (!run_git(user, out->author, sizeof(out->author)) || out->author[0] == '\0') {
        find_user(out->author);
    }
}

static bool choose(const struct command_line *line, const char *option, char text[AUTHORSHIP_TEXT_SIZE],
                   struct error *err)
{
    const char *given = command_text(line, option);

    if (given == NULL) {
        return true;
    }
    if (strlen(given) >= AUTHORSHIP_TEXT_SIZE) {
        return error_set(err, ERROR_USAGE, "--%s: expected at most %d bytes", option, AUTHORSHIP_TEXT_SIZE - 1);
    }
    (void)snprintf(text, AUTHORSHIP_TEXT_SIZE, "%s", given);
    return true;
}

bool authorship_choose(const struct command_line *line, const char *path, struct authorship *out, struct error *err)
{
    authorship_find(path, out);
    if (!choose(line, "author", out->author, err) || !choose(line, "commit", out->commit_id, err)) {
        return false;
    }
    if (out->author[strspn(out->author, " \t")] == '\0') {
        return error_set(err, ERROR_USAGE, "--author: expected the name of who makes the change, got \"%s\"",
                         out->author);
    }
    return true;
}
