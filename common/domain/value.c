#include "common/domain/value.h"

int value_compare(const struct value *a, const struct value *b)
{
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    switch (a->type) {
    case VALUE_BOOLEAN:
        return (int)a->boolean - (int)b->boolean;
    case VALUE_NUMBER:
        return (a->micros > b->micros) - (a->micros < b->micros);
    case VALUE_STRING:
    case VALUE_COMPOUND:
        return slice_compare(a->text, b->text);
    case VALUE_MISSING:
        break;
    }
    return 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case VALUE_BOOLEAN:
        return a->boolean == b->boolean;
    case VALUE_NUMBER:
        return a->micros == b->micros;
    case VALUE_STRING:
    case VALUE_COMPOUND:
        return slice_equal(a->text, b->text);
    case VALUE_MISSING:
        break;
    }
    return false;
}
