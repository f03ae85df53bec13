/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `llmhealth validate`: a worker is asked what it would send, and sends nothing. So what is shown
 * is made by the code that would send it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "shared/exitcode.h"
#include "shared/json.h"
#include "shared/log.h"
#include "shared/reason.h"
#include "supervisor/commands.h"
#include "supervisor/cost.h"
#include "supervisor/house.h"
#include "supervisor/plan.h"
#include "supervisor/table.h"

#define OUTPUT_MAX ((size_t)2 << 30)

struct description {
	uint32_t handle;
	char *method, *url, *error; /* NULL before the worker's answer */
};

struct validate {
	const struct cli *cli;
	struct plan plan;
	struct problems *problems;
	struct description *found; /* one for each chosen deployment, in their order */
	struct house *house;
	size_t waiting;
	bool interrupted;
};

static struct description *
find(struct validate *v, uint32_t handle)
{
	/* Handles are given out in this order, in one load. */
	for (size_t i = 0, guess = handle - 1; i < 2; i++, guess = 0)
		for (size_t j = guess; j < v->plan.n_chosen; j++) {
			if (v->found[j].handle == handle)
				return &v->found[j];
			if (i == 0)
				break;
		}
	return NULL;
}

static void
on_described(const struct msg_described *m, void *arg)
{
	struct validate *v = arg;
	struct description *d = find(v, m->handle);

	if (d == NULL || d->url)
		return;
	d->method = str_dup(m->method);
	d->url = str_dup(m->url);
	if (m->reason != REASON_OK) {
		const struct deployment *dep = v->plan.chosen[d - v->found];
		struct mark mark = { dep->file.p, dep->line, dep->column };

		d->error =
		    str_dup(m->error.n ? m->error : str_of(reason_text((enum reason)m->reason)));
		problem_deployment(v->problems, mark, "%s", d->error);
	}
	if (--v->waiting == 0)
		house_stop(v->house, EXITCODE_OK);
}

static void
on_settled(void *arg)
{
	struct validate *v = arg;
	int rc = 0;

	/* A worker that died was asked before: only what is still open is asked again. */
	for (size_t i = 0; i < v->plan.n_chosen && rc == 0; i++)
		if (v->plan.chosen[i]->askable && v->found[i].url == NULL)
			rc = house_describe(v->house, v->found[i].handle);
	if (rc < 0) {
		complain("cannot ask the worker: %s", err_text(rc));
		house_stop(v->house, EXITCODE_CANNOT_RUN);
	}
}

static void
on_stopping(void *arg)
{
	struct validate *v = arg;

	v->interrupted = true;
}

static int
describe(struct validate *v)
{
	struct house_options options = {
		.kind = HOUSE_DESCRIBE,
		.user = v->plan.config->settings.text[SETTING_USER],
		.state_path = "",
		.log_level = v->cli->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	};
	const struct house_events events = {
		.settled = on_settled, .described = on_described, .stopping = on_stopping
	};
	struct buf why = BUF_INIT(8192);
	int status;

	log_init("llmhealth", LOG_FORMAT_TEXT, (enum log_level)options.log_level);
	if (house_new(&options, &events, v, &v->house, &why) < 0) {
		complain("%s", buf_text(&why));
		buf_clear(&why);
		return EXITCODE_START;
	}
	house_configure(v->house, v->plan.conf, &v->plan.house);
	status = house_run(v->house);
	house_free(v->house);
	buf_clear(&why);
	if (status == EXITCODE_OK && v->interrupted) {
		complain("interrupted");
		status = EXITCODE_CANNOT_RUN;
	}
	return status;
}

/* Why the deployment cannot be asked, or NULL. Borrowed. */
static struct str
problem_of(const struct deployment *d, const struct description *found)
{
	return d->askable ? str_of(found->error) : d->front.problem;
}

/* What matters first, because a narrow terminal cuts the rest. */
static void
add_key(struct buf *b, const struct deployment *d, bool missing)
{
	buf_add_text(b, d->key_set ? "set" : missing ? "missing" : "none");
	if (d->key_variable.n && (d->key_set || missing))
		buf_addf(b, " %.*s", (int)d->key_variable.n, d->key_variable.p);
}

static void
add_json_text(struct buf *b, const char *key, struct str s)
{
	json_add_key(b, key);
	if (s.n)
		json_add_string(b, s);
	else
		buf_add_text(b, "null");
}

/* A deployment that cannot be asked costs nothing, even when only the worker knows. */
static struct cost
day_of(struct validate *v, size_t i)
{
	const struct deployment *d = v->plan.chosen[i];

	if (problem_of(d, &v->found[i]).n > 0)
		return (struct cost){ .probes = 0 };
	return cost_of(d, &v->plan.config->settings);
}

