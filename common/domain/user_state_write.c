#include "common/domain/user_state_pack_parts.h"

#include <stdlib.h>

static const unsigned char magic[] = {'M', 'U', 'S'};

enum {
    FINGERPRINT_SIZE = 8,
    HEADER_SIZE = sizeof magic + 1 + FINGERPRINT_SIZE,
    CHECKSUM_SEED = 0x73756d,
};

uint32_t user_state_checksum(struct slice bytes)
{
    return (uint32_t)hash_bytes(bytes, CHECKSUM_SEED);
}

/* An entry's bytes behind its time, while entries of one time and without an id are put in order. */
struct piece {
    size_t begin;
    size_t size;
};

static int compare_pieces(const void *a, const void *b, void *bytes)
{
    const struct piece *left = a;
    const struct piece *right = b;

    return slice_compare(slice_of((const char *)bytes + left->begin, left->size),
                         slice_of((const char *)bytes + right->begin, right->size));
}

/* Entries [first, end), of one time and without an id, whose order says nothing: in that of their bytes. */
static void pack_ties(const struct ruleset *ruleset, const struct user_state *state, size_t first, size_t end,
                      int64_t before_ms, struct buffer *out)
{
    size_t stride = entry_stride(ruleset);
    struct piece *pieces = memory_allocate_zeroed(end - first, sizeof *pieces);
    struct buffer bytes;

    buffer_init(&bytes, out->size_max);
    if (pieces == NULL) {
        buffer_fail(out);
    }
    for (size_t i = first; pieces != NULL && i < end; i++) {
        const struct entry *entry = entry_at(state, stride, i);

        pieces[i - first].begin = bytes.size + 1; /* behind the difference of times, which is 0 */
        user_state_pack_entry(ruleset, state, entry, entry->time_ms, &bytes);
        pieces[i - first].size = bytes.size - pieces[i - first].begin;
    }
    if (bytes.failed) {
        buffer_fail(out);
    } else if (pieces != NULL) {
        qsort_r(pieces, end - first, sizeof *pieces, compare_pieces, bytes.data);
    }
    for (size_t i = first; !out->failed && i < end; i++) {
        unsigned char number[PACK_NUMBER_SIZE_MAX];
        uint64_t apart = i > first ? 0 : (uint64_t)(entry_at(state, stride, first)->time_ms - before_ms);

        buffer_append(out, number, (size_t)(pack_put_number(number, apart) - number));
        buffer_append(out, bytes.data + pieces[i - first].begin, pieces[i - first].size);
    }
    buffer_clear(&bytes);
    memory_free(pieces);
}

static void pack_sorted(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out)
{
    size_t stride = entry_stride(ruleset);
    int64_t before_ms = state->known_since;
    size_t end;

    for (size_t i = 0; i < state->entry_count && !out->failed; i = end) {
        const struct entry *entry = entry_at(state, stride, i);

        for (end = i; end < state->entry_count; end++) {
            const struct entry *other = entry_at(state, stride, end);

            if (other->time_ms != entry->time_ms || entry_record(state, other)->has_id) {
                break;
            }
        }
        if (end > i + 1) {
            pack_ties(ruleset, state, i, end, before_ms, out);
        } else {
            end = i + 1;
            user_state_pack_entry(ruleset, state, entry, before_ms, out);
        }
        before_ms = entry->time_ms;
    }
}

void user_state_write(const struct ruleset *ruleset, const struct user_state *state, struct buffer *out)
{
    const uint64_t fingerprint = ruleset_fingerprint(ruleset);
    bool known = state->known_since != TIMESTAMP_NEVER;
    size_t begin = out->size;
    unsigned char head[1 + 3 * PACK_NUMBER_SIZE_MAX];
    unsigned char *at = head;
    uint32_t checksum;

    buffer_append(out, magic, sizeof magic);
    buffer_append_char(out, USER_STATE_VERSION);
    buffer_append(out, &fingerprint, sizeof fingerprint);
    *at++ = known;
    if (known) {
        at = user_state_put_since(at, 0, state->known_since);
        at = pack_put_number(at, (uint64_t)(state->newest - state->known_since));
        at = pack_put_number(at, state->entry_count);
    }
    buffer_append(out, head, (size_t)(at - head));
    user_state_pack_base(ruleset, state, out);
    pack_sorted(ruleset, state, out);
    if (!out->failed) {
        checksum = user_state_checksum(slice_of(out->data + begin, out->size - begin));
        buffer_append(out, &checksum, sizeof checksum);
    }
}

static bool check_frame(const struct ruleset *ruleset, struct slice bytes, struct error *err)
{
    uint64_t fingerprint;
    uint32_t checksum;

    if (bytes.size < HEADER_SIZE + CHECKSUM_SIZE || memcmp(bytes.data, magic, sizeof magic) != 0) {
        return error_set(err, ERROR_INPUT, "not a user's state: %zu bytes without its beginning", bytes.size);
    }
    if ((unsigned char)bytes.data[sizeof magic] != USER_STATE_VERSION) {
        return error_set(err, ERROR_INPUT, "a user's state of version %u; this program reads version %d",
                         (unsigned)(unsigned char)bytes.data[sizeof magic], (int)USER_STATE_VERSION);
    }
    memcpy(&checksum, bytes.data + bytes.size - CHECKSUM_SIZE, CHECKSUM_SIZE);
    if (checksum != user_state_checksum(slice_of(bytes.data, bytes.size - CHECKSUM_SIZE))) {
        return error_set(err, ERROR_INPUT, "a user's state is damaged: its checksum is wrong");
    }
    memcpy(&fingerprint, bytes.data + sizeof magic + 1, sizeof fingerprint);
    if (fingerprint != ruleset_fingerprint(ruleset)) {
        (void)error_set(err, ERROR_INPUT, "a user's state of other definitions: fingerprint %016llx, not %016llx",
                        (unsigned long long)fingerprint, (unsigned long long)ruleset_fingerprint(ruleset));
        return error_hint(err, "build the states anew from the archive and the log");
    }
    return true;
}

static bool take_head(struct pack_reader *reader, struct user_state_head *head)
{
    *head = (struct user_state_head){.known_since = TIMESTAMP_NEVER, .newest = TIMESTAMP_ALWAYS};
    if (user_state_take_count(reader, 1) == 0) {
        return !reader->failed;
    }
    head->known_since = user_state_take_since(reader, 0);
    head->newest =
        head->known_since + (int64_t)user_state_take_count(reader, (uint64_t)(TIMESTAMP_MAX - TIMESTAMP_MIN));
    head->entry_count = (uint32_t)user_state_take_count(reader, UINT32_MAX);
    return !reader->failed && head->known_since >= TIMESTAMP_MIN && head->newest <= TIMESTAMP_MAX;
}

bool user_state_read(const struct ruleset *ruleset, struct slice bytes, struct user_state *state, struct error *err)
{
    struct user_state_head head;
    struct pack_reader reader;

    user_state_clear(ruleset, state);
    if (!check_frame(ruleset, bytes, err)) {
        return false;
    }
    reader.at = (const unsigned char *)bytes.data + HEADER_SIZE;
    reader.end = (const unsigned char *)bytes.data + bytes.size - CHECKSUM_SIZE;
    reader.failed = false;
    if (!take_head(&reader, &head)) {
        return error_set(err, ERROR_INPUT, "a user's state is damaged");
    }
    bytes = slice_of((const char *)reader.at, (size_t)(reader.end - reader.at));
    return user_state_unpack(ruleset, &head, bytes, state, err);
}
