/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options are a table: what is accepted, what each command's help says, and what is suggested for a
 * misspelt one all come from it.
 */
#include "supervisor/cli.h"

#include <stdlib.h>
#include <string.h>

#include "shared/mode.h"

#define CHECK (1u << COMMAND_CHECK)
#define SERVE (1u << COMMAND_SERVE)
#define VALIDATE (1u << COMMAND_VALIDATE)

enum option {
	OPTION_JSON,
	OPTION_FORMAT,
	OPTION_MODEL,
	OPTION_ID,
	OPTION_MODE,
	OPTION_CONCURRENCY,
	OPTION_TIMEOUT,
	OPTION_WORKERS,
	OPTION_LISTEN,
	OPTION_COLOR,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option_row {
	enum option id;
	const char *name;
	char letter;	   /* 0: none */
	const char *value; /* what its value is; NULL: takes none */
	unsigned commands;
	const char *text; /* lines separated by \n */
} options[] = {
	{ OPTION_JSON, "json", 0, NULL, CHECK | VALIDATE,
	    "print JSON; for check the body that GET /health gives" },
	{ OPTION_FORMAT, "format", 0, "FORMAT", CHECK,
	    "table (the default), json, junit, tap, or github for\nannotations of a workflow" },
	{ OPTION_MODEL, "model", 'm', "NAME", CHECK | VALIDATE,
	    "only the deployments of this model group (model_name),\nor with this "
	    "litellm_params.model; may be repeated" },
	{ OPTION_ID, "id", 'i', "ID", CHECK | VALIDATE,
	    "only the deployment with this id, or the only one whose id\nbegins so; may be "
	    "repeated" },
	{ OPTION_MODE, "mode", 0, "MODE", CHECK | VALIDATE,
	    "only deployments of this mode (chat, embedding, ...);\nmay be repeated" },
	{ OPTION_CONCURRENCY, "concurrency", 'c', "N", CHECK | SERVE,
	    "probes in flight at most, instead of\nhealth_check_concurrency" },
	{ OPTION_TIMEOUT, "timeout", 't', "TIME", CHECK,
	    "the longest that one probe may take, instead of each\ndeployment's "
	    "health_check_timeout: 5, 5s, 500ms, 2m" },
	{ OPTION_WORKERS, "workers", 'w', "N", CHECK | SERVE,
	    "worker processes, instead of llmhealth.workers" },
	{ OPTION_LISTEN, "listen", 'l', "ADDRESS", SERVE,
	    "serve HTTP here instead of llmhealth.listen: host:port,\n[v6]:port or unix:/path; may "
	    "be repeated" },
	{ OPTION_COLOR, "color", 0, "WHEN", CHECK | VALIDATE,
	    "auto (the default: on a terminal, unless NO_COLOR is set),\nalways or never" },
	{ OPTION_QUIET, "quiet", 'q', NULL, CHECK | VALIDATE,
	    "no progress, and of a table only what is wrong" },
	{ OPTION_VERBOSE, "verbose", 'v', NULL, CHECK | VALIDATE | SERVE,
	    "log what the processes do" },
	{ OPTION_HELP, "help", 'h', NULL, CHECK | SERVE | VALIDATE, "this text" },
	{ OPTION_VERSION, "version", 'V', NULL, 0, "" },
};

static const struct command_row {
	enum command command;
	const char *name, *usage, *summary, *text, *examples;
} commands[] = {
	{ COMMAND_CHECK, "check", "llmhealth check [options] CONFIG",
	    "ask every deployment once and show which ones work",
	    "Reads the LiteLLM config CONFIG, asks each deployment the smallest question that "
	    "proves\n"
	    "it works, and prints a table. The exit status says whether all of them are healthy.\n",
	    "  llmhealth check config.yaml                   a table of the whole fleet\n"
	    "  llmhealth check config.yaml --model gpt-4o    one model group\n"
	    "  llmhealth check config.yaml --json | jq '.unhealthy_endpoints[].model_name'\n"
	    "  llmhealth check config.yaml --format junit > health.xml\n" },
	{ COMMAND_SERVE, "serve", "llmhealth serve [options] CONFIG",
	    "keep checking, and answer GET /health",
	    "Checks the fleet of the LiteLLM config CONFIG all the time and serves LiteLLM's "
	    "/health\n"
	    "routes. Stays in the foreground and logs to standard error. SIGHUP reads the config\n"
	    "again (a broken one changes nothing), SIGTERM drains and ends, a second one ends at "
	    "once.\n",
	    "  llmhealth serve config.yaml                   on http://127.0.0.1:4001\n"
	    "  llmhealth serve config.yaml --listen 0.0.0.0:8080 --listen "
	    "unix:/run/llmhealth.sock\n"
	    "  curl http://127.0.0.1:4001/health -H 'Authorization: Bearer sk-...'\n" },
	{ COMMAND_VALIDATE, "validate", "llmhealth validate [options] CONFIG",
	    "show what would be asked, without asking",
	    "Reads the LiteLLM config CONFIG and shows for each deployment which URL would be "
	    "asked and\n"
	    "whether its key is there, then everything that is wrong as file:line:column. Makes "
	    "no\n"
	    "request, shows no key.\n",
	    "  llmhealth validate config.yaml\n"
	    "  llmhealth validate config.yaml --json | jq '.problems'\n" },
	{ COMMAND_HELP, "help", "llmhealth help [COMMAND]", "explain a command", "", "" },
	{ COMMAND_VERSION, "version", "llmhealth version", "print the version", "", "" },
};

static const char exit_text_check[] = "Exit status:\n"
				      "  0  all deployments that were asked are healthy\n"
				      "  1  at least one is unhealthy\n"
				      "  2  wrong command line, or a mistake in the config\n"
				      "  3  the check could not be run, or was interrupted\n"
				      "  4  a part of the program is missing or may not be run\n";
static const char exit_text_serve[] =
    "Exit status:\n"
    "  0  stopped by SIGTERM or SIGINT\n"
    "  2  wrong command line, or a mistake in the config\n"
    "  3  could not run: no memory, or a process that keeps dying\n"
    "  4  could not start: address taken, no permission, no such user\n";
static const char exit_text_validate[] =
    "Exit status:\n"
    "  0  everything can be asked\n"
    "  2  wrong command line, or a mistake in the config or in a deployment\n"
    "  3  could not run\n"
    "  4  a part of the program is missing or may not be run\n";

static const char *
command_name(enum command command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].command == command)
			return commands[i].name;
	return "llmhealth";
}

