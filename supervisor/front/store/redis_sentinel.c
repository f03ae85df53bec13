/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/store/redis_sentinel.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"

/* A search that has an answer waits this long for the others'. */
#define OTHERS_MS 200
#define NAME_MAX_SHOWN 300

struct watcher {
	struct redis_sentinel *s;
	struct redis_conn *conn;
	struct redis_address says; /* port 0: nothing, in this round */
	bool asked;		   /* and has not answered */
};

struct redis_sentinel {
	struct redis_sentinel_events events;
	void *arg;
	char *service;
	struct event *timer, *deadline;
	struct watcher *watchers;
	size_t n;
	int64_t ask_ms;
	bool searching, asking;
	unsigned tries;
	const char *error;	   /* that one has answered in this round, by its name, or NULL */
	char said[NAME_MAX_SHOWN]; /* the trouble that was logged last */
};

struct candidate {
	struct redis_address address;
	size_t votes;
};

static void
set_timer(struct event *e, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(e, &tv);
}

/* What was said in this round, most votes first; of equals, whose sentinel is named first. */
static size_t
count(const struct redis_sentinel *s, struct candidate *c, size_t *votes)
{
	size_t n = 0;

	*votes = 0;
	for (size_t i = 0; i < s->n; i++) {
		size_t at = 0;

		if (s->watchers[i].says.port == 0)
			continue;
		++*votes;
		while (at < n && !redis_address_eq(&c[at].address, &s->watchers[i].says))
			at++;
		if (at == n)
			c[n++] = (struct candidate){ s->watchers[i].says, 0 };
		c[at].votes++;
		for (; at > 0 && c[at - 1].votes < c[at].votes; at--) {
			struct candidate swap = c[at];

			c[at] = c[at - 1];
			c[at - 1] = swap;
		}
	}
	return n;
}

static void
trouble(struct redis_sentinel *s, const char *why)
{
	if (strcmp(s->said, why) != 0 && *why)
		log_event(LOG_LEVEL_WARNING, "redis_sentinels", LS("service", s->service),
		    LS("why", why));
	snprintf(s->said, sizeof(s->said), "%s", why);
}

static void
end_round(struct redis_sentinel *s)
{
	struct candidate *c = xcalloc(s->n, sizeof(*c));
	size_t votes, n = count(s, c, &votes);
	bool searching = s->searching;

	s->asking = false;
	event_del(s->deadline);
	if (n > 1)
		trouble(s, "the sentinels do not agree on the master");
	else if (s->error)
		trouble(s, s->error);
	else if (n == 1)
		trouble(s, "");
	else if (redis_sentinel_alive(s) > 0)
		trouble(s, "no sentinel knows this master");
	else
		trouble(s, "no sentinel answers");
	s->searching = false;
	if (searching && n > 0)
		s->events.found(&c[s->tries++ % n].address, "", s->arg);
	else if (searching)
		s->events.found(NULL, s->said, s->arg);
	else if (n > 0 && c[0].votes * 2 > votes)
		s->events.most(&c[0].address, "", s->arg);
	free(c);
}

static void
on_master(const struct redisReply *r, void *arg)
{
	struct watcher *w = arg;
	struct redis_sentinel *s = w->s;
	struct str host = redis_reply_text(redis_reply_at(r, 0));
	size_t said = 0;
	bool waits = false;
	int64_t port;

	if (!w->asked)
		return;
	w->asked = false;
	if (host.n > 0 && host.n < sizeof(w->says.host) && !memchr(host.p, '\0', host.n) &&
	    redis_reply_int(redis_reply_at(r, 1), &port) && port > 0 && port <= 65535) {
		memcpy(w->says.host, host.p, host.n);
		w->says.host[host.n] = '\0';
		w->says.port = (uint16_t)port;
		redis_conn_good(w->conn);
	} else if (r && r->type == REDIS_REPLY_ERROR) {
		s->error = redis_error_name(redis_error_of(r));
	}
	for (size_t i = 0; i < s->n; i++) {
		waits = waits || s->watchers[i].asked;
		said += s->watchers[i].says.port != 0;
	}
	if (waits || !s->asking)
		return;
	/* Too few to trust: others may come back in a moment. */
	if (said * 2 > s->n)
		end_round(s);
	else
		set_timer(s->deadline, OTHERS_MS);
}

