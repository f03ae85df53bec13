/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real HTTP code over a fleet of made-up deployments: what the front serves without workers,
 * scheduler and supervisor. For measuring it beside nginx, and for clients that misbehave.
 *
 *   http_front [--deployments N] [--key KEY] [--set path=value]... [--unix PATH] [--ask-ms N]
 *              [--unasked] [--churn N] [--flips N] [--hostile]
 *
 * Serves on a free port of 127.0.0.1 and prints `port N`. Every tenth deployment is unhealthy. A
 * probe that is asked for takes --ask-ms. --unasked: no deployment has a verdict yet. --churn: N
 * results a second. --hostile: names that hurt whoever writes them down without care. SIGTERM
 * drains for 200 ms, then closes; SIGUSR1 renews one result, SIGUSR2 makes one deployment unhealthy
 * or healthy again; --flips: N such changes each millisecond from the first SIGUSR2 on.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/sha256.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/http/http.h"

#define GRACE_MS 200
#define DRAIN_MS 2000
#define STR_INIT(literal) \
	{ \
		(literal), sizeof(literal) - 1 \
	}

static struct event_base *base;
static struct fleet *fleet;
static struct http *http;
static struct settings settings;
static int ask_ms;
static bool hostile;
static int flips;
static unsigned long asks_made, asks_cancelled;

struct ask {
	struct event *timer;
	struct deployment **d;
	size_t n;
	ask_done done;
	void *arg;
};

static void
apply_as(struct deployment *d, bool healthy)
{
	static const struct kv headers[] = { { { "x-ratelimit-remaining-requests", 30 },
						 { "99", 2 } },
		{ { "x-ratelimit-remaining-tokens", 28 }, { "9999", 4 } } };
	int64_t now = clock_wall_ms(), last = d->verdict.checked_at_ms;
	struct msg_result r = {
		.handle = d->handle,
		.healthy = healthy,
		.reason = healthy ? REASON_OK : REASON_AUTH,
		.http_status = healthy ? 200 : 401,
		.exception_status = healthy ? 200 : 401,
		.total_us = 12345 + d->handle,
		.retry_after_ms = -1,
		.checked_at_ms = now > last ? now : last + 1,
	};

	if (healthy) {
		r.headers = (struct kvs){ headers, 2 };
	} else {
		r.error = STR("litellm.AuthenticationError: AuthenticationError: OpenAIException - "
			      "no such key");
		r.detail = STR("the key is missing, wrong or expired");
		r.raw_request =
		    STR("{\"raw_request_api_base\":\"http://127.0.0.1:9/v1/\",\"error\":null}");
	}
	if (!fleet_apply(fleet, d, &r))
		fatal("a result was not taken");
}

static void
apply(struct deployment *d)
{
	apply_as(d, d->handle % 10 != 9);
}

static void
ask_free(struct ask *a)
{
	event_free(a->timer);
	free(a->d);
	free(a);
}

static void
on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;

	for (size_t i = 0; i < a->n; i++)
		apply(a->d[i]);
	a->done(a->arg);
	ask_free(a);
}

int
ask_new(struct scheduler *s, struct deployment *const *d, size_t n, int64_t max_age_ms,
    struct str request, ask_done done, void *arg, struct ask **out)
{
	struct timeval tv = { ask_ms / 1000, ask_ms % 1000 * 1000 };
	struct ask *a = xcalloc(1, sizeof(*a));

	a->timer = evtimer_new(base, on_ask, a);
	a->d = xcalloc(n, sizeof(struct deployment *));
	memcpy(a->d, d, n * sizeof(struct deployment *));
	a->n = n;
	a->done = done;
	a->arg = arg;
	event_add(a->timer, &tv);
	asks_made++;
	*out = a;
	return 0;
}

void
ask_cancel(struct ask *a)
{
	asks_cancelled++;
	ask_free(a);
}