/* Edits that turn a into b (Levenshtein), for short texts; anything longer is far away. */
static unsigned
distance(const char *a, size_t na, const char *b)
{
	size_t nb = strlen(b);
	unsigned row[64];

	if (na >= ARRAY_LEN(row) || nb >= ARRAY_LEN(row))
		return 1000;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned replace = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			if (replace < row[j])
				row[j] = replace;
		}
	}
	return row[nb];
}

static bool
is_near(const char *a, size_t na, const char *b, unsigned *best)
{
	unsigned d = distance(a, na, b);
	bool begins = na >= 2 && strncmp(a, b, na) == 0;

	if (begins)
		d = 1;
	if (d >= *best || d > (strlen(b) <= 4 ? 1u : 2u) + (na > 8))
		return false;
	*best = d;
	return true;
}

static void
suggest_option(unsigned command, const char *name, size_t n, struct buf *why)
{
	const char *found = NULL;
	unsigned best = 1000;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if ((options[i].commands & command) && is_near(name, n, options[i].name, &best))
			found = options[i].name;
	if (found)
		buf_addf(why, "; did you mean --%s?", found);
}

static int
add_item(struct cli_list *l, const char *value)
{
	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = value;
	return 0;
}

static int
check_setting(enum setting setting, const struct option_row *o, const char *value, struct buf *why)
{
	struct buf expected = BUF_INIT(512);
	struct settings s;
	int rc;

	settings_init(&s);
	rc = settings_set(&s, setting, str_of(value), &expected);
	if (rc < 0)
		buf_addf(why, "--%s %s: expected %s", o->name, value, buf_text(&expected));
	settings_clear(&s);
	buf_clear(&expected);
	return rc < 0 ? ERR_INVALID : 0;
}

