/* SPDX-License-Identifier: Apache-2.0 */
/* What a child is given, where programs are found, what addresses mean, how configurations are
 * compared. */
#include "supervisor/children.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/peer.h"
#include "supervisor/conf_send.h"
#include "supervisor/listen.h"
#include "tests/unit/unit.h"

static void
test_environment_is_scrubbed(void **state)
{
	const char *env[] = { "LANG=C", "OPENAI_API_KEY=sk-secret", "LC_ALL=C", "LC_TIME=x",
		"HTTPS_PROXY=http://u:p@h", "TZ=UTC", "TZX=1", "LANGUAGE=de", "PATH=/bin",
		"LD_PRELOAD=x", "ASAN_OPTIONS=a=b", "MALLOC_ARENA_MAX=1", "LLMHEALTH_LIBEXECDIR=/x",
		"NOTIFY_SOCKET=/n", "", NULL };
	static const char *const kept[] = { "LANG=C", "LC_ALL=C", "LC_TIME=x", "TZ=UTC",
		"ASAN_OPTIONS=a=b", "MALLOC_ARENA_MAX=1", NULL };
	char **got = child_environment((char *const *)env);
	size_t i = 0;

	for (; kept[i]; i++) {
		assert_non_null(got[i]);
		assert_string_equal(got[i], kept[i]);
	}
	assert_null(got[i]);
	child_environment_free(got);
}

static void
test_missing_program(void **state)
{
	struct buf why = BUF_INIT(8192);
	char *path = NULL;

	setenv("LLMHEALTH_LIBEXECDIR", "/nonexistent", 1);
	assert_int_equal(child_program_find("llmhealth-front", &path, &why), ERR_NOT_FOUND);
	assert_non_null(strstr(buf_text(&why), "/nonexistent/llmhealth-front"));
	assert_null(path);
	setenv("LLMHEALTH_LIBEXECDIR", "/bin", 1);
	assert_int_equal(child_program_find("sh", &path, &why), 0);
	assert_string_equal(path, "/bin/sh");
	free(path);
	unsetenv("LLMHEALTH_LIBEXECDIR");
	buf_clear(&why);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text;
		int family; /* 0: refused */
		bool loopback;
	} cases[] = {
		{ "127.0.0.1:4001", AF_INET, true },
		{ "127.9.9.9:0", AF_INET, true },
		{ "localhost:80", AF_INET, true },
		{ ":4001", AF_INET, false },
		{ "*:4001", AF_INET, false },
		{ "0.0.0.0:1", AF_INET, false },
		{ "[::1]:65535", AF_INET6, true },
		{ "[::]:1", AF_INET6, false },
		{ "unix:/run/x", AF_UNIX, true },
		{ "", 0, false },
		{ "4001", 0, false },
		{ "127.0.0.1:", 0, false },
		{ "127.0.0.1:65536", 0, false },
		{ "127.0.0.1:-1", 0, false },
		{ "127.0.0.1:1x", 0, false },
		{ "::1:80", 0, false },
		{ "[::1:80", 0, false },
		{ "[x]:80", 0, false },
		{ "example.org:80", 0, false },
		{ "unix:", 0, false },
		{ "unix:relative", 0, false },
		{ "1111111111111111111111111111111111111111111111111111111:1", 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why = BUF_INIT(1024);
		struct listen_address a;
		int rc = listen_parse(str_of(cases[i].text), &a, &why);

		if ((rc == 0) != (cases[i].family != 0))
			fail_msg("%s: %d", cases[i].text, rc);
		if (rc == 0) {
			assert_int_equal(a.addr.ss_family, cases[i].family);
			assert_int_equal(listen_is_loopback(&a), cases[i].loopback);
		} else
			assert_non_null(strstr(buf_text(&why), "expected host:port"));
		buf_clear(&why);
	}
}

static void
test_taken_address(void **state)
{
	struct buf why = BUF_INIT(1024);
	struct listener one, two;

	assert_int_equal(listener_open(&one, STR("127.0.0.1:0"), &why), 0);
	assert_null(strstr(one.address, ":0"));
	assert_int_equal(listener_open(&two, str_of(one.address), &why), ERR_IO);
	assert_non_null(strstr(buf_text(&why), one.address));
	assert_non_null(strstr(buf_text(&why), "another program has it"));
	listener_close(&one);
	listener_close(&two);
	buf_clear(&why);
}

static void
test_unix_socket(void **state)
{
	struct buf why = BUF_INIT(1024);
	struct listener one, two;
	char path[64], text[80];

	snprintf(path, sizeof(path), "/tmp/llmhealth-test-%d.sock", (int)getpid());
	snprintf(text, sizeof(text), "unix:%s", path);
	assert_int_equal(listener_open(&one, str_of(text), &why), 0);
	/* One that answers is left alone, one that nobody serves any more is replaced. */
	assert_int_equal(listener_open(&two, str_of(text), &why), ERR_IO);
	close(one.fd);
	one.fd = -1;
	assert_int_equal(listener_open(&two, str_of(text), &why), 0);
	free(one.address);
	free(one.unlink);
	listener_close(&two);
	assert_int_equal(access(path, F_OK), -1);
	buf_clear(&why);
}

