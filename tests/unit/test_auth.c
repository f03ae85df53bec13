/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auth schemes against tests/fixtures/auth/exchanges.json: what a target is asked step by step,
 * what is made of good answers, and what is said of bad ones. Keys and certificates are made by
 * auth_keys.c.
 */
#include "tests/unit/auth_keys.h"
#include "tests/unit/fixture.h"

#include "workers/auth/auth.h"
#include "workers/auth/schemes.h"

#define MAX_PAIRS 24

static size_t wrong;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

static const struct {
	const char *name;
	const struct auth_scheme *(*scheme)(const struct target *t);
} schemes[] = {
	{ "aws", auth_aws },
	{ "chatgpt", auth_chatgpt },
	{ "databricks", auth_databricks },
	{ "entra", auth_entra },
	{ "gigachat", auth_gigachat },
	{ "github_copilot", auth_github_copilot },
	{ "google", auth_google },
	{ "ibm_iam", auth_ibm_iam },
	{ "oci", auth_oci },
	{ "sap", auth_sap },
	{ "snowflake", auth_snowflake },
};

/* ---- fixtures ---- */

/* "{{RSA}}" and its like in a fixture stand for what was made; in JSON its line breaks are escaped.
 */
static char *
filled(const char *text)
{
	const struct {
		const char *name, *value;
	} rows[] = { { "{{RSA}}", auth_rsa_pem }, { "{{EC}}", auth_ec_pem },
		{ "{{LOCKED}}", auth_locked_pem }, { "{{CERTIFICATE}}", auth_certificate_pem } };
	struct buf b = BUF_INIT((size_t)1 << 20);
	bool json = *text == '{' && text[1] != '{';

	while (*text) {
		size_t i;

		for (i = 0;
		     i < ARRAY_LEN(rows) && strncmp(text, rows[i].name, strlen(rows[i].name)) != 0;
		     i++)
			;
		if (i == ARRAY_LEN(rows)) {
			buf_add_char(&b, *text++);
			continue;
		}
		for (const char *p = rows[i].value; *p; p++)
			if (*p == '\n' && json)
				buf_add_text(&b, "\\n");
			else
				buf_add_char(&b, *p);
		text += strlen(rows[i].name);
	}
	return buf_take(&b);
}

struct owned {
	struct kv v[MAX_PAIRS];
	char *texts[MAX_PAIRS];
	size_t n;
};

static void
fill_pairs(struct owned *o, const json_t *object)
{
	const char *key;
	json_t *value;

	o->n = 0;
	json_object_foreach((json_t *)object, key, value)
	{
		char *dumped = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT);

		assert_true(o->n < MAX_PAIRS);
		o->texts[o->n] = filled(dumped ? dumped : json_string_value(value));
		o->v[o->n] = (struct kv){ str_of(key), str_of(o->texts[o->n]) };
		o->n++;
		free(dumped);
	}
}

static void
free_pairs(struct owned *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->texts[i]);
}

static struct target *
target_of(const json_t *one)
{
	struct owned params, secrets;
	const char *provider = fixture_text(one, "provider"), *base = fixture_text(one, "api_base");
	struct target *t;

	fill_pairs(&params, json_object_get(one, "params"));
	fill_pairs(&secrets, json_object_get(one, "secrets"));
	struct msg_conf_target m = { .id = STR("id"),
		.provider = str_of(*provider ? provider : "openai"),
		.dialect = STR("openai"),
		.mode = MODE_CHAT,
		.model = STR("m"),
		.api_base = str_of(*base ? base : "https://base.test"),
		.timeout_ms = 1000,
		.params = { params.v, params.n },
		.secrets = { secrets.v, secrets.n } };

	assert_int_equal(target_new(&m, &t), 0);
	free_pairs(&params);
	free_pairs(&secrets);
	return t;
}

static const struct auth_scheme *
scheme_of(const json_t *one, const struct target *t)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(schemes[i].name, fixture_text(one, "scheme")) == 0)
			return schemes[i].scheme(t);
	fail_msg("%s: no such scheme", fixture_text(one, "case"));
	return NULL;
}

