/* Runs inputs through their targets, without libFuzzer: fuzz-replay TARGET FILE... prints each name before it runs, so
 * that the last line before a crash is the culprit. */
#include "common/base/file.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

enum { INPUT_SIZE_MAX = 4 << 20 };

int main(int argc, char **argv)
{
    const struct fuzz_target *target = argc < 3 ? NULL : fuzz_find(argv[1]);

    if (target == NULL) {
        (void)fprintf(stderr, "usage: fuzz-replay TARGET FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct error err = ERROR_INIT;
        struct buffer content;
        char *copy;

        (void)printf("%s %s\n", target->name, argv[i]);
        (void)fflush(stdout);
        buffer_init(&content, INPUT_SIZE_MAX);
        if (!file_read(argv[i], &content, &err)) {
            (void)fprintf(stderr, "%s\n", err.message);
            return 4;
        }
        /* A block of exactly its size, so that the sanitizer sees a read behind its end. */
        copy = memory_allocate(content.size);
        if (copy == NULL) {
            (void)fprintf(stderr, "no memory\n");
            return 70;
        }
        if (content.size > 0) {
            memcpy(copy, content.data, content.size);
        }
        target->run(slice_of(copy, content.size));
        memory_free(copy);
        buffer_clear(&content);
    }
    return 0;
}
