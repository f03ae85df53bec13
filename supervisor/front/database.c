/* SPDX-License-Identifier: Apache-2.0 */
/* One test at a time; what it found holds until the next one is over. */
#include "supervisor/front/database.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/pool.h"

/* Beyond its own time limit, the worker that makes the test gets this much. */
#define MARGIN_MS 2000
/* Without a worker it is tried again soon. */
#define NO_WORKER_MS 200
#define SOON 5 /* after a failure, this part of the interval */

struct database {
	const struct fleet *fleet;
	struct pool *pool;
	struct event *timer; /* the next test; or, while one is under way, its end */
	struct database_status status;
	char *why;
	uint32_t number; /* of the last test */
	bool testing, stopped;
};

static void
set_timer(struct database *d, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(d->timer, &tv);
}

static void
set_state(struct database *d, enum database_state state, struct str why)
{
	static const char *const names[] = { "none", "unknown", "connected", "disconnected" };
	char *words = str_dup(why);

	if (state != d->status.state || (d->why && strcmp(words, d->why) != 0))
		log_event(state == DATABASE_DISCONNECTED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "database",
		    LS("from", names[d->status.state]), LS("to", names[state]), LS("why", words));
	free(d->why);
	d->why = words;
	d->status.why = words;
	d->status.state = state;
}

/* The one place where a test ends. */
static void
end(struct database *d, uint32_t state, uint32_t latency_us, struct str why)
{
	int64_t interval = fleet_settings(d->fleet)->num[SETTING_DATABASE_INTERVAL];

	d->testing = false;
	event_del(d->timer);
	if (state == SERVICE_NONE) {
		set_state(d, DATABASE_NONE, why);
		return;
	}
	d->status.tests++;
	d->status.failures += state != SERVICE_UP;
	d->status.latency_us = latency_us;
	set_state(d, state == SERVICE_UP ? DATABASE_CONNECTED : DATABASE_DISCONNECTED, why);
	if (!d->stopped)
		set_timer(d, state == SERVICE_UP ? interval : interval / SOON);
}

static void
begin(struct database *d)
{
	const struct settings *s = fleet_settings(d->fleet);
	struct msg_service m = { ++d->number, SERVICE_DATABASE,
		(uint32_t)s->num[SETTING_DATABASE_TIMEOUT] };

	if (pool_send(d->pool, MSG_SERVICE, &m) < 0) {
		set_timer(d, NO_WORKER_MS);
		return;
	}
	d->testing = true;
	set_timer(d, m.timeout_ms + MARGIN_MS);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct database *d = arg;

	if (d->testing)
		end(d, SERVICE_DOWN, 0, STR("the process that tests it gave no answer"));
	else
		begin(d);
}

void
database_take(struct database *d, const struct msg_service_state *m)
{
	if (d->testing && m->number == d->number && m->service == SERVICE_DATABASE)
		end(d, m->state, m->latency_us, m->why);
}

void
database_configure(struct database *d)
{
	const struct settings *s = fleet_settings(d->fleet);

	if (s->text[SETTING_DATABASE_URL][0] == '\0') {
		d->testing = false;
		event_del(d->timer);
		if (d->status.state != DATABASE_NONE)
			set_state(d, DATABASE_NONE, STR(""));
		return;
	}
	if (d->status.state == DATABASE_NONE)
		set_state(d, DATABASE_UNKNOWN, STR(""));
	if (d->stopped)
		return;
	/* One that is under way may be of the URL before. */
	d->testing = false;
	begin(d);
}

void
database_stop(struct database *d)
{
	d->stopped = true;
	if (!d->testing)
		event_del(d->timer);
}

void
database_status(const struct database *d, struct database_status *status)
{
	*status = d ? d->status : (struct database_status){ .why = "" };
}

struct database *
database_new(struct event_base *base, const struct fleet *fleet, struct pool *pool)
{
	struct database *d = xcalloc(1, sizeof(*d));

	d->fleet = fleet;
	d->pool = pool;
	d->status.why = "";
	d->timer = evtimer_new(base, on_timer, d);
	if (d->timer == NULL)
		fatal("cannot make the timer of the database's test");
	return d;
}

void
database_free(struct database *d)
{
	if (d == NULL)
		return;
	event_free(d->timer);
	free(d->why);
	free(d);
}
