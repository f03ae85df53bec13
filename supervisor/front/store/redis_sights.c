/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each witness says of each deployment, where a quorum decides: one hash a witness, which
 * lives as long as its words count, and a message for each word.
 */
#include "supervisor/front/store/redis_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/log.h"
#include "supervisor/front/store/record.h"

size_t
redis_witnesses(const void *state, struct str id, struct str *out, size_t room)
{
	const struct redis *r = state;

	return r->quorum ? members_witnesses(&r->members, id, r->witnesses, out, room) : 0;
}

bool
redis_owns(const struct redis *r, struct str id)
{
	return r->quorum ? members_speaks(&r->members, str_of(r->name), id, r->witnesses)
			 : members_owns(&r->members, str_of(r->name), id);
}

static void
add_key(const struct redis *r, struct buf *b, struct str witness)
{
	buf_add_text(b, r->witness);
	buf_add_str(b, witness);
}

/* "S", two digits and the witness, six digits and the id, the word. */
void
redis_sight_put(struct redis *r, const struct store_item *item)
{
	struct str witness = item->witness.n ? item->witness : member_witness(r->name);
	struct buf key = BUF_INIT(1024), message = BUF_INIT(REDIS_SIGHT_MAX + 65536 + 256);
	char ttl[24];

	if (item->sight.n > REDIS_SIGHT_MAX || item->id.n > RECORD_ID_MAX || witness.n > 99)
		return;
	add_key(r, &key, witness);
	buf_addf(&message, "S%02zu", witness.n);
	buf_add_str(&message, witness);
	buf_addf(&message, "%06zu", item->id.n);
	buf_add_str(&message, item->id);
	buf_add_str(&message, item->sight);
	if (buf_ok(&message)) {
		const struct str keys[] = { buf_str(&key) };
		const struct str args[] = { item->id, item->sight,
			redis_number(ttl, sizeof(ttl), item->sight_ttl_ms), str_of(r->channel),
			buf_str(&message) };

		if (redis_eval(r, REDIS_SCRIPT_SIGHT, keys, 1, args, ARRAY_LEN(args), NULL, NULL) <
		    0)
			r->refill = true;
	}
	buf_clear(&key);
	buf_clear(&message);
}

static void
tell(struct redis *r, struct str witness, struct str id, struct str sight)
{
	const struct store_item item = { .id = id, .witness = witness, .sight = sight };

	if (sight.n > 0 && sight.n <= REDIS_SIGHT_MAX && r->events.sight)
		r->events.sight(&item, r->events_arg);
}

struct asked_sights {
	struct redis *redis;
	size_t n;
	char witness[];
};

static void
on_sights(const struct redisReply *reply, void *arg)
{
	struct asked_sights *a = arg;
	size_t n = redis_reply_len(reply);

	for (size_t i = 0; i + 1 < n && !a->redis->closing; i += 2)
		tell(a->redis, (struct str){ a->witness, a->n },
		    redis_reply_text(redis_reply_at(reply, i)),
		    redis_reply_text(redis_reply_at(reply, i + 1)));
	free(a);
}

static void
load_one(struct redis *r, struct str witness)
{
	struct buf key = BUF_INIT(1024);
	struct asked_sights *a = xmalloc(sizeof(*a) + witness.n);
	struct str all[2] = { STR("HGETALL") };

	*a = (struct asked_sights){ r, witness.n };
	memcpy(a->witness, witness.p, witness.n);
	add_key(r, &key, witness);
	all[1] = buf_str(&key);
	if (redis_route_send(r->route, all, 2, on_sights, a) < 0)
		free(a);
	buf_clear(&key);
}

void
redis_sights_load(struct redis *r)
{
	size_t loaded = 0;

	if (!r->quorum)
		return;
	for (size_t i = 0; i < r->members.n && loaded < STORE_WITNESSES_MAX; i++) {
		struct str witness = member_witness(r->members.names[i]);

		if (i > 0 && str_eq(witness, member_witness(r->members.names[i - 1])))
			continue;
		load_one(r, witness);
		loaded++;
	}
}

/* A number of so many digits; more than there can be when it is none. */
static size_t
length(const char *p, size_t n)
{
	size_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return SIZE_MAX / 2;
		value = value * 10 + (size_t)(p[i] - '0');
	}
	return value;
}

void
redis_sight_take(struct redis *r, struct str s)
{
	struct str witness, id;

	if (!r->quorum || s.n < 3)
		return;
	witness = (struct str){ s.p + 3, length(s.p + 1, 2) };
	if (witness.n > s.n - 3 || s.n - 3 - witness.n < 6)
		return;
	s = (struct str){ witness.p + witness.n, s.n - 3 - witness.n };
	id = (struct str){ s.p + 6, length(s.p, 6) };
	if (id.n > s.n - 6 || str_eq(witness, member_witness(r->name)))
		return;
	tell(r, witness, id, (struct str){ id.p + id.n, s.n - 6 - id.n });
}
