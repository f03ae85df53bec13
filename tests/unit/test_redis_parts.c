/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the Redis backend that need no server: members, replies, URLs, LiteLLM's values. */
#include "supervisor/front/store/members.h"

#include <string.h>

#include "shared/buf.h"
#include "supervisor/front/litellm.h"
#include "supervisor/front/pyvalue.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/store/redis_reply.h"
#include "supervisor/front/store/redis_slots.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

#define DEPLOYMENTS 10000

static struct str
deployment_name(char *text, size_t size, int i)
{
	return (struct str){ text, (size_t)snprintf(text, size, "deployment-%d", i) };
}

static void
set_members(struct members *m, int n)
{
	char texts[64][32];
	struct str names[64];

	for (int i = 0; i < n; i++)
		names[i] =
		    (struct str){ texts[i], (size_t)snprintf(texts[i], 32, "host-%d-1a2b3c", i) };
	members_set(m, names, (size_t)n);
}

static void
test_members(void **state)
{
	const struct str names[] = { STR("b"), STR("a"), STR("b"), STR(""), STR("c") };
	const struct str same[] = { STR("c"), STR("b"), STR("a") };
	struct members m = { 0 };

	assert_int_equal(members_owner(&m, STR("x")), -1);
	assert_false(members_owns(&m, STR("a"), STR("x")));
	assert_true(members_set(&m, names, 5));
	assert_int_equal(m.n, 3);
	assert_string_equal(m.names[0], "a");
	assert_false(members_set(&m, same, 3));
	assert_true(members_set(&m, same, 2));
	members_clear(&m);
}

/* Of two regions and one without: each is one witness, and one of each speaks for it. */
static void
test_witnesses(void **state)
{
	const struct str names[] = { STR("eu/a"), STR("eu/b"), STR("us/a"), STR("us/b"), STR("us/c"),
		STR("host-1") };
	struct str found[STORE_WITNESSES_MAX];
	struct members m = { 0 };
	int speakers[6] = { 0 }, chosen[6] = { 0 };
	char text[32];

	assert_int_equal(members_witnesses(&m, STR("x"), 0, found, ARRAY_LEN(found)), 0);
	assert_false(members_speaks(&m, STR("eu/a"), STR("x"), 0));
	members_set(&m, names, ARRAY_LEN(names));
	for (int i = 0; i < 1000; i++) {
		struct str id = deployment_name(text, sizeof(text), i);
		int speaks = 0, of_two = 0;

		assert_int_equal(members_witnesses(&m, id, 0, found, ARRAY_LEN(found)), 3);
		assert_int_equal(members_witnesses(&m, id, 2, found, ARRAY_LEN(found)), 2);
		assert_false(str_eq(found[0], found[1]));
		assert_int_equal(members_witnesses(&m, id, 0, found, 1), 1);
		for (size_t n = 0; n < ARRAY_LEN(names); n++) {
			speakers[n] += members_speaks(&m, names[n], id, 0);
			speaks += members_speaks(&m, names[n], id, 0);
			of_two += members_speaks(&m, names[n], id, 2);
			chosen[n] += members_speaks(&m, names[n], id, 1);
		}
		assert_int_equal(speaks, 3);
		assert_int_equal(of_two, 2);
		assert_false(members_speaks(&m, STR("eu"), id, 0));
	}
	assert_in_range(speakers[0], 400, 600);
	assert_int_equal(speakers[0] + speakers[1], 1000);
	assert_in_range(speakers[2], 250, 420);
	assert_int_equal(speakers[5], 1000);
	assert_in_range(chosen[5], 250, 420);
	members_clear(&m);
}

