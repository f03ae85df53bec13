/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/front_test.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/scheduler.h"
#include "tests/unit/unit.h"

void
ft_open(struct front_test *ft)
{
	memset(ft, 0, sizeof(*ft));
	log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake_set(1000000000, FT_WALL_MS);
	ft->base = event_base_new();
	ft->fleet = fleet_new();
	ft->scheduler = scheduler_new(ft->base, ft->fleet);
	ft->answer = FT_HEALTHY;
	ft->retry_after_ms = -1;
	settings_init(&ft->settings);
}

void
ft_close(struct front_test *ft)
{
	scheduler_free(ft->scheduler);
	fleet_free(ft->fleet);
	for (unsigned i = 0; i < FT_WORKERS; i++)
		peer_free(ft->workers[i]);
	event_base_free(ft->base);
	settings_clear(&ft->settings);
	free(ft->jobs);
	clock_fake_off();
}

void
ft_set(struct front_test *ft, enum setting id, const char *value)
{
	assert_int_equal(settings_set(&ft->settings, id, str_of(value), NULL), 0);
}

void
ft_deployment(struct msg_conf_deployment *m, uint32_t i, unsigned hosts)
{
	static char id[64], name[64], host[64];
	static const struct kv display[] = { { STR("api_base"), STR("\"http://127.0.0.1:9/v1\"") },
		{ STR("model"), STR("\"openai/gpt\"") } };

	snprintf(id, sizeof(id), "dep-%u-0123456789abcdef0123456789abcdef", i);
	snprintf(name, sizeof(name), "group-%u", i / 4);
	snprintf(host, sizeof(host), "http://host-%u", hosts ? i % hosts : 0);
	*m = (struct msg_conf_deployment){
		.generation = 1,
		.handle = i + 1,
		.position = i,
		.id = str_of(id),
		.model_name = str_of(name),
		.model = STR("openai/gpt"),
		.provider = STR("openai"),
		.mode = STR("chat"),
		.host = str_of(hosts ? host : ""),
		.display = { display, 2 },
		.info = STR("{\"model_name\":\"group\",\"litellm_params\":{},\"model_info\":{}}"),
		.timeout_ms = 60000,
	};
}

int
ft_begin(struct front_test *ft, uint32_t generation, bool full)
{
	struct buf texts[SETTING_COUNT];
	struct str values[SETTING_COUNT];
	struct msg_conf_begin m = {
		.generation = generation, .full = full, .settings = { values, SETTING_COUNT }
	};
	int rc;

	for (int i = 0; i < SETTING_COUNT; i++) {
		buf_init(&texts[i], 1 << 20);
		settings_get_text(&ft->settings, (enum setting)i, &texts[i]);
		values[i] = buf_str(&texts[i]);
	}
	rc = fleet_conf_begin(ft->fleet, &m);
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_clear(&texts[i]);
	return rc;
}

void
ft_configure(struct front_test *ft, uint32_t generation, size_t n, unsigned hosts)
{
	struct msg_conf_commit commit = { generation, (uint32_t)n };

	assert_int_equal(ft_begin(ft, generation, true), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct msg_conf_deployment m;

		ft_deployment(&m, i, hosts);
		m.generation = generation;
		assert_int_equal(fleet_conf_deployment(ft->fleet, &m), 0);
	}
	assert_int_equal(fleet_conf_commit(ft->fleet, &commit), 0);
	scheduler_configure(ft->scheduler);
}

struct msg_result
ft_result(uint32_t handle, bool healthy, int64_t checked_at_ms)
{
	return (struct msg_result){
		.handle = handle,
		.healthy = healthy,
		.reason = healthy ? REASON_OK : REASON_SERVER_ERROR,
		.http_status = healthy ? 200 : 500,
		.exception_status = healthy ? 200 : 500,
		.error = healthy ? STR("") : STR("litellm.InternalServerError: no"),
		.detail = healthy ? STR("") : STR("the provider says that it failed"),
		.total_us = 1234,
		.tokens_in = 8,
		.tokens_out = 2,
		.retry_after_ms = -1,
		.checked_at_ms = checked_at_ms,
	};
}

