/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays supervisor and front to one worker: gives it equal targets, keeps so many jobs in flight
 * and counts its results. Prints one JSON object: what a probe costs the worker.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/bench/child.h"
#include "tests/bench/number.h"

static struct options {
	const char *worker;
	struct child_target target;
	long targets, in_flight, requests, warm_up, seconds;
} o = { .target = { .model = "ok", .ca = "", .timeout_ms = 60000 },
	.targets = 1000,
	.in_flight = 64,
	.requests = 100000,
	.warm_up = -1,
	.seconds = 60 };

static struct event_base *base;
static struct child worker;
static struct peer *jobs;
static uint32_t *idle; /* a ring of handles that may be asked */
static size_t idle_first, idle_count;
static long started, done, failed, reused, tls_new, tls_resumed;
static long base_kb;
static int64_t ready_us, began_us;
static double began_cpu, began_own_cpu;

static const char help[] = "usage: drive_worker --worker PROGRAM --base URL [OPTION]...\n"
			   "  --base URL       api_base, with /v1\n"
			   "  --model NAME     of each target (ok)\n"
			   "  --targets N      (1000)\n"
			   "  --in-flight N    jobs at once (64)\n"
			   "  --requests N     measured ones (100000)\n"
			   "  --warm-up N      before them (as many as in flight, twice)\n"
			   "  --ca FILE        to trust, for https\n"
			   "  --max-seconds N  give up after so long (60)\n";

static double
own_cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
send_jobs(void)
{
	while (started - done < o.in_flight && started < o.warm_up + o.requests && idle_count > 0) {
		struct msg_job m = {
			.job = (uint32_t)started + 1, .generation = 1, .handle = idle[idle_first]
		};

		idle_first = (idle_first + 1) % (size_t)o.targets;
		idle_count--;
		started++;
		child_send(jobs, MSG_JOB, &m);
	}
}

static void
begin_measuring(void)
{
	reused = tls_new = tls_resumed = 0;
	began_us = clock_mono_us();
	began_cpu = child_cpu_us(&worker);
	began_own_cpu = own_cpu_us();
}

static void
take_result(const struct msg_result *m)
{
	static bool complained;

	if (!m->healthy) {
		failed++;
		if (!complained)
			fprintf(stderr, "drive_worker: a probe failed: %.*s (%.*s)\n",
			    (int)m->error.n, m->error.p, (int)m->detail.n, m->detail.p);
		complained = true;
	}
	reused += (m->flags & RESULT_REUSED) != 0;
	tls_new += (m->flags & RESULT_TLS) != 0;
	tls_resumed += (m->flags & RESULT_TLS_RESUMED) != 0;
	idle[(idle_first + idle_count++) % (size_t)o.targets] = m->handle;
	if (++done == o.warm_up)
		begin_measuring();
	if (done >= o.warm_up + o.requests)
		event_base_loopbreak(base);
	else
		send_jobs();
}

static void
on_jobs(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("the worker closed its jobs after %ld results", done);
	if (m->type == MSG_RESULT)
		take_result(m->body);
	else if (m->type == MSG_JOB_REFUSED)
		fatal(
		    "the worker refused a job: %u", ((const struct msg_job_refused *)m->body)->why);
}

static void
on_worker(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("the worker ended after %ld results", done);
	if (m->type != MSG_READY)
		return;
	ready_us = clock_mono_us() - worker.exec_us;
	base_kb = child_rss_kb(&worker);
	if (o.warm_up == 0)
		begin_measuring();
	send_jobs();
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	fatal("only %ld of %ld results in %ld s", done, o.warm_up + o.requests, o.seconds);
}

static void
read_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "worker", required_argument, NULL, 'p' },
		{ "base", required_argument, NULL, 'b' },
		{ "model", required_argument, NULL, 'm' },
		{ "targets", required_argument, NULL, 't' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "requests", required_argument, NULL, 'r' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "ca", required_argument, NULL, 'c' },
		{ "max-seconds", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 'p':
			o.worker = optarg;
			break;
		case 'b':
			o.target.base = optarg;
			break;
		case 'm':
			o.target.model = optarg;
			break;
		case 't':
			o.targets = read_number(optarg, 0);
			break;
		case 'f':
			o.in_flight = read_number(optarg, 0);
			break;
		case 'r':
			o.requests = read_number(optarg, 0);
			break;
		case 'w':
			o.warm_up = read_number(optarg, 0);
			break;
		case 'c':
			o.target.ca = optarg;
			break;
		case 's':
			o.seconds = read_number(optarg, 0);
			break;
		default:
			fputs(help, stderr);
			exit(2);
		}
	}
	if (o.worker == NULL || o.target.base == NULL || optind < argc || o.targets < 1 ||
	    o.in_flight < 1) {
		fputs(help, stderr);
		exit(2);
	}
	if (o.in_flight > o.targets)
		o.targets = o.in_flight;
	if (o.warm_up < 0)
		o.warm_up = 2 * o.in_flight;
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	struct timeval limit;
	struct event *timeout;
	double n, cpu, own, wall_us;
	long peak_kb;
	int status;

	log_init("drive_worker", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	read_options(argc, argv);
	raise_descriptor_limit();
	limit = (struct timeval){ o.seconds, 0 };
	base = event_base_new();
	timeout = base ? evtimer_new(base, on_timeout, NULL) : NULL;
	if (timeout == NULL)
		fatal("no event loop");
	evtimer_add(timeout, &limit);
	idle = xcalloc((size_t)o.targets, sizeof(*idle));
	for (long i = 0; i < o.targets; i++)
		idle[i] = (uint32_t)i + 1;
	idle_count = (size_t)o.targets;

	child_start(&worker, base, o.worker, ROLE_W, on_worker, NULL);
	child_send_start(&worker);
	child_send_begin(&worker, NULL);
	for (long i = 0; i < o.targets; i++)
		child_send_target(&worker, (uint32_t)i + 1, &o.target);
	child_send_commit(&worker, (uint32_t)o.targets);
	jobs = child_open_jobs(&worker, base, ROLE_F, ROLE_W, on_jobs);
	event_base_dispatch(base);

	wall_us = (double)(clock_mono_us() - began_us);
	cpu = child_cpu_us(&worker) - began_cpu;
	own = own_cpu_us() - began_own_cpu;
	peak_kb = child_peak_rss_kb(&worker);
	n = (double)(o.requests ? o.requests : 1);
	status = child_end(&worker); /* first: it would complain of a lost front */
	peer_free(jobs);
	printf("{\"requests\": %ld, \"failed\": %ld, \"cpu_us\": %.3f, \"driver_cpu_us\": %.3f, "
	       "\"rate\": %.1f, "
	       "\"wall_s\": %.6f, \"reused\": %ld, \"tls_new\": %ld, \"tls_resumed\": %ld, "
	       "\"ready_us\": %lld, "
	       "\"base_rss_kb\": %ld, \"peak_rss_kb\": %ld, \"exit\": %d}\n",
	    o.requests, failed, cpu / n, own / n, n * 1e6 / wall_us, wall_us / 1e6, reused, tls_new,
	    tls_resumed, (long long)ready_us, base_kb, peak_kb, status);
	event_free(timeout);
	event_base_free(base);
	free(idle);
	return failed > 0;
}