/* Of the step's `reply_headers`. */
static struct str
header_of(const struct response *r, const char *name)
{
	return str_of(fixture_text(json_object_get(r->arg, "reply_headers"), name));
}

/* ---- comparing ---- */

/*
 * Compares with a text in which {{JWT}} stands for any of our key, {{HEX64}} for a signature,
 * {{UUID}} for an id. What JWTs say is appended to `said`.
 */
static bool
matches(struct str got, const char *wanted, struct buf *said)
{
	while (*wanted) {
		size_t n = 0;

		if (strncmp(wanted, "{{JWT}}", 7) == 0) {
			while (n < got.n && got.p[n] != '&')
				n++;
			if (!auth_is_jwt((struct str){ got.p, n }, said))
				return false;
			wanted += 7;
		} else if (strncmp(wanted, "{{HEX64}}", 9) == 0) {
			n = 64;
			if (got.n < n || strspn(got.p, "0123456789abcdef") < n)
				return false;
			wanted += 9;
		} else if (strncmp(wanted, "{{UUID}}", 8) == 0) {
			n = 36;
			if (got.n < n || got.p[14] != '4')
				return false;
			wanted += 8;
		} else {
			n = 1;
			if (got.n == 0 || *got.p != *wanted)
				return false;
			wanted++;
		}
		got.p += n;
		got.n -= n;
	}
	return got.n == 0;
}

/* ---- one case ---- */

static void
check_request(const char *name, const json_t *step, const struct request *req,
    const struct auth_exchange *x, struct buf *said)
{
	const json_t *headers = json_object_get(step, "headers");
	const char *header, *method = fixture_text(step, "method");
	json_t *value;

	if (strcmp(req->method, *method ? method : "POST") != 0)
		WRONG("%s: the method is %s", name, req->method);
	if (!matches(buf_str(&req->url), fixture_text(step, "url"), said))
		WRONG("%s: the URL is %s", name, buf_text(&req->url));
	if (!matches(buf_str(&req->body), fixture_text(step, "body"), said))
		WRONG("%s: the body is %s", name, buf_text(&req->body));
	json_object_foreach((json_t *)headers, header,
	    value) if (!matches(request_header(req, header), json_string_value(value), said))
	    WRONG("%s: %s is %s", name, header, request_header(req, header).p);
	if (x->metadata != json_is_true(json_object_get(step, "metadata")))
		WRONG("%s: metadata is %d", name, x->metadata);
}

static void
check_credential(const char *name, const json_t *wanted, const struct credential *c)
{
	const struct {
		const char *key;
		struct str got;
	} rows[] = {
		{ "token", secret_reveal(c->token) },
		{ "access_key", secret_reveal(c->access_key) },
		{ "secret_key", secret_reveal(c->secret_key) },
		{ "session_token", secret_reveal(c->session_token) },
		{ "base", str_of(c->base) },
		{ "account", str_of(c->account) },
	};
	struct buf said = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!matches(rows[i].got, fixture_text(wanted, rows[i].key), &said))
			WRONG(
			    "%s: %s is %.*s", name, rows[i].key, (int)rows[i].got.n, rows[i].got.p);
	if (*fixture_text(wanted, "says") && !strstr(buf_text(&said), fixture_text(wanted, "says")))
		WRONG("%s: the token says %s", name, buf_text(&said));
	if (c->expires_ms !=
	    (json_object_get(wanted, "expires_in_s")
		    ? NOW_MS + json_integer_value(json_object_get(wanted, "expires_in_s")) * 1000
		    : 0))
		WRONG("%s: expires in %lld ms", name, (long long)(c->expires_ms - NOW_MS));
	buf_clear(&said);
}

/* Runs the steps; returns what the last of them said. */
static int
run_steps(const json_t *one, const struct target *t, const struct auth_scheme *scheme,
    struct auth_exchange *x, struct result *why)
{
	const char *name = fixture_text(one, "case");
	const json_t *steps = json_object_get(one, "steps");
	struct build_context ctx = { .now_ms = NOW_MS };
	struct buf said = BUF_INIT(65536);
	struct request req;
	size_t i = 0;
	int rc;

