/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAI dialect against its fixtures: the requests that were recorded, the errors that were
 * recorded, and answers good and bad. What a case wants stands in the fixture.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/header_of.h"

#include <strings.h>

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

#define MAX_PAIRS 8

/* All wrong cases of a fixture are named, then the test fails. */
static size_t wrong;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

struct pairs {
	struct kv v[MAX_PAIRS];
	size_t n;
};

static void
add_pair(struct pairs *p, const char *key, const char *value)
{
	assert_true(p->n < MAX_PAIRS);
	if (*value)
		p->v[p->n++] = (struct kv){ str_of(key), str_of(value) };
}

static struct msg_conf_target
message(const char *provider, enum mode mode, const char *model, const char *base)
{
	return (struct msg_conf_target){ .id = STR("id-1"),
		.provider = str_of(provider),
		.dialect = STR("openai"),
		.mode = mode,
		.model = str_of(model),
		.api_base = str_of(base),
		.max_tokens = 16,
		.timeout_ms = 60000,
		.ssl_verify = true };
}

static struct target *
make(const struct msg_conf_target *m)
{
	struct target *t;

	assert_int_equal(target_new(m, &t), 0);
	return t;
}

/* ---- requests ---- */

static const char *
no_environment(void *arg, const char *name)
{
	const json_t *c = arg;

	return strcmp(name, "account_id") == 0 ? json_string_value(json_object_get(c, name)) : NULL;
}

