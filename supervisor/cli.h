/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what was asked for, and the help that teaches how to ask. Opens no file.
 */
#ifndef SUPERVISOR_CLI_H
#define SUPERVISOR_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/settings.h"
#include "supervisor/report.h"
#include "supervisor/terminal.h"

enum command {
	COMMAND_NONE,
	COMMAND_CHECK,
	COMMAND_SERVE,
	COMMAND_VALIDATE,
	COMMAND_HELP,
	COMMAND_VERSION,
};

/* An option that may be given several times. All texts are argv's own. */
struct cli_list {
	const char **v;
	size_t n;
};

struct cli {
	enum command command;
	enum command topic; /* of COMMAND_HELP; COMMAND_NONE is the overview */
	const char *config;
	enum report_format format;
	enum color_when color;
	bool quiet, verbose;
	struct cli_list models, ids, modes, listen;
	const char *concurrency,
	    *workers;	    /* checked by their settings' rows; NULL when not given */
	int64_t timeout_ms; /* 0: not given */
};

/*
 * Reads argv. On ERR_INVALID *why is one line: what is wrong, by the option's name, and what may
 * have been meant. Release with cli_clear() either way.
 */
int cli_parse(int argc, char **argv, struct cli *cli, struct buf *why) MUST_CHECK;
void cli_clear(struct cli *cli);

/* Appends the help of a command, or the overview. */
void cli_help(enum command topic, struct buf *b);
/* Appends name, version and what it was built with. */
void cli_version(struct buf *b);

#endif
