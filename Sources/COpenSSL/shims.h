// libcrypto of OpenSSL 3: EVP digests and Ed25519.

// As in CLinux: a type of libc that both modules show must look the same in both.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
