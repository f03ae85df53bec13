/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the front's unit tests share: a fleet made of messages, a scheduler on the fake clock, and
 * workers that are the other ends of real socket pairs in the same loop.
 */
#ifndef TESTS_UNIT_FRONT_TEST_H
#define TESTS_UNIT_FRONT_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/msgs.h"
#include "shared/settings.h"
#include "supervisor/front/fleet.h"

struct event_base;
struct peer;
struct scheduler;

#define FT_WORKERS 4
#define FT_WALL_MS 1760000000000

enum ft_answer {
	FT_HOLD,    /* jobs gather, the test answers them */
	FT_HEALTHY, /* at once */
	FT_FAIL,
	FT_REFUSE_GENERATION, /* jobs of another generation than worker_generation */
};

struct ft_job {
	uint32_t job, generation, handle;
	unsigned worker;
	int64_t at_us; /* fake clock */
	bool cancelled;
};

struct front_test {
	struct event_base *base;
	struct fleet *fleet;
	struct scheduler *scheduler;
	struct peer *workers[FT_WORKERS];
	struct ft_worker {
		struct front_test *ft;
		unsigned index;
	} arg[FT_WORKERS];
	enum ft_answer answer;
	uint32_t worker_generation;
	int64_t retry_after_ms; /* in every answer; -1 */
	struct ft_job *jobs;	/* all that came, in order */
	size_t n_jobs, cap_jobs;
	size_t cancels;
	struct settings settings;
	size_t activity;
};

/* A settled clock, default settings, no deployment, no worker. */
void ft_open(struct front_test *ft);
void ft_close(struct front_test *ft);
void ft_set(struct front_test *ft, enum setting id, const char *value);

/* "dep-0" … with handles from 1, hosts "http://host-(i % hosts)". Fills m; its texts live in static
 * storage. */
void ft_deployment(struct msg_conf_deployment *m, uint32_t i, unsigned hosts);
int ft_begin(struct front_test *ft, uint32_t generation, bool full);
/* A whole configuration of n deployments, committed, the scheduler told. */
void ft_configure(struct front_test *ft, uint32_t generation, size_t n, unsigned hosts);

void ft_worker_add(struct front_test *ft, unsigned index);
/* As if it were killed. */
void ft_worker_kill(struct front_test *ft, unsigned index);
/* Answers job i of ft->jobs. */
void ft_answer(struct front_test *ft, size_t i, bool healthy);
/* A result as a worker sends it. */
struct msg_result ft_result(uint32_t handle, bool healthy, int64_t checked_at_ms);

/* Runs the loop until nothing happens any more; time stands. */
void ft_settle(struct front_test *ft);
void ft_advance(struct front_test *ft, int64_t ms);

struct scheduler_counts ft_counts(const struct front_test *ft);

#endif
