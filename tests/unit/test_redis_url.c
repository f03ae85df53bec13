/* SPDX-License-Identifier: Apache-2.0 */
/* The URLs of Redis servers. */
#include "supervisor/config/redis_settings.h"

#include <string.h>

#include "tests/unit/unit.h"

static void
test_good(void **state)
{
	static const struct {
		const char *text;
		struct redis_url url;
	} cases[] = {
		{ "redis://host", { .host = "host", .port = -1, .database = -1 } },
		{ "redis://host:6380/2", { .host = "host", .port = 6380, .database = 2 } },
		{ "rediss://[::1]:1/", { .host = "::1", .port = 1, .database = -1, .tls = true } },
		{ "redis://:p%40ss@host",
		    { .host = "host", .password = "p@ss", .port = -1, .database = -1 } },
		{ "redis://me:a/b@c:d@host/3", { .host = "host",
						   .username = "me",
						   .password = "a/b@c:d",
						   .port = -1,
						   .database = 3 } },
		{ "redis://host?db=7&x=y", { .host = "host", .port = -1, .database = 7 } },
		{ "unix:///run/redis.sock?db=1",
		    { .socket = "/run/redis.sock", .port = -1, .database = 1 } },
		{ "unix://:secret@/run/redis.sock", { .socket = "/run/redis.sock",
							.password = "secret",
							.port = -1,
							.database = -1 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct redis_url url;

		assert_int_equal(redis_url_parse(str_of(cases[i].text), &url), 0);
		assert_string_equal(url.host, cases[i].url.host);
		assert_string_equal(url.socket, cases[i].url.socket);
		assert_string_equal(url.username, cases[i].url.username);
		assert_string_equal(url.password, cases[i].url.password);
		assert_int_equal(url.port, cases[i].url.port);
		assert_int_equal(url.database, cases[i].url.database);
		assert_int_equal(url.tls, cases[i].url.tls);
	}
}

static void
test_bad(void **state)
{
	static const char *const cases[] = { "", "host", "http://host", "redis://", "redis://:1",
		"redis://host:0", "redis://host:65536", "redis://host:x", "redis://host/x",
		"redis://host/65536", "redis://%zz@host", "redis://%00@host", "redis://[::1",
		"redis://[::1]x", "unix://", "redis://host?db=x", "rediss:/host" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct redis_url url;

		if (redis_url_parse(str_of(cases[i]), &url) == 0)
			fail_msg("%s was taken", cases[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
