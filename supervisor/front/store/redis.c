/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of several instances on one Redis server, and of one alone until a reload names a
 * server. Verdicts are kept by the memory backend in
 * any case; Redis is where they meet others'. Two connections: commands, and the channel
 * (redis_sync.c). Offline, an instance goes by the members that it knew, and after a heartbeat's
 * time it probes all that it holds.
 */
#include "supervisor/front/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/store/record.h"
#include "supervisor/front/store/redis_state.h"
#include "supervisor/front/verdict_pack.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define LOAD_WAIT_MS 2000
#define BEATS 5 /* in a heartbeat's time */
#define FLUSH_MS 500

/* Putting. */

static void
on_put(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;
	int64_t kept;

	if (!redis_note(r, REDIS_PUTS, reply)) {
		r->refill = true;
	} else if (redis_reply_int(reply, &kept)) {
		r->status.put += (uint64_t)(kept > 0 ? kept : 0);
	}
}

void
redis_send_batch(struct redis *r)
{
	const struct str keys[] = { str_of(r->verdicts), str_of(r->view), str_of(r->events_key),
		str_of(r->counters), str_of(r->instances) };
	struct str args[3 + REDIS_BATCH_ITEMS * REDIS_ITEM_ARGS] = { str_of(r->name),
		str_of(r->channel), str_of(r->events_max) };

	if (r->n_args == 0)
		return;
	for (size_t i = 0; i < r->n_args; i++)
		args[3 + i] = (struct str){ r->batch.data + r->args[i].at, r->args[i].n };
	if (redis_eval(r, REDIS_SCRIPT_PUT, keys, ARRAY_LEN(keys), args, 3 + r->n_args, on_put, r) <
	    0)
		r->refill = true;
	r->n_args = 0;
	buf_reset(&r->batch);
}

static void
add_arg(struct redis *r, struct str s)
{
	r->args[r->n_args].at = r->batch.len;
	r->args[r->n_args++].n = s.n;
	buf_add_str(&r->batch, s);
}

static int
redis_put(void *state, const struct store_item *item)
{
	struct redis *r = state;
	int rc = item->packed.n > 0 ? store_memory.put(r->memory, item) : 0;
	struct buf theirs = BUF_INIT(VERDICT_PACKED_MAX);
	struct str packed = item->packed;
	char stamp[32];
	int64_t at;

	/* First the word, then what has come of it. */
	if (r->link == LINK_ONLINE && r->quorum && item->sight.n > 0)
		redis_sight_put(r, item);
	if (r->link != LINK_ONLINE || item->state.n == 0)
		return rc;
	if (item->packed.n > VERDICT_PACKED_MAX || item->id.n > RECORD_ID_MAX)
		return ERR_LIMIT;
	/* Times in the server's clock. */
	if (r->offset_ms != 0 && verdict_pack_move(packed, r->offset_ms, &theirs, &at) == 0)
		packed = buf_str(&theirs);
	snprintf(stamp, sizeof(stamp), "%016" PRId64, item->checked_at_ms + r->offset_ms);
	add_arg(r, item->id);
	add_arg(r, (struct str){ stamp, REDIS_STAMP_DIGITS });
	add_arg(r, item->state);
	add_arg(r, packed);
	add_arg(r, item->view);
	buf_clear(&theirs);
	if (r->n_args == ARRAY_LEN(r->args) || r->batch.len >= BATCH_BYTES)
		redis_send_batch(r);
	else
		event_active(r->turn, EV_TIMEOUT, 0);
	return rc;
}

static void
redis_remove(void *state, struct str id)
{
	struct redis *r = state;
	const struct str verdict[] = { STR("HDEL"), str_of(r->verdicts), id };
	const struct str view[] = { STR("HDEL"), str_of(r->view), id };

	store_memory.remove(r->memory, id);
	/* What is not known here at the start may be known to others. */
	if (r->link != LINK_ONLINE || r->load)
		return;
	if (redis_route_send(r->route, verdict, 3, NULL, NULL) < 0 ||
	    redis_route_send(r->route, view, 3, NULL, NULL) < 0)
		log_event(LOG_LEVEL_DEBUG, "redis_verdict_left", LV("id", id));
}

/* Loading. */

