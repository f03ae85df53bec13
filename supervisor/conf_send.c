/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deployments are kept as encoded frames of generation 0: comparing is then comparing bytes, and
 * what is kept is exactly what is sent.
 */
#include "supervisor/conf_send.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/peer.h"
#include "shared/secret.h"
#include "shared/wire.h"

#define FRAME_MAX ((size_t)(2 << 20) + WIRE_HEADER_BYTES)

struct handles {
	char **ids; /* ids[handle - 1] */
	size_t n, cap;
	uint32_t *slots; /* open addressing; 0 is free, else a handle */
	size_t n_slots;	 /* a power of two */
};

struct item {
	uint32_t handle;
	struct str target; /* frames, owned; empty when there is none */
	struct str deployment;
};

struct conf {
	unsigned holders;
	struct str settings[SETTING_COUNT]; /* owned */
	char digest[32];
	size_t digest_len;
	struct kv *keys; /* owned */
	size_t n_keys;
	struct item *items;
	size_t n, cap, n_targets;
	uint32_t *by_handle; /* by_handle[handle] is the item's index + 1; 0: none */
	size_t n_by_handle;
};

struct handles *
handles_new(void)
{
	return xcalloc(1, sizeof(struct handles));
}

void
handles_free(struct handles *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->ids[i]);
	free(h->ids);
	free(h->slots);
	free(h);
}

/* The slot that holds the id, or the free one where it belongs. */
static uint32_t *
find_slot(struct handles *h, struct str id)
{
	size_t i = str_hash(id) & (h->n_slots - 1);

	while (h->slots[i] != 0 && !str_is(id, h->ids[h->slots[i] - 1]))
		i = (i + 1) & (h->n_slots - 1);
	return &h->slots[i];
}

static void
grow(struct handles *h)
{
	h->n_slots = h->n_slots ? h->n_slots * 2 : 256;
	free(h->slots);
	h->slots = xcalloc(h->n_slots, sizeof(*h->slots));
	for (size_t i = 0; i < h->n; i++)
		*find_slot(h, str_of(h->ids[i])) = (uint32_t)i + 1;
}

uint32_t
handles_get(struct handles *h, struct str id)
{
	uint32_t *slot;

	if (h->n * 2 >= h->n_slots)
		grow(h);
	slot = find_slot(h, id);
	if (*slot == 0) {
		if (h->n == h->cap) {
			h->cap = h->cap ? h->cap * 2 : 128;
			h->ids = xrealloc(h->ids, h->cap * sizeof(*h->ids));
		}
		h->ids[h->n++] = str_dup(id);
		*slot = (uint32_t)h->n;
	}
	return *slot;
}

static struct str
own(struct buf *b)
{
	size_t n = b->len;

	return (struct str){ buf_take(b), n };
}

static struct str
copy(struct str s)
{
	return (struct str){ str_dup(s), s.n };
}

static void
drop(struct str s)
{
	if (s.p == NULL)
		return;
	secret_wipe((char *)s.p, s.n);
	free((char *)s.p);
}

struct conf *
conf_new(const struct settings *settings, struct str key_digest, struct kvs keys)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->holders = 1;
	for (int i = 0; i < SETTING_COUNT; i++) {
		struct buf b = BUF_INIT((size_t)8 << 20);

		if (!setting_is_digested((enum setting)i))
			settings_get_text(settings, (enum setting)i, &b);
		c->settings[i] = own(&b);
	}
	if (key_digest.n <= sizeof(c->digest)) {
		memcpy(c->digest, key_digest.p ? key_digest.p : "", key_digest.n);
		c->digest_len = key_digest.n;
	}
	c->keys = xcalloc(keys.n + 1, sizeof(*c->keys));
	for (; c->n_keys < keys.n; c->n_keys++)
		c->keys[c->n_keys] = (struct kv){ copy(keys.v[c->n_keys].key), copy(keys.v[c->n_keys].value) };
	return c;
}

struct conf *
conf_hold(struct conf *c)
{
	c->holders++;
	return c;
}

bool
conf_same_settings(const struct conf *c, const struct conf *before)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (!str_eq(c->settings[i], before->settings[i]))
			return false;
	if (c->n_keys != before->n_keys)
		return false;
	for (size_t i = 0; i < c->n_keys; i++)
		if (!str_eq(c->keys[i].key, before->keys[i].key) || !str_eq(c->keys[i].value, before->keys[i].value))
			return false;
	return c->digest_len == before->digest_len &&
	       memcmp(c->digest, before->digest, c->digest_len) == 0;
}

void
conf_free(struct conf *c)
{
	if (c == NULL || --c->holders > 0)
		return;
	for (int i = 0; i < SETTING_COUNT; i++)
		drop(c->settings[i]);
	for (size_t i = 0; i < c->n_keys; i++) {
		drop(c->keys[i].key);
		drop(c->keys[i].value);
	}
	free(c->keys);
	for (size_t i = 0; i < c->n; i++) {
		drop(c->items[i].target);
		drop(c->items[i].deployment);
	}
	free(c->items);
	free(c->by_handle);
	free(c);
}

static const struct item *
find_item(const struct conf *c, uint32_t handle)
{
	if (c == NULL || handle >= c->n_by_handle || c->by_handle[handle] == 0)
		return NULL;
	return &c->items[c->by_handle[handle] - 1];
}