static void
check_request(const json_t *c)
{
	const char *name = fixture_text(c, "name"), *key;
	struct pairs params = { .n = 0 }, secrets = { .n = 0 }, extra_headers = { .n = 0 };
	struct msg_conf_target m;
	const struct provider *p;
	struct str bare;
	struct buf base = BUF_INIT(4096);
	char provider[64], *body = NULL, *extra_body = NULL, model[256];
	struct request req;
	struct result why;
	struct target *t;
	json_t *value, *sent, *want = json_object_get(c, "body");
	int mode = mode_parse(fixture_str(c, "mode"));

	assert_true(mode >= 0);
	if (provider_resolve(fixture_str(c, "model"), fixture_str(c, "custom_llm_provider"),
		fixture_str(c, "api_base"), &p, &bare, NULL) < 0)
		fail_msg("%s: no provider", name);
	if (provider_base(p, (enum mode)mode, fixture_str(c, "api_base"), NULL, no_environment,
		(void *)c, &base, NULL) < 0) {
		WRONG("%s: no base", name);
		return;
	}
	snprintf(provider, sizeof(provider), "%s", p->name);
	snprintf(model, sizeof(model), "%.*s", (int)bare.n, bare.p);
	m = message(provider, (enum mode)mode, model, buf_text(&base));
	add_pair(&params, "organization", fixture_text(c, "organization"));
	add_pair(&secrets, "api_key", fixture_text(c, "api_key"));
	json_object_foreach(json_object_get(c, "extra_headers"), key, value)
	    add_pair(&extra_headers, key, json_string_value(value));
	m.params = (struct kvs){ params.v, params.n };
	m.secrets = (struct kvs){ secrets.v, secrets.n };
	m.headers = (struct kvs){ extra_headers.v, extra_headers.n };
	m.max_tokens = json_integer_value(json_object_get(c, "max_tokens"));
	if (json_object_get(c, "extra_body"))
		m.extra_body =
		    str_of(extra_body = json_dumps(json_object_get(c, "extra_body"), JSON_COMPACT));
	t = make(&m);
	request_init(&req);
	result_init(&why);

	if (t->dialect->build(t, &(struct build_context){ .variant = 0 }, &req, &why) < 0) {
		WRONG("%s: refused: %s", name, buf_text(&why.detail));
		goto out;
	}
	assert_string_equal(req.method, fixture_text(c, "method"));
	/* Recorded with a Claude model, whose path is another. */
	if (strcmp(provider, "snowflake") != 0 &&
	    strcmp(buf_text(&req.url), fixture_text(c, "url")) != 0)
		WRONG("%s: %s, want %s", name, buf_text(&req.url), fixture_text(c, "url"));
	json_object_foreach(json_object_get(c, "headers"), key, value)
	{
		const char *is = header_of(&req, key);

		if (is == NULL || strcmp(is, json_string_value(value)) != 0)
			WRONG("%s: header %s is %s, want %s", name, key, is ? is : "absent",
			    json_string_value(value));
	}
	if (json_object_get(json_object_get(c, "headers"), "authorization") == NULL &&
	    header_of(&req, "authorization"))
		WRONG("%s: a key is sent where none was recorded", name);
	if (strcmp(req.method, "GET") == 0)
		assert_int_equal(req.body.len, 0);
	sent = req.body.len ? json_loads(buf_text(&req.body), JSON_REJECT_DUPLICATES, NULL)
			    : json_object();
	assert_non_null(sent);
	/* OpenAI's path needs a model; one provider is not sent any. */
	if (strcmp(provider, "oobabooga") == 0 && json_object_get(want, "model") == NULL)
		json_object_del(sent, "model");
	if (!json_equal(sent, want))
		WRONG("%s: body %s, want %s", name, buf_text(&req.body),
		    body = json_dumps(want, JSON_COMPACT));
	json_decref(sent);
	sent = json_loads(buf_text(&req.shown_body), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(sent);
	json_decref(sent);
out:
	free(body);
	free(extra_body);
	buf_clear(&base);
	request_clear(&req);
	result_clear(&why);
	target_free(t);
}

static void
test_recorded_requests(void **state)
{
	json_t *list = fixture_load("tests/fixtures/openai/requests.json"), *c;
	size_t i;

	wrong = 0;
	json_array_foreach(list, i, c) check_request(c);
	assert_true(i > 500);
	assert_int_equal(wrong, 0);
	json_decref(list);
}

static void
test_shown(void **state)
{
	struct kv secret = { STR("api_key"), STR("sk-1") };
	struct msg_conf_target m = message("openai", MODE_CHAT, "gpt-4o", "http://127.0.0.1:1/v1");
	struct request req;
	struct result why;
	struct target *t;

	m.secrets = (struct kvs){ &secret, 1 };
	t = make(&m);
	request_init(&req);
	result_init(&why);
	for (uint32_t variant = 0; variant < 3; variant++) {
		request_reset(&req);
		assert_int_equal(
		    t->dialect->build(t, &(struct build_context){ .variant = variant }, &req, &why),
		    0);
		assert_string_equal(buf_text(&req.body),
		    variant % 2 ? "{\"messages\":[{\"role\":\"user\",\"content\":\"What's 1 + "
				  "1?\"}],\"model\":\"gpt-4o\",\"max_tokens\":16}"
				: "{\"messages\":[{\"role\":\"user\",\"content\":\"Hey how's it "
				  "going?\"}],\"model\":\"gpt-4o\",\"max_tokens\":16}");
	}
	assert_string_equal(buf_text(&req.shown_base), "http://127.0.0.1:1/v1/");
	assert_string_equal(buf_text(&req.shown_body),
	    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":"
	    "\"Hey how's it going?\"}],\"max_tokens\":16,\"extra_body\":{}}");
	assert_int_equal(req.n_headers, 4);
	assert_null(strstr(buf_text(&req.body), "sk-1"));
	request_clear(&req);
	result_clear(&why);
	target_free(t);
}

static void
test_refused_requests(void **state)
{
	static const struct {
		const char *provider;
		enum mode mode;
		const char *base, *key, *header, *value, *want_error, *want_detail;
		int status;
	} cases[] = {
		{ "openai", MODE_CHAT, "http://a/v1", "", "", "",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - Missing "
		    "credentials. Please pass an "
		    "`api_key`, `workload_identity`, `admin_api_key`, or set the `OPENAI_API_KEY` "
		    "or `OPENAI_ADMIN_KEY` "
		    "environment variable.",
		    "no key for openai: set api_key or the environment variable OPENAI_API_KEY",
		    500 },
		{ "openai", MODE_CHAT, "http://a/v1", "sk-1\r\nX-Evil: 1", "", "",
		    "litellm.BadRequestError: OpenAIException - the key holds a line break or a "
		    "NUL byte",
		    "the key holds a line break or a NUL byte", 400 },
		{ "openai", MODE_CHAT, "http://a/v1", "sk-1", "X-A", "b\nX-Evil: 1", NULL, NULL,
		    400 },
		{ "openai", MODE_CHAT, "http://a/v1", "sk-1", "X-A: 1\r\nX-Evil", "b", NULL, NULL,
		    400 },
		{ "openai", MODE_CHAT, "http://a/v1", "sk-1", "Content-Length", "0", NULL, NULL,
		    400 },
		{ "openai", MODE_CHAT, "http://a/v1", "sk-1", "transfer-encoding", "chunked", NULL,
		    NULL, 400 },
		{ "openai", MODE_CHAT, "a:80/v1", "sk-1", "", "", NULL,
		    "api_base `a:80/v1` is not a URL with http:// or https:// and a host", 400 },
		{ "openai", MODE_CHAT, "http://a/v1\r\nX: y", "sk-1", "", "", NULL, NULL, 400 },
		{ "openai", MODE_RERANK, "http://a/v1", "sk-1", "", "", NULL,
		    "provider openai has no mode rerank", 400 },
		{ "openai", MODE_OCR, "http://a/v1", "sk-1", "", "", NULL,
		    "provider openai has no mode ocr", 400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg_conf_target m =
		    message(cases[i].provider, cases[i].mode, "m", cases[i].base);
		struct kv secret = { STR("api_key"), str_of(cases[i].key) };
		struct kv header = { str_of(cases[i].header), str_of(cases[i].value) };
		struct request req;
		struct result why;
		struct target *t;

		m.secrets = (struct kvs){ &secret, *cases[i].key ? 1 : 0 };
		m.headers = (struct kvs){ &header, *cases[i].header ? 1 : 0 };
		t = make(&m);
		request_init(&req);
		result_init(&why);
		assert_int_equal(
		    t->dialect->build(t, &(struct build_context){ .variant = 0 }, &req, &why),
		    ERR_INVALID);
		assert_false(why.healthy);
		assert_int_equal(why.reason, REASON_CONFIG);
		assert_int_equal(why.exception_status, cases[i].status);
		assert_string_not_equal(buf_text(&why.detail), "");
		if (cases[i].want_error)
			assert_string_equal(buf_text(&why.error), cases[i].want_error);
		if (cases[i].want_detail)
			assert_string_equal(buf_text(&why.detail), cases[i].want_detail);
		request_clear(&req);
		result_clear(&why);
		target_free(t);
	}
}

/* What the config says itself is neither said twice nor overruled. */
static void
test_overrides(void **state)
{
	struct msg_conf_target m = message("openai", MODE_CHAT, "gpt-4o", "http://a/v1");
	struct kv secret = { STR("api_key"), STR("sk-1") };
	struct kv headers[] = { { STR("authorization"), STR("Basic eA==") },
		{ STR("USER-AGENT"), STR("me") } };
	struct request req;
	struct result why;
	struct target *t;
	json_t *sent;

	m.secrets = (struct kvs){ &secret, 1 };
	m.headers = (struct kvs){ headers, 2 };
	m.extra_body = STR("{\"max_tokens\":3,\"model\":\"other\",\"n\":{\"x\":[1,\"\\u00e4\"]}}");
	t = make(&m);
	request_init(&req);
	result_init(&why);
	assert_int_equal(
	    t->dialect->build(t, &(struct build_context){ .variant = 0 }, &req, &why), 0);
	sent = json_loads(buf_text(&req.body), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(sent);
	assert_int_equal(json_integer_value(json_object_get(sent, "max_tokens")), 3);
	assert_string_equal(fixture_text(sent, "model"), "other");
	assert_int_equal(json_object_size(sent), 4);
	assert_string_equal(header_of(&req, "authorization"), "Basic eA==");
	assert_string_equal(header_of(&req, "user-agent"), "me");
	assert_int_equal(req.n_headers, 4);
	json_decref(sent);
	request_clear(&req);
	result_clear(&why);
	target_free(t);
}

static void
test_targets(void **state)
{
	static const char *const bad_bodies[] = { "x", "[]", "{", "{} {}", "1", "{\"a\":}" };
	struct msg_conf_target m = message("openai", MODE_CHAT, "m", "http://a");
	struct kv pair = { STR("a"), STR("b") }, nul = { STR("a"), STR("b\0c") };
	struct target *t;

	target_free(NULL);
	m.params = (struct kvs){ &pair, 1 };
	m.secrets = (struct kvs){ &pair, 1 };
	t = make(&m);
	assert_string_equal(target_param(t, "a"), "b");
	assert_null(target_param(t, "b"));
	assert_true(str_is(secret_reveal(target_secret(t, "a")), "b"));
	assert_null(target_secret(t, "b"));
	target_free(t);

	m.secrets = (struct kvs){ &nul, 1 };
	assert_int_equal(target_new(&m, &t), ERR_INVALID);
	m.secrets = (struct kvs){ &pair, 1 };
	m.headers = (struct kvs){ &nul, 1 };
	assert_int_equal(target_new(&m, &t), ERR_INVALID);
	m.headers = (struct kvs){ NULL, 0 };
	m.model = STR("m\0m");
	assert_int_equal(target_new(&m, &t), ERR_INVALID);
	m.model = STR("m");
	m.mode = MODE_COUNT;
	assert_int_equal(target_new(&m, &t), ERR_INVALID);
	m.mode = MODE_CHAT;
	for (size_t i = 0; i < ARRAY_LEN(bad_bodies); i++) {
		m.extra_body = str_of(bad_bodies[i]);
		assert_int_equal(target_new(&m, &t), ERR_INVALID);
	}
	m.extra_body = STR("");
	m.provider = STR("nobody");
	assert_int_equal(target_new(&m, &t), ERR_NOT_FOUND);
	m.provider = STR("anthropic");
	m.dialect = STR("none such");
	assert_int_equal(target_new(&m, &t), ERR_NOT_FOUND);
	assert_null(t);
}

/* ---- answers ---- */

/* The only header of a case is `type`. */
static struct str
one_header(const struct response *r, const char *name)
{
	return strcmp(name, "content-type") == 0 ? fixture_str(r->arg, "type")
						 : (struct str){ NULL, 0 };
}

static void
check_answer(const json_t *c)
{
	const char *name = fixture_text(c, "name"), *provider = fixture_text(c, "provider");
	json_t *error = json_object_get(c, "error"), *detail = json_object_get(c, "detail");
	int mode = mode_parse(fixture_str(c, "mode")),
	    reason = fixture_reason(c);
	struct msg_conf_target m;
	struct buf body = BUF_INIT((size_t)4 << 20);
	struct response resp = { .header = one_header, .arg = (void *)c };
	struct result res;
	struct target *t;
	char *exact;

	m = message(*provider ? provider : "openai", mode < 0 ? MODE_CHAT : (enum mode)mode, "m",
	    "http://a/v1");
	t = make(&m);
	fixture_body(c, &body);
	/* Of exactly its size, so that a read past its end is seen. */
	exact = malloc(body.len ? body.len : 1);
	memcpy(exact, buf_text(&body), body.len);
	resp.status = (int)json_integer_value(json_object_get(c, "status"));
	resp.body = (struct str){ exact, body.len };
	result_init(&res);
	buf_add_text(&res.error, "left over");
	t->dialect->judge(t, &resp, &res);
	if (res.healthy != json_is_true(json_object_get(c, "healthy")))
		WRONG("%s: healthy is %d: %s", name, res.healthy, buf_text(&res.detail));
	if (res.reason != (enum reason)(res.healthy ? REASON_OK : reason))
		WRONG("%s: reason %s (%s)", name, reason_name(res.reason), buf_text(&res.detail));
	if (json_is_string(error) && strcmp(buf_text(&res.error), json_string_value(error)) != 0)
		WRONG("%s:\n is %s\nnot %s", name, buf_text(&res.error), json_string_value(error));
	if (json_is_string(detail) && strcmp(buf_text(&res.detail), json_string_value(detail)) != 0)
		WRONG(
		    "%s:\n is %s\nnot %s", name, buf_text(&res.detail), json_string_value(detail));
	if (res.exception_status != json_integer_value(json_object_get(c, "exception_status")))
		WRONG("%s: exception_status %lld", name, (long long)res.exception_status);
	assert_true(res.healthy == (res.error.len == 0));
	assert_true(res.healthy == (res.detail.len == 0));
	assert_null(strchr(buf_text(&res.error), '\n'));
	assert_int_equal(res.tokens_in, json_integer_value(json_object_get(c, "tokens_in")));
	assert_int_equal(res.tokens_out, json_integer_value(json_object_get(c, "tokens_out")));
	free(exact);
	result_clear(&res);
	buf_clear(&body);
	target_free(t);
}

static void
check_answers(const char *relative, size_t at_least)
{
	json_t *list = fixture_load(relative), *c;
	size_t i;

	wrong = 0;
	json_array_foreach(list, i, c) check_answer(c);
	assert_true(i >= at_least);
	assert_int_equal(wrong, 0);
	json_decref(list);
}

static void
test_recorded_errors(void **state)
{
	check_answers("tests/fixtures/openai/errors.json", 700);
}

static void
test_answers(void **state)
{
	check_answers("tests/fixtures/openai/answers.json", 98);
}

static struct str
redirect_header(const struct response *r, const char *name)
{
	return strcasecmp(name, "location") == 0 ? STR("http://evil.test/")
						 : (struct str){ NULL, 0 };
}

static void
test_redirect(void **state)
{
	struct msg_conf_target m = message("openai", MODE_CHAT, "m", "http://a/v1");
	struct response resp = { .status = 307, .header = redirect_header };
	struct target *t = make(&m);
	struct result res;

	result_init(&res);
	t->dialect->judge(t, &resp, &res);
	assert_false(res.healthy);
	assert_int_equal(res.reason, REASON_BAD_RESPONSE);
	assert_int_equal(res.exception_status, 307);
	assert_string_equal(buf_text(&res.detail),
	    "the provider answered with status 307, a redirect to http://evil.test/; "
	    "redirects are not followed, because the key would go along");
	result_clear(&res);
	target_free(t);
}

static void
test_transport(void **state)
{
	static const struct {
		const char *provider;
		enum reason reason;
		const char *what, *error;
		int64_t attempt_ms, status;
	} cases[] = {
		{ "openai", REASON_CONNECT, "connection refused by 127.0.0.1:9",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - "
		    "Connection error.",
		    0, 500 },
		{ "openai", REASON_DNS, "x",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - "
		    "Connection error.",
		    0, 500 },
		{ "openai", REASON_TLS, "x",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - "
		    "Connection error.",
		    0, 500 },
		{ "groq", REASON_CONNECT,
		    "the connection was closed before the answer was complete",
		    "litellm.InternalServerError: InternalServerError: GroqException - Server "
		    "disconnected",
		    0, 500 },
		{ "groq", REASON_CONNECT, "connection refused by 127.0.0.1:9",
		    "litellm.InternalServerError: InternalServerError: GroqException - Cannot "
		    "connect to host a:80 ssl:default "
		    "[connection refused by 127.0.0.1:9]",
		    0, 500 },
		{ "openrouter", REASON_CONNECT, "closed",
		    "litellm.APIConnectionError: APIConnectionError: OpenrouterException - Server "
		    "disconnected",
		    0, 500 },
		{ "databricks", REASON_CONNECT, "closed",
		    "litellm.InternalServerError: DatabricksException - Server disconnected", 0,
		    500 },
		{ "cloudflare", REASON_CONNECT, "closed",
		    "litellm.APIConnectionError: CloudflareException - Server disconnected", 0,
		    500 },
		{ "openai", REASON_TIMEOUT, "no answer after 60 s", "Timeout exceeded", 0, 408 },
		{ "openai", REASON_TIMEOUT, "no answer after 60 s", "Timeout exceeded", 90000,
		    408 },
		{ "openai", REASON_TIMEOUT, "no answer after 1 s",
		    "litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request "
		    "timed out. - timeout value=1.0",
		    1000, 408 },
		{ "openai", REASON_TIMEOUT, "no answer after 1.5 s",
		    "litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request "
		    "timed out. - timeout value=1.5",
		    1500, 408 },
		{ "openai", REASON_BAD_RESPONSE, "the body is larger than 1 MiB",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - the body "
		    "is larger than 1 MiB",
		    0, 500 },
		{ "openai", REASON_CONFIG, "the address is not allowed",
		    "litellm.BadRequestError: OpenAIException - the address is not allowed", 0,
		    400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg_conf_target m =
		    message(cases[i].provider, MODE_CHAT, "m", "http://a/v1");
		struct result res;
		struct target *t;

		m.attempt_timeout_ms = (uint64_t)cases[i].attempt_ms;
		t = make(&m);
		result_init(&res);
		judge_transport(t, cases[i].reason, str_of(cases[i].what), &res);
		assert_false(res.healthy);
		assert_int_equal(res.reason, cases[i].reason);
		assert_int_equal(res.exception_status, cases[i].status);
		assert_string_equal(buf_text(&res.error), cases[i].error);
		assert_string_equal(buf_text(&res.detail), cases[i].what);
		result_clear(&res);
		target_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_recorded_requests),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_recorded_errors),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests_name("openai", tests, NULL, NULL);
}
