/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq on the event loop (https://www.postgresql.org/docs/current/libpq-connect.html, PQconnectPoll):
 * the socket may be another one after each call, so the event is made anew each time, and ended before
 * libpq can close what it watches.
 */
#include "workers/postgres.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/msgs.h"
#include "shared/secret.h"
#include "workers/resolver.h"

#ifdef HAVE_LIBPQ
#include <libpq-fe.h>

#define HOSTS_MAX 16
#define PARAMS_MAX 64
#define TEXT_MAX 16384

enum state { IDLE, RESOLVING, CONNECTING, ASKING, ENDED };

struct postgres {
	struct event_base *base;
	struct resolver *resolver;
	struct secret *url;
	enum state state;
	PQconninfoOption *info; /* of the test under way */
	PGconn *conn;
	struct event *io, *timer, *turn;
	struct resolver_wait wait;
	int64_t started_us;
	struct postgres_outcome outcome;
	postgres_done done;
	void *arg;
};

static void go_on(struct postgres *p);

/* All that this test has: called also when there is nothing. */
static void
clean(struct postgres *p)
{
	resolver_cancel(&p->wait);
	event_del(p->timer);
	if (p->io)
		event_free(p->io);
	p->io = NULL;
	if (p->conn)
		PQfinish(p->conn);
	p->conn = NULL;
	for (PQconninfoOption *o = p->info; o && o->keyword; o++)
		if (o->val)
			secret_wipe(o->val, strlen(o->val));
	if (p->info)
		PQconninfoFree(p->info);
	p->info = NULL;
}

/* The one place where a test ends; its caller is told from the loop. */
static void
end(struct postgres *p, uint32_t state, const char *why)
{
	int64_t us = clock_mono_us() - p->started_us;

	clean(p);
	p->outcome = (struct postgres_outcome){ state, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX, why };
	p->state = ENDED;
	event_active(p->turn, EV_TIMEOUT, 0);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct postgres *p = arg;
	struct postgres_outcome outcome = p->outcome;

	if (p->state != ENDED)
		return;
	p->state = IDLE;
	p->done(&outcome, p->arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct postgres *p = arg;

	if (p->state == RESOLVING)
		end(p, SERVICE_DOWN, "the host's name was not resolved in time");
	else
		end(p, SERVICE_DOWN, p->state == CONNECTING ? "no connection in time" : "no answer in time");
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	go_on(arg);
}

static void
wait_for(struct postgres *p, short what)
{
	p->io = event_new(p->base, PQsocket(p->conn), what, on_io, p);
	if (p->io == NULL || event_add(p->io, NULL) < 0)
		end(p, SERVICE_DOWN, "the socket cannot be watched");
}

static void
ask(struct postgres *p)
{
	int left;

	if (p->state == CONNECTING) {
		p->state = ASKING;
		/* One row at a time: a server that sends more is not read to its end. */
		if (PQsetnonblocking(p->conn, 1) < 0 || !PQsendQuery(p->conn, "SELECT 1") ||
		    !PQsetSingleRowMode(p->conn)) {
			end(p, SERVICE_DOWN, postgres_words(PQerrorMessage(p->conn)));
			return;
		}
	}
	left = PQflush(p->conn);
	if (left < 0 || !PQconsumeInput(p->conn)) {
		end(p, SERVICE_DOWN, postgres_words(PQerrorMessage(p->conn)));
	} else if (PQisBusy(p->conn)) {
		wait_for(p, EV_READ | (left > 0 ? EV_WRITE : 0));
	} else {
		PGresult *r = PQgetResult(p->conn);
		ExecStatusType status = PQresultStatus(r);
		const char *why = postgres_words(PQresultErrorMessage(r));

		PQclear(r);
		if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)
			end(p, SERVICE_UP, "");
		else
			end(p, SERVICE_DOWN, why);
	}
}

static void
go_on(struct postgres *p)
{
	if (p->io)
		event_free(p->io);
	p->io = NULL;
	if (p->state == ASKING) {
		ask(p);
		return;
	}
	switch (PQconnectPoll(p->conn)) {
	case PGRES_POLLING_READING:
		wait_for(p, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		wait_for(p, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		ask(p);
		break;
	default:
		end(p, SERVICE_DOWN, postgres_words(PQerrorMessage(p->conn)));
	}
}

/* Connecting. */

static char *
option(const struct postgres *p, const char *keyword)
{
	for (PQconninfoOption *o = p->info; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

/* Item i of a list by commas. */
static bool
item(const char *list, size_t i, struct str *out)
{
	while (i-- > 0) {
		list = strchr(list, ',');
		if (list == NULL)
			return false;
		list++;
	}
	*out = (struct str){ list, strcspn(list, ",") };
	return true;
}

static void
add_item(struct buf *list, bool first, struct str text)
{
	if (!first)
		buf_add_char(list, ',');
	buf_add_str(list, text);
}

/* One host of the URL with each of its addresses. */
struct ways {
	struct buf hosts, addresses, ports;
	size_t n;
};

static void
add_way(struct ways *w, struct str host, struct str address, struct str port)
{
	add_item(&w->hosts, w->n == 0, host);
	add_item(&w->addresses, w->n == 0, address);
	add_item(&w->ports, w->n == 0, port);
	w->n++;
}

/* 0; ERR_AGAIN: the resolver is asked; else `*why`. */
static int
add_host(struct postgres *p, struct ways *w, struct str host, struct str port, const char **why)
{
	char *name = str_dup(host);
	struct resolver_answer answer;
	int rc = 0;

	if (host.n == 0 || *name == '/' || *name == '@') {
		add_way(w, host, STR(""), port); /* a Unix socket */
	} else if (strcmp(name, "localhost") == 0) {
		add_way(w, host, STR("127.0.0.1"), port);
		add_way(w, host, STR("::1"), port);
	} else if (!resolver_needed(name)) {
		add_way(w, host, host, port);
	} else {
		rc = resolver_ask(p->resolver, name, &p->wait, &answer);
		if (rc == 0 && answer.error != 0) {
			*why = "the host's name does not resolve";
			rc = ERR_NOT_FOUND;
		} else if (rc < 0 && rc != ERR_AGAIN) {
			*why = "the host's name cannot be asked for";
		}
		for (const char *a = rc == 0 ? answer.addresses : ""; *a; a += *a == ',') {
			struct str one = { a, strcspn(a, ",") };

			a += one.n;
			if (one.n > 2 && *one.p == '[')
				one = (struct str){ one.p + 1, one.n - 2 };
			add_way(w, host, one, port);
		}
	}
	free(name);
	return rc;
}

/* What a server has to remark is nothing for our log. */
static void
on_notice(void *arg, const PGresult *r)
{
}

static void
connect_to(struct postgres *p, struct ways *w)
{
	const char *keys[PARAMS_MAX + 1], *values[PARAMS_MAX + 1];
	size_t n = 0;

	for (PQconninfoOption *o = p->info; o->keyword && n < PARAMS_MAX - 8; o++) {
		if (o->val == NULL || strcmp(o->keyword, "service") == 0 ||
		    (w && (strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "port") == 0)))
			continue;
		keys[n] = o->keyword;
		values[n++] = o->val;
	}
	if (w) {
		keys[n] = "host";
		values[n++] = buf_text(&w->hosts);
		keys[n] = "hostaddr";
		values[n++] = buf_text(&w->addresses);
		keys[n] = "port";
		values[n++] = buf_text(&w->ports);
	}
	keys[n] = "application_name";
	values[n++] = "llmhealth";
	/* Tickets and files of whoever runs us are not what the URL says, and asking for them may block. */
	keys[n] = "gssencmode";
	values[n++] = "disable";
	keys[n] = "passfile";
	values[n++] = "/nonexistent";
	keys[n] = values[n] = NULL;
	p->state = CONNECTING;
	p->conn = PQconnectStartParams(keys, values, 0);
	if (p->conn == NULL || PQstatus(p->conn) == CONNECTION_BAD) {
		end(p, SERVICE_DOWN, p->conn ? postgres_words(PQerrorMessage(p->conn)) : "out of memory");
		return;
	}
	PQsetNoticeReceiver(p->conn, on_notice, NULL);
	PQsetErrorVerbosity(p->conn, PQERRORS_SQLSTATE);
	wait_for(p, EV_WRITE);
}

static void
resolve(struct postgres *p)
{
	struct ways w = { BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), 0 };
	const char *hosts = option(p, "host"), *ports = option(p, "port"), *why = NULL;
	struct str host, port = STR("5432");
	int rc = 0;

	if (option(p, "hostaddr") || hosts == NULL || *hosts == '\0') {
		connect_to(p, NULL);
		return;
	}
	if (item(hosts, HOSTS_MAX, &host)) {
		end(p, SERVICE_DOWN, "the URL has too many hosts");
		return;
	}
	for (size_t i = 0; rc == 0 && item(hosts, i, &host); i++) {
		/* One port is that of all hosts. */
		if (ports && *ports && !item(ports, i, &port))
			port = (struct str){ ports, strcspn(ports, ",") };
		if (port.n == 0)
			port = STR("5432");
		rc = add_host(p, &w, host, port, &why);
	}
	if (rc == 0)
		connect_to(p, &w);
	else if (rc != ERR_AGAIN)
		end(p, SERVICE_DOWN, why);
	buf_clear(&w.hosts);
	buf_clear(&w.addresses);
	buf_clear(&w.ports);
}

static void
on_resolved(struct resolver_wait *w)
{
	resolve((struct postgres *)((char *)w - offsetof(struct postgres, wait)));
}

int
postgres_test(struct postgres *p, int64_t timeout_ms, postgres_done done, void *arg)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct buf url = BUF_INIT(TEXT_MAX);
	char *said = NULL;

	if (p->state != IDLE)
		return ERR_EXISTS;
	p->done = done;
	p->arg = arg;
	p->started_us = clock_mono_us();
	if (p->url == NULL) {
		end(p, SERVICE_NONE, "no database is configured");
		return 0;
	}
	event_add(p->timer, &tv);
	p->state = RESOLVING;
	/* What libpq says of a URL that it cannot read has parts of it. */
	if (postgres_url(secret_reveal(p->url), &url) == 0)
		p->info = PQconninfoParse(buf_text(&url), &said);
	if (said)
		secret_wipe(said, strlen(said));
	PQfreemem(said);
	if (url.data)
		secret_wipe(url.data, url.cap);
	buf_clear(&url);
	if (p->info)
		resolve(p);
	else
		end(p, SERVICE_DOWN, "the URL cannot be read");
	return 0;
}

struct postgres *
postgres_new(struct event_base *base)
{
	struct postgres *p = xcalloc(1, sizeof(*p));

	p->base = base;
	p->resolver = resolver_new(base, 1);
	p->wait.done = on_resolved;
	p->timer = evtimer_new(base, on_timer, p);
	p->turn = event_new(base, -1, 0, on_turn, p);
	if (p->timer == NULL || p->turn == NULL)
		fatal("cannot make the events of the database's test");
	return p;
}

void
postgres_free(struct postgres *p)
{
	if (p == NULL)
		return;
	clean(p);
	event_free(p->timer);
	event_free(p->turn);
	resolver_free(p->resolver);
	secret_free(p->url);
	free(p);
}

void
postgres_set_url(struct postgres *p, struct str url)
{
	secret_free(p->url);
	p->url = url.n > 0 ? secret_new(url) : NULL;
}

#else

struct postgres {
	struct event *turn;
	bool configured, busy;
	postgres_done done;
	void *arg;
};

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct postgres *p = arg;
	const struct postgres_outcome outcome = { SERVICE_NONE, 0,
		p->configured ? "built without libpq" : "no database is configured" };

	p->busy = false;
	p->done(&outcome, p->arg);
}

struct postgres *
postgres_new(struct event_base *base)
{
	struct postgres *p = xcalloc(1, sizeof(*p));

	p->turn = event_new(base, -1, 0, on_turn, p);
	if (p->turn == NULL)
		fatal("cannot make the events of the database's test");
	return p;
}

void
postgres_free(struct postgres *p)
{
	if (p == NULL)
		return;
	event_free(p->turn);
	free(p);
}

void
postgres_set_url(struct postgres *p, struct str url)
{
	p->configured = url.n > 0;
}

int
postgres_test(struct postgres *p, int64_t timeout_ms, postgres_done done, void *arg)
{
	if (p->busy)
		return ERR_EXISTS;
	p->busy = true;
	p->done = done;
	p->arg = arg;
	event_active(p->turn, EV_TIMEOUT, 0);
	return 0;
}

#endif
