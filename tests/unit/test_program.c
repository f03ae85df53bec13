/* SPDX-License-Identifier: Apache-2.0 */
/* Running a program: what it gets, what is said of how it ends, and that nobody is left behind. */
#include "workers/program.h"

#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "tests/unit/unit.h"

struct ended {
	struct event_base *base;
	struct buf words, out;
	int times;
};

static void
on_ended(const struct program_outcome *o, void *arg)
{
	struct ended *e = arg;

	buf_add_str(&e->words, o->words);
	buf_add_str(&e->out, o->out);
	e->times++;
	event_base_loopbreak(e->base);
}

static void
run(struct ended *e, const char *const words[], const char *const variables[], int64_t ms, size_t max)
{
	*e = (struct ended){ .base = event_base_new(),
		.words = BUF_INIT(4096),
		.out = BUF_INIT(1 << 20) };
	assert_non_null(program_start(e->base, words, variables, ms, max, on_ended, e));
	assert_int_equal(e->times, 0);
	assert_true(event_base_dispatch(e->base) >= 0);
	assert_int_equal(e->times, 1);
	event_base_free(e->base);
}

static void
clear(struct ended *e)
{
	buf_clear(&e->words);
	buf_clear(&e->out);
}

static void
test_outcomes(void **state)
{
	static const struct {
		const char *script; /* of /bin/sh; NULL: what is in path */
		const char *path;
		size_t max;
		const char *words, *out;
	} cases[] = {
		{ "printf hello", NULL, 64, "", "hello" },
		{ "", NULL, 64, "", "" },
		{ "printf a; sleep 0.1; printf b", NULL, 64, "", "ab" },
		{ "printf lost; exit 3", NULL, 64, "the program ended with status 3", "" },
		{ "kill -9 $$", NULL, 64, "the program was ended by signal 9", "" },
		{ "printf 12345", NULL, 5, "", "12345" },
		{ "printf 123456", NULL, 5, "the program printed more than any answer has", "" },
		{ "while :; do echo xxxxxxxxxxxxxxxxxxxxxxx; done", NULL, 4096,
		    "the program printed more than any answer has", "" },
		{ "sleep 60", NULL, 64, "the program took too long and was killed", "" },
		{ "exec >&-; sleep 60", NULL, 64, "the program took too long and was killed", "" },
		{ "trap '' TERM INT HUP; sleep 60", NULL, 64,
		    "the program took too long and was killed", "" },
		/* The end of its output is waited for, and of whoever holds it. */
		{ "sleep 60 & printf x", NULL, 64, "the program took too long and was killed", "" },
		{ "printf err >&2; printf out", NULL, 64, "", "out" },
		{ "cat", NULL, 64, "", "" }, /* nothing to read */
		{ NULL, "/nowhere/at/all", 64,
		    "the program is not there, or ended with status 127", "" },
		{ NULL, "/etc/passwd", 64, "the program cannot be run, or ended with status 126", "" },
		{ NULL, "sh", 64, "the program's path is not absolute", "" },
	};
	static const char *const variables[] = { "PATH=/usr/bin:/bin", NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *words[] = { "/bin/sh", "-c", cases[i].script, NULL };
		struct ended e;

		if (cases[i].script == NULL) {
			words[0] = cases[i].path;
			words[1] = NULL;
		}
		run(&e, words, variables, strstr(cases[i].words, "too long") ? 300 : 20000,
		    cases[i].max);
		if (strcmp(buf_text(&e.words), cases[i].words) != 0 ||
		    strcmp(buf_text(&e.out), cases[i].out) != 0)
			fail_msg("case %zu: `%s` `%s`", i, buf_text(&e.words), buf_text(&e.out));
		clear(&e);
	}
}

/* No variable, no descriptor and no signal of ours; a session's terminal neither. */
static void
test_what_it_gets(void **state)
{
	static const char *const words[] = { "/bin/sh", "-c",
		"/usr/bin/env; ls /proc/$$/fd | tr '\\n' ' '; grep -E 'SigIgn|SigBlk' /proc/self/status; "
		"printf '%s|' \"$@\"; pwd",
		"sh", "a b", "$(id)", "*", NULL };
	static const char *const variables[] = { "PATH=/usr/bin:/bin", "X=1", NULL };
	int held = dup2(0, 77); /* without O_CLOEXEC */
	struct ended e;

	(void)state;
	setenv("OPENAI_API_KEY", "sk-canary", 1);
	signal(SIGTERM, SIG_IGN);
	run(&e, words, variables, 20000, 65536);
	signal(SIGTERM, SIG_DFL);
	close(held);
	assert_string_equal(buf_text(&e.words), "");
	assert_null(strstr(buf_text(&e.out), "canary"));
	assert_non_null(strstr(buf_text(&e.out), "X=1\n"));
	assert_non_null(strstr(buf_text(&e.out), "SigIgn:\t0000000000000000"));
	assert_non_null(strstr(buf_text(&e.out), "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(buf_text(&e.out), "a b|$(id)|*|/\n"));
	assert_non_null(strstr(buf_text(&e.out), "0 1 2 "));
	assert_null(strstr(buf_text(&e.out), "77"));
	clear(&e);
}

static int handled[2];
static bool signalled;

static void
on_signal(int n)
{
	(void)!write(handled[1], "x", 1);
}

static void
in_child(void)
{
	if (signalled)
		(void)raise(SIGTERM);
}

/* A signal between fork and exec is the child's alone: libevent's handler would tell the parent of it. */
static void
test_a_signal_before_exec(void **state)
{
	static const char *const words[] = { "/bin/sh", "-c", "echo", NULL };
	static const char *const variables[] = { NULL };
	struct ended e;
	char c;

	(void)state;
	assert_int_equal(pipe2(handled, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(pthread_atfork(NULL, NULL, in_child), 0);
	signal(SIGTERM, on_signal);
	signalled = true;
	run(&e, words, variables, 20000, 64);
	signalled = false;
	assert_string_equal(buf_text(&e.words), "the program was ended by signal 15");
	assert_int_equal(read(handled[0], &c, 1), -1);
	/* Ours are as before. */
	(void)raise(SIGTERM);
	assert_int_equal(read(handled[0], &c, 1), 1);
	signal(SIGTERM, SIG_DFL);
	close(handled[0]);
	close(handled[1]);
	clear(&e);
}

static void
test_cancel(void **state)
{
	static const char *const words[] = { "/bin/sh", "-c", "sleep 60", NULL };
	static const char *const variables[] = { "PATH=/usr/bin:/bin", NULL };
	struct event_base *base = event_base_new();
	struct program *p = program_start(base, words, variables, 60000, 64, on_ended, NULL);

	(void)state;
	assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	program_cancel(p);
	program_cancel(NULL);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_what_it_gets),
		cmocka_unit_test(test_a_signal_before_exec),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
