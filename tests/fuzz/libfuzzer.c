/* libFuzzer's entry: the environment variable FUZZ_TARGET names the target. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    const char *name = getenv("FUZZ_TARGET");

    (void)argument_count;
    (void)arguments;
    target = name == NULL ? NULL : fuzz_find(name);
    if (target == NULL) {
        (void)fprintf(stderr, "FUZZ_TARGET must name one of:");
        for (target = fuzz_targets; target->name != NULL; target++) {
            (void)fprintf(stderr, " %s", target->name);
        }
        (void)fputc('\n', stderr);
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target->run(slice_of((const char *)data, size));
    return 0;
}
