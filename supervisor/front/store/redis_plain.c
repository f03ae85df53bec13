/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are agreed with other programs: plain SET and GET. */
#include "supervisor/front/store/redis_state.h"

#include <stdlib.h>


struct redis_get {
	LIST_ENTRY(redis_get) link;
	struct redis *redis;
	store_get_cb cb;
	void *arg;
};

bool
redis_plain_leads(const void *state, struct str what)
{
	const struct redis *r = state;

	return r->link == LINK_ONLINE && members_owns(&r->members, str_of(r->name), what);
}

static void
on_set(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;

	r->status.unset += !redis_note(r, REDIS_SETS, reply);
}

int
redis_plain_set(void *state, struct str name, struct str value, int64_t ttl_s)
{
	struct redis *r = state;
	char ttl[24];
	const struct str set[] = { STR("SET"), name, value, STR("EX"),
		redis_number(ttl, sizeof(ttl), ttl_s) };

	return r->link == LINK_ONLINE ? redis_route_send_key(r->route, name, set, ARRAY_LEN(set), on_set, r)
				      : ERR_CLOSED;
}

static void
on_get(const struct redisReply *reply, void *arg)
{
	struct redis_get *g = arg;
	struct str value = redis_reply_text(reply);
	bool none = reply && reply->type == REDIS_REPLY_NIL;
	bool found = reply && reply->type == REDIS_REPLY_STRING;

	(void)redis_note(g->redis, REDIS_GETS, reply);
	LIST_REMOVE(g, link);
	g->cb(found ? &value : NULL, found || none ? 0 : reply ? ERR_SYNTAX : ERR_CLOSED, g->arg);
	free(g);
}

int
redis_plain_get(void *state, struct str name, store_get_cb cb, void *arg)
{
	struct redis *r = state;
	const struct str get[] = { STR("GET"), name };
	struct redis_get *g;
	int rc;

	if (r->link != LINK_ONLINE)
		return ERR_CLOSED;
	g = xcalloc(1, sizeof(*g));
	*g = (struct redis_get){ .redis = r, .cb = cb, .arg = arg };
	rc = redis_route_send_key(r->route, name, get, 2, on_get, g);
	if (rc < 0)
		free(g);
	else
		LIST_INSERT_HEAD(&r->gets, g, link);
	return rc;
}

void
redis_plain_close(struct redis *r)
{
	struct redis_get *g;

	while ((g = LIST_FIRST(&r->gets)) != NULL) {
		LIST_REMOVE(g, link);
		g->cb(NULL, ERR_CLOSED, g->arg);
		free(g);
	}
}
