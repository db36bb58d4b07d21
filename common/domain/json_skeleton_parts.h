/* What the files of the skeleton (json_skeleton.h) share. */
#ifndef MUSTER_DOMAIN_JSON_SKELETON_PARTS_H
#define MUSTER_DOMAIN_JSON_SKELETON_PARTS_H

#include "common/domain/json.h"

#include <stdalign.h>

enum {
    PIECE_SIZE_MAX = 64,
    STEP = 16,
    STEP_MASK = 0xffff,
    RUN_SIZE_MAX = 256,
    RUN_VALUES_MAX = 8,
};

#define SIZE_VARIES UINT32_MAX

/* Some pieces with the strings between them. */
struct skeleton_run {
    struct skeleton_piece *last;
    struct skeleton_piece *others[RUN_VALUES_MAX]; /* that its values are behind */
    uint32_t size;
    uint32_t value_count;
    uint32_t doubt;                         /* more with each text that it does not fit, less with each that it does */
    struct json_span spans[RUN_VALUES_MAX]; /* of its strings, from its begin on */
    unsigned char bytes[RUN_SIZE_MAX];      /* its pieces' own, and a quote wherever a value may have any plain byte */
    unsigned char pieces[RUN_SIZE_MAX];     /* 0 there, else 255 */
};

enum piece_kind {
    PIECE_NONE = 0, /* where all pieces that can stand there have been tried */
    PIECE_LAST,
    PIECE_BEFORE_STRING,
    PIECE_BEFORE_SCALAR, /* a number or word */
    PIECE_OTHER,         /* to be looked at more closely: its size, whether it is watched, and what is behind it */
};

struct skeleton_piece {
    alignas(STEP) char bytes[PIECE_SIZE_MAX]; /* with zeros behind them */
    uint32_t size;
    uint32_t behind_mask; /* a bit for each of the first STEP bytes that is behind it */
    enum piece_kind kind; /* PIECE_OTHER, or what is behind it */
    enum piece_kind behind;
    bool watched;              /* whether runs can begin with it is not known yet, or one does */
    uint32_t string_size;      /* of the string behind it while all watched ones have had the same, else SIZE_VARIES */
    uint32_t passed;           /* how many were watched */
    struct skeleton_run *run;  /* that it begins, if there is one */
    struct skeleton_run *room; /* for that, where a string is behind it */
    struct skeleton_piece *next; /* another that can stand in its place; no longer than this one, so that the first that
                                  * fits is the right one. Behind the last: skeleton_none */
    struct skeleton_piece *following;
    struct json_form *form; /* of a message that ends with it */
};

/* Where a value's token is. */
struct value_placing {
    struct json_token *token;
    uint32_t value;
    bool typed; /* a number or word: its type can differ */
};

/* Where any other token begins and ends: so many bytes behind the ends of two values. */
struct placing {
    struct json_token *token;
    uint32_t begin_value;
    uint32_t end_value;
    uint32_t begin;
    uint32_t end;
};

/* What messages of one form have in common. */
struct json_form {
    bool has_lines; /* an LF or CR between its values */
    uint32_t token_count;
    uint32_t value_count;
    uint32_t other_count;
    struct value_placing *values; /* of the tokens that are needed */
    struct placing *others;
    struct json_token *tokens;
    int32_t *found;
    void *note;
    uint32_t *numbers;        /* by token: of its value, or 0 */
    struct placing *placings; /* by token that has none */
    struct json_token *whole; /* the tokens of the message that was learnt */
};

/* No piece, which fits everything; never written. */
extern struct skeleton_piece skeleton_none;

void skeleton_watch(struct skeleton_piece *piece, bool watched);
/* Tells the size of the string behind a piece that is watched. */
void skeleton_note_size(struct skeleton_piece *piece, uint32_t size);
/* A text that has the piece does not have the run that it begins. */
void skeleton_note_miss(struct skeleton_piece *piece);

#endif
