/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, configuring and measuring one child. */
#include "tests/bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/mode.h"
#include "shared/settings.h"

#define CHILD_FD 3
#define GENERATION 1

void
child_start(struct child *c, struct event_base *base, const char *program, enum role role,
    peer_handler handler, void *arg)
{
	int pair[2];
	int64_t *at =
	    mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		fatal("socketpair: %s", strerror(errno));
	if (access(program, X_OK) != 0)
		fatal("%s: %s", program, strerror(errno));
	c->pid = fork();
	if (c->pid < 0)
		fatal("fork: %s", strerror(errno));
	if (c->pid == 0) {
		if (pair[1] == CHILD_FD ? fcntl(CHILD_FD, F_SETFD, 0) != 0
					: dup2(pair[1], CHILD_FD) != CHILD_FD)
			_exit(127);
		*at = clock_mono_us();
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	c->peer = peer_new(base, pair[0], ROLE_S, role, "child", handler, arg);
	/* The child writes the time before it execs, and cannot have answered before that. */
	while (*(volatile int64_t *)at == 0 && waitpid(c->pid, NULL, WNOHANG) == 0)
		;
	c->exec_us = *at;
	munmap(at, sizeof(*at));
}

int
child_end(struct child *c)
{
	int status = 0;

	peer_free(c->peer);
	c->peer = NULL;
	for (int i = 0; i < 10000; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(1000);
	}
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	return -1;
}

double
child_cpu_us(const struct child *c)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(c->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		fatal("the child has gone");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long
status_kb(const struct child *c, const char *name)
{
	char path[64], line[256];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)c->pid);
	f = fopen(path, "re");
	if (f == NULL)
		fatal("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	fclose(f);
	return kb;
}

long
child_rss_kb(const struct child *c)
{
	return status_kb(c, "VmRSS:");
}

long
child_peak_rss_kb(const struct child *c)
{
	return status_kb(c, "VmHWM:");
}

void
child_send(struct peer *p, enum msg_type type, const void *m)
{
	int err = peer_send(p, type, 0, m);

	if (err != 0)
		fatal("cannot send %s: error %d", msg_row(type)->name, err);
}

struct peer *
child_open_jobs(struct child *c, struct event_base *base, enum role here, enum role there,
    peer_handler handler)
{
	struct msg_peer m = { .index = 0, .pid = (uint32_t)getpid() };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		fatal("socketpair: %s", strerror(errno));
	if (peer_send_fd(c->peer, MSG_PEER, 0, &m, pair[1]) != 0)
		fatal("cannot send the peer");
	close(pair[1]);
	return peer_new(base, pair[0], here, there, "jobs", handler, NULL);
}

void
child_send_start(struct child *c)
{
	struct msg_start start = { .log_level = LOG_LEVEL_WARNING, .log_format = LOG_FORMAT_TEXT };

	child_send(c->peer, MSG_START, &start);
}

void
child_send_begin(struct child *c, const struct settings *s)
{
	struct msg_conf_begin begin = { .generation = GENERATION, .full = true };
	struct str texts[SETTING_COUNT];
	struct buf values[SETTING_COUNT];
	struct settings defaults;

	settings_init(&defaults);
	for (int i = 0; i < SETTING_COUNT; i++) {
		buf_init(&values[i], 1 << 16);
		settings_get_text(s ? s : &defaults, (enum setting)i, &values[i]);
		texts[i] = buf_str(&values[i]);
	}
	begin.settings = (struct strs){ texts, SETTING_COUNT };
	child_send(c->peer, MSG_CONF_BEGIN, &begin);
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_clear(&values[i]);
	settings_clear(&defaults);
}

void
child_send_target(struct child *c, uint32_t handle, const struct child_target *t)
{
	struct kv key = { STR("api_key"), STR("sk-bench") };
	char id[32];
	struct msg_conf_target m = {
		.generation = GENERATION,
		.handle = handle,
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.mode = MODE_CHAT,
		.model = str_of(t->model),
		.api_base = str_of(t->base),
		.secrets = { &key, 1 },
		.max_tokens = 16,
		.timeout_ms = t->timeout_ms,
		.ssl_verify = true,
		.ca_file = str_of(t->ca),
	};

	snprintf(id, sizeof(id), "bench-%u", handle);
	m.id = str_of(id);
	child_send(c->peer, MSG_CONF_TARGET, &m);
}

void
child_send_deployment(struct child *c, uint32_t handle)
{
	char id[80], name[32], shown[96], info[640];
	struct kv display[] = {
		{ STR("api_base"), STR("\"http://127.0.0.1:4000/v1\"") },
		{ STR("model"), STR("\"openai/gpt-4o\"") },
		{ STR("model_id"), { NULL, 0 } },
	};
	struct msg_conf_deployment m = {
		.generation = GENERATION,
		.handle = handle,
		.position = handle,
		.model = STR("openai/gpt-4o"),
		.provider = STR("openai"),
		.mode = STR("chat"),
		.host = STR("http://127.0.0.1:4000"),
		.timeout_ms = 60000,
	};

	/* As long as LiteLLM's hash of a deployment. */
	snprintf(id, sizeof(id), "%064x", handle);
	snprintf(name, sizeof(name), "group-%u", handle / 4);
	snprintf(shown, sizeof(shown), "\"%s\"", id);
	snprintf(info, sizeof(info),
	    "{\"model_name\":\"%s\",\"litellm_params\":{\"api_base\":\"http://127.0.0.1:4000/v1\","
	    "\"model\":\"openai/"
	    "gpt-4o\"},\"model_info\":{\"id\":\"%s\",\"db_model\":false,\"mode\":\"chat\"}}",
	    name, id);
	m.id = str_of(id);
	m.model_name = str_of(name);
	display[2].value = str_of(shown);
	m.display = (struct kvs){ display, 3 };
	m.info = str_of(info);
	child_send(c->peer, MSG_CONF_DEPLOYMENT, &m);
}

void
child_send_commit(struct child *c, uint32_t count)
{
	struct msg_conf_commit m = { GENERATION, count };

	child_send(c->peer, MSG_CONF_COMMIT, &m);
}
