/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of LiteLLM's database as libpq gets them, and what its failures are called. */
#include "workers/postgres.h"

#include "shared/buf.h"
#include "tests/unit/unit.h"

static void
test_urls(void **state)
{
	static const struct {
		const char *url;
		const char *out; /* NULL: refused */
	} cases[] = {
		{ "postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d" },
		{ "postgres://h/d?", "postgres://h/d" },
		{ "postgresql://h/d?schema=public", "postgresql://h/d" },
		{ "postgresql://h/d?schema=public&sslmode=require&connection_limit=5", "postgresql://h/d?sslmode=require" },
		{ "postgresql://h/d?sslmode=require&sslaccept=strict&sslcert=/ca.pem",
		    "postgresql://h/d?sslmode=verify-full&sslrootcert=/ca.pem" },
		{ "postgresql://h/d?sslaccept=accept_invalid_certs&sslmode=require",
		    "postgresql://h/d?sslmode=require" },
		{ "postgresql://h/d?&&host=/run/postgresql&", "postgresql://h/d?host=/run/postgresql" },
		{ "postgresql://h/d?pgbouncer=true&pool_timeout=3&connect_timeout=300&socket_timeout=1",
		    "postgresql://h/d" },
		{ "postgresql://h/d?options=a=b", "postgresql://h/d?options=a=b" },
		{ "postgresql://", "postgresql://" },
		{ "postgresql://h/d?nonsense", NULL },
		{ "mysql://h/d", NULL },
		{ "host=h password=p", NULL },
		{ "", NULL },
		{ "POSTGRESQL://h", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(1024);
		int rc = postgres_url(str_of(cases[i].url), &out);

		if (cases[i].out == NULL) {
			assert_int_equal(rc, ERR_SYNTAX);
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(buf_text(&out), cases[i].out);
		}
		buf_clear(&out);
	}
}

static void
test_bounds(void **state)
{
	struct buf out = BUF_INIT(16);

	assert_int_equal(postgres_url(STR("postgresql://h/d\0x"), &out), ERR_SYNTAX);
	assert_int_equal(postgres_url(STR("postgresql://h/0123456789"), &out), ERR_LIMIT);
	buf_clear(&out);
}

static void
test_words(void **state)
{
	static const struct {
		const char *said, *words;
	} cases[] = {
		{ "connection to server at \"h\", port 1 failed: FATAL:  28P01\n",
		    "the user or the password is wrong, or may not connect from here" },
		{ "FATAL:  3D000\n", "there is no database of that name" },
		{ "FATAL:  53300\n", "the server has too many connections" },
		{ "FATAL:  57P03\n", "the server is starting up or shutting down" },
		{ "ERROR:  25006\n", "the server is read-only" },
		{ "connection to server at \"127.0.0.1\", port 9 failed: Connection refused\n",
		    "the connection was refused" },
		{ "SSL error: certificate verify failed\n", "the server's certificate does not verify" },
		{ "server closed the connection unexpectedly\n", "the server closed the connection" },
		{ "sk-canary-in-a-text-nobody-knows", "the connection failed" },
		{ "", "the connection failed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(postgres_words(cases[i].said), cases[i].words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
