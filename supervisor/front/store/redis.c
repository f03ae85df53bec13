/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of several instances on one Redis server. Verdicts are kept by the memory backend in
 * any case; Redis is where they meet others'. Two connections: commands, and the channel
 * (redis_sync.c). Offline, an instance goes by the members that it knew, and after a heartbeat's
 * time it probes all that it holds.
 */
#include "supervisor/front/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/store/record.h"
#include "supervisor/front/store/redis_state.h"
#include "supervisor/front/verdict_pack.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define LOAD_WAIT_MS 2000
#define BEATS 5 /* in a heartbeat's time */
#define FLUSH_MS 500

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

	if (reply == NULL || redis_error_of(reply) != REDIS_ERROR_NONE) {
		r->refill = true;
		if (reply)
			log_event(LOG_LEVEL_DEBUG, "redis_put_failed",
			    LS("error", redis_error_name(redis_error_of(reply))));
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
	int rc = store_memory.put(r->memory, item);
	struct buf theirs = BUF_INIT(VERDICT_PACKED_MAX);
	struct str packed = item->packed;
	char stamp[32];
	int64_t at;

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
	if (redis_conn_send(r->conn, verdict, 3, NULL, NULL) < 0 ||
	    redis_conn_send(r->conn, view, 3, NULL, NULL) < 0)
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
	if (r->link == LINK_ONLINE)
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
	       members_owns(&r->members, str_of(r->name), id);
}

struct redis_asked {
	LIST_ENTRY(redis_asked) link;
	struct redis *redis;
	store_claim_cb cb;
	void *arg;
	size_t n;
	char id[];
};

static void
on_claimed(const struct redisReply *reply, void *arg)
{
	struct redis_asked *a = arg;
	struct redis *r = a->redis;
	int64_t granted;
	store_claim_cb cb = a->cb;
	void *cb_arg = a->arg;

	if (redis_error_of(reply) != REDIS_ERROR_NONE || !redis_reply_int(reply, &granted))
		granted = alone(r, (struct str){ a->id, a->n });
	LIST_REMOVE(a, link);
	free(a);
	r->status.claims++;
	r->status.denied += !granted;
	if (!r->closing)
		cb(granted, cb_arg);
}

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
	if (!(flags & STORE_CLAIM_ANYBODY) && !members_owns(&r->members, str_of(r->name), id)) {
		answer(r, false, cb, arg);
		return 0;
	}
	a = xmalloc(sizeof(*a) + id.n);
	*a = (struct redis_asked){ .redis = r, .cb = cb, .arg = arg, .n = id.n };
	memcpy(a->id, id.p, id.n);
	claim_key(r, &name, id, slot);
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
	if (r->link == LINK_ONLINE && redis_conn_send(r->conn, del, 2, NULL, NULL) < 0)
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
	return ((const struct redis *)state)->heartbeat_ms;
}

static const char *
error_name(size_t i)
{
	if (i == REDIS_COUNTS_CONNECTION)
		return "connection";
	return i == REDIS_ERROR_NONE ? "" : redis_error_name((enum redis_error)i);
}

static void
redis_status(const void *state, struct store_status *status)
{
	const struct redis *r = state;

	*status = r->status;
	status->name = "redis";
	status->instance = r->name;
	status->shared = true;
	status->connected = r->link == LINK_ONLINE;
	status->why = r->link == LINK_ONLINE ? "" : r->why[0] ? r->why : redis_conn_why(r->conn);
	status->instances = r->members.n ? r->members.n : 1;
	status->offset_ms = r->offset_ms;
	status->commands = r->counts.commands;
	/* Each time both connections are made. */
	status->reconnects = r->counts.connects > 2 ? r->counts.connects - 2 : 0;
	status->latency_us = r->counts.latency_us;
	status->waiting = redis_conn_waiting(r->conn) + redis_conn_waiting(r->sub) + r->n_args / REDIS_ITEM_ARGS;
	status->latency = &r->counts.latency;
	status->lag = &r->counts.lag;
	status->errors = r->counts.errors;
	status->error_name = error_name;
	status->n_errors = REDIS_COUNTS_ERRORS;
}

static int
redis_flush(void *state)
{
	struct redis *r = state;

	redis_send_batch(r);
	redis_conn_flush(r->conn, FLUSH_MS);
	return store_memory.flush(r->memory);
}

