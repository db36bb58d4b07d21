/* The forms of messages seen before, so that a message like many others is read in one pass.
 *
 * A message is its values that are no containers, and pieces of text between them: {"type":" and ","userId":" and so
 * on. The pieces alone decide the grammar, the nesting, which keys there are and whether one repeats, and so which
 * tokens there will be. So where json_project.c has accepted a message its pieces are kept, in a tree: a text that goes
 * along a way of the tree to its end, with plain values between, is accepted with the same tokens, only elsewhere. What
 * is not in the tree, or has values that are not plain (escapes, other than ASCII, exponents), is not judged here. */
#ifndef MUSTER_DOMAIN_JSON_SKELETON_H
#define MUSTER_DOMAIN_JSON_SKELETON_H

#include "common/domain/json_index.h"

#include <stdint.h>

struct json_document;
struct json_paths;
struct skeleton_piece;

struct json_skeleton {
    struct arena arena;
    struct skeleton_piece *first; /* the pieces that messages begin with */
    uint64_t paths_id;            /* of the paths that the tokens were chosen by */
    uint32_t piece_count;
    uint32_t missed; /* messages not learnt since the tree is full */
};

void json_skeleton_init(struct json_skeleton *skeleton);
void json_skeleton_clear(struct json_skeleton *skeleton);

/* Whether the text has a form that was learnt with these paths: then the document has its tokens, and *out_found is as
 * in json_parse_paths. False says nothing. Reads no byte outside of the text. */
bool json_skeleton_match(struct json_document *document, struct slice text, const struct json_paths *paths,
                         const int32_t **out_found);

/* Learns the form of the text that the document was made of by the same paths, within the same limit of depth as all
 * texts that are matched; the document's index is of it. A tree
 * that is full is begun anew once many messages have missed. False when there is no memory. */
bool json_skeleton_learn(struct json_document *document, const struct json_paths *paths,
                         const int32_t *found) MUST_CHECK;

#endif
