/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to online: scripts, first heartbeat, the channel, then all verdicts once. And staying
 * there: heartbeats, what others put, losses.
 */
#include "supervisor/front/store/redis_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/verdict_pack.h"

/* Nothing was checked later than now, but clocks differ by a little. */
#define FUTURE_MS 2000
/* A server that answers later than this is as good as none. */
#define LATE_MAX_MS 60000
#define BEATS 5 /* in a heartbeat's time */
/* A clock that is wrong by less than this counts as right. */
#define OFFSET_IGNORED_MS 250
/* Verdicts that nobody has renewed for so long are of deployments that are gone. */
#define FORGET_MS ((int64_t)30 * 86400 * 1000)
/* Verdicts that are read in one turn of the loop, about. */
#define LOAD_ITEMS "1024"
#define LOAD_AGAIN 3 /* times at most, when keys are on their way to another node */

int64_t
redis_dead_after_ms(const struct redis *r)
{
	return r->heartbeat_ms - r->heartbeat_ms / BEATS;
}

struct str
redis_number(char *text, size_t size, int64_t n)
{
	return (struct str){ text, (size_t)snprintf(text, size, "%" PRId64, n) };
}

int
redis_eval(struct redis *r, enum redis_script script, const struct str *keys, size_t n_keys,
    const struct str *args, size_t n_args, redis_reply_cb cb, void *arg)
{
	struct str all[3 + 8 + REDIS_BATCH_ITEMS * REDIS_ITEM_ARGS + 8];
	char count[24];
	size_t n = 0;

	all[n++] = STR("EVALSHA");
	all[n++] = str_of(r->shas[script]);
	all[n++] = redis_number(count, sizeof(count), (int64_t)n_keys);
	for (size_t i = 0; i < n_keys; i++)
		all[n++] = keys[i];
	for (size_t i = 0; i < n_args; i++)
		all[n++] = args[i];
	return redis_route_send(r->route, all, n, cb, arg);
}

/* Online and not. */

static void
go_offline(struct redis *r, const char *why)
{
	bool was = r->link == LINK_ONLINE;

	r->link = LINK_DOWN;
	r->reread = false;
	snprintf(r->why, sizeof(r->why), "%s", why);
	if (!was)
		return;
	r->offline_since_ms = clock_mono_ms();
	r->told_alone = false;
	r->status.losses++;
	log_event(
	    LOG_LEVEL_WARNING, "redis_offline", LS("why", why), LI("instances", r->members.n));
}

void
redis_sync_end_load(struct redis *r)
{
	store_load_cb cb = r->load;

	if (cb == NULL || !r->memory_loaded)
		return;
	r->load = NULL;
	event_del(r->load_wait);
	cb(NULL, 0, r->load_arg);
}

/* A number of so many digits; -1 when it is none. */
static int64_t
digits(const char *p, size_t n)
{
	int64_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		value = value * 10 + (p[i] - '0');
	}
	return value;
}

/*
 * A verdict as it is kept in Redis, made ours: times in our clock. Who takes it over looks into it;
 * here it is read only where its times have to be moved.
 */
static void
take_value(struct redis *r, struct str id, const char *stamp, struct str packed)
{
	struct store_item item = { .id = id, .packed = packed, .only_newer = true };
	struct buf ours = BUF_INIT(VERDICT_PACKED_MAX);
	uint32_t version = verdict_pack_version(packed);

	/* An instance of a later version writes what is not for us: what is ours must not be lost for it. */
	if (version > VERDICT_PACK_VERSION) {
		if (!r->said_later)
			log_event(LOG_LEVEL_NOTICE, "redis_verdicts_of_a_later_version", LV("id", id),
			    LI("version", version), LI("ours", VERDICT_PACK_VERSION));
		r->said_later = true;
		return;
	}
	item.checked_at_ms = digits(stamp, REDIS_STAMP_DIGITS) - r->offset_ms;
	if (item.checked_at_ms <= 0 || item.checked_at_ms > clock_wall_ms() + FUTURE_MS ||
	    packed.n > VERDICT_PACKED_MAX ||
	    (r->offset_ms != 0 &&
		verdict_pack_move(packed, -r->offset_ms, &ours, &item.checked_at_ms) < 0)) {
		log_event(LOG_LEVEL_DEBUG, "redis_verdict_unreadable", LV("id", id));
		buf_clear(&ours);
		return;
	}
	if (r->offset_ms != 0)
		item.packed = buf_str(&ours);
	if (r->load == NULL && r->link == LINK_ONLINE && item.checked_at_ms <= clock_wall_ms())
		histogram_add(&r->counts.lag, (uint64_t)(clock_wall_ms() - item.checked_at_ms) * 1000);
	if (r->load)
		r->load(&item, 0, r->load_arg);
	else if (r->events.item)
		r->events.item(&item, r->events_arg);
	if (store_memory.put(r->memory, &item) < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_kept", LV("id", id));
	r->status.taken++;
	buf_clear(&ours);
}

static void on_verdicts(const struct redisReply *reply, void *arg);

/* Redirections so far: a cursor of one node is worth nothing on another. */
static uint64_t
detours(const struct redis *r)
{
	struct redis_route_status s;

	redis_route_status(r->route, &s);
	return s.moved + s.asked + s.again + s.masters;
}

static int
load_piece(struct redis *r, struct str cursor)
{
	struct redis_load *piece = &r->pieces[r->loads % ARRAY_LEN(r->pieces)];
	char most[24];
	const struct str scan[] = { STR("HSCAN"), str_of(r->verdicts), cursor, STR("COUNT"),
		STR(LOAD_ITEMS) };
	const struct str keys[] = { str_of(r->verdicts) };
	const struct str args[] = { cursor, STR(LOAD_ITEMS),
		redis_number(most, sizeof(most), VERDICT_PACKED_MAX + REDIS_VALUE_HEADER) };

	*piece = (struct redis_load){ r, r->loads };
	/* The script costs the server twice as much. */
	if (!r->load_careful)
		return redis_route_send(r->route, scan, ARRAY_LEN(scan), on_verdicts, piece);
	return redis_eval(r, REDIS_SCRIPT_LOAD, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args),
	    on_verdicts, piece);
}

