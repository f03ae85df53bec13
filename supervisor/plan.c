/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing and packing. What a config means is config's work; this is what the command line adds.
 */
#include "supervisor/plan.h"

#include <stdlib.h>
#include <unistd.h>

#include "shared/log.h"

/* One worker keeps up with this many deployments of one round; more of them would only take longer
 * to start. */
#define ROUND_PER_WORKER 200
#define WORKERS_AUTO_MAX 4

extern char **environ;

static bool
in_list(const struct cli_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_is(s, l->v[i]))
			return true;
	return false;
}

/* --id: the id itself, else the beginning of exactly one. */
static int
find_id(const struct config *c, const char *id, const struct deployment **found, struct buf *why)
{
	size_t begin = 0;

	*found = NULL;
	for (size_t i = 0; i < c->n_deployments; i++)
		if (str_is(c->deployments[i].front.id, id)) {
			*found = &c->deployments[i];
			return 0;
		}
	for (size_t i = 0; i < c->n_deployments; i++)
		if (str_starts(c->deployments[i].front.id, id)) {
			*found = &c->deployments[i];
			begin++;
		}
	if (begin == 1)
		return 0;
	if (begin > 1)
		buf_addf(why, "--id %s: %zu deployments have an id that begins so", id, begin);
	else
		buf_addf(why, "--id %s: no deployment has that id", id);
	return ERR_NOT_FOUND;
}

static bool
has_model(const struct deployment *d, const struct cli_list *models)
{
	return in_list(models, d->front.model_name) || in_list(models, d->front.model);
}

static int
check_models(const struct cli *cli, const struct config *c, struct buf *why)
{
	for (size_t i = 0; i < cli->models.n; i++) {
		struct cli_list one = { &cli->models.v[i], 1 };
		bool found = false;

		for (size_t j = 0; j < c->n_deployments && !found; j++)
			found = has_model(&c->deployments[j], &one);
		if (found)
			continue;
		buf_addf(why, "--model %s: no deployment has that model_name or model",
		    cli->models.v[i]);
		for (size_t j = 0, named = 0; j < c->n_deployments && named < 8; j++) {
			struct str name = c->deployments[j].front.model_name;

			if (j > 0 && str_eq(name, c->deployments[j - 1].front.model_name))
				continue;
			buf_addf(
			    why, "%s%.*s", named++ ? ", " : "; there are ", (int)name.n, name.p);
		}
		return ERR_NOT_FOUND;
	}
	return 0;
}

static bool
is_group_of(const struct deployment *router, const struct deployment *d)
{
	for (size_t i = 0; i < router->front.depends.n; i++)
		if (str_eq(router->front.depends.v[i].value, d->front.model_name))
			return true;
	return false;
}

/* The verdict of a router that is wanted follows from others, which are asked too then. */
static void
choose_members(const struct config *c, bool *wanted)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < c->n_deployments; i++)
			for (size_t k = 0; wanted[i] && c->deployments[i].front.depends.n > 0 &&
					   k < c->n_deployments;
			     k++)
				if (!wanted[k] && is_group_of(&c->deployments[i], &c->deployments[k]))
					wanted[k] = more = true;
	}
}

static int
choose(const struct cli *cli, struct plan *plan, struct buf *why)
{
	struct config *c = plan->config;
	const struct deployment **by_id = xcalloc(cli->ids.n + 1, sizeof(*by_id));
	bool *wanted = xcalloc(c->n_deployments + 1, sizeof(*wanted));
	int rc = check_models(cli, c, why);

	for (size_t i = 0; rc == 0 && i < cli->ids.n; i++)
		rc = find_id(c, cli->ids.v[i], &by_id[i], why);
	plan->chosen = xcalloc(c->n_deployments + 1, sizeof(struct deployment *));
	for (size_t i = 0; rc == 0 && i < c->n_deployments; i++) {
		struct deployment *d = &c->deployments[i];

		wanted[i] = cli->ids.n == 0;
		for (size_t j = 0; j < cli->ids.n && !wanted[i]; j++)
			wanted[i] = by_id[j] == d;
		if (cli->models.n && !has_model(d, &cli->models))
			wanted[i] = false;
		if (cli->modes.n && !in_list(&cli->modes, d->front.mode))
			wanted[i] = false;
	}
	if (rc == 0)
		choose_members(c, wanted);
	for (size_t i = 0; rc == 0 && i < c->n_deployments; i++) {
		if (!wanted[i])
			continue;
		plan->chosen[plan->n_chosen++] = &c->deployments[i];
		plan->n_askable += c->deployments[i].askable;
	}
	free(wanted);
	free(by_id);
	if (rc == 0 && plan->n_chosen == 0 && (cli->models.n || cli->ids.n || cli->modes.n)) {
		buf_addf(why,
		    "none of the %zu deployments of %s is what --model, --id and --mode ask for",
		    c->n_deployments, cli->config);
		rc = ERR_NOT_FOUND;
	}
	if (rc == 0 && plan->n_chosen == 0 && cli->command == COMMAND_CHECK) {
		buf_addf(why, "%s has no deployment to check: its model_list is empty or missing",
		    cli->config);
		rc = ERR_NOT_FOUND;
	}
	return rc;
}

