/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning, end, and what a reload changes: keys, heartbeats, the way to the server. */
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
#include "supervisor/front/store/redis_state.h"
#include "supervisor/front/verdict_pack.h"

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

void
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
	redis_answer_late(r);
	/* From now on all is ours: redis_alone(). */
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
	r->quorum = (size_t)s->num[SETTING_REDIS_QUORUM];
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
			redis_answer(r, redis_alone(r, (struct str){ a->id, a->n }), a->cb, a->arg);
		free(a);
	}
}

int
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
	r->beats = r->beats_answered = 0; /* the old server's answers never come */
	r->late_ms = 0;
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

int
redis_open(const struct store_options *o, void **state)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	r->base = o->base;
	LIST_INIT(&r->asked);
	LIST_INIT(&r->gets);
	buf_init(&r->batch, REDIS_BATCH_ITEMS * (VERDICT_PACKED_MAX + 65536));
	r->beat = event_new(o->base, -1, EV_PERSIST, on_beat_timer, r);
	r->turn = event_new(o->base, -1, 0, redis_on_turn, r);
	r->load_wait = evtimer_new(o->base, redis_on_load_wait, r);
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