/* From the beginning; a load that is under way is over with that. */
static int
load_all(struct redis *r)
{
	r->loads++;
	r->load_items = r->load_foreign = 0;
	r->load_detours = detours(r);
	return load_piece(r, STR("0"));
}

static void
loaded(struct redis *r)
{
	bool reread = r->link == LINK_ONLINE;

	if (r->load_foreign > 0)
		log_event(LOG_LEVEL_WARNING, "redis_verdicts_passed_over",
		    LI("too_long", r->load_foreign));
	r->reread = false;
	if (reread)
		return;
	r->link = LINK_ONLINE;
	r->why[0] = '\0';
	log_event(LOG_LEVEL_NOTICE, "redis_online", LS("instance", r->name),
	    LI("verdicts", r->load_items), LI("instances", r->members.n),
	    LI("offset_ms", r->offset_ms));
	r->was_online = true;
	redis_sync_end_load(r);
	r->refill = false;
	if (r->events.refill)
		r->events.refill(r->events_arg);
	if (r->events.members)
		r->events.members(r->events_arg);
}

static void
on_verdicts(const struct redisReply *reply, void *arg)
{
	const struct redis_load *piece = arg;
	struct redis *r = piece->redis;
	int64_t now = clock_wall_ms() + r->offset_ms, foreign = 0;
	struct str cursor = redis_reply_text(redis_reply_at(reply, 0));
	const struct redisReply *items = redis_reply_at(reply, 1);
	size_t n = redis_reply_len(items);
	bool reread = r->link == LINK_ONLINE && r->reread;

	if (reply == NULL || (r->link != LINK_SYNC && !reread))
		return;
	if (!redis_note(r, REDIS_LOADS, reply)) {
		redis_route_drop(r->route, redis_error_name(redis_error_of(reply)));
		return;
	}
	/* An earlier load's: the channel was lost meanwhile, and all is being read once more. */
	if (cursor.n == 0) {
		redis_route_drop(r->route, "malformed answer");
		return;
	}
	if (piece->number != r->loads)
		return;
	if (redis_reply_int(redis_reply_at(reply, 2), &foreign) && foreign > 0)
		r->load_foreign += (size_t)foreign;
	for (size_t i = 0; i + 1 < n; i += 2) {
		struct str id = redis_reply_text(redis_reply_at(items, i));
		struct str value = redis_reply_text(redis_reply_at(items, i + 1));

		if (value.n < REDIS_VALUE_HEADER)
			continue;
		if (now - strtoll(value.p, NULL, 10) > FORGET_MS) {
			const struct str forget[] = { STR("HDEL"), str_of(r->verdicts), id };
			const struct str unview[] = { STR("HDEL"), str_of(r->view), id };

			if (redis_route_send(r->route, forget, 3, NULL, NULL) < 0 ||
			    redis_route_send(r->route, unview, 3, NULL, NULL) < 0)
				return;
			continue;
		}
		take_value(r, id, value.p,
		    (struct str){ value.p + REDIS_VALUE_HEADER, value.n - REDIS_VALUE_HEADER });
	}
	r->load_items += n / 2;
	if (!str_is(cursor, "0"))
		r->synced = load_piece(r, cursor) == 0;
	else if (r->load_detours == detours(r) || r->load_again++ == LOAD_AGAIN)
		loaded(r);
	else
		r->synced = load_all(r) == 0;
}

