/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /health/events: changes of verdicts as they come, as Server-Sent Events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * An event is rendered once and kept in a bounded ring; a listener is a place in that ring and at
 * most one event that its client has taken in part. So a listener that does not read costs nothing:
 * when its place has left the ring, it is told so and dropped.
 */
#ifndef SUPERVISOR_FRONT_HTTP_EVENTS_H
#define SUPERVISOR_FRONT_HTTP_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "supervisor/front/http/route.h"

struct events;
struct http;

struct events_counts {
	size_t listeners;
	uint64_t events, dropped;
};

/* Watches the fleet from now on. */
struct events *events_new(struct http *h);
/* Before the fleet is freed. */
void events_free(struct events *e);
/* Says goodbye to all listeners. */
void events_close(struct events *e);
void events_counts(const struct events *e, struct events_counts *counts);

void events_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
