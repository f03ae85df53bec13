/* SPDX-License-Identifier: Apache-2.0 */
/* The one call that waits looks every few milliseconds; later ones are answered at once. */
#include "supervisor/front/http/drain.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/http.h"
#include "supervisor/front/http/server.h"

#define LOOK_MS 20
#define MAX_WAIT_MS 30000

struct drainer {
	struct conn *conn;
	struct event *timer;
	size_t before; /* others that waited when it began */
	int64_t end_ms;
};

static struct blob *
drained(size_t n)
{
	struct buf b = BUF_INIT(128);
	struct blob *blob;

	buf_addf(&b, "{\"status\":\"drained\",\"drained_requests\":%zu}", n);
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

static void
drainer_free(void *arg)
{
	struct drainer *d = arg;

	event_free(d->timer);
	free(d);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct drainer *d = arg;
	struct conn *c = d->conn;
	size_t left = conn_http(c)->n_waiting - 1; /* the one who asks waits, too */
	struct reply r = { .status = 200, .type = REPLY_JSON };

	if (left > 0 && clock_mono_ms() < d->end_ms)
		return;
	r.body = drained(d->before > left ? d->before - left : 0);
	drainer_free(d);
	conn_reply_late(c, &r);
	blob_unref(r.body);
}

void
drain_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct timeval tv = { 0, LOOK_MS * 1000 };
	struct http *h = conn_http(c);
	bool first = !h->drain_asked;
	struct drainer *d;

	if (!http_setting(h, SETTING_DRAIN_ENDPOINT)) {
		route_reply_json(c, 404, reply_detail(404, NULL));
		return;
	}
	conn_no_store(c);
	if (!auth_drain_token(r, fleet_keys(h->fleet))) {
		guard_refuse(c, 401, STR("{\"detail\":\"Invalid or missing X-Drain-Token\"}"));
		return;
	}
	if (first)
		log_event(LOG_LEVEL_NOTICE, "drain_asked", LI("requests", h->n_waiting));
	h->drain_asked = true;
	http_drain(h);
	if (!first || h->n_waiting == 0) {
		route_reply_json(c, 200, drained(0));
		return;
	}
	d = xcalloc(1, sizeof(*d));
	d->conn = c;
	d->before = h->n_waiting;
	d->end_ms = clock_mono_ms() + MAX_WAIT_MS;
	d->timer = event_new(h->base, -1, EV_PERSIST, on_look, d);
	if (d->timer == NULL || event_add(d->timer, &tv) < 0)
		fatal("out of memory");
	conn_wait(c, drainer_free, d);
}
