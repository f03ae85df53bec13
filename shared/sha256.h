/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4), for digests of short texts. Its own because loading libcrypto costs more
 * than a millisecond at each start of a process that needs nothing else of it.
 */
#ifndef SHARED_SHA256_H
#define SHARED_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

#define SHA256_LEN 32

void sha256(struct str data, uint8_t digest[SHA256_LEN]);
/* Whether two digests are equal, in a time that does not depend on where they differ. */
bool sha256_equal(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]);

#endif
