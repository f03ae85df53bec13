/* SPDX-License-Identifier: Apache-2.0 */
/* `llmhealth serve`: the daemon's start, its reloads, what it tells systemd. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/exitcode.h"
#include "shared/log.h"
#include "supervisor/commands.h"
#include "supervisor/house.h"
#include "supervisor/listen.h"
#include "supervisor/notify.h"
#include "supervisor/plan.h"

#define LISTENERS_MAX 16
#define LARGE_BLOCK (256 << 10)

/* Read at the start only. */
static const enum setting fixed_settings[] = { SETTING_LISTEN, SETTING_USER, SETTING_STATE_FILE,
	SETTING_LOG_LEVEL, SETTING_LOG_FORMAT };

struct serve {
	const struct cli *cli;
	struct handles *handles;
	struct conf *conf; /* the last that was given to the house, held */
	struct house_config config;
	struct house *house;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	char *state_path, *user;
	/* What needs a new start when it changes. */
	char *fixed[ARRAY_LEN(fixed_settings)];
	bool ready;
	int64_t began_ms; /* of the start or the reload */
};

static void
log_problems(struct problems *p, enum log_level error_level)
{
	struct buf line = BUF_INIT(65536);

	for (size_t i = 0; i < problems_count(p); i++) {
		const struct problem *one = problems_at(p, i);

		buf_reset(&line);
		problem_format(one, &line);
		log_event(one->severity == PROBLEM_ERROR ? error_level : LOG_LEVEL_WARNING,
		    "config", LV("found", buf_str(&line)));
	}
	buf_clear(&line);
}

static void
tell_status(const struct serve *s, const char *state)
{
	struct buf b = BUF_INIT(4096), url = BUF_INIT(512);

	if (s->n_listeners)
		listener_url(&s->listeners[0], &url);
	buf_addf(&b, "%sSTATUS=watching %zu deployments, serving %s", state, conf_size(s->conf),
	    buf_text(&url));
	notify_send(buf_text(&b));
	buf_clear(&b);
	buf_clear(&url);
}

static void
on_settled(void *arg)
{
	struct serve *s = arg;
	int64_t took_ms = clock_mono_ms() - s->began_ms;
	struct buf url = BUF_INIT(512);

	tell_status(s, "READY=1\n");
	if (s->ready) {
		log_event(LOG_LEVEL_NOTICE, "reloaded", LI("deployments", conf_size(s->conf)),
		    LI("took_ms", took_ms));
		return;
	}
	s->ready = true;
	for (size_t i = 0; i < s->n_listeners; i++) {
		buf_reset(&url);
		listener_url(&s->listeners[i], &url);
		log_event(LOG_LEVEL_NOTICE, "serving", LV("url", buf_str(&url)),
		    LI("deployments", conf_size(s->conf)), LI("workers", s->config.workers),
		    LI("took_ms", took_ms));
	}
	buf_clear(&url);
}

static void
on_stopping(void *arg)
{
	notify_send("STOPPING=1");
}

static void
compare_fixed(const struct serve *s, const struct settings *now)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed_settings); i++)
		if (strcmp(s->fixed[i], now->text[fixed_settings[i]]) != 0)
			log_event(LOG_LEVEL_WARNING, "setting_needs_restart",
			    LS("setting", setting_row(fixed_settings[i])->path),
			    LS("why",
				"it is read at the start only; the old value stays in force"));
}

static bool
is_same_config(const struct house_config *a, const struct house_config *b)
{
	return a->workers == b->workers && a->grace_ms == b->grace_ms && a->drain_ms == b->drain_ms;
}

