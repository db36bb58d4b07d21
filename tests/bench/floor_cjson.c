/* The floor of batch evaluation: read the file and parse every line with cJSON, its memory from an arena that is reset
 * between lines (cJSON_InitHooks), and do nothing with the result. Prints the number of lines parsed. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

static char arena[8 << 20];
static size_t arena_used;

static void *arena_take(size_t size)
{
    void *block = arena + arena_used;

    arena_used += (size + 15) & ~(size_t)15;
    return arena_used > sizeof arena ? NULL : block;
}

static void arena_keep(void *block)
{
    (void)block;
}

int main(int argc, char **argv)
{
    cJSON_Hooks hooks = {.malloc_fn = arena_take, .free_fn = arena_keep};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    unsigned long parsed = 0;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "usage: floor_cjson FILE\n");
        return 2;
    }
    cJSON_InitHooks(&hooks);
    while ((size = getline(&line, &capacity, file)) > 0) {
        arena_used = 0;
        parsed += cJSON_ParseWithLength(line, (size_t)size) != NULL;
    }
    printf("%lu\n", parsed);
    free(line);
    (void)fclose(file);
    return 0;
}