static void
ask(struct redis_sentinel *s, struct watcher *w)
{
	const struct str args[] = { STR("SENTINEL"), STR("get-master-addr-by-name"),
		str_of(s->service) };

	w->asked = redis_conn_send(w->conn, args, ARRAY_LEN(args), on_master, w) == 0;
}

/* All that can be asked are; when none can, the first to come back is. */
static void
begin_round(struct redis_sentinel *s)
{
	bool any = false;

	if (s->asking)
		return;
	s->asking = true;
	s->error = NULL;
	for (size_t i = 0; i < s->n; i++) {
		s->watchers[i].says.port = 0;
		ask(s, &s->watchers[i]);
		any = any || s->watchers[i].asked;
	}
	set_timer(s->deadline, any ? OTHERS_MS * 5 : OTHERS_MS * 10);
}

static void
on_watcher_ready(void *arg)
{
	struct watcher *w = arg;

	if (!w->s->asking)
		return;
	ask(w->s, w);
	set_timer(w->s->deadline, OTHERS_MS);
}

static void
on_watcher_lost(const char *why, void *arg)
{
	/* What was asked is answered with nothing. */
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct redis_sentinel *s = arg;

	for (size_t i = 0; i < s->n; i++)
		s->watchers[i].asked = false;
	end_round(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis_sentinel *s = arg;

	begin_round(s);
	set_timer(s->timer, s->ask_ms);
}

int
redis_sentinel_new(struct event_base *base, const struct redis_sentinel_options *o,
    const struct redis_sentinel_events *events, void *arg, struct redis_sentinel **out)
{
	static const struct redis_conn_events conn_events = { on_watcher_ready, on_watcher_lost,
		NULL };
	struct redis_sentinel *s = xcalloc(1, sizeof(*s));
	int rc = 0;

	s->events = *events;
	s->arg = arg;
	s->service = xstrdup(o->service);
	s->ask_ms = o->ask_ms;
	s->timer = evtimer_new(base, on_timer, s);
	s->deadline = evtimer_new(base, on_deadline, s);
	s->watchers = xcalloc(o->n, sizeof(*s->watchers));
	if (s->timer == NULL || s->deadline == NULL)
		fatal("cannot make the sentinels' events");
	for (size_t i = 0; i < o->n && rc == 0; i++) {
		struct redis_conn_options c = o->conn;
		char name[NAME_MAX_SHOWN];

		snprintf(name, sizeof(name), "sentinel %s:%u", o->addresses[i].host,
		    o->addresses[i].port);
		c.name = name;
		c.unix_socket = "";
		c.host = o->addresses[i].host;
		c.port = o->addresses[i].port;
		s->watchers[i].s = s;
		s->n++;
		rc = redis_conn_new(base, &c, &conn_events, &s->watchers[i], &s->watchers[i].conn);
	}
	if (rc < 0) {
		redis_sentinel_free(s);
		return rc;
	}
	set_timer(s->timer, s->ask_ms);
	*out = s;
	return 0;
}

void
redis_sentinel_free(struct redis_sentinel *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		redis_conn_free(s->watchers[i].conn);
	event_free(s->timer);
	event_free(s->deadline);
	free(s->watchers);
	free(s->service);
	free(s);
}

void
redis_sentinel_search(struct redis_sentinel *s)
{
	s->searching = true;
	begin_round(s);
}

void
redis_sentinel_good(struct redis_sentinel *s)
{
	s->tries = 0;
}

size_t
redis_sentinel_alive(const struct redis_sentinel *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += redis_conn_ready(s->watchers[i].conn);
	return n;
}