/* Shares are even, and one who comes or goes moves no more than its own. */
static void
test_rendezvous(void **state)
{
	static long before[DEPLOYMENTS];
	struct members m = { 0 };
	char text[32];

	for (int n = 1; n <= 32; n++) {
		int share[32] = { 0 }, moved = 0;

		set_members(&m, n);
		for (int i = 0; i < DEPLOYMENTS; i++) {
			long owner = members_owner(&m, deployment_name(text, sizeof(text), i));
			const char *name = m.names[owner];
			long number = strtol(name + 5, NULL, 10);

			share[owner]++;
			if (n > 1 && before[i] != number) {
				moved++;
				assert_int_equal(number, n - 1); /* only to the one who came */
			}
			before[i] = number;
		}
		for (int i = 0; i < n; i++)
			assert_in_range(
			    share[i], DEPLOYMENTS / n * 7 / 10, DEPLOYMENTS / n * 13 / 10);
		if (n > 1)
			assert_in_range(moved, DEPLOYMENTS / n * 7 / 10, DEPLOYMENTS / n * 13 / 10);
	}
	members_clear(&m);
}

static redisReply *
read_reply(const char *text)
{
	struct redisReader *r = redis_reader_new();
	void *reply = NULL;

	assert_int_equal(redisReaderFeed(r, text, strlen(text)), REDIS_OK);
	if (redisReaderGetReply(r, &reply) != REDIS_OK)
		reply = NULL;
	redisReaderFree(r);
	return reply;
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text;
		enum redis_error error;
		enum redis_action action;
	} cases[] = {
		{ "+OK\r\n", REDIS_ERROR_NONE, REDIS_KEEP },
		{ "-LOADING Redis is loading the dataset in memory\r\n", REDIS_ERROR_LOADING,
		    REDIS_RECONNECT },
		{ "-READONLY You can't write against a read only replica.\r\n",
		    REDIS_ERROR_READONLY, REDIS_RECONNECT },
		{ "-OOM command not allowed when used memory > 'maxmemory'.\r\n", REDIS_ERROR_OOM,
		    REDIS_KEEP },
		{ "-NOAUTH Authentication required.\r\n", REDIS_ERROR_NOAUTH, REDIS_RECONNECT },
		{ "-WRONGPASS invalid username-password pair\r\n", REDIS_ERROR_WRONGPASS,
		    REDIS_RECONNECT },
		{ "-NOSCRIPT No matching script. Please use EVAL.\r\n", REDIS_ERROR_NOSCRIPT,
		    REDIS_KEEP },
		{ "-MOVED 3999 127.0.0.1:6381\r\n", REDIS_ERROR_MOVED, REDIS_MOVE },
		{ "-CLUSTERDOWN The cluster is down\r\n", REDIS_ERROR_CLUSTERDOWN,
		    REDIS_RECONNECT },
		{ "-ERR Error running script (call to f_1): @user_script:3: -OOM command not "
		  "allowed\r\n",
		    REDIS_ERROR_OOM, REDIS_KEEP },
		{ "-ERR something else\r\n", REDIS_ERROR_OTHER, REDIS_KEEP },
		{ "-\r\n", REDIS_ERROR_OTHER, REDIS_KEEP },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		redisReply *r = read_reply(cases[i].text);

		assert_non_null(r);
		assert_int_equal(redis_error_of(r), cases[i].error);
		assert_int_equal(redis_error_action(redis_error_of(r)), cases[i].action);
		freeReplyObject(r);
	}
}

static void
test_nodes(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{ "-MOVED 3999 127.0.0.1:6381\r\n", "127.0.0.1", 6381 },
		{ "-ASK 1 ::1:7000\r\n", "::1", 7000 },
		{ "-MOVED 3999 :6381\r\n", NULL, 0 },
		{ "-MOVED 3999 host:0\r\n", NULL, 0 },
		{ "-MOVED 3999 host:65536\r\n", NULL, 0 },
		{ "-MOVED\r\n", NULL, 0 },
		{ "+MOVED 3999 127.0.0.1:6381\r\n", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		redisReply *r = read_reply(cases[i].text);
		char host[64];
		uint16_t port;

		assert_int_equal(
		    redis_error_node(r, host, sizeof(host), &port), cases[i].host != NULL);
		if (cases[i].host) {
			assert_string_equal(host, cases[i].host);
			assert_int_equal(port, cases[i].port);
		}
		freeReplyObject(r);
	}
}

