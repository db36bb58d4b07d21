#include "common/base/sha256.h"

#include <openssl/evp.h>

static bool fail(struct error *err)
{
    return error_set(err, ERROR_INTERNAL, "SHA-256 failed: no memory, or the digest is missing in the OpenSSL library");
}

bool sha256_begin(struct sha256 *sha256, struct error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    sha256->context = context;
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        sha256_clear(sha256);
        return fail(err);
    }
    return true;
}

bool sha256_add(struct sha256 *sha256, struct slice bytes, struct error *err)
{
    return bytes.size == 0 || EVP_DigestUpdate(sha256->context, bytes.data, bytes.size) == 1 || fail(err);
}

bool sha256_end(struct sha256 *sha256, unsigned char digest[SHA256_SIZE], struct error *err)
{
    bool done = EVP_DigestFinal_ex(sha256->context, digest, NULL) == 1;

    sha256_clear(sha256);
    return done || fail(err);
}

bool sha256_next(struct sha256 *sha256, unsigned char digest[SHA256_SIZE], struct error *err)
{
    return (EVP_DigestFinal_ex(sha256->context, digest, NULL) == 1 &&
            EVP_DigestInit_ex(sha256->context, NULL, NULL) == 1) ||
           fail(err);
}

void sha256_clear(struct sha256 *sha256)
{
    EVP_MD_CTX_free(sha256->context);
    sha256->context = NULL;
}

bool sha256_of(struct slice bytes, unsigned char digest[SHA256_SIZE], struct error *err)
{
    return EVP_Digest(bytes.size > 0 ? bytes.data : "", bytes.size, digest, NULL, EVP_sha256(), NULL) == 1 || fail(err);
}

const char *sha256_hex(const unsigned char digest[SHA256_SIZE], char text[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_SIZE; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * SHA256_SIZE] = '\0';
    return text;
}
