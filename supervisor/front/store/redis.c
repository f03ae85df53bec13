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
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "shared/sha256.h"
#include "supervisor/front/store/record.h"
#include "supervisor/front/store/redis_state.h"
#include "supervisor/front/verdict_pack.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define LOAD_WAIT_MS 2000
#define BEATS 5 /* in a heartbeat's time */
#define FLUSH_MS 500
#define LEAVE_MS 1000 /* a server that is left is told so within this time */

static char *
key(const struct settings *s, const char *name)
{
	struct buf b = BUF_INIT(1024);

	buf_addf(&b, "{%s}:%s", s->text[SETTING_REDIS_PREFIX], name);
	return buf_take(&b);
}

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

static void
on_load_wait(evutil_socket_t fd, short what, void *arg)
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

/* Whether it may be probed without asking Redis, which cannot be asked. */
static bool
alone(const struct redis *r, struct str id)
{
	return !r->was_online || r->members.n == 0 ||
	       clock_mono_ms() - r->offline_since_ms >= r->heartbeat_ms ||
	       redis_owns(r, id);
}

struct redis_asked {
	LIST_ENTRY(redis_asked) link;
	struct redis *redis;
	store_claim_cb cb; /* NULL: answered already */
	void *arg;
	int64_t since_ms;
	bool patient;
	size_t n;
	char id[];
};

