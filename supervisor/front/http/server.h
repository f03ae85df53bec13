/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of http/ share: the server itself. */
#ifndef SUPERVISOR_FRONT_HTTP_SERVER_H
#define SUPERVISOR_FRONT_HTTP_SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/settings.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/http/conn.h"
#include "supervisor/front/http/http.h"
#include "supervisor/front/http/requests.h"

#define HTTP_MAX_LISTENERS 16
#define HTTP_READ_SIZE 65536

struct listener {
	struct http *http;
	bool health; /* LiteLLM's health routes alone */
	struct event *event;
	int fd;
	char *address;
};

struct database;
struct guard;
struct gzip;
struct health;
struct events;
struct metrics;
struct models;
struct otlp;
struct otlp_metrics;
struct passthrough;
struct tally;

struct http {
	struct event_base *base;
	struct fleet *fleet;
	struct scheduler *scheduler;
	const struct database *database; /* NULL: none */
	const struct otlp *otlp;	 /* NULL: none */
	struct health *health;	 /* health.c */
	struct gzip *gzip;	 /* gzip.c; NULL: built without */
	struct models *models;	 /* models.c */
	struct metrics *metrics; /* metrics.c */
	struct otlp_metrics *otlp_metrics; /* NULL: none */
	struct events *events;	 /* events.c */
	struct passthrough *passthrough; /* passthrough.c */
	int64_t started_ms;	 /* wall clock */
	struct listener listeners[HTTP_MAX_LISTENERS];
	size_t n_listeners;
	struct event *resume; /* accepts again after descriptors ran out */
	struct event *sweep;
	struct conn_list conns[CONN_STATES];
	size_t n_conns;
	size_t n_waiting; /* that wait for our answer */
	size_t n_tests; /* of test_connection under way */
	struct guard *guard; /* guard.c */
	struct {
		int64_t since_us, longest_us, before_us;
	} turns; /* turns.h */
	bool draining; /* liveliness says so */
	bool drain_asked; /* by /health/drain */
	bool closing;  /* no more requests after the one at hand */
	struct requests requests;
	struct tally *tally;
	struct buf head; /* the head being written */
	char scratch[HTTP_READ_SIZE];
};

/* The origin as it is to be allowed, on the heap; NULL: it is none of llmhealth.http.cors. */
char *http_cors(const struct http *h, struct str origin);

static inline int64_t
http_setting(const struct http *h, enum setting id)
{
	return fleet_settings(h->fleet)->num[id];
}

#endif