static void
add_deployment(uint32_t i)
{
	char id[80], name[64], info[512];
	struct kv display[] = { { STR("api_base"), STR("\"http://127.0.0.1:9/v1\"") },
		{ STR("model"), STR("\"openai/ok\"") } };
	struct msg_conf_deployment m = { .generation = 1,
		.handle = i,
		.position = i,
		.provider = STR("openai"),
		.mode = STR("chat"),
		.host = STR("http://127.0.0.1:9"),
		.model = STR("openai/ok"),
		.display = { display, 2 } };

	snprintf(id, sizeof(id), "deployment-%06u", i);
	snprintf(name, sizeof(name), "group-%03u", i / 4);
	snprintf(info, sizeof(info),
	    "{\"model_name\":\"%s\",\"litellm_params\":{\"api_base\":\"http://127.0.0.1:9/"
	    "v1\",\"model\":\"openai/ok\"},"
	    "\"model_info\":{\"id\":\"%s\",\"mode\":\"chat\"}}",
	    name, id);
	m.id = str_of(id);
	m.model_name = str_of(name);
	if (hostile) {
		static const struct str names[] = { STR_INIT("a\"} 1\nllmhealth_evil{b=\"c"),
			STR_INIT("back\\slash\\"), STR_INIT("line\nfeed\r\tand\x01\x7f"),
			STR_INIT("\xc3\x28 \xff\xfe \xed\xa0\x80"), STR_INIT("{}=,# EOF"),
			STR_INIT("\xf0\x9f\xa6\x99 \xc3\xa9") };
		static char text[1024];

		m.model_name = m.provider = names[i % ARRAY_LEN(names)];
		memset(text, 'x', sizeof(text));
		if (i == 7)
			m.model_name = (struct str){ text, sizeof(text) };
		else if (i == 8)
			m.id = (struct str){ text, sizeof(text) };
		else if (i == 9)
			m.id = STR("no \xff label");
		else if (i == 10)
			m.id = STR("\"quoted\\id\"\n");
	}
	m.info = str_of(info);
	if (fleet_conf_deployment(fleet, &m) < 0)
		fatal("a deployment was refused");
}

static void
configure(uint32_t deployments, const char *key)
{
	struct str texts[SETTING_COUNT];
	struct buf bufs[SETTING_COUNT];
	uint8_t digest[SHA256_LEN];
	struct msg_conf_begin begin = {
		.generation = 1, .full = true, .settings = { texts, SETTING_COUNT }
	};
	struct msg_conf_commit commit = { .generation = 1, .count = deployments };

	for (int i = 0; i < SETTING_COUNT; i++) {
		bufs[i] = BUF_INIT(65536);
		settings_get_text(&settings, (enum setting)i, &bufs[i]);
		texts[i] = buf_str(&bufs[i]);
	}
	if (*key) {
		sha256(str_of(key), digest);
		begin.key_digest = (struct str){ (const char *)digest, sizeof(digest) };
	}
	if (fleet_conf_begin(fleet, &begin) < 0)
		fatal("the settings were refused");
	for (uint32_t i = 0; i < deployments; i++)
		add_deployment(i);
	if (fleet_conf_commit(fleet, &commit) < 0)
		fatal("the configuration was refused");
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_clear(&bufs[i]);
}

static void
on_drained(evutil_socket_t fd, short what, void *arg)
{
	static int waited_ms;

	if (http_connections(http) == 0 || waited_ms >= DRAIN_MS) {
		event_base_loopbreak(base);
		return;
	}
	waited_ms += 20;
	event_base_once(base, -1, EV_TIMEOUT, on_drained, NULL, &(struct timeval){ 0, 20000 });
}

static void
on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	http_close_listeners(http);
	on_drained(-1, 0, NULL);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	http_drain(http);
	event_base_once(
	    base, -1, EV_TIMEOUT, on_grace_over, NULL, &(struct timeval){ 0, GRACE_MS * 1000 });
}