static void
on_memory_item(const struct store_item *item, int err, void *arg)
{
	struct redis *r = arg;

	if (item) {
		if (r->load)
			r->load(item, 0, r->load_arg);
		return;
	}
	r->memory_loaded = true;
	if (err == ERR_CLOSED)
		return;
	if (r->link == LINK_ONLINE || r->route == NULL)
		redis_sync_end_load(r);
	else
		redis_sync_try(r);
}

void
redis_on_load_wait(evutil_socket_t fd, short what, void *arg)
{
	redis_sync_end_load(arg);
}

static int
redis_load(void *state, store_load_cb cb, void *arg)
{
	static const struct timeval wait = { LOAD_WAIT_MS / 1000, LOAD_WAIT_MS % 1000 * 1000 };
	struct redis *r = state;
	int rc;

	if (r->load)
		return ERR_AGAIN;
	r->memory_loaded = false;
	rc = store_memory.load(r->memory, on_memory_item, r);
	if (rc < 0)
		return rc;
	r->load = cb;
	r->load_arg = arg;
	event_add(r->load_wait, &wait);
	if (r->link == LINK_ONLINE) {
		r->link = LINK_SYNC;
		r->synced = false;
	}
	return 0;
}

static void
redis_watch(void *state, const struct store_events *events, void *arg)
{
	struct redis *r = state;

	r->events = *events;
	r->events_arg = arg;
}

/* Claims. */

bool
redis_alone(const struct redis *r, struct str id)
{
	return !r->was_online || r->members.n == 0 ||
	       clock_mono_ms() - r->offline_since_ms >= r->heartbeat_ms ||
	       redis_owns(r, id);
}

void
redis_answer(struct redis *r, bool granted, store_claim_cb cb, void *arg)
{
	if (r->n_answers == r->cap_answers) {
		r->cap_answers = r->cap_answers ? r->cap_answers * 2 : 64;
		r->answers = xrealloc(r->answers, r->cap_answers * sizeof(*r->answers));
	}
	r->answers[r->n_answers++] = (struct redis_answer){ cb, arg, granted };
	event_active(r->turn, EV_TIMEOUT, 0);
}

static void
on_claimed(const struct redisReply *reply, void *arg)
{
	struct redis_asked *a = arg;
	struct redis *r = a->redis;
	int64_t granted;
	store_claim_cb cb = a->cb;
	void *cb_arg = a->arg;

	if (!redis_note(r, REDIS_CLAIMS, reply) || !redis_reply_int(reply, &granted))
		granted = redis_alone(r, (struct str){ a->id, a->n });
	LIST_REMOVE(a, link);
	free(a);
	if (cb == NULL)
		return;
	r->status.claims++;
	r->status.denied += !granted;
	if (!r->closing)
		cb(granted, cb_arg);
}

/*
 * A server that takes its time does not hold up probes: who owns the deployment, by all that is
 * known, need not wait for the word that nobody else has its slot. Others wait.
 */
void
redis_answer_late(struct redis *r)
{
	int64_t since = clock_mono_ms() - r->heartbeat_ms / BEATS;
	struct redis_asked *a;

	LIST_FOREACH (a, &r->asked, link) {
		if (a->cb == NULL || a->patient || a->since_ms > since ||
		    !redis_owns(r, (struct str){ a->id, a->n }))
			continue;
		r->status.claims++;
		redis_answer(r, true, a->cb, a->arg);
		a->cb = NULL;
	}
}

static void
claim_key(const struct redis *r, struct buf *b, struct str id, uint64_t slot)
{
	buf_add_text(b, r->claim);
	buf_add_str(b, id);
	buf_addf(b, ":%" PRIu64, slot);
}