static void
leave(struct redis *r)
{
	const struct str gone[] = { STR("ZREM"), str_of(r->instances), str_of(r->name) };
	const struct str tell[] = { STR("PUBLISH"), str_of(r->channel), STR("M") };

	redis_send_batch(r);
	if (redis_conn_send(r->conn, gone, 3, NULL, NULL) == 0 &&
	    redis_conn_send(r->conn, tell, 3, NULL, NULL) == 0)
		redis_conn_flush(r->conn, FLUSH_MS);
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
	if (redis_conn_ready(r->conn))
		leave(r);
	redis_conn_free(r->conn);
	redis_conn_free(r->sub);
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
	members_clear(&r->members);
	buf_clear(&r->batch);
	free(r->answers);
	free(r->verdicts);
	free(r->view);
	free(r->events_key);
	free(r->counters);
	free(r->instances);
	free(r->channel);
	free(r->claim);
	free(r);
}

/* Readable, and never the same twice: "gw-3-4711-9f03c2a1". */
static void
make_name(struct redis *r)
{
	char host[64] = "host";
	uint32_t chance = 0;

	if (gethostname(host, sizeof(host)) < 0 || getrandom(&chance, sizeof(chance), 0) < 0)
		chance ^= (uint32_t)clock_mono_us();
	host[sizeof(host) - 1] = '\0';
	for (char *p = host; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			*p = '_';
	snprintf(r->name, sizeof(r->name), "%s-%ld-%08" PRIx32, host, (long)getpid(), chance);
}

static int
connect_both(struct redis *r, const struct settings *s)
{
	struct secret *password = secret_new(str_of(s->text[SETTING_REDIS_PASSWORD]));
	struct redis_conn_options o = {
		.name = "commands",
		.unix_socket = s->text[SETTING_REDIS_SOCKET],
		.host = s->text[SETTING_REDIS_HOST],
		.port = (uint16_t)s->num[SETTING_REDIS_PORT],
		.tls = s->num[SETTING_REDIS_TLS],
		.tls_verify = s->num[SETTING_REDIS_TLS_VERIFY],
		.ca = s->text[SETTING_REDIS_CA],
		.cert = s->text[SETTING_REDIS_CERT],
		.key = s->text[SETTING_REDIS_KEY],
		.user = s->text[SETTING_REDIS_USERNAME],
		.password = password,
		.database = (int)s->num[SETTING_REDIS_DATABASE],
		.timeout_ms = s->num[SETTING_REDIS_TIMEOUT],
		.counts = &r->counts,
	};
	int rc = redis_conn_new(r->base, &o, &redis_sync_command, r, &r->conn);

	o.name = "channel";
	o.subscriber = true;
	if (rc == 0)
		rc = redis_conn_new(r->base, &o, &redis_sync_channel, r, &r->sub);
	secret_free(password);
	return rc;
}

static void
on_beat_timer(evutil_socket_t fd, short what, void *arg)
{
	redis_sync_beat(arg);
}

static int
redis_open(const struct store_options *o, void **state)
{
	const struct settings *s = o->settings;
	struct redis *r = xcalloc(1, sizeof(*r));
	struct timeval beat;
	int64_t ms;

	r->base = o->base;
	LIST_INIT(&r->asked);
	LIST_INIT(&r->gets);
	buf_init(&r->batch, REDIS_BATCH_ITEMS * (VERDICT_PACKED_MAX + 65536));
	r->verdicts = key(s, "verdicts");
	r->view = key(s, "view");
	r->events_key = key(s, "events");
	r->counters = key(s, "counters");
	r->instances = key(s, "instances");
	r->channel = key(s, "channel");
	r->claim = key(s, "claim:");
	redis_number(r->events_max, sizeof(r->events_max), s->num[SETTING_REDIS_EVENTS]);
	r->heartbeat_ms = s->num[SETTING_REDIS_HEARTBEAT];
	make_name(r);
	ms = r->heartbeat_ms / BEATS;
	beat = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	r->beat = event_new(o->base, -1, EV_PERSIST, on_beat_timer, r);
	r->turn = event_new(o->base, -1, 0, on_turn, r);
	r->load_wait = evtimer_new(o->base, on_load_wait, r);
	if (r->beat == NULL || r->turn == NULL || r->load_wait == NULL ||
	    event_add(r->beat, &beat) < 0)
		fatal("cannot make the store's events");
	if (store_memory.open(o, &r->memory) < 0 || connect_both(r, s) < 0) {
		redis_close(r);
		return ERR_IO;
	}
	*state = r;
	return 0;
}

const struct store_ops store_redis = {
	.name = "redis",
	.open = redis_open,
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
	.status = redis_status,
	.flush = redis_flush,
	.close = redis_close,
};
