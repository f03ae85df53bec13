/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of lines by what must be equal for two targets to share a connection's settings. */
#include "workers/line.h"

#include <stdint.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/secret.h"
#include "workers/target.h"
#include "workers/transfer.h"

#define BUCKETS 4096

struct line {
	struct lines *owner;
	struct line *next;
	struct str key;
	unsigned holders;
	struct transfer **idle; /* a stack */
	size_t n_idle, cap_idle;
};

struct lines {
	struct transfers *transfers;
	struct line *buckets[BUCKETS];
};

struct lines *
lines_new(struct transfers *transfers)
{
	struct lines *lines = xcalloc(1, sizeof(*lines));

	lines->transfers = transfers;
	return lines;
}

void
lines_free(struct lines *lines)
{
	free(lines);
}

static void
make_key(struct buf *key, const struct target *t)
{
	const char *const texts[] = { t->api_base, t->proxy, t->no_proxy, t->ca_file,
		t->client_cert, t->client_key };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_add(key, texts[i], strlen(texts[i]) + 1);
	buf_add_char(key, t->ssl_verify ? 'v' : '-');
	buf_add_char(key, t->allow_link_local ? 'l' : '-');
}

static struct line **
bucket_of(struct lines *lines, struct str key)
{
	return &lines->buckets[str_hash(key) % BUCKETS];
}

struct line *
line_get(struct lines *lines, const struct target *t)
{
	struct buf key = BUF_INIT(SIZE_MAX / 2);
	struct line **bucket, *l;

	make_key(&key, t);
	bucket = bucket_of(lines, buf_str(&key));
	for (l = *bucket; l && !str_eq(l->key, buf_str(&key)); l = l->next)
		;
	if (l == NULL) {
		l = xcalloc(1, sizeof(*l));
		l->owner = lines;
		l->key.n = key.len;
		l->key.p = buf_take(&key);
		l->next = *bucket;
		*bucket = l;
	}
	buf_clear(&key);
	l->holders++;
	return l;
}

void
line_release(struct line *l)
{
	struct line **link;

	if (l == NULL || --l->holders > 0)
		return;
	for (link = bucket_of(l->owner, l->key); *link != l; link = &(*link)->next)
		;
	*link = l->next;
	for (size_t i = 0; i < l->n_idle; i++)
		transfer_free(l->idle[i]);
	free(l->idle);
	/* A proxy's URL may hold a password. */
	secret_wipe((char *)(uintptr_t)l->key.p, l->key.n);
	free((char *)(uintptr_t)l->key.p);
	free(l);
}

struct transfer *
line_take(struct line *l, const struct target *t)
{
	struct transfer *x;

	if (l->n_idle == 0)
		return transfer_new(l->owner->transfers, t);
	x = l->idle[--l->n_idle];
	transfer_rebind(x, t);
	return x;
}

void
line_give(struct line *l, struct transfer *x)
{
	transfer_cancel(x);
	transfer_rebind(x, NULL);
	if (l->n_idle == l->cap_idle) {
		l->cap_idle = l->cap_idle ? l->cap_idle * 2 : 4;
		l->idle = xrealloc(l->idle, l->cap_idle * sizeof(struct transfer *));
	}
	l->idle[l->n_idle++] = x;
}
