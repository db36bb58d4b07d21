/* The forms of messages seen before, so that a message like many others is read in one pass.
 *
 * A message is its values that are no containers, and pieces of text between them: {"type":" and ","userId":" and so
 * on. The pieces alone decide the grammar, the nesting, which keys there are and whether one repeats, and so which
 * tokens there will be. So where json_project.c has accepted a message its pieces are kept, in a tree: a text that goes
 * along a way of the tree to its end, with plain values between, is accepted with the same tokens, only elsewhere. What
 * is not in the tree, or has values that are not plain (escapes, exponents), is not judged here.
 *
 * Pieces with strings between them that have all had the same size, as ids and timestamps have, become a run, which is
 * compared as if it were one piece (json_skeleton_run.c). */
#ifndef MUSTER_DOMAIN_JSON_SKELETON_H
#define MUSTER_DOMAIN_JSON_SKELETON_H

#include "common/domain/json_index.h"

#include <stdint.h>

struct json_document;
struct json_form;
struct json_paths;
struct skeleton_piece;

enum { JSON_VALUE_COUNT_MAX = 64, JSON_VALUES_SPARE = 8, JSON_SKELETON_REACH = 96 };

/* Where something stands in a text: byte offset and size, of a string without its quotes. */
struct json_span {
    uint32_t begin;
    uint32_t size;
};

/* The values of a text that are no containers and no constants, from number 1 on; number 0 is nothing, at the text's
 * begin. Those behind JSON_VALUE_COUNT_MAX are for writing in steps. */
struct json_values {
    struct json_span spans[1 + JSON_VALUE_COUNT_MAX + JSON_VALUES_SPARE];
    uint8_t types[1 + JSON_VALUE_COUNT_MAX]; /* of numbers and words: enum json_type */
    uint32_t end;                            /* the size of the text */
};

struct json_skeleton {
    struct arena arena;
    struct skeleton_piece *first; /* the pieces that messages begin with */
    uint64_t paths_id;            /* of the paths that the tokens were chosen by */
    uint32_t piece_count;
    uint32_t missed;             /* messages not learnt since the tree is full */
    struct json_values values;   /* of the text that was matched last */
    enum json_index_level level; /* that the bytes of runs are compared with: the best, where no test has set another */
};

void json_skeleton_init(struct json_skeleton *skeleton);
void json_skeleton_clear(struct json_skeleton *skeleton);

/* The form of the text, where it has one that was learnt with these paths; else NULL, which says nothing about the
 * text. It is borrowed until the next json_skeleton_learn, and skeleton->values are its values. `readable`: how many
 * bytes behind the text may be read. */
const struct json_form *json_skeleton_match(struct json_skeleton *skeleton, struct slice text, size_t readable,
                                            const struct json_paths *paths);

/* The same for the first of some lines, which need not be known yet: it ends before its LF or CR LF. NULL also where
 * that is not among them. Behind them are JSON_SKELETON_REACH zeros. */
const struct json_form *json_skeleton_match_line(struct json_skeleton *skeleton, struct slice lines,
                                                 const struct json_paths *paths);

/* What is to be learnt of a message, apart from its text. */
struct json_lesson {
    const struct json_paths *paths;
    const int32_t *found;     /* as in json_parse_paths */
    const int32_t *constants; /* tokens of strings that all messages of the form have in common */
    uint32_t constant_count;
    size_t note_size; /* of what the caller keeps with the form */
};

/* Learns the form of the text that the document was made of by json_parse_paths, within the same limit of depth as all
 * texts that are matched. *out: the form, for json_form_need and its note; NULL where it is not learnt: it has one
 * already, is too large, or the tree is full, which is begun anew once many messages have missed. False when there is
 * no memory. */
bool json_skeleton_learn(struct json_document *document, const struct json_lesson *lesson,
                         struct json_form **out) MUST_CHECK;

/* The number of the value that has this token: it is no container and no constant. */
uint32_t json_form_value(const struct json_form *form, int32_t token);
/* Of a form just learnt: json_form_place shall place this token. Once for each at most. */
void json_form_need(struct json_form *form, int32_t token);
uint32_t json_form_token_count(const struct json_form *form);

/* What the caller keeps with the form: note_size zeroed bytes at first. */
void *json_form_note(struct json_form *form);
const void *json_form_note_of(const struct json_form *form);
const int32_t *json_form_found(const struct json_form *form);

/* Makes the document that of the text which its skeleton has matched with that form, as json_parse_paths does; but of
 * the tokens only those say where they are that json_form_need has named, and all others are empty. They are borrowed
 * until the next text is matched or parsed. */
void json_form_place(const struct json_form *form, struct slice text, struct json_document *document);

#endif
