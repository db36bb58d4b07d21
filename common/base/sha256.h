/* SHA-256 of bytes at hand, or of a stream (OpenSSL). A failure is ERROR_INTERNAL: no memory, or no such digest in the
 * library. */
#ifndef MUSTER_BASE_SHA256_H
#define MUSTER_BASE_SHA256_H

#include "common/base/error.h"
#include "common/base/slice.h"

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 /* with its NUL */ };

bool sha256_of(struct slice bytes, unsigned char digest[SHA256_SIZE], struct error *err) MUST_CHECK;
/* Lower-case hexadecimal into `text`, which it returns. */
const char *sha256_hex(const unsigned char digest[SHA256_SIZE], char text[SHA256_HEX_SIZE]);

struct sha256 {
    void *context;
};

/* Begins a digest. sha256_end ends it; sha256_clear gives one up, and does nothing to one that has ended. */
bool sha256_begin(struct sha256 *sha256, struct error *err) MUST_CHECK;
bool sha256_add(struct sha256 *sha256, struct slice bytes, struct error *err) MUST_CHECK;
/* Writes the digest and frees the context, also on false. */
bool sha256_end(struct sha256 *sha256, unsigned char digest[SHA256_SIZE], struct error *err) MUST_CHECK;
/* Writes the digest and begins anew with the same context: cheap for many small digests. */
bool sha256_next(struct sha256 *sha256, unsigned char digest[SHA256_SIZE], struct error *err) MUST_CHECK;
void sha256_clear(struct sha256 *sha256);

#endif