void
ft_answer(struct front_test *ft, size_t i, bool healthy)
{
	struct ft_job *j = &ft->jobs[i];
	struct msg_result r = ft_result(j->handle, healthy, clock_wall_ms());

	r.job = j->job;
	r.generation = j->generation;
	r.retry_after_ms = ft->retry_after_ms;
	if (ft->workers[j->worker])
		assert_int_equal(peer_send(ft->workers[j->worker], MSG_RESULT, 0, &r), 0);
	ft->activity++;
}

static void
on_job(struct front_test *ft, unsigned worker, const struct msg_job *m)
{
	struct ft_job j = { m->job, m->generation, m->handle, worker, clock_mono_us(), false };

	if (ft->n_jobs == ft->cap_jobs) {
		ft->cap_jobs = ft->cap_jobs ? ft->cap_jobs * 2 : 1024;
		ft->jobs = xrealloc(ft->jobs, ft->cap_jobs * sizeof(*ft->jobs));
	}
	ft->jobs[ft->n_jobs++] = j;
	if (ft->answer == FT_REFUSE_GENERATION && m->generation != ft->worker_generation) {
		struct msg_job_refused refused = { m->job, ft->worker_generation, m->handle,
			REFUSED_GENERATION };

		assert_int_equal(peer_send(ft->workers[worker], MSG_JOB_REFUSED, 0, &refused), 0);
	} else if (ft->answer != FT_HOLD) {
		ft_answer(ft, ft->n_jobs - 1, ft->answer != FT_FAIL);
	}
}

static void
on_message(struct peer *p, const struct msg *m, void *arg)
{
	struct ft_worker *w = arg;
	struct front_test *ft = w->ft;

	ft->activity++;
	if (m == NULL) {
		peer_free(p);
		ft->workers[w->index] = NULL;
	} else if (m->type == MSG_JOB) {
		on_job(ft, w->index, m->body);
	} else if (m->type == MSG_JOB_CANCEL) {
		uint32_t job = ((const struct msg_job_cancel *)m->body)->job;

		ft->cancels++;
		for (size_t i = 0; i < ft->n_jobs; i++)
			if (ft->jobs[i].job == job)
				ft->jobs[i].cancelled = true;
	}
}

void
ft_worker_add(struct front_test *ft, unsigned index)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ft->arg[index] = (struct ft_worker){ ft, index };
	ft->workers[index] =
	    peer_new(ft->base, pair[0], ROLE_W, ROLE_F, "front", on_message, &ft->arg[index]);
	pool_add(scheduler_pool(ft->scheduler), index, 1000 + index, pair[1]);
}

void
ft_worker_kill(struct front_test *ft, unsigned index)
{
	peer_free(ft->workers[index]);
	ft->workers[index] = NULL;
}

void
ft_settle(struct front_test *ft)
{
	int quiet = 0;

	while (quiet < 4) {
		struct scheduler_counts before, after;
		size_t activity = ft->activity;

		scheduler_counts(ft->scheduler, &before);
		event_base_loop(ft->base, EVLOOP_NONBLOCK);
		scheduler_counts(ft->scheduler, &after);
		quiet = activity == ft->activity && memcmp(&before, &after, sizeof(before)) == 0
			    ? quiet + 1
			    : 0;
	}
}

void
ft_advance(struct front_test *ft, int64_t ms)
{
	clock_fake_advance_us(ms * 1000);
	pool_tick(scheduler_pool(ft->scheduler));
	scheduler_run(ft->scheduler);
	ft_settle(ft);
}

struct scheduler_counts
ft_counts(const struct front_test *ft)
{
	struct scheduler_counts c;

	scheduler_counts(ft->scheduler, &c);
	return c;
}
