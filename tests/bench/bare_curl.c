/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under the probes: a bare loop of libcurl multi handles over epoll that sends the same
 * chat request as a probe, keeps so many in flight and looks at nothing but the status. One easy
 * handle a target, kept, as a worker has. Prints one JSON object.
 */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/bench/number.h"

#define MULTIS_MAX 64

struct loop {
	CURLM *multi;
	int64_t due_ms; /* of its timer; -1: none */
};

static struct options {
	const char *base, *model, *ca;
	long targets, in_flight, requests, warm_up, multis, seconds;
} o = { .model = "ok",
	.targets = 1000,
	.in_flight = 64,
	.requests = 100000,
	.warm_up = -1,
	.multis = 16,
	.seconds = 60 };

static struct loop loops[MULTIS_MAX];
static CURL **easies;
static unsigned *idle; /* a ring of targets that may be asked */
static size_t idle_first, idle_count;
static int epoll_fd;
static long started, done, failed, handshakes;
static long long header_bytes, body_bytes;

static const char help[] = "usage: bare_curl --base URL [OPTION]...\n"
			   "  --base URL       api_base, with /v1\n"
			   "  --model NAME     in each request (ok)\n"
			   "  --targets N      easy handles (1000)\n"
			   "  --in-flight N    at once (64)\n"
			   "  --requests N     measured ones (100000)\n"
			   "  --warm-up N      before them (as many as in flight, twice)\n"
			   "  --multis N       multi handles (16)\n"
			   "  --ca FILE        to trust, for https\n"
			   "  --max-seconds N  give up after so long (60)\n";

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct loop *l = arg;
	struct epoll_event e = { .data.u64 = (uint64_t)(l - loops) << 32 | (unsigned)fd };

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &e);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0 &&
	    epoll_ctl(epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) != 0)
		return -1;
	curl_multi_assign(l->multi, fd, l);
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct loop *l = arg;

	l->due_ms = ms < 0 ? -1 : clock_mono_ms() + ms;
	return 0;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	body_bytes += (long long)n;
	return n;
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	header_bytes += (long long)n;
	return n;
}

/* What cannot fail but for memory. */
#define SET(easy, option, value) \
	do { \
		if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK) \
			fatal("curl_easy_setopt " #option); \
	} while (0)

static void
make_targets(const char *url, const char *body, struct curl_slist *headers)
{
	easies = xcalloc((size_t)o.targets, sizeof(*easies));
	idle = xcalloc((size_t)o.targets, sizeof(*idle));
	for (long i = 0; i < o.targets; i++) {
		CURL *easy = curl_easy_init();

		if (easy == NULL)
			fatal("curl_easy_init");
		SET(easy, CURLOPT_URL, url);
		SET(easy, CURLOPT_NOSIGNAL, 1L);
		SET(easy, CURLOPT_NOPROXY, "*");
		SET(easy, CURLOPT_TIMEOUT_MS, 60000L);
		SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		SET(easy, CURLOPT_HTTPHEADER, headers);
		SET(easy, CURLOPT_POSTFIELDS, body);
		SET(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		SET(easy, CURLOPT_WRITEFUNCTION, on_body);
		SET(easy, CURLOPT_HEADERFUNCTION, on_header);
		SET(easy, CURLOPT_PRIVATE, (void *)(size_t)i);
		SET(easy, CURLOPT_CAPATH, NULL);
		if (o.ca != NULL)
			SET(easy, CURLOPT_CAINFO, o.ca);
		easies[i] = easy;
		idle[i] = (unsigned)i;
	}
	idle_count = (size_t)o.targets;
}

/* A target belongs to one multi for ever: that one has its connection and its TLS session. */
static void
start_one(void)
{
	unsigned i = idle[idle_first];

	idle_first = (idle_first + 1) % (size_t)o.targets;
	idle_count--;
	started++;
	if (curl_multi_add_handle(loops[i % (unsigned)o.multis].multi, easies[i]) != CURLM_OK)
		fatal("curl_multi_add_handle");
}

static void
take_results(struct loop *l)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left)) != NULL) {
		CURL *easy = m->easy_handle;
		CURLcode result = m->data.result;
		long status = 0, connects = 0;
		char *private = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
		curl_multi_remove_handle(l->multi, easy);
		failed += result != CURLE_OK || status != 200;
		handshakes += connects;
		done++;
		idle[(idle_first + idle_count++) % (size_t)o.targets] = (unsigned)(size_t) private;
	}
}

static int
until_due(void)
{
	int64_t first = -1, now = clock_mono_ms();

	for (long i = 0; i < o.multis; i++)
		if (loops[i].due_ms >= 0 && (first < 0 || loops[i].due_ms < first))
			first = loops[i].due_ms;
	if (first < 0 || first - now > 1000)
		return 1000;
	return first <= now ? 0 : (int)(first - now);
}