void
redis_sync_try(struct redis *r)
{
	/* First what the memory has: the newer of the two must come second or not at all. */
	if ((r->link != LINK_SYNC && !(r->link == LINK_ONLINE && r->reread)) ||
	    !r->subscribed || r->members.n == 0 ||
	    (r->load && !r->memory_loaded) || r->synced)
		return;
	redis_sights_load(r);
	r->load_again = 0;
	r->synced = load_all(r) == 0;
}

/* Heartbeats. */

/*
 * The server read its clock at some moment between our sending and its answer's coming: a slow one
 * says little of the clocks. Only what cannot be is given up.
 */
static void
set_offset(struct redis *r, int64_t server_ms, int64_t sent_ms)
{
	int64_t most = server_ms - sent_ms, least = server_ms - clock_wall_ms();
	int64_t offset = (most + least) / 2;

	/* The first time, all that is known; then only what is wrong. */
	if (most < least || (r->offset_ms <= most + OFFSET_IGNORED_MS &&
				r->offset_ms >= least - OFFSET_IGNORED_MS))
		return;
	log_event(LOG_LEVEL_NOTICE, "redis_clock", LI("offset_ms", offset));
	r->offset_ms = offset;
}

int64_t
redis_late_ms(const struct redis *r)
{
	int64_t late = r->late_ms, waits;

	/* One that has not answered yet takes at least so long. */
	if (r->beats != r->beats_answered) {
		waits = clock_wall_ms() - r->beats_sent[r->beats_answered % ARRAY_LEN(r->beats_sent)];
		late = waits > late ? waits : late;
	}
	return late < 0 ? 0 : late > LATE_MAX_MS ? LATE_MAX_MS : late;
}