static int
set_format(struct cli *cli, const char *value, struct buf *why)
{
	int format = report_format_parse(str_of(value));
	unsigned best = 1000;
	const char *found = NULL;

	if (format >= 0) {
		cli->format = (enum report_format)format;
		return 0;
	}
	buf_addf(why, "--format %s: expected table, json, junit, tap or github", value);
	for (int i = 0; i < REPORT_FORMATS; i++)
		if (is_near(value, strlen(value), report_format_name((enum report_format)i), &best))
			found = report_format_name((enum report_format)i);
	if (found)
		buf_addf(why, "; did you mean %s?", found);
	return ERR_INVALID;
}

static int
set_mode(struct cli *cli, const char *value, struct buf *why)
{
	unsigned best = 1000;
	const char *found = NULL;

	if (mode_parse(str_of(value)) >= 0)
		return add_item(&cli->modes, value);
	buf_addf(why, "--mode %s: there is no such mode", value);
	for (int i = 0; i < MODE_COUNT; i++)
		if (is_near(value, strlen(value), mode_name((enum mode)i), &best))
			found = mode_name((enum mode)i);
	if (found) {
		buf_addf(why, "; did you mean %s?", found);
		return ERR_INVALID;
	}
	for (int i = 0; i < MODE_COUNT; i++)
		buf_addf(why, "%s%s", i ? ", " : "; expected one of ", mode_name((enum mode)i));
	return ERR_INVALID;
}

static int
set_color(struct cli *cli, const char *value, struct buf *why)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(value, names[i]) == 0) {
			cli->color = (enum color_when)i;
			return 0;
		}
	buf_addf(why, "--color %s: expected auto, always or never", value);
	return ERR_INVALID;
}

static int
set_timeout(struct cli *cli, const char *value, struct buf *why)
{
	if (duration_parse(str_of(value), &cli->timeout_ms) == 0 && cli->timeout_ms >= 1 &&
	    cli->timeout_ms <= 86400000)
		return 0;
	buf_addf(
	    why, "--timeout %s: expected a time from 1ms to 24h, like 5, 5s, 500ms or 2m", value);
	return ERR_INVALID;
}

static int
set_option(struct cli *cli, const struct option_row *o, const char *value, struct buf *why)
{
	switch (o->id) {
	case OPTION_JSON:
		cli->format = REPORT_JSON;
		return 0;
	case OPTION_FORMAT:
		return set_format(cli, value, why);
	case OPTION_MODEL:
		return add_item(&cli->models, value);
	case OPTION_ID:
		return add_item(&cli->ids, value);
	case OPTION_MODE:
		return set_mode(cli, value, why);
	case OPTION_CONCURRENCY:
		cli->concurrency = value;
		if (strcmp(value, "0") == 0) {
			buf_add_text(why, "--concurrency 0: expected a number from 1 to 100000");
			return ERR_INVALID;
		}
		return check_setting(SETTING_CONCURRENCY, o, value, why);
	case OPTION_TIMEOUT:
		return set_timeout(cli, value, why);
	case OPTION_WORKERS:
		cli->workers = value;
		return check_setting(SETTING_WORKERS, o, value, why);
	case OPTION_LISTEN:
		return add_item(&cli->listen, value);
	case OPTION_COLOR:
		return set_color(cli, value, why);
	case OPTION_QUIET:
		cli->quiet = true;
		return 0;
	case OPTION_VERBOSE:
		cli->verbose = true;
		return 0;
	case OPTION_HELP:
		cli->topic = cli->command;
		cli->command = COMMAND_HELP;
		return 0;
	case OPTION_VERSION:
	default:
		return 0;
	}
}

