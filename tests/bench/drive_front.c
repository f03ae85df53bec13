/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the supervisor and one worker to a front: every deployment is always due, and the worker
 * answers each job at once. Prints one JSON object: what a job costs the front, and its memory.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/settings.h"
#include "tests/bench/child.h"
#include "tests/bench/number.h"

static struct event_base *base;
static struct child front;
static struct peer *jobs;
static long n_deployments, in_flight, wanted, warm_up, done;
static double began_cpu;
static int64_t began_us;

static void
answer(const struct msg_job *job)
{
	static const struct kv headers[] = { { STR("x-ratelimit-remaining-requests"), STR("4999") },
		{ STR("x-ratelimit-remaining-tokens"), STR("149980") } };
	struct msg_result r = {
		.job = job->job,
		.generation = job->generation,
		.handle = job->handle,
		.healthy = true,
		.http_status = 200,
		.exception_status = 200,
		.first_byte_us = 800,
		.total_us = 1000,
		.tokens_in = 10,
		.tokens_out = 2,
		.retry_after_ms = -1,
		.headers = { headers, 2 },
		.checked_at_ms = clock_wall_ms(),
		.flags = RESULT_REUSED,
	};

	child_send(jobs, MSG_RESULT, &r);
	if (++done == warm_up) {
		began_cpu = child_cpu_us(&front);
		began_us = clock_mono_us();
	}
	if (done == warm_up + wanted)
		event_base_loopbreak(base);
}

static void
on_job(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("the front closed its jobs after %ld of them", done);
	if (m->type == MSG_JOB)
		answer(m->body);
}

static void
on_front(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("the front ended after %ld jobs", done);
	if (m->type == MSG_READY)
		jobs = child_open_jobs(&front, base, ROLE_W, ROLE_F, on_job);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	fatal("only %ld of %ld jobs in 60 s", done, warm_up + wanted);
}

static void
send_begin(void)
{
	struct msg_state state = { STR("") };
	struct settings s;
	int fd = memfd_create("drive_front", MFD_CLOEXEC);

	settings_init(&s);
	s.num[SETTING_INTERVAL] = 1;
	s.num[SETTING_CONCURRENCY] = s.num[SETTING_PER_HOST] = in_flight;
	child_send_start(&front);
	if (fd < 0 || peer_send_fd(front.peer, MSG_STATE, 0, &state, fd) != 0)
		fatal("cannot send the state");
	close(fd);
	child_send_begin(&front, &s);
	settings_clear(&s);
}

int
main(int argc, char **argv)
{
	struct timeval limit = { 60, 0 };
	struct event *timeout;
	double cpu_us;
	int64_t us;
	long rss_kb, peak_kb;

	log_init("drive_front", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc != 5) {
		fputs("usage: drive_front FRONT DEPLOYMENTS IN_FLIGHT JOBS\n", stderr);
		return 2;
	}
	n_deployments = read_number(argv[2], 1);
	in_flight = read_number(argv[3], 1);
	wanted = read_number(argv[4], 1);
	warm_up = n_deployments * 17; /* every history is full */
	base = event_base_new();
	timeout = base ? evtimer_new(base, on_timeout, NULL) : NULL;
	if (timeout == NULL)
		fatal("no event loop");
	evtimer_add(timeout, &limit);
	child_start(&front, base, argv[1], ROLE_F, on_front, NULL);
	send_begin();
	for (long i = 0; i < n_deployments; i++)
		child_send_deployment(&front, (uint32_t)i + 1);
	child_send_commit(&front, (uint32_t)n_deployments);
	event_base_dispatch(base);
	cpu_us = child_cpu_us(&front) - began_cpu;
	us = clock_mono_us() - began_us;
	rss_kb = child_rss_kb(&front);
	peak_kb = child_peak_rss_kb(&front);
	peer_free(jobs);
	printf("{\"cpu_us_per_job\": %.2f, \"jobs_per_second\": %.0f, \"rss_kb\": %ld, "
	       "\"peak_rss_kb\": %ld, \"exit\": %d}\n",
	    cpu_us / (double)wanted, (double)wanted * 1e6 / (double)us, rss_kb, peak_kb,
	    child_end(&front));
	event_free(timeout);
	event_base_free(base);
	return 0;
}
