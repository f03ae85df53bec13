/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: what is read out of them, and what is said about wrong ones. */
#include "supervisor/cli.h"

#include <string.h>

#include "tests/unit/unit.h"

#define ARGS_MAX 32

struct wrong {
	const char *line;     /* split at blanks; `_` stands for an empty argument */
	const char *words[3]; /* must all be in the complaint */
};

static int
parse(const char *line, struct cli *cli, struct buf *why, char store[256])
{
	char *argv[ARGS_MAX], *save = NULL;
	int argc = 0;

	strcpy(store, line);
	for (char *w = strtok_r(store, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGS_MAX - 1);
		argv[argc++] = strcmp(w, "_") == 0 ? w + 1 : w;
	}
	argv[argc] = NULL;
	return cli_parse(argc, argv, cli, why);
}

static void
test_wrong_lines(void **state)
{
	static const struct wrong cases[] = {
		{ "llmhealth", { "no command" } },
		{ "llmhealth chek c.yaml", { "'chek'", "did you mean 'check'?" } },
		{ "llmhealth serv c.yaml", { "did you mean 'serve'?" } },
		{ "llmhealth config.yaml",
		    { "no command 'config.yaml'", "llmhealth check config.yaml" } },
		{ "llmhealth --json", { "--json", "command" } },
		{ "llmhealth check", { "config file", "llmhealth check config.yaml" } },
		{ "llmhealth check _", { "config file" } },
		{ "llmhealth check a.yaml b.yaml", { "'a.yaml'", "'b.yaml'" } },
		{ "llmhealth check c.yaml --jsn", { "--jsn", "did you mean --json?", "--help" } },
		{ "llmhealth check c.yaml --concurency 5", { "did you mean --concurrency?" } },
		{ "llmhealth check c.yaml --zzz", { "check has no option --zzz" } },
		{ "llmhealth check c.yaml -x", { "-x" } },
		{ "llmhealth check c.yaml --listen :1", { "--listen", "one of serve" } },
		{ "llmhealth serve c.yaml --json",
		    { "serve has no option --json", "one of check" } },
		{ "llmhealth check c.yaml --json=yes", { "--json takes no value" } },
		{ "llmhealth check c.yaml --model", { "--model needs a value", "NAME" } },
		{ "llmhealth check c.yaml --model=", { "--model needs a value" } },
		{ "llmhealth check c.yaml --format xml", { "--format xml", "junit" } },
		{ "llmhealth check c.yaml --format jsn", { "did you mean json?" } },
		{ "llmhealth check c.yaml --mode chatt", { "--mode chatt", "did you mean chat?" } },
		{ "llmhealth check c.yaml --mode telepathy",
		    { "--mode telepathy", "expected one of chat" } },
		{ "llmhealth check c.yaml --color maybe", { "--color maybe", "always" } },
		{ "llmhealth check c.yaml --concurrency many",
		    { "--concurrency many", "expected" } },
		{ "llmhealth check c.yaml --concurrency 0", { "--concurrency 0", "1" } },
		{ "llmhealth check c.yaml --concurrency -3", { "--concurrency -3", "expected" } },
		{ "llmhealth check c.yaml --workers 65", { "--workers 65", "64" } },
		{ "llmhealth check c.yaml --timeout soon", { "--timeout soon", "500ms" } },
		{ "llmhealth check c.yaml --timeout 0", { "--timeout 0" } },
		{ "llmhealth help chek", { "'chek'", "check" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why = BUF_INIT(4096);
		struct cli cli;
		char store[256];

		if (parse(cases[i].line, &cli, &why, store) != ERR_INVALID)
			fail_msg("accepted: %s", cases[i].line);
		for (size_t j = 0; j < 3 && cases[i].words[j]; j++)
			if (!strstr(buf_text(&why), cases[i].words[j]))
				fail_msg("%s: '%s' is not in: %s", cases[i].line, cases[i].words[j],
				    buf_text(&why));
		assert_null(strchr(buf_text(&why), '\n'));
		cli_clear(&cli);
		buf_clear(&why);
	}
}

static void
test_check(void **state)
{
	struct buf why = BUF_INIT(4096);
	struct cli cli;
	char store[256];

	assert_int_equal(
	    parse(
		"llmhealth check -q --model=a -mb -m c --id 7 c.yaml --mode chat --concurrency 12 "
		"--timeout=1.5s --color never -vw 3",
		&cli, &why, store),
	    0);
	assert_int_equal(cli.command, COMMAND_CHECK);
	assert_string_equal(cli.config, "c.yaml");
	assert_true(cli.quiet);
	assert_true(cli.verbose);
	assert_int_equal(cli.models.n, 3);
	assert_string_equal(cli.models.v[0], "a");
	assert_string_equal(cli.models.v[1], "b");
	assert_string_equal(cli.models.v[2], "c");
	assert_string_equal(cli.ids.v[0], "7");
	assert_string_equal(cli.modes.v[0], "chat");
	assert_string_equal(cli.concurrency, "12");
	assert_string_equal(cli.workers, "3");
	assert_int_equal(cli.timeout_ms, 1500);
	assert_int_equal(cli.color, COLOR_NEVER);
	assert_int_equal(cli.format, REPORT_TABLE);
	cli_clear(&cli);
	buf_clear(&why);
}

static void
test_formats_and_dashes(void **state)
{
	struct buf why = BUF_INIT(4096);
	struct cli cli;
	char store[256];

	assert_int_equal(
	    parse("llmhealth check --format junit -- --odd.yaml", &cli, &why, store), 0);
	assert_int_equal(cli.format, REPORT_JUNIT);
	assert_string_equal(cli.config, "--odd.yaml");
	cli_clear(&cli);
	assert_int_equal(parse("llmhealth validate --json c.yaml", &cli, &why, store), 0);
	assert_int_equal(cli.command, COMMAND_VALIDATE);
	assert_int_equal(cli.format, REPORT_JSON);
	cli_clear(&cli);
	assert_int_equal(
	    parse("llmhealth serve c.yaml -l :0 --listen unix:/s", &cli, &why, store), 0);
	assert_int_equal(cli.listen.n, 2);
	assert_string_equal(cli.listen.v[1], "unix:/s");
	cli_clear(&cli);
	buf_clear(&why);
}

static void
test_help(void **state)
{
	static const struct {
		const char *line, *word;
	} cases[] = {
		{ "llmhealth --help", "Begin here" },
		{ "llmhealth -h", "Commands:" },
		{ "llmhealth help", "llmhealth check config.yaml" },
		{ "llmhealth help check", "--concurrency N" },
		{ "llmhealth check --help", "Exit status:" },
		{ "llmhealth check c.yaml --nonsense-is-not-reached -h", NULL },
		{ "llmhealth serve -h", "--listen ADDRESS" },
		{ "llmhealth validate --help", "shows no key" },
		{ "llmhealth help version", "print the version" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why = BUF_INIT(4096), text = BUF_INIT(65536);
		struct cli cli;
		char store[256];
		int rc = parse(cases[i].line, &cli, &why, store);

		if (cases[i].word == NULL) {
			assert_int_equal(rc, ERR_INVALID);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(cli.command, COMMAND_HELP);
			cli_help(cli.topic, &text);
			if (!strstr(buf_text(&text), cases[i].word))
				fail_msg("%s: '%s' is not in\n%s", cases[i].line, cases[i].word,
				    buf_text(&text));
			/* Nothing is wider than a plain terminal's line of 100. */
			for (const char *p = buf_text(&text); *p; p += strcspn(p, "\n") + 1) {
				assert_true(strcspn(p, "\n") <= 100);
				if (p[strcspn(p, "\n")] == '\0')
					break;
			}
		}
		cli_clear(&cli);
		buf_clear(&why);
		buf_clear(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_formats_and_dashes),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