static int
override_setting(struct settings *s, enum setting id, const char *value)
{
	return value ? settings_set(s, id, str_of(value), NULL) : 0;
}

static int
override(const struct cli *cli, struct plan *plan)
{
	struct settings *s = &plan->config->settings;
	struct buf listen = BUF_INIT(65536);
	int rc;

	rc = override_setting(s, SETTING_CONCURRENCY, cli->concurrency);
	if (rc == 0)
		rc = override_setting(s, SETTING_WORKERS, cli->workers);
	for (size_t i = 0; i < cli->listen.n; i++)
		buf_addf(&listen, "%s%s", i ? "\n" : "", cli->listen.v[i]);
	if (rc == 0 && cli->listen.n)
		rc = settings_set(s, SETTING_LISTEN, buf_str(&listen), NULL);
	buf_clear(&listen);
	for (size_t i = 0; cli->timeout_ms && i < plan->n_chosen; i++) {
		struct deployment *d = plan->chosen[i];

		d->front.timeout_ms = d->target.timeout_ms = (uint64_t)cli->timeout_ms;
		if (d->target.attempt_timeout_ms > (uint64_t)cli->timeout_ms)
			d->target.attempt_timeout_ms = 0;
	}
	return rc;
}

static unsigned
count_workers(const struct cli *cli, const struct plan *plan)
{
	int64_t n = plan->config->settings.num[SETTING_WORKERS];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cli->command == COMMAND_VALIDATE)
		return 1;
	if (n == 0) {
		n = cpus < 1 ? 1 : cpus;
		if (n > WORKERS_AUTO_MAX)
			n = WORKERS_AUTO_MAX;
		if (cli->command == COMMAND_CHECK &&
		    (size_t)n > plan->n_askable / ROUND_PER_WORKER + 1)
			n = (int64_t)(plan->n_askable / ROUND_PER_WORKER + 1);
	}
	return n > HOUSE_WORKERS_MAX ? HOUSE_WORKERS_MAX : (unsigned)n;
}

int
plan_load(const struct cli *cli, struct handles *handles, struct problems *problems,
    struct plan *plan, struct buf *why)
{
	int rc;

	*plan = (struct plan){ 0 };
	rc = config_load(cli->config, environ, problems, &plan->config);
	if (rc < 0)
		return rc;
	rc = choose(cli, plan, why);
	if (rc == 0)
		rc = override(cli, plan);
	if (rc < 0)
		goto out;
	plan->has_key = plan->config->has_key;
	for (size_t i = 0; i < plan->config->keys.n; i++)
		plan->has_key |= !str_starts(plan->config->keys.v[i].key, "drain ");
	plan->house = (struct house_config){
		.workers = count_workers(cli, plan),
		.grace_ms = plan->config->settings.num[SETTING_GRACE],
		.drain_ms = plan->config->settings.num[SETTING_DRAIN],
	};
	plan->conf = conf_new(&plan->config->settings, config_key_digest(plan->config), plan->config->keys);
	for (size_t i = 0; i < plan->n_chosen; i++) {
		const struct deployment *d = plan->chosen[i];

		rc = conf_add(plan->conf, handles, d->askable ? &d->target : NULL, &d->front);
		if (rc < 0) {
			struct mark mark = { cli->config, d->line, d->column };

			problem_error(
			    problems, mark, "the deployment cannot be used: %s", err_text(rc));
			goto out;
		}
	}
	return 0;
out:
	plan_clear(plan);
	return rc;
}

void
plan_clear(struct plan *plan)
{
	conf_free(plan->conf);
	config_free(plan->config);
	free(plan->chosen);
	*plan = (struct plan){ 0 };
}

void
plan_rows(const struct plan *plan, struct report *report)
{
	report_init(report, plan->n_chosen);
	for (size_t i = 0; i < plan->n_chosen; i++) {
		const struct deployment *d = plan->chosen[i];

		report->rows[i] = (struct report_row){
			.handle = conf_handle(plan->conf, i),
			.id = d->front.id,
			.model_name = d->front.model_name,
			.model = d->front.model,
			.provider = d->front.provider,
			.mode = d->front.mode,
			.file = d->file,
			.line = d->line,
			.disabled = (d->front.flags & DEPLOYMENT_DISABLED) != 0,
		};
	}
}