	request_init(&req);
	for (;;) {
		const json_t *step = json_array_get(steps, i),
			     *reply = json_object_get(step, "reply");
		struct response resp = { .header = header_of, .arg = (json_t *)(uintptr_t)step };
		char *dumped = NULL;

		request_reset(&req);
		rc = scheme->ask(t, x, &ctx, &req, why);
		if (rc == AUTH_READ && strcmp(buf_text(&x->path), fixture_text(one, "path")) == 0) {
			x->file = fixture_str(one, "file");
			rc = scheme->ask(t, x, &ctx, &req, why);
			x->file = (struct str){ NULL, 0 };
		}
		if (rc == AUTH_RUN) {
			for (size_t k = 0; k < x->words.len; k++)
				if (x->words.data[k] == '\0')
					x->words.data[k] = ' ';
			if (strcmp(buf_text(&x->words), fixture_text(one, "program")) != 0)
				WRONG("%s: it runs `%s`", name, buf_text(&x->words));
			x->file = fixture_str(one, "file");
			rc = scheme->ask(t, x, &ctx, &req, why);
			x->file = (struct str){ NULL, 0 };
		}
		if (rc != AUTH_SEND)
			break;
		if (step == NULL) {
			WRONG("%s: it asks once more, %s", name, buf_text(&req.url));
			break;
		}
		check_request(name, step, &req, x, &said);
		x->step++;
		i++;
		resp.status = (int)json_integer_value(json_object_get(step, "status"));
		if (resp.status == 0)
			resp.status = 200;
		if (reply && !json_is_string(reply))
			resp.body = str_of(dumped = json_dumps(reply, JSON_COMPACT));
		else
			resp.body = fixture_str(step, "reply");
		rc = scheme->judge(t, x, &ctx, &resp, why);
		free(dumped);
		if (rc != AUTH_MORE)
			break;
	}
	if (i != json_array_size(steps))
		WRONG("%s: only %zu steps were made", name, i);
	if (*fixture_text(one, "says") && !strstr(buf_text(&said), fixture_text(one, "says")))
		WRONG("%s: it says %s", name, buf_text(&said));
	request_clear(&req);
	buf_clear(&said);
	return rc;
}

static void
check_case(const json_t *one)
{
	const char *name = fixture_text(one, "case"), *failure = fixture_text(one, "failure");
	struct target *t = target_of(one);
	const struct auth_scheme *scheme = scheme_of(one, t);
	struct buf key = BUF_INIT((size_t)1 << 20);
	struct auth_exchange x;
	struct result why;
	int rc;

	if (json_is_true(json_object_get(one, "none"))) {
		if (scheme)
			WRONG("%s: a scheme is named", name);
		target_free(t);
		return;
	}
	if (scheme == NULL) {
		WRONG("%s: no scheme", name);
		target_free(t);
		return;
	}
	result_init(&why);
	auth_exchange_init(&x);
	if (scheme->identity(t, &key, &why) != 0 || key.len == 0)
		WRONG("%s: no identity", name);
	rc = run_steps(one, t, scheme, &x, &why);
	if (*failure) {
		if (rc >= 0)
			WRONG("%s: it does not fail", name);
		else if (strcmp(buf_text(&why.detail), failure) != 0)
			WRONG("%s: it says `%s`", name, buf_text(&why.detail));
		if (rc < 0 && (why.reason != REASON_AUTH || why.error.len == 0))
			WRONG("%s: reason %d", name, (int)why.reason);
	} else if (rc != AUTH_DONE) {
		WRONG("%s: it says %d, `%s`", name, rc, buf_text(&why.detail));
	} else {
		check_credential(name, json_object_get(one, "credential"), x.credential);
	}
	auth_exchange_clear(&x);
	result_clear(&why);
	buf_clear(&key);
	target_free(t);
}

static void
test_exchanges(void **state)
{
	json_t *list = fixture_load("tests/fixtures/auth/exchanges.json"), *one;
	size_t i;

	wrong = 0;
	json_array_foreach(list, i, one) check_case(one);
	assert_int_equal(wrong, 0);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
	};

	return cmocka_run_group_tests(tests, auth_make_keys, auth_free_keys);
}
