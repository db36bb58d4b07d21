/* Runs: pieces with strings of one size between them. Where a string ends is known only some time after its bytes are,
 * and what comes next waits for it; the bytes of a run are compared sixteen at a time whatever they are.
 *
 * A run is a guess from a few messages. While it fits nearly always it stays; else its pieces are passed one by one
 * again, which tells where sizes vary, and a shorter one may take its place. */
#include "common/domain/json_skeleton_parts.h"

enum { RUN_AFTER = 4, VALUES_MIN = 2, DOUBT_PER_MISS = 16, DOUBT_MAX = 128 };

/* Bytes that may stand in a run's pieces: those below a space, as signed ones, and a backslash mean the end of a string
 * wherever they are. */
static bool is_clean(const struct skeleton_piece *piece)
{
    for (uint32_t i = 0; i < piece->size; i++) {
        if ((signed char)piece->bytes[i] < ' ' || piece->bytes[i] == '\\') {
            return false;
        }
    }
    return true;
}

/* The piece behind a value, where only one can be there. */
static struct skeleton_piece *only_piece(struct skeleton_piece *pieces)
{
    return pieces->kind != PIECE_NONE && pieces->next->kind == PIECE_NONE ? pieces : NULL;
}

/* From the piece on, as far as there is only one way in the tree. */
static void build_run(struct skeleton_piece *first)
{
    struct skeleton_run *run = first->room;
    struct skeleton_piece *piece = first;
    uint32_t value_count = 0;
    uint32_t size = 0;

    *run = (struct skeleton_run){0};
    while (piece != NULL && piece->size <= RUN_SIZE_MAX - size && is_clean(piece)) {
        memcpy(run->bytes + size, piece->bytes, piece->size);
        memset(run->pieces + size, UINT8_MAX, piece->size);
        size += piece->size;
        run->last = piece;
        run->size = size;
        run->value_count = value_count;
        if (piece->string_size > RUN_SIZE_MAX - size || value_count == RUN_VALUES_MAX) {
            break;
        }
        run->others[value_count] = piece;
        run->spans[value_count] = (struct json_span){.begin = size, .size = piece->string_size};
        memset(run->bytes + size, '"', piece->string_size);
        size += piece->string_size;
        value_count++;
        piece = only_piece(piece->following);
    }
    if (run->value_count >= VALUES_MIN && run->size >= STEP) {
        first->run = run;
    }
}

void skeleton_watch(struct skeleton_piece *piece, bool watched)
{
    piece->watched = watched;
    piece->kind = watched || piece->size > STEP ? PIECE_OTHER : piece->behind;
}

void skeleton_note_size(struct skeleton_piece *piece, uint32_t size)
{
    if (piece->string_size != size) {
        piece->string_size = SIZE_VARIES;
        skeleton_watch(piece, piece->run != NULL);
    } else if (piece->run == NULL && ++piece->passed == RUN_AFTER) {
        build_run(piece);
        skeleton_watch(piece, piece->run != NULL);
    }
}

void skeleton_note_miss(struct skeleton_piece *piece)
{
    struct skeleton_run *run = piece->run;

    run->doubt += DOUBT_PER_MISS;
    if (run->doubt <= DOUBT_MAX) {
        return;
    }
    piece->run = NULL;
    for (uint32_t i = 0; i < run->value_count; i++) {
        if (run->others[i]->run == NULL && run->others[i]->string_size != SIZE_VARIES) {
            skeleton_watch(run->others[i], true);
            run->others[i]->passed = 0;
        }
    }
}