static void
on_beat(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;
	const struct redisReply *living = redis_reply_at(reply, 1);
	struct str names[256], *all = names;
	size_t n = redis_reply_len(living);
	int64_t server_ms;
	bool changed;
	int64_t sent_ms = r->beats_sent[r->beats_answered++ % ARRAY_LEN(r->beats_sent)];

	if (reply == NULL)
		return;
	if (!redis_note(r, REDIS_BEATS, reply) ||
	    !redis_reply_int(redis_reply_at(reply, 0), &server_ms) || n == 0) {
		enum redis_error e = redis_error_of(reply);

		go_offline(r, redis_error_name(e));
		if (e == REDIS_ERROR_NOSCRIPT)
			redis_route_drop(r->route, "NOSCRIPT");
		else if (r->link == LINK_DOWN)
			r->link = LINK_SYNC;
		r->synced = false;
		return;
	}
	set_offset(r, server_ms, sent_ms);
	r->late_ms = clock_wall_ms() - sent_ms;
	if (n > ARRAY_LEN(names))
		all = xcalloc(n, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = redis_reply_text(redis_reply_at(living, i));
	changed = members_set(&r->members, all, n);
	if (all != names)
		free(all);
	if (changed)
		log_event(LOG_LEVEL_INFO, "instances", LI("alive", r->members.n));
	if (changed && r->link == LINK_ONLINE && r->events.members)
		r->events.members(r->events_arg);
	redis_sync_try(r);
	if (r->link == LINK_ONLINE) {
		redis_route_good(r->route);
	}
	if (r->link == LINK_ONLINE && r->refill && r->events.refill) {
		r->refill = false;
		r->events.refill(r->events_arg);
	}
}

void
redis_sync_beat(struct redis *r)
{
	char dead[24];
	const struct str keys[] = { str_of(r->instances) };
	const struct str args[] = { str_of(r->name),
		redis_number(dead, sizeof(dead), redis_dead_after_ms(r)), str_of(r->channel) };
	const struct str ping[] = { STR("PING") };

	if (r->link < LINK_SYNC)
		return;
	if (r->reread && !r->subscribed &&
	    clock_mono_ms() - r->deaf_since_ms > r->heartbeat_ms) {
		go_offline(r, "the channel is not there");
		r->link = LINK_SYNC;
	}
	/* One that has not answered so many will be given up soon. */
	if (r->beats - r->beats_answered == ARRAY_LEN(r->beats_sent))
		return;
	if (redis_eval(r, REDIS_SCRIPT_BEAT, keys, 1, args, ARRAY_LEN(args), on_beat, r) == 0)
		r->beats_sent[r->beats++ % ARRAY_LEN(r->beats_sent)] = clock_wall_ms();
	else
		log_event(LOG_LEVEL_DEBUG, "redis_beat_not_sent", LS("instance", r->name));
	if (r->subscribed && redis_route_listen(r->route, ping, 1, NULL, NULL) < 0)
		log_event(LOG_LEVEL_DEBUG, "redis_ping_not_sent", LS("instance", r->name));
}

/* The connections. */

static void
on_script(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;
	struct str sha = redis_reply_text(reply);

	if (reply == NULL || r->link != LINK_SCRIPTS)
		return;
	if (!redis_note(r, REDIS_LOADS, reply) || sha.n == 0 || sha.n >= sizeof(r->shas[0])) {
		redis_route_drop(r->route, redis_error_of(reply) == REDIS_ERROR_OTHER
					     ? "the server takes no scripts"
					     : redis_error_name(redis_error_of(reply)));
		return;
	}
	/* Answers come in the order of the commands. */
	memcpy(r->shas[r->scripts_loaded], sha.p, sha.n);
	r->shas[r->scripts_loaded][sha.n] = '\0';
	if (++r->scripts_loaded < REDIS_SCRIPT_COUNT)
		return;
	r->link = LINK_SYNC;
	r->synced = false;
	redis_sync_beat(r);
}

static void
on_ready(void *arg)
{
	struct redis *r = arg;

	r->link = LINK_SCRIPTS;
	r->scripts_loaded = 0;
	r->said_later = false;
	for (int i = 0; i < REDIS_SCRIPT_COUNT; i++) {
		const struct str load[] = { STR("SCRIPT"), STR("LOAD"),
			str_of(redis_script_text((enum redis_script)i)) };

		if (redis_route_send(r->route, load, 3, on_script, r) < 0)
			redis_route_drop(r->route, "too much at once");
	}
}

static void
on_lost(const char *why, void *arg)
{
	struct redis *r = arg;

	r->load_careful = r->load_careful || strcmp(why, REDIS_TOO_LONG) == 0;
	go_offline(r, why);
	r->n_args = 0;
	buf_reset(&r->batch);
}

static void
on_subscribed(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;

	if (reply == NULL)
		return;
	if (!str_is(redis_reply_text(redis_reply_at(reply, 0)), "subscribe")) {
		redis_route_drop_channel(r->route, "cannot subscribe");
		return;
	}
	r->subscribed = true;
	redis_sync_try(r);
}

static void
on_sub_ready(void *arg)
{
	struct redis *r = arg;
	const struct str subscribe[] = { STR("SUBSCRIBE"), str_of(r->channel) };

	if (redis_route_listen(r->route, subscribe, 2, on_subscribed, r) < 0)
		redis_route_drop_channel(r->route, "cannot subscribe");
}

/* What others put meanwhile is not heard: all has to be read again. */
static void
on_sub_lost(const char *why, void *arg)
{
	struct redis *r = arg;

	r->subscribed = false;
	r->deaf_since_ms = clock_mono_ms();
	if (r->link != LINK_ONLINE && r->link != LINK_SYNC)
		return;
	if (r->link == LINK_ONLINE && redis_route_channel_moves(r->route)) {
		/* Our keys are at hand all the time. What is put meanwhile is read afterwards. */
		r->reread = true;
		r->synced = false;
		return;
	}
	go_offline(r, why);
	r->link = LINK_SYNC;
	r->synced = false;
}

static void
take_records(struct redis *r, struct str s)
{
	int64_t name;

	if (s.n < 3 || s.p[0] != 'V')
		return;
	name = digits(s.p + 1, 2);
	if (name < 0 || (size_t)name > s.n - 3)
		return;
	if (str_is((struct str){ s.p + 3, (size_t)name }, r->name))
		return;
	s = (struct str){ s.p + 3 + name, s.n - 3 - (size_t)name };
	while (s.n >= REDIS_RECORD_HEADER) {
		int64_t id = digits(s.p + REDIS_VALUE_HEADER, 6);
		int64_t packed = digits(s.p + REDIS_VALUE_HEADER + 6, 8);
		const char *p = s.p + REDIS_RECORD_HEADER;

		if (id < 0 || packed < 0 || (size_t)(id + packed) > s.n - REDIS_RECORD_HEADER)
			return;
		take_value(
		    r, (struct str){ p, (size_t)id }, s.p, (struct str){ p + id, (size_t)packed });
		s = (struct str){ p + id + packed,
			s.n - REDIS_RECORD_HEADER - (size_t)(id + packed) };
	}
}

static void
on_message(const struct redisReply *reply, void *arg)
{
	struct redis *r = arg;
	struct str s = redis_reply_text(redis_reply_at(reply, 2));

	if (str_is(s, "M"))
		redis_sync_beat(r);
	else if (s.n > 0 && s.p[0] == 'S')
		redis_sight_take(r, s);
	else
		take_records(r, s);
}

const struct redis_conn_events redis_sync_command = { on_ready, on_lost, NULL };
const struct redis_conn_events redis_sync_channel = { on_sub_ready, on_sub_lost, on_message };