static int
redis_claim(void *state, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
    int64_t since_ms, store_claim_cb cb, void *arg)
{
	struct redis *r = state;
	struct buf name = BUF_INIT(4096);
	char lease[24], dead[24], since[24], version[24];
	struct redis_asked *a;
	struct str keys[3], args[6];

	if (r->link != LINK_ONLINE) {
		redis_answer(r, redis_alone(r, id) || (flags & STORE_CLAIM_ANYBODY), cb, arg);
		return 0;
	}
	if (!(flags & STORE_CLAIM_ANYBODY) && !redis_owns(r, id)) {
		redis_answer(r, false, cb, arg);
		return 0;
	}
	a = xmalloc(sizeof(*a) + id.n);
	*a = (struct redis_asked){ .redis = r,
		.cb = cb,
		.arg = arg,
		.since_ms = clock_mono_ms(),
		.patient = flags & STORE_CLAIM_ANYBODY,
		.n = id.n };
	memcpy(a->id, id.p, id.n);
	claim_key(r, &name, id, slot);
	/* Each witness has its own slots. */
	if (r->quorum && !(flags & STORE_CLAIM_ANYBODY)) {
		buf_add_char(&name, ':');
		buf_add_str(&name, member_witness(r->name));
	}
	keys[0] = buf_str(&name);
	keys[1] = str_of(r->instances);
	keys[2] = str_of(r->verdicts);
	args[0] = str_of(r->name);
	args[1] = redis_number(lease, sizeof(lease), lease_ms > 0 ? lease_ms : 1);
	args[2] = redis_number(dead, sizeof(dead), redis_dead_after_ms(r));
	args[3] = redis_number(since, sizeof(since), since_ms > 0 ? since_ms + r->offset_ms : 0);
	args[4] = id;
	args[5] = redis_number(version, sizeof(version), VERDICT_PACK_VERSION);
	if (redis_eval(r, REDIS_SCRIPT_CLAIM, keys, 3, args, 6, on_claimed, a) < 0) {
		redis_answer(r, redis_alone(r, id), cb, arg);
		free(a);
	} else {
		LIST_INSERT_HEAD(&r->asked, a, link);
	}
	buf_clear(&name);
	return 0;
}

static void
redis_release(void *state, struct str id, uint64_t slot)
{
	struct redis *r = state;
	struct buf name = BUF_INIT(4096);
	struct str del[2] = { STR("DEL") };

	/* Who is denied until now finds the verdict, which is sent first. */
	redis_send_batch(r);
	claim_key(r, &name, id, slot);
	del[1] = buf_str(&name);
	if (r->link == LINK_ONLINE && redis_route_send(r->route, del, 2, NULL, NULL) < 0)
		log_event(LOG_LEVEL_DEBUG, "redis_claim_left", LV("id", id));
	buf_clear(&name);
}

void
redis_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	struct redis_answer *answers = r->answers;
	size_t n = r->n_answers;

	redis_send_batch(r);
	r->answers = NULL;
	r->n_answers = r->cap_answers = 0;
	for (size_t i = 0; i < n && !r->closing; i++)
		answers[i].cb(answers[i].granted, answers[i].arg);
	free(answers);
}

/* Life. */

static int64_t
redis_offset(const void *state)
{
	return ((const struct redis *)state)->offset_ms;
}

static int64_t
redis_again(const void *state)
{
	const struct redis *r = state;

	/* What others do is heard of so much later. */
	return r->heartbeat_ms + redis_late_ms(r);
}

static void
redis_status(const void *state, struct store_status *status)
{
	const struct redis *r = state;

	if (r->route == NULL)
		return; /* as the memory, which is behind us */
	*status = r->status;
	status->name = "redis";
	status->instance = r->name;
	status->witness = member_witness(r->name);
	status->quorum = r->quorum;
	status->shared = true;
	status->connected = r->link == LINK_ONLINE;
	status->why = r->link == LINK_ONLINE ? "" : r->why[0] ? r->why : redis_route_why(r->route);
	status->instances = r->members.n ? r->members.n : 1;
	status->offset_ms = r->offset_ms;
	status->commands = r->counts.answered;
	status->connects = r->counts.connects;
	status->latency_us = r->counts.latency_us;
	status->waiting = (size_t)(r->counts.sent - r->counts.answered - r->counts.lost);
	status->latency = &r->counts.latency;
	status->lag = &r->counts.lag;
	redis_note_status(r, status);
}

static int
redis_flush(void *state)
{
	struct redis *r = state;

	redis_send_batch(r);
	redis_route_flush(r->route, FLUSH_MS);
	return store_memory.flush(r->memory);
}

const struct store_ops store_redis = {
	.name = "redis",
	.open = redis_open,
	.reopen = redis_reopen,
	.put = redis_put,
	.remove = redis_remove,
	.load = redis_load,
	.watch = redis_watch,
	.claim = redis_claim,
	.release = redis_release,
	.leads = redis_plain_leads,
	.set = redis_plain_set,
	.get = redis_plain_get,
	.clock_offset_ms = redis_offset,
	.again_ms = redis_again,
	.witnesses = redis_witnesses,
	.status = redis_status,
	.flush = redis_flush,
	.close = redis_close,
};
