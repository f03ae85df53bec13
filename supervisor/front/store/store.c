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
	return s->ops->name;
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
store_watch(struct store *s, store_watch_cb cb, void *arg)
{
	s->ops->watch(s->state, cb, arg);
}

int
store_claim(
    struct store *s, struct str id, uint64_t slot, int64_t lease_ms, store_claim_cb cb, void *arg)
{
	return s->ops->claim(s->state, id, slot, lease_ms, cb, arg);
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
