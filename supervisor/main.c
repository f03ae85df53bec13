/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmhealth: the parent process and the command line. Holds the config and every secret, so it
 * reads nothing that a stranger wrote and reaches no network; its children do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/exitcode.h"
#include "shared/log.h"
#include "supervisor/commands.h"
#include "supervisor/notify.h"
#include "supervisor/terminal.h"

bool
write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		s.p += n;
		s.n -= (size_t)n;
	}
	return true;
}

void
complain(const char *fmt, ...)
{
	struct buf text = BUF_INIT(65536), line = BUF_INIT(524288);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	buf_add_text(&line, "llmhealth: ");
	terminal_add_clean(&line, buf_str(&text));
	buf_add_char(&line, '\n');
	(void)write_all(STDERR_FILENO, buf_str(&line));
	buf_clear(&text);
	buf_clear(&line);
}

void
format_problems(struct problems *p, int severity, struct buf *b)
{
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < problems_count(p); i++) {
		const struct problem *one = problems_at(p, i);

		if (severity >= 0 && (int)one->severity != severity)
			continue;
		buf_reset(&text);
		problem_format(one, &text);
		terminal_add_clean(b, buf_str(&text));
		buf_add_char(b, '\n');
	}
	if (severity < 0 && problems_dropped(p) > 0)
		buf_addf(b, "… and %zu more: only the first %d are shown\n", problems_dropped(p),
		    PROBLEMS_MAX);
	buf_clear(&text);
}

void
print_problems(struct problems *p, int severity)
{
	struct buf b = BUF_INIT((size_t)64 << 20);

	format_problems(p, severity, &b);
	(void)write_all(STDERR_FILENO, buf_str(&b));
	buf_clear(&b);
}

/* Standard descriptors that are closed would be given to a socket, and a log line be sent there. */
static void
hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The keys in this process are for nobody: no core file, no debugger of the same user. */
static void
hide(void)
{
	struct rlimit none = { 0, 0 };

#ifndef WITH_SANITIZERS /* the leak checker is a debugger of the same user */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	(void)setrlimit(RLIMIT_CORE, &none);
}

int
main(int argc, char **argv)
{
	struct buf text = BUF_INIT(1 << 20), why = BUF_INIT(65536);
	struct cli cli;
	int status;

	hold_standard_descriptors();
	hide();
	terminal_init();
	notify_init();
	log_init("llmhealth", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (cli_parse(argc, argv, &cli, &why) < 0) {
		complain("%s", buf_text(&why));
		if (cli.command == COMMAND_HELP && argc < 2) {
			cli_help(COMMAND_NONE, &text);
			(void)write_all(STDERR_FILENO, buf_str(&text));
		}
		status = EXITCODE_USAGE;
		goto out;
	}
	switch (cli.command) {
	case COMMAND_CHECK:
		status = command_check(&cli);
		break;
	case COMMAND_SERVE:
		status = command_serve(&cli);
		break;
	case COMMAND_VALIDATE:
		status = command_validate(&cli);
		break;
	case COMMAND_VERSION:
		cli_version(&text);
		status =
		    write_all(STDOUT_FILENO, buf_str(&text)) ? EXITCODE_OK : EXITCODE_CANNOT_RUN;
		break;
	case COMMAND_HELP:
	case COMMAND_NONE:
	default:
		cli_help(cli.topic, &text);
		status =
		    write_all(STDOUT_FILENO, buf_str(&text)) ? EXITCODE_OK : EXITCODE_CANNOT_RUN;
		break;
	}
out:
	cli_clear(&cli);
	buf_clear(&text);
	buf_clear(&why);
	return status;
}
