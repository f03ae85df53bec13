/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports: the table's alignment and cutting, and that no format lets a hostile name or a hostile
 * error through as more than text.
 */
#include "supervisor/report.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/progress.h"
#include "supervisor/table.h"
#include "supervisor/terminal.h"
#include "tests/unit/unit.h"

#define HOSTILE "a\033[31mb\r\nc\007\302\233d\342\200\256e\377f\0g"

static void
fill(struct report *r)
{
	static const char *const groups[] = { "gpt-4o", "\346\250\241\345\236\213", "off" };

	report_init(r, 3);
	r->elapsed_ms = 1234;
	for (size_t i = 0; i < 3; i++) {
		r->rows[i].handle = (uint32_t)i + 1;
		r->rows[i].model_name = str_of(groups[i]);
		r->rows[i].model = STR("openai/gpt-4o");
		r->rows[i].provider = STR("openai");
		r->rows[i].mode = STR("chat");
		r->rows[i].file = STR("dir,x/c:1.yaml");
		r->rows[i].line = 7;
	}
	r->rows[0].id = STR("aaaaaaaaaaaabbbbbbbbbbbbccccccccccccddddddddddddeeeeeeeeeeee0123");
	r->rows[1].id = STR("two");
	r->rows[2].id = STR("three");
	r->rows[2].disabled = true;
	r->rows[0].state = REPORT_HEALTHY;
	r->rows[0].total_us = 12345;
	report_set_texts(&r->rows[0], STR(""), STR(""), STR("{\"model\":\"x\"}"));
	r->rows[1].state = REPORT_UNHEALTHY;
	r->rows[1].reason = REASON_AUTH;
	r->rows[1].status = 401;
	r->rows[1].answered = true;
	r->rows[1].total_us = 2500000;
	report_set_texts(&r->rows[1], STR("litellm.AuthenticationError: no"),
	    STR("the key is wrong"), STR("{\"model\":\"y\"}"));
}

static char *
render(const struct report *r, enum report_format format, size_t width)
{
	struct report_style style = { .width = width };
	struct buf b = BUF_INIT(1 << 20);

	report_render(r, format, &style, &b);
	return buf_take(&b);
}

static void
test_table(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	text = render(&r, REPORT_TABLE, 0);
	assert_string_equal(text,
	    "MODEL GROUP  DEPLOYMENT    PROVIDER  MODE  VERDICT    LATENCY  REASON\n"
	    "gpt-4o       aaaaaaaaaaaa  openai    chat  healthy      12 ms\n"
	    "\346\250\241\345\236\213         two           openai    chat  UNHEALTHY    2.5 s  "
	    "auth 401: the key is wrong\n"
	    "off          three         openai    chat  disabled            disabled in the "
	    "config\n"
	    "\n"
	    "1 healthy, 1 unhealthy, 1 not asked of 3 deployments in 1.2 s\n");
	free(text);
	report_clear(&r);
}

static void
test_table_is_cut_to_the_terminal(void **state)
{
	struct report r;

	fill(&r);
	report_set_texts(&r.rows[1], STR("x"),
	    STR("a very long text that no narrow terminal holds in one line"), STR("{}"));
	for (size_t width = 62; width < 130; width += 7) {
		char *text = render(&r, REPORT_TABLE, width);

		for (char *p = text; *p;) {
			size_t n = strcspn(p, "\n");

			assert_true(terminal_columns((struct str){ p, n }) <= width);
			p += n + (p[n] == '\n');
		}
		assert_non_null(strstr(text, "UNHEALTHY"));
		free(text);
	}
	report_clear(&r);
}

/* Why something does not work is what the table is read for: narrow or not, nothing of it is lost.
 */
static void
test_table_keeps_the_reason_whole(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	report_set_texts(&r.rows[1], STR("x"),
	    STR("a very long text that no narrow terminal holds in one line beside all the others"),
	    STR("{}"));
	text = render(&r, REPORT_TABLE, 80);
	assert_non_null(strstr(text,
	    "UNHEALTHY    2.5 s\n"
	    "  auth 401: a very long text that no narrow terminal holds in one line beside\n"
	    "  all the others\n"
	    "off "));
	free(text);
	report_set_texts(&r.rows[1], STR("x"),
	    STR("withoutanyspacewithoutanyspacewithoutanyspacewithoutanyspacewithoutanyspacewithou"
		"t"),
	    STR("{}"));
	text = render(&r, REPORT_TABLE, 70);
	assert_non_null(
	    strstr(text, "\n  auth 401:\n"
			 "  withoutanyspacewithoutanyspacewithoutanyspacewithoutanyspacewithouta\n"
			 "  nyspacewithout\n"));
	free(text);
	report_clear(&r);
}