static void
test_slots(void **state)
{
	assert_int_equal(redis_slot(STR("123456789")), 0x31c3); /* the specification's check */
	assert_int_equal(redis_slot(STR("foo")), 12182);
	assert_int_equal(redis_slot(STR("")), 0);
	assert_int_equal(redis_slot(STR("{foo}:bar")), 12182);
	assert_int_equal(redis_slot(STR("x{foo}{bar}")), 12182);
	assert_int_equal(redis_slot(STR("foo{{bar}}zap")), redis_slot(STR("{bar")));
	/* An empty tag and one without an end are none. */
	assert_int_not_equal(redis_slot(STR("foo{}{bar}")), redis_slot(STR("bar")));
	assert_int_not_equal(redis_slot(STR("{foo")), 12182);
}

static void
test_redirects(void **state)
{
	static const struct redis_address from = { "10.0.0.1", 7000 };
	static const struct {
		const char *text, *host;
		uint16_t slot, port;
	} cases[] = {
		{ "-MOVED 3999 127.0.0.1:6381\r\n", "127.0.0.1", 3999, 6381 },
		{ "-ASK 1 ::1:7000\r\n", "::1", 1, 7000 },
		{ "-ASK 16383 node-2.example:7000\r\n", "node-2.example", 16383, 7000 },
		{ "-MOVED 3999 :6381\r\n", "10.0.0.1", 3999, 6381 },
		{ "-MOVED 3999 ?:6381\r\n", "10.0.0.1", 3999, 6381 },
		{ "-MOVED 16384 host:1\r\n", NULL, 0, 0 },
		{ "-MOVED -1 host:1\r\n", NULL, 0, 0 },
		{ "-MOVED  host:1\r\n", NULL, 0, 0 },
		{ "-MOVED 3999 host:0\r\n", NULL, 0, 0 },
		{ "-MOVED 3999 host:65536\r\n", NULL, 0, 0 },
		{ "-MOVED 3999 host\r\n", NULL, 0, 0 },
		{ "-MOVED\r\n", NULL, 0, 0 },
		{ "-CLUSTERDOWN 3999 host:1\r\n", NULL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		redisReply *r = read_reply(cases[i].text);
		struct redis_address node;
		uint16_t slot;

		assert_int_equal(
		    redis_slots_redirect(r, &from, &slot, &node), cases[i].host != NULL);
		if (cases[i].host) {
			assert_string_equal(node.host, cases[i].host);
			assert_int_equal(node.port, cases[i].port);
			assert_int_equal(slot, cases[i].slot);
		}
		freeReplyObject(r);
	}
}

static void
on_range(uint16_t first, uint16_t last, const struct redis_address *master, void *arg)
{
	struct buf *b = arg;

	buf_addf(b, "%u-%u=%s:%u ", first, last, master->host, master->port);
}

static void
test_map(void **state)
{
	static const struct redis_address from = { "10.0.0.1", 7000 };
	struct buf b = BUF_INIT(1000);
	redisReply *r = read_reply("*6\r\n"
				   "*4\r\n:0\r\n:99\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:2\r\n"
				   "*3\r\n:100\r\n:16383\r\n*2\r\n$-1\r\n:3\r\n"
				   "*3\r\n:5\r\n:4\r\n*2\r\n$1\r\na\r\n:1\r\n"
				   "*3\r\n:5\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n"
				   "*2\r\n:5\r\n:6\r\n"
				   "$1\r\nx\r\n");

	assert_int_equal(redis_slots_read(r, &from, on_range, &b), 2);
	assert_string_equal(buf_text(&b), "0-99=a:1 100-16383=10.0.0.1:3 ");
	freeReplyObject(r);
	buf_clear(&b);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{ "a", "a", 9 },
		{ "a:1", "a", 1 },
		{ "10.0.0.1:65535", "10.0.0.1", 65535 },
		{ "[::1]", "::1", 9 },
		{ "[::1]:7", "::1", 7 },
		{ "", NULL, 0 },
		{ ":1", NULL, 0 },
		{ "a:", NULL, 0 },
		{ "a:0", NULL, 0 },
		{ "a:65536", NULL, 0 },
		{ "a:1x", NULL, 0 },
		{ "::1", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[]:1", NULL, 0 },
		{ "[::1]7", NULL, 0 },
		{ "redis://a:1", NULL, 0 },
		{ "a b", NULL, 0 },
		{ "me@a", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct redis_address a;

		assert_int_equal(redis_address_parse(str_of(cases[i].text), 9, &a),
		    cases[i].host ? 0 : ERR_SYNTAX);
		if (cases[i].host) {
			assert_string_equal(a.host, cases[i].host);
			assert_int_equal(a.port, cases[i].port);
		}
	}
}

static void
test_replies(void **state)
{
	redisReply *r = read_reply("*4\r\n:7\r\n$2\r\n12\r\n$-1\r\n$3\r\n1x2\r\n");
	int64_t n;

	assert_int_equal(redis_reply_len(r), 4);
	assert_true(redis_reply_int(redis_reply_at(r, 0), &n) && n == 7);
	assert_true(redis_reply_int(redis_reply_at(r, 1), &n) && n == 12);
	assert_false(redis_reply_int(redis_reply_at(r, 2), &n));
	assert_false(redis_reply_int(redis_reply_at(r, 3), &n));
	assert_null(redis_reply_at(r, 4));
	assert_int_equal(redis_reply_text(redis_reply_at(r, 0)).n, 0);
	assert_int_equal(redis_reply_len(NULL), 0);
	freeReplyObject(r);
	/* Two thousand million elements are announced: no memory is taken for them. */
	assert_null(read_reply("*2147483647\r\n"));
	assert_null(read_reply("HTTP/1.1 400 Bad Request\r\n"));
}

static void
test_dumps(void **state)
{
	struct buf b = BUF_INIT(1000);

	pyvalue_add_dumps(
	    &b, STR("{\"a\":[1,2,{\"b\":null}],\"c\":\"x,y:z\\\"\",\"d\":\"\xc3\xa9\xf0\x9f"
		    "\x98\x80\"}"));
	assert_string_equal(buf_text(&b), "{\"a\": [1, 2, {\"b\": null}], \"c\": \"x,y:z\\\"\", "
					  "\"d\": \"\\u00e9\\ud83d\\ude00\"}");
	buf_reset(&b);
	pyvalue_add_repr(&b, STR("it's\n\"x\"\\\x01"));
	assert_string_equal(buf_text(&b), "'it\\'s\\n\"x\"\\\\\\x01'");
	buf_reset(&b);
	pyvalue_add_repr(&b, STR("it's"));
	assert_string_equal(buf_text(&b), "\"it's\"");
	buf_clear(&b);
}

static int n_entries;

static void
on_entry(struct str id, bool healthy, struct str error, int64_t status, void *arg)
{
	n_entries++;
	if (str_is(id, "bad")) {
		assert_false(healthy);
		assert_true(str_is(error, "it's \xc3\xa9"));
		assert_int_equal(status, 401);
	} else {
		assert_true(str_is(id, "good") && healthy);
	}
}

static void
test_results(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int entries;
	} cases[] = {
		{ "{\"healthy_endpoints\": [{\"model_id\": \"good\"}], \"unhealthy_endpoints\": "
		  "[{\"model_id\": \"bad\", \"error\": \"it's \\u00e9\", \"exception_status\": "
		  "401}], "
		  "\"timestamp\": 5.5, \"checked_by\": \"pod\"}",
		    true, 2 },
		{ "\"{\\\"healthy_endpoints\\\": [{\\\"model_id\\\": \\\"good\\\"}], "
		  "\\\"timestamp\\\": 5.5}\"",
		    true, 1 },
		{ "{'healthy_endpoints': [{'model_id': 'good', 'x': None}], 'timestamp': 5.5}",
		    true, 1 },
		{ "{\"healthy_endpoints\": null, \"unhealthy_endpoints\": null, \"timestamp\": "
		  "5.5}",
		    true, 0 },
		{ "{\"healthy_endpoints\": [{\"model\": \"no id\"}, 7, null, []], \"timestamp\": "
		  "5.5}",
		    true, 0 },
		{ "{\"timestamp\": 5.5}", true, 0 },
		{ "{\"timestamp\": \"5.5\"}", false, 0 },
		{ "{\"healthy_endpoints\": []}", false, 0 },
		{ "{\"timestamp\": 5.5", false, 0 },
		{ "{\"timestamp\": 5.5} x", false, 0 },
		{ "\"\\ud8", false, 0 },
		{ "hello", false, 0 },
		{ "[1,2]", false, 0 },
		{ "null", false, 0 },
		{ "5", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct litellm_head head;

		n_entries = 0;
		assert_int_equal(
		    litellm_read(str_of(cases[i].text), &head, on_entry, NULL), cases[i].good);
		assert_int_equal(n_entries, cases[i].entries);
		if (cases[i].good)
			assert_true(head.timestamp > 5.4 && head.timestamp < 5.6);
	}
}

static void
test_deep(void **state)
{
	struct buf b = BUF_INIT(1000000);
	struct litellm_head head;

	buf_add_text(&b, "{\"timestamp\": 1, \"x\": ");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, '[');
	assert_false(litellm_read(buf_str(&b), &head, NULL, NULL));
	buf_clear(&b);
}

static void
test_merge(void **state)
{
	struct front_test ft;
	struct buf b = BUF_INIT(100000);
	struct deployment *d;
	struct msg_result r;

	ft_open(&ft);
	ft_configure(&ft, 1, 2, 1);
	d = fleet_at(ft.fleet, 0);
	r = ft_result(d->handle, false, FT_WALL_MS);
	assert_true(fleet_apply(ft.fleet, d, &r));
	/* The first is ours now; the second is not known to us, so another's word counts. */
	buf_addf(&b,
	    "{'%s': {'is_healthy': True, 'timestamp': 990.0, 'reason': ''}, \"%s\": "
	    "{\"is_healthy\": "
	    "false, \"timestamp\": 991, \"reason\": \"b\"}, 'gone': {'is_healthy': True, "
	    "'timestamp': "
	    "99.0, 'reason': ''}, 'odd': 5}",
	    d->id, fleet_at(ft.fleet, 1)->id);
	{
		struct buf out = BUF_INIT(100000), wanted = BUF_INIT(100000);

		litellm_merge(buf_str(&b), ft.fleet, 1000, 900, FT_WALL_MS, &out);
		buf_addf(&wanted,
		    "{'%s': {'is_healthy': False, 'timestamp': 991.000000, 'reason': 'b'}, '%s': "
		    "{'is_healthy': False, 'timestamp': 1000.000000, 'reason': "
		    "'background_health_check_failed'}}",
		    fleet_at(ft.fleet, 1)->id, d->id);
		assert_string_equal(buf_text(&out), buf_text(&wanted));
		buf_reset(&out);
		/* Malformed is as if it were not there. */
		litellm_merge(
		    STR("{'x': {'is_healthy': True, 'timestamp': 999.0, 'reason': ''}, oops"),
		    ft.fleet, 1000, 900, FT_WALL_MS, &out);
		assert_null(strstr(buf_text(&out), "'x'"));
		assert_non_null(strstr(buf_text(&out), d->id));
		buf_clear(&out);
		buf_clear(&wanted);
	}
	buf_clear(&b);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_witnesses),
		cmocka_unit_test(test_rendezvous),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_dumps),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