static void
answer(struct redis *r, bool granted, store_claim_cb cb, void *arg)
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
		granted = alone(r, (struct str){ a->id, a->n });
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
static void
answer_late(struct redis *r)
{
	int64_t since = clock_mono_ms() - r->heartbeat_ms / BEATS;
	struct redis_asked *a;

	LIST_FOREACH (a, &r->asked, link) {
		if (a->cb == NULL || a->patient || a->since_ms > since ||
		    !redis_owns(r, (struct str){ a->id, a->n }))
			continue;
		r->status.claims++;
		answer(r, true, a->cb, a->arg);
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
    store_claim_cb cb, void *arg)
{
	struct redis *r = state;
	struct buf name = BUF_INIT(4096);
	char lease[24], dead[24];
	struct redis_asked *a;
	struct str keys[2], args[3];

	if (r->link != LINK_ONLINE) {
		answer(r, alone(r, id) || (flags & STORE_CLAIM_ANYBODY), cb, arg);
		return 0;
	}
	if (!(flags & STORE_CLAIM_ANYBODY) && !redis_owns(r, id)) {
		answer(r, false, cb, arg);
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
	args[0] = str_of(r->name);
	args[1] = redis_number(lease, sizeof(lease), lease_ms > 0 ? lease_ms : 1);
	args[2] = redis_number(dead, sizeof(dead), redis_dead_after_ms(r));
	if (redis_eval(r, REDIS_SCRIPT_CLAIM, keys, 2, args, 3, on_claimed, a) < 0) {
		answer(r, alone(r, id), cb, arg);
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

static void
on_turn(evutil_socket_t fd, short what, void *arg)
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

	return r->route ? r->heartbeat_ms : 0;
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

static void
free_keys(struct redis *r)
{
	free(r->verdicts);
	free(r->view);
	free(r->events_key);
	free(r->counters);
	free(r->instances);
	free(r->channel);
	free(r->claim);
	free(r->witness);
}

static void
leave(struct redis *r)
{
	const struct str gone[] = { STR("ZREM"), str_of(r->instances), str_of(r->name) };
	const struct str tell[] = { STR("PUBLISH"), str_of(r->channel), STR("M") };

	redis_send_batch(r);
	if (redis_route_send(r->route, gone, 3, NULL, NULL) < 0 ||
	    redis_route_send(r->route, tell, 3, NULL, NULL) < 0)
		log_event(LOG_LEVEL_DEBUG, "redis_not_left", LS("instance", r->name));
}

static void
redis_close(void *state)
{
	struct redis *r = state;
	struct redis_asked *a;

	if (r->load)
		r->load(NULL, ERR_CLOSED, r->load_arg);
	r->load = NULL;
	r->events = (struct store_events){ 0 };
	r->closing = true;
	if (redis_route_ready(r->route)) {
		leave(r);
		redis_route_flush(r->route, FLUSH_MS);
	}
	redis_route_free(r->route);
	redis_route_free(r->retired);
	redis_plain_close(r);
	while ((a = LIST_FIRST(&r->asked)) != NULL) {
		LIST_REMOVE(a, link);
		free(a);
	}
	if (r->memory)
		store_memory.close(r->memory);
	if (r->beat)
		event_free(r->beat);
	if (r->turn)
		event_free(r->turn);
	if (r->load_wait)
		event_free(r->load_wait);
	if (r->retire)
		event_free(r->retire);
	members_clear(&r->members);
	buf_clear(&r->batch);
	free(r->answers);
	free_keys(r);
	free(r);
}

/* Readable, and never the same twice: "gw-3-4711-9f03c2a1", or "eu-west/gw-3-4711-9f03c2a1". */
static void
make_name(struct redis *r, const char *region)
{
	char host[64] = "host";
	uint32_t chance = 0;

	if (gethostname(host, sizeof(host)) < 0 || getrandom(&chance, sizeof(chance), 0) < 0)
		chance ^= (uint32_t)clock_mono_us();
	host[sizeof(host) - 1] = '\0';
	for (char *p = host; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			*p = '_';
	for (char *p = host; *p; p++)
		if (*p == MEMBER_REGION_END)
			*p = '_';
	snprintf(r->name, sizeof(r->name), "%s%s%s-%ld-%08" PRIx32, region, *region ? "/" : "",
	    host, (long)getpid(), chance);
}

static void
on_beat_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;

	redis_sync_beat(r);
	answer_late(r);
	/* From now on all is ours: alone(). */
	if (r->link != LINK_ONLINE && r->was_online && !r->told_alone &&
	    clock_mono_ms() - r->offline_since_ms >= r->heartbeat_ms) {
		r->told_alone = true;
		if (r->events.members)
			r->events.members(r->events_arg);
	}
}

/* Of what makes another connection necessary, certificates that were renewed included. */
static void
fingerprint(const struct settings *s, uint8_t digest[SHA256_LEN])
{
	static const enum setting files[] = { SETTING_REDIS_CA, SETTING_REDIS_CERT,
		SETTING_REDIS_KEY };
	struct buf b = BUF_INIT((size_t)1 << 20);
	struct stat st;

	for (int id = SETTING_REDIS_ENABLED; id <= SETTING_REDIS_EVENTS; id++) {
		settings_get_text(s, (enum setting)id, &b);
		buf_add_char(&b, '\0');
	}
	buf_addf(&b, "%" PRId64 " %" PRId64 " %s", s->num[SETTING_REDIS_QUORUM],
	    s->num[SETTING_REDIS_WITNESSES], s->text[SETTING_REGION]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (s->text[files[i]][0] && stat(s->text[files[i]], &st) == 0)
			buf_addf(&b, " %ju %jd %jd", (uintmax_t)st.st_ino, (intmax_t)st.st_mtime,
			    (intmax_t)st.st_size);
	sha256(buf_str(&b), digest);
	secret_wipe(b.data, b.cap);
	buf_clear(&b);
}

static void
configure(struct redis *r, const struct settings *s)
{
	int64_t ms = s->num[SETTING_REDIS_HEARTBEAT] / BEATS;
	struct timeval beat = { ms / 1000, ms % 1000 * 1000 };

	free_keys(r);
	r->verdicts = key(s, "verdicts");
	r->view = key(s, "view");
	r->events_key = key(s, "events");
	r->counters = key(s, "counters");
	r->instances = key(s, "instances");
	r->channel = key(s, "channel");
	r->claim = key(s, "claim:");
	r->witness = key(s, "witness:");
	redis_number(r->events_max, sizeof(r->events_max), s->num[SETTING_REDIS_EVENTS]);
	r->heartbeat_ms = s->num[SETTING_REDIS_HEARTBEAT];
	r->quorum = s->num[SETTING_REDIS_QUORUM] > 0;
	r->witnesses = (size_t)s->num[SETTING_REDIS_WITNESSES];
	make_name(r, s->text[SETTING_REGION]);
	if (r->route)
		event_add(r->beat, &beat);
	else
		event_del(r->beat);
}

static int
open_route(struct redis *r, const struct settings *s, struct redis_route **route)
{
	char *home;
	int rc;

	*route = NULL;
	if (s->num[SETTING_REDIS_ENABLED] != 1)
		return 0;
	home = key(s, "verdicts");
	rc = redis_route_new(
	    r->base, s, str_of(home), &redis_sync_command, &redis_sync_channel, r, &r->counts, route);
	free(home);
	return rc;
}

static void
on_retired(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;

	redis_route_free(r->retired);
	r->retired = NULL;
}

/* The old server learns that we leave; its answers do not matter any more. */
static void
leave_route(struct redis *r)
{
	static const struct timeval wait = { LEAVE_MS / 1000, LEAVE_MS % 1000 * 1000 };
	struct redis_asked *a;

	if (r->link == LINK_ONLINE)
		leave(r);
	redis_sync_command.lost("the settings have changed", r);
	redis_route_free(r->retired);
	redis_route_mute(r->route);
	r->retired = r->route;
	r->route = NULL;
	event_add(r->retire, &wait);
	redis_plain_close(r);
	while ((a = LIST_FIRST(&r->asked)) != NULL) {
		LIST_REMOVE(a, link);
		if (a->cb)
			answer(r, alone(r, (struct str){ a->id, a->n }), a->cb, a->arg);
		free(a);
	}
}

static int
redis_reopen(void *state, const struct settings *s)
{
	struct redis *r = state;
	uint8_t digest[SHA256_LEN];
	struct redis_route *route;
	int rc;

	fingerprint(s, digest);
	if (sha256_equal(digest, r->digest))
		return 0;
	rc = open_route(r, s, &route);
	if (rc < 0)
		return rc;
	memcpy(r->digest, digest, sizeof(digest));
	log_event(LOG_LEVEL_NOTICE, "redis_changed", LS("to", route ? "another connection" : "none"));
	if (r->route)
		leave_route(r);
	r->route = route;
	r->subscribed = r->synced = r->refill = false;
	memset(r->troubles, 0, sizeof(r->troubles));
	r->why[0] = '\0';
	configure(r, s);
	if (route == NULL) {
		r->was_online = false;
		r->offset_ms = 0;
		members_clear(&r->members);
		r->members = (struct members){ 0 };
		if (r->load)
			redis_sync_end_load(r);
	}
	if (r->events.members)
		r->events.members(r->events_arg);
	return 0;
}

static int
redis_open(const struct store_options *o, void **state)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	r->base = o->base;
	LIST_INIT(&r->asked);
	LIST_INIT(&r->gets);
	buf_init(&r->batch, REDIS_BATCH_ITEMS * (VERDICT_PACKED_MAX + 65536));
	r->beat = event_new(o->base, -1, EV_PERSIST, on_beat_timer, r);
	r->turn = event_new(o->base, -1, 0, on_turn, r);
	r->load_wait = evtimer_new(o->base, on_load_wait, r);
	r->retire = evtimer_new(o->base, on_retired, r);
	if (r->beat == NULL || r->turn == NULL || r->load_wait == NULL || r->retire == NULL)
		fatal("cannot make the store's events");
	fingerprint(o->settings, r->digest);
	if (store_memory.open(o, &r->memory) < 0 || open_route(r, o->settings, &r->route) < 0) {
		redis_close(r);
		return ERR_IO;
	}
	configure(r, o->settings);
	*state = r;
	return 0;
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