static void
test_hostile_texts(void **state)
{
	struct report r;

	fill(&r);
	r.rows[1].model_name = (struct str){ HOSTILE, sizeof(HOSTILE) - 1 };
	r.rows[1].id = (struct str){ HOSTILE "<&>\"'#%", sizeof(HOSTILE "<&>\"'#%") - 1 };
	report_set_texts(&r.rows[1], STR(HOSTILE "]]>::error::x%0A\n::set-output name=a::b"),
	    STR(HOSTILE), STR("{}"));
	for (int f = 0; f < REPORT_FORMATS; f++) {
		char *text = render(&r, (enum report_format)f, 0);

		for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
			if (*p < 0x20 && *p != '\n')
				fail_msg("%s: control character %d",
				    report_format_name((enum report_format)f), *p);
			assert_true(*p != 0x7f);
			assert_false(p[0] == 0xc2 && p[1] < 0xa0); /* C1 */
		}
		assert_null(strstr(text, "\342\200\256"));
		assert_true(utf8_valid(str_of(text)));
		/* No line of the provider's making begins a command. */
		assert_null(strstr(text, "\n::set-output"));
		free(text);
	}
	report_clear(&r);
}

static void
test_github(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	report_set_texts(&r.rows[1], STR(""), STR("50% off\nnow"), STR(""));
	text = render(&r, REPORT_GITHUB, 0);
	assert_string_equal(text,
	    "::error file=dir%2Cx/c%3A1.yaml,line=7,title=\346\250\241\345\236\213 "
	    "(openai/gpt-4o%2C two) is "
	    "unhealthy::auth 401: 50%25 off\\nnow\n"
	    "::notice file=dir%2Cx/c%3A1.yaml,line=7,title=off (openai/gpt-4o%2C three) is not "
	    "asked::disabled in "
	    "the config\n"
	    "1 healthy, 1 unhealthy of 3 deployments\n");
	free(text);
	report_clear(&r);
}

static void
test_tap(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	r.rows[0].model_name = STR("a # SKIP b\\");
	text = render(&r, REPORT_TAP, 0);
	assert_non_null(strstr(
	    text, "TAP version 14\n1..3\nok 1 - a \\# SKIP b\\\\ (openai/gpt-4o, aaaaaaaaaaaa)\n"));
	assert_non_null(strstr(text, "\nnot ok 2 - "));
	assert_non_null(strstr(text, "    message: \"auth 401: the key is wrong\"\n"));
	assert_non_null(
	    strstr(text, "\nok 3 - off (openai/gpt-4o, three) # SKIP disabled in the config\n"));
	free(text);
	report_clear(&r);
}

static void
test_junit(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	report_set_texts(&r.rows[1], STR("<b> & \"q\" ]]> \xef\xbf\xbe"), STR(""), STR(""));
	text = render(&r, REPORT_JUNIT, 0);
	assert_non_null(strstr(text, "<testsuites tests=\"3\" failures=\"1\" skipped=\"1\" "
				     "errors=\"0\" time=\"1.234000\">"));
	assert_non_null(
	    strstr(text, ">&lt;b&gt; &amp; &quot;q&quot; ]]&gt; \xef\xbf\xbd</failure>"));
	assert_non_null(strstr(text, "time=\"2.500000\""));
	free(text);
	report_clear(&r);
}

static void
test_json(void **state)
{
	struct report r;
	char *text;

	fill(&r);
	text = render(&r, REPORT_JSON, 0);
	assert_string_equal(text,
	    "{\"healthy_endpoints\":[{\"model\":\"x\"}],\"unhealthy_endpoints\":[{\"model\":\"y\"}]"
	    ","
	    "\"healthy_count\":1,\"unhealthy_count\":1,\"unknown_endpoints\":[],\"disabled_"
	    "endpoints\":"
	    "[{\"model\":\"openai/gpt-4o\",\"model_id\":\"three\",\"model_name\":\"off\"}],"
	    "\"unknown_count\":0,\"disabled_count\":1,\"progress\":{\"checked\":2,\"total\":2}}\n");
	free(text);
	report_clear(&r);
}

static void
test_find(void **state)
{
	struct report r;

	fill(&r);
	assert_ptr_equal(report_find(&r, 2), &r.rows[1]);
	assert_null(report_find(&r, 4));
	/* After a reload handles need not rise. */
	r.rows[0].handle = 9;
	assert_ptr_equal(report_find(&r, 9), &r.rows[0]);
	report_clear(&r);
}

