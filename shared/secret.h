/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one type for secrets: wiped when freed, never logged, stored or shown. Also masks secrets in
 * text that others wrote, because a provider may echo the key that it was sent.
 */
#ifndef SHARED_SECRET_H
#define SHARED_SECRET_H

#include "shared/buf.h"
#include "shared/str.h"

struct secret;

/* A copy of the text. Owned by the caller. */
struct secret *secret_new(struct str text);
/* Wipes and frees; accepts NULL. */
void secret_free(struct secret *s);
/* The text itself, borrowed; empty for NULL. Only for putting it on the wire. */
struct str secret_reveal(const struct secret *s);
/* Overwrites n bytes in a way that the compiler keeps. */
void secret_wipe(void *p, size_t n);

/*
 * Appends text to b with each occurrence of one of the secrets replaced as LiteLLM masks
 * (4 characters or fewer: `*****`, else first 2, `****`, last 2). Secrets shorter than 4 bytes are
 * not looked for: they would mask ordinary words.
 */
void secret_mask_text(
    struct buf *b, struct str text, const struct secret *const *secrets, size_t n_secrets);
/* Appends the mask of one value. */
void secret_mask_value(struct buf *b, struct str value);

#endif