static struct cost
day_of_all(struct validate *v)
{
	struct cost sum = { .probes = 0 };

	for (size_t i = 0; i < v->plan.n_chosen; i++) {
		struct cost one = day_of(v, i);

		cost_add(&sum, &one);
	}
	return sum;
}

static void
json_deployment(struct buf *b, const struct deployment *d, const struct description *found,
    const struct cost *day)
{
	struct str problem = problem_of(d, found);

	json_add_comma(b);
	buf_add_char(b, '{');
	json_add_key(b, "id");
	json_add_string(b, d->front.id);
	json_add_key(b, "model_name");
	json_add_string(b, d->front.model_name);
	json_add_key(b, "model");
	json_add_string(b, d->front.model);
	add_json_text(b, "provider", d->front.provider);
	add_json_text(b, "mode", d->front.mode);
	add_json_text(b, "method", str_of(found->method));
	add_json_text(b, "url", str_of(found->url));
	add_json_text(b, "key_variable", d->key_variable);
	json_add_key(b, "key_set");
	buf_add_text(b, d->key_set ? "true" : "false");
	json_add_key(b, "disabled");
	buf_add_text(b, d->front.flags & DEPLOYMENT_DISABLED ? "true" : "false");
	json_add_key(b, "timeout_ms");
	buf_add_int(b, (int64_t)d->front.timeout_ms);
	json_add_key(b, "cost_per_day");
	cost_json(b, day);
	if (d->front.depends.n > 0) {
		json_add_key(b, "depends_on");
		buf_add_char(b, '[');
		for (size_t i = 0; i < d->front.depends.n; i++) {
			json_add_comma(b);
			json_add_string(b, d->front.depends.v[i].value);
		}
		buf_add_char(b, ']');
	}
	add_json_text(b, "problem", problem);
	add_json_text(b, "file", d->file);
	json_add_key(b, "line");
	buf_add_int(b, d->line);
	buf_add_char(b, '}');
}

static void
render_json(struct validate *v, struct buf *out)
{
	struct buf json = BUF_INIT(OUTPUT_MAX), *b = &json;
	struct cost sum;
	static const char *const severities[] = {
		[PROBLEM_ERROR] = "error",
		[PROBLEM_WARNING] = "warning",
		[PROBLEM_DEPLOYMENT] = "deployment",
	};

	buf_add_text(b, "{\"deployments\":[");
	for (size_t i = 0; i < v->plan.n_chosen; i++) {
		struct cost day = day_of(v, i);

		json_deployment(b, v->plan.chosen[i], &v->found[i], &day);
	}
	buf_add_char(b, ']');
	sum = day_of_all(v);
	json_add_key(b, "cost_per_day");
	cost_json(b, &sum);
	json_add_key(b, "unpriced");
	buf_add_int(b, (int64_t)sum.unpriced);
	buf_add_text(b, ",\"problems\":[");
	for (size_t i = 0; i < problems_count(v->problems); i++) {
		const struct problem *p = problems_at(v->problems, i);

		json_add_comma(b);
		buf_add_char(b, '{');
		json_add_key(b, "severity");
		json_add_string(b, str_of(severities[p->severity]));
		add_json_text(b, "file", str_of(p->file));
		json_add_key(b, "line");
		buf_add_int(b, p->line);
		json_add_key(b, "column");
		buf_add_int(b, p->column);
		json_add_key(b, "text");
		json_add_string(b, str_of(p->text));
		buf_add_char(b, '}');
	}
	buf_add_text(b, "]}\n");
	terminal_add_clean_json(out, buf_str(b));
	if (!buf_ok(b))
		out->failed = true;
	buf_clear(b);
}

static const struct table_column columns[] = {
	{ "MODEL GROUP", 8, 2, false },
	{ "DEPLOYMENT", 8, 1, false },
	{ "PROVIDER", 6, 3, false },
	{ "MODE", 4, 0, false },
	{ "KEY", 8, 5, false },
	{ "TOKENS A DAY", 6, 0, true },
	{ "MONEY A DAY", 6, 6, true },
	{ "WOULD ASK", 20, 4, false },
};