static void
on_change(evutil_socket_t fd, short what, void *arg)
{
	static size_t next;

	if (fleet_size(fleet) > 0)
		apply(fleet_at(fleet, next++ % fleet_size(fleet)));
}

static void
on_flip(evutil_socket_t fd, short what, void *arg)
{
	static size_t next;

	for (int i = 0; i < (flips > 0 ? flips : 1) && fleet_size(fleet) > 0; i++) {
		struct deployment *d = fleet_at(fleet, next++ % fleet_size(fleet));

		apply_as(d, d->verdict.state != VERDICT_HEALTHY);
	}
	if (flips > 0)
		event_base_once(base, -1, EV_TIMEOUT, on_flip, NULL, &(struct timeval){ 0, 1000 });
}

static void
serve_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
	    http_listen(http, fd, STR("127.0.0.1")) < 0)
		fatal("cannot listen");
	printf("port %d\n", ntohs(a.sin_port));
	fflush(stdout);
}

static void
serve_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
	    http_listen(http, fd, str_of(path)) < 0)
		fatal("cannot listen on %s", path);
}

static void
set(const char *text)
{
	const char *equals = strchr(text, '=');
	struct str path = { text, equals ? (size_t)(equals - text) : 0 };
	int id = 0;

	while (id < SETTING_COUNT && !str_is(path, setting_row((enum setting)id)->path))
		id++;
	if (id == SETTING_COUNT ||
	    settings_set(&settings, (enum setting)id, str_of(equals + 1), NULL) < 0)
		fatal("no such setting: %s", text);
}

int
main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct event *term, *change, *flip, *churn = NULL;
	const char *key = "", *unix_path = NULL;
	uint32_t deployments = 10;
	bool unasked = false;
	int churn_rate = 0;

	log_init(
	    "http_front", LOG_FORMAT_TEXT, getenv("DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
	settings_init(&settings);
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--unasked") == 0) {
			unasked = true;
			continue;
		}
		if (strcmp(argv[i], "--hostile") == 0) {
			hostile = true;
			continue;
		}
		if (strcmp(argv[i], "--deployments") == 0)
			deployments = (uint32_t)atoi(value);
		else if (strcmp(argv[i], "--key") == 0)
			key = value;
		else if (strcmp(argv[i], "--set") == 0)
			set(value);
		else if (strcmp(argv[i], "--unix") == 0)
			unix_path = value;
		else if (strcmp(argv[i], "--ask-ms") == 0)
			ask_ms = atoi(value);
		else if (strcmp(argv[i], "--flips") == 0)
			flips = atoi(value);
		else if (strcmp(argv[i], "--churn") == 0)
			churn_rate = atoi(value);
		else
			fatal("what is %s?", argv[i]);
		i++;
	}
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	fleet = fleet_new();
	http = http_new(base, fleet, NULL);
	configure(deployments, key);
	for (uint32_t i = 0; i < deployments && !unasked; i++)
		apply(fleet_at(fleet, i));
	if (unix_path)
		serve_unix(unix_path);
	serve_tcp();
	term = evsignal_new(base, SIGTERM, on_term, NULL);
	change = evsignal_new(base, SIGUSR1, on_change, NULL);
	event_add(term, NULL);
	event_add(change, NULL);
	flip = evsignal_new(base, SIGUSR2, on_flip, NULL);
	event_add(flip, NULL);
	if (churn_rate > 0) {
		churn = event_new(base, -1, EV_PERSIST, on_change, NULL);
		event_add(churn, &(struct timeval){ 0, 1000000 / churn_rate });
	}
	event_base_dispatch(base);
	http_free(http);
	fleet_free(fleet);
	event_free(term);
	event_free(change);
	event_free(flip);
	if (churn)
		event_free(churn);
	event_base_free(base);
	settings_clear(&settings);
	fprintf(stderr, "asks made=%lu cancelled=%lu\n", asks_made, asks_cancelled);
	return 0;
}
