/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets that fill with each wrong key and empty with time; while one is full, answers are late. */
#include "supervisor/front/http/guard.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/http/conn_state.h"

#define FREE_GUESSES 20 /* that may come at once */
#define FORGET_MS 1000	/* one is forgotten in this time */
#define LOG_MS 60000
/* Addresses share places by chance: a few that guess slow down one in hundreds of others. */
#define PLACES 4096

struct bucket {
	unsigned recent;
	int64_t since_ms;
};

struct guard {
	uint64_t wrong_keys, seed;
	int64_t logged_ms;
	struct bucket all, of[PLACES];
};

struct late {
	struct conn *conn;
	struct event *timer;
	struct reply reply; /* kept */
};

struct guard *
guard_new(void)
{
	struct guard *g = xcalloc(1, sizeof(*g));

	if (getrandom(&g->seed, sizeof(g->seed), GRND_NONBLOCK) != sizeof(g->seed))
		g->seed = (uint64_t)clock_wall_ms();
	return g;
}

void
guard_free(struct guard *g)
{
	free(g);
}

uint16_t
guard_place(const struct guard *g, const struct sockaddr *client)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)client;
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)client;
	struct str address = STR("");

	/* Of IPv6 the half that names a network: the other half is the client's to choose. */
	if (client->sa_family == AF_INET)
		address = (struct str){ (const char *)&in4->sin_addr, sizeof(in4->sin_addr) };
	else if (client->sa_family == AF_INET6)
		address = (struct str){ (const char *)&in6->sin6_addr, 8 };
	return (uint16_t)(hash_bytes(address.p, address.n, g->seed) % PLACES);
}

uint64_t
guard_count(const struct http *h)
{
	return h->guard->wrong_keys;
}

static bool
is_full(struct bucket *b, int64_t now)
{
	int64_t forgotten = (now - b->since_ms) / FORGET_MS;

	if (forgotten > 0) {
		b->recent = forgotten < b->recent ? b->recent - (unsigned)forgotten : 0;
		b->since_ms = now;
	}
	return b->recent >= FREE_GUESSES;
}

/* Whether it is one too many. */
static bool
count(struct bucket *b, int64_t now)
{
	bool full = is_full(b, now);

	b->recent += !full;
	return full;
}

static void
hold(struct conn *c, int64_t now)
{
	int64_t delay_ms = http_setting(c->http, SETTING_WRONG_KEY_DELAY);

	c->held_until_ms = delay_ms > 0 ? now + delay_ms : 0;
}

void
guard_refuse(struct conn *c, int status, struct str json)
{
	struct guard *g = c->http->guard;
	int64_t now = clock_mono_ms();
	bool of_all = count(&g->all, now), of_one = count(&g->of[c->place], now);

	g->wrong_keys++;
	if (g->wrong_keys == 1 || now - g->logged_ms >= LOG_MS) {
		g->logged_ms = now;
		log_event(LOG_LEVEL_WARNING, "wrong_key", LI("in_all", g->wrong_keys));
	}
	c->trusted = false;
	if (of_all || of_one)
		hold(c, now);
	route_reply_text(c, status, json);
}

void
guard_accept(struct conn *c)
{
	int64_t now = clock_mono_ms();

	if (!c->trusted && is_full(&c->http->guard->of[c->place], now))
		hold(c, now);
	c->trusted = true;
}

static void
late_free(void *arg)
{
	struct late *l = arg;

	event_free(l->timer);
	reply_drop(&l->reply);
	free(l);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct late *l = arg;

	l->conn->held_until_ms = 0;
	conn_reply_late(l->conn, &l->reply);
	late_free(l);
}

void
guard_wait(struct conn *c, const struct reply *r)
{
	int64_t left = c->held_until_ms - clock_mono_ms();
	struct timeval tv = { (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) };
	struct late *l = xcalloc(1, sizeof(*l));

	if (left <= 0)
		tv = (struct timeval){ 0, 0 };
	l->conn = c;
	reply_keep(&l->reply, r);
	l->timer = evtimer_new(c->http->base, on_time, l);
	if (l->timer == NULL || event_add(l->timer, &tv) < 0)
		fatal("out of memory");
	conn_wait(c, late_free, l);
}