/* The option's row, or NULL with the reason. */
static const struct option_row *
find_option(enum command command, const char *name, size_t n, bool letter, struct buf *why)
{
	const struct option_row *elsewhere = NULL;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option_row *o = &options[i];

		if (letter ? o->letter != *name
			   : strlen(o->name) != n || strncmp(o->name, name, n) != 0)
			continue;
		if (o->commands & 1u << command)
			return o;
		elsewhere = o;
	}
	buf_addf(why, "%s has no option %s%.*s", command_name(command), letter ? "-" : "--", (int)n,
	    name);
	if (elsewhere && elsewhere->commands) {
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			if (elsewhere->commands & 1u << commands[i].command) {
				buf_addf(why, "; it is one of %s", commands[i].name);
				break;
			}
	} else if (!letter)
		suggest_option(1u << command, name, n, why);
	buf_addf(why, " (see llmhealth %s --help)", command_name(command));
	return NULL;
}

/* One argument that begins with `-`. *at moves on when the value is the next argument. */
static int
parse_option(struct cli *cli, enum command command, int argc, char **argv, int *at, struct buf *why)
{
	const char *arg = argv[*at];
	const struct option_row *o;
	const char *value = NULL, *equals;
	size_t n;
	int rc;

	if (arg[1] != '-') {
		for (const char *p = arg + 1; *p; p++) {
			o = find_option(command, p, 1, true, why);
			if (o == NULL)
				return ERR_INVALID;
			if (o->value == NULL) {
				rc = set_option(cli, o, NULL, why);
				if (rc < 0)
					return rc;
				continue;
			}
			value = p[1] ? p + 1 : NULL;
			goto with_value;
		}
		return 0;
	}
	equals = strchr(arg, '=');
	n = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
	o = find_option(command, arg + 2, n, false, why);
	if (o == NULL)
		return ERR_INVALID;
	value = equals ? equals + 1 : NULL;
	if (o->value == NULL) {
		if (value) {
			buf_addf(why, "--%s takes no value", o->name);
			return ERR_INVALID;
		}
		return set_option(cli, o, NULL, why);
	}
with_value:
	if (value == NULL && *at + 1 < argc)
		value = argv[++*at];
	if (value == NULL || value[0] == '\0') {
		buf_addf(why, "--%s needs a value: --%s %s", o->name, o->name, o->value);
		return ERR_INVALID;
	}
	return set_option(cli, o, value, why);
}

static bool
looks_like_file(const char *arg)
{
	size_t n = strlen(arg);

	return strchr(arg, '/') || (n > 5 && strcmp(arg + n - 5, ".yaml") == 0) ||
	       (n > 4 && strcmp(arg + n - 4, ".yml") == 0);
}

static int
find_command(const char *arg, enum command *command, struct buf *why)
{
	const char *found = NULL;
	unsigned best = 1000;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(arg, commands[i].name) == 0) {
			*command = commands[i].command;
			return 0;
		}
		if (is_near(arg, strlen(arg), commands[i].name, &best))
			found = commands[i].name;
	}
	if (arg[0] == '-')
		buf_addf(why, "the first argument is a command, not the option %s", arg);
	else
		buf_addf(why, "there is no command '%s'", arg);
	if (found)
		buf_addf(why, "; did you mean '%s'?", found);
	else if (looks_like_file(arg))
		buf_addf(why, "; to check that config: llmhealth check %s", arg);
	else
		buf_add_text(why, " (see llmhealth --help)");
	return ERR_INVALID;
}

