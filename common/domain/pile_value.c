#include "common/domain/pile_value.h"

#include "common/domain/pack.h"

/* Most numbers have no more than two decimals: KIND_CENTS + n is such a one in n bytes, folded. Others take eight. */
enum kind {
    KIND_MISSING = 0,
    KIND_FALSE,
    KIND_TRUE,
    KIND_STRING,
    KIND_COMPOUND,
    KIND_MICROS,
    KIND_MICROS_SHORT, /* folded, in four bytes */
    KIND_CENTS,
    KIND_BITS = 4,
};

enum { MICROS_PER_CENT = 10000, MICROS_SIZE = 8, MICROS_SHORT_SIZE = 4, LONG_TEXT = 0xff };

_Static_assert(DECIMAL_MAX / MICROS_PER_CENT < INT64_C(1) << 55, "cents, folded, fit into seven bytes");

static enum kind put_number(unsigned char **out, int64_t micros)
{
    int64_t cents = micros / MICROS_PER_CENT;
    uint64_t number = pack_folded(cents);

    if (cents * MICROS_PER_CENT == micros) {
        size_t size = (size_t)(63 - __builtin_clzll(number | 1)) / 8 + 1;

        pack_put_word(*out, number);
        *out += size;
        return KIND_CENTS + (unsigned)size;
    }
    number = pack_folded(micros);
    pack_put_word(*out, number);
    if (number >> 8 * MICROS_SHORT_SIZE == 0) {
        *out += MICROS_SHORT_SIZE;
        return KIND_MICROS_SHORT;
    }
    *out += MICROS_SIZE;
    return KIND_MICROS;
}

static enum kind put_text(unsigned char **out, struct slice text, enum kind kind)
{
    if (text.size < LONG_TEXT) {
        *(*out)++ = (unsigned char)text.size;
    } else {
        *(*out)++ = LONG_TEXT;
        pack_put_word(*out, text.size);
        *out += sizeof(uint64_t);
    }
    if (text.size > 0) {
        memcpy(*out, text.data, text.size);
    }
    *out += text.size;
    return kind;
}

static inline enum kind put_value(unsigned char **out, const struct value *value)
{
    switch (value->type) {
    case VALUE_BOOLEAN:
        return value->boolean ? KIND_TRUE : KIND_FALSE;
    case VALUE_NUMBER:
        return put_number(out, value->micros);
    case VALUE_STRING:
        return put_text(out, value->text, KIND_STRING);
    case VALUE_COMPOUND:
        return put_text(out, value->text, KIND_COMPOUND);
    case VALUE_MISSING:
    default:
        return KIND_MISSING;
    }
}

unsigned char *pile_values_put(unsigned char *out, const struct value *values, size_t count)
{
    unsigned char *kinds = out;

    out += (count + 1) / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned kind = put_value(&out, &values[i]);

        kinds[i / 2] = (unsigned char)(i % 2 == 0 ? kind : kinds[i / 2] | kind << KIND_BITS);
    }
    return out;
}

static struct value take_text(struct pile_values *values, enum value_type type)
{
    uint64_t size = *values->at++;
    struct value value = {.type = type};

    if (size == LONG_TEXT) {
        size = pack_word(values->at);
        values->at += sizeof size;
    }
    value.text = slice_of((const char *)values->at, size);
    values->at += size;
    return value;
}

static struct value take_number(struct pile_values *values, unsigned kind)
{
    uint64_t number = pack_word(values->at);
    struct value value = {.type = VALUE_NUMBER};

    if (kind > KIND_CENTS) {
        values->at += kind - KIND_CENTS;
        value.micros = pack_unfolded(number & UINT64_MAX >> (64 - 8 * (kind - KIND_CENTS))) * MICROS_PER_CENT;
        return value;
    }
    if (kind == KIND_MICROS_SHORT) {
        number &= UINT64_MAX >> (64 - 8 * MICROS_SHORT_SIZE);
    }
    values->at += kind == KIND_MICROS_SHORT ? MICROS_SHORT_SIZE : MICROS_SIZE;
    value.micros = pack_unfolded(number);
    return value;
}

struct value pile_values_take(struct pile_values *values)
{
    unsigned kind = values->kinds[values->index / 2] >> values->index % 2 * KIND_BITS & 15;

    values->index++;
    switch (kind) {
    case KIND_MISSING:
        return (struct value){.type = VALUE_MISSING};
    case KIND_FALSE:
    case KIND_TRUE:
        return (struct value){.type = VALUE_BOOLEAN, .boolean = kind == KIND_TRUE};
    case KIND_STRING:
        return take_text(values, VALUE_STRING);
    case KIND_COMPOUND:
        return take_text(values, VALUE_COMPOUND);
    default:
        return take_number(values, kind);
    }
}