static void
test_cut(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
		const char *wanted; /* with ~ as the mark of a cut */
	} cases[] = {
		{ "abc", 3, "abc" },
		{ "abcd", 3, "ab~" },
		{ "abcd", 1, "~" },
		{ "abcd", 0, "" },
		{ "\346\250\241\345\236\213", 4, "\346\250\241\345\236\213" },
		{ "\346\250\241\345\236\213", 3, "\346\250\241~" },
		{ "\346\250\241\345\236\213", 2, "~" },
		{ "e\314\201x", 2, "e\314\201x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(256);
		char got[64], *mark;

		terminal_add_cut(&b, str_of(cases[i].text), cases[i].columns);
		assert_true(terminal_columns(buf_str(&b)) <= cases[i].columns);
		snprintf(got, sizeof(got), "%s", buf_text(&b));
		mark = strstr(got, "\342\200\246");
		if (mark)
			strcpy(mark, "~");
		assert_string_equal(got, cases[i].wanted);
		buf_clear(&b);
	}
}

static void
test_progress(void **state)
{
	struct buf b = BUF_INIT(1024);
	struct progress p;

	clock_fake_set(1000000, 0);
	progress_init(&p, -1);
	progress_set(&p, 400, 100, 95, 64);
	clock_fake_advance_us(2000000);
	progress_render(&p, 200, &b);
	assert_string_equal(buf_text(&b),
	    "100/400  [#####...............]  95 healthy, 5 unhealthy, 64 in flight, 6.0 s left");
	for (size_t width = 1; width < 100; width++) {
		buf_reset(&b);
		progress_render(&p, width, &b);
		assert_true(b.len <= width);
	}
	buf_reset(&b);
	progress_set(&p, 400, 400, 400, 0);
	progress_render(&p, 200, &b);
	assert_null(strstr(buf_text(&b), "left"));
	/* Numbers that make no sense do not make nonsense. */
	progress_set(&p, 4, 9, 12, 0);
	buf_reset(&b);
	progress_render(&p, 40, &b);
	assert_string_equal(buf_text(&b), "4/4  4 healthy, 0 unhealthy, 0 in flight");
	buf_clear(&b);
	clock_fake_off();
}

static void
test_plain_errors(void **state)
{
	static const struct {
		const char *error, *wanted;
	} cases[] = {
		{ "litellm.InternalServerError: InternalServerError: OpenAIException - Missing "
		  "credentials.",
		    "Missing credentials." },
		{ "litellm.Timeout: took too long", "litellm.Timeout: took too long" },
		{ "Timeout exceeded", "Timeout exceeded" },
		{ "java.lang.Exception - no", "java.lang.Exception - no" },
		{ "litellm.X: one\nOpenAIException - two",
		    "litellm.X: one\nOpenAIException - two" },
		{ "litellm.X: OpenAIException - ", "litellm.X: OpenAIException - " },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(report_plain_error(str_of(cases[i].error)).p, cases[i].wanted);
}

static void
test_durations(void **state)
{
	static const struct {
		int64_t ms;
		const char *wanted;
	} cases[] = {
		{ 0, "0 ms" },
		{ 999, "999 ms" },
		{ 1000, "1.0 s" },
		{ 9949, "9.9 s" },
		{ 9950, "10 s" },
		{ 59499, "59 s" },
		{ 59500, "1 min 00 s" },
		{ 245000, "4 min 05 s" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(64);

		progress_add_duration(&b, cases[i].ms);
		assert_string_equal(buf_text(&b), cases[i].wanted);
		buf_clear(&b);
	}
}

/* The number of a status is one that the provider gave. */
static void
test_status_is_an_answer(void **state)
{
	static const struct {
		enum reason reason;
		int64_t status;
		bool answered;
		const char *detail, *text;
	} cases[] = {
		{ REASON_SERVER_ERROR, 503, true,
		    "the provider answered with status 503: full (code x)",
		    "server_error 503: full (code x)" },
		{ REASON_DNS, 500, false, "no such host", "dns: no such host" },
		{ REASON_CONNECT, 500, false, "refused", "connect: refused" },
		{ REASON_TLS, 500, false, "expired", "tls: expired" },
		{ REASON_TIMEOUT, 408, false, "no answer", "timeout: no answer" },
		{ REASON_TIMEOUT, 408, true, "no end", "timeout 408: no end" },
		{ REASON_CONFIG, 400, false, "no key", "config: no key" },
	};
	struct buf b = BUF_INIT(1024);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_row row = { .state = REPORT_UNHEALTHY,
			.reason = cases[i].reason,
			.status = cases[i].status,
			.answered = cases[i].answered };

		report_set_texts(&row, STR(""), str_of(cases[i].detail), STR(""));
		buf_reset(&b);
		report_add_reason(&row, &b);
		assert_string_equal(buf_text(&b), cases[i].text);
		report_set_texts(&row, STR(""), STR(""), STR(""));
		free(row.error);
		free(row.detail);
		free(row.entry);
	}
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_is_cut_to_the_terminal),
		cmocka_unit_test(test_table_keeps_the_reason_whole),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_github),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_plain_errors),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_status_is_an_answer),
	};

	terminal_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
