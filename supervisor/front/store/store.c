/* SPDX-License-Identifier: Apache-2.0 */
/* The interface: passes on to the backend. */
#include "supervisor/front/store/store.h"

#include <stdlib.h>

#include "shared/buf.h"

struct store {
	const struct store_ops *ops;
	void *state;
};

int
store_open(const struct store_ops *ops, const struct store_options *o, struct store **out)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int rc = ops->open(o, &s->state);

	if (rc < 0) {
		free(s);
		return rc;
	}
	s->ops = ops;
	*out = s;
	return 0;
}

const char *
store_name(const struct store *s)
{
	struct store_status status;

	store_status(s, &status);
	return status.name;
}

int
store_reopen(struct store *s, const struct settings *settings)
{
	return s->ops->reopen ? s->ops->reopen(s->state, settings) : 0;
}

int
store_put(struct store *s, const struct store_item *item)
{
	return s->ops->put(s->state, item);
}

void
store_remove(struct store *s, struct str id)
{
	s->ops->remove(s->state, id);
}

int
store_load(struct store *s, store_load_cb cb, void *arg)
{
	return s->ops->load(s->state, cb, arg);
}

void
store_watch(struct store *s, const struct store_events *events, void *arg)
{
	s->ops->watch(s->state, events, arg);
}

int
store_claim(struct store *s, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
    int64_t since_ms, store_claim_cb cb, void *arg)
{
	return s->ops->claim(s->state, id, slot, lease_ms, flags, since_ms, cb, arg);
}

void
store_release(struct store *s, struct str id, uint64_t slot)
{
	if (s->ops->release)
		s->ops->release(s->state, id, slot);
}

bool
store_leads(const struct store *s, struct str what)
{
	return s->ops->leads && s->ops->leads(s->state, what);
}

int
store_set(struct store *s, struct str key, struct str value, int64_t ttl_s)
{
	return s->ops->set ? s->ops->set(s->state, key, value, ttl_s) : ERR_CLOSED;
}

int
store_get(struct store *s, struct str key, store_get_cb cb, void *arg)
{
	return s->ops->get ? s->ops->get(s->state, key, cb, arg) : ERR_CLOSED;
}

int64_t
store_clock_offset_ms(const struct store *s)
{
	return s->ops->clock_offset_ms ? s->ops->clock_offset_ms(s->state) : 0;
}

int64_t
store_again_ms(const struct store *s)
{
	return s->ops->again_ms ? s->ops->again_ms(s->state) : 0;
}

size_t
store_witnesses(const struct store *s, struct str id, struct str *out, size_t room)
{
	return s->ops->witnesses ? s->ops->witnesses(s->state, id, out, room) : 0;
}

void
store_status(const struct store *s, struct store_status *status)
{
	*status = (struct store_status){ .name = s ? "memory" : "none",
		.instance = "",
		.witness = STR(""),
		.connected = true,
		.why = "",
		.instances = 1 };
	if (s && s->ops->status)
		s->ops->status(s->state, status);
}

int
store_flush(struct store *s)
{
	return s->ops->flush(s->state);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	s->ops->close(s->state);
	free(s);
}