static struct conf *
make_conf(struct handles *h, const char *const *ids, const char *const *keys, size_t n)
{
	struct settings s;
	struct conf *c;

	settings_init(&s);
	c = conf_new(&s, STR(""), (struct kvs){ NULL, 0 });
	settings_clear(&s);
	for (size_t i = 0; i < n; i++) {
		struct kv secret = { STR("api_key"), str_of(keys[i]) };
		struct msg_conf_target t = { .id = str_of(ids[i]), .secrets = { &secret, 1 } };
		struct msg_conf_deployment d = { .id = str_of(ids[i]) };

		assert_int_equal(conf_add(c, h, keys[i][0] ? &t : NULL, &d), 0);
	}
	return c;
}

static void
test_differences(void **state)
{
	static const char *const ids1[] = { "a", "b", "c", "d" }, *const keys1[] = { "1", "2", "3",
		"4" };
	static const char *const ids2[] = { "b", "c", "d", "e" }, *const keys2[] = { "2", "X", "",
		"5" };
	struct handles *h = handles_new();
	struct conf *one = make_conf(h, ids1, keys1, 4), *two = make_conf(h, ids2, keys2, 4);
	struct conf_difference w = conf_compare(two, one, ROLE_W),
			       f = conf_compare(two, one, ROLE_F);
	struct conf *same = make_conf(h, ids1, keys1, 4);

	/* A changed key is a change to workers only; the front does not know it. */
	assert_int_equal(w.added, 1);
	assert_int_equal(w.changed, 1);
	assert_int_equal(w.removed, 2);
	assert_int_equal(w.same, 1);
	assert_int_equal(f.added, 1);
	assert_int_equal(f.changed, 0);
	assert_int_equal(f.removed, 1);
	assert_int_equal(f.same, 3);
	assert_int_equal(conf_handle(two, 0), conf_handle(one, 1));
	assert_int_equal(w.added + w.changed + w.same, 3);
	assert_int_equal(conf_compare(same, one, ROLE_W).same, 4);
	assert_true(conf_same_settings(same, one));
	conf_free(one);
	conf_free(two);
	conf_free(same);
	handles_free(h);
}

struct heard {
	bool done;
	char password[64];
};

static void
on_conf(struct peer *p, const struct msg *m, void *arg)
{
	struct heard *h = arg;

	if (m && m->type == MSG_CONF_BEGIN) {
		const struct msg_conf_begin *begin = m->body;
		struct str password = begin->settings.v[SETTING_REDIS_PASSWORD];

		snprintf(h->password, sizeof(h->password), "%.*s", (int)password.n, password.p);
	}
	h->done = m == NULL || m->type == MSG_CONF_COMMIT;
}

/* Redis is the front's: a worker is not told how to log in there. */
static void
test_redis_password_is_the_fronts(void **state)
{
	static const enum role roles[] = { ROLE_F, ROLE_W };
	struct event_base *base = event_base_new();
	struct settings s;
	struct conf *c;

	settings_init(&s);
	assert_int_equal(settings_set(&s, SETTING_REDIS_PASSWORD, STR("of-redis"), NULL), 0);
	c = conf_new(&s, STR(""), (struct kvs){ NULL, 0 });
	settings_clear(&s);
	for (int i = 0; i < 2; i++) {
		struct heard h = { false, "none" };
		struct peer *supervisor, *child;
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		supervisor = peer_new(base, pair[0], ROLE_S, roles[i], "child", on_conf, &h);
		child = peer_new(base, pair[1], roles[i], ROLE_S, "supervisor", on_conf, &h);
		assert_int_equal(conf_send(c, NULL, roles[i], 1, supervisor), 0);
		while (!h.done)
			event_base_loop(base, EVLOOP_ONCE);
		assert_string_equal(h.password, roles[i] == ROLE_F ? "of-redis" : "");
		peer_free(supervisor);
		peer_free(child);
	}
	conf_free(c);
	event_base_free(base);
}

static void
test_many_handles(void **state)
{
	struct handles *h = handles_new();
	char id[32];

	for (int turn = 0; turn < 2; turn++)
		for (uint32_t i = 0; i < 20000; i++) {
			snprintf(id, sizeof(id), "id-%u", i);
			assert_int_equal(handles_get(h, str_of(id)), i + 1);
		}
	handles_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment_is_scrubbed),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_taken_address),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_redis_password_is_the_fronts),
		cmocka_unit_test(test_many_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
