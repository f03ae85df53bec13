/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines in the three formats, read back from standard error; and the small tables beside them.
 */
#include "shared/log.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/mode.h"
#include "shared/reason.h"

static int saved, captured;
static char line[20000];

static void
capture(void)
{
	saved = dup(STDERR_FILENO);
	captured = memfd_create("log", MFD_CLOEXEC);
	dup2(captured, STDERR_FILENO);
}

static const char *
captured_line(void)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(captured, line, sizeof(line) - 1, 0);
	line[n < 0 ? 0 : n] = '\0';
	close(captured);
	return line;
}

static void
test_formats(void **state)
{
	static const char want_text[] =
	    "2026-01-02T03:04:05.678Z notice test[%d] started n=-5 word=plain "
	    "text=\"two words\" line=\"a\\nb=\\\"c\\\"\" none=\"\"\n";
	static const char want_json[] =
	    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"notice\",\"role\":\"test\",\"pid\":"
	    "%d,"
	    "\"event\":\"started\",\"n\":-5,\"word\":\"plain\",\"text\":\"two words\","
	    "\"line\":\"a\\nb=\\\"c\\\"\",\"none\":\"\"}\n";
	static const char want_journald[] = "<5>test[%d] started n=-5 word=plain text=\"two "
					    "words\" line=\"a\\nb=\\\"c\\\"\" none=\"\"\n";
	const char *wants[] = { want_text, want_json, want_journald };
	char want[500];

	clock_fake_set(0, 1767323045678);
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JOURNALD; format++) {
		log_init("test", (enum log_format)format, LOG_LEVEL_INFO);
		snprintf(want, sizeof(want), wants[format], (int)getpid());
		capture();
		log_event(LOG_LEVEL_NOTICE, "started", LI("n", -5), LS("word", "plain"),
		    LS("text", "two words"), LS("line", "a\nb=\"c\""), LS("none", NULL));
		log_event(LOG_LEVEL_DEBUG, "not_shown", LI("n", 1));
		assert_string_equal(captured_line(), want);
	}
	clock_fake_off();
}

/* What a provider or a configuration says must not steer the terminal of who reads it. */
static void
test_nothing_hidden(void **state)
{
	(void)state;
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_init("test", (enum log_format)format, LOG_LEVEL_INFO);
		capture();
		log_event(LOG_LEVEL_NOTICE, "said",
		    LS("text", "a\x1b\x7f\xc2\x9b" "2J\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa9" "b\xe2\x80\xa6"));
		assert_non_null(strstr(captured_line(),
		    "\"a\\u001b\\u007f\\u009b2J\\u202e\\u2066\\u2029b\xe2\x80\xa6\""));
	}
	log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
}

static void
test_long_line(void **state)
{
	char *big = xcalloc(1, 20001);

	memset(big, 'x', 20000);
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		log_init("test", (enum log_format)format, LOG_LEVEL_INFO);
		capture();
		log_event(LOG_LEVEL_INFO, "big", LI("n", 1), LS("big", big), LI("after", 2));
		captured_line();
		assert_true(strlen(line) < 200);
		assert_int_equal(line[strlen(line) - 1], '\n');
		assert_int_equal(line[strlen(line) - 2], format == LOG_FORMAT_JSON ? '}' : '1');
	}
	log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	free(big);
}

static void
test_names(void **state)
{
	assert_int_equal(log_level_parse(STR("warning")), LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse(STR("loud")), -1);
	assert_int_equal(log_format_parse(STR("journald")), LOG_FORMAT_JOURNALD);
	assert_int_equal(log_format_parse(STR("")), -1);
	for (int i = 0; i < REASON_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    reason_name((enum reason)k), reason_name((enum reason)i));
	assert_string_equal(reason_name((enum reason)999), "probe_crashed");
	for (int i = 0; i < MODE_COUNT; i++)
		assert_int_equal(mode_parse(str_of(mode_name((enum mode)i))), i);
	assert_string_equal(mode_name((enum mode)999), "unknown");
	assert_int_equal(mode_parse(STR("chatty")), -1);
	for (int i = 1; i > -20; i--)
		assert_true(strlen(err_text(i)) > 0);
}

static void
test_clock(void **state)
{
	int64_t mono = clock_mono_us();

	assert_true(clock_wall_ms() > 1700000000000);
	assert_true(clock_mono_us() >= mono);
	clock_fake_set(5000000, 1000);
	clock_fake_advance_us(1500);
	assert_int_equal(clock_mono_us(), 5001500);
	assert_int_equal(clock_mono_ms(), 5001);
	assert_int_equal(clock_wall_ms(), 1001);
	clock_fake_off();
	assert_true(clock_wall_ms() > 1700000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_nothing_hidden),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