static void
bring_into_force(struct serve *s, struct plan *plan)
{
	struct conf_difference w = conf_compare(plan->conf, s->conf, ROLE_W);
	struct conf_difference f = conf_compare(plan->conf, s->conf, ROLE_F);

	log_event(LOG_LEVEL_NOTICE, "reload", LI("added", f.added),
	    LI("changed", f.changed > w.changed ? f.changed : w.changed), LI("removed", f.removed),
	    LI("same", f.same));
	if (w.added + w.changed + w.removed + f.added + f.changed + f.removed == 0 &&
	    conf_same_settings(plan->conf, s->conf) && is_same_config(&plan->house, &s->config)) {
		tell_status(s, "READY=1\n");
		return;
	}
	conf_free(s->conf);
	s->conf = conf_hold(plan->conf);
	s->config = plan->house;
	house_configure(s->house, s->conf, &s->config);
}

/* Without a key everybody who can connect is let in: that has to be wanted. */
static int
check_key(const struct settings *settings, bool has_key, struct str address, struct buf *why)
{
	struct listen_address a;
	int rc = listen_parse(address, &a, why);

	if (rc < 0 || has_key || settings->num[SETTING_PERMIT_UNSET_KEY] || listen_is_loopback(&a))
		return rc;
	buf_addf(why,
	    "will not listen on %.*s without a key: anybody who can connect could read everything; "
	    "set "
	    "general_settings.master_key or LITELLM_MASTER_KEY, listen on 127.0.0.1, or set "
	    "general_settings.dangerously_permit_weak_or_unset_master_key: true",
	    (int)address.n, address.p);
	return ERR_DENIED;
}

/* The addresses stay; whether they may be served with the new config has to be asked again. */
static int
check_keys(const struct serve *s, const struct plan *plan, struct buf *why)
{
	int rc = 0;

	for (size_t i = 0; i < s->n_listeners && rc == 0; i++)
		rc = check_key(
		    &plan->config->settings, plan->has_key, str_of(s->listeners[i].address), why);
	return rc;
}

static void
on_reload(void *arg)
{
	struct serve *s = arg;
	struct problems *problems = problems_new();
	struct buf why = BUF_INIT(65536);
	struct plan plan;
	int rc;

	notify_reloading();
	s->began_ms = clock_mono_ms();
	rc = plan_load(s->cli, s->handles, problems, &plan, &why);
	if (rc == 0) {
		rc = check_keys(s, &plan, &why);
		if (rc < 0)
			plan_clear(&plan);
	}
	if (rc < 0) {
		log_problems(problems, LOG_LEVEL_ERROR);
		log_event(LOG_LEVEL_ERROR, "reload_refused",
		    LS("why", why.len ? buf_text(&why)
				      : "the config has mistakes; the old one stays in force"));
		tell_status(s, "READY=1\n");
	} else {
		log_problems(problems, LOG_LEVEL_ERROR);
		compare_fixed(s, &plan.config->settings);
		bring_into_force(s, &plan);
		plan_clear(&plan);
		(void)malloc_trim(0);
	}
	problems_free(problems);
	buf_clear(&why);
}

/* The path that the front saves to: the setting, else systemd's state folder. */
static char *
find_state_path(const struct settings *settings)
{
	const char *folder = getenv("STATE_DIRECTORY");
	struct buf b = BUF_INIT(8192);

	if (settings->text[SETTING_STATE_FILE][0])
		return xstrdup(settings->text[SETTING_STATE_FILE]);
	if (folder && folder[0]) {
		/* Of several, systemd joins the names with colons. */
		buf_add(&b, folder, strcspn(folder, ":"));
		buf_add_text(&b, "/state");
	}
	return buf_take(&b);
}

static int
open_listeners(struct serve *s, const struct settings *settings, bool has_key)
{
	struct buf why = BUF_INIT(1024);
	struct str item;
	int status = EXITCODE_OK;

	for (size_t i = 0; settings_list_item(settings, SETTING_LISTEN, i, &item); i++)
		if (check_key(settings, has_key, item, &why) < 0) {
			complain("%s", buf_text(&why));
			buf_clear(&why);
			return EXITCODE_USAGE;
		}
	for (size_t i = 0; settings_list_item(settings, SETTING_LISTEN, i, &item); i++) {
		if (s->n_listeners == LISTENERS_MAX) {
			complain("more than %d addresses to listen on", LISTENERS_MAX);
			return EXITCODE_USAGE;
		}
		if (listener_open(&s->listeners[s->n_listeners], item, &why) < 0) {
			complain("%s", buf_text(&why));
			status = EXITCODE_START;
			break;
		}
		s->n_listeners++;
	}
	if (status == EXITCODE_OK && s->n_listeners == 0) {
		complain("there is no address to serve on: set llmhealth.listen or --listen");
		status = EXITCODE_USAGE;
	}
	buf_clear(&why);
	return status;
}

