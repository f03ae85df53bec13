/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that several answers share: counted, never changed once somebody else has a reference. */
#ifndef SUPERVISOR_FRONT_HTTP_BLOB_H
#define SUPERVISOR_FRONT_HTTP_BLOB_H

#include <stddef.h>

#include "shared/str.h"

struct blob {
	size_t refs;
	size_t len;
	char data[];
};

/* With one reference, the caller's; its bytes are not set. */
struct blob *blob_new(size_t len);
struct blob *blob_copy(struct str s);
/* One reference more. */
struct blob *blob_ref(struct blob *b);
/* One less; the last frees it. Accepts NULL. */
void blob_unref(struct blob *b);

#endif
