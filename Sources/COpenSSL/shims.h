// libcrypto of OpenSSL 3: EVP digests and Ed25519.
#ifndef MILLWARDEN_COPENSSL_H
#define MILLWARDEN_COPENSSL_H

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

// Without a callback of ours, libcrypto asks the terminal for the passphrase of an encrypted key.
static inline int mw_no_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static inline EVP_PKEY *mw_read_private_pem(BIO *bio, OSSL_LIB_CTX *library) {
    return PEM_read_bio_PrivateKey_ex(bio, NULL, mw_no_passphrase, NULL, library, NULL);
}

static inline EVP_PKEY *mw_read_public_pem(BIO *bio, OSSL_LIB_CTX *library) {
    return PEM_read_bio_PUBKEY_ex(bio, NULL, mw_no_passphrase, NULL, library, NULL);
}

// PKCS#8 without encryption.
static inline int mw_write_private_pem(BIO *bio, const EVP_PKEY *key) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
}

// A macro over BIO_ctrl.
static inline long mw_bio_contents(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

#endif
