/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masks one target's secrets in text that others wrote or that is shown: its keys, the values of
 * configured headers that hold one, the password of its proxy; each also as JSON would escape it.
 */
#ifndef WORKERS_MASK_H
#define WORKERS_MASK_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/str.h"

struct credential;
struct mask;
struct target;

struct mask *mask_new(const struct target *t);
/* One text more, which must be masked whatever it is: a token that was fetched. Bounded as all are.
 */
void mask_add(struct mask *m, struct str text);
/*
 * The secrets of the credential that is used from now on. Those of the one before are masked too,
 * because an answer to it may still be under way; older ones are forgotten. NULL: none.
 */
void mask_set_credential(struct mask *m, const struct credential *c);
/* Wipes and frees; accepts NULL. */
void mask_free(struct mask *m);

/* Whether one of the secrets of at least `min` bytes is in the text. */
bool mask_finds(const struct mask *m, struct str text, size_t min);
/*
 * For a text that comes in pieces: how many bytes at the end of this one may be the beginning of a
 * secret, and have to wait for what follows.
 */
size_t mask_hold(const struct mask *m, struct str text);
/* Appends the text, masked. */
void mask_add_text(const struct mask *m, struct buf *b, struct str text);
/* Masks the buffer's own text in place. */
void mask_buf(const struct mask *m, struct buf *b);
/*
 * Whether a header's value is masked for its name alone, as LiteLLM does: the name holds
 * authorization, token, key, secret, credentials, password or passwd.
 */
bool mask_hides_header(struct str name);
/* Appends a header's value as it may be shown. */
void mask_add_header(const struct mask *m, struct buf *b, struct str name, struct str value);

#endif
