/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket that fills with each wrong key and empties with time; full, refusals are late. */
#include "supervisor/front/http/guard.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/http/server.h"

#define FREE_GUESSES 20 /* that may come at once */
#define FORGET_MS 1000	/* one is forgotten in this time */
#define MAX_LATE 1024	/* refusals that wait at a time; more are made at once */
#define LOG_MS 60000

struct late {
	struct conn *conn;
	struct event *timer;
	int status;
	struct str json;
};

uint64_t
guard_count(const struct http *h)
{
	return h->guard.wrong_keys;
}

static void
late_free(void *arg)
{
	struct late *l = arg;

	conn_http(l->conn)->guard.late--;
	event_free(l->timer);
	free(l);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct late *l = arg;
	struct conn *c = l->conn;
	struct reply r = { .status = l->status, .type = REPLY_JSON, .body = blob_copy(l->json) };

	late_free(l);
	conn_reply_late(c, &r);
	blob_unref(r.body);
}

/* Whether it is one too many. */
static bool
count(struct guard *g)
{
	int64_t now = clock_mono_ms(), forgotten = (now - g->since_ms) / FORGET_MS;

	if (forgotten > 0) {
		g->recent = forgotten < g->recent ? g->recent - (unsigned)forgotten : 0;
		g->since_ms = now;
	}
	g->wrong_keys++;
	if (g->wrong_keys == 1 || now - g->logged_ms >= LOG_MS) {
		g->logged_ms = now;
		log_event(LOG_LEVEL_WARNING, "wrong_key", LI("in_all", g->wrong_keys));
	}
	if (g->recent >= FREE_GUESSES)
		return true;
	g->recent++;
	return false;
}

void
guard_refuse(struct conn *c, int status, struct str json)
{
	struct http *h = conn_http(c);
	int64_t delay_ms = http_setting(h, SETTING_WRONG_KEY_DELAY);
	struct timeval tv = { (time_t)(delay_ms / 1000), (suseconds_t)(delay_ms % 1000 * 1000) };
	bool late = count(&h->guard);
	struct late *l;

	if (!late || delay_ms == 0 || h->guard.late >= MAX_LATE) {
		route_reply_text(c, status, json);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	*l = (struct late){ c, NULL, status, json };
	l->timer = evtimer_new(h->base, on_time, l);
	if (l->timer == NULL || event_add(l->timer, &tv) < 0)
		fatal("out of memory");
	h->guard.late++;
	conn_wait(c, late_free, l);
}
