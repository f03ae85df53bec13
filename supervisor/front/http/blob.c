/* SPDX-License-Identifier: Apache-2.0 */
/* Counted bytes. One thread, so the count needs no atomics. */
#include "supervisor/front/http/blob.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

struct blob *
blob_new(size_t len)
{
	struct blob *b = xmalloc(sizeof(*b) + len);

	b->refs = 1;
	b->len = len;
	return b;
}

struct blob *
blob_copy(struct str s)
{
	struct blob *b = blob_new(s.n);

	if (s.n > 0)
		memcpy(b->data, s.p, s.n);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void
blob_unref(struct blob *b)
{
	if (b && --b->refs == 0)
		free(b);
}
