/* SPDX-License-Identifier: Apache-2.0 */
/* `llmhealth check`: one round, its progress, its report. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/exitcode.h"
#include "shared/log.h"
#include "supervisor/commands.h"
#include "supervisor/house.h"
#include "supervisor/plan.h"
#include "supervisor/progress.h"
#include "supervisor/report.h"

#define REPORT_MAX ((size_t)2 << 30)

struct check {
	const struct cli *cli;
	struct plan plan;
	struct report report;
	struct progress progress;
	struct house *house;
	struct event *tick;
	int64_t started_ms;
	bool done, interrupted;
};

static void
on_progress(const struct msg_round_progress *m, void *arg)
{
	struct check *k = arg;

	progress_set(&k->progress, m->total, m->done, m->healthy, m->in_flight);
	progress_draw(&k->progress);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct check *k = arg;

	progress_draw(&k->progress);
}

/* An answer that broke off had a status, but it is not why the probe failed. */
static bool
is_answer(enum reason reason, uint32_t http_status)
{
	switch (reason) {
	case REASON_DNS:
	case REASON_CONNECT:
	case REASON_TLS:
		return false;
	case REASON_TIMEOUT:
		return http_status >= 400;
	default:
		return http_status != 0;
	}
}

static void
on_verdict(const struct msg_round_verdict *m, void *arg)
{
	struct check *k = arg;
	struct report_row *row = report_find(&k->report, m->handle);

	if (row == NULL)
		return;
	row->state = m->healthy ? REPORT_HEALTHY : REPORT_UNHEALTHY;
	row->reason = m->reason < REASON_COUNT ? (enum reason)m->reason : REASON_PROBE_CRASHED;
	row->status = m->status;
	row->answered = is_answer(row->reason, m->http_status);
	row->total_us = m->total_us;
	row->first_token_us = m->first_token_us;
	row->tokens = m->tokens;
	report_set_texts(row, m->error, m->detail, m->entry);
}

static void
on_round_done(const struct msg_round_done *m, void *arg)
{
	struct check *k = arg;

	k->done = true;
	k->report.elapsed_ms = clock_mono_ms() - k->started_ms;
	house_stop(k->house, EXITCODE_OK);
}

static void
on_stopping(void *arg)
{
	struct check *k = arg;

	k->interrupted = !k->done;
}

/* What cannot be asked has its verdict from the config. */
static void
add_config_problems(struct check *k)
{
	for (size_t i = 0; i < k->plan.n_chosen; i++) {
		const struct deployment *d = k->plan.chosen[i];
		struct report_row *row = &k->report.rows[i];

		if (row->state != REPORT_NOT_ASKED || d->front.problem_reason == REASON_OK ||
		    row->disabled)
			continue;
		row->state = REPORT_UNHEALTHY;
		row->reason = (enum reason)d->front.problem_reason;
		row->status = d->front.problem_status;
		report_set_texts(row, d->front.problem, STR(""), STR(""));
	}
}

static int
run_round(struct check *k)
{
	struct house_options options = {
		.kind = HOUSE_ROUND,
		.user = k->plan.config->settings.text[SETTING_USER],
		.state_path = "",
		.log_level = k->cli->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		.log_format = LOG_FORMAT_TEXT,
	};
	const struct house_events events = { .stopping = on_stopping,
		.progress = on_progress,
		.verdict = on_verdict,
		.round_done = on_round_done };
	struct timeval every = { 0, PROGRESS_EVERY_MS * 2000 };
	struct buf why = BUF_INIT(8192);
	int status;

	log_init("llmhealth", LOG_FORMAT_TEXT, (enum log_level)options.log_level);
	if (house_new(&options, &events, k, &k->house, &why) < 0) {
		complain("%s", buf_text(&why));
		buf_clear(&why);
		return EXITCODE_START;
	}
	k->started_ms = clock_mono_ms();
	progress_init(&k->progress, k->cli->quiet ? -1 : STDERR_FILENO);
	progress_set(&k->progress, (uint32_t)k->plan.n_chosen, 0, 0, 0);
	k->tick = event_new(house_base(k->house), -1, EV_PERSIST, on_tick, k);
	if (k->tick == NULL || event_add(k->tick, &every) < 0)
		fatal("cannot make a timer");
	house_configure(k->house, k->plan.conf, &k->plan.house);
	status = house_run(k->house);
	progress_clear(&k->progress);
	event_free(k->tick);
	house_free(k->house);
	buf_clear(&why);
	return status;
}

static int
print_report(struct check *k)
{
	struct report_style style = {
		.width = terminal_width(STDOUT_FILENO),
		.color = terminal_wants_color(k->cli->color, STDOUT_FILENO),
		.only_unhealthy = k->cli->quiet,
	};
	struct buf b = BUF_INIT(REPORT_MAX);
	int status = report_count(&k->report, REPORT_UNHEALTHY) ? EXITCODE_UNHEALTHY : EXITCODE_OK;

	report_render(&k->report, k->cli->format, &style, &b);
	/* Who pipes into `head` has seen enough: the verdict stands. */
	if (!buf_ok(&b) || (!write_all(STDOUT_FILENO, buf_str(&b)) && errno != EPIPE)) {
		complain("cannot write the report");
		status = EXITCODE_CANNOT_RUN;
	}
	buf_clear(&b);
	return status;
}

int
command_check(const struct cli *cli)
{
	struct check k = { .cli = cli };
	struct problems *problems = problems_new();
	struct handles *handles = handles_new();
	struct buf why = BUF_INIT(65536);
	int status = EXITCODE_USAGE;

	if (plan_load(cli, handles, problems, &k.plan, &why) < 0) {
		print_problems(problems, why.len ? PROBLEM_ERROR : -1);
		if (why.len)
			complain("%s", buf_text(&why));
		goto out;
	}
	/* What is wrong with single deployments is in the report. */
	if (!cli->quiet)
		print_problems(problems, PROBLEM_WARNING);
	plan_rows(&k.plan, &k.report);
	status = run_round(&k);
	if (k.done) {
		add_config_problems(&k);
		status = print_report(&k);
	} else if (k.interrupted) {
		complain(
		    "interrupted: %u of %zu deployments were asked", k.progress.done, k.report.n);
		status = EXITCODE_CANNOT_RUN;
	} else if (status == EXITCODE_OK)
		status = EXITCODE_CANNOT_RUN;
out:
	report_clear(&k.report);
	plan_clear(&k.plan);
	problems_free(problems);
	handles_free(handles);
	buf_clear(&why);
	return status;
}