int
cli_parse(int argc, char **argv, struct cli *cli, struct buf *why)
{
	bool only_arguments = false;
	enum command command;
	int rc;

	*cli = (struct cli){ .command = COMMAND_NONE };
	if (argc < 2) {
		cli->command = COMMAND_HELP;
		buf_add_text(why, "no command given");
		return ERR_INVALID;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		cli->command = COMMAND_HELP;
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		cli->command = COMMAND_VERSION;
		return 0;
	}
	rc = find_command(argv[1], &command, why);
	if (rc < 0)
		return rc;
	cli->command = command;
	if (command == COMMAND_HELP)
		return argc > 2 ? find_command(argv[2], &cli->topic, why) : 0;
	if (command == COMMAND_VERSION)
		return 0;
	for (int i = 2; i < argc; i++) {
		if (!only_arguments && strcmp(argv[i], "--") == 0) {
			only_arguments = true;
		} else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
			rc = parse_option(cli, command, argc, argv, &i, why);
			if (rc < 0)
				return rc;
			if (cli->command == COMMAND_HELP)
				return 0;
		} else if (cli->config) {
			buf_addf(why, "%s takes one config file; found '%s' and '%s'",
			    command_name(command), cli->config, argv[i]);
			return ERR_INVALID;
		} else
			cli->config = argv[i];
	}
	if (cli->config == NULL || cli->config[0] == '\0') {
		buf_addf(why, "%s needs a config file: llmhealth %s config.yaml",
		    command_name(command), command_name(command));
		return ERR_INVALID;
	}
	return 0;
}

void
cli_clear(struct cli *cli)
{
	free(cli->models.v);
	free(cli->ids.v);
	free(cli->modes.v);
	free(cli->listen.v);
	*cli = (struct cli){ .command = COMMAND_NONE };
}

static void
help_options(enum command command, struct buf *b)
{
	buf_add_text(b, "Options:\n");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option_row *o = &options[i];
		const char *line = o->text;
		size_t start = b->len;

		if (!(o->commands & 1u << command))
			continue;
		if (o->letter)
			buf_addf(b, "  -%c, ", o->letter);
		else
			buf_add_text(b, "      ");
		buf_addf(b, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
		while (*line) {
			size_t n = strcspn(line, "\n");

			do
				buf_add_char(b, ' ');
			while (b->len - start < 26);
			buf_add(b, line, n);
			buf_add_char(b, '\n');
			start = b->len;
			line += n + (line[n] == '\n');
		}
	}
}

static void
help_overview(struct buf *b)
{
	buf_add_text(b, "llmhealth tells which deployments of an LLM gateway (LiteLLM) can serve a "
			"request right now.\n\n"
			"Usage: llmhealth COMMAND [options] CONFIG\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_addf(b, "  %-10s%s\n", commands[i].name, commands[i].summary);
	buf_add_text(b,
	    "\nCONFIG is LiteLLM's config.yaml. Keys are read where LiteLLM reads them: in the "
	    "file, or in\n"
	    "the environment by os.environ/NAME. Our own settings are in its section "
	    "llmhealth:.\n\n"
	    "Begin here:\n"
	    "  llmhealth validate config.yaml    what would be asked? (asks nothing)\n"
	    "  llmhealth check config.yaml       what works?\n"
	    "  llmhealth serve config.yaml       watch it, on http://127.0.0.1:4001/health\n\n"
	    "Exit status: 0 all healthy, 1 some unhealthy, 2 usage or config error, 3 could not "
	    "run,\n"
	    "4 could not start. More: llmhealth COMMAND --help, man llmhealth\n");
}

void
cli_help(enum command topic, struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command_row *c = &commands[i];

		if (c->command != topic)
			continue;
		buf_addf(b, "Usage: %s\n\n", c->usage);
		if (topic == COMMAND_HELP || topic == COMMAND_VERSION) {
			buf_addf(b, "Does this: %s.\n", c->summary);
			return;
		}
		buf_addf(b, "%s\n", c->text);
		help_options(topic, b);
		buf_addf(b, "\nExamples:\n%s\n", c->examples);
		buf_add_text(b, topic == COMMAND_CHECK	 ? exit_text_check
				: topic == COMMAND_SERVE ? exit_text_serve
							 : exit_text_validate);
		return;
	}
	help_overview(b);
}

void
cli_version(struct buf *b)
{
	buf_add_text(b, "llmhealth " PACKAGE_VERSION "\n");
}