static void
start_log(const struct cli *cli, const struct settings *settings, struct house_options *options)
{
	int level = log_level_parse(str_of(settings->text[SETTING_LOG_LEVEL]));
	int format = log_format_parse(str_of(settings->text[SETTING_LOG_FORMAT]));

	options->log_level = cli->verbose ? LOG_LEVEL_DEBUG : level < 0 ? LOG_LEVEL_INFO : level;
	options->log_format = format < 0 ? LOG_FORMAT_TEXT : format;
	log_init(
	    "llmhealth", (enum log_format)options->log_format, (enum log_level)options->log_level);
}

static int
run(struct serve *s, struct plan *plan, struct problems *problems)
{
	const struct house_events events = {
		.settled = on_settled, .reload = on_reload, .stopping = on_stopping
	};
	const struct settings *settings = &plan->config->settings;
	struct house_options options = { .kind = HOUSE_SERVE };
	struct buf why = BUF_INIT(8192);
	sigset_t stops;
	int status;

	status = open_listeners(s, settings, plan->has_key);
	if (status != EXITCODE_OK)
		return status;
	start_log(s->cli, settings, &options);
	log_problems(problems, LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_LEN(fixed_settings); i++)
		s->fixed[i] = xstrdup(settings->text[fixed_settings[i]]);
	s->state_path = find_state_path(settings);
	s->user = xstrdup(settings->text[SETTING_USER]);
	options.user = s->user;
	options.state_path = s->state_path;
	options.listeners = s->listeners;
	options.n_listeners = s->n_listeners;
	if (house_new(&options, &events, s, &s->house, &why) < 0) {
		complain("%s", buf_text(&why));
		buf_clear(&why);
		return EXITCODE_START;
	}
	s->conf = conf_hold(plan->conf);
	s->config = plan->house;
	plan_clear(plan); /* the keys are needed packed only */
	(void)malloc_trim(0);
	/* A large block goes back to the system when it is freed, also after the first such one. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	house_configure(s->house, s->conf, &s->config);
	status = house_run(s->house);
	log_event(LOG_LEVEL_NOTICE, "stopped", LI("exit_status", status));
	/* A second one must not kill us between the end of the handlers and the exit. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &stops, NULL);
	house_free(s->house);
	buf_clear(&why);
	return status;
}

int
command_serve(const struct cli *cli)
{
	struct serve s = { .cli = cli, .handles = handles_new(), .began_ms = clock_mono_ms() };
	struct problems *problems = problems_new();
	struct buf why = BUF_INIT(65536);
	struct plan plan;
	int status = EXITCODE_USAGE;

	/* One that comes before the loop runs asks for what is being read anyway. */
	signal(SIGHUP, SIG_IGN);
	if (plan_load(cli, s.handles, problems, &plan, &why) < 0) {
		print_problems(problems, -1);
		if (why.len)
			complain("%s", buf_text(&why));
	} else
		status = run(&s, &plan, problems);
	for (size_t i = 0; i < s.n_listeners; i++)
		listener_close(&s.listeners[i]);
	plan_clear(&plan);
	conf_free(s.conf);
	handles_free(s.handles);
	free(s.state_path);
	free(s.user);
	for (size_t i = 0; i < ARRAY_LEN(s.fixed); i++)
		free(s.fixed[i]);
	problems_free(problems);
	buf_clear(&why);
	return status;
}