int
conf_add(struct conf *c, struct handles *h, const struct msg_conf_target *target,
    const struct msg_conf_deployment *deployment)
{
	struct msg_conf_deployment d = *deployment;
	struct buf b = BUF_INIT(FRAME_MAX);
	struct item it = { .handle = handles_get(h, deployment->id) };
	int rc;

	if (find_item(c, it.handle))
		return ERR_EXISTS;
	d.generation = 0;
	d.handle = it.handle;
	rc = wire_encode(&b, MSG_CONF_DEPLOYMENT, 0, &d);
	if (rc < 0)
		goto out;
	it.deployment = own(&b);
	if (target) {
		struct msg_conf_target t = *target;

		t.generation = 0;
		t.handle = it.handle;
		rc = wire_encode(&b, MSG_CONF_TARGET, 0, &t);
		if (rc < 0)
			goto out;
		it.target = own(&b);
		c->n_targets++;
	}
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 128;
		c->items = xrealloc(c->items, c->cap * sizeof(*c->items));
	}
	c->items[c->n++] = it;
	if (it.handle >= c->n_by_handle) {
		size_t n = c->n_by_handle ? c->n_by_handle : 128;

		while (n <= it.handle)
			n *= 2;
		c->by_handle = xrealloc(c->by_handle, n * sizeof(*c->by_handle));
		memset(
		    c->by_handle + c->n_by_handle, 0, (n - c->n_by_handle) * sizeof(*c->by_handle));
		c->n_by_handle = n;
	}
	c->by_handle[it.handle] = (uint32_t)c->n;
	return 0;
out:
	drop(it.deployment);
	if (b.data)
		secret_wipe(b.data, b.cap);
	buf_clear(&b);
	return rc;
}

size_t
conf_size(const struct conf *c)
{
	return c->n;
}

uint32_t
conf_handle(const struct conf *c, size_t i)
{
	return c->items[i].handle;
}

static struct str
packed(const struct item *it, enum role side)
{
	return side == ROLE_W ? it->target : it->deployment;
}

struct conf_difference
conf_compare(const struct conf *c, const struct conf *before, enum role side)
{
	struct conf_difference d = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		const struct item *old = find_item(before, c->items[i].handle);
		struct str now = packed(&c->items[i], side);

		if (now.n == 0)
			continue;
		if (old == NULL || packed(old, side).n == 0)
			d.added++;
		else if (!str_eq(now, packed(old, side)))
			d.changed++;
		else
			d.same++;
	}
	for (size_t i = 0; before && i < before->n; i++) {
		const struct item *now = find_item(c, before->items[i].handle);

		if (packed(&before->items[i], side).n > 0 &&
		    (now == NULL || packed(now, side).n == 0))
			d.removed++;
	}
	return d;
}

static int
send_item(struct str frame, enum role to, uint32_t generation, struct wire_decoder *decoder,
    struct peer *p)
{
	enum msg_type type = to == ROLE_W ? MSG_CONF_TARGET : MSG_CONF_DEPLOYMENT;
	const void *m;
	int rc;

	rc = wire_decode(decoder, type, (const unsigned char *)frame.p + WIRE_HEADER_BYTES,
	    frame.n - WIRE_HEADER_BYTES, &m);
	if (rc < 0)
		return rc;
	if (to == ROLE_W) {
		struct msg_conf_target t = *(const struct msg_conf_target *)m;

		t.generation = generation;
		return peer_send(p, type, 0, &t);
	} else {
		struct msg_conf_deployment d = *(const struct msg_conf_deployment *)m;

		d.generation = generation;
		return peer_send(p, type, 0, &d);
	}
}

/* Of the secrets, those of Redis are the front's, which alone may reach it; the others are the workers'. */
static struct str
setting_for(const struct conf *c, enum setting id, enum role to)
{
	if (setting_row(id)->type != SETTING_TYPE_SECRET)
		return c->settings[id];
	if (setting_is_for_workers(id) == (to == ROLE_W))
		return c->settings[id];
	return to == ROLE_F && c->settings[id].n > 0 ? STR(SETTING_IS_SET) : STR("");
}

int
conf_send(const struct conf *c, const struct conf *before, enum role to, uint32_t generation,
    struct peer *p)
{
	struct str settings[SETTING_COUNT];
	struct msg_conf_begin begin = {
		.generation = generation,
		.full = before == NULL,
		.settings = { settings, SETTING_COUNT },
		.key_digest = { to == ROLE_F ? c->digest : "", to == ROLE_F ? c->digest_len : 0 },
		.keys = { c->keys, to == ROLE_F ? c->n_keys : 0 },
	};
	struct msg_conf_commit commit = { generation,
		(uint32_t)(to == ROLE_W ? c->n_targets : c->n) };
	struct wire_decoder *decoder = wire_decoder_new();
	int rc;

	for (int i = 0; i < SETTING_COUNT; i++)
		settings[i] = setting_for(c, (enum setting)i, to);
	rc = peer_send(p, MSG_CONF_BEGIN, 0, &begin);
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		const struct item *old = find_item(before, c->items[i].handle);
		struct str now = packed(&c->items[i], to);

		if (now.n > 0 && (old == NULL || !str_eq(now, packed(old, to))))
			rc = send_item(now, to, generation, decoder, p);
	}
	for (size_t i = 0; rc == 0 && before && i < before->n; i++) {
		const struct item *old = &before->items[i];
		const struct item *now = find_item(c, old->handle);
		struct msg_conf_remove remove = { generation, old->handle };

		if (packed(old, to).n > 0 && (now == NULL || packed(now, to).n == 0))
			rc = peer_send(p, MSG_CONF_REMOVE, 0, &remove);
	}
	if (rc == 0)
		rc = peer_send(p, MSG_CONF_COMMIT, 0, &commit);
	wire_decoder_free(decoder);
	return rc;
}
