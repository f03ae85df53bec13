/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the supervisor to one front: from its exec to READY, with so many deployments, and what
 * memory it has then. Prints one JSON object.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "tests/bench/child.h"

static int64_t ready_us;

static void
on_front(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("the front ended before it was ready");
	if (m->type != MSG_READY)
		return;
	ready_us = clock_mono_us();
	event_base_loopbreak(arg);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	fatal("the front is not ready after 20 s");
}

int
main(int argc, char **argv)
{
	struct timeval limit = { 20, 0 };
	struct event_base *base;
	struct event *timeout;
	struct child front;
	double cpu_us;
	long rss_kb, n;

	log_init("front_start", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc != 3 || (n = strtol(argv[2], NULL, 10)) < 0 || n > 1000000) {
		fputs("usage: front_start FRONT DEPLOYMENTS\n", stderr);
		return 2;
	}
	base = event_base_new();
	timeout = base ? evtimer_new(base, on_timeout, NULL) : NULL;
	if (timeout == NULL)
		fatal("no event loop");
	evtimer_add(timeout, &limit);
	child_start(&front, base, argv[1], ROLE_F, on_front, base);
	child_send_start(&front);
	child_send_begin(&front, NULL);
	for (long i = 0; i < n; i++)
		child_send_deployment(&front, (uint32_t)i + 1);
	child_send_commit(&front, (uint32_t)n);
	event_base_dispatch(base);
	rss_kb = child_rss_kb(&front);
	cpu_us = child_cpu_us(&front);
	printf("{\"ready_us\": %lld, \"cpu_us\": %.0f, \"rss_kb\": %ld, \"exit\": %d}\n",
	    (long long)(ready_us - front.exec_us), cpu_us, rss_kb, child_end(&front));
	event_free(timeout);
	event_base_free(base);
	return 0;
}