static void
add_row(struct table *t, const struct deployment *d, const struct description *found,
    const struct cost *day)
{
	struct str problem = problem_of(d, found);
	/* Who can be asked without a key lacks none. */
	bool missing = !d->key_set && d->key_variable.n > 0 && problem.n > 0;
	struct buf b = BUF_INIT(65536);

	table_add(t, d->front.model_name, NULL);
	report_add_short_id(&b, d->front.id);
	table_add(t, buf_str(&b), NULL);
	table_add(t, d->front.provider, NULL);
	table_add(t, d->front.mode, NULL);
	buf_reset(&b);
	add_key(&b, d, missing);
	table_add(t, buf_str(&b), missing ? "\033[1;31m" : NULL);
	buf_reset(&b);
	buf_addf(&b, "%.0f", day->tokens_in + day->tokens_out);
	table_add(t, buf_str(&b), NULL);
	buf_reset(&b);
	cost_money(&b, day);
	table_add(t, buf_str(&b), NULL);
	buf_reset(&b);
	if (problem.n) {
		buf_add_text(&b, "cannot be asked: ");
		buf_add_str(&b, report_plain_error(problem));
	} else if (d->front.depends.n > 0) {
		buf_add_text(&b, "nobody: it follows from ");
		for (size_t i = 0; i < d->front.depends.n; i++) {
			buf_add_text(&b, i ? ", " : "");
			buf_add_str(&b, d->front.depends.v[i].value);
		}
	} else {
		buf_addf(
		    &b, "%s %s", found->method ? found->method : "", found->url ? found->url : "");
		if (d->front.flags & DEPLOYMENT_DISABLED)
			buf_add_text(&b, "  (disabled in the background)");
	}
	table_add(t, buf_str(&b), problem.n ? "\033[1;31m" : NULL);
	buf_clear(&b);
}

static void
render_text(struct validate *v, struct buf *b)
{
	struct table *t = table_new(columns, ARRAY_LEN(columns));
	size_t errors = problems_errors(v->problems), bad = 0, before = b->len;
	size_t mistakes = errors + problems_deployments(v->problems);

	for (size_t i = 0; i < v->plan.n_chosen; i++) {
		bool wrong = problem_of(v->plan.chosen[i], &v->found[i]).n > 0;
		struct cost day = day_of(v, i);

		bad += wrong;
		if (wrong || !v->cli->quiet)
			add_row(t, v->plan.chosen[i], &v->found[i], &day);
	}
	table_render(t, terminal_width(STDOUT_FILENO),
	    terminal_wants_color(v->cli->color, STDOUT_FILENO), b);
	table_free(t);
	if (b->len > before)
		buf_add_char(b, '\n');
	before = b->len;
	format_problems(v->problems, -1, b);
	if (b->len > before)
		buf_add_char(b, '\n');
	if (errors)
		buf_addf(b, "The config cannot be used: %zu mistake%s.\n", mistakes,
		    mistakes == 1 ? "" : "s");
	else {
		const struct settings *set = &v->plan.config->settings;
		struct cost sum = day_of_all(v);

		cost_sentence(b, &sum);
		if (cost_witnesses(set) > 1)
			buf_addf(b,
			    "That is with %lld witnesses of the quorum%s.\n",
			    (long long)cost_witnesses(set),
			    set->num[SETTING_REDIS_WITNESSES]
				? ""
				: "; more instances are more (llmhealth.redis.witnesses)");
		buf_addf(b,
		    "%zu deployment%s: %zu can be asked, %zu cannot. No request was made.\n",
		    v->plan.n_chosen, v->plan.n_chosen == 1 ? "" : "s", v->plan.n_chosen - bad,
		    bad);
	}
}

static void
clear_found(struct validate *v)
{
	for (size_t i = 0; v->found && i < v->plan.n_chosen; i++) {
		free(v->found[i].method);
		free(v->found[i].url);
		free(v->found[i].error);
	}
	free(v->found);
	v->found = NULL;
}

int
command_validate(const struct cli *cli)
{
	struct validate v = { .cli = cli, .problems = problems_new() };
	struct handles *handles = handles_new();
	struct buf why = BUF_INIT(65536), out = BUF_INIT(OUTPUT_MAX);
	int status = EXITCODE_OK;

	if (plan_load(cli, handles, v.problems, &v.plan, &why) < 0) {
		status = EXITCODE_USAGE;
		if (why.len) {
			complain("%s", buf_text(&why));
			goto out;
		}
	} else {
		v.found = xcalloc(v.plan.n_chosen + 1, sizeof(*v.found));
		for (size_t i = 0; i < v.plan.n_chosen; i++)
			v.found[i].handle = conf_handle(v.plan.conf, i);
		v.waiting = v.plan.n_askable;
		if (v.waiting > 0)
			status = describe(&v);
	}
	if (status != EXITCODE_OK && status != EXITCODE_USAGE)
		goto out;
	if (cli->format == REPORT_JSON)
		render_json(&v, &out);
	else
		render_text(&v, &out);
	if (!buf_ok(&out) || !write_all(STDOUT_FILENO, buf_str(&out))) {
		complain("cannot write the answer");
		status = EXITCODE_CANNOT_RUN;
	} else if (problems_errors(v.problems) || problems_deployments(v.problems))
		status = EXITCODE_USAGE;
out:
	clear_found(&v);
	plan_clear(&v.plan);
	problems_free(v.problems);
	handles_free(handles);
	buf_clear(&why);
	buf_clear(&out);
	return status;
}