static void
turn(void)
{
	struct epoll_event events[512];
	int n = epoll_wait(epoll_fd, events, 512, until_due()), running;
	int64_t now;

	if (n < 0 && errno != EINTR)
		fatal("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct loop *l = &loops[events[i].data.u64 >> 32];
		int bits = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(
		    l->multi, (int)(uint32_t)events[i].data.u64, bits, &running);
		take_results(l);
	}
	now = clock_mono_ms();
	for (long i = 0; i < o.multis; i++)
		if (loops[i].due_ms >= 0 && loops[i].due_ms <= now) {
			loops[i].due_ms = -1;
			curl_multi_socket_action(loops[i].multi, CURL_SOCKET_TIMEOUT, 0, &running);
			take_results(&loops[i]);
		}
}

/* Until so many are done, starting no more than that. */
static void
run_until(long requests, int64_t end_ms)
{
	while (done < requests) {
		while (started - done < o.in_flight && started < requests && idle_count > 0)
			start_one();
		if (clock_mono_ms() > end_ms)
			fatal("only %ld of %ld requests in %ld s", done, requests, o.seconds);
		turn();
	}
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long
rss_kb(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL || fscanf(f, "%ld %ld", &pages, &resident) != 2)
		fatal("/proc/self/statm");
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static long
peak_rss_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
read_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "base", required_argument, NULL, 'b' },
		{ "model", required_argument, NULL, 'm' },
		{ "targets", required_argument, NULL, 't' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "requests", required_argument, NULL, 'r' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "multis", required_argument, NULL, 'u' },
		{ "ca", required_argument, NULL, 'c' },
		{ "max-seconds", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 'b':
			o.base = optarg;
			break;
		case 'm':
			o.model = optarg;
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
		case 'u':
			o.multis = read_number(optarg, 0);
			break;
		case 'c':
			o.ca = optarg;
			break;
		case 's':
			o.seconds = read_number(optarg, 0);
			break;
		default:
			fputs(help, stderr);
			exit(2);
		}
	}
	if (o.base == NULL || optind < argc || o.targets < 1 || o.in_flight < 1 || o.multis < 1 ||
	    o.multis > MULTIS_MAX) {
		fputs(help, stderr);
		exit(2);
	}
	if (o.in_flight > o.targets)
		o.targets = o.in_flight;
	if (o.warm_up < 0)
		o.warm_up = 2 * o.in_flight;
}

static void
make_loops(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("no epoll or no curl");
	for (long i = 0; i < o.multis; i++) {
		struct loop *l = &loops[i];

		l->multi = curl_multi_init();
		l->due_ms = -1;
		if (l->multi == NULL)
			fatal("curl_multi_init");
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
		curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
		curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
		curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
		curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 65536L);
	}
}

int
main(int argc, char **argv)
{
	struct buf url = BUF_INIT(4096), body = BUF_INIT(4096);
	struct curl_slist *headers = NULL;
	int64_t end_ms, began_us, wall_us;
	double began_cpu, cpu;
	long base_kb, before;
	struct rlimit limit;

	log_init("bare_curl", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	read_options(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	make_loops();
	buf_addf(&url, "%s/chat/completions", o.base);
	buf_addf(&body,
	    "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"test from "
	    "litellm\"}],"
	    "\"max_tokens\":16}",
	    o.model);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Authorization: Bearer sk-bench");
	headers = curl_slist_append(headers, "Accept: application/json");
	base_kb = rss_kb();
	make_targets(buf_text(&url), buf_text(&body), headers);

	end_ms = clock_mono_ms() + o.seconds * 1000;
	run_until(o.warm_up, end_ms);
	handshakes = 0;
	before = done;
	began_us = clock_mono_us();
	began_cpu = cpu_us();
	run_until(o.warm_up + o.requests, end_ms);
	cpu = cpu_us() - began_cpu;
	wall_us = clock_mono_us() - began_us;
	done -= before;

	printf("{\"requests\": %ld, \"failed\": %ld, \"cpu_us\": %.3f, \"rate\": %.1f, \"wall_s\": "
	       "%.6f, "
	       "\"connects\": %ld, \"base_rss_kb\": %ld, \"peak_rss_kb\": %ld}\n",
	    done, failed, cpu / (double)(done ? done : 1), (double)done * 1e6 / (double)wall_us,
	    (double)wall_us / 1e6, handshakes, base_kb, peak_rss_kb());
	for (long i = 0; i < o.targets; i++)
		curl_easy_cleanup(easies[i]);
	for (long i = 0; i < o.multis; i++)
		curl_multi_cleanup(loops[i].multi);
	curl_slist_free_all(headers);
	curl_global_cleanup();
	free(easies);
	free(idle);
	buf_clear(&url);
	buf_clear(&body);
	return failed > 0;
}
