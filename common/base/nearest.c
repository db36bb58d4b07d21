#include "common/base/nearest.h"

enum { SIZE_LIMIT = 64 };

void nearest_begin(struct nearest *nearest, struct slice wanted)
{
    *nearest = (struct nearest){.wanted = wanted, .name = NULL, .distance = SIZE_LIMIT};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment of two texts of at most SIZE_LIMIT bytes. */
static size_t distance_of(struct slice a, struct slice b)
{
    size_t rows[3][SIZE_LIMIT + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b.size; j++) {
        before[j] = 0;
        last[j] = j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t cost = a.data[i - 1] == b.data[j - 1] ? 0 : 1;

            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
        row = spare;
    }
    return last[b.size];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    struct slice offered = slice_from(name);
    size_t shorter = least(nearest->wanted.size, offered.size);
    size_t longer = nearest->wanted.size + offered.size - shorter;
    size_t distance;

    if (offered.size > SIZE_LIMIT || nearest->wanted.size > SIZE_LIMIT) {
        return;
    }
    distance = distance_of(nearest->wanted, offered);
    if (distance <= (shorter < 3 ? 1 : shorter / 3) && distance < longer && distance < nearest->distance) {
        nearest->name = name;
        nearest->distance = distance;
    }
}
